// How often intervals cover in fixed scenarios. The short run repeats each a few hundred times and allows for its own
// noise; tools/test --long repeats 10,000 times (bootstraps 1,000) and holds the limits that the report names.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "examine/calibration_error.h"
#include "examine/statistics.h"
#include "examine/streams.h"
#include "examine/temperature.h"
#include "support/draws.h"

namespace viva {
namespace {

bool long_run() { return std::getenv("VIVA_LONG") != nullptr; }

// The share of repetitions in which `covers` holds, and the least that is accepted of a true coverage of `least`.
void expect_coverage(const char* what, uint32_t scenario, int64_t repetitions, int64_t few, double least,
                     const std::function<bool(Draws&)>& covers) {
  const int64_t n = long_run() ? repetitions : few;
  ThreadPool pool(2);
  std::vector<char> held(static_cast<size_t>(n));
  pool.run(n, [&](int64_t r) {
    Draws d(scenario, static_cast<uint32_t>(r));
    held[static_cast<size_t>(r)] = covers(d);
  });
  const double share = static_cast<double>(std::ranges::count(held, 1)) / static_cast<double>(n);
  const double noise = long_run() ? 0 : 3.5 * std::sqrt(.95 * .05 / static_cast<double>(n));
  std::printf("%s: covered %.4f of %lld\n", what, share, static_cast<long long>(n));
  EXPECT_GE(share, least - noise) << what;
}

bool holds(const std::optional<Range>& r, double truth) { return r && r->low <= truth && truth <= r->high; }

// Losses of a network that is mostly sure and right: log(1 + exp(-m)), m ~ N(3, 2^2). Skewness 4.1.
double loss(Draws& d) { return std::log1p(std::exp(-(3 + 2 * d.normal()))); }
double mean_loss() {
  double sum = 0, weight = 0;
  for (double z = -10; z <= 10; z += 1e-4) {
    const double w = std::exp(-z * z / 2);
    sum += w * std::log1p(std::exp(-(3 + 2 * z)));
    weight += w;
  }
  return sum / weight;
}
std::vector<double> losses(Draws& d, int64_t n) {
  std::vector<double> v;
  for (int64_t i = 0; i < n; ++i) v.push_back(loss(d));
  return v;
}

TEST(Coverage, ClopperPearson) {
  expect_coverage("Clopper-Pearson, .9 of 1,000", 1, 10000, 2000, .943,
                  [](Draws& d) { return holds(clopper_pearson(d.binomial(1000, .9), 1000, .05), .9); });
  expect_coverage("Clopper-Pearson, .02 of 200", 2, 10000, 2000, .943,
                  [](Draws& d) { return holds(clopper_pearson(d.binomial(200, .02), 200, .05), .02); });
  expect_coverage("one-sided upper, .05 of 1,000", 3, 10000, 2000, .943,
                  [](Draws& d) { return clopper_pearson_upper(d.binomial(1000, .05), 1000, .05) >= .05; });
}

TEST(Coverage, Student) {
  const double truth = mean_loss();
  const auto covers = [truth](int64_t n) {
    return [truth, n](Draws& d) { return holds(student_t(losses(d, n), .05), truth); };
  };
  expect_coverage("Student t, n = 200", 4, 10000, 500, .93, covers(200));
  // The true coverage lies near .9458 (150,000 repetitions with NumPy): 10,000 repetitions may fall below .943 by
  // chance.
  expect_coverage("Student t, n = 1,000", 5, 40000, 500, .943, covers(1000));
  expect_coverage("Student t, n = 10,000", 6, 10000, 200, .943, covers(10000));
  expect_coverage("Student t, one-sided lower, n = 1,000", 7, 10000, 500, .943,
                  [truth](Draws& d) { return *student_t_lower(losses(d, 1000), .05) <= truth; });
}

TEST(Coverage, Bootstrap) {
  const double truth = mean_loss();
  for (const int64_t n : {50, 100, 199}) {
    expect_coverage(n == 50    ? "BCa, n = 50"
                    : n == 100 ? "BCa, n = 100"
                               : "BCa, n = 199",
                    static_cast<uint32_t>(n), 1000, 60, n == 50 ? .87 : .885, [truth, n](Draws& d) {
                      const auto rows = losses(d, n);
                      ThreadPool alone(1);
                      const Cancel go{false};
                      const uint64_t seed = static_cast<uint64_t>(d.uniform() * 0x1p32);
                      return holds(BcaMean(rows, seed, 1, alone, go).interval(.05), truth);
                    });
  }
}

// Quantiles of the exponential law.
TEST(Coverage, OrderStatistics) {
  for (const double q : {.5, .05}) {
    expect_coverage(q == .5 ? "order statistics, median of 200" : "order statistics, .05 quantile of 200",
                    q == .5 ? 8 : 9, 10000, 1000, .943, [q](Draws& d) {
                      std::vector<double> v;
                      for (int i = 0; i < 200; ++i) v.push_back(-std::log(d.uniform()));
                      std::ranges::sort(v);
                      const QuantileInterval i = quantile_interval(v, q, .05);
                      const double truth = -std::log1p(-q);
                      return i.low.value_or(0) <= truth && truth <= i.high.value_or(INFINITY);
                    });
  }
}

TEST(Coverage, Band) {
  expect_coverage("DKW, one-sided, n = 1,000", 10, 10000, 1000, .943, [](Draws& d) {
    std::vector<double> v;
    for (int i = 0; i < 1000; ++i) v.push_back(d.uniform());
    std::ranges::sort(v);
    double above = 0;
    for (size_t i = 0; i < v.size(); ++i) above = std::max(above, static_cast<double>(i + 1) / 1000 - v[i]);
    return above <= dkw_band(1000, .05);
  });
}

// Confidence c ~ U(.5, 1), right with probability c - off: the error of the bins at the confidences drawn.
TEST(Coverage, CalibrationError) {
  for (const double off : {0., .1}) {
    expect_coverage(off > 0 ? "ECE, .1 over-confident" : "ECE, calibrated", off > 0 ? 11 : 12, 10000, 1000, .943,
                    [off](Draws& d) {
                      Confidences c;
                      std::vector<double> truth(calibration_bins);
                      for (int i = 0; i < 500; ++i) {
                        c.confidence.push_back(.5 + d.uniform() / 2);
                        c.right.push_back(d.uniform() < c.confidence.back() - off);
                        truth[static_cast<size_t>(bin_of(c.confidence.back(), calibration_bins))] += off / 500;
                      }
                      double error = 0;
                      for (const double t : truth) error += std::abs(t);
                      return holds(calibration_error_interval(binned(c), .05), error);
                    });
  }
}

// y ~ sigmoid(a), predicted sigmoid(2a), a ~ N(0, 2^2): T = 2.
TEST(Coverage, Temperature) {
  for (const int64_t n : {200, 1000}) {
    expect_coverage(n == 200 ? "temperature, n = 200" : "temperature, n = 1,000", static_cast<uint32_t>(n + 20), 1000,
                    100, .928, [n](Draws& d) {
                      LabelledLogits l{2, {}, {}};
                      std::vector<int64_t> rows;
                      for (int64_t i = 0; i < n; ++i) {
                        const double a = 2 * d.normal();
                        l.logits.insert(l.logits.end(), {0, 2 * a});
                        l.labels.push_back(d.uniform() < 1 / (1 + std::exp(-a)));
                        rows.push_back(i);
                      }
                      const Temperature t = fit_temperature(l, rows);
                      if (!t.value) return false;
                      ThreadPool alone(1);
                      const Cancel go{false};
                      const uint64_t seed = static_cast<uint64_t>(d.uniform() * 0x1p32);
                      const auto ends = TemperatureBootstrap(l, *t.value, seed, alone, go).interval(.05);
                      return ends && ends->low.value_or(0) <= 2 && 2 <= ends->high.value_or(INFINITY);
                    });
  }
}

}  // namespace
}  // namespace viva
