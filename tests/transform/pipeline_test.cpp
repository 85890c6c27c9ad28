// The gate: passes are named, timed, observed, verified and switched off.
#include "transform/pipeline.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cpu/executable.h"
#include "graph/build.h"
#include "graph/opdef.h"
#include "graph/text.h"
#include "interpret/interpret.h"

namespace viva {
namespace {

const Type four{Dtype::float32, {4}};

// y = g(x) + g(x), where g(u) = 2u, called under the policy; g is also called without using what it gives.
Body calls(bool recompute) {
  const char* policy = recompute ? "recompute" : "save";
  Build g("g");
  const Value u = g.parameter(four, "u");
  const Body twice = g.finish({g.add(u, u)});
  Build b("f");
  const Value x = b.parameter(four, "x");
  b.call(twice, {x}, policy);
  return b.finish({b.add(b.call(twice, {x}, policy)[0], b.call(twice, {x}, policy)[0])});
}

int64_t count(const Body& f, std::string_view op) {
  return std::ranges::count_if(f->nodes(), [&](const Node& n) { return n.op && n.op->name == op; });
}

TEST(Pipeline, ObservesEveryPassInOrder) {
  std::vector<std::string> seen;
  PassOptions options;
  options.verify = true;
  Body last;
  options.observe = [&](std::string_view pass, double seconds, const Body& result) {
    EXPECT_GE(seconds, 0);
    seen.emplace_back(pass);
    last = result;
  };
  const Body s = simplify(calls(false), options);
  EXPECT_EQ(last, s);
  ASSERT_EQ(seen.size() % passes().size(), 0u);
  for (size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], passes()[i % passes().size()].name);
  EXPECT_EQ(count(s, "call"), 0);
  EXPECT_EQ(count(s, "add"), 2);
}

TEST(Pipeline, SwitchesPassesOff) {
  PassOptions options;
  options.disabled = {"inline_calls"};
  EXPECT_EQ(count(simplify(calls(false), options), "call"), 1);
  options.disabled = {"inline_everything"};
  EXPECT_THROW(simplify(calls(false), options), Error);
}

TEST(Pipeline, CompilePassesTheGate) {
  std::vector<std::string> seen;
  PlanOptions options;
  options.passes.verify = true;
  options.passes.observe = [&](std::string_view pass, double, const Body&) { seen.emplace_back(pass); };
  const Executable e = compile(calls(true), options);
  ASSERT_GT(seen.size(), 2u);
  EXPECT_EQ(seen[0], "inline_all");
  EXPECT_EQ(seen[1], "bind");
  ThreadPool pool(1);
  EXPECT_EQ(e.call({Array::full(four, 1.5)}, pool).take()[0].at(3), 6);
  options.passes.disabled = {"inline_all"};  // a call that stays is run as one
  EXPECT_EQ(compile(calls(true), options).call({Array::full(four, 1.5)}, pool).take()[0].at(3), 6);
}

TEST(Pipeline, ACallWithoutOutputsIsLegal) {
  for (const char* policy : {"save", "recompute"}) {
    const Body f =
        parse(fmt::format("func \"g\"(%0: f64[3]) -> () {{\n  return\n}}\n"
                          "func \"f\"(%0: f64[3]) -> (\"\") {{\n"
                          "  () = call(%0) {{policy=\"{}\"}} [@\"g\"]\n  return %0\n}}\n",
                          policy));
    PassOptions options;
    options.verify = true;
    EXPECT_EQ(simplify(f, options)->nodes().size(), 1u);
    ThreadPool pool(1);
    EXPECT_EQ(compile(f).call({Array::full({Dtype::float64, {3}}, 2)}, pool).take()[0].at(1), 2);
  }
}

// A body that is called often is inlined from one rewriting.
TEST(Pipeline, InlinesSharedBodiesOnce) {
  Build leaf("f0");
  Body f = leaf.finish({leaf.sin(leaf.parameter(four, "x"))});
  for (int i = 0; i < 300; ++i) {
    Build b("f");
    f = b.finish(b.call(f, {b.parameter(four, "x")}, i % 2 == 0 ? "recompute" : "save"));
  }
  EXPECT_EQ(inline_all_pass.run(f)->nodes().size(), 2u);
}

}  // namespace
}  // namespace viva
