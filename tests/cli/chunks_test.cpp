// Rows through a function of a fixed batch: nothing lost, and company noticed.
#include "cli/chunks.h"

#include <gtest/gtest.h>

#include <cmath>

namespace viva {
namespace {

using Rows = std::vector<std::vector<float>>;

// Row i of the result is row(batch, i): one number.
FixedBatch fixed(int64_t batch, std::function<float(const std::vector<float>& x, size_t i)> row,
                 int64_t* calls = nullptr) {
  return {batch, {true, false}, [=](std::vector<Array> a) {
            EXPECT_EQ(a.at(0).shape(), (Shape{batch, 1}));
            EXPECT_EQ(a.at(1).shape(), (Shape{3}));
            if (calls) ++*calls;
            const auto x = a[0].as<float>();
            const std::vector<float> all(x.begin(), x.end());
            std::vector<float> y;
            for (size_t i = 0; i < all.size(); ++i) y.push_back(row(all, i));
            return std::vector<Array>{Array::of(y, {batch, 1})};
          }};
}

std::vector<Array> arguments(int64_t n) {
  std::vector<float> x;
  for (int64_t i = 0; i < n; ++i) x.push_back(static_cast<float>(i + 1));
  return {Array::of(x, {n, 1}), Array::of(std::vector<float>{1, 2, 3}, {3})};
}

TEST(Chunks, EveryRowOnceInOrder) {
  for (const int64_t n : {1, 3, 4, 5, 8, 11}) {
    const auto f = fixed(4, [](const auto& x, size_t i) { return 2 * x[i]; });
    const std::vector<Array> y = in_chunks(f, arguments(n), n);
    ASSERT_EQ(y.at(0).shape(), (Shape{n, 1}));
    for (int64_t i = 0; i < n; ++i) EXPECT_EQ(y[0].at(i), 2 * static_cast<double>(i + 1)) << n;
  }
}

TEST(Chunks, RowsAloneAreIndependent) {
  for (const int64_t n : {1, 2, 4, 9}) {
    int64_t calls = 0;
    const auto f = fixed(4, [](const auto& x, size_t i) { return x[i] * x[i] - 3; }, &calls);
    const Company c = in_other_company(f, arguments(n), n);
    EXPECT_TRUE(c.independent()) << n << ": " << c.measure;
    EXPECT_EQ(c.largest, 0);
    EXPECT_EQ(calls, company_calls(c.rows));
    EXPECT_EQ(calls, n == 1 ? 2 : 2 + 2 * c.rows);
  }
}

// One row shows it too: beside zeros it is in other company than beside its copies.
TEST(Chunks, CompanyIsNoticed) {
  const auto mean = [](const auto& x, size_t i) {
    float sum = 0;
    for (const float v : x) sum += v;
    return x[i] - sum / static_cast<float>(x.size());
  };
  const auto first = [](const auto& x, size_t i) { return x[i] + x[0]; };
  const auto position = [](const auto& x, size_t i) { return x[i] + static_cast<float>(i); };
  const auto nan = [](const auto& x, size_t i) { return x[(i + 1) % x.size()] == 0 ? NAN : x[i]; };
  for (const int64_t n : {1, 2, 4, 9}) {
    EXPECT_FALSE(in_other_company(fixed(4, mean), arguments(n), n).independent()) << n;
    EXPECT_FALSE(in_other_company(fixed(4, first), arguments(n), n).independent()) << n;
    EXPECT_FALSE(in_other_company(fixed(4, position), arguments(n), n).independent()) << n;
    EXPECT_FALSE(in_other_company(fixed(4, nan), arguments(n), n).independent()) << n;
  }
}

TEST(Chunks, NaNEverywhereIsNoInfluence) {
  const auto f = fixed(4, [](const auto&, size_t) { return NAN; });
  EXPECT_TRUE(in_other_company(f, arguments(3), 3).independent());
}

}  // namespace
}  // namespace viva
