// curvature: the second derivatives of the mean loss by the weights.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "examine/digits.h"
#include "examine/lanczos.h"
#include "examine/loss_programs.h"
#include "examine/measure.h"
#include "examine/statistics.h"
#include "examine/traces.h"
#include "examine/words.h"

namespace viva {
namespace {

constexpr std::string_view per_weights = "nats per squared weight";

constexpr Quantity quantities[] = {
    {.name = "lambda_max",
     .title = "Largest eigenvalue of the Hessian of the loss",
     .target = Target::these_rows,
     .unit = per_weights,
     .doc = "largest Ritz value of the Hessian of the mean loss over the rows taken"},
    {.name = "lambda_max_population",
     .title = "Largest eigenvalue for rows drawn like these, from below",
     .kind = Kind::bound,
     .unit = per_weights,
     .doc = "lower limit of the largest eigenvalue for the mean loss of rows drawn like these"},
    {.name = "lambda_min",
     .title = "Smallest eigenvalue of the Hessian of the loss",
     .target = Target::these_rows,
     .unit = per_weights,
     .doc = "smallest Ritz value, where its residual is below a tenth of it"},
    {.name = "trace",
     .title = "Trace of the Hessian of the loss",
     .target = Target::these_rows,
     .unit = per_weights,
     .doc = "trace of the Hessian of the mean loss over the rows taken"},
    {.name = "trace_population",
     .title = "Trace of the Hessian of the loss for rows drawn like these",
     .unit = per_weights,
     .doc = "trace of the Hessian, for the mean loss of rows drawn like these"},
    {.name = "gradient_square",
     .title = "Squared norm of the gradient of the loss",
     .unit = "squared nats per squared weight",
     .doc = "squared norm of the gradient of the mean loss of rows drawn like these"},
};

constexpr int64_t most_rows = 2000, blocks = 20;
// Of all rows the eigenvalue is wanted, of half A a direction: any serves, the nearer the better.
constexpr LanczosOptions of_all{.most_steps = 40, .tolerance = 1e-3}, of_half{.most_steps = 20, .tolerance = 1e-2};

int64_t rows_taken(const Context& x) {
  return std::min(x.options.curvature_rows.value_or(most_rows), (x.train ? *x.train : x.data).size());
}

LabelledRows piece(const LabelledRows& r, int64_t first, int64_t count) {
  return {rows_of(r.rows, first, count), rows_of(r.labels, first, count)};
}

// An end of the spectrum that no rounding passes, or why there is none.
struct CertainEnd {
  std::optional<double> value;
  std::string why;
};

// Everything that is measured, before it is put into words.
struct Measured {
  const RowSource* data = nullptr;
  int64_t rows = 0, half_b = 0, without_loss = 0;
  Spectrum spectrum;
  CertainEnd below_largest, above_smallest;
  std::vector<double> along_a;  // v' H_i v over half B, v the top direction of half A
  RitzPair top_a;
  Traces traces;
  std::optional<double> gradient_square;
};

Spectrum spectrum_of(Context& x, const LossPrograms& programs, const LabelledRows& rows, uint64_t start,
                     const LanczosOptions& options) {
  const Spectrum s =
      lanczos([&](std::span<const double> v) { return programs.hessian_product(rows, v, x.pool, x.cancel); },
              lanczos_start(x.seed, start, programs.parameters()), options);
  x.add_work(s.products * rows.size(), 9);
  return s;
}

// v' H v of the direction found, v of length 1: it is no more than the largest eigenvalue and no less than the
// smallest, whatever v (Rayleigh). Taken in float64; off go its whole distance from the Ritz value, which is the
// rounding of the network's own precision, and 1e-9 of the rows' magnitudes for that of float64.
CertainEnd certain_end(Context& x, const LabelledRows& rows, const RitzPair& found, double side) {
  if (found.vector.empty()) return {};
  std::vector<double> each;
  try {
    each = curvatures_in_float64(x.subject, rows, found.vector, x.pool, x.cancel);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::unsupported) throw;
    return {std::nullopt, "rounding is not known: " + e.message()};
  }
  x.add_work(rows.size(), 4);
  double size = 0;
  for (const double v : each) size += std::abs(v) / static_cast<double>(each.size());
  const double quotient = mean_of(each), rounding = std::abs(quotient - found.value) + 1e-9 * size;
  if (!std::isfinite(rounding)) return {std::nullopt, "the curvature is not finite in float64"};
  return {quotient + side * rounding, ""};
}

// (|sum of the blocks' gradients|^2 - sum of |gradient|^2) / (B (B - 1)): unbiased, since blocks are independent.
std::optional<double> gradient_square(Context& x, const LossPrograms& programs, const LabelledRows& rows) {
  if (rows.size() < blocks) return std::nullopt;
  std::vector<double> sum(static_cast<size_t>(programs.parameters()), 0);
  double squares = 0;
  const auto dot = [](const std::vector<double>& v) {
    double s = 0;
    for (const double a : v) s += a * a;
    return s;
  };
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t first = rows.size() * b / blocks, end = rows.size() * (b + 1) / blocks;
    const std::vector<double> g = programs.gradient(piece(rows, first, end - first), x.pool, x.cancel);
    squares += dot(g);
    for (size_t i = 0; i < g.size(); ++i) sum[i] += g[i];
  }
  x.add_work(rows.size(), 3);
  return (dot(sum) - squares) / (blocks * (blocks - 1));
}

