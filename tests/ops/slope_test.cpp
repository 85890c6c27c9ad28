// Slopes whose tails outlive the value: y(1 - y) and 1 - y² are 0 as soon as y rounds to 1.
#include <gtest/gtest.h>

#include <cmath>

#include "viva/viva.h"

namespace viva {
namespace {

double sech2(double x) { return 4 / ((std::exp(x) + std::exp(-x)) * (std::exp(x) + std::exp(-x))); }
double bell(double x) { return 1 / ((1 + std::exp(-x)) * (1 + std::exp(x))); }
double half(double x) { return std::tanh(x / 2); }  // 1 - 2·logistic(-x), without cancellation

// The slope of f at x, eagerly and compiled, against a closed form in float64.
template <class F, class E> void expect_slopes(const F& f, const E& exact, double widest, Dtype d, double tolerance) {
  for (double x = -widest; x <= widest; x += 0.3125) {
    const auto g = grad([&](const Tensor& t) { return f(t); });
    const double want = exact(x);
    EXPECT_NEAR(g(scalar(x, d)).item() / want, 1, tolerance) << x;
    EXPECT_NEAR(compile(g)(scalar(x, d)).item() / want, 1, tolerance) << x;
  }
}

const auto logistic = [](const Tensor& x) { return sigmoid(x); };
const auto hyperbolic = [](const Tensor& x) { return tanh(x); };

TEST(Slopes, KeepTheirTails) {
  expect_slopes(logistic, bell, 80, Dtype::float32, 2e-6);
  expect_slopes(hyperbolic, sech2, 40, Dtype::float32, 4e-6);
  expect_slopes(logistic, bell, 200, Dtype::float64, 1e-14);
  expect_slopes(hyperbolic, sech2, 100, Dtype::float64, 1e-14);
}

TEST(Slopes, VanishAtInfinity) {
  for (const double x : {-INFINITY, INFINITY}) {
    EXPECT_EQ(grad(logistic)(scalar(x)).item(), 0);
    EXPECT_EQ(grad(hyperbolic)(scalar(x)).item(), 0);
    EXPECT_EQ(grad(grad(hyperbolic))(scalar(x)).item(), 0);
  }
  EXPECT_EQ(grad(hyperbolic)(scalar(6e4, Dtype::float16)).item(), 0);  // 2x overflows there
  EXPECT_TRUE(std::isnan(grad(hyperbolic)(scalar(NAN)).item()));
  EXPECT_TRUE(std::isnan(grad(logistic)(scalar(NAN)).item()));
}

TEST(Slopes, SecondAndThirdDerivatives) {
  for (double x = -30; x <= 30; x += 0.625) {
    const Tensor t = scalar(x, Dtype::float64);
    const double s = bell(x), c = sech2(x), y = std::tanh(x);
    EXPECT_NEAR(grad(grad(logistic))(t).item(), -s * half(x), 1e-13 * s) << x;
    EXPECT_NEAR(grad(grad(grad(logistic)))(t).item(), s * (1 - 6 * s), 1e-12 * s) << x;
    EXPECT_NEAR(grad(grad(hyperbolic))(t).item(), -2 * y * c, 1e-13 * c) << x;
    EXPECT_NEAR(grad(grad(grad(hyperbolic)))(t).item(), c * (4 - 6 * c), 1e-12 * c) << x;
  }
}

}  // namespace
}  // namespace viva
