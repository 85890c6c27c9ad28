#include "examine/statistics.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/special_functions/beta.hpp>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"

namespace viva {
namespace {

void check_binomial(int64_t k, int64_t n, double alpha) {
  if (n < 0 || k < 0 || k > n) throw usage_error("clopper_pearson: {} of {} is no count", k, n);
  if (!(alpha > 0 && alpha < 1)) throw usage_error("clopper_pearson: the error rate {} is not between 0 and 1", alpha);
}

bool all_finite(std::span<const double> v) {
  return std::all_of(v.begin(), v.end(), [](double x) { return std::isfinite(x); });
}

}  // namespace

double binomial_at_most(int64_t k, int64_t n, double p) {
  if (k < 0) return 0;
  if (k >= n) return 1;
  return boost::math::ibetac(static_cast<double>(k + 1), static_cast<double>(n - k), p);
}

double binomial_at_least(int64_t k, int64_t n, double p) {
  if (k <= 0) return 1;
  if (k > n) return 0;
  return boost::math::ibeta(static_cast<double>(k), static_cast<double>(n - k + 1), p);
}

// P(X >= k | p) = I_p(k, n - k + 1): the lower bound is where this is alpha.
double clopper_pearson_lower(int64_t k, int64_t n, double alpha) {
  check_binomial(k, n, alpha);
  if (k == 0) return 0;
  return boost::math::ibeta_inv(static_cast<double>(k), static_cast<double>(n - k + 1), alpha);
}

double clopper_pearson_upper(int64_t k, int64_t n, double alpha) {
  check_binomial(k, n, alpha);
  if (k == n) return 1;
  return boost::math::ibetac_inv(static_cast<double>(k + 1), static_cast<double>(n - k), alpha);
}

Range clopper_pearson(int64_t k, int64_t n, double alpha) {
  return {clopper_pearson_lower(k, n, alpha / 2), clopper_pearson_upper(k, n, alpha / 2)};
}

double sidak(double alpha, int64_t size) {
  if (size < 1) throw usage_error("sidak: a family of {} intervals", size);
  return -std::expm1(std::log1p(-alpha) / static_cast<double>(size));
}

double sum_of(std::span<const double> v) {
  double sum = 0, lost = 0;
  for (const double x : v) {
    const double next = sum + x;
    lost += std::abs(sum) >= std::abs(x) ? (sum - next) + x : (x - next) + sum;
    sum = next;
  }
  // Infinities make the compensation NaN; the plain sum is then right.
  return std::isfinite(lost) ? sum + lost : sum;
}

double mean_of(std::span<const double> v) {
  return v.empty() ? std::numeric_limits<double>::quiet_NaN() : sum_of(v) / static_cast<double>(v.size());
}

double squares_about_mean(std::span<const double> v) {
  const double mean = mean_of(v);
  std::vector<double> squares;
  for (const double x : v) squares.push_back((x - mean) * (x - mean));
  return sum_of(squares);
}

bool have_spread(std::span<const double> rows) {
  if (rows.empty()) return false;
  const auto [low, high] = std::minmax_element(rows.begin(), rows.end());
  return *high - *low > 0x1p-48 * std::max(std::abs(*low), std::abs(*high));
}

bool enough_rows(int64_t n, double alpha) {
  return std::ldexp(1., static_cast<int>(1 - std::min<int64_t>(n, 1000))) <= alpha;
}

double student_quantile(double freedom, double tail) {
  return boost::math::quantile(boost::math::complement(boost::math::students_t(freedom), tail));
}

namespace {

// Mean and half the width of an interval with alpha in each tail.
struct Student {
  double mean, half;
};
std::optional<Student> student(std::span<const double> rows, double alpha) {
  if (rows.size() < 2 || !all_finite(rows) || !have_spread(rows)) return std::nullopt;
  const double n = static_cast<double>(rows.size()), mean = mean_of(rows);
  const double half = student_quantile(n - 1, alpha) * std::sqrt(squares_about_mean(rows) / (n - 1) / n);
  if (!std::isfinite(half)) return std::nullopt;
  return Student{mean, half};
}

}  // namespace

std::optional<Range> student_t(std::span<const double> rows, double alpha) {
  const auto s = student(rows, alpha / 2);
  return s ? std::optional(Range{s->mean - s->half, s->mean + s->half}) : std::nullopt;
}

std::optional<double> student_t_lower(std::span<const double> rows, double alpha) {
  const auto s = student(rows, alpha);
  return s ? std::optional(s->mean - s->half) : std::nullopt;
}

std::optional<double> student_t_upper(std::span<const double> rows, double alpha) {
  const auto s = student(rows, alpha);
  return s ? std::optional(s->mean + s->half) : std::nullopt;
}

double student_p_above(std::span<const double> rows, double hypothesis) {
  if (rows.size() < 2 || !all_finite(rows) || !have_spread(rows)) return 1;
  const auto n = static_cast<double>(rows.size());
  const double error = std::sqrt(squares_about_mean(rows) / (n - 1) / n);
  return boost::math::cdf(
      boost::math::complement(boost::math::students_t(n - 1), (mean_of(rows) - hypothesis) / error));
}

bool student_t_applies(std::span<const double> rows) {
  if (std::ssize(rows) < fewest_for_student || !all_finite(rows)) return false;
  double sum = 0, largest = 0;
  for (const double x : rows) {
    sum += std::abs(x);
    largest = std::max(largest, std::abs(x));
  }
  return largest <= .1 * sum;
}

double quantile_of(std::span<const double> sorted, double q) {
  if (!(q > 0 && q < 1)) throw usage_error("quantile_of: {} is not between 0 and 1", q);
  if (sorted.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto n = static_cast<double>(sorted.size());
  const auto at = static_cast<size_t>(std::max(0.0, std::ceil(n * q) - 1));
  return sorted[std::min(at, sorted.size() - 1)];
}

// The r-th smallest row lies above the quantile with probability P(Bin(n, q) <= r - 1), and below it with at most
// P(Bin(n, q) >= r).
QuantileInterval quantile_interval(std::span<const double> sorted, double q, double alpha) {
  if (!(q > 0 && q < 1)) throw usage_error("quantile_interval: {} is not between 0 and 1", q);
  const int64_t n = std::ssize(sorted);
  int64_t low = 0, high = n;  // the largest r whose lower tail is at most alpha / 2; 0: none
  while (low < high) {
    const int64_t r = low + (high - low + 1) / 2;
    if (binomial_at_most(r - 1, n, q) <= alpha / 2) low = r;
    else high = r - 1;
  }
  const int64_t first = low;
  low = 1, high = n + 1;  // the smallest r whose upper tail is; n + 1: none
  while (low < high) {
    const int64_t r = low + (high - low) / 2;
    if (binomial_at_least(r, n, q) <= alpha / 2) high = r;
    else low = r + 1;
  }
  QuantileInterval i;
  if (first >= 1) i.low = sorted[static_cast<size_t>(first - 1)];
  if (high <= n) i.high = sorted[static_cast<size_t>(high - 1)];
  return i;
}

double dkw_band(int64_t n, double alpha) {
  if (n < 1 || !(alpha > 0 && alpha <= .5)) throw usage_error("dkw_band: {} rows at error rate {}", n, alpha);
  return std::sqrt(-std::log(alpha) / (2 * static_cast<double>(n)));
}

double mcnemar(int64_t b, int64_t c) {
  if (b < 0 || c < 0) throw usage_error("mcnemar: {} and {} pairs", b, c);
  return std::min(1.0, 2 * binomial_at_most(std::min(b, c), b + c, .5));
}

std::vector<double> holm(std::span<const double> p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto value = [&](size_t i) { return std::isnan(p[i]) ? 1.0 : p[i]; };
  std::ranges::stable_sort(order, {}, value);
  std::vector<double> adjusted(p.size());
  double least = 0;
  for (size_t k = 0; k < order.size(); ++k) {
    least = std::max(least, std::min(1.0, static_cast<double>(order.size() - k) * value(order[k])));
    adjusted[order[k]] = least;
  }
  return adjusted;
}

double log_sum_exp(std::span<const double> v) {
  double top = -std::numeric_limits<double>::infinity();
  for (const double x : v) {
    if (std::isnan(x)) return x;
    top = std::max(top, x);
  }
  if (std::isinf(top)) return top;
  double sum = 0;
  for (const double x : v) sum += std::exp(x - top);
  return top + std::log(sum);
}

// (top - x_label) + log(sum(exp(x - top))): the two terms are not negative, so nothing cancels.
double log_loss_of_logits(std::span<const double> logits, int64_t label) {
  double top = -std::numeric_limits<double>::infinity(), rest = 0;
  size_t at = 0;
  for (size_t k = 0; k < logits.size(); ++k) {
    if (std::isnan(logits[k])) return logits[k];
    if (logits[k] > top) top = logits[k], at = k;
  }
  if (std::isinf(top)) return std::numeric_limits<double>::quiet_NaN();
  for (size_t k = 0; k < logits.size(); ++k) {
    if (k != at) rest += std::exp(logits[k] - top);
  }
  return (top - logits[static_cast<size_t>(label)]) + std::log1p(rest);
}

void softmax(std::span<const double> logits, std::span<double> p) {
  const double top = logits.empty() ? 0 : *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (size_t k = 0; k < logits.size(); ++k) sum += p[k] = std::exp(logits[k] - top);
  for (double& x : p) x /= sum;
}

double brier(std::span<const double> p, int64_t label) {
  double sum = 0;
  for (size_t k = 0; k < p.size(); ++k) {
    const double d = p[k] - (static_cast<int64_t>(k) == label ? 1 : 0);
    sum += d * d;
  }
  return sum;
}

}  // namespace viva
