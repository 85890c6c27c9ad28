// Bad requests are usage errors, and what transformations make carries the lines and names of the primal nodes.
#include <gtest/gtest.h>

#include "graph/build.h"
#include "graph/opdef.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "interpret/interpret.h"
#include "transform/pipeline.h"
#include "transform/transform.h"

namespace viva {
namespace {

const Type four{Dtype::float32, {4}};

template <class F> Error refused(F&& f) {
  try {
    f();
  } catch (const Error& e) { return e; }
  return internal_error("accepted");
}
template <class F> void expect_refused(std::string_view what, F&& f) {
  const Error e = refused(f);
  EXPECT_EQ(e.kind(), ErrorKind::usage) << e.what();
  EXPECT_NE(e.message().find(what), std::string::npos) << e.what();
}

TEST(Usage, DerivativesOfWhatHasNone) {
  Build b("f");
  const Value x = b.parameter(four, "x");
  const Body index = b.finish({b.argmax(x, 0)});
  for (const auto jacobian : {jacobian_forward, jacobian_reverse}) {
    expect_refused("[jacobian] the first output of f is i64[]", [&] { jacobian(index, 0); });
    expect_refused("[jacobian] f has no parameter 7", [&] { jacobian(index, 7); });
  }
  EXPECT_TRUE(to_string(refused([&] { jacobian_forward(index, 0); }).where()).starts_with("usage_test.cpp:"));
  expect_refused("[grad] the first output of f is i64[]", [&] { grad(index, {true}); });
  Build none("none");
  none.parameter(four);
  const Body silent = none.finish({});
  expect_refused("no output", [&] { grad(silent, {true}); });
  expect_refused("no output", [&] { jacobian_forward(silent, 0); });
  expect_refused("no output", [&] { hessian(silent, 0); });
  Build v("v");
  const Body vector = v.finish({v.sin(v.parameter(four))});
  const Error e = refused([&] { grad(vector, {true}); });
  EXPECT_TRUE(std::string(e.what()).starts_with("usage_test.cpp:")) << e.what();
}

TEST(Usage, MarksThatDoNotFit) {
  Build b("f");
  const Body f = b.finish({b.neg(b.parameter(four, "x"))});
  expect_refused("[transpose] 3 marks for the 1 parameters", [&] { transpose(f, {true, true, true}); });
  expect_refused("[transpose] 0 marks", [&] { transpose(f, {}); });
  expect_refused("marks", [&] { jvp(f, {true, true}); });
  Pruner pruner;
  expect_refused("[prune]", [&] { pruner.prune(f, {true, true}); });
}

TEST(Usage, AxesOfVmap) {
  Build b("f");
  const Value x = b.parameter(four, "x"), w = b.parameter(four, "w");
  const Body f = b.finish({b.neg(x), b.exp(w)});
  expect_refused("1 axes for the 2 outputs", [&] { vmap(f, {0, -1}, 2, {0}); });
  expect_refused("axis -3 of parameter 0 is outside f32[4]", [&] { vmap(f, {-3, -1}, 2); });
  expect_refused("axis 2 of parameter 0", [&] { vmap(f, {2, -1}, 2); });
  expect_refused("axis 2 of output 1", [&] { vmap(f, {0, -1}, 2, {0, 2}); });
  expect_refused("axis -2 of output 1", [&] { vmap(f, {0, -1}, 2, {0, -2}); });
  expect_refused("-2 examples", [&] { vmap(f, {0, -1}, -2); });
  expect_refused("output 0 of f differs from example to example", [&] { vmap(f, {0, -1}, 2, {-1, -1}); });
  EXPECT_EQ(vmap(f, {0, -1}, 2, {1, -1})->output_types(), (std::vector<Type>{{Dtype::float32, {4, 2}}, four}));
  EXPECT_EQ(vmap(f, {0, -1}, 2)->output_types(), (std::vector<Type>(2, {Dtype::float32, {2, 4}})));
}

// No line of Viva's own stands for a line of the user.
TEST(Usage, TransformedNodesCarryThePrimalLine) {
  const auto check = [](const Body& f, std::string_view place) {
    verify(*f);
    const Program p(f);
    for (const auto& [name, g] : p.functions())
      for (const Node& n : g->nodes()) {
        EXPECT_EQ(to_string(n.where), place) << (n.op ? n.op->name : "parameter") << " in\n" << print(g);
        if (to_string(n.where) != place) return;
      }
  };
  const auto all = [&](const Body& f, std::string_view place) {
    check(jvp(f, {true}), place), check(grad(f, {true}), place), check(value_and_grad(f, {true}), place);
    check(hvp(f, {true}), place), check(hessian(f, 0), place), check(vjp(f, {true}), place);
    check(jacobian_forward(f, 0), place), check(jacobian_reverse(f, 0), place);
    check(vmap(f, {0}, 3), place), check(per_example_grad(f, {true}, {0}, 3), place);
    check(simplify(hessian(f, 0)), place);
  };
  const auto make = [](Build& b, bool call) {
    const Value x = b.parameter(four, "x");
    Value y = b.mul(b.sin(x), b.full(four, 3));
    if (call) {
      Build g("g");
      g.at(Where::named("node"));
      y = b.call(g.finish({g.tanh(g.parameter(four, "u"))}), {y}, "recompute")[0];
    }
    return b.finish({b.reduce_sum(b.pad(b.slice(y, {1}, {3}), b.scalar(Dtype::float32, 0), {1}, {0}), {0})});
  };
  for (const bool call : {false, true}) {
    Build b("f");
    b.at(Where::named("node"));
    all(make(b, call), "node");
  }
  Build b("f");
  all(parse(print(make(b, false))), "");
}

TEST(Usage, TangentsAreNamedAfterTheirPrimals) {
  Build b("f");
  const Value x = b.parameter(four, "x"), s = b.reduce_sum(x, {0});
  b.set_name(s, "s");
  const Value y = b.exp(s);
  b.set_name(y, "y");
  const Body j = jvp(b.finish({y}), {true});
  std::vector<std::string> names;
  for (const Node& n : j->nodes()) names.push_back(n.names[0]);
  EXPECT_EQ(names, (std::vector<std::string>{"x", "x.tangent", "s", "s.tangent", "y", "y.tangent"}));
}

TEST(Usage, AngleSlopesNeitherOverflowNorUnderflow) {
  Build b("f");
  const Value y = b.parameter({Dtype::float32, {}}, "y"), x = b.parameter({Dtype::float32, {}}, "x");
  const Body g = grad(b.finish({b.atan2(y, x)}), {true, true});
  for (const float at : {1e20f, 1e-30f, 1.0f, 3e38f}) {
    const auto d = interpret(*g, std::vector<Array>{Array::scalar(at), Array::scalar(at)});
    EXPECT_NEAR(d[0].at(0) * at, .5, 1e-6) << at;
    EXPECT_NEAR(d[1].at(0) * at, -.5, 1e-6) << at;
    const auto along = interpret(*g, std::vector<Array>{Array::scalar(0.0f), Array::scalar(at)});
    EXPECT_NEAR(along[0].at(0) * at, 1, 1e-6) << at;
    EXPECT_EQ(along[1].at(0), 0) << at;
  }
}

TEST(Usage, SecondDerivativesOfTheAngle) {
  Build b("f");
  const Value p = b.parameter({Dtype::float64, {2}}, "p");
  const auto part = [&](int64_t i) { return b.reshape(b.slice(p, {i}, {i + 1}), {}); };
  const Body h = hessian(b.finish({b.atan2(part(0), part(1))}), 0);
  // Also where |x| = |y| and on the axes, where the scale of the formula has corners.
  for (const auto& [y, x] : std::vector<std::pair<double, double>>{{1, 1}, {-2, 2}, {3, 0}, {0, 2}, {.3, -4}}) {
    const double n = (x * x + y * y) * (x * x + y * y);
    const auto d = interpret(*h, std::vector<Array>{Array::of<double>({y, x}, {2})})[0];
    EXPECT_NEAR(d.at(0), -2 * x * y / n, 1e-14);
    EXPECT_NEAR(d.at(1), (y * y - x * x) / n, 1e-14);
    EXPECT_NEAR(d.at(2), (y * y - x * x) / n, 1e-14);
    EXPECT_NEAR(d.at(3), 2 * x * y / n, 1e-14);
  }
}

}  // namespace
}  // namespace viva
