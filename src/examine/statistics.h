// Intervals, tests and scores: numbers in, numbers out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"

namespace viva {

struct Range {
  double low = 0, high = 0;
  bool operator==(const Range&) const = default;
};

// Clopper and Pearson's interval for a binomial probability, k of n, each tail alpha / 2; [0, 1] for n = 0.
// Throws a usage error unless 0 <= k <= n and 0 < alpha < 1. Source: Biometrika 26 (1934) 404.
Range clopper_pearson(int64_t k, int64_t n, double alpha);
// Its one-sided bounds, the whole of alpha in one tail.
double clopper_pearson_lower(int64_t k, int64_t n, double alpha);
double clopper_pearson_upper(int64_t k, int64_t n, double alpha);

// P(X <= k) and P(X >= k) of X ~ Binomial(n, p).
double binomial_at_most(int64_t k, int64_t n, double p);
double binomial_at_least(int64_t k, int64_t n, double p);

// Šidák's error rate of each of size intervals that together miss with probability alpha: 1 - (1 - alpha)^(1/size).
double sidak(double alpha, int64_t size);

// Compensated (Neumaier), in index order: the same bits every time.
double sum_of(std::span<const double> v);
// NaN for no values.
double mean_of(std::span<const double> v);
// The sum of squares about that mean.
double squares_about_mean(std::span<const double> v);

// Whether rows differ by more than the rounding of a double: their largest and smallest lie further apart than 2^-48 of
// the largest magnitude. Rows that do not say nothing about how far others are from their mean.
bool have_spread(std::span<const double> rows);
// Whether an interval between the smallest and the largest of n rows can cover at error rate alpha: all n fall on one
// side of the median with probability 2^(1 - n), and a law of two values near it puts the mean there too.
bool enough_rows(int64_t n, double alpha);

// Where the upper tail of Student's law is `tail`.
double student_quantile(double freedom, double tail);
// Student's interval for a mean of independent rows; nullopt for fewer than two rows, one that is not finite, or rows
// without spread.
std::optional<Range> student_t(std::span<const double> rows, double alpha);

// When Student's interval for a mean is trusted: at least so many rows and none above a tenth of the sum of magnitudes.
inline constexpr int64_t fewest_for_student = 200;
bool student_t_applies(std::span<const double> rows);

// Student's one-sided limits for that mean: the truth lies at or above (below) the limit with probability 1 - alpha.
// nullopt as for student_t. For paired rows, give their differences.
std::optional<double> student_t_lower(std::span<const double> rows, double alpha);
std::optional<double> student_t_upper(std::span<const double> rows, double alpha);

// The probability of so large a mean of independent rows, were the truth `hypothesis`, by Student's law; 1 where
// student_t has no answer.
double student_p_above(std::span<const double> rows, double hypothesis);

// The q-quantile of sorted rows, 0 < q < 1: the smallest row that at least a fraction q do not exceed. NaN for no rows.
double quantile_of(std::span<const double> sorted, double q);
// An interval between two order statistics that covers the q-quantile of any law with probability at least 1 - alpha,
// each tail alpha / 2, from the binomial law of the rows below it. An end is absent where no order statistic serves.
// Source: David and Nagaraja, Order Statistics (2003), section 7.1.
struct QuantileInterval {
  std::optional<double> low, high;
};
QuantileInterval quantile_interval(std::span<const double> sorted, double q, double alpha);

// How far a law's distribution function may lie to one side of that of n rows anywhere, with probability 1 - alpha:
// sqrt(log(1 / alpha) / (2 n)), alpha <= 1/2. Source: Massart, Annals of Probability 18 (1990) 1269.
double dkw_band(int64_t n, double alpha);

// McNemar's exact two-sided p-value: of the pairs that disagree, b went one way and c the other.
double mcnemar(int64_t b, int64_t c);
// Holm's adjusted p-values, in the order given (Scandinavian Journal of Statistics 6 (1979) 65); NaN counts as 1.
std::vector<double> holm(std::span<const double> p);

// Efron's bias-corrected and accelerated bootstrap for the mean (JASA 82 (1987) 171), acceleration from the jackknife.
// Resample b takes its i-th row from block (i, b) of Threefry-2x32 under the key fold(seed, stream): row
// floor(u n / 2^64) of the 64 bits u, so that the result is a function of rows, seed and stream alone.
class BcaMean {
 public:
  static constexpr int64_t resamples = 10000;
  // Throws a usage error for 2^32 rows or more, a cancelled error where cancel is set.
  BcaMean(std::span<const double> rows, uint64_t seed, uint64_t stream, ThreadPool& pool, const Cancel& cancel);
  // Ends are order statistics, rounded outward. nullopt for too few rows, a row that is not finite, rows without
  // spread, or a level that the resamples cannot resolve.
  std::optional<Range> interval(double alpha) const;

 private:
  bool valid_ = false;
  int64_t rows_ = 0;
  double mean_ = 0, bias_ = 0, acceleration_ = 0;
  std::vector<double> shifts_;  // sorted means of the resamples, less the mean of the rows
};

// log(sum(exp(v))) without overflow; -infinity for no values, NaN where any value is NaN.
double log_sum_exp(std::span<const double> v);
// -log softmax(logits)[label], in nats; infinite where the label's logit is -infinity, NaN where it is undefined
// (a NaN, a +infinity, or nothing finite).
double log_loss_of_logits(std::span<const double> logits, int64_t label);
// softmax(logits) into p, of the same size.
void softmax(std::span<const double> logits, std::span<double> p);
// Brier's score of one row: sum over classes of (p_k - [k = label])^2, in [0, 2].
double brier(std::span<const double> p, int64_t label);

}  // namespace viva
