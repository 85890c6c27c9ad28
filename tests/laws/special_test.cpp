// Special functions at known values (by mpmath 1.3 with 40 digits), at their poles, and widen in every format.
#include "laws/both.h"

#include <bit>
#include <vector>

#include "transform/transform.h"

namespace viva {
namespace {

const auto erf_inv = [](Build& b, const Values& v) { return b.erf_inv(v[0]); };
const auto lgamma = [](Build& b, const Values& v) { return b.lgamma(v[0]); };
auto polygamma(int64_t order) {
  return [order](Build& b, const Values& v) { return b.polygamma(v[0], order); };
}

TEST(Special, KnownValues) {
  expect(
      both({vec<double>({0.5, -0.9, 0.25, 1 - 0x1p-53, 1e-300})}, erf_inv),
      {0.476936276204469873, -1.16308715367667416, 0.225312055012178105, 5.86358474875516793, 8.86226925452758036e-301},
      1e-15);
  expect(both({vec<double>({0.5, 10.25, -0.5, -2.75, 171.5, 1e-300})}, lgamma),
         {0.572364942924700087, 13.3680236714760463, 1.2655121234846454, 0.00448789753595577331, 709.143163030928242,
          690.775527898213705},
         1e-15);
  const Array x = vec<double>({0.5, 1, 10.25, -0.5, -2.75});
  expect(
      both({x}, polygamma(0)),
      {-1.96351002602142348, -0.577215664901532861, 2.27770479068672397, 0.0364899739785765206, -1.95905526497799701},
      2e-15);
  expect(both({x}, polygamma(1)),
         {4.93480220054467931, 1.64493406684822644, 0.102474521517991867, 8.93480220054467931, 19.4338689494884642},
         2e-15);
  expect(both({x}, polygamma(3)),
         {97.4090910340024372, 6.49393940226682915, 0.0021465780199769066, 193.409091034002437, 1558.4897512832936},
         2e-14);
  expect(
      both({x}, polygamma(10)),
      {-7431824508.85876898, -3630593.31160662871, -4.45913765782597211e-5, -42108.8587689754918, -15220204740670.2509},
      2e-13);
}

TEST(Special, RootsAndSmallFormats) {
  expect(both({vec<double>({1, 2})}, lgamma), {0, 0});
  // Beside a root below zero, where reflection would lose every digit: -2.457 by mpmath.
  expect(both({vec<double>({-2.457})}, lgamma), {0.0000374963059580997885}, 1e-12);
  for (const Dtype d : {Dtype::float32, Dtype::bfloat16, Dtype::float16}) {
    const Array x = vec<double>({0.5, 0.875, -0.25}).converted(d);
    for (const auto& f :
         std::vector<std::function<Value(Build&, const Values&)>>{erf_inv, lgamma, polygamma(0), polygamma(2)})
      EXPECT_TRUE(same_bits(both({x}, f), both({x.converted(Dtype::float64)}, f).converted(d))) << name(d);
  }
}

TEST(Special, PolesAndOutside) {
  const Array odd = vec<double>({0.0, -0.0, -1, -2, inf, -inf, nan});
  expect(both({vec<double>({1, -1, 1.5, -inf, nan, 0.0, -0.0})}, erf_inv), {inf, -inf, nan, nan, nan, 0, -0.0});
  expect(both({odd}, lgamma), {inf, inf, inf, inf, inf, inf, nan});
  expect(both({odd}, polygamma(0)), {-inf, inf, nan, nan, inf, nan, nan});
  expect(both({odd}, polygamma(1)), {inf, inf, inf, inf, 0, nan, nan});
  expect(both({odd}, polygamma(2)), {-inf, inf, nan, nan, -0.0, nan, nan});
  // No order and no number throws or runs long.
  for (const int64_t order : {50, 99, 100})
    for (const double x : {1e-300, 0.5, 200.0, 1e300, -0.5, -3.3, -1e5 - 0.3, -1e15 - 0.5}) {
      const Array y = both({vec<double>({x})}, polygamma(order));
      EXPECT_FALSE(std::isnan(y.at(0))) << order << ' ' << x;
    }
}

// In the middle the third derivative of -π·cot(πx) is 2π⁴, and of even orders none is left but that of 1 - x.
TEST(Special, FarBelowZero) {
  const auto at = [](int64_t order, double x) { return both({vec<double>({x})}, polygamma(order)).at(0); };
  const double pi = M_PI;
  for (const double x : {1e9, 3e9, 1e12, 1e15}) {
    EXPECT_DOUBLE_EQ(at(3, -x - .5), 2 * std::pow(pi, 4)) << x;
    EXPECT_NEAR(at(2, -x - .5) * x * x, -1, 1e-8) << x;
  }
  for (const double x : {3e9, 1e12})
    for (const int64_t order : {2, 3, 7})
      EXPECT_NEAR(at(order, -x + .25) / at(order, -1e8 + .25), 1, 1e-14) << order << ' ' << x;
}

// The reflection and recurrence formulas, for which no table is needed.
TEST(Special, RecurrenceAndReflection) {
  for (const double x : {0.3, 1.7, 4.2, 11.0})
    for (const int64_t order : {0, 1, 2, 5}) {
      double factorial = 1;
      for (int64_t k = 2; k <= order; ++k) factorial *= static_cast<double>(k);
      const Array y = both({vec<double>({x, x + 1})}, polygamma(order));
      const double step = (order % 2 ? -1 : 1) * factorial / std::pow(x, static_cast<double>(order + 1));
      EXPECT_NEAR(y.at(1) - y.at(0), step, 1e-13 * std::max(std::abs(y.at(0)), std::abs(step)));
    }
  const Array g = both({vec<double>({0.3, 0.7})}, polygamma(0));
  EXPECT_NEAR(g.at(1) - g.at(0), M_PI / std::tan(M_PI * 0.3), 1e-13);
}

template <class T> void widens_like_nextafter(Dtype d, const std::vector<T>& numbers) {
  const auto n = static_cast<int64_t>(numbers.size());
  const Array x = Array::of<T>(numbers, {n});
  for (const bool up : {true, false})
    for (const int64_t ulps : {0, 1, 2, 5}) {
      const Array y = both({x}, [&](Build& b, const Values& v) { return b.widen(v[0], up, ulps); });
      ASSERT_EQ(y.dtype(), d);
      for (size_t i = 0; i < numbers.size(); ++i) {
        T want = numbers[i];
        for (int64_t k = 0; k < ulps; ++k)
          want = std::nextafter(want, up ? std::numeric_limits<T>::infinity() : -std::numeric_limits<T>::infinity());
        const T got = y.as<T>()[i];
        EXPECT_TRUE((std::isnan(want) && std::isnan(got)) || std::memcmp(&want, &got, sizeof got) == 0)
            << double(numbers[i]) << (up ? " up " : " down ") << ulps << ": " << double(got);
      }
    }
}

template <class T> std::vector<T> edges() {
  using L = std::numeric_limits<T>;
  std::vector<T> all;
  for (const T v : {T(0), L::denorm_min(), T(3) * L::denorm_min(), L::min(), T(1), T(1.5), L::max(), L::infinity()})
    all.push_back(v), all.push_back(-v);
  all.push_back(L::quiet_NaN());
  return all;
}

TEST(Widen, StepsOfNextafter) {
  widens_like_nextafter<float>(Dtype::float32, edges<float>());
  widens_like_nextafter<double>(Dtype::float64, edges<double>());
}

// All 65,536 numbers: the next greater one of the format, but for NaN and the greatest.
template <class T> void widens_every_half() {
  std::vector<T> all(65536);
  for (size_t i = 0; i < all.size(); ++i) all[i] = std::bit_cast<T>(static_cast<uint16_t>(i));
  std::vector<float> numbers;
  for (const T v : all)
    if (!std::isnan(static_cast<float>(v))) numbers.push_back(static_cast<float>(v));
  std::ranges::sort(numbers);
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  const Array x = Array::of<T>(all, {65536});
  const Array up = both({x}, [](Build& b, const Values& v) { return b.widen(v[0], true, 1); });
  const Array down = both({x}, [](Build& b, const Values& v) { return b.widen(v[0], false, 1); });
  for (size_t i = 0; i < all.size(); ++i) {
    const auto v = static_cast<float>(all[i]);
    const auto at = static_cast<int64_t>(i);
    if (std::isnan(v)) {
      EXPECT_TRUE(std::isnan(up.at(at)) && std::isnan(down.at(at)));
      continue;
    }
    const auto above = std::ranges::upper_bound(numbers, v), here = std::ranges::lower_bound(numbers, v);
    EXPECT_EQ(up.at(at), above == numbers.end() ? static_cast<double>(v) : static_cast<double>(*above)) << v;
    EXPECT_EQ(down.at(at), here == numbers.begin() ? static_cast<double>(v) : static_cast<double>(*(here - 1))) << v;
  }
}

TEST(Widen, EveryHalf) {
  widens_every_half<Float16>();
  widens_every_half<BFloat16>();
}

TEST(Widen, FarAndWithTheSlopeOfTheIdentity) {
  const auto up = [](Build& b, const Values& v) { return b.widen(v[0], true, int64_t{1} << 62); };
  for (const Dtype d : {Dtype::float16, Dtype::bfloat16, Dtype::float32})
    expect(both({vec<double>({-inf, -1, 0, 1, inf, nan}).converted(d)}, up), {inf, inf, inf, inf, inf, nan});
  // 2 lies 2^62 numbers above 0, and -2 as far below.
  expect(both({vec<double>({-2, 0, 1, 2, inf, nan})}, up), {0, 2, inf, inf, inf, nan});
  const Body f = function_of({vec<double>({1, 2})}, [](Build& b, const Values& v) {
    return b.reduce_sum(b.square(b.widen(v[0], true, 3)), {0});
  });
  expect(interpret(*grad(f, {true}), std::vector{vec<double>({1, 2})})[0], {2, 4}, 1e-14);
}

}  // namespace
}  // namespace viva
