// The examiner calibration on laws whose answers are integrals.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "examine/calibration_error.h"
#include "examine/fake_subject.h"
#include "examine/streams.h"
#include "examine/temperature.h"

namespace viva {
namespace {

using testing::examined;
using testing::FakeSubject;
using testing::get;
using testing::names_class;
using testing::place_in;
using testing::planted;
using testing::source;

// The i-th number of van der Corput's sequence.
double spread_out(int64_t i, int64_t base) {
  double x = 0, scale = 1;
  for (++i; i > 0; i /= base) x += static_cast<double>(i % base) * (scale /= static_cast<double>(base));
  return x;
}

// The normal quantile by bisection.
double normal_quantile(double p) {
  double low = -9, high = 9;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::sqrt(2.)) / 2 < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

double sigmoid(double a) { return 1 / (1 + std::exp(-a)); }

// Rows (a, y): a standard normal, y = 1 with probability sigmoid(a).
RowSource logistic_rows(int64_t n) {
  std::vector<double> a;
  std::vector<int64_t> y;
  for (int64_t i = 0; i < n; ++i) {
    a.push_back(normal_quantile(spread_out(i, 2)));
    y.push_back(spread_out(i, 3) < sigmoid(a.back()));
  }
  return source(y, 1, [a](int64_t row, int64_t) { return static_cast<float>(a[static_cast<size_t>(row)]); });
}

// y ~ sigmoid(a), predicted sigmoid(2a), a ~ N(0, 1). The values are integrals over a (midpoint rule, 10^6 points).
TEST(Calibration, TwiceTooSure) {
  FakeSubject net(1, 2, [](std::span<const float> row) { return std::vector<double>{0, 2. * row[0]}; });
  const Report r = examined(net, logistic_rows(40000));
  EXPECT_NEAR(*get(r, "risk.accuracy").estimate, .674857, 1e-3);
  EXPECT_NEAR(*get(r, "calibration.gap").estimate, .103133, 1e-3);
  EXPECT_NEAR(*get(r, "risk.log_loss").estimate, .654472, 1e-3);
  EXPECT_NEAR(*get(r, "risk.brier").estimate, .438412, 1e-3);
  EXPECT_NEAR(*get(r, "calibration.temperature").estimate, 2, .02);
  EXPECT_NEAR(*get(r, "calibration.log_loss_gain").estimate, .654472 - .599438, 1e-3);
  EXPECT_NEAR(*get(r, "calibration.gap_after").estimate, 0, 1e-3);
  EXPECT_GT(*get(r, "calibration.gap").interval->low, .09);
  EXPECT_LT(*get(r, "calibration.temperature").interval->low, 2);
  EXPECT_GT(*get(r, "calibration.temperature").interval->high, 2);
}

TEST(Calibration, WhatIsCalibratedIsNotAccused) {
  FakeSubject net(1, 2, [](std::span<const float> row) { return std::vector<double>{0, row[0]}; });
  const Report r = examined(net, logistic_rows(20000), {"calibration.gap <= .02", "calibration.ece <= .1"});
  EXPECT_NEAR(*get(r, "calibration.gap").estimate, 0, 2e-3);
  EXPECT_EQ(get(r, "calibration.ece").interval->low, 0);
  EXPECT_NEAR(*get(r, "calibration.temperature").estimate, 1, .02);
  EXPECT_EQ(r.claims[0].ruling, Verdict::supported);
  EXPECT_EQ(r.claims[1].ruling, Verdict::supported);
}

// Confidence 1 lies in the last bin, not in one of its own.
TEST(Calibration, BinsAreClosedOnTheRight) {
  EXPECT_EQ(bin_of(1, 15), 14);
  EXPECT_EQ(bin_of(0, 15), 0);
  for (int64_t b = 1; b <= 15; ++b) {
    const double edge = static_cast<double>(b) / 15;
    EXPECT_EQ(bin_of(edge, 15), b - 1);
    EXPECT_EQ(bin_of(std::nextafter(edge, 2), 15), std::min<int64_t>(b, 14));
  }
  const Confidences c{{.95, 1.0}, {true, false}};
  EXPECT_NEAR(calibration_error(binned(c)), .475, 1e-15);
}

// The uncorrected error of a calibrated network, confidence ~ U(.5, 1): values of 20,000 simulations with another
// generator.
TEST(Calibration, NullOfTheError) {
  struct Case {
    int64_t n;
    double mean, high;
  };
  for (const Case& c : {Case{200, .0630, .0934}, {1000, .0284, .0417}, {5000, .0127, .0186}, {10000, .0089, .0132}}) {
    Confidences rows;
    for (int64_t i = 0; i < c.n; ++i) rows.confidence.push_back(.5 + spread_out(i, 2) / 2), rows.right.push_back(true);
    ThreadPool pool(2);
    const Cancel go{false};
    const CalibrationNull null = calibration_null(rows, 0, pool, go);
    const double mean = std::accumulate(null.binned.begin(), null.binned.end(), 0.0) / CalibrationNull::draws;
    EXPECT_NEAR(mean, c.mean, .03 * c.mean) << c.n;
    EXPECT_NEAR(quantile_of(null.binned, .95), c.high, .03 * c.high) << c.n;
  }
}

// All rows at one confidence p, a fraction q of them right: every mass of the residual lies at p, so that the smooth
// error is |p - q|, until the width reaches the ends.
TEST(Calibration, SmoothErrorAtOneConfidence) {
  for (const double off : {.02, .1, .3}) {
    Confidences c;
    for (int64_t i = 0; i < 1000; ++i) {
      c.confidence.push_back(.7);
      c.right.push_back(static_cast<double>(i) < 1000 * (.7 - off));
    }
    EXPECT_NEAR(smooth_calibration_error(c), off, 1e-9);
  }
}

// Opposite residuals at two confidences a apart cancel as the kernel widens: |r| (2 Phi(a / 2s) - 1) · 2, equal to s,
// far from the ends.
TEST(Calibration, SmoothErrorOfTwoConfidences) {
  Confidences c;
  for (int64_t i = 0; i < 1000; ++i) {
    c.confidence.push_back(i < 500 ? .45 : .55);
    c.right.push_back(i < 500 ? i < 275 : i < 500 + 225);  // .55 and .45
  }
  double low = 1e-4, high = 1;
  for (int i = 0; i < 60; ++i) {
    const double s = (low + high) / 2, value = .1 * std::erf(.1 / (2 * s) / std::sqrt(2.));
    (value > s ? low : high) = s;
  }
  EXPECT_NEAR(smooth_calibration_error(c), low, 2e-4);
}

// Three classes, logits of variance 4, predicted softmax(2 z): T = 2, with a spread of .031 over data sets of 10,000.
TEST(Calibration, TemperatureAndItsSpread) {
  std::vector<double> fits;
  const int draws = 40;
  for (int d = 0; d < draws; ++d) {
    LabelledLogits l{3, {}, {}};
    for (uint32_t i = 0; i < 10000; ++i) {
      double z[3], p[3], total = 0;
      for (uint32_t k = 0; k < 3; ++k) {
        const Words2 w = threefry2x32({7, static_cast<uint32_t>(d)}, {i, k});
        const double u = (w[0] + .5) * 0x1p-32, v = w[1] * 0x1p-32;
        z[k] = 2 * std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * v);
        total += p[k] = std::exp(z[k]);
        l.logits.push_back(2 * z[k]);
      }
      const double u = uniform(threefry2x32({8, static_cast<uint32_t>(d)}, {i, 0})[0]) * total;
      l.labels.push_back(u < p[0] ? 0 : u < p[0] + p[1] ? 1 : 2);
    }
    std::vector<int64_t> rows(10000);
    std::iota(rows.begin(), rows.end(), 0);
    const Temperature t = fit_temperature(l, rows);
    ASSERT_TRUE(t.value) << t.why;
    fits.push_back(*t.value);
    if (d > 0) continue;
    ThreadPool pool(2);
    const Cancel go{false};
    const TemperatureBootstrap b(l, *t.value, 0, pool, go);
    const auto ends = b.interval(.05);
    ASSERT_TRUE(ends && ends->low && ends->high);
    EXPECT_NEAR(*ends->high - *ends->low, 2 * 1.96 * .031, .012);
    EXPECT_FALSE(b.interval(1e-4));
  }
  double mean = 0, square = 0;
  for (const double t : fits) mean += t / draws;
  for (const double t : fits) square += (t - mean) * (t - mean) / (draws - 1);
  EXPECT_NEAR(mean, 2, 4 * .031 / std::sqrt(draws));
  EXPECT_NEAR(std::sqrt(square), .031, .031 * 3 / std::sqrt(2. * draws));
}

TEST(Calibration, TemperaturesThatDoNotExist) {
  const LabelledLogits right{2, {1, 0, 0, 2}, {0, 1}}, wrong{2, {1, 0, 0, 2}, {1, 0}};
  const std::vector<int64_t> all = {0, 1};
  EXPECT_FALSE(fit_temperature(right, all).value);
  EXPECT_NE(fit_temperature(right, all).why.find("falls to 0"), std::string::npos);
  EXPECT_FALSE(fit_temperature(wrong, all).value);
  EXPECT_FALSE(fit_temperature(right, {}).value);
}

TEST(Calibration, WithheldForWhatIsNoProbability) {
  FakeSubject net(2, 3, [](std::span<const float> row) {
    std::vector<double> y(3, .04);
    y[place_in(y, row[1])] = .95;
    return y;
  });
  const Report r = examined(net, planted(300, 3, 30), {"calibration.gap <= .1"});
  for (const char* id : {"calibration.gap", "calibration.ece", "calibration.temperature"}) {
    EXPECT_EQ(get(r, id).status, Status::withheld);
    EXPECT_FALSE(get(r, id).estimate);
  }
  EXPECT_EQ(r.claims[0].ruling, Verdict::undecided);
}

// With no wrong row Student's interval would be a point: the parts of the gap are bounded apart.
TEST(Calibration, NoWrongRow) {
  FakeSubject net(2, 10, names_class(10, 8));
  const Report r = examined(net, planted(1000, 10, 0));
  const Finding& f = get(r, "calibration.gap");
  EXPECT_LT(*f.estimate, 0);
  EXPECT_GT(*f.interval->high, .0036);  // 3.7 wrong rows of 1,000 are possible at one side's .0125
  EXPECT_NE(f.interval->method.find("Clopper-Pearson"), std::string::npos);
  EXPECT_EQ(get(r, "calibration.temperature").status, Status::withheld);
}

TEST(Calibration, SameBitsForAnyThreads) {
  FakeSubject net(1, 2, [](std::span<const float> row) { return std::vector<double>{0, 3. * row[0]}; });
  const Report a = examined(net, logistic_rows(500), {}, nullptr, 1, 5),
               b = examined(net, logistic_rows(500), {}, nullptr, 3, 5);
  for (const char* id : {"calibration.ece", "calibration.smooth_ece", "calibration.temperature"}) {
    EXPECT_EQ(get(a, id).estimate, get(b, id).estimate);
    EXPECT_EQ(get(a, id).why, get(b, id).why);
    if (get(a, id).interval) { EXPECT_EQ(get(a, id).interval->low, get(b, id).interval->low); }
  }
}

}  // namespace
}  // namespace viva
