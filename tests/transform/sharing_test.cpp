// A function that is called often is transformed once, whatever the transformation and the policy of the calls.
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "graph/build.h"
#include "graph/verify.h"
#include "transform/pipeline.h"
#include "transform/transform.h"

namespace viva {
namespace {

const Type rows{Dtype::float32, {2, 8}}, square{Dtype::float32, {8, 8}};

// The squares of n layers tanh(x·w), summed. Parameters: x, then the weights.
Body net(int n, bool recompute) {
  Build g("layer");
  const Value gx = g.parameter(rows, "x"), gw = g.parameter(square, "w");
  const Body layer = g.finish({g.tanh(g.dot(gx, gw))});
  Build b("net");
  Value y = b.parameter(rows, "x");
  Values weights;
  for (int i = 0; i < n; ++i) weights.push_back(b.parameter(square, "w"));
  for (const Value& w : weights) y = b.call(layer, {y, w}, recompute ? "recompute" : "save")[0];
  return b.finish({b.reduce_sum(b.square(y), {0, 1})});
}

size_t functions(const Body& f) {
  verify(*f);
  return Program(f).functions().size();
}

Body pruned(const Body& f) { return Pruner().pruned(f); }

using Question = std::function<Body(const Body&, const Mask&)>;

TEST(Sharing, EqualLayersAreTransformedOnce) {
  const std::vector<std::pair<std::string, Question>> questions = {
      {"jvp", [](const Body& f, const Mask& m) { return jvp(f, m); }},
      {"grad", [](const Body& f, const Mask& m) { return grad(f, m); }},
      {"hvp", [](const Body& f, const Mask& m) { return hvp(f, m); }},
      {"jvp of hvp",
       [](const Body& f, const Mask& m) {
         const Body h = hvp(f, m);
         return jvp(h, Mask(h->params().size(), true));
       }},
      {"per-example grad",
       [](const Body& f, const Mask& m) {
         std::vector<int> axes(m.size(), -1);
         axes[0] = 0;
         return per_example_grad(f, m, axes, 4);
       }},
  };
  for (const bool recompute : {false, true})
    for (const bool inputs : {false, true})
      for (const auto& [name, question] : questions) {
        SCOPED_TRACE(fmt::format("{}, {}, inputs {}", name, recompute ? "recompute" : "save", inputs));
        const auto count = [&](int n) {
          Mask active(static_cast<size_t>(n) + 1, true);
          active[0] = inputs;
          return functions(question(net(n, recompute), active));
        };
        // First and last layers differ from those between; no more than these make functions of their own.
        EXPECT_EQ(count(5), count(12));
        EXPECT_LE(count(12), name == "jvp of hvp" ? 40u : 16u);
      }
}

// f_i calls f_(i-1) twice: the program grows by one function a level, so must the work.
TEST(Sharing, DoublingCallsStaySmall) {
  const Type t{Dtype::float32, {4}};
  Build leaf("f0");
  Body f = leaf.finish({leaf.sin(leaf.parameter(t, "x"))});
  for (int i = 1; i <= 200; ++i) {
    Build b(fmt::format("f{}", i));
    const Value y = b.call(f, {b.parameter(t, "x")}, "recompute")[0];
    f = b.finish(b.call(f, {y}, "recompute"));
  }
  EXPECT_EQ(functions(f), 201u);
  EXPECT_LE(functions(jvp(f, {true})), 402u);
  EXPECT_LE(functions(vjp(f, {true})), 1000u);
  EXPECT_LE(functions(vmap(f, {0}, 3)), 402u);
  EXPECT_LE(functions(pruned(f)), 201u);
}

TEST(Sharing, PruningWhatIsNeededWholeGivesTheSameFunction) {
  const Body f = net(3, false);
  EXPECT_EQ(pruned(f), f);
}

// f_0 = tanh; f_i(x) = next(b, x, f_{i-1}).
Body calls_of_calls(int levels, const std::function<Value(Build&, Value, const Body&)>& next) {
  Build leaf("f0");
  Body f = leaf.finish({leaf.tanh(leaf.parameter(rows, "x"))});
  for (int i = 1; i <= levels; ++i) {
    Build b(fmt::format("f{}", i));
    const Value x = b.parameter(rows, "x");
    f = b.finish({next(b, x, f)});
  }
  return f;
}

TEST(Sharing, CallsOfCallsAreInlinedOnceEach) {
  const Body f = calls_of_calls(
      100, [](Build& b, Value x, const Body& g) { return b.scale(b.add(b.call(g, {x})[0], b.call(g, {x})[0]), .5); });
  EXPECT_LE(run_pass(inline_all_pass, f, {})->nodes().size(), 600u);
}

TEST(Sharing, CallsThatCannotBeSharedHaveALimit) {
  const Body f = calls_of_calls(
      40, [](Build& b, Value x, const Body& g) { return b.add(b.call(g, {b.cos(x)})[0], b.call(g, {b.sin(x)})[0]); });
  try {
    run_pass(inline_all_pass, f, {});
    FAIL() << "2^40 nodes";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::unsupported);
    EXPECT_NE(std::string(e.what()).find("expand to more than 131072 nodes"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace viva