Traces traces_over(Context& x, const LabelledRows& rows) {
  // The rows of a probe make full batches.
  const int64_t each = (rows.size() + probes_a_round - 1) / probes_a_round,
                runs = (each + program_rows - 1) / program_rows;
  const LossPrograms programs(x.subject, x.subject.network((each + runs - 1) / runs));
  const auto curvature = [&](const std::vector<int64_t>& some, std::span<const double> v) {
    return programs.curvatures({picked_rows(rows.rows, some), picked_rows(rows.labels, some)}, v, x.pool, x.cancel);
  };
  x.add_work(trace_evaluations(rows.size()), 4);
  return traces_of(curvature, rows.size(), programs.parameters(), x.seed, x.pool);
}

bool is_near(const RitzPair& p) { return p.residual < std::abs(p.value) / 10; }

Measured measured(Context& x) {
  Measured m;
  m.data = x.train ? x.train : &x.data;
  m.rows = rows_taken(x);
  const std::vector<int64_t> drawn = drawn_rows(x.seed, Stream::loss_rows, m.data->size(), m.rows);
  const auto [a, b] = halves_of(x.seed, *m.data, drawn);
  m.half_b = std::ssize(b);
  const LossPrograms programs(x.subject, x.subject.network(program_rows));
  const LabelledRows all = labelled_rows(*m.data, drawn, x.subject);
  const std::vector<double> still(static_cast<size_t>(programs.parameters()), 0);
  m.without_loss = std::ranges::count_if(programs.losses_at(all, still, 0, x.pool, x.cancel),
                                         [](double l) { return !std::isfinite(l); });
  x.add_work(m.rows, 1);
  if (m.without_loss > 0) return m;
  const auto report = [&](double done, const char* what) {
    if (x.progress) x.progress(done, what);
  };
  report(0, "largest eigenvalue of the loss");
  m.spectrum = spectrum_of(x, programs, all, 0, of_all);
  m.below_largest = certain_end(x, all, m.spectrum.largest, -1);
  if (is_near(m.spectrum.smallest)) m.above_smallest = certain_end(x, all, m.spectrum.smallest, 1);
  if (!a.empty() && !b.empty()) {
    report(.5, "largest eigenvalue, half A");
    m.top_a = spectrum_of(x, programs, labelled_rows(*m.data, a, x.subject), 1, of_half).largest;
    if (!m.top_a.vector.empty())
      m.along_a = programs.curvatures(labelled_rows(*m.data, b, x.subject), m.top_a.vector, x.pool, x.cancel);
    x.add_work(m.half_b, 4);
  }
  report(.8, "trace and gradient of the loss");
  m.traces = traces_over(x, all);
  m.gradient_square = gradient_square(x, programs, all);
  return m;
}

Measure start(const Measured& m, std::string_view quantity, int64_t rows, std::string which) {
  Measure r = make_measure("curvature", quantities, quantity, *m.data);
  r.finding.n = rows;
  r.finding.rows_used = RowsUsed{m.data->record.id, std::move(which), rows};
  if (r.finding.target == Target::rows_drawn_like_these)
    r.finding.assumptions.push_back(population_assumption(m.data->record));
  r.finding.assumptions.emplace_back(
      "mean cross-entropy in evaluation mode, no weight decay, by every float array of the file of more than one "
      "element; where activations are piecewise, the Hessian where it exists");
  if (m.data->record.id != "train")
    r.finding.limits.emplace_back("test rows, not the training objective: give --train for that");
  return r;
}

std::string drawn(const Measured& m) { return fmt::format("{} drawn by the seed", grouped(m.rows)); }

constexpr std::string_view probe_coverage =
                               "on Hessians of known trace 95 % intervals covered 93.5 % of the time with one "
                               "eigenvalue, 94.8 % with five, 97 % where rows differ",
                           new_rows_coverage =
                               "for rows of known Hessians 95 % intervals covered 96 % of the time at n = 400";

