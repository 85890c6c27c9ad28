#include "examine/calibration_error.h"

#include <algorithm>
#include <array>
#include <boost/math/distributions/binomial.hpp>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "examine/streams.h"

namespace viva {

int64_t bin_of(double confidence, int64_t bins) {
  const double n = static_cast<double>(bins);
  const auto upper = [n](int64_t b) { return static_cast<double>(b + 1) / n; };
  auto b = static_cast<int64_t>(std::ceil(confidence * n)) - 1;
  // A product may round across an edge.
  while (b > 0 && confidence <= upper(b - 1)) --b;
  while (b < bins - 1 && confidence > upper(b)) ++b;
  return std::clamp<int64_t>(b, 0, bins - 1);
}

std::vector<Bin> binned(const Confidences& c, int64_t bins) {
  std::vector<Bin> all(static_cast<size_t>(bins));
  for (size_t i = 0; i < c.right.size(); ++i) {
    Bin& b = all[static_cast<size_t>(bin_of(c.confidence[i], bins))];
    ++b.rows;
    b.right += c.right[i];
    b.confidence += c.confidence[i];
  }
  return all;
}

Range consistent_accuracy(const Bin& b) {
  // Upwards is the quantile: the least count that the law is at or below with that probability.
  using Law = boost::math::binomial_distribution<
      double,
      boost::math::policies::policy<boost::math::policies::discrete_quantile<boost::math::policies::integer_round_up>>>;
  const auto n = static_cast<double>(b.rows);
  const double p = std::clamp(b.confidence / n, 0.0, 1.0);
  if (p == 0 || p == 1) return {p, p};  // Boost's quantile at 1 is 0
  const Law law(n, p);
  return {boost::math::quantile(law, .025) / n, boost::math::quantile(boost::math::complement(law, .025)) / n};
}

double calibration_error(std::span<const Bin> bins) {
  double sum = 0;
  int64_t rows = 0;
  for (const Bin& b : bins) {
    sum += std::abs(b.confidence - static_cast<double>(b.right));
    rows += b.rows;
  }
  return sum / static_cast<double>(rows);
}

Range calibration_error_interval(std::span<const Bin> bins, double alpha) {
  int64_t filled = 0, rows = 0;
  for (const Bin& b : bins) filled += b.rows > 0, rows += b.rows;
  const double each = sidak(alpha, std::max<int64_t>(filled, 1));
  Range r;
  for (const Bin& b : bins) {
    if (b.rows == 0) continue;
    const double n = static_cast<double>(b.rows), weight = n / static_cast<double>(rows), confidence = b.confidence / n;
    const Range a = clopper_pearson(b.right, b.rows, each);
    r.low += weight * std::max({0.0, a.low - confidence, confidence - a.high});
    r.high += weight * std::max(confidence - a.low, a.high - confidence);
  }
  return r;
}

GridPlace grid_place(double confidence) {
  const double at = confidence * SmoothCalibrationError::steps;
  const auto below = std::min(static_cast<int64_t>(at), SmoothCalibrationError::steps - 1);
  return {below, at - static_cast<double>(below)};
}

// Widths from a fifth of a step to 1, each a fixed ratio above the last.
SmoothCalibrationError::SmoothCalibrationError() {
  constexpr double h = 1.0 / steps;
  for (int64_t w = 0; w < widths; ++w) {
    const double width = .2 * h * std::pow(5.0 * steps, static_cast<double>(w) / (widths - 1));
    width_.push_back(width);
    std::vector<double> k;
    for (int64_t d = 0; d <= 2 * steps; ++d) {
      const double z = static_cast<double>(d) * h / width, value = std::exp(-z * z / 2);
      if (d > 0 && value < 1e-9) break;
      k.push_back(value);
    }
    // Summed over all distances the kernel is 1: what leaves the interval comes back by reflection.
    const double total = 2 * std::accumulate(k.begin() + 1, k.end(), 0.0) + k[0];
    for (double& v : k) v /= total;
    kernel_.push_back(std::move(k));
  }
}

// The sum over grid points of |smoothed residual|: the integral of the definition, since residuals are masses.
double SmoothCalibrationError::smoothed(std::span<const double> residuals, int64_t width) const {
  const auto& k = kernel_[static_cast<size_t>(width)];
  const auto reach = std::ssize(k) - 1;
  // The grid, its mirror images at both ends, and so on: the residual at any integer position. An end point lies on its
  // own image and counts twice; of its cell only half is inside.
  const auto mirrored = [&](int64_t g) {
    g = std::abs(g) % (2 * steps);
    if (g > steps) g = 2 * steps - g;
    return residuals[static_cast<size_t>(g)] * (g == 0 || g == steps ? 2 : 1);
  };
  std::vector<double> wide(static_cast<size_t>(points + 2 * reach));
  for (int64_t i = 0; i < std::ssize(wide); ++i) wide[static_cast<size_t>(i)] = mirrored(i - reach);
  double sum = 0;
  for (int64_t g = 0; g < points; ++g) {
    const double* at = wide.data() + g + reach;
    double s = k[0] * at[0];
    for (int64_t d = 1; d <= reach; ++d) s += k[static_cast<size_t>(d)] * (at[d] + at[-d]);
    sum += std::abs(s) * (g == 0 || g == steps ? .5 : 1);
  }
  return sum;
}

// smoothed - width falls as the width grows: the two widths beside its zero by bisection, then a straight line.
double SmoothCalibrationError::operator()(std::span<const double> residuals) const {
  int64_t low = -1, high = widths - 1;
  double above = 0, below = 0;
  for (; high - low > 1;) {
    const int64_t w = (low + high) / 2;
    const double excess = smoothed(residuals, w) - width_[static_cast<size_t>(w)];
    if (excess > 0) low = w, above = excess;
    else high = w, below = excess;
  }
  if (low < 0) return smoothed(residuals, 0);  // below the grid's resolution
  if (below == 0) below = std::min(0.0, smoothed(residuals, high) - width_[static_cast<size_t>(high)]);
  const double a = width_[static_cast<size_t>(low)], b = width_[static_cast<size_t>(high)];
  return a + (b - a) * above / (above - below);
}

namespace {

// Everything about the rows that all draws share.
struct NullRows {
  std::vector<uint64_t> threshold;  // the label is right for words below it
  std::vector<int64_t> bin;
  std::vector<GridPlace> place;
  std::vector<double> confidence_of_bin = std::vector<double>(calibration_bins);
  std::vector<double> residuals = std::vector<double>(SmoothCalibrationError::points);  // without the labels
};

void spread(std::vector<double>& grid, GridPlace p, double mass) {
  grid[static_cast<size_t>(p.below)] += mass * (1 - p.above);
  grid[static_cast<size_t>(p.below) + 1] += mass * p.above;
}

NullRows null_rows(const Confidences& c) {
  NullRows r;
  const double n = static_cast<double>(c.rows());
  for (const double p : c.confidence) {
    r.threshold.push_back(static_cast<uint64_t>(std::llround(std::clamp(p, 0.0, 1.0) * 0x1p32)));
    r.bin.push_back(bin_of(p, calibration_bins));
    r.place.push_back(grid_place(p));
    r.confidence_of_bin[static_cast<size_t>(r.bin.back())] += p;
    spread(r.residuals, r.place.back(), p / n);
  }
  return r;
}

// What one set of labels gives.
struct Labelled {
  std::vector<int64_t> right = std::vector<int64_t>(calibration_bins);
  std::vector<double> residuals;  // of the grid
  explicit Labelled(const NullRows& r) : residuals(r.residuals) {}

