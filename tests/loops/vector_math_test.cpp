#include "loops/vector_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace viva::loops {
namespace {

using Fn = void (*)(void*, const void* const*, int64_t);

// Distance in units of the last place of the exact value, at least the least positive number's.
template <class T> long double ulps(T got, long double exact) {
  if (std::isnan(exact)) return std::isnan(got) ? 0 : INFINITY;
  if (std::isinf(static_cast<T>(exact)) || std::isinf(got)) return static_cast<T>(exact) == got ? 0 : INFINITY;
  int e = 0;
  std::frexp(static_cast<T>(exact), &e);
  const long double unit = std::max(std::ldexp(1.0L, e - std::numeric_limits<T>::digits),
                                    static_cast<long double>(std::numeric_limits<T>::denorm_min()));
  return std::abs(static_cast<long double>(got) - exact) / unit;
}

// Numbers of every size within [-most, most], both signs, and the special ones.
template <class T> std::vector<T> numbers(double low, double most) {
  std::vector<T> x{T(0),
                   -T(0),
                   T(1),
                   T(-1),
                   std::numeric_limits<T>::infinity(),
                   -std::numeric_limits<T>::infinity(),
                   std::numeric_limits<T>::quiet_NaN(),
                   std::numeric_limits<T>::denorm_min(),
                   std::numeric_limits<T>::min(),
                   std::numeric_limits<T>::max(),
                   std::numeric_limits<T>::lowest()};
  uint64_t state = 1;
  for (int i = 0; i < 20000; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const double u = static_cast<double>(state >> 11) * 0x1p-53;
    state = state * 6364136223846793005u + 1442695040888963407u;
    const double size = i % 2 ? most * u : std::exp(std::log(1e-30) * u + std::log(most) * (1 - u));
    x.push_back(static_cast<T>(low < 0 && (state >> 63) ? -size : size));
  }
  return x;
}

template <class T> void within_4_ulp(Fn f, long double (*exact)(long double), const std::vector<T>& x) {
  std::vector<T> y(x.size());
  const void* in[] = {x.data()};
  f(y.data(), in, static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_LE(ulps(y[i], exact(static_cast<long double>(x[i]))), 4) << x[i] << " gives " << y[i];
}

long double logistic(long double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }
long double softplus(long double x) { return std::isnan(x) ? x : (x > 0 ? x : 0) + std::log1p(std::exp(-std::abs(x))); }

template <class T> class VectorMathTest : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(VectorMathTest, Types);

TYPED_TEST(VectorMathTest, IsWithin4UlpOfTheExactValue) {
  using T = TypeParam;
  using M = VectorMath<T>;
  within_4_ulp<T>(M::exp, [](long double x) { return std::exp(x); }, numbers<T>(-1, 720));
  within_4_ulp<T>(M::expm1, [](long double x) { return std::expm1(x); }, numbers<T>(-1, 720));
  within_4_ulp<T>(M::log, [](long double x) { return std::log(x); }, numbers<T>(-1, 1e30));
  within_4_ulp<T>(M::log1p, [](long double x) { return std::log1p(x); }, numbers<T>(-1, 1e30));
  within_4_ulp<T>(M::tanh, [](long double x) { return std::tanh(x); }, numbers<T>(-1, 30));
  within_4_ulp<T>(M::erf, [](long double x) { return std::erf(x); }, numbers<T>(-1, 7));
  within_4_ulp<T>(M::sin, [](long double x) { return std::sin(x); }, numbers<T>(-1, 1e6));
  within_4_ulp<T>(M::cos, [](long double x) { return std::cos(x); }, numbers<T>(-1, 1e6));
  within_4_ulp<T>(M::logistic, logistic, numbers<T>(-1, 100));
  within_4_ulp<T>(M::softplus, softplus, numbers<T>(-1, 100));
}

TYPED_TEST(VectorMathTest, PowersOfSpecialNumbersAreThoseOfTheStandard) {
  using T = TypeParam;
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  const std::vector<T> some{0, -T(0), 1, -1, 2, -2, T(.5), -T(.5), 3, -3, inf, -inf, nan, T(1e30), T(-1e30)};
  std::vector<T> x, y;
  for (const T a : some)
    for (const T b : some) x.push_back(a), y.push_back(b);
  std::vector<T> z(x.size());
  const void* in[] = {x.data(), y.data()};
  VectorMath<T>::pow(z.data(), in, static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < x.size(); ++i) {
    const long double exact = std::pow(static_cast<long double>(x[i]), static_cast<long double>(y[i]));
    EXPECT_LE(ulps(z[i], exact), 4) << x[i] << " to the power " << y[i] << " gives " << z[i];
    EXPECT_TRUE(std::isnan(z[i]) || std::signbit(z[i]) == std::signbit(exact)) << x[i] << " ^ " << y[i];
  }
}

TYPED_TEST(VectorMathTest, SignsOfZerosStay) {
  using T = TypeParam;
  const std::vector<T> x{-T(0), T(0), -T(0)};
  std::vector<T> y(3);
  const void* in[] = {x.data()};
  for (const Fn f :
       {VectorMath<T>::expm1, VectorMath<T>::log1p, VectorMath<T>::sin, VectorMath<T>::tanh, VectorMath<T>::erf}) {
    f(y.data(), in, 3);
    for (size_t i = 0; i < 3; ++i) EXPECT_EQ(std::signbit(y[i]), std::signbit(x[i]));
  }
}

// Whether it is computed in a whole vector or in what is left over.
TYPED_TEST(VectorMathTest, GivesTheSameBitsAtEveryPlace) {
  using T = TypeParam;
  using M = VectorMath<T>;
  const std::vector<T> x = numbers<T>(-1, 50);
  for (const Fn f : {M::exp, M::expm1, M::log, M::log1p, M::sin, M::cos, M::tanh, M::erf, M::logistic, M::softplus}) {
    std::vector<T> whole(x.size()), one(1);
    const void* in[] = {x.data()};
    f(whole.data(), in, static_cast<int64_t>(x.size()));
    for (size_t i = 0; i < x.size(); i += 7) {
      const void* single[] = {&x[i]};
      f(one.data(), single, 1);
      ASSERT_EQ(std::memcmp(&one[0], &whole[i], sizeof(T)), 0) << x[i];
    }
  }
}

}  // namespace
}  // namespace viva::loops