// The end as an interval of one side: claims on that side are ruled, those on the other stay undecided.
void set_certain(Measure& m, const CertainEnd& end, Sided sided) {
  m.sided = sided;
  if (!end.value) {
    if (!end.why.empty()) m.finding.why += "; no end of an interval: " + end.why;
    return;
  }
  const bool low = sided == Sided::lower;
  const Interval i{low ? end.value : std::nullopt,
                   low ? std::nullopt : end.value,
                   1,
                   "Rayleigh quotient of the direction found, in float64",
                   sided,
                   low ? "always: no direction curves more than the largest eigenvalue; rounding is taken off"
                       : "always: no direction curves less than the smallest eigenvalue; rounding is added"};
  m.interval = [i](double) { return std::optional(i); };
  m.finding.interval = i;
}

Measure lambda_max(const Measured& m) {
  Measure r = start(m, "lambda_max", m.rows, drawn(m));
  Finding& f = r.finding;
  const RitzPair& top = m.spectrum.largest;
  f.estimate = top.value;
  f.check = CheckResult{"residual at most 1 % of the value", top.residual <= .01 * std::abs(top.value)};
  f.why = fmt::format("largest Ritz value; an eigenvalue lies within {} of it (residual ||Hv - value v||, {} products)",
                      number(top.residual), m.spectrum.products);
  set_certain(r, m.below_largest, Sided::lower);
  if (top.value > 0)
    f.limits.push_back(fmt::format(
        "2/λmax = {}: the step above which full-batch gradient descent is locally unstable; says nothing on "
        "SGD or Adam",
        number(2 / top.value)));
  f.limits.emplace_back("λmax changes under rescalings that leave the function unchanged");
  Table t{"ritz", "Ritz values", {"value", "residual"}, {}};
  for (size_t i = 0; i < m.spectrum.values.size(); ++i)
    t.rows.push_back({Cell(m.spectrum.values[i]), Cell(m.spectrum.residuals[i])});
  f.evidence.tables.push_back(std::move(t));
  return r;
}

Measure lambda_max_population(const Measured& m) {
  Measure r = start(m, "lambda_max_population", m.half_b, fmt::format("half B of {}", drawn(m)));
  Finding& f = r.finding;
  r.sided = Sided::lower;
  if (m.along_a.size() < 2 || !std::ranges::all_of(m.along_a, [](double v) { return std::isfinite(v); })) {
    withhold(f, "half A gives no direction, or half B no finite curvature along it");
    return r;
  }
  f.estimate = mean_of(m.along_a);
  f.why =
      "mean over half B of the curvature along the top direction of half A: any direction bounds the largest "
      "eigenvalue from below, and half B did not choose it; no upper limit is known";
  if (!student_t_applies(m.along_a)) {
    f.why += "; " + why_no_interval(m.along_a);
    if (f.why.ends_with("; "))
      f.why += m.half_b < fewest_for_student ? fmt::format("half B has {} rows, and Student's limit takes at least {}",
                                                           m.half_b, fewest_for_student)
                                             : "one row outweighs the others: no limit of Student's";
    return r;
  }
  r.interval = [rows = m.along_a](double a) { return student_interval(rows, a, Sided::lower); };
  f.interval = r.interval(finding_alpha);
  return r;
}

Measure lambda_min(const Measured& m) {
  Measure r = start(m, "lambda_min", m.rows, drawn(m));
  const RitzPair& low = m.spectrum.smallest;
  if (is_near(low)) {
    r.finding.estimate = low.value;
    r.finding.why = fmt::format("smallest Ritz value; an eigenvalue lies within {} of it", number(low.residual));
    set_certain(r, m.above_smallest, Sided::upper);
  } else {
    withhold(r.finding, "the residual of the smallest Ritz value is not below a tenth of it");
  }
  return r;
}

Measure trace(const Measured& m) {
  Measure r = start(m, "trace", m.rows, drawn(m));
  Finding& f = r.finding;
  const int64_t probes = std::ssize(m.traces.of_probe);
  f.evidence.counts = {{"probes", probes}};
  f.estimate = mean_of(m.traces.of_row);
  f.why = fmt::format(
      "{} Rademacher probes, each over a fifth of the rows, every row in {} of them: all rows for every probe would "
      "cost "
      "five times as much. Standard error over probes {}",
      probes, trace_evaluations(m.rows) / m.rows, number(std::sqrt(probe_variance(m.traces))));
  r.interval = [t = m.traces](double a) -> std::optional<Interval> {
    const auto i = trace_interval(t, a);
    if (!i) return std::nullopt;
    return Interval{i->low, i->high, 1 - a, "Student t over probes", Sided::two, std::string(probe_coverage)};
  };
  f.interval = r.interval(finding_alpha);
  if (!f.interval) f.why = "the probes agree to rounding: no spread, no interval";
  return r;
}

