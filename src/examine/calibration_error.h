// Expected calibration error, what it would be for a calibrated network, and its interval.
#pragma once

#include <span>
#include <vector>

#include "examine/statistics.h"

namespace viva {

// Of each row: the confidence in the label named, in [0, 1], and whether that label is right.
struct Confidences {
  std::vector<double> confidence;
  std::vector<bool> right;
  int64_t rows() const { return static_cast<int64_t>(right.size()); }
};

// One of `bins` bins of equal width: ((b - 1) / bins, b / bins], the first with 0.
int64_t bin_of(double confidence, int64_t bins);
inline constexpr int64_t calibration_bins = 15;

struct Bin {
  int64_t rows = 0, right = 0;
  double confidence = 0;  // summed
};
std::vector<Bin> binned(const Confidences& c, int64_t bins = calibration_bins);
// The accuracy that a bin shows whose rows are right as often as its mean confidence says: from the .025 to the .975
// quantile of the binomial law. The bin has rows.
Range consistent_accuracy(const Bin& b);
// Sum over bins of |confidence - right| / rows of all. Source: Naeini, Cooper, Hauskrecht, AAAI 2015.
double calibration_error(std::span<const Bin> bins);
// For the law's accuracy in each bin, given the rows' confidences: Clopper and Pearson's interval a non-empty bin at
// Šidák's level, so that all hold together with probability 1 - alpha, and the least and greatest error they allow.
Range calibration_error_interval(std::span<const Bin> bins, double alpha);

// The calibration error smoothed at the width that equals it: a reflected Gaussian kernel on [0, 1] over a grid of 400
// steps. Source: Błasiok, Nakkiran, "Smooth ECE", ICLR 2024, definition 8.
class SmoothCalibrationError {
 public:
  SmoothCalibrationError();
  // residuals[g]: the sum over rows of (confidence - right) / rows, shared between the two grid points beside each
  // row's confidence.
  double operator()(std::span<const double> residuals) const;
  static constexpr int64_t steps = 400, points = steps + 1, widths = 96;

 private:
  double smoothed(std::span<const double> residuals, int64_t width) const;
  std::vector<double> width_;
  std::vector<std::vector<double>> kernel_;  // of a width: the weight at each distance up to the last above 1e-9
};
// The grid point below a confidence, and the weight of the one above.
struct GridPlace {
  int64_t below;
  double above;
};
GridPlace grid_place(double confidence);

double smooth_calibration_error(const Confidences& c);

// Errors of labels drawn as Bernoulli(confidence), sorted: draw j of row i is bit-exact from block (i, j / 2) of the
// stream.
struct CalibrationNull {
  static constexpr int64_t draws = 1999;
  std::vector<double> binned, smooth;
};
CalibrationNull calibration_null(const Confidences& c, uint64_t seed, ThreadPool& pool, const Cancel& cancel);
// (1 + r) / (1 + draws), r the draws at or above the value.
double null_p(std::span<const double> sorted, double value);

}  // namespace viva
