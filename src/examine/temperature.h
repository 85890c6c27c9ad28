// The temperature that makes a network's probabilities most likely: softmax(logits / T).
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "examine/evaluation.h"

namespace viva {

// Rows of finite logits with their labels, in float64.
struct LabelledLogits {
  int64_t classes = 0;
  std::vector<double> logits;  // [rows, classes]
  std::vector<int64_t> labels;
  int64_t rows() const { return static_cast<int64_t>(labels.size()); }
  std::span<const double> row(int64_t i) const {
    return std::span(logits).subspan(static_cast<size_t>(i * classes), static_cast<size_t>(classes));
  }
};

// Of all rows, as logits_of reads them.
LabelledLogits labelled_logits(const Evaluation& e, const RowSource& data);

// A temperature, or why the likelihood has no maximum at one.
struct Temperature {
  std::optional<double> value;
  std::string why;
};
// The maximum of the likelihood over the rows given. The mean log-loss is convex in 1 / T, so the maximum is one point,
// found by Newton's method inside a bracket, to 1e-12 of itself. Source: Guo, Pleiss, Sun, Weinberger, ICML 2017.
Temperature fit_temperature(const LabelledLogits& l, std::span<const int64_t> rows);

// Each half of the rows at the temperature of the other.
struct CrossFitted {
  Temperature a, b;          // fitted on each half
  std::string why;           // where a half has none; the rest is empty then
  std::vector<double> t;     // of each row
  std::vector<double> gain;  // its log-loss at 1 less that at t
};
CrossFitted cross_fitted(const LabelledLogits& l, std::span<const int64_t> a, std::span<const int64_t> b);

// Bootstrap over rows: sorted temperatures of `resamples` resamples, those without a maximum as 0 or infinity. Row i of
// resample b comes from block (i, b) of the stream. Each resample's equation is solved on the Chebyshev interpolant of
// the rows' derivatives around the estimate, or exactly where its root lies outside.
class TemperatureBootstrap {
 public:
  static constexpr int64_t resamples = 1999;
  TemperatureBootstrap(const LabelledLogits& l, double estimate, uint64_t seed, ThreadPool& pool, const Cancel& cancel);
  // Percentiles, rounded outward; nullopt where the resamples do not resolve the level, an end absent where it is 0 or
  // infinite.
  struct Ends {
    std::optional<double> low, high;
  };
  std::optional<Ends> interval(double alpha) const;

 private:
  std::vector<double> sorted_;
};

// The log-loss of a row at a temperature.
double log_loss_at(std::span<const double> logits, int64_t label, double temperature);

}  // namespace viva