  void add(const NullRows& r, size_t i, bool is_right, double one) {
    right[static_cast<size_t>(r.bin[i])] += is_right;
    spread(residuals, r.place[i], is_right ? -one : 0);
  }
  double binned(const NullRows& r) const {
    double sum = 0;
    for (size_t b = 0; b < right.size(); ++b) sum += std::abs(r.confidence_of_bin[b] - static_cast<double>(right[b]));
    return sum / static_cast<double>(r.bin.size());
  }
};

constexpr size_t block_rows = 128;

// Draws 2 pair and 2 pair + 1, by the two words of each block.
std::array<Labelled, 2> labels_drawn(const NullRows& r, Words2 key, uint32_t pair) {
  std::array<Labelled, 2> all{Labelled(r), Labelled(r)};
  const double one = 1 / static_cast<double>(r.bin.size());
  uint32_t first[block_rows], second[block_rows];
  for (size_t begin = 0; begin < r.bin.size(); begin += block_rows) {
    for (size_t j = 0; j < block_rows; ++j) {
      const Words2 u = threefry2x32(key, {static_cast<uint32_t>(begin + j), pair});
      first[j] = u[0];
      second[j] = u[1];
    }
    for (size_t j = 0; j < std::min(block_rows, r.bin.size() - begin); ++j) {
      all[0].add(r, begin + j, first[j] < r.threshold[begin + j], one);
      all[1].add(r, begin + j, second[j] < r.threshold[begin + j], one);
    }
  }
  return all;
}

}  // namespace

double smooth_calibration_error(const Confidences& c) {
  const NullRows rows = null_rows(c);
  Labelled l(rows);
  for (size_t i = 0; i < c.right.size(); ++i) l.add(rows, i, c.right[i], 1 / static_cast<double>(c.rows()));
  return SmoothCalibrationError()(l.residuals);
}

CalibrationNull calibration_null(const Confidences& c, uint64_t seed, ThreadPool& pool, const Cancel& cancel) {
  const NullRows rows = null_rows(c);
  const SmoothCalibrationError smooth;
  const Words2 key = stream_key(seed, Stream::ece_null);
  CalibrationNull null;
  null.binned.resize(CalibrationNull::draws);
  null.smooth.resize(CalibrationNull::draws);
  pool.run((CalibrationNull::draws + 1) / 2, [&](int64_t pair) {
    if (cancel) throw Error(ErrorKind::cancelled, "interrupted");
    const auto drawn = labels_drawn(rows, key, static_cast<uint32_t>(pair));
    for (size_t w = 0; w < 2; ++w) {
      const auto draw = static_cast<size_t>(2 * pair) + w;
      if (draw >= null.binned.size()) break;
      null.binned[draw] = drawn[w].binned(rows);
      null.smooth[draw] = smooth(drawn[w].residuals);
    }
  });
  std::ranges::sort(null.binned);
  std::ranges::sort(null.smooth);
  return null;
}

double null_p(std::span<const double> sorted, double value) {
  const auto reached = sorted.end() - std::lower_bound(sorted.begin(), sorted.end(), value);
  return (1 + static_cast<double>(reached)) / (1 + static_cast<double>(sorted.size()));
}

}  // namespace viva
