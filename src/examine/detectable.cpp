#include "examine/detectable.h"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/special_functions/beta.hpp>
#include <cmath>
#include <map>

#include "base/error.h"
#include "examine/statistics.h"

namespace viva {
namespace {

constexpr double told_power = .8;

// The rate at which at most k of n are hit with that probability.
double rate_of_at_most(int64_t k, int64_t n, double probability) {
  return boost::math::ibetac_inv(static_cast<double>(k + 1), static_cast<double>(n - k), probability);
}

// The first of low..high - 1 that holds, high where none does; whatever follows one that holds does too.
template <class Holds> int64_t first_that(int64_t low, int64_t high, Holds holds) {
  while (low < high) {
    const int64_t k = low + (high - low) / 2;
    if (holds(k)) high = k;
    else low = k + 1;
  }
  return low;
}

// McNemar's test of a gain on n rows, with the lower limit of the gain at .95 (Student).
class GainTest {
 public:
  GainTest(int64_t n, double material, double level)
      : n_(n),
        material_(material),
        level_(level),
        quantile_(n > 1 ? student_quantile(static_cast<double>(n - 1), .05) : 0) {}

  // How often it tells a gain where a share `differ` of all rows becomes right or wrong: the rows that do so are
  // binomial, and so are the gained among them.
  double told(double gain, double differ) const {
    if (!(differ > 0)) return 0;
    const auto rows = static_cast<double>(n_);
    const double about = rows * differ, reach = 6 * std::sqrt(about * (1 - differ)) + 6;
    const auto first = static_cast<int64_t>(std::max(0.0, about - reach)),
               last = static_cast<int64_t>(std::min(rows, about + reach));
    // Every so many of them serve for all; an odd number, since McNemar's test is coarser for even ones.
    constexpr int64_t most_terms = 400;
    const int64_t step = ((last - first) / most_terms) | 1;
    const boost::math::binomial_distribution<double> law(rows, differ);
    double sum = 0, all = 0;
    for (int64_t apart = first; apart <= last; apart += step) {
      const double weight = boost::math::pdf(law, static_cast<double>(apart));
      all += weight;
      sum += weight * binomial_at_least(fewest(apart), apart, std::min(1.0, (1 + gain / differ) / 2));
    }
    return sum / all;
  }

 private:
  bool tells(int64_t gained, int64_t apart) const {
    const int64_t lost = apart - gained;
    if (gained <= lost || mcnemar(gained, lost) > level_) return false;
    const auto rows = static_cast<double>(n_), more = static_cast<double>(gained - lost);
    const double squares = static_cast<double>(apart) - more * more / rows;
    return more / rows - quantile_ * std::sqrt(std::max(0.0, squares) / std::max(1.0, rows - 1) / rows) >= material_;
  }

  // The fewest gained of that many apart that are told; one more than all where none are.
  int64_t fewest(int64_t apart) const {
    const auto [at, is_new] = fewest_.try_emplace(apart, 0);
    if (is_new) at->second = first_that(0, apart + 1, [&](int64_t gained) { return tells(gained, apart); });
    return at->second;
  }

