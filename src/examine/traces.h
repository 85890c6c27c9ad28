// The trace of a mean of Hessians that are known by their curvatures along vectors.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "examine/statistics.h"

namespace viva {

// Rademacher probes over rows: v' H_i v has the trace of H_i as its mean (Hutchinson, Communications in Statistics 19
// (1990) 433). Five probes make a round: each takes a fifth of the rows, drawn anew in each round, so that a round
// meets every row once, and a probe's mean over its rows has the trace of the mean over all rows as its mean. All rows
// for every probe would cost five times as much.
inline constexpr int64_t trace_probes = 100, probes_a_round = 5;

struct Traces {
  std::vector<double> of_probe;  // the mean over its rows
  std::vector<double> of_row;    // the mean over its probes
};

// v' H_i v of some of the rows 0 … n - 1, given by their places; v has `parameters` entries of -1 and 1. Called from
// several threads at once.
using CurvatureOfRows = std::function<std::vector<double>(const std::vector<int64_t>& rows, std::span<const double> v)>;
Traces traces_of(const CurvatureOfRows& curvature, int64_t n, int64_t parameters, uint64_t seed, ThreadPool& pool);
// How many rows that asks for, all probes together.
int64_t trace_evaluations(int64_t n);

// The squared standard error of the probes' mean, for the rows taken: too large rather than too small, because rows
// that are spread evenly over the probes of a round do not move its mean. And what the sampling of rows adds for new
// ones: likewise, because the probes' chance is in the rows' means too.
double probe_variance(const Traces& t);
double row_variance(const Traces& t);
// Student's interval for the trace over the rows taken, from the probes; and for new rows, from both variances. Degrees
// of freedom: one less than the probes, or than the rows where they are fewer. nullopt as for student_t.
std::optional<Range> trace_interval(const Traces& t, double alpha);
std::optional<Range> trace_interval_of_new_rows(const Traces& t, double alpha);

}  // namespace viva
