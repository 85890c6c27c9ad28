#include "examine/temperature.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "base/error.h"
#include "examine/statistics.h"
#include "examine/streams.h"

namespace viva {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// The loss of a row at b = 1 / T is log sum exp(b z) - b z_label: its first and second derivatives in b.
struct Slopes {
  double first = 0, second = 0;
};
Slopes slopes(std::span<const double> z, int64_t label, double b) {
  const double top = *std::max_element(z.begin(), z.end());
  double total = 0, mean = 0, square = 0;
  for (const double v : z) {
    const double d = v - top, w = std::exp(b * d);
    if (w == 0) continue;  // minus infinity times 0
    total += w;
    mean += w * d;
    square += w * d * d;
  }
  mean /= total;
  return {mean - (z[static_cast<size_t>(label)] - top), square / total - mean * mean};
}

// The zero of an increasing function of log b, or 0 or infinity where it keeps one sign. f gives value and slope in b.
template <class F> double increasing_zero(F&& f) {
  constexpr double least = 1e-9, most = 1e9;
  if (!(f(least).first < 0)) return 0;
  if (!(f(most).first > 0)) return infinity;
  double low = least, high = most, b = 1;
  for (int step = 0; step < 200; ++step) {
    const Slopes s = f(b);
    if (s.first == 0) return b;
    (s.first < 0 ? low : high) = b;
    double next = b - s.first / s.second;
    // Bisection on the logarithm wherever Newton's step leaves the bracket.
    if (!(next > low && next < high)) next = std::sqrt(low * high);
    if (std::abs(next - b) <= 1e-13 * b || high / low <= 1 + 1e-13) return next;
    b = next;
  }
  return b;
}

double fitted(const LabelledLogits& l, std::span<const int64_t> rows) {
  std::vector<double> first(rows.size()), second(rows.size());
  return increasing_zero([&](double b) {
    for (size_t i = 0; i < rows.size(); ++i) {
      const Slopes s = slopes(l.row(rows[i]), l.labels[static_cast<size_t>(rows[i])], b);
      first[i] = s.first;
      second[i] = s.second;
    }
    return Slopes{sum_of(first), sum_of(second)};
  });
}

constexpr size_t nodes = 9;

// The polynomial through Chebyshev's points of the first kind on [-1, 1], by the second barycentric formula.
struct Chebyshev {
  std::array<double, nodes> at, weight;
  Chebyshev() {
    for (size_t k = 0; k < nodes; ++k) {
      const double angle = (2. * static_cast<double>(k) + 1) / (2. * nodes) * std::numbers::pi;
      at[k] = std::cos(angle);
      weight[k] = (k % 2 ? -1 : 1) * std::sin(angle);
    }
  }
  double operator()(const std::array<double, nodes>& values, double x) const {
    double top = 0, bottom = 0;
    for (size_t k = 0; k < nodes; ++k) {
      if (x == at[k]) return values[k];
      const double w = weight[k] / (x - at[k]);
      top += w * values[k];
      bottom += w;
    }
    return top / bottom;
  }
};

// The first derivatives of each row at Chebyshev's points of log b around the estimate.
struct Interpolant {
  Chebyshev rule;
  double centre = 0, reach = 0;  // of log b
  std::vector<std::array<double, nodes>> rows;

  double b(double x) const { return std::exp(centre + reach * x); }
  // nullopt where the sum keeps its sign over the interval.
  std::optional<double> zero(const std::array<double, nodes>& sums) const {
    double low = -1, high = 1;
    if (!(rule(sums, low) < 0 && rule(sums, high) > 0)) return std::nullopt;
    for (int step = 0; step < 50; ++step) {
      const double middle = (low + high) / 2;
      (rule(sums, middle) < 0 ? low : high) = middle;
    }
    return b((low + high) / 2);
  }
};

Interpolant interpolant(const LabelledLogits& l, double estimate) {
  Interpolant p;
  const double b = 1 / estimate;
  double squares = 0, curvature = 0;
  for (int64_t i = 0; i < l.rows(); ++i) {
    const Slopes s = slopes(l.row(i), l.labels[static_cast<size_t>(i)], b);
    squares += s.first * s.first;
    curvature += s.second;
  }
  // Six standard errors of log b, as far as a bootstrap of 2,000 goes; not so far that the polynomial is poor.
  p.centre = std::log(b);
  p.reach = std::clamp(6 * std::sqrt(squares) / (curvature * b), 1e-6, .7);
  p.rows.resize(static_cast<size_t>(l.rows()));
  for (int64_t i = 0; i < l.rows(); ++i)
    for (size_t k = 0; k < nodes; ++k)
      p.rows[static_cast<size_t>(i)][k] = slopes(l.row(i), l.labels[static_cast<size_t>(i)], p.b(p.rule.at[k])).first;
  return p;
}

}  // namespace

