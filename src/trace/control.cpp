// Control flow: functions of trees become functions of the graph, what they capture becomes operands.
#include "viva/control.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "trace/captured.h"
#include "trace/operand.h"

namespace viva::tracing {
namespace {

std::string shown(const Graph& g) {
  std::string s;
  for (const Type& t : g.body->output_types()) s += (s.empty() ? "" : ", ") + to_string(t);
  return s.empty() ? "nothing" : s;
}

// The leaves that are not empty.
Tensors given(const Graph& g, const Tensors& args) {
  Tensors r;
  for (const size_t i : g.leaves) r.push_back(args[i]);
  return r;
}

void check_carry(Site site, const Graph& g, const Tensors& init, size_t carries) {
  for (size_t i = 0, in = 0, out = 0; i < carries; ++i) {
    const bool had = !init[i].empty(), has = g.present[i];
    const Type before = had ? g.body->params()[in++].type() : Type{},
               after = has ? g.body->outputs()[out++].type() : Type{};
    if (had == has && before == after) continue;
    throw usage_at(site.where,
                   fmt::format("[{}] leaf {} of the carry goes in as {} and comes out as {}: give both one type",
                               site.what, i, had ? to_string(before) : "empty", has ? to_string(after) : "empty"));
  }
}

Tensors plain_scan(Site site, const Fn& f, const Tensors& args, size_t carries, int64_t length, bool reverse) {
  Inputs in = inputs_of(args);
  for (size_t i = carries; i < args.size(); ++i)
    if (!args[i].empty()) in.types[i].shape.erase(in.types[i].shape.begin());
  const Graph g = trace(site, Mode::staged, f, in);
  check_carry(site, g, args, carries);
  Captured captured;
  captured.add(g);
  Tensors operands = captured.all;
  const Tensors leaves = given(g, args);
  operands.insert(operands.end(), leaves.begin(), leaves.end());
  const auto carried = std::ranges::count_if(g.leaves, [&](size_t i) { return i < carries; });
  return g.outputs(applied("scan",
                           {{"consts", static_cast<int64_t>(captured.all.size())},
                            {"carries", static_cast<int64_t>(carried)},
                            {"length", length},
                            {"reverse", reverse}},
                           {captured.over(g, 0, 0)}, operands, site.where));
}

// The least b with b^d ≥ n.
int64_t root(int64_t n, int d) {
  const auto reaches = [&](int64_t b) {
    int64_t power = 1;
    for (int i = 0; i < d && power < n; ++i) power *= b;
    return power >= n;
  };
  auto b = static_cast<int64_t>(std::pow(static_cast<double>(n), 1.0 / d));
  while (reaches(b - 1)) --b;
  while (!reaches(b)) ++b;
  return b;
}

// Elements start … stop - 1 of the arrays, in blocks where rows are given; the carries as they are.
Tensors elements(Tensors args, size_t carries, int64_t start, int64_t stop, int64_t rows, Where where) {
  for (size_t i = carries; i < args.size(); ++i) {
    if (args[i].empty()) continue;
    args[i] = part(args[i], 0, start, stop, where);
    Shape shape = args[i].shape();
    if (rows == 0) continue;
    shape[0] /= rows;
    shape.insert(shape.begin(), rows);
    args[i] = reshaped(args[i], shape, where);
  }
  return args;
}

// Blocks of equal length in a scan whose step is checkpointed, then the remainder, as one block that is shorter.
Tensors nested_scan(Site site, const Fn& f, const Tensors& args, size_t carries, int64_t n,
                    const ScanOptions& options) {
  const int64_t blocks = root(n, options.levels), each = (n + blocks - 1) / blocks, whole = n / each, rest = n % each;
  const auto block_of = [&](int64_t length) -> Fn {
    const Fn inner = [=, &f](const Tensors& a) {
      return scan(site, f, a, carries, {options.reverse, length, options.levels - 1});
    };
    return [=](const Tensors& a) { return checkpoint(site, inner, a, Keep{}); };
  };
  const int64_t from = options.reverse ? rest : 0, other = options.reverse ? 0 : n - rest;
  Tensors out = plain_scan(site, block_of(each), elements(args, carries, from, from + n - rest, whole, site.where),
                           carries, whole, options.reverse);
  for (size_t i = carries; i < out.size(); ++i) {
    if (out[i].empty()) continue;
    Shape shape = out[i].shape();
    shape.erase(shape.begin());
    shape[0] = n - rest;
    out[i] = reshaped(out[i], shape, site.where);
  }
  if (rest == 0) return out;
  Tensors last = elements(args, carries, other, other + rest, 0, site.where);
  std::copy_n(out.begin(), carries, last.begin());
  last = block_of(rest)(last);
  const Line line(site.where);
  for (size_t i = carries; i < out.size(); ++i)
    if (!out[i].empty())
      last[i] = concatenate(options.reverse ? Tensors{last[i], out[i]} : Tensors{out[i], last[i]}, 0);
  return last;
}

}  // namespace

Tensors cond(Site site, const Arg& predicate, const Fn& on_true, const Fn& on_false, const Tensors& args) {
  const Inputs in = inputs_of(args);
  const Graph f = trace(site, Mode::staged, on_true, in), g = trace(site, Mode::staged, on_false, in);
  if (f.present != g.present || f.body->output_types() != g.body->output_types())
    throw usage_at(site.where, fmt::format("[cond] one function gives {}, the other {}: give both the same types",
                                           shown(f), shown(g)));
  const Tensor p = as_tensor(predicate);
  if (p.type() != Type{Dtype::boolean, {}})
    throw usage_at(site.where,
                   fmt::format("[cond] the predicate is {}, not bool[]: reduce it with all or any, or use where",
                               to_string(p.type())));
  Captured captured;
  captured.add(f), captured.add(g);
  Tensors operands{p};
  const Tensors leaves = given(f, args);
  operands.insert(operands.end(), leaves.begin(), leaves.end());
  operands.insert(operands.end(), captured.all.begin(), captured.all.end());
  return f.outputs(applied("cond", {}, {captured.over(f, 0, f.leaves.size()), captured.over(g, 1, g.leaves.size())},
                           operands, site.where));
}

Tensors scan(Site site, const Fn& f, const Tensors& args, size_t carries, const ScanOptions& options) {
  if (options.levels < 1) throw usage_at(site.where, fmt::format("[scan] {} levels: give 1 or more", options.levels));
  const int64_t n = leading_extent(args, carries, options.length, "scan", site.where);
  if (n < 0) throw usage_at(site.where, "[scan] no array says how many steps there are: give a length");
  if (options.levels == 1 || n < 2) return plain_scan(site, f, args, carries, n, options.reverse);
  return nested_scan(site, f, args, carries, n, options);
}

Tensors while_loop(Site site, const Fn& predicate, const Fn& step, const Tensors& init, const WhileOptions& options) {
  const Inputs in = inputs_of(init);
  const Graph p = trace(site, Mode::staged, predicate, in), f = trace(site, Mode::staged, step, in);
  if (const std::vector<Type> out = p.body->output_types(); out.size() != 1 || out[0] != Type{Dtype::boolean, {}})
    throw usage_at(
        site.where,
        fmt::format("[while_loop] the predicate gives {}, not one bool[]: reduce it with all or any", shown(p)));
  check_carry(site, f, init, init.size());
  if (options.max_steps < 0)
    throw usage_at(site.where, fmt::format("[while_loop] max_steps {} is negative", options.max_steps));
  Captured captured;
  captured.add(p), captured.add(f);
  Tensors operands = captured.all;
  const Tensors leaves = given(f, init);
  operands.insert(operands.end(), leaves.begin(), leaves.end());
  return f.outputs(applied("while",
                           {{"consts", static_cast<int64_t>(captured.all.size())}, {"max_steps", options.max_steps}},
                           {captured.over(p, 0, 0), captured.over(f, 1, 0)}, operands, site.where));
}

Tensor counting(int64_t n, Where where) {
  if (n < 0) throw usage_at(where, fmt::format("[fori_loop] {} steps are negative", n));
  return emit("iota", {}, {{"dim", int64_t{0}}, {"dtype", Dtype::int64}, {"shape", Ints{n}}}, where);
}

}  // namespace viva::tracing
