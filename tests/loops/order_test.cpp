// Nests over arrays whose dimensions lie in other orders compute the same numbers.
#include <gtest/gtest.h>

#include <limits>

#include "loops/compose.h"
#include "loops/finite.h"
#include "loops/run.h"

namespace viva::loops {
namespace {

std::vector<float> evaluated(const Nest& nest, const std::vector<float>& x, size_t results) {
  std::vector<float> y(results);
  const void* in = x.data();
  void* out = y.data();
  ThreadPool pool(1);
  Scratch scratch;
  run(Prepared(nest), {&in, 1}, {&out, 1}, pool, scratch);
  return y;
}

// out[i, j] = Σ over k of x[j, i, k], for x of [3, 2, 4].
Nest sums(bool strided) {
  const Type x{Dtype::float32, {3, 2, 4}};
  Nest n;
  n.extents = strided ? Ints{3, 2, 4} : Ints{2, 3, 4}, n.parallel = 2, n.operands = {x};
  const int i = strided ? 1 : 0, j = strided ? 0 : 1;
  n.store(n.reduce(Reduction::sum, {n.load(0, {n.at(j), n.at(i), n.at(2)})}, Dtype::float32));
  if (strided) n.stores[0].strides = {1, 3}, n.stores[0].size = 6;
  return n;
}

std::vector<float> counted(size_t n) {
  std::vector<float> x(n);
  for (size_t i = 0; i < n; ++i) x[i] = static_cast<float>(i);
  return x;
}

TEST(Order, OperandsAndResultsInOtherOrders) {
  const std::vector<float> x = counted(24), expected = evaluated(sums(false), x, 6);
  std::vector<float> turned(24);  // x with its dimensions in the order 2, 0, 1
  for (size_t a = 0; a < 3; ++a)
    for (size_t b = 0; b < 2; ++b)
      for (size_t c = 0; c < 4; ++c) turned[(c * 3 + a) * 2 + b] = x[(a * 2 + b) * 4 + c];
  for (const bool strided : {false, true}) {
    const Nest read = with_operand_order(sums(strided), 0, {2, 0, 1});
    EXPECT_EQ(evaluated(read, turned, 6), expected);
    const auto written = with_result_order(read, {1, 0});
    ASSERT_TRUE(written);
    const std::vector<float> got = evaluated(*written, turned, 6);
    for (size_t i = 0; i < 2; ++i)
      for (size_t j = 0; j < 3; ++j) EXPECT_EQ(got[j * 2 + i], expected[i * 3 + j]);
  }
}

TEST(Order, WhatHasNoOtherOrder) {
  Nest gaps = sums(true);
  gaps.stores[0].strides = {1, 4}, gaps.stores[0].size = 7;
  EXPECT_FALSE(with_result_order(gaps, {1, 0}));
  EXPECT_FALSE(with_result_order(sums(false), {0}));
}

TEST(Finite, FindsInfinityAndNan) {
  std::vector<float> x = counted(37);
  EXPECT_TRUE(all_finite(x));
  EXPECT_TRUE(all_finite({}));
  for (const float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN()})
    for (const size_t at : {size_t{0}, size_t{17}, size_t{36}}) {
      std::vector<float> y = x;
      y[at] = bad;
      EXPECT_FALSE(all_finite(y));
    }
}

}  // namespace
}  // namespace viva::loops
