// Derivatives with known answers, and the ways of nesting that lead others astray.
#include "transform/transform.h"

#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>
#include <cmath>

#include "base/error.h"
#include "graph/build.h"
#include "graph/prune.h"
#include "graph/verify.h"
#include "interpret/interpret.h"
#include "transform/pipeline.h"

namespace viva {
namespace {

const Type scalar{Dtype::float64, {}};
Array number(double v) { return Array::scalar(v); }

std::vector<Array> evaluate(const Body& f, const std::vector<Array>& args) {
  verify(*f);
  return interpret(*f, args);
}

// Of a symmetric matrix, ascending.
Eigen::VectorXd eigenvalues(const Array& a) {
  const int64_t n = a.shape()[0] * (a.type().rank() == 4 ? a.shape()[1] : 1);
  const Eigen::Map<const Eigen::MatrixXd> m(a.as<double>().data(), n, n);
  return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(m, Eigen::EigenvaluesOnly).eigenvalues();
}

// The mean cross-entropy of softmax regression with 3 classes: w [2,3], labels 0, 1, 2.
Body softmax_regression() {
  Build b("loss");
  const Value w = b.parameter({Dtype::float64, {2, 3}}, "w");
  const Value x = b.constant(Array::of<double>({1, 2, 3, 4, 5, 6}, {3, 2}));
  const Value logits = b.dot(x, w), top = b.reduce_max(logits, {1});
  const Value shifted = b.sub(logits, b.broadcast(top, {3, 3}, {0}));
  const Value lse = b.log(b.reduce_sum(b.exp(shifted), {1}));
  const Value own =
      b.reduce_sum(b.mul(shifted, b.constant(Array::of<double>({1, 0, 0, 0, 1, 0, 0, 0, 1}, {3, 3}))), {1});
  return b.finish({b.reduce_mean(b.sub(lse, own), {0})});
}

TEST(Derivatives, HessianOfSoftmaxRegression) {
  const Body h = hessian(softmax_regression(), 0);
  const Eigen::VectorXd got = eigenvalues(evaluate(h, {Array::zeros({Dtype::float64, {2, 3}})})[0]);
  const std::vector<double> expected{0, 0, .029389, .029389, 10.081722, 10.081722};
  for (int i = 0; i < 6; ++i) EXPECT_NEAR(got[i], expected[static_cast<size_t>(i)], 1e-6) << i;
}

TEST(Derivatives, HessianOfASaddle) {
  Build b("f");
  const Value ab = b.parameter({Dtype::float64, {2}}, "ab");
  const Value product = b.reduce_prod(ab, {0});
  const Body f = b.finish({b.scale(b.square(b.sub(product, b.one(product))), 0.5)});
  const Eigen::VectorXd got = eigenvalues(evaluate(hessian(f, 0), {Array::of<double>({.5, .5}, {2})})[0]);
  EXPECT_NEAR(got[0], -.25, 1e-12);
  EXPECT_NEAR(got[1], .75, 1e-12);
}

// d/dx (x · d/dy (x + y)) = 1: the inner derivative does not see the outer perturbation.
TEST(Derivatives, NestedPerturbationsStayApart) {
  Build inner("inner");
  const Value ix = inner.parameter(scalar, "x"), iy = inner.parameter(scalar, "y");
  const Body by_y = grad(inner.finish({inner.add(ix, iy)}), {false, true});
  Build outer("outer");
  const Value x = outer.parameter(scalar, "x");
  const Body f = outer.finish({outer.mul(x, outer.inline_call(*by_y, Values{x, x}).front())});
  EXPECT_EQ(evaluate(grad(f, {true}), {number(1)})[0].at(0), 1);
}

TEST(Derivatives, BothJacobiansAgree) {
  Build b("f");
  const Value x = b.parameter({Dtype::float64, {3}}, "x"), w = b.parameter({Dtype::float64, {3, 2}}, "w");
  const Body f = b.finish({b.tanh(b.dot(x, w))});
  const std::vector<Array> args{Array::of<double>({.1, -.4, .7}, {3}),
                                Array::of<double>({.3, -.2, .5, .8, -.6, .1}, {3, 2})};
  for (const int64_t parameter : {0, 1}) {
    const Array forward = evaluate(jacobian_forward(f, parameter), args)[0],
                reverse = evaluate(jacobian_reverse(f, parameter), args)[0];
    ASSERT_EQ(forward.type(), reverse.type());
    for (int64_t i = 0; i < forward.size(); ++i) EXPECT_NEAR(forward.at(i), reverse.at(i), 1e-15);
  }
}

// The third derivative of x⁴ and the mixed order of modes.
TEST(Derivatives, AnyDepth) {
  Build b("f");
  const Value x = b.parameter(scalar, "x");
  Body f = b.finish({b.square(b.square(x))});
  for (int i = 0; i < 3; ++i) f = grad(f, {true});
  EXPECT_DOUBLE_EQ(evaluate(f, {number(2)})[0].at(0), 48);
  EXPECT_DOUBLE_EQ(evaluate(grad(f, {true}), {number(2)})[0].at(0), 24);
}

TEST(Derivatives, HvpIsTheHessianTimesTheVector) {
  const Body f = softmax_regression();
  const Array w = Array::of<double>({.1, -.2, .3, .4, -.5, .6}, {2, 3}),
              v = Array::of<double>({1, 2, -1, .5, 0, 3}, {2, 3});
  const Array product = evaluate(hvp(f, {true}), {w, v})[0], h = evaluate(hessian(f, 0), {w})[0];
  for (int64_t i = 0; i < 6; ++i) {
    double sum = 0;
    for (int64_t j = 0; j < 6; ++j) sum += h.at(6 * i + j) * v.at(j);
    EXPECT_NEAR(product.at(i), sum, 1e-12);
  }
}

TEST(Derivatives, PerExampleGradientsAddUp) {
  Build b("f");
  const Value w = b.parameter({Dtype::float64, {3}}, "w"), x = b.parameter({Dtype::float64, {3}}, "x");
  const Body f = b.finish({b.sin(b.dot(w, x))});
  const Array ws = Array::of<double>({.1, .2, .3}, {3}), xs = Array::of<double>({1, 2, 3, -1, 0, 1}, {2, 3});
  const Array each = evaluate(per_example_grad(f, {true, false}, {-1, 0}, 2), {ws, xs})[0];
  ASSERT_EQ(each.shape(), (Shape{2, 3}));
  for (int64_t e = 0; e < 2; ++e) {
    double z = 0;
    for (int64_t i = 0; i < 3; ++i) z += ws.at(i) * xs.at(3 * e + i);
    for (int64_t i = 0; i < 3; ++i) EXPECT_NEAR(each.at(3 * e + i), std::cos(z) * xs.at(3 * e + i), 1e-15);
  }
}

// A call under "recompute" keeps its inputs and runs again in the linear part.
TEST(Derivatives, RecomputedCallsSaveTheirInputs) {
  for (const bool recompute : {false, true}) {
    Build layer("layer");
    const Value lx = layer.parameter({Dtype::float64, {100}}, "x");
    Value h = lx;
    for (int i = 0; i < 5; ++i) h = layer.sin(h);
    const Body f = layer.finish({h});
    Build b("f");
    const Value x = b.parameter({Dtype::float64, {100}}, "x");
    const Body whole = b.finish({b.reduce_sum(b.call(f, {x}, recompute ? "recompute" : "save").front(), {0})});
    const Linearized lin = linearize(whole, {true});
    EXPECT_EQ(lin.residuals, recompute ? 1 : 5);
    const Array at = Array::full({Dtype::float64, {100}}, .3);
    double slope = 1, v = .3;
    for (int i = 0; i < 5; ++i) slope *= std::cos(v), v = std::sin(v);
    EXPECT_NEAR(evaluate(grad(whole, {true}), {at})[0].at(7), slope, 1e-15);
  }
}

// exp(tanh(sin(x·w))) by x: what crosses over, and the products of the linear part, its own among them.
TEST(Derivatives, CallsKeepWhatTheirPolicySays) {
  const Type xs{Dtype::float64, {2, 3}}, ws{Dtype::float64, {3, 4}};
  Build product("product");
  const Value px = product.parameter(xs, "x"), pw = product.parameter(ws, "w");
  const Body inner = product.finish({product.tap(product.dot(px, pw), "inner")});
  Build layer("layer");
  const Value lx = layer.parameter(xs, "x"), lw = layer.parameter(ws, "w");
  const Value h = layer.tap(layer.tanh(layer.sin(layer.call(inner, {lx, lw})[0])), "outer");
  const Body f = layer.finish({layer.exp(h)});
  struct Case {
    std::string policy;
    int64_t residuals, products;
  };
  for (const auto& [policy, residuals, products] : {Case{"save", 4, 1},
                                                    {"recompute", 2, 2},
                                                    {"contractions", 2, 1},
                                                    {"named inner", 2, 1},
                                                    {"named outer", 3, 2},
                                                    {"named outer,inner", 3, 1},
                                                    {"named absent", 2, 2}}) {
    SCOPED_TRACE(policy);
    Build b("f");
    const Value x = b.parameter(xs, "x"), w = b.parameter(ws, "w");
    const Body whole = b.finish({b.reduce_sum(b.call(f, {x, w}, policy)[0], {0, 1})});
    const Linearized lin = linearize(whole, {true, false});
    EXPECT_EQ(lin.residuals, residuals);
    const Body linear = inline_all_pass.run(lin.linear);
    EXPECT_EQ(std::ranges::count_if(linear->nodes(), [](const Node& n) { return n.op && n.op->name == "dot_general"; }),
              products);
  }
  Build b("f");
  EXPECT_THROW(b.call(f, {b.parameter(xs), b.parameter(ws)}, "named a,"), Error);
}

TEST(Derivatives, ErrorsNameWhatIsMissing) {
  Build b("f");
  const Value x = b.parameter({Dtype::float64, {2}}, "x");
  const Body vector = b.finish({b.sin(x)});
  EXPECT_THROW(grad(vector, {true}), Error);
  EXPECT_THROW(jvp(vector, {}), Error);
  EXPECT_THROW(jacobian_forward(vector, 3), Error);
  EXPECT_THROW(transpose(vector, {true}), Error);
  try {
    transpose(vector, {true});
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::unsupported);
    EXPECT_NE(std::string(e.what()).find("sin at derivatives_test.cpp:"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace viva
