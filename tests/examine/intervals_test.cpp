// Quantile intervals, bands, one-sided limits and tests, against closed forms and tables.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "examine/statistics.h"
#include "examine/streams.h"

namespace viva {
namespace {

std::vector<double> ranks(int64_t n) {
  std::vector<double> v(static_cast<size_t>(n));
  std::iota(v.begin(), v.end(), 1.0);
  return v;
}

TEST(Intervals, OneSidedClopperPearson) {
  EXPECT_NEAR(clopper_pearson_upper(445, 1000, .05), .471445, 5e-7);
  EXPECT_NEAR(clopper_pearson_upper(53, 1000, .05), .066171, 5e-7);
  EXPECT_NEAR(clopper_pearson_upper(0, 1000, .05), .002991, 5e-7);
  EXPECT_NEAR(clopper_pearson_upper(0, 10000, .05), 2.9953e-4, 5e-9);
  EXPECT_NEAR(clopper_pearson_upper(0, 1000, .05), 1 - std::pow(.05, 1e-3), 1e-15);
}

// The ranks of the interval for the median of 10 rows are 2 and 9: P(Bin(10, 1/2) <= 1) = 11/1024 <= .025 < 56/1024.
TEST(Intervals, RanksOfTheMedian) {
  const QuantileInterval ten = quantile_interval(ranks(10), .5, .05);
  EXPECT_EQ(ten.low, 2);
  EXPECT_EQ(ten.high, 9);
  const QuantileInterval five = quantile_interval(ranks(5), .5, .05);  // 1/32 > .025: no rank serves
  EXPECT_FALSE(five.low);
  EXPECT_FALSE(five.high);
  EXPECT_EQ(quantile_interval(ranks(6), .5, .05).low, 1);
  EXPECT_EQ(quantile_interval(ranks(6), .5, .05).high, 6);
}

// Every rank beyond the interval would do too: by the binomial law summed term by term.
TEST(Intervals, RanksOfOtherQuantiles) {
  for (const int64_t n : {50, 200, 1000}) {
    for (const double q : {.05, .25, .5}) {
      double term = std::pow(1 - q, static_cast<double>(n)), tail = 0;  // P(Bin = 0)
      int64_t low = 0, high = n + 1;
      for (int64_t k = 0; k <= n; ++k) {
        tail += term;                                    // P(Bin <= k)
        if (tail <= .025) low = k + 1;                   // rank k + 1: P(Bin <= k)
        if (1 - tail <= .025 && high > n) high = k + 1;  // rank k + 1: P(Bin >= k + 1)
        term *= static_cast<double>(n - k) / static_cast<double>(k + 1) * q / (1 - q);
      }
      const QuantileInterval i = quantile_interval(ranks(n), q, .05);
      EXPECT_EQ(i.low.value_or(0), static_cast<double>(low)) << n << ' ' << q;
      EXPECT_EQ(i.high.value_or(static_cast<double>(n + 1)), static_cast<double>(high)) << n << ' ' << q;
    }
  }
}

TEST(Intervals, Quantiles) {
  EXPECT_EQ(quantile_of(ranks(100), .05), 5);
  EXPECT_EQ(quantile_of(ranks(100), .5), 50);
  EXPECT_EQ(quantile_of(ranks(1), .9), 1);
  EXPECT_TRUE(std::isnan(quantile_of({}, .5)));
  EXPECT_THROW(quantile_of(ranks(3), 1), Error);
}

// Rows 0, 1, …, 9: mean 4.5, standard error sqrt(82.5 / 9 / 10); t quantiles of 9 degrees from tables.
TEST(Intervals, StudentOnBothSides) {
  std::vector<double> rows = ranks(10);
  for (double& r : rows) r -= 1;
  const double error = std::sqrt(82.5 / 9 / 10);
  EXPECT_NEAR(*student_t_lower(rows, .05), 4.5 - 1.833112933 * error, 1e-8);
  EXPECT_NEAR(*student_t_upper(rows, .05), 4.5 + 1.833112933 * error, 1e-8);
  EXPECT_NEAR(student_t(rows, .05)->low, 4.5 - 2.262157163 * error, 1e-8);
  EXPECT_FALSE(student_t_lower(std::vector<double>{1, 1, 1}, .05));
}

TEST(Intervals, BandOfTheDistributionFunction) {
  EXPECT_NEAR(dkw_band(1000, .05), std::sqrt(std::log(20.) / 2000), 1e-15);
  EXPECT_THROW(dkw_band(0, .05), Error);
  EXPECT_THROW(dkw_band(10, .6), Error);
}

TEST(Intervals, McNemarIsTheSignTest) {
  EXPECT_NEAR(mcnemar(1, 9), 2 * 11. / 1024, 1e-15);
  EXPECT_NEAR(mcnemar(9, 1), 2 * 11. / 1024, 1e-15);
  EXPECT_EQ(mcnemar(5, 5), 1);
  EXPECT_EQ(mcnemar(0, 0), 1);
  EXPECT_NEAR(mcnemar(0, 20), std::ldexp(1., -19), 1e-20);
}

TEST(Intervals, Holm) {
  const std::vector<double> p = {.01, .04, .03, .005};
  const std::vector<double> expected = {.03, .06, .06, .02};
  const std::vector<double> got = holm(p);
  for (size_t i = 0; i < p.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-15);
  EXPECT_EQ(holm(std::vector<double>{.6, std::nan("")})[1], 1);
  EXPECT_TRUE(holm({}).empty());
}

// About half of the rows fall in half A, and another seed gives other halves.
TEST(Intervals, HalvesDependOnSeedAndRowAlone) {
  int64_t in_a = 0, moved = 0;
  for (int64_t i = 0; i < 10000; ++i) in_a += in_half_a(0, i), moved += in_half_a(0, i) != in_half_a(1, i);
  EXPECT_NEAR(static_cast<double>(in_a), 5000, 200);
  EXPECT_NEAR(static_cast<double>(moved), 5000, 200);
}

}  // namespace
}  // namespace viva