Temperature fit_temperature(const LabelledLogits& l, std::span<const int64_t> rows) {
  if (rows.empty()) return {std::nullopt, "there are no rows"};
  const double b = fitted(l, rows);
  if (b == 0) return {std::nullopt, "no temperature makes the labels more likely than the uniform guess"};
  if (b == infinity)
    return {std::nullopt,
            "the likelihood grows without end as the temperature falls to 0: every label is named, or ties"};
  return {1 / b, ""};
}

LabelledLogits labelled_logits(const Evaluation& e, const RowSource& data) {
  const auto classes = static_cast<size_t>(e.classes);
  LabelledLogits l{e.classes, std::vector<double>(static_cast<size_t>(e.rows) * classes), data.labels};
  for (int64_t i = 0; i < e.rows; ++i)
    logits_of(e, i, std::span(l.logits).subspan(static_cast<size_t>(i) * classes, classes));
  return l;
}

CrossFitted cross_fitted(const LabelledLogits& l, std::span<const int64_t> a, std::span<const int64_t> b) {
  CrossFitted c{.a = fit_temperature(l, a), .b = fit_temperature(l, b), .why = {}, .t = {}, .gain = {}};
  if (!c.a.value || !c.b.value) {
    c.why = "on one half of the rows " + (c.a.value ? c.b.why : c.a.why);
    return c;
  }
  c.t.resize(l.labels.size());
  for (const int64_t i : a) c.t[static_cast<size_t>(i)] = *c.b.value;
  for (const int64_t i : b) c.t[static_cast<size_t>(i)] = *c.a.value;
  for (size_t i = 0; i < l.labels.size(); ++i) {
    const auto row = l.row(static_cast<int64_t>(i));
    c.gain.push_back(log_loss_at(row, l.labels[i], 1) - log_loss_at(row, l.labels[i], c.t[i]));
  }
  return c;
}

TemperatureBootstrap::TemperatureBootstrap(const LabelledLogits& l, double estimate, uint64_t seed, ThreadPool& pool,
                                           const Cancel& cancel) {
  const Interpolant p = interpolant(l, estimate);
  const Words2 key = stream_key(seed, Stream::temperature);
  const auto n = static_cast<uint64_t>(l.rows());
  sorted_.resize(resamples);
  pool.run(resamples, [&](int64_t r) {
    if (cancel) throw Error(ErrorKind::cancelled, "interrupted");
    const auto drawn = [&](uint64_t i) {
      const Words2 u = threefry2x32(key, {static_cast<uint32_t>(i), static_cast<uint32_t>(r)});
      return static_cast<size_t>((u[1] * n + ((u[0] * n) >> 32)) >> 32);
    };
    std::array<double, nodes> sums{};
    for (uint64_t i = 0; i < n; ++i) {
      const auto& row = p.rows[drawn(i)];
      for (size_t k = 0; k < nodes; ++k) sums[k] += row[k];
    }
    std::optional<double> b = p.zero(sums);
    if (!b) {
      std::vector<int64_t> rows;
      for (uint64_t i = 0; i < n; ++i) rows.push_back(static_cast<int64_t>(drawn(i)));
      b = fitted(l, rows);
    }
    sorted_[static_cast<size_t>(r)] = 1 / *b;
  });
  std::ranges::sort(sorted_);
}

std::optional<TemperatureBootstrap::Ends> TemperatureBootstrap::interval(double alpha) const {
  const auto low = static_cast<int64_t>(std::floor(alpha / 2 * (resamples + 1)));
  if (low < 1) return std::nullopt;
  const auto finite = [](double t) { return t > 0 && t < infinity ? std::optional(t) : std::nullopt; };
  return Ends{finite(sorted_[static_cast<size_t>(low - 1)]), finite(sorted_[static_cast<size_t>(resamples - low)])};
}

double log_loss_at(std::span<const double> logits, int64_t label, double temperature) {
  std::vector<double> z(logits.begin(), logits.end());
  for (double& v : z) v /= temperature;
  return log_loss_of_logits(z, label);
}

}  // namespace viva