  int64_t n_;
  double material_, level_, quantile_;
  mutable std::map<int64_t, int64_t> fewest_;
};

}  // namespace

Detectable detectable_against(double p0, int64_t n, double alpha, double power) {
  if (!(p0 >= 0 && p0 <= 1)) throw usage_error("detectable_against: the rate {} is not between 0 and 1", p0);
  Detectable out;
  if (n <= 0) return out;
  const int64_t reject_above =
      first_that(0, n + 1, [&](int64_t c) { return binomial_at_least(c, n, p0) <= alpha / 2; });
  const int64_t reject_below =
      first_that(0, n + 1, [&](int64_t c) { return binomial_at_most(c, n, p0) > alpha / 2; }) - 1;
  if (reject_above <= n) {
    const auto a = static_cast<double>(reject_above), b = static_cast<double>(n - reject_above + 1);
    out.above = boost::math::ibeta_inv(a, b, power) - p0;
  }
  if (reject_below >= 0) out.below = rate_of_at_most(reject_below, n, power) - p0;
  return out;
}

std::optional<double> detectable_paired(double discordance, int64_t n) {
  if (n <= 0) return std::nullopt;
  return (1.960 + 0.842) * std::sqrt(discordance / static_cast<double>(n));
}

std::optional<double> detectable_mean(std::span<const double> rows, double material_limit, double level) {
  const auto lower = [&](double alpha) { return student_t_lower(rows, alpha); };
  const auto at_level = lower(level), at_limit = lower(.05), at_power = lower(1 - told_power);
  if (!at_level || !at_limit || !at_power) return std::nullopt;
  const double mean = mean_of(rows);
  return std::max(material_limit + mean - *at_limit, mean - *at_level) + mean - *at_power;
}

std::optional<double> detectable_gap(std::span<const double> confidence, const std::vector<bool>& right,
                                     double material, double level) {
  const auto n = static_cast<double>(right.size());
  if (right.size() < 2) return std::nullopt;
  std::vector<double> gaps(confidence.begin(), confidence.end());
  for (size_t i = 0; i < gaps.size(); ++i) gaps[i] -= right[i];
  const double share = static_cast<double>(std::ranges::count(right, true)) / n, gap = mean_of(gaps);
  double with_right = 0;  // the covariance of a row's gap with its being right
  for (size_t i = 0; i < gaps.size(); ++i) with_right += (gaps[i] - gap) * (right[i] - share) / n;
  const double spread = squares_about_mean(gaps) / (n - 1);
  const double at_level = student_quantile(n - 1, level), at_power = student_quantile(n - 1, 1 - told_power);
  const auto error_at = [&](double mean) {
    const double flipped = std::max(0.0, mean - gap);  // rows that are wrong beside those that are
    const double more = share > 0 ? flipped * (1 - flipped) + 2 * flipped / share * with_right : 0;
    return std::sqrt(std::max(0.0, spread + more) / n);
  };
  const auto is_told = [&](double wanted) {
    const double seen = wanted - at_power * error_at(wanted);
    return seen >= std::max(material, at_level * error_at(seen));
  };
  // Where all rows are wrong they do not differ, and Student's law tells nothing: a tenth stays right.
  double low = 0, high = gap + .9 * share;
  if (!is_told(high)) return std::nullopt;
  constexpr int halvings = 40;
  for (int k = 0; k < halvings; ++k) {
    const double middle = (low + high) / 2;
    (is_told(middle) ? high : low) = middle;
  }
  return high;
}

std::optional<double> detectable_gain(int64_t n, double apart, double material, double level) {
  if (n < 1) return std::nullopt;
  const GainTest test(n, material, level);
  const auto told = [&](double gain) { return test.told(gain, std::max(apart / static_cast<double>(n), gain)); };
  double low = 0, high = 1;
  if (told(high) < told_power) return std::nullopt;
  constexpr int halvings = 20;
  for (int k = 0; k < halvings; ++k) {
    const double middle = (low + high) / 2;
    (told(middle) < told_power ? low : high) = middle;
  }
  return high;
}

std::optional<double> detectable_recall(int64_t n, double threshold, double alpha, double level) {
  if (n <= 0 || !(threshold > 0)) return std::nullopt;
  const int64_t most = first_that(0, n,
                                  [&](int64_t k) {
                                    return clopper_pearson_upper(k, n, alpha) >= threshold ||
                                           binomial_at_least(n - k, n, 1 - threshold) > level;
                                  }) -
                       1;
  if (most < 0) return std::nullopt;
  return rate_of_at_most(most, n, told_power);
}

std::optional<int64_t> detectable_share(int64_t n, double most, double level) {
  if (n <= 0) return std::nullopt;
  const int64_t fewest = first_that(0, n + 1, [&](int64_t k) {
    return clopper_pearson_lower(k, n, .05) > most && binomial_at_least(k, n, most) <= level;
  });
  return fewest <= n ? std::optional(fewest) : std::nullopt;
}

}  // namespace viva
