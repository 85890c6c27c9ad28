// numerics: what rounding does to the outputs, by the same graph in float64.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "examine/digits.h"
#include "examine/measure.h"
#include "examine/statistics.h"
#include "examine/words.h"

namespace viva {
namespace {

constexpr Quantity quantities[] = {
    {.name = "flips",
     .title = "Rows that another precision labels otherwise",
     .target = Target::these_rows,
     .kind = Kind::exact,
     .unit = "rows",
     .doc = "rows whose label differs between the network and the same graph in float64"},
    {.name = "flip_rate",
     .fraction = true,
     .title = "Rate of rows that another precision labels otherwise",
     .unit = "fraction",
     .doc = "probability that a new row's label differs so"},
    {.name = "largest_difference",
     .title = "Largest difference of a score from float64",
     .target = Target::these_rows,
     .kind = Kind::exact,
     .unit = "difference of scores",
     .doc = "largest difference between a score and the same in float64"},
    {.name = "smallest_margin",
     .title = "Smallest difference between the two largest scores",
     .target = Target::these_rows,
     .kind = Kind::exact,
     .unit = "difference of scores",
     .doc = "smallest difference between a row's two largest scores, in float64"},
};

// One row in both precisions.
struct Rounding {
  int64_t row = 0;
  double margin = 0;  // of the two largest scores, in float64
  double error = 0;   // largest difference of a score between the precisions; infinite where one of them is not finite
  bool flipped = false;
  // The label is safe where the margin is more than twice the error.
  double ratio() const { return error > 0 ? margin / (2 * error) : std::numeric_limits<double>::infinity(); }
};

Rounding compared(std::span<const double> narrow, std::span<const double> wide, int64_t row) {
  Rounding r{.row = row};
  double top = -INFINITY, second = -INFINITY;
  for (size_t k = 0; k < wide.size(); ++k) {
    const double a = narrow[k], b = wide[k];
    if (b > top) second = top, top = b;
    else second = std::max(second, b);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    r.error = std::isfinite(a - b) ? std::max(r.error, std::abs(a - b)) : INFINITY;
  }
  const int64_t named = named_class(wide);
  r.flipped = named_class(narrow) != named;
  r.margin = named < 0 ? std::numeric_limits<double>::quiet_NaN() : top == second ? 0 : top - second;
  return r;
}

Measure exact(const Context& x, std::string_view name, double value) {
  Measure m = make_measure("numerics", quantities, name, x.data);
  m.finding.estimate = value;
  m.finding.limits.emplace_back("exact for these rows, this build and this kind of processor");
  return m;
}

Measure flips(const Context& x, const std::vector<Rounding>& rows) {
  std::vector<int64_t> flipped;
  for (const Rounding& r : rows)
    if (r.flipped) flipped.push_back(r.row);
  Measure m = exact(x, "flips", static_cast<double>(flipped.size()));
  m.finding.check = CheckResult{"no label depends on rounding", flipped.empty()};
  if (!flipped.empty())
    m.finding.evidence.examples.push_back(examples_of("flips", "First rows labelled otherwise", flipped, x.data));
  return m;
}

Measure flip_rate(const Context& x, const std::vector<Rounding>& rows) {
  Measure m = make_measure("numerics", quantities, "flip_rate", x.data);
  const int64_t flipped = std::ranges::count(rows, true, &Rounding::flipped);
  set_proportion(m, flipped, std::ssize(rows), "flipped", x.data, finding_alpha, Sided::upper);
  return m;
}

Measure largest(const Context& x, const std::vector<Rounding>& rows) {
  const Rounding& r = *std::ranges::max_element(rows, {}, &Rounding::error);
  Measure m = exact(x, "largest_difference", r.error);
  if (std::isinf(r.error)) m.finding.why = "a row is finite in one precision alone" + naming(x, {r.row});
  m.finding.evidence.examples.push_back({"largest", "The row", x.data.record.id, {{r.row, number(r.error)}}});
  return m;
}

// The rows whose labels are nearest to flipping: by margin in units of twice the error.
Measure smallest(const Context& x, std::vector<Rounding> rows) {
  std::erase_if(rows, [](const Rounding& r) { return std::isnan(r.margin); });
  if (rows.empty()) {
    Measure m = exact(x, "smallest_margin", 0);
    m.finding.estimate.reset();
    withhold(m.finding, "every row gives NaN");
    return m;
  }
  Measure m = exact(x, "smallest_margin", std::ranges::min_element(rows, {}, &Rounding::margin)->margin);
  std::ranges::stable_sort(rows, {}, &Rounding::ratio);
  Table t{"nearest",
          "Rows nearest to another label by rounding",
          {"row", "margin in float64", "largest difference", "margin / (2 difference)"},
          {}};
  for (size_t i = 0; i < std::min<size_t>(rows.size(), 10); ++i)
    t.rows.push_back({rows[i].row, rows[i].margin, rows[i].error, rows[i].ratio()});
  m.finding.check = CheckResult{"every margin is more than twice the row's largest difference", rows[0].ratio() > 1};
  if (x.options.examples) m.finding.evidence.tables.push_back(std::move(t));
  return m;
}

std::vector<PlanStep> plan(const Context& x) {
  return {{"network over --data in float64", x.data.size(), "rows",
           x.subject.record().flops * static_cast<double>(x.data.size())}};
}

std::vector<Measure> run(Context& x) {
  const auto left_out = [&](const std::string& why) {
    return all_left_out(x, "numerics", quantities, Status::not_run, why);
  };
  const Evaluation& e = x.evaluation();
  if (const std::string why = why_no_labels(e); !why.empty()) return left_out(why);
  if (x.subject.output_epsilon() <= 0x1p-52) return left_out("the network computes in float64 already");
  std::vector<Rounding> rows;
  try {
    const Array narrow = e.scores.converted(Dtype::float64), &wide = x.scores64();
    const auto classes = static_cast<size_t>(e.classes);
    for (int64_t i = 0; i < e.rows; ++i) {
      const size_t at = static_cast<size_t>(i) * classes;
      rows.push_back(compared(narrow.as<double>().subspan(at, classes), wide.as<double>().subspan(at, classes), i));
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported) throw;
    return left_out(error.message());
  }
  std::vector<Measure> out;
  out.push_back(flips(x, rows));
  out.push_back(flip_rate(x, rows));
  out.push_back(largest(x, rows));
  out.push_back(smallest(x, std::move(rows)));
  if (!e.nan_rows.empty())
    for (Measure& m : out)
      m.finding.limits.push_back(fmt::format(
          "{} NaN: where float64 does too, they count as labelled alike, and have no difference and no margin",
          counted(std::ssize(e.nan_rows), "row gives", "rows give")));
  return out;
}

}  // namespace

extern const Examiner numerics_examiner;
const Examiner numerics_examiner = {
    .name = "numerics",
    .doc = "what rounding does to the outputs",
    .quantities = quantities,
    .needs_outputs = true,
    .check_key = nullptr,
    .plan = plan,
    .run = run,
};

}  // namespace viva
