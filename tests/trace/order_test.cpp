// sort and what is made of it: against counting, finite differences and NumPy's numbers.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "viva/numpy.h"
#include "viva/viva.h"

namespace viva {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
constexpr Dtype f64 = Dtype::float64;

std::vector<double> list(const Tensor& t) {
  std::vector<double> v;
  for (int64_t i = 0; i < t.size(); ++i) v.push_back(t.array().at(i));
  return v;
}
void expect(const Tensor& got, const std::vector<double>& want) {
  const std::vector<double> v = list(got);
  ASSERT_EQ(v.size(), want.size());
  for (size_t i = 0; i < v.size(); ++i)
    if (std::isnan(want[i])) EXPECT_TRUE(std::isnan(v[i])) << i;
    else EXPECT_DOUBLE_EQ(v[i], want[i]) << i;
}

TEST(Order, SortsWithNanLastAndTiesAsTheyCame) {
  const Tensor x = tensor({2, nan, -0.0, 0, -inf, inf, 2, nan}, {8}, f64);
  expect(sort(x), {-inf, -0.0, 0, 2, 2, inf, nan, nan});
  EXPECT_TRUE(std::signbit(sort(x).array().at(1)) && !std::signbit(sort(x).array().at(2)));
  expect(argsort(x), {4, 2, 3, 0, 6, 5, 1, 7});
  expect(argsort(x, 0, true), {5, 0, 6, 2, 3, 4, 1, 7});
  expect(sort(x, 0, true), {inf, 2, 2, -0.0, 0, -inf, nan, nan});
}

// The place of an element is the number of those before it: less, or equal and earlier.
TEST(Order, PlacesAreCounts) {
  const Tensor x = randint(key(3), {3, 50, 2}, 0, 12);
  const Tensor s = sort(x, 1);
  for (int64_t i = 0; i < 3; ++i)
    for (int64_t k = 0; k < 2; ++k) {
      const auto at = [&](const Tensor& t, int64_t j) { return t.array().at((i * 50 + j) * 2 + k); };
      for (int64_t j = 0; j < 50; ++j) {
        int64_t place = 0;
        for (int64_t o = 0; o < 50; ++o) place += at(x, o) < at(x, j) || (at(x, o) == at(x, j) && o < j);
        EXPECT_EQ(at(s, place), at(x, j));
        EXPECT_EQ(at(argsort(x, 1), place), j);
      }
    }
}

TEST(Order, OfEveryOrderedDtype) {
  for (const Dtype d : {Dtype::boolean, Dtype::int8, Dtype::uint8, Dtype::int32, Dtype::uint64, Dtype::float16,
                        Dtype::bfloat16, Dtype::float32}) {
    const Tensor x = convert(tensor({1, 0, 1, 0}, {4}, Dtype::int32), d);
    EXPECT_EQ(sort(x).dtype(), d);
    expect(sort(x), {0, 0, 1, 1});
    expect(sort(x, 0, true), {1, 1, 0, 0});
  }
  EXPECT_EQ(sort(zeros({0, 3}), 0).shape(), (Shape{0, 3}));
}

TEST(Order, TopK) {
  const Top t = top_k(tensor({3, 1, 4, 1, 5, 9, 2, 6, 5, 3}, {2, 5}, f64), 2);
  expect(t.values, {5, 4, 9, 6});
  expect(t.indices, {4, 2, 0, 2});
  expect(top_k(tensor({1, 2, 2}, {3}, f64), 1).indices, {1});
  EXPECT_EQ(top_k(zeros({4}), 0).values.shape(), Shape{0});
  EXPECT_THROW(top_k(zeros({4}), 5), Error);
}

TEST(Order, Quantiles) {  // numpy.quantile
  const Tensor x = tensor({7, 1, 3, 9, 4, 4}, {2, 3}, f64);
  expect(quantile(x, 0.3), {3.5});
  expect(quantile(x, 0.3, 1), {2.2, 4});
  expect(median(x, 0), {8, 2.5, 3.5});
  EXPECT_EQ(median(x, 0, true).shape(), (Shape{1, 3}));
  expect(quantile(x, 1), {9});
  expect(median(tensor({1, nan, 2}, {3}, f64)), {nan});
  expect(median(tensor({inf, inf, 0, inf}, {4}, f64)), {inf});
  EXPECT_THROW(quantile(x, 1.5), Error);
  EXPECT_THROW(median(zeros({0})), Error);
}

TEST(Order, SlopesGoToTheElementsMoved) {
  const Tensor weights = tensor({1, 10, 100, 1000}, {4}, f64), x = tensor({3, 1, 4, 2}, {4}, f64);
  const auto f = [&](const Tensor& v) { return sum(weights * sort(v) * sort(v)); };
  // d/dx of Σ wₖ x₍ₖ₎²: 2 wₖ x at the place k of x.
  expect(grad(f)(x), {2 * 100 * 3, 2 * 1 * 1, 2 * 1000 * 4, 2 * 10 * 2});
  const auto second = [&](const Tensor& v) { return sum(grad(f)(v)); };
  expect(grad(second)(x), {200, 2, 2000, 20});
  expect(grad([](const Tensor& v) { return median(v); })(x), {.5, 0, 0, .5});
  expect(grad([](const Tensor& v) { return sum(top_k(v, 2).values); })(x), {1, 0, 1, 0});
}

TEST(Order, UnderVmapAndCompile) {
  const Tensor x = normal(key(1), {6, 9}, f64);
  const auto row = [](const Tensor& v) { return sort(v, 0, true); };
  expect(vmap(row)(x), list(sort(x, 1, true)));
  expect(compile(row)(x), list(sort(x, 0, true)));
}

TEST(Order, PermutationsAreDrawnEvenly) {
  std::vector<int> seen(6, 0);
  const Key k = key(11);
  for (int i = 0; i < 600; ++i) {
    const std::vector<double> p = list(permutation(k.fold(i), 3));
    ASSERT_EQ(p[0] + p[1] + p[2], 3);
    ASSERT_NE(p[0], p[1]);
    ++seen[static_cast<size_t>(2 * p[0] + (p[1] > p[2]))];
  }
  double chi = 0;  // 5 degrees of freedom: above 20.5 once in 1,000
  for (const int n : seen) chi += (n - 100.) * (n - 100.) / 100;
  EXPECT_LT(chi, 20.5);
  EXPECT_EQ(permutation(k, 0).shape(), Shape{0});
  const Tensor m = tensor({1, 2, 3, 4, 5, 6}, {3, 2}, f64), s = shuffle(k, m);
  expect(sort(s, 0), {1, 2, 3, 4, 5, 6});
  expect(sum(s, {1}) - 2 * index(s, {range(), 0}), {1, 1, 1});  // rows stay whole
}

}  // namespace
}  // namespace viva
