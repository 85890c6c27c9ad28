// viva/numpy.h against the C library, finite differences and NumPy 2.4's numbers (written in as python3 printed them).
#include "viva/numpy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "base/error.h"
#include "viva/viva.h"

namespace viva {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
constexpr Dtype f64 = Dtype::float64;

Tensor vec(const std::vector<double>& v, Dtype d = f64) { return tensor(v, {static_cast<int64_t>(v.size())}, d); }

void expect(const Tensor& got, const std::vector<double>& want, double relative = 1e-12) {
  ASSERT_EQ(got.size(), static_cast<int64_t>(want.size())) << to_string(got);
  for (int64_t i = 0; i < got.size(); ++i) {
    const double g = got.array().at(i), w = want[static_cast<size_t>(i)];
    if (std::isnan(w)) EXPECT_TRUE(std::isnan(g)) << i << ": " << g;
    else if (std::isinf(w)) EXPECT_EQ(g, w) << i;
    else EXPECT_NEAR(g, w, relative * std::max(1.0, std::abs(w))) << i;
  }
}

struct Unary {
  const char* name;
  Tensor (*f)(const Arg&);
  double (*want)(double);
  std::vector<double> at;
};
double inverse_erf(double x) {  // by bisection
  double low = -7, high = 7;
  for (int i = 0; i < 200; ++i) (std::erf((low + high) / 2) < x ? low : high) = (low + high) / 2;
  return low;
}

const std::vector<double> plain{-30, -3.3, -1.5, -1, -.7, -1e-3, -1e-9, 0, 1e-9, 2e-2, .3, .99, 1, 1.01, 2.5, 40};
const std::vector<double> unit{-.999, -.5, -1e-9, 0, 1e-4, .3, .9, .9999};
const Unary unaries[] = {
    {"tan", tan, std::tan, plain},
    {"asin", asin, std::asin, unit},
    {"acos", acos, std::acos, unit},
    {"atan", atan, std::atan, plain},
    {"sinh", sinh, std::sinh, plain},
    {"cosh", cosh, std::cosh, plain},
    {"asinh", asinh, std::asinh, plain},
    {"acosh", acosh, std::acosh, {1.0001, 1.3, 1.99, 2, 2.01, 77, 1e12}},
    {"atanh", atanh, std::atanh, unit},
    {"exp2", exp2, std::exp2, plain},
    {"log2", log2, std::log2, {1e-9, .5, 1, 8, 1e10}},
    {"log10", log10, std::log10, {1e-9, .5, 1, 8, 1e10}},
    {"cbrt", cbrt, std::cbrt, {-8, -.3, .3, 27}},
    {"erf_inv", erf_inv, inverse_erf, {-.999, -.9, -.3, -1e-9, 0, 1e-4, .5, .9, .99999}},
    {"sinc",
     sinc,
     [](double x) { return x == 0 ? 1 : std::sin(M_PI * x) / (M_PI * x); },
     {-2.5, -.2, -.03, 0, 1e-9, .02, .0319, .5, 1}},
};

TEST(Numpy, FunctionsAndTheirSlopesAndCurvatures) {
  for (const Unary& u : unaries) {
    SCOPED_TRACE(u.name);
    const auto f = [&](const Tensor& x) { return u.f(x); };
    for (const double x : u.at) {
      SCOPED_TRACE(x);
      expect(u.f(scalar(x, f64)), {u.want(x)}, 4e-13);
      const double h = 1e-5 * std::max(1e-3, std::min(1.0, std::abs(x) + 1e-3));
      const bool edge = !std::isfinite(u.want(x + h)) || !std::isfinite(u.want(x - h));
      if (edge || (x == 1.0001 || std::abs(x) >= .999)) continue;
      const double slope = (u.want(x + h) - u.want(x - h)) / (2 * h);
      const double got = grad(f)(scalar(x, f64)).item();
      EXPECT_NEAR(got, slope, 2e-5 * std::max(1.0, std::abs(slope)));
      const double above = grad(f)(scalar(x + h, f64)).item(), below = grad(f)(scalar(x - h, f64)).item();
      const double curvature = grad(grad(f))(scalar(x, f64)).item(), want = (above - below) / (2 * h);
      EXPECT_NEAR(curvature, want, 1e-4 * std::max(1.0, std::abs(want)));
    }
  }
}

TEST(Numpy, FunctionsAtTheEdges) {
  expect(asin(vec({1, -1, 2})), {M_PI / 2, -M_PI / 2, nan});
  expect(grad([](const Tensor& x) { return asin(x); })(scalar(1, f64)), {inf});
  expect(grad([](const Tensor& x) { return acosh(x); })(scalar(1, f64)), {inf});
  expect(sinh(vec({inf, -inf, nan, 709.9})), {inf, -inf, nan, std::sinh(709.9)}, 1e-11);
  expect(cosh(vec({inf, -inf, nan})), {inf, inf, nan});
  expect(asinh(vec({inf, -inf, 1e300, nan, -0.0})), {inf, -inf, std::asinh(1e300), nan, 0});
  expect(acosh(vec({1, inf, 1e300, .5})), {0, inf, std::acosh(1e300), nan});
  expect(atanh(vec({1, -1, 2})), {inf, -inf, nan});
  expect(erf_inv(vec({1, -1, 1.5, nan})), {inf, -inf, nan, nan});
  expect(exp2(vec({-1074, 1023, 10, inf, -inf})), {0x1p-1074, 0x1p1023, 1024, inf, 0}, 0);
  expect(sinh(vec({89, 1e-8}, Dtype::float32)), {std::sinh(89.0), 1e-8}, 1e-6);
}

TEST(Numpy, LogaddexpWithInfinitiesAndWhereTheTwoMeet) {
  const Tensor x = vec({0, 0, inf, -inf, inf, 1, -1000, 1e300, nan}),
               y = vec({0, -40, inf, -inf, -inf, -inf, 1000, 1, 1});
  expect(logaddexp(x, y), {std::log(2), std::log1p(std::exp(-40)), inf, -inf, inf, 1, 1000, 1e300, nan});
  const auto [gx, gy] = grad([](const Tensor& a, const Tensor& b) { return sum(logaddexp(a, b)); }, wrt<0, 1>)(x, y);
  const auto share = [](double a, double b) { return 1 / (1 + std::exp(b - a)); };
  for (const int64_t i : {0, 1, 5, 6}) {
    const double a = x.array().at(i), b = y.array().at(i);
    EXPECT_NEAR(gx.array().at(i), share(a, b), 1e-14) << i;
    EXPECT_NEAR(gy.array().at(i), share(b, a), 1e-14) << i;
  }
  for (const int64_t i : {2, 3, 4}) EXPECT_FALSE(std::isnan(gx.array().at(i)) || std::isnan(gy.array().at(i))) << i;
  EXPECT_NEAR(hessian([](const Tensor& a) { return logaddexp(a(0), a(1)); })(vec({2, 2})).array().at(0), .25, 1e-14);
}

TEST(Numpy, NormsAreSafeAtZero) {
  const Tensor x = vec({3, -4, 0});
  expect(norm(x), {5}), expect(norm(x, {}, false, 1), {7}), expect(norm(x, {}, false, inf), {4});
  expect(norm(x, {}, false, 3), {std::cbrt(91)});
  const auto slope = [](const Tensor& t, double order) {
    return grad([order](const Tensor& v) { return norm(v, {}, false, order); })(t);
  };
  expect(slope(x, 2), {.6, -.8, 0});
  expect(slope(x, 3), {9 / std::pow(91, 2. / 3), -16 / std::pow(91, 2. / 3), 0});
  for (const double order : {1., 2., 3., inf}) expect(slope(zeros({3}, f64), order), {0, 0, 0});
  expect(hessian([](const Tensor& v) { return norm(v); })(zeros({2}, f64)), {0, 0, 0, 0});
  expect(norm(tensor({{3, 4}, {6, 8}}, f64), 1, true), {5, 10});
  EXPECT_THROW(norm(x, {}, false, -1), Error);
  expect(grad([](const Tensor& v) { return std_dev(v); })(ones({3}, f64)), {0, 0, 0});
  expect(std_dev(vec({1, 2, 4}), {}, false, 1), {1.5275252316519468});
  const auto [hx, hy] = grad([](const Tensor& a, const Tensor& b) { return sum(hypot(a, b)); }, wrt<0, 1>)(
      vec({3, 0, 3e200}), vec({4, 0, 4e200}));
  expect(hx, {.6, 0, .6}), expect(hy, {.8, 0, .8});
  expect(hypot(vec({3e200, inf, nan, nan}), vec({4e200, nan, 1, inf})), {5e200, inf, nan, inf});
  const auto h = [](const Tensor& v) { return hypot(v(0), v(1)); };  // its Hessian at (3, 4): [16, -12; -12, 9] / 125
  expect(hessian(h)(vec({3, 4})), {.128, -.096, -.096, .072});
}

TEST(Numpy, Quotients) {
  const Tensor x = vec({7, -7, 7, -7, 6, 0, 5.5}), y = vec({2, 2, -2, -2, 3, 5, -2});
  expect(floor_divide(x, y), {3, -4, -4, 3, 2, 0, -3});
  expect(remainder(x, y), {1, 1, -1, -1, 0, 0, -.5});
  const Tensor i = vec({7, -7, 7, -7, 6, 5}, Dtype::int32), j = vec({2, 2, -2, -2, 3, 0}, Dtype::int32);
  expect(floor_divide(i, j), {3, -4, -4, 3, 2, 0});
  expect(remainder(i, j), {1, 1, -1, -1, 0, 5});
  EXPECT_EQ(floor_divide(i, j).dtype(), Dtype::int32);
  expect(trunc(vec({2.7, -2.7, -.2, inf, nan})), {2, -2, 0, inf, nan});
  EXPECT_TRUE(std::signbit(copysign(2, scalar(-0.0, f64)).item()));
  expect(heaviside(vec({-1, 0, 2, nan}), .5), {0, .5, 1, nan});
}

TEST(Numpy, ChoicesAndComparisons) {
  expect(nan_to_num(vec({nan, inf, -inf, 2}, Dtype::float16), 7), {7, 65504, -65504, 2});
  EXPECT_EQ(to_string(is_inf(vec({1, inf, nan, -inf}))), "bool[4] [false, true, false, true]");
  EXPECT_EQ(to_string(is_close(vec({1, 1, inf, nan, inf}), vec({1 + 1e-6, 1.1, inf, nan, 1}))),
            "bool[5] [true, false, true, false, false]");
  EXPECT_TRUE(array_equal(vec({1, 2}), vec({1, 2})));
  EXPECT_FALSE(array_equal(vec({1, 2}), vec({1})));
  EXPECT_FALSE(all_close(vec({1, 2}), vec({1, 2.1})));
  EXPECT_EQ(to_string(is_in(arange(4), vec({3, 1}, Dtype::int32))), "bool[4] [false, true, false, true]");
  const Tensor x = arange(5);
  EXPECT_EQ(to_string(select({x < 2, x < 4}, {x * 10, -x}, 7)), "i32[5] [0, 10, -2, -3, 7]");
  EXPECT_THROW(select({x < 2}, {}, 7), Error);
}

TEST(Numpy, Reductions) {
  const Tensor x = tensor({{1, 5, 2}, {4, 3, 6}}, f64), gaps = tensor({{1, nan, 3}, {nan, nan, nan}}, f64);
  expect(ptp(x, 1), {4, 3});
  expect(average(x, vec({1, 2, 1}), 1), {13. / 4, 16. / 4});
  EXPECT_EQ(to_string(count_nonzero(tensor({{0, 2}, {nan, 0}}), 1)), "i32[2] [1, 1]");
  expect(nan_sum(gaps, 1), {4, 0}), expect(nan_mean(gaps, 1), {2, nan});
  expect(nan_max(gaps, 1), {3, nan}), expect(nan_min(gaps, 1), {1, nan});
  expect(grad([](const Tensor& t) { return nan_sum(t * 2); })(gaps), {2, 0, 2, 0, 0, 0});
  expect(cumprod(x, 1), {1, 5, 10, 4, 12, 72});
  expect(cummax(x, 1), {1, 5, 5, 4, 4, 6}), expect(cummin(x, 0), {1, 5, 2, 1, 3, 2});
  expect(grad([](const Tensor& t) { return cumprod(t, 0)(3); })(vec({2, 0, 3, 5})), {0, 30, 0, 0});
  expect(diff(vec({1, 4, 9, 16})), {3, 5, 7}), expect(diff(vec({1, 4, 9, 16}), 2), {2, 2});
  EXPECT_EQ(diff(vec({1, 2}), 3).size(), 0);
  expect(gradient(vec({1, 2, 4, 7, 11, 16})), {1, 1.5, 2.5, 3.5, 4.5, 5});
  expect(gradient(vec({1, 2, 4}), 2), {.5, .75, 1});
  expect(trapezoid(vec({1, 2, 3}), 2), {8});
}

TEST(Numpy, Products) {
  const Tensor a = reshape(arange(6, f64), {2, 3}), b = reshape(arange(12, f64), {3, 4}),
               c = reshape(arange(24, f64), {2, 3, 4});
  EXPECT_TRUE(array_equal(dot(a, b), matmul(a, b)));
  EXPECT_EQ(dot(a, c).shape(), (Shape{2, 2, 4}));
  expect(dot(vec({1, 2, 3}), vec({4, 5, 6})), {32});
  expect(inner(a, a), {5, 14, 14, 50}), expect(vdot(a, a), {55});
  EXPECT_TRUE(array_equal(tensordot(a, b, 1), matmul(a, b)));
  expect(tensordot(c, a, {0, 1}, {0, 1}), {220, 235, 250, 265});
  expect(kron(vec({1, 10, 100}), vec({5, 6, 7})), {5, 6, 7, 50, 60, 70, 500, 600, 700});
  expect(kron(eye(2, f64), ones({2, 2}, f64)), {1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1});
  expect(cross(vec({1, 2, 3}), vec({4, 5, 6})), {-3, 6, -3});
  expect(diagonal(b), {0, 5, 10}), expect(diagonal(b, 2), {2, 7}), expect(diagonal(b, -1), {4, 9});
  EXPECT_EQ(diagonal(b, 9).size(), 0);
  expect(diag(vec({1, 2}), 1), {0, 1, 0, 0, 0, 2, 0, 0, 0}), expect(diag(vec({1, 2}), -1), {0, 0, 0, 1, 0, 0, 0, 2, 0});
  expect(trace(b), {15});
  expect(grad([](const Tensor& m) { return trace(matmul(m, m)); })(tensor({{1, 2}, {3, 4}}, f64)), {2, 6, 4, 8});
  expect(cov(tensor({{0, 1, 2}, {2, 1, 0}}, f64)), {1, -1, -1, 1});
  expect(cov(vec({1, 2, 4})), {7. / 3}),
      expect(corrcoef(tensor({{0, 1, 2}, {3, 1, 0}}, f64)), {1, -.9819805060619659, -.9819805060619659, 1});
  expect(polyval(vec({3, 0, 1}), vec({5, 2})), {76, 13});
  expect(convolve(vec({1, 2, 3}), vec({0, 1, .5})), {0, 1, 2.5, 4, 1.5});
  expect(convolve(vec({1, 2, 3}), vec({0, 1, .5}), ConvolveMode::same), {1, 2.5, 4});
  expect(convolve(vec({1, 2, 3}), vec({0, 1, .5}), ConvolveMode::valid), {2.5});
  expect(convolve(vec({1, 2}), vec({1, 2, 3, 4}), ConvolveMode::same), {1, 4, 7, 10});
}

TEST(Numpy, Shapes) {
  const Tensor x = tensor({{1, 2}, {3, 4}}, Dtype::int32);
  EXPECT_EQ(to_string(flatten(x)), "i32[4] [1, 2, 3, 4]");
  EXPECT_EQ(to_string(tile(x, {2})), "i32[2,4] [[1, 2, 1, 2], [3, 4, 3, 4]]");
  EXPECT_EQ(tile(x, {3, 1, 2}).shape(), (Shape{3, 2, 4}));
  EXPECT_EQ(to_string(repeat(x, 2, 1)), "i32[2,4] [[1, 1, 2, 2], [3, 3, 4, 4]]");
  const auto grid = meshgrid({arange(3), arange(2)});
  EXPECT_EQ(to_string(grid[0]), "i32[2,3] [[0, 1, 2], [0, 1, 2]]");
  EXPECT_EQ(to_string(grid[1]), "i32[2,3] [[0, 0, 0], [1, 1, 1]]");
  EXPECT_EQ(meshgrid({arange(3), arange(2)}, true)[0].shape(), (Shape{3, 2}));
  EXPECT_EQ(at_least_3d(arange(4)).shape(), (Shape{1, 4, 1}));
  EXPECT_EQ(hstack({arange(2), arange(3)}).shape(), (Shape{5}));
  EXPECT_EQ(vstack({arange(2), arange(2)}).shape(), (Shape{2, 2}));
  EXPECT_EQ(to_string(rot90(x)), "i32[2,2] [[2, 4], [1, 3]]");
  EXPECT_EQ(to_string(rot90(x, -1)), "i32[2,2] [[3, 1], [4, 2]]");
  EXPECT_EQ(to_string(rot90(x, 2)), "i32[2,2] [[4, 3], [2, 1]]");
  expect(logspace(0, 3, 4), {1, 10, 100, 1000}, 1e-6);
  EXPECT_EQ(to_string(pad(arange(3), {2}, {4}, PadMode::reflect)), "i32[9] [2, 1, 0, 1, 2, 1, 0, 1, 2]");
  EXPECT_EQ(to_string(pad(arange(3), {2}, {2}, PadMode::edge)), "i32[7] [0, 0, 0, 1, 2, 2, 2]");
  EXPECT_EQ(to_string(pad(arange(3), {2}, {4}, PadMode::wrap)), "i32[9] [1, 2, 0, 1, 2, 0, 1, 2, 0]");
  EXPECT_EQ(to_string(pad(arange(1), {1}, {1}, PadMode::reflect)), "i32[3] [0, 0, 0]");
}

TEST(Numpy, PositionsAndCounts) {
  const Tensor edges = vec({1, 2, 2, 3});
  EXPECT_EQ(to_string(searchsorted(edges, vec({0, 2, 5}))), "i32[3] [0, 1, 4]");
  EXPECT_EQ(to_string(searchsorted(edges, vec({0, 2, 5}), true)), "i32[3] [0, 3, 4]");
  const Tensor xp = vec({1, 2, 3}), fp = vec({3, 2, 0});
  expect(interp(vec({0, 1, 1.5, 2.72, 3.14, nan}), xp, fp), {3, 3, 2.5, .56, 0, nan});
  expect(grad([&](const Tensor& x) { return sum(interp(x, xp, fp)); })(vec({0, 1.5, 2.5, 9})), {0, -1, -2, 0});
  expect(grad([&](const Tensor& f) { return interp(scalar(1.25, f64), xp, f); })(fp), {.75, .25, 0});
  EXPECT_EQ(to_string(bincount(vec({0, 1, 1, 3, 2, 1, 7, -1}, Dtype::int32), 5)), "i32[5] [1, 3, 1, 1, 0]");
  expect(bincount(vec({0, 1, 1}, Dtype::int64), 3, vec({.5, 1, 2})), {.5, 3, 0});
  EXPECT_EQ(to_string(histogram(vec({1, 2, 1, 4, 5, nan, 0, 3}), vec({1, 2, 4}))), "i32[2] [2, 3]");
}

TEST(Numpy, ErrorsNameTheLine) {
  const auto line_of = [](const std::function<void()>& f) {
    try {
      f();
    } catch (const Error& e) { return to_string(e.where()).substr(0, 15); }
    return std::string("no error");
  };
  const Tensor v = arange(3), m = ones({2, 3});
  for (const std::function<void()>& f : std::vector<std::function<void()>>{
           [&] { dot(v, ones({4})); }, [&] { cross(ones({4}), v); }, [&] { diagonal(v); },
           [&] { diag(ones({1, 1, 1})); }, [&] { repeat(m, -1, 0); }, [&] { meshgrid({m}); },
           [&] { searchsorted(m, 1); }, [&] { bincount(m, 3); }, [&] { gradient(ones({1})); }, [&] { convolve(m, v); },
           [&] { interp(v, v, ones({2})); }, [&] { logaddexp(ones({2}), ones({3})); }, [&] { tensordot(v, m, 5); },
           [&] { cumprod(v, 4); }, [&] { select({}, {}); }})
    EXPECT_EQ(line_of(f), "numpy_test.cpp:");
}

// Means and variances of many draws, within five standard errors, and the same numbers for the same key.
TEST(Numpy, Distributions) {
  const int64_t n = 40000;
  struct Drawn {
    const char* name;
    Tensor x;
    double mean, variance;
  };
  const double t = 2 * std::exp(-2.) / std::sqrt(2 * M_PI) / std::erf(std::sqrt(2.));  // of normal numbers in [-2, 2]
  for (const Drawn& d :
       {Drawn{"exponential", exponential(key(1), {n}), 1, 1},
        Drawn{"gumbel", gumbel(key(2), {n}), .5772156649, M_PI * M_PI / 6},
        Drawn{"laplace", laplace(key(3), {n}), 0, 2}, Drawn{"rademacher", rademacher(key(4), {n}), 0, 1},
        Drawn{"truncated_normal", truncated_normal(key(5), {n}), 0, 1 - 2 * t},
        Drawn{"choice", choice(key(6), vec({1, 2, 6}), {n}, vec({.5, .25, .25})), 2.5, 4.25}}) {
    SCOPED_TRACE(d.name);
    const double m = mean(d.x).item(), v = variance(d.x).item();
    EXPECT_NEAR(m, d.mean, 5 * std::sqrt(d.variance / static_cast<double>(n)));
    EXPECT_NEAR(v, d.variance, .1 * d.variance);
    EXPECT_TRUE(all(is_finite(d.x)));
  }
  EXPECT_TRUE(all(abs(truncated_normal(key(5), {n}, -1, .5)) <= 1));
  EXPECT_TRUE(array_equal(gumbel(key(2), {5}), gumbel(key(2), {5})));
  const Tensor s = sphere(key(7), {1000, 3}, f64), b = ball(key(8), {20000, 3}, f64);
  EXPECT_TRUE(all_close(norm(s, 1), ones({1000}, f64), 0, 1e-12));
  EXPECT_NEAR(mean(pow(norm(b, 1), 3)).item(), .5, .011);  // the share of the volume inside is uniform
  EXPECT_LE(max(norm(b, 1)).item(), 1 + 1e-12);
  expect(mean(sphere(key(9), {20000, 3}, f64), 0), {0, 0, 0}, .021);
  const Tensor c = choice(key(6), reshape(arange(6), {3, 2}), {n});
  EXPECT_EQ(c.shape(), (Shape{n, 2}));
  EXPECT_NEAR(mean(c).item(), 2.5, .05);
}

}  // namespace
}  // namespace viva
