#include "transform/pipeline.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "graph/opdef.h"
#include "graph/verify.h"

namespace viva {

// A pass is its file and its entry here: a declaration, and a line in the order in which simplify applies them.
Body inline_calls(const Body& f);
Body inline_all(const Body& f);
Body algebra(const Body& f);
Body unit_extents(const Body& f);
Body constants(const Body& f);
Body common_subexpressions(const Body& f);
Body relu_masks(const Body& f);
Body dead_code(const Body& f);

namespace {

constexpr std::array list = {
    Pass{"inline_calls", "calls that need not be kept whole become their bodies", inline_calls},
    Pass{"algebra", "the simplify rules of the operations", algebra},
    Pass{"unit_extents", "reshapes that only move extents of 1 go behind pointwise operations and windows",
         unit_extents},
    Pass{"constants", "nodes over constants are evaluated, unless they would grow", constants},
    Pass{"common_subexpressions", "equal nodes become one", common_subexpressions},
    Pass{"relu_masks", "masks of relu are read from its result, so that its operand need not be kept", relu_masks},
    Pass{"dead_code", "what no output needs goes", dead_code},
};

void check_names(const PassOptions& options) {
  for (const std::string& name : options.disabled)
    if (name != inline_all_pass.name && std::ranges::find(list, name, &Pass::name) == list.end())
      throw usage_error("there is no pass '{}'", name);
}

bool same_functions(const Function& a, const Function& b) {
  return std::ranges::equal(a.nodes(), b.nodes(), [](const Node& x, const Node& y) {
    return x.op == y.op && x.bodies == y.bodies && same(x.attrs, y.attrs) &&
           std::ranges::equal(x.in, y.in,
                              [](Value p, Value q) { return p.node()->id == q.node()->id && p.port() == q.port(); });
  });
}

}  // namespace

const Pass inline_all_pass{"inline_all", "all calls become their bodies", inline_all};

std::span<const Pass> passes() { return list; }

Body run_step(std::string_view name, const Body& f, const std::function<Body(const Body&)>& step,
              const PassOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  Body result;
  try {
    if (options.verify) verify(*f);
    result = step(f);
    if (options.verify) verify(*result);
  } catch (const Error& e) { throw Error(e.kind(), fmt::format("[{}] {}", name, e.message()), e.where()); }
  if (options.observe)
    options.observe(name, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), result);
  return result;
}

Body run_pass(const Pass& pass, const Body& f, const PassOptions& options) {
  check_names(options);
  return options.disabled.contains(pass.name) ? f : run_step(pass.name, f, pass.run, options);
}

Body simplify(const Body& f, const PassOptions& options) {
  Body now = f;
  for (int round = 0; round < 8; ++round) {
    const Body before = now;
    for (const Pass& pass : list) now = run_pass(pass, now, options);
    if (same_functions(*before, *now)) break;
  }
  return now;
}

}  // namespace viva
