#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>

#include "base/error.h"
#include "base/threefry.h"
#include "examine/statistics.h"

namespace viva {
namespace {

constexpr uint32_t block_rows = 128;

// floor(u n / 2^64) for u of the two words, low first; n < 2^32.
uint32_t scaled(Words2 u, uint64_t n) { return static_cast<uint32_t>((u[1] * n + ((u[0] * n) >> 32)) >> 32); }

// The sum of as many rows as there are, drawn with replacement by the blocks (i, resample).
double resampled_sum(std::span<const double> rows, Words2 key, uint32_t resample) {
  const auto n = static_cast<uint32_t>(rows.size());
  uint32_t low[block_rows], high[block_rows];
  double sum = 0;
  for (uint64_t first = 0; first < n; first += block_rows) {
    for (uint32_t j = 0; j < block_rows; ++j) {
      const Words2 u = threefry2x32(key, {static_cast<uint32_t>(first) + j, resample});
      low[j] = u[0];
      high[j] = u[1];
    }
    const auto count = static_cast<uint32_t>(std::min<uint64_t>(block_rows, n - first));
    for (uint32_t j = 0; j < count; ++j) sum += rows[scaled({low[j], high[j]}, n)];
  }
  return sum;
}

// A sixth of the skewness of the jackknife values, which for a mean are the rows themselves.
double acceleration(std::span<const double> centred) {
  double squares = 0, cubes = 0;
  for (const double d : centred) {
    squares += d * d;
    cubes += d * d * d;
  }
  return cubes / (6 * squares * std::sqrt(squares));
}

}  // namespace

BcaMean::BcaMean(std::span<const double> rows, uint64_t seed, uint64_t stream, ThreadPool& pool, const Cancel& cancel) {
  if (rows.size() >> 32 != 0) throw usage_error("BcaMean: {} rows, more than 2^32 - 1", rows.size());
  if (rows.size() < 2 || !std::all_of(rows.begin(), rows.end(), [](double x) { return std::isfinite(x); })) return;
  if (!have_spread(rows)) return;
  rows_ = static_cast<int64_t>(rows.size());
  mean_ = mean_of(rows);
  std::vector<double> centred(rows.begin(), rows.end());
  for (double& d : centred) d -= mean_;
  acceleration_ = acceleration(centred);
  // Rows so large or so small that their squares leave the range of a double.
  if (!std::isfinite(acceleration_)) return;

  const Words2 key = fold_key(words_of(seed), stream);
  constexpr int64_t part = 100;
  shifts_.resize(resamples);
  pool.run(resamples / part, [&](int64_t p) {
    if (cancel) throw Error(ErrorKind::cancelled, "interrupted");
    for (int64_t b = p * part; b < (p + 1) * part; ++b) {
      const double sum = resampled_sum(centred, key, static_cast<uint32_t>(b));
      shifts_[static_cast<size_t>(b)] = sum / static_cast<double>(rows.size());
    }
  });
  std::sort(shifts_.begin(), shifts_.end());
  const auto [below, not_above] = std::equal_range(shifts_.begin(), shifts_.end(), 0.0);
  const double fraction =
      (static_cast<double>(below - shifts_.begin()) + static_cast<double>(not_above - below) / 2) / resamples;
  valid_ = fraction > 0 && fraction < 1;
  if (valid_) bias_ = boost::math::quantile(boost::math::normal(), fraction);
}

std::optional<Range> BcaMean::interval(double alpha) const {
  if (!valid_ || !enough_rows(rows_, alpha)) return std::nullopt;
  const boost::math::normal law;
  // Efron's equation 6.8: the level of the resamples that stands for the normal level.
  const auto level = [&](double z) -> std::optional<double> {
    const double shifted = bias_ + z, scale = 1 - acceleration_ * shifted;
    if (!(scale > 0)) return std::nullopt;
    return boost::math::cdf(law, bias_ + shifted / scale);
  };
  const double z = boost::math::quantile(boost::math::complement(law, alpha / 2));
  const auto low = level(-z), high = level(z);
  if (!low || !high) return std::nullopt;
  const auto lowest = static_cast<int64_t>(std::floor(*low * (resamples + 1)));
  const auto highest = static_cast<int64_t>(std::ceil(*high * (resamples + 1)));
  if (lowest < 1 || highest > resamples) return std::nullopt;
  return Range{mean_ + shifts_[static_cast<size_t>(lowest - 1)], mean_ + shifts_[static_cast<size_t>(highest - 1)]};
}

}  // namespace viva
