// sensitivity: how fast the margin of a row falls as the row is changed.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "examine/input_space.h"
#include "examine/measure.h"
#include "examine/programs.h"
#include "examine/statistics.h"
#include "examine/words.h"

namespace viva {
namespace {

constexpr Quantity quantities[] = {
    {.name = "margin",
     .key = KeyKind::number,
     .title = "Margin: quantile {}",
     .unit = "difference of scores",
     .doc = "quantile of the label's score less the largest other"},
    {.name = "gradient",
     .key = KeyKind::number,
     .title = "Gradient of the margin: quantile {}",
     .unit = "scores per raw unit, l1",
     .doc = "quantile of the l1 norm of the margin's gradient, raw units"},
    {.name = "radius",
     .key = KeyKind::number,
     .title = "First-order distance to another label: quantile {}",
     .unit = "raw units, l-infinity",
     .doc = "quantile of margin / l1 norm: first-order l-infinity distance"},
    {.name = "zero_gradients",
     .fraction = true,
     .title = "Rows whose margin has gradient zero",
     .unit = "fraction",
     .doc = "fraction of rows whose margin has gradient zero"},
};

constexpr double standard_quantiles[] = {.5, .05};

struct Slopes {
  std::vector<double> margin, gradient, radius;
  std::vector<int64_t> zero, not_finite;
};

// The l1 norm, per unit of the raw data.
double norm(const Array& gradient, int64_t row, std::span<const double> unit) {
  const auto width = static_cast<int64_t>(unit.size());
  double sum = 0;
  for (int64_t j = 0; j < width; ++j) sum += std::abs(gradient.at(row * width + j)) * unit[static_cast<size_t>(j)];
  return sum;
}

void add_row(Slopes& s, int64_t row, double margin, double gradient) {
  if (!std::isfinite(margin) || !std::isfinite(gradient)) s.not_finite.push_back(row);
  if (gradient == 0) s.zero.push_back(row);
  s.margin.push_back(margin);
  s.gradient.push_back(gradient);
  // Where nothing moves the margin, no distance is seen.
  s.radius.push_back(gradient == 0 ? std::copysign(INFINITY, margin) : margin / gradient);
}

Slopes slopes_of(Context& x) {
  const NetworkFunction n = x.subject.network(program_rows);
  const RowProgram program(x.subject, n, margin_gradient(n), 2);
  const std::vector<double> unit = raw_units(x.subject.row_type().shape, x.options);
  Slopes s;
  const int64_t rows = x.data.size(), step = rows_at_once(x.subject.row_type());
  for (int64_t first = 0; first < rows; first += step) {
    const int64_t count = std::min(step, rows - first);
    const auto label = x.data.labels.begin() + first;
    const Array labels = Array::of(std::vector<int64_t>(label, label + count), {count});
    const auto out = program({checked_rows(x.data, first, count, x.subject), labels}, x.pool, x.cancel);
    for (int64_t i = 0; i < count; ++i) add_row(s, first + i, out[0].at(i), norm(out[2], i, unit));
    if (x.progress)
      x.progress(static_cast<double>(first + count) / static_cast<double>(rows), "gradients of the margin");
  }
  x.add_work(rows, 3);
  return s;
}

// The quantiles that are always shown, and those that claims name.
std::vector<std::pair<double, std::string>> asked(const Context& x, std::string_view quantity) {
  std::vector<std::pair<double, std::string>> all;
  for (const double q : standard_quantiles) all.emplace_back(q, shown(q));
  for (const Claim& c : x.claims) {
    const auto* q = std::get_if<double>(&c.key.value);
    if (c.quantity != quantity || !q) continue;
    if (std::ranges::find(all, *q, &std::pair<double, std::string>::first) == all.end())
      all.emplace_back(*q, c.key.text);
  }
  return all;
}

void add_quantiles(const Context& x, std::string_view name, std::vector<double> values, std::vector<Measure>& out) {
  std::ranges::sort(values);
  for (const auto& [q, text] : asked(x, fmt::format("sensitivity.{}", name))) {
    Measure m = make_measure("sensitivity", quantities, name, x.data, text);
    set_key(m, q, text);
    m.finding.estimate = quantile_of(values, q);
    m.finding.assumptions.push_back(population_assumption(x.data.record));
    if (name != "margin") assume_scaled_units(m.finding, x.data.record);
    m.interval = [values, q = q](double a) -> std::optional<Interval> {
      const QuantileInterval i = quantile_interval(values, q, a);
      if (!i.low && !i.high) return std::nullopt;
      return Interval{
          i.low, i.high, 1 - a, "order statistics by the binomial law", Sided::two, std::string(exact_coverage)};
    };
    m.finding.interval = m.interval(finding_alpha);
    if (!m.finding.interval) m.finding.why = "too few rows for an order statistic on either side";
    out.push_back(std::move(m));
  }
}

Measure zero_gradients(const Context& x, const Slopes& s) {
  Measure m = make_measure("sensitivity", quantities, "zero_gradients", x.data);
  set_proportion(m, std::ssize(s.zero), std::ssize(s.margin), "flat", x.data, finding_alpha);
  m.finding.check = CheckResult{"every row has a gradient", s.zero.empty()};
  if (!s.zero.empty()) {
    m.finding.evidence.examples.push_back(examples_of("zero", "First rows without a gradient", s.zero, x.data));
    m.finding.limits.emplace_back("for such rows the gradient sees no distance: their first-order radius is infinite");
  }
  return m;
}

void check_key(const Context&, const Claim& c) {
  const auto* q = std::get_if<double>(&c.key.value);
  if (q && !(*q > 0 && *q < 1))
    throw usage_error("claim '{}': the key is a quantile, between 0 and 1: write {}[0.05]", c.statement, c.quantity);
}

std::vector<PlanStep> plan(const Context& x) {
  return {{"gradient of the margin by the input", x.data.size(), "rows",
           3 * x.subject.record().flops * static_cast<double>(x.data.size())}};
}

std::vector<Measure> run(Context& x) {
  const auto left_out = [&](Status status, const std::string& why) {
    return all_left_out(x, "sensitivity", quantities, status, why);
  };
  if (const std::string why = why_no_labels(x.evaluation()); !why.empty()) return left_out(Status::not_run, why);
  if (!is_float(x.subject.row_type().dtype))
    return left_out(Status::not_run,
                    fmt::format("the input is {}: it has no gradient", name(x.subject.row_type().dtype)));
  try {
    const Slopes s = slopes_of(x);
    if (!s.not_finite.empty())
      return left_out(Status::withheld,
                      fmt::format("{} no finite margin or gradient{}",
                                  counted(std::ssize(s.not_finite), "row has", "rows have"), naming(x, s.not_finite)));
    std::vector<Measure> out;
    add_quantiles(x, "radius", s.radius, out);
    add_quantiles(x, "gradient", s.gradient, out);
    add_quantiles(x, "margin", s.margin, out);
    out.push_back(zero_gradients(x, s));
    for (Measure& m : out)
      if (m.quantity == "sensitivity.radius") {
        m.finding.why =
            "margin / l1 norm of its gradient: the distance at which a linear network would change its label; "
            "negative for rows that are wrong already";
        m.finding.limits.emplace_back("first order: a network is not linear, and rows may change their label sooner");
      }
    return out;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported) throw;
    return left_out(Status::not_run, error.message());
  }
}

}  // namespace

extern const Examiner sensitivity_examiner;
const Examiner sensitivity_examiner = {
    .name = "sensitivity",
    .doc = "how fast margins fall as rows are changed",
    .quantities = quantities,
    .needs_outputs = true,
    .check_key = check_key,
    .plan = plan,
    .run = run,
};

}  // namespace viva
