// Activations against closed forms, their slopes against finite differences, and their conventions at corners.
#include "nn/check.h"
#include "viva/nn.h"

namespace viva {
namespace {

using check::expect_gradient;
using check::expect_near;
using check::inf;

constexpr Dtype f64 = Dtype::float64;
using Activation = Tensor (*)(const Arg&);

struct Named {
  Activation f;
  double (*value)(double);
  std::vector<std::pair<double, double>> slopes;  // at corners
  double at_low, at_high;                         // limits at -∞ and ∞
};

double clipped(double x, double low, double high) { return std::min(std::max(x, low), high); }

std::vector<Named> all() {
  const double negative = -1.0507009873554804934 * 1.6732632423543772848;
  return {
      {[](const Arg& x) { return leaky_relu(x); }, [](double x) { return x > 0 ? x : .01 * x; }, {{0, .01}}, -inf, inf},
      {relu6, [](double x) { return clipped(x, 0, 6); }, {{0, 0}, {6, 0}}, 0, 6},
      {[](const Arg& x) { return elu(x); }, [](double x) { return x > 0 ? x : std::expm1(x); }, {{0, 1}}, -1, inf},
      {selu,
       [](double x) { return 1.0507009873554804934 * (x > 0 ? x : 1.6732632423543772848 * std::expm1(x)); },
       {{0, -negative}},
       negative,
       inf},
      {[](const Arg& x) { return celu(x, 2); },
       [](double x) { return x > 0 ? x : 2 * std::expm1(x / 2); },
       {{0, 1}},
       -2,
       inf},
      {gelu_tanh,
       [](double x) { return .5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + .044715 * x * x * x))); },
       {},
       check::nan,
       inf},
      {mish, [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }, {}, check::nan, inf},
      {hard_sigmoid, [](double x) { return clipped(x / 6 + .5, 0, 1); }, {{-3, 0}, {3, 0}}, 0, 1},
      {hard_swish, [](double x) { return x * clipped(x / 6 + .5, 0, 1); }, {{-3, 0}, {3, 1}}, 0, inf},
      {hard_tanh, [](double x) { return clipped(x, -1, 1); }, {{-1, 0}, {1, 0}}, -1, 1},
      {softsign, [](double x) { return x / (1 + std::abs(x)); }, {{0, 1}}, check::nan, check::nan},
      {log_sigmoid, [](double x) { return -std::log1p(std::exp(-x)); }, {}, -inf, 0},
  };
}

TEST(Activations, ClosedFormsAndSlopes) {
  const Tensor x = tensor({-7, -2.5, -.9, -.1, .2, .8, 2.7, 3.5, 6.5}, f64);
  for (const Named& a : all()) {
    std::vector<double> want;
    for (double v : check::numbers(x)) want.push_back(a.value(v));
    expect_near(a.f(x), {9}, want);
    expect_gradient([&](const Tensor& t) { return a.f(t); }, x);
    for (const auto& [at, slope] : a.slopes)
      EXPECT_NEAR(grad([&](const Tensor& t) { return a.f(t); })(scalar(at, f64)).item(), slope, 1e-12) << "at " << at;
  }
}

TEST(Activations, ExtremesAndNan) {
  size_t i = 0;
  for (const Named& a : all()) {
    expect_near(a.f(tensor({-inf, inf}, f64)), {2}, {a.at_low, a.at_high});
    const Tensor wide = grad([&](const Tensor& t) { return sum(a.f(t)); })(tensor({-800, 800}, f64));
    for (double v : check::numbers(wide)) EXPECT_TRUE(std::isfinite(v)) << "activation " << i;
    EXPECT_TRUE(std::isnan(a.f(scalar(NAN, f64)).item())) << "activation " << i;
    ++i;
  }
}

TEST(Activations, Glu) {
  const Tensor x = check::drawn(1, {3, 4});
  expect_near(glu(x), x(range(), range(0, 2)) * sigmoid(x(range(), range(2, 4))));
  EXPECT_EQ(glu(check::drawn(1, {4, 3}), 0).shape(), (Shape{2, 3}));
  expect_gradient([](const Tensor& t) { return glu(t); }, x);
}

}  // namespace
}  // namespace viva
