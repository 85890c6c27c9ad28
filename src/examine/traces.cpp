#include "examine/traces.h"

#include <algorithm>
#include <cmath>

#include "examine/streams.h"

namespace viva {
namespace {

static_assert(trace_probes % probes_a_round == 0);

// As many probes as rows at most share a round.
int64_t parts_of(int64_t n) { return n < probes_a_round ? 1 : probes_a_round; }

double squared_error_of_mean(std::span<const double> v) {
  const auto n = static_cast<double>(v.size());
  return n > 1 ? squares_about_mean(v) / (n - 1) / n : 0;
}

}  // namespace

Traces traces_of(const CurvatureOfRows& curvature, int64_t n, int64_t parameters, uint64_t seed, ThreadPool& pool) {
  const int64_t parts = parts_of(n), rounds = trace_probes / parts;
  std::vector<std::vector<int64_t>> rows;
  for (int64_t r = 0; r < rounds; ++r) {
    const Words2 key = fold_key(stream_key(seed, Stream::probe_rows), static_cast<uint64_t>(r));
    const std::vector<int64_t> order = drawn_rows(key, n, n);
    for (int64_t k = 0; k < parts; ++k)
      rows.emplace_back(order.begin() + n * k / parts, order.begin() + n * (k + 1) / parts);
  }
  std::vector<std::vector<double>> each(rows.size());
  pool.run(std::ssize(rows), [&](int64_t p) {
    const auto at = static_cast<size_t>(p);
    each[at] = curvature(rows[at], random_signs(seed, Stream::probes, static_cast<uint64_t>(p), parameters));
  });
  Traces t{{}, std::vector<double>(static_cast<size_t>(n), 0)};
  for (size_t p = 0; p < rows.size(); ++p) {
    t.of_probe.push_back(mean_of(each[p]));
    for (size_t i = 0; i < rows[p].size(); ++i)
      t.of_row[static_cast<size_t>(rows[p][i])] += each[p][i] / static_cast<double>(rounds);
  }
  return t;
}

int64_t trace_evaluations(int64_t n) { return n * (trace_probes / parts_of(n)); }

double probe_variance(const Traces& t) { return squared_error_of_mean(t.of_probe); }
double row_variance(const Traces& t) { return squared_error_of_mean(t.of_row); }

std::optional<Range> trace_interval(const Traces& t, double alpha) { return student_t(t.of_probe, alpha); }

std::optional<Range> trace_interval_of_new_rows(const Traces& t, double alpha) {
  if (!student_t(t.of_probe, alpha) || !student_t(t.of_row, alpha)) return std::nullopt;
  const auto freedom = static_cast<double>(std::min(t.of_probe.size(), t.of_row.size()) - 1);
  const double mean = mean_of(t.of_row),
               half = student_quantile(freedom, alpha / 2) * std::sqrt(probe_variance(t) + row_variance(t));
  return Range{mean - half, mean + half};
}

}  // namespace viva
