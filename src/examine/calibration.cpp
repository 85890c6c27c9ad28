// calibration: whether the confidence of a network is how often it is right.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "base/error.h"
#include "examine/calibration_error.h"
#include "examine/digits.h"
#include "examine/measure.h"
#include "examine/risk.h"
#include "examine/temperature.h"
#include "examine/words.h"

namespace viva {
namespace {

constexpr Quantity quantities[] = {
    {.name = "gap",
     .title = "Mean confidence minus accuracy",
     .unit = "signed fraction",
     .doc = "mean confidence minus accuracy; above 0: over-confident"},
    {.name = "ece",
     .fraction = true,
     .title = "Expected calibration error, 15 bins",
     .unit = "fraction",
     .doc = "expected calibration error, 15 bins of equal width, top label"},
    {.name = "smooth_ece",
     .fraction = true,
     .title = "Smooth calibration error",
     .unit = "fraction",
     .doc = "calibration error smoothed at its own width"},
    {.name = "temperature",
     .title = "Temperature of greatest likelihood",
     .unit = "divides the logits",
     .doc = "T that makes softmax(logits / T) most likely"},
    {.name = "gap_after",
     .title = "Mean confidence minus accuracy at a cross-fitted temperature",
     .unit = "signed fraction",
     .doc = "the gap at a temperature fitted on the other half of the rows"},
    {.name = "log_loss_gain",
     .title = "Log-loss gained by a cross-fitted temperature",
     .unit = "signed nats",
     .doc = "log-loss less that at a temperature fitted on the other half, nats"},
};

// The rows' logits with what follows from them.
struct Calibration {
  LabelledLogits logits;
  Confidences top;
};

// Confidence and rightness of the label that the network names, at a temperature.
double confidence_at(std::span<const double> logits, int32_t named, double temperature) {
  return std::exp(-log_loss_at(logits, named, temperature));
}

Calibration calibration_of(const Context& x, const Evaluation& e) {
  Calibration c{labelled_logits(e, x.data), {}};
  for (int64_t i = 0; i < e.rows; ++i) {
    const auto at = static_cast<size_t>(i);
    c.top.confidence.push_back(confidence_at(c.logits.row(i), e.predicted[at], 1));
    c.top.right.push_back(e.predicted[at] == x.data.labels[at]);
  }
  return c;
}

Measure measure_of(std::string_view quantity, const Context& x) {
  return make_measure("calibration", quantities, quantity, x.data);
}

// With few wrong (or right) rows a mean of confidence - right is far from normal: its two parts apart, each at half the
// error rate. Confidences lie in [1 / classes, 1]: Hoeffding's bound.
constexpr int64_t few = 30;

Interval gap_of_parts(const Confidences& c, double least, double alpha) {
  const auto n = static_cast<double>(c.rows());
  const Range right = clopper_pearson(std::ranges::count(c.right, true), c.rows(), alpha / 2);
  const double mean = mean_of(c.confidence), half = (1 - least) * std::sqrt(std::log(4 / alpha) / (2 * n));
  Range confidence{mean - half, mean + half};
  std::string coverage(exact_coverage);
  if (const auto t = student_t_applies(c.confidence) ? student_t(c.confidence, alpha / 2) : std::nullopt) {
    confidence = *t;
    coverage += ", as far as Student's interval for the confidence does";
  }
  return {confidence.low - right.high,
          confidence.high - right.low,
          1 - alpha,
          "Clopper-Pearson for accuracy and an interval for confidence, together by Bonferroni",
          Sided::two,
          coverage};
}

void set_gap(Measure& m, const Confidences& c, Context& x) {
  std::vector<double> gaps(c.confidence);
  for (size_t i = 0; i < gaps.size(); ++i) gaps[i] -= c.right[i];
  const int64_t right = std::ranges::count(c.right, true);
  if (!x.data.groups.empty()) return set_mean(m, std::move(gaps), Stream::gap, x);
  if (std::min(right, c.rows() - right) >= few) return set_mean(m, std::move(gaps), Stream::gap, x);
  m.finding.estimate = mean_of(gaps);
  m.finding.assumptions.push_back(population_assumption(x.data.record));
  m.finding.limits.push_back(
      fmt::format("fewer than {} rows are {}: the interval is wider than Student's, which is not trusted here", few,
                  right < few ? "right" : "wrong"));
  const double least = 1 / static_cast<double>(classes_of(x.subject));
  m.interval = [c, least](double a) { return std::optional(gap_of_parts(c, least, a)); };
  m.finding.interval = m.interval(finding_alpha);
}

Measure gap(const Calibration& c, Context& x) {
  Measure m = measure_of("gap", x);
  set_gap(m, c.top, x);
  m.finding.evidence.tables.push_back({"parts",
                                       "What the gap is made of",
                                       {"quantity", "value"},
                                       {{std::string("mean confidence"), mean_of(c.top.confidence)},
                                        {std::string("accuracy"), mean_of(c.top.confidence) - *m.finding.estimate}}});
  return m;
}

void add_reliability(Finding& f, std::span<const Bin> bins) {
  const int64_t filled = std::ranges::count_if(bins, [](const Bin& b) { return b.rows > 0; });
  const double each = sidak(finding_alpha, std::max<int64_t>(filled, 1));
  Table t{
      "bins",
      "Rows by confidence: bins ((b - 1) / 15, b / 15]; intervals for accuracy hold together; consistent: the central "
      "95 % of accuracies in a bin whose confidence is right",
      {"confidence above", "up to", "rows", "mean confidence", "accuracy", "low", "high", "consistent from", "to"},
      {},
      {{4, 5, 6}, {std::nullopt, 7, 8}}};
  Series s{"reliability", "Accuracy by confidence", "mean confidence", "accuracy", {}};
  for (size_t b = 0; b < bins.size(); ++b) {
    if (bins[b].rows == 0) continue;
    const double n = static_cast<double>(bins[b].rows), width = 1. / calibration_bins;
    const double confidence = bins[b].confidence / n, accuracy = static_cast<double>(bins[b].right) / n;
    const Range a = clopper_pearson(bins[b].right, bins[b].rows, each), band = consistent_accuracy(bins[b]);
    t.rows.push_back({static_cast<double>(b) * width, static_cast<double>(b + 1) * width, bins[b].rows, confidence,
                      accuracy, a.low, a.high, band.low, band.high});
    s.points.push_back({fmt::format("bin {}", b + 1), confidence, accuracy, a.low, a.high});
  }
  f.evidence.tables.push_back(std::move(t));
  f.evidence.series.push_back(std::move(s));
}

// Beside what labels drawn as the confidences say would give.
void set_null(Finding& f, std::span<const double> draws) {
  const int64_t reached = std::ranges::count_if(draws, [&](double d) { return d >= *f.estimate; });
  const double p = null_p(draws, *f.estimate), mean = mean_of(draws), high = quantile_of(draws, .95);
  f.why = fmt::format(
      "a calibrated network of these confidences would show {} on average and more than {} in one of twenty data sets "
      "of this size; p = {} ({} of {} draws of the labels reach it)",
      number(mean), number(high), number(p), reached == 0 ? "none" : grouped(reached), grouped(std::ssize(draws)));
  f.evidence.tables.push_back({"null",
                               "Were the confidences right",
                               {"mean", "95th percentile", "p", "draws"},
                               {{mean, high, p, std::ssize(draws)}}});
}

Measure binned_error(const Calibration& c, const CalibrationNull& null, Context& x) {
  Measure m = measure_of("ece", x);
  const std::vector<Bin> bins = binned(c.top);
  Finding& f = m.finding;
  f.estimate = calibration_error(bins);
  f.assumptions.push_back(population_assumption(x.data.record));
  f.assumptions.emplace_back("the error meant is that of these bins at these rows' confidences");
  m.interval = [bins](double a) -> std::optional<Interval> {
    const Range r = calibration_error_interval(bins, a);
    return Interval{r.low,      r.high,
                    1 - a,      "Clopper-Pearson in each non-empty bin at Šidák's level, propagated",
                    Sided::two, std::string(exact_coverage)};
  };
  f.interval = m.interval(finding_alpha);
  set_null(f, null.binned);
  add_reliability(f, bins);
  f.limits.emplace_back("it is above 0 for a calibrated network too: read it beside its null, not alone");
  return m;
}

Measure smooth_error(const Calibration& c, const CalibrationNull& null, Context& x) {
  Measure m = measure_of("smooth_ece", x);
  m.finding.estimate = smooth_calibration_error(c.top);
  m.interval = [](double) -> std::optional<Interval> { return std::nullopt; };
  set_null(m.finding, null.smooth);
  m.finding.why = "no interval is known for it; " + m.finding.why;
  return m;
}

// An infinite loss stays infinite at every temperature.
std::string why_no_temperature(const Evaluation& e) {
  const int64_t infinite = std::ranges::count_if(e.loss, [](double l) { return std::isinf(l); });
  return infinite == 0 ? ""
                       : fmt::format("{} probability 0 to the label at every temperature",
                                     counted(infinite, "row gives", "rows give"));
}

Measure temperature(const Calibration& c, const Evaluation& e, Context& x) {
  Measure m = measure_of("temperature", x);
  Finding& f = m.finding;
  if (std::string why = why_no_temperature(e); !why.empty()) return withhold(f, std::move(why)), m;
  std::vector<int64_t> all(static_cast<size_t>(e.rows));
  std::iota(all.begin(), all.end(), 0);
  const Temperature t = fit_temperature(c.logits, all);
  if (!t.value) return withhold(f, t.why), m;
  f.estimate = t.value;
  f.assumptions.push_back(population_assumption(x.data.record));
  const auto bootstrap = std::make_shared<TemperatureBootstrap>(c.logits, *t.value, x.seed, x.pool, x.cancel);
  m.interval = [bootstrap, n = e.rows](double a) -> std::optional<Interval> {
    const auto ends = enough_rows(n, a) ? bootstrap->interval(a) : std::nullopt;
    if (!ends) return std::nullopt;
    return Interval{ends->low,  ends->high,
                    1 - a,      "percentile bootstrap over rows, 1,999 resamples",
                    Sided::two, temperature_coverage(n)};
  };
  f.interval = m.interval(finding_alpha);
  if (!f.interval) f.why = "too few rows for a bootstrap";
  return m;
}

// What remains of the gap, and what log-loss is gained, at temperatures that each half lends the other.
void add_cross_fitted(const Calibration& c, const Evaluation& e, Context& x, std::vector<Measure>& out) {
  Measure after = measure_of("gap_after", x);
  Measure gain = measure_of("log_loss_gain", x);
  CrossFitted fitted;
  std::string why = why_no_temperature(e);
  if (why.empty()) {
    const Halves h = halves_of(x.seed, x.data);
    fitted = cross_fitted(c.logits, h.a, h.b);
    why = fitted.why;
  }
  for (Measure* m : {&after, &gain}) {
    if (!why.empty()) withhold(m->finding, why);
    m->finding.assumptions.emplace_back(
        "each row is measured at the temperature fitted on the half of the rows that it is not in");
  }
  if (why.empty()) {
    Confidences cooled = c.top;
    for (int64_t i = 0; i < e.rows; ++i) {
      const auto at = static_cast<size_t>(i);
      cooled.confidence[at] = confidence_at(c.logits.row(i), e.predicted[at], fitted.t[at]);
    }
    set_gap(after, cooled, x);
    set_mean(gain, std::move(fitted.gain), Stream::gap, x);
    gain.finding.evidence.tables.push_back(
        {"temperatures", "Fitted on each half", {"half A", "half B"}, {{*fitted.a.value, *fitted.b.value}}});
  }
  out.push_back(std::move(after));
  out.push_back(std::move(gain));
}

std::vector<PlanStep> plan(const Context& x) {
  return {{"labels drawn as a calibrated network's", CalibrationNull::draws,
           fmt::format("draws of {} rows", grouped(x.data.size())), 0},
          {"bootstrap of the temperature", TemperatureBootstrap::resamples,
           fmt::format("resamples of {} rows", grouped(x.data.size())), 0}};
}

std::vector<Measure> run(Context& x) {
  const Evaluation& e = x.evaluation();
  if (const std::string why = why_no_labels(e); !why.empty())
    return all_left_out(x, "calibration", quantities, Status::not_run, why);
  if (const std::string why = why_no_scores(x, e, e.loss); !why.empty())
    return all_left_out(x, "calibration", quantities, Status::withheld, why);
  const Calibration c = calibration_of(x, e);
  const CalibrationNull null = calibration_null(c.top, x.seed, x.pool, x.cancel);
  std::vector<Measure> out;
  out.push_back(gap(c, x));
  out.push_back(binned_error(c, null, x));
  out.push_back(smooth_error(c, null, x));
  out.push_back(temperature(c, e, x));
  add_cross_fitted(c, e, x, out);
  for (Measure& m : out) add_source(m.finding, e);
  return out;
}

}  // namespace

extern const Examiner calibration_examiner;
const Examiner calibration_examiner = {
    .name = "calibration",
    .doc = "whether confidence is how often the network is right",
    .quantities = quantities,
    .needs_outputs = true,
    .check_key = nullptr,
    .plan = plan,
    .run = run,
};

}  // namespace viva
