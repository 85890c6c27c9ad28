// How far the special functions are off, against Boost in long double: the errors that bounds are widened by.
#include "loops/special_math.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/math/special_functions/digamma.hpp>
#include <boost/math/special_functions/erf.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <boost/math/special_functions/polygamma.hpp>
#include <boost/math/special_functions/trigamma.hpp>
#include <cmath>
#include <limits>
#include <random>

namespace viva::loops {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

long double ulps(double got, long double exact) {
  if (std::isinf(static_cast<double>(exact)) || std::isinf(got)) return static_cast<double>(exact) == got ? 0 : inf;
  int e = 0;
  std::frexp(static_cast<double>(exact), &e);
  return std::abs(got - exact) / std::max(std::ldexp(1.0L, e - 53), 0x1p-1074L);
}

class Uniform {
 public:
  double operator()() { return static_cast<double>(random_() >> 11) * 0x1p-53; }
  double between(double low, double high) {
    return std::exp(std::log(low) + (*this)() * (std::log(high) - std::log(low)));
  }

 private:
  std::mt19937_64 random_{1};
};

TEST(SpecialMath, LogGammaAboveZeroIsWithin4Ulp) {
  Uniform u;
  for (int i = 0; i < 40000; ++i) {
    const double x = i % 2 ? 4 * u() + 1e-9 : u.between(1e-200, 1e200);
    ASSERT_LE(ulps(log_gamma(x), boost::math::lgamma(static_cast<long double>(x))), 4) << x;
  }
}

TEST(SpecialMath, ErfInvIsWithin4Ulp) {
  Uniform u;
  for (int i = 0; i < 40000; ++i) {
    const double x = i % 3 == 0 ? u() : i % 3 == 1 ? u.between(1e-30, 1) : 1 - u.between(1e-15, 1);
    ASSERT_LE(ulps(erf_inv(x), boost::math::erf_inv(static_cast<long double>(x))), 4) << x;
    ASSERT_EQ(erf_inv(-x), -erf_inv(x));
  }
}

TEST(SpecialMath, DigammaIsWithin4UlpAndNearItsRoot) {
  Uniform u;
  for (int i = 0; i < 40000; ++i) {
    const double x = i % 2 ? 4 * u() + 1e-9 : u.between(1e-200, 1e200);
    const long double exact = boost::math::digamma(static_cast<long double>(x));
    if (std::abs(x - 1.4616321449683623) > 0.01) ASSERT_LE(ulps(polygamma(0, x), exact), 4) << x;
    else ASSERT_LE(std::abs(polygamma(0, x) - exact), 1e-16L) << x;
  }
}

TEST(SpecialMath, PolygammaAboveZeroIsWithin128Ulp) {
  Uniform u;
  for (const int order : {1, 2, 3, 4, 5, 7, 10, 20, 50, 99, 100})
    for (int i = 0; i < 4000; ++i) {
      const double x = i % 3 == 0 ? u.between(1e-3, 1e6) : i % 3 == 1 ? 30 * u() + 1e-3 : u.between(1e-150, 1e150);
      // Numbers that the reference has, too.
      const double size = order * std::log(x);
      if (size > 690 || -size > 600 || -size - std::log(x) > 300) continue;
      const auto wide = static_cast<long double>(x);
      const long double exact = order == 1 ? boost::math::trigamma(wide) : boost::math::polygamma(order, wide);
      ASSERT_LE(ulps(polygamma(order, x), exact), 128) << order << " at " << x;
    }
}

// Where Boost's powers leave the doubles, though the function does not, or its sign is lost with its size.
TEST(SpecialMath, PolygammaKeepsDigitsAndSignAtTheEdges) {
  // ψ⁽²⁰⁾(x) = -19!/x²⁰ up to 1e-14 of it at 1.7e15.
  const double x = 1734689834492585.2, exact = -121645100408832000.0 * std::pow(x, -10.0) * std::pow(x, -10.0);
  EXPECT_NEAR(polygamma(20, x) / exact, 1, 1e-13);
  for (const double tiny : {1e-200, 1e-120, 1e-300})
    for (const int order : {2, 4, 50}) EXPECT_EQ(polygamma(order, tiny), -inf) << order << ' ' << tiny;
  EXPECT_EQ(polygamma(3, 1e-120), inf);
  EXPECT_EQ(polygamma(2, -1e-200), inf);
}

}  // namespace
}  // namespace viva::loops
