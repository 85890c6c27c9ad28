#include "examine/statistics.h"

#include <gtest/gtest.h>

#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/threefry.h"
#include "examine/binomial.h"

namespace viva {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
const double nan = std::nan("");

void expect_range(std::optional<Range> got, double low, double high, double tolerance) {
  ASSERT_TRUE(got);
  EXPECT_NEAR(got->low, low, tolerance);
  EXPECT_NEAR(got->high, high, tolerance);
}

TEST(Statistics, ClopperPearsonKnownAnswers) {
  expect_range(clopper_pearson(18, 20, .05), .683017, .987651, 5e-7);
  expect_range(clopper_pearson(0, 20, .05), 0, .168433, 5e-7);
  expect_range(clopper_pearson(9027, 10000, .05), .896723, .908441, 5e-7);
  expect_range(clopper_pearson(10000, 10000, .05), .999631, 1, 5e-7);
  expect_range(clopper_pearson(734, 1000, sidak(.05, 10)), .693138, .772222, 5e-7);
}

TEST(Statistics, ClopperPearsonInvertsTheBinomial) {
  for (const int64_t n : {1, 2, 7, 50, 300}) {
    for (int64_t k = 0; k <= n; k += std::max<int64_t>(1, n / 10)) {
      const Range r = clopper_pearson(k, n, .05);
      if (k > 0) { EXPECT_NEAR(1 - binomial_cdf(k - 1, n, r.low), .025, 1e-10) << k << " of " << n; }
      if (k < n) { EXPECT_NEAR(binomial_cdf(k, n, r.high), .025, 1e-10) << k << " of " << n; }
      EXPECT_DOUBLE_EQ(clopper_pearson_lower(k, n, .025), r.low);
    }
  }
}

TEST(Statistics, ClopperPearsonEdges) {
  EXPECT_EQ(clopper_pearson(0, 0, .05), (Range{0, 1}));
  EXPECT_EQ(clopper_pearson(0, 1, .05).low, 0);
  EXPECT_EQ(clopper_pearson(1, 1, .05).high, 1);
  EXPECT_NEAR(clopper_pearson(1, 1, .05).low, .025, 1e-15);
  const Range huge = clopper_pearson(int64_t{1} << 40, int64_t{1} << 41, .05);
  EXPECT_LT(huge.low, .5);
  EXPECT_GT(huge.high, .5);
  EXPECT_LT(huge.high - huge.low, 2e-6);
  EXPECT_THROW(clopper_pearson(2, 1, .05), Error);
  EXPECT_THROW(clopper_pearson(-1, 1, .05), Error);
  EXPECT_THROW(clopper_pearson(0, -1, .05), Error);
  EXPECT_THROW(clopper_pearson(0, 1, nan), Error);
  EXPECT_THROW(clopper_pearson(0, 1, 0), Error);
}

// What the interval promises: over all outcomes it misses the truth with probability at most alpha.
TEST(Statistics, ClopperPearsonCovers) {
  for (const double p : {.03, .5, .9, .995}) {
    const boost::math::binomial_distribution<> law(60, p);
    double missed = 0;
    for (int64_t k = 0; k <= 60; ++k) {
      const Range r = clopper_pearson(k, 60, .05);
      if (p < r.low || p > r.high) missed += boost::math::pdf(law, static_cast<double>(k));
    }
    EXPECT_LE(missed, .05) << p;
  }
}

TEST(Statistics, Sidak) {
  EXPECT_EQ(sidak(.05, 1), .05);
  EXPECT_NEAR(sidak(.05, 10), 1 - std::pow(.95, .1), 1e-16);
  EXPECT_NEAR(sidak(.05, 1000000) * 1e6, -std::log(.95), 1e-8);
  EXPECT_THROW(sidak(.05, 0), Error);
}

TEST(Statistics, SumKeepsWhatPlainAdditionLoses) {
  EXPECT_EQ(sum_of(std::vector<double>{1, 1e100, 1, -1e100}), 2);
  EXPECT_EQ(sum_of({}), 0);
  EXPECT_EQ(sum_of(std::vector<double>{1, inf, 2}), inf);
  EXPECT_TRUE(std::isnan(sum_of(std::vector<double>{inf, -inf})));
  EXPECT_TRUE(std::isnan(mean_of({})));
}

TEST(Statistics, StudentT) {
  // Two rows 0 and 1: mean 1/2, standard error 1/2, quantile of Cauchy's law tan(pi (.975 - 1/2)).
  const double t = std::tan(M_PI * .475);
  expect_range(student_t(std::vector<double>{0, 1}, .05), .5 - t / 2, .5 + t / 2, 1e-9);
  const std::vector<double> rows = {2.1, 3.4, 1.9, 5.6, 4.4};
  const double mean = 3.48, sd = std::sqrt((1.38 * 1.38 + .08 * .08 + 1.58 * 1.58 + 2.12 * 2.12 + .92 * .92) / 4);
  expect_range(student_t(rows, .05), mean - 2.776445105 * sd / std::sqrt(5), mean + 2.776445105 * sd / std::sqrt(5),
               1e-8);
  EXPECT_FALSE(student_t(std::vector<double>(200, .9), .05));  // no spread
  EXPECT_FALSE(student_t(std::vector<double>{}, .05));
  EXPECT_FALSE(student_t(std::vector<double>{1}, .05));
  EXPECT_FALSE(student_t(std::vector<double>{1, nan, 2}, .05));
  EXPECT_FALSE(student_t(std::vector<double>{1, inf, 2}, .05));
  EXPECT_FALSE(student_t(std::vector<double>{1e300, -1e300}, .05));
}

TEST(Statistics, StudentTApplies) {
  std::vector<double> rows(200, 1);
  EXPECT_TRUE(student_t_applies(rows));
  rows[7] = 22;  // 22 of 221: under a tenth
  EXPECT_TRUE(student_t_applies(rows));
  rows[7] = 23;  // 23 of 222: above
  EXPECT_FALSE(student_t_applies(rows));
  EXPECT_FALSE(student_t_applies(std::vector<double>(199, 1)));
  EXPECT_TRUE(student_t_applies(std::vector<double>(200, 0)));
  rows[7] = nan;
  EXPECT_FALSE(student_t_applies(rows));
}

const std::vector<double> skewed = {.188,  .223, .038,  .224,  .313,  .1,    .259,  .429,  .196,  .285,
                                    .576,  .34,  .293,  .759,  .548,  .267,  .979,  .841,  .184,  1.236,
                                    1.245, .014, 1.522, 1.791, .288,  1.823, 2.514, .783,  2.109, 3.453,
                                    1.553, 2.33, 4.645, 2.702, 2.405, 6.124, 4.369, 2.212, 7.911, 6.725};

// The ends that SciPy 1.17 finds with a million resamples; ours differ by the noise of ten thousand.
TEST(Statistics, BcaAgreesWithSciPy) {
  ThreadPool pool(2);
  const BcaMean bca(skewed, 1, 0, pool, Cancel{false});
  expect_range(bca.interval(.05), 1.1312, 2.3544, .02);
  expect_range(bca.interval(.01), 1.0095, 2.6379, .05);
}

TEST(Statistics, BcaIsAFunctionOfRowsSeedAndStream) {
  ThreadPool one(1), four(4);
  const auto a = BcaMean(skewed, 5, 3, one, Cancel{false}).interval(.05);
  EXPECT_EQ(a, BcaMean(skewed, 5, 3, four, Cancel{false}).interval(.05));
  EXPECT_NE(a, BcaMean(skewed, 6, 3, four, Cancel{false}).interval(.05));
  EXPECT_NE(a, BcaMean(skewed, 5, 4, four, Cancel{false}).interval(.05));
}

TEST(Statistics, Spread) {
  EXPECT_FALSE(have_spread({}));
  EXPECT_FALSE(have_spread(std::vector<double>{7}));
  EXPECT_FALSE(have_spread(std::vector<double>(300, 7.9e-26)));
  EXPECT_FALSE(have_spread(std::vector<double>(300, 0)));
  EXPECT_FALSE(have_spread(std::vector<double>{.3, std::nextafter(.3, 1)}));
  EXPECT_TRUE(have_spread(std::vector<double>{.3, .3 + 1e-13}));
  EXPECT_TRUE(have_spread(std::vector<double>{0, 1e-300}));
  // With n fair coins all fall alike with probability 2^(1 - n): 1/16 for 5, 1/32 for 6.
  EXPECT_FALSE(enough_rows(5, .05));
  EXPECT_TRUE(enough_rows(6, .05));
  EXPECT_FALSE(enough_rows(0, .99));
  EXPECT_TRUE(enough_rows(int64_t{1} << 40, 1e-9));
}

TEST(Statistics, BcaEdges) {
  ThreadPool pool(1);
  const Cancel go{false}, stop{true};
  EXPECT_FALSE(BcaMean({}, 0, 0, pool, go).interval(.05));
  EXPECT_FALSE(BcaMean(std::vector<double>{1}, 0, 0, pool, go).interval(.05));
  EXPECT_FALSE(BcaMean(std::vector<double>{1, nan}, 0, 0, pool, go).interval(.05));
  EXPECT_FALSE(BcaMean(std::vector<double>{1, inf}, 0, 0, pool, go).interval(.05));
  EXPECT_FALSE(BcaMean(std::vector<double>{1e200, -1e200, 3e200}, 0, 0, pool, go).interval(.05));
  EXPECT_FALSE(BcaMean(std::vector<double>(9, .9), 0, 0, pool, go).interval(.05));
  EXPECT_FALSE(BcaMean(std::vector<double>{0, 1, 2, 3, 4}, 0, 0, pool, go).interval(.05));
  EXPECT_TRUE(BcaMean(std::vector<double>{0, 1, 2, 3, 4}, 0, 0, pool, go).interval(.0625));
  EXPECT_TRUE(BcaMean(std::vector<double>{0, 1, 2, 3, 4, 5}, 0, 0, pool, go).interval(.05));
  EXPECT_FALSE(BcaMean(skewed, 0, 0, pool, go).interval(1e-9));  // beyond what 10,000 resamples resolve
  EXPECT_THROW(BcaMean(skewed, 0, 0, pool, stop), Error);
}

// Of 300 samples of 60 exponential rows the 95 % interval should miss the mean 1 about 15 times, a little more for so
// small a sample; a percentile interval without the corrections misses one-sidedly.
TEST(Statistics, BcaCovers) {
  ThreadPool pool(2);
  int missed = 0;
  for (uint32_t s = 0; s < 300; ++s) {
    std::vector<double> rows(60);
    for (uint32_t i = 0; i < 60; ++i) rows[i] = -std::log((threefry2x32({s, 99}, {i, 0})[0] + .5) / 4294967296.0);
    const auto r = BcaMean(rows, s, 0, pool, Cancel{false}).interval(.05);
    ASSERT_TRUE(r);
    missed += r->low > 1 || r->high < 1;
  }
  EXPECT_GE(missed, 8);
  EXPECT_LE(missed, 32);
}

TEST(Statistics, LogSumExp) {
  EXPECT_NEAR(log_sum_exp(std::vector<double>{0, 0, 0}), std::log(3), 1e-15);
  EXPECT_EQ(log_sum_exp(std::vector<double>{1000, 0}), 1000);
  EXPECT_EQ(log_sum_exp({}), -inf);
  EXPECT_EQ(log_sum_exp(std::vector<double>{-inf, -inf}), -inf);
  EXPECT_EQ(log_sum_exp(std::vector<double>{inf, 0}), inf);
  EXPECT_TRUE(std::isnan(log_sum_exp(std::vector<double>{nan, 0})));
  EXPECT_TRUE(std::isnan(log_sum_exp(std::vector<double>{inf, nan})));
}

TEST(Statistics, LogLoss) {
  EXPECT_NEAR(log_loss_of_logits(std::vector<double>(10, 0), 3), 2.302585, 5e-7);
  EXPECT_EQ(log_loss_of_logits(std::vector<double>{1000, 0}, 1), 1000);
  // Far into the tail the loss is exp(-50), not 0.
  EXPECT_NEAR(log_loss_of_logits(std::vector<double>{50, 0}, 0) / std::exp(-50), 1, 1e-12);
  EXPECT_EQ(log_loss_of_logits(std::vector<double>{0, -inf}, 1), inf);
  EXPECT_EQ(log_loss_of_logits(std::vector<double>{0, -inf}, 0), 0);
  EXPECT_TRUE(std::isnan(log_loss_of_logits(std::vector<double>{inf, 0}, 0)));
  EXPECT_TRUE(std::isnan(log_loss_of_logits(std::vector<double>{nan, 0}, 1)));
  EXPECT_TRUE(std::isnan(log_loss_of_logits(std::vector<double>{-inf, -inf}, 1)));
}

TEST(Statistics, Brier) {
  EXPECT_NEAR(brier(std::vector<double>(10, .1), 3), .9, 1e-15);
  EXPECT_EQ(brier(std::vector<double>{1, 0}, 0), 0);
  EXPECT_EQ(brier(std::vector<double>{1, 0}, 1), 2);
  std::vector<double> p(2);
  softmax(std::vector<double>{std::log(3), 0}, p);
  EXPECT_NEAR(p[0], .75, 1e-15);
  softmax(std::vector<double>{1000, -1000}, p);
  EXPECT_EQ(p, (std::vector<double>{1, 0}));
}

}  // namespace
}  // namespace viva
