#include "examine/detectable.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "base/error.h"
#include "examine/binomial.h"
#include "examine/statistics.h"
#include "support/draws.h"

namespace viva {
namespace {

constexpr double level = .05 / 30;  // of Holm's first test among 30

// How often an effect of the size found is told: .8, within what 4,000 repetitions leave open and what the normal law
// leaves of Student's and of McNemar's.
void expect_told(const char* what, uint32_t scenario, double within, const std::function<bool(Draws&)>& told) {
  constexpr int repetitions = 4000;
  int k = 0;
  for (int r = 0; r < repetitions; ++r) {
    Draws d(scenario, static_cast<uint32_t>(r));
    k += told(d);
  }
  EXPECT_NEAR(k / static_cast<double>(repetitions), .8, within) << what;
}

TEST(Detectable, KnownAnswers) {
  const Detectable large = detectable_against(.9, 10000), small = detectable_against(.9, 1000);
  EXPECT_NEAR(*large.above, .0083, 5e-5);
  EXPECT_NEAR(*large.below, -.0086, 5e-5);
  EXPECT_NEAR(*small.above, .0254, 5e-5);
  EXPECT_NEAR(*small.below, -.0284, 5e-5);
}

// By brute force: build the rejection region count by count and check the power at the rate found.
TEST(Detectable, HasTheStatedPower) {
  for (const double p0 : {.3, .9}) {
    const int64_t n = 120;
    int64_t above = 0, below = n;
    while (1 - binomial_cdf(above - 1, n, p0) > .025) ++above;
    while (binomial_cdf(below, n, p0) > .025) --below;
    const Detectable d = detectable_against(p0, n);
    EXPECT_NEAR(1 - binomial_cdf(above - 1, n, p0 + *d.above), .8, 1e-9);
    EXPECT_NEAR(binomial_cdf(below, n, p0 + *d.below), .8, 1e-9);
  }
}

TEST(Detectable, Edges) {
  EXPECT_FALSE(detectable_against(1, 100).above);
  EXPECT_NEAR(*detectable_against(1, 100).below, std::pow(.2, .01) - 1, 1e-12);  // one error refutes p = 1
  EXPECT_FALSE(detectable_against(0, 100).below);
  EXPECT_FALSE(detectable_against(.9, 5).above);  // even 5 of 5 rejects nothing
  EXPECT_FALSE(detectable_against(.9, 0).above);
  EXPECT_THROW(detectable_against(std::nan(""), 10), Error);
  EXPECT_NEAR(*detectable_paired(.05, 15696), .005, 2e-6);
  EXPECT_NEAR(*detectable_paired(.10, 1960), .02, 1e-4);
  EXPECT_FALSE(detectable_paired(.05, 0));
}

TEST(Detectable, MeanIsToldInFourOfFive) {
  const auto rows_about = [](Draws& d, double mean, int64_t n, double spread) {
    std::vector<double> v;
    for (int64_t i = 0; i < n; ++i) v.push_back(mean + spread * d.normal());
    return v;
  };
  struct Case {
    const char* what;
    int64_t n;
    double material_limit;
  };
  constexpr double spread = .3;
  // What binds is the level or the limit.
  for (const Case& c : {Case{"level", 400, .02}, Case{"limit", 400, .1}}) {
    Draws first(1, 0);
    // A sample of the exact spread: its size is what the samples below are held against.
    std::vector<double> sample = rows_about(first, 0, c.n, spread);
    const double mean = mean_of(sample),
                 deviation = std::sqrt(squares_about_mean(sample) / static_cast<double>(c.n - 1));
    for (double& v : sample) v = (v - mean) / deviation * spread;
    const std::optional<double> effect = detectable_mean(sample, c.material_limit, level);
    ASSERT_TRUE(effect) << c.what;
    expect_told(c.what, 2, .03, [&](Draws& d) {
      const std::vector<double> rows = rows_about(d, *effect, c.n, spread);
      return student_p_above(rows, 0) <= level && *student_t_lower(rows, .05) >= c.material_limit;
    });
  }
  EXPECT_FALSE(detectable_mean(std::vector<double>{.1}, 0, level));
}

// Rows of confidence .9 and 1, one in `every` wrong: at the gap found right rows are wrong more often.
TEST(Detectable, GapIsToldInFourOfFive) {
  for (const auto& [n, every] : {std::pair<int64_t, int64_t>{4000, 20}, {400, 20}, {4000, 4001}}) {
    std::vector<double> confidence;
    std::vector<bool> right;
    double sure = 0, share = 0;
    for (int64_t i = 0; i < n; ++i) {
      confidence.push_back(every > n ? .999 : i / every % 2 == 0 ? .9 : 1);
      right.push_back(i % every != every - 1);
      sure += confidence.back() / static_cast<double>(n), share += right.back() / static_cast<double>(n);
    }
    const std::optional<double> gap = detectable_gap(confidence, right, .02, level);
    ASSERT_TRUE(gap);
    expect_told("gap", 4, .05, [&](Draws& d) {
      std::vector<double> gaps;
      for (int64_t i = 0; i < n; ++i) gaps.push_back(confidence[static_cast<size_t>(i)] - (d.uniform() < sure - *gap));
      return student_p_above(gaps, 0) <= level && mean_of(gaps) >= .02 && *student_t_lower(gaps, .05) > 0;
    });
  }
  // Ten rows that are right and sure: a few wrong ones would spread them.
  EXPECT_GT(*detectable_gap(std::vector<double>(10, .999), std::vector<bool>(10, true), .02, level), .5);
  EXPECT_FALSE(detectable_gap(std::vector<double>(2, .999), std::vector<bool>(2, true), .02, level));
  EXPECT_FALSE(detectable_gap(std::vector<double>{.9}, {true}, .02, level));
}

TEST(Detectable, GainIsToldInFourOfFive) {
  // Among few rows the level binds, among many the limit; rows may differ without a gain.
  for (const auto& [n, apart] : {std::pair{60., 0.}, {300., 60.}, {5000., 0.}, {5000., 3000.}}) {
    const std::optional<double> gain = detectable_gain(static_cast<int64_t>(n), apart, .05, level);
    ASSERT_TRUE(gain);
    const double differ = std::max(apart / n, *gain), up = (differ + *gain) / 2;
    expect_told("gain", 3, .025, [&](Draws& d) {
      std::vector<double> rows;
      int64_t gained = 0, lost = 0;
      for (double i = 0; i < n; ++i) {
        const double u = d.uniform();
        gained += u < up, lost += u >= up && u < differ;
        rows.push_back(u < up ? 1 : u < differ ? -1 : 0);
      }
      return gained > lost && mcnemar(gained, lost) <= level && *student_t_lower(rows, .05) >= .05;
    });
  }
  EXPECT_FALSE(detectable_gain(9, 0, .05, level));  // 9 of 9 have p = .0039
  EXPECT_FALSE(detectable_gain(0, 0, .05, level));
}

TEST(Detectable, RecallIsToldInFourOfFive) {
  constexpr double threshold = .85, each = .005;
  const auto told = [&](int64_t hit, int64_t n) {
    return clopper_pearson_upper(hit, n, each) < threshold && binomial_at_least(n - hit, n, 1 - threshold) <= level;
  };
  for (const int64_t n : {20, 100, 1000}) {
    const std::optional<double> recall = detectable_recall(n, threshold, each, level);
    ASSERT_TRUE(recall);
    double probability = 0;
    for (int64_t hit = 0; hit <= n; ++hit)
      if (told(hit, n)) probability += binomial_at_most(hit, n, *recall) - binomial_at_most(hit - 1, n, *recall);
    EXPECT_NEAR(probability, .8, 1e-9) << n;
  }
  EXPECT_FALSE(detectable_recall(3, threshold, each, level));  // .15³ is above the level
  EXPECT_FALSE(detectable_recall(0, threshold, each, level));
  EXPECT_FALSE(detectable_recall(1000, -.01, each, level));  // no recall lies below
}

TEST(Detectable, ShareIsTheFewestThatAreTold) {
  const auto told = [&](int64_t k, int64_t n, double most) {
    return clopper_pearson_lower(k, n, .05) > most && binomial_at_least(k, n, most) <= level;
  };
  for (const auto& [n, most] : {std::pair<int64_t, double>{10000, .001}, {1000, .01}, {20, .25}}) {
    const std::optional<int64_t> fewest = detectable_share(n, most, level);
    ASSERT_TRUE(fewest);
    EXPECT_TRUE(told(*fewest, n, most));
    EXPECT_FALSE(told(*fewest - 1, n, most));
  }
  EXPECT_FALSE(detectable_share(4, .25, level));  // .25⁴ is above the level
  EXPECT_FALSE(detectable_share(0, .25, level));
}

}  // namespace
}  // namespace viva