Measure trace_population(const Measured& m) {
  Measure r = start(m, "trace_population", m.rows, drawn(m));
  Finding& f = r.finding;
  f.estimate = mean_of(m.traces.of_row);
  f.why = fmt::format("the same estimate. Standard error {}: over probes {}, over rows {}",
                      number(std::sqrt(probe_variance(m.traces) + row_variance(m.traces))),
                      number(std::sqrt(probe_variance(m.traces))), number(std::sqrt(row_variance(m.traces))));
  r.interval = [](double) -> std::optional<Interval> { return std::nullopt; };
  if (!student_t_applies(m.traces.of_row)) {
    const std::string why = why_no_interval(m.traces.of_row);
    f.why += "; " + (why.empty() ? "too few rows, or one that outweighs the others, for Student's interval" : why);
    return r;
  }
  r.interval = [t = m.traces](double a) -> std::optional<Interval> {
    const auto i = trace_interval_of_new_rows(t, a);
    if (!i) return std::nullopt;
    return Interval{i->low,     i->high,
                    1 - a,      "Student t, variance over probes plus variance over rows",
                    Sided::two, std::string(new_rows_coverage)};
  };
  f.interval = r.interval(finding_alpha);
  return r;
}

Measure gradient(const Measured& m) {
  Measure r = start(m, "gradient_square", m.rows, drawn(m));
  if (!m.gradient_square) {
    withhold(r.finding, fmt::format("fewer than {} rows", blocks));
    return r;
  }
  r.finding.estimate = m.gradient_square;
  r.finding.why = fmt::format(
      "U-statistic of {} disjoint blocks of rows: without bias, so it may fall below 0; no "
      "interval is known",
      blocks);
  r.finding.limits.emplace_back("a gradient that differs from zero is normal, also where training has ended");
  return r;
}

std::vector<PlanStep> plan(const Context& x) {
  if (rows_taken(x) == 0) return {};
  const auto n = static_cast<double>(rows_taken(x));
  const double flops = x.subject.record().flops;
  const int64_t along = rows_taken(x) / 2 + trace_evaluations(rows_taken(x));
  constexpr int64_t all = of_all.most_steps + 2, half = of_half.most_steps + 2;
  return {{"Hessian times vector, at most", all, "products over the rows", 9 * flops * n * all},
          {"Hessian times vector, half A, at most", half, "products over half the rows", 9 * flops * n / 2 * half},
          {"curvature along the extreme directions in float64, at most", 2 * rows_taken(x), "rows", 8 * flops * n},
          {"curvature along a direction and probes", along, "rows", 4 * flops * static_cast<double>(along)},
          {"gradient of the loss", static_cast<int64_t>(n), "rows", 3 * flops * n}};
}

std::vector<Measure> run(Context& x) {
  const auto left_out = [&](Status status, const std::string& why) {
    return all_left_out(x, "curvature", quantities, status, why);
  };
  if (rows_taken(x) == 0) return left_out(Status::not_run, std::string(too_dear));
  if (const std::string why = why_no_labels(x.evaluation()); !why.empty()) return left_out(Status::not_run, why);
  if (const std::string why = why_no_cross_entropy(x.evaluation(), x.subject.record()); !why.empty())
    return left_out(Status::not_run, why);
  try {
    const Measured m = measured(x);
    if (m.without_loss > 0)
      return left_out(Status::withheld,
                      fmt::format("{} of the {} rows taken {} no finite loss", grouped(m.without_loss), grouped(m.rows),
                                  m.without_loss == 1 ? "has" : "have"));
    if (m.spectrum.values.empty() || !std::isfinite(m.spectrum.largest.residual) ||
        !std::ranges::all_of(m.traces.of_probe, [](double v) { return std::isfinite(v); }))
      return left_out(Status::withheld, "a product of the Hessian is not finite");
    return {lambda_max(m), lambda_max_population(m), lambda_min(m), trace(m), trace_population(m), gradient(m)};
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported) throw;
    return left_out(Status::not_run, error.message());
  }
}

}  // namespace

extern const Examiner curvature_examiner;
const Examiner curvature_examiner = {
    .name = "curvature",
    .doc = "second derivatives of the loss by the weights",
    .quantities = quantities,
    .needs_outputs = true,
    .check_key = nullptr,
    .plan = plan,
    .run = run,
};

}  // namespace viva
