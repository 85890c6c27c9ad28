// Series in closed form, at points where a careless rule gives NaN; and what they cost.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>

#include "graph/build.h"
#include "interpret/interpret.h"
#include "laws/jets.h"
#include "ops/record.h"
#include "transform/pipeline.h"
#include "transform/transform.h"

namespace viva {
namespace {

using namespace laws;
using Make = std::function<Value(Build&, Value)>;

Body of_one(const Make& make, const Type& t = {Dtype::float64, {}}) {
  Build b("f");
  const Value x = b.parameter(t, "x");
  return b.finish({make(b, x)});
}

// f(x + t)'s derivatives 0 to order at t = 0.
std::vector<double> derivatives(const Make& make, double x, int64_t order) {
  Mask given(static_cast<size_t>(order), false);
  given[0] = true;
  const Arrays out = interpret(*jet(of_one(make), given, order), Arrays{Array::scalar(x), Array::scalar(1.0)});
  std::vector<double> r;
  for (const Array& a : out) r.push_back(a.at(0));
  return r;
}

double factorial(int64_t n) { return std::tgamma(static_cast<double>(n + 1)); }

void expect_series(const Make& make, double x, const std::vector<double>& expected, double tolerance = 1e-12) {
  const std::vector<double> got = derivatives(make, x, static_cast<int64_t>(expected.size()) - 1);
  for (size_t k = 0; k < expected.size(); ++k)
    EXPECT_NEAR(got[k], expected[k], tolerance * std::max(1.0, std::abs(expected[k]))) << "order " << k;
}

TEST(Series, OfExp) {
  expect_series([](Build& b, Value x) { return b.exp(x); }, 0.5, std::vector<double>(17, std::exp(0.5)));
}

TEST(Series, OfSine) {
  std::vector<double> expected;
  for (int k = 0; k <= 12; ++k) expected.push_back(std::sin(0.3 + k * std::numbers::pi / 2));
  expect_series([](Build& b, Value x) { return b.sin(x); }, 0.3, expected);
}

TEST(Series, OfTheGeometricSum) {
  std::vector<double> expected;
  for (int64_t k = 0; k <= 14; ++k) expected.push_back(factorial(k));
  expect_series([](Build& b, Value x) { return b.recip(b.sub(b.one(x), x)); }, 0, expected);
}

// tan x = x + x³/3 + 2x⁵/15 + 17x⁷/315 + 62x⁹/2835 + …
TEST(Series, OfTangent) {
  expect_series([](Build& b, Value x) { return b.div(b.sin(x), b.cos(x)); }, 0,
                {0, 1, 0, 2, 0, 16, 0, 272, 0, 7936, 0});
}

// tanh x = x - x³/3 + 2x⁵/15 - …
TEST(Series, OfHyperbolicTangent) {
  expect_series([](Build& b, Value x) { return b.tanh(x); }, 0, {0, 1, 0, -2, 0, 16, 0, -272, 0, 7936});
}

TEST(Series, OfLogarithmAndRoots) {
  std::vector<double> log{std::log(1.5)}, root{std::sqrt(2.0)};
  for (int64_t k = 1; k <= 10; ++k) {
    log.push_back((k % 2 ? 1 : -1) * factorial(k - 1) / std::pow(1.5, static_cast<double>(k)));
    root.push_back(root.back() * (1.5 - static_cast<double>(k)) / 2.0);
  }
  expect_series([](Build& b, Value x) { return b.log1p(x); }, 0.5, log);
  expect_series([](Build& b, Value x) { return b.sqrt(x); }, 2, root);
  expect_series([](Build& b, Value x) { return b.pow(x, b.full_like(x, 0.5)); }, 2, root);
}

// ψ⁽ⁿ⁾(1) = (-1)ⁿ⁺¹ n! ζ(n + 1)
TEST(Series, OfLogGamma) {
  const double zeta[] = {0, 0, 1.6449340668482264, 1.2020569031595942, 1.0823232337111382, 1.0369277551433699};
  std::vector<double> expected{0, -0.5772156649015329};
  for (int64_t n = 1; n <= 4; ++n) expected.push_back((n % 2 ? 1 : -1) * factorial(n) * zeta[n + 1]);
  expect_series([](Build& b, Value x) { return b.lgamma(x); }, 1, expected, 1e-11);
}

TEST(Series, OfAPolynomialEnd) {
  expect_series([](Build& b, Value x) { return b.mul(b.square(x), x); }, 2, {8, 12, 12, 6, 0, 0});
  expect_series([](Build& b, Value x) { return b.pow(x, b.full_like(x, 3)); }, 2, {8, 12, 12, 6, 0, 0});
}

// Whole powers have series at 0 too, as fractional ones have up to their exponent.
TEST(Series, OfPowersAtZero) {
  const auto power = [](double p) { return [p](Build& b, Value x) { return b.pow(x, b.full_like(x, p)); }; };
  expect_series(power(3), 0, {0, 0, 0, 6, 0, 0});
  expect_series(power(1), 0, {0, 1, 0, 0});
  expect_series(power(0), 0, {1, 0, 0, 0});
  expect_series(power(2.5), 0, {0, 0, 0});
  // (t²/2)² = t⁴/4
  const Body f = of_one(power(2));
  const Arrays out = interpret(*jet(f, {false, true, false, false}, 4), Arrays{Array::scalar(0.0), Array::scalar(1.0)});
  for (size_t k = 0; k < 4; ++k) EXPECT_EQ(out[k].at(0), 0);
  EXPECT_NEAR(out[4].at(0), 6, 1e-12);
}

TEST(Series, StandStillUnderAMask) {
  const auto masked = [](auto op) {
    return [op](Build& b, Value x) {
      const Value safe = b.mul(x, b.zero(x));  // 0, and with a series of zeros
      return op(b, safe);
    };
  };
  for (const double v : derivatives(masked([](Build& b, Value x) { return b.sqrt(x); }), 1, 4)) EXPECT_EQ(v, 0);
  for (const double v : derivatives(masked([](Build& b, Value x) { return b.pow(x, b.full_like(x, 0.5)); }), 1, 4))
    EXPECT_EQ(v, 0);
  const auto quotient = derivatives(masked([](Build& b, Value x) { return b.div(x, b.sub(x, x)); }), 1, 4);
  for (size_t k = 1; k < quotient.size(); ++k) EXPECT_EQ(quotient[k], 0);
}

TEST(Series, OfMaximaFollowTheChoice) {
  expect_series([](Build& b, Value x) { return b.max(b.square(x), x); }, 2, {4, 4, 2, 0});
  expect_series([](Build& b, Value x) { return b.max(b.square(x), b.exp(x)); }, 1,
                {std::numbers::e, std::numbers::e, std::numbers::e});
  // A tie shares: the mean of both.
  expect_series([](Build& b, Value x) { return b.max(b.square(x), x); }, 1, {1, 1.5, 1, 0});
}

TEST(Series, RefusesOtherOrders) {
  const Body f = of_one([](Build& b, Value x) { return x = b.exp(x), x; });
  EXPECT_THROW(jet(f, {}, 0), Error);
  EXPECT_THROW(jet(f, {true, true, true}, 2), Error);
  EXPECT_THROW(jet(f, Mask(171, true), 171), Error);
}

// Laplacians.

double laplacian_at(const std::function<Value(Build&, Value)>& make, const std::vector<double>& x) {
  const Body f = of_one(make, {Dtype::float64, {static_cast<int64_t>(x.size())}});
  const Arrays out = interpret(*laplacian(f, {true}), Arrays{Array::of<double>(x, {static_cast<int64_t>(x.size())})});
  return out[1].at(0);
}
Value sum(Build& b, Value x) { return b.reduce_sum(x, iota_ints(x.rank())); }
Value element(Build& b, Value x, int64_t i) { return b.reshape(b.slice(x, {i}, {i + 1}), {}); }

TEST(LaplacianOf, SquaredNorm) {
  EXPECT_NEAR(laplacian_at([](Build& b, Value x) { return sum(b, b.square(x)); }, {0.3, -1, 2, 0.7, 5}), 10, 1e-13);
}

TEST(LaplacianOf, HarmonicFunctions) {
  const auto newton = [](Build& b, Value x) { return b.rsqrt(sum(b, b.square(x))); };  // 1/|x| in space
  EXPECT_NEAR(laplacian_at(newton, {0.4, -0.7, 1.1}), 0, 1e-12);
  const auto wave = [](Build& b, Value x) { return b.mul(b.exp(element(b, x, 0)), b.sin(element(b, x, 1))); };
  EXPECT_NEAR(laplacian_at(wave, {0.4, -0.7}), 0, 1e-13);
  const auto plane = [](Build& b, Value x) { return b.log(sum(b, b.square(x))); };  // log|x|² in the plane
  EXPECT_NEAR(laplacian_at(plane, {0.4, -0.7}), 0, 1e-12);
}

// Δ exp(-|x|²/2) = (|x|² - d)·exp(-|x|²/2)
TEST(LaplacianOf, AGaussian) {
  const std::vector<double> x{0.4, -0.7, 1.1, 0.2};
  double square = 0;
  for (const double v : x) square += v * v;
  const auto f = [](Build& b, Value v) { return b.exp(b.scale(sum(b, b.square(v)), -0.5)); };
  EXPECT_NEAR(laplacian_at(f, x), (square - 4) * std::exp(-square / 2), 1e-13);
}

TEST(LaplacianOf, SeveralArgumentsAndNone) {
  Build b("f");
  const Value x = b.parameter({Dtype::float64, {2}}), y = b.parameter({Dtype::float64, {}}),
              e = b.parameter({Dtype::float64, {0}});
  const Body f = b.finish({b.mul(sum(b, b.square(x)), b.exp(y)), b.reduce_sum(e, {0})});
  const Arrays args{Array::of<double>({1, 2}, {2}), Array::scalar(0.5), Array::zeros({Dtype::float64, {0}})};
  const double each = std::exp(0.5);
  EXPECT_NEAR(interpret(*laplacian(f, {true, true, true}), args)[2].at(0), 4 * each + 5 * each, 1e-12);
  EXPECT_NEAR(interpret(*laplacian(f, {true, false, false}), args)[2].at(0), 4 * each, 1e-12);
  EXPECT_EQ(interpret(*laplacian(f, {false, false, true}), args)[2].at(0), 0);
  EXPECT_EQ(interpret(*laplacian(f, {false, false, true}), args)[3].at(0), 0);
}

// Costs, after simplify.

int64_t series_products(const Make& make, int64_t order) {
  return products_of(jet(of_one(make), Mask(static_cast<size_t>(order), true), order));
}

TEST(SeriesCost, OfExpToOrder16) {
  EXPECT_LE(series_products([](Build& b, Value x) { return b.exp(x); }, 16), 200);
}

// Twice the order costs at most about four times as much: third differences of a quadratic are zero, and what grows
// faster (lgamma and polygamma, which solve no algebraic differential equation) stands in the documents.
TEST(SeriesCost, IsQuadraticForEveryPointwiseOperation) {
  for (const OpDef* op : catalog()) {
    if (op->family != "pointwise" || !op->jvp || op->name == "lgamma" || op->name == "polygamma") continue;
    for (const Sample& s : op->samples()) {
      const Case c = case_of(*op, s);
      if (!differentiable_case(c) || numel(c.args[0].shape()) == 0) continue;
      const auto cost = [&](int64_t order) {
        Mask given;
        for (const Array& a : c.args) given.insert(given.end(), static_cast<size_t>(order), has_tangent(a.dtype()));
        return static_cast<double>(products_of(jet(c.f, given, order)));
      };
      EXPECT_LE(cost(16), 4.6 * cost(8) + 64) << op->name << ' ' << s.label;
      break;
    }
  }
}

// A network of layers with tanh, from d numbers to one.
Body mlp(int64_t d, int64_t width) {
  Build b("mlp");
  Value x = b.parameter({Dtype::float64, {d}}, "x");
  int64_t from = d;
  for (int layer = 0; layer < 3; ++layer, from = width) {
    const Value w = b.constant(sample_floats({from, width}, -1, 1, layer)),
                bias = b.constant(sample_floats({width}, -1, 1, layer + 9));
    x = b.tanh(b.add(b.dot(x, w), bias));
  }
  return b.finish({b.reduce_sum(x, {0})});
}

// Convolutions of an image of one channel.
Body convolutional(int64_t size, int64_t channels) {
  Build b("conv");
  const Value image = b.parameter({Dtype::float64, {size, size}}, "x");
  Value x = b.reshape(image, {1, 1, size, size});
  for (int64_t layer = 0, from = 1; layer < 3; ++layer, from = channels) {
    ConvDims d;
    d.lhs_spec = d.rhs_spec = d.out_spec = {0, 1, 2, 3};
    d.strides = d.lhs_dilation = d.rhs_dilation = {1, 1};
    d.pad_low = d.pad_high = {1, 1};
    d.reversal = {0, 0};
    x = b.softplus(
        b.conv_general(x, b.constant(sample_floats({channels, from, 3, 3}, -1, 1, static_cast<int>(layer))), d));
  }
  return b.finish({sum(b, x)});
}

TEST(LaplacianCost, GrowsWithTheDimensionAlone) {
  for (const int64_t d : {4, 16, 64}) {
    const Body f = mlp(d, 64);
    EXPECT_LE(flops_of(laplacian(f, {true})), 3 * static_cast<double>(d + 2) * flops_of(f)) << d;
  }
  for (const int64_t size : {4, 8}) {
    const Body f = convolutional(size, 8);
    EXPECT_LE(flops_of(laplacian(f, {true})), 3 * static_cast<double>(size * size + 2) * flops_of(f)) << size;
  }
}

TEST(LaplacianOf, NetworksIsTheTraceOfTheHessian) {
  const Body networks[] = {mlp(5, 7), convolutional(3, 2)};
  const Array points[] = {sample_floats({5}, -1, 1, 3), sample_floats({3, 3}, -1, 1, 4)};
  for (size_t i = 0; i < 2; ++i) {
    const Array h = interpret(*hessian(networks[i], 0), Arrays{points[i]})[0];
    double trace = 0;
    const int64_t n = points[i].size();
    for (int64_t k = 0; k < n; ++k) trace += h.at(k * (n + 1));
    EXPECT_NEAR(interpret(*laplacian(networks[i], {true}), Arrays{points[i]})[1].at(0), trace, 1e-11 * std::abs(trace));
  }
}

}  // namespace
}  // namespace viva
