// Intervals, detectable differences and scores: numbers in, numbers out.
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

// Šidák's error rate of each of size intervals that together miss with probability alpha: 1 - (1 - alpha)^(1/size).
double sidak(double alpha, int64_t size);

// Compensated (Neumaier), in index order: the same bits every time.
double sum_of(std::span<const double> v);
// NaN for no values.
double mean_of(std::span<const double> v);

// Whether rows differ by more than the rounding of a double: their largest and smallest lie further apart than 2^-48 of
// the largest magnitude. Rows that do not say nothing about how far others are from their mean.
bool have_spread(std::span<const double> rows);
// Whether an interval between the smallest and the largest of n rows can cover at error rate alpha: all n fall on one
// side of the median with probability 2^(1 - n), and a law of two values near it puts the mean there too.
bool enough_rows(int64_t n, double alpha);

// Student's interval for a mean of independent rows; nullopt for fewer than two rows, one that is not finite, or rows
// without spread.
std::optional<Range> student_t(std::span<const double> rows, double alpha);

// When Student's interval for a mean is trusted: at least 200 rows and none above a tenth of the sum of magnitudes.
bool student_t_applies(std::span<const double> rows);

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

// The nearest rates p above and below p0 that an exact two-sided binomial test of p0 with n rows detects with the given
// power. The test rejects where either tail of Binomial(n, p0) from the count outward has probability at most
// alpha / 2; power counts only the tail on p's side. nullopt where no count in [0, n] rejects on that side.
struct Detectable {
  std::optional<double> above, below;  // p - p0: positive and negative
};
Detectable detectable_against(double p0, int64_t n, double alpha = .05, double power = .8);

// The smallest difference of accuracy between two models on the same n rows that McNemar's test detects (alpha .05,
// power .8), where they disagree in correctness on a fraction `discordance`: (1.960 + 0.842) sqrt(d / n).
// nullopt for n = 0. A value above the discordance itself means that no difference can be detected.
std::optional<double> detectable_paired(double discordance, int64_t n);

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
