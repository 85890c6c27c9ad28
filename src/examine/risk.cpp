// risk: how often the network is wrong on rows drawn like these, and how well its probabilities are placed.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/bytes.h"
#include "base/error.h"
#include "examine/detectable.h"
#include "examine/digits.h"
#include "examine/groups.h"
#include "examine/risk.h"
#include "examine/statistics.h"
#include "examine/words.h"

namespace viva {
namespace {

constexpr std::string_view one_number =
    "; to examine a classifier of two classes, export two columns, such as [1 - p, p] or [0, logit]";

bool is_correct(const Evaluation& e, const RowSource& data, size_t i) { return e.predicted[i] == data.labels[i]; }

// 1 for a right row; only of the label, where one is given.
void group_correct(Measure& m, const Context& x, const Evaluation& e, std::optional<int64_t> label = {}) {
  if (x.data.groups.empty()) return;
  std::vector<double> right;
  std::vector<int64_t> rows;
  for (size_t i = 0; i < e.predicted.size(); ++i) {
    if (label && x.data.labels[i] != *label) continue;
    right.push_back(is_correct(e, x.data, i)), rows.push_back(static_cast<int64_t>(i));
  }
  if (!rows.empty()) set_grouped_mean(m, std::move(right), rows, x.data);
}

Measure accuracy(Context& x, const Evaluation& e) {
  int64_t correct = 0;
  for (size_t i = 0; i < e.predicted.size(); ++i) correct += is_correct(e, x.data, i);
  Measure m = make_measure("risk", risk_quantities, "accuracy", x.data);
  set_proportion(m, correct, e.rows, "correct", x.data, finding_alpha);
  group_correct(m, x, e);
  Finding& f = m.finding;
  f.check = CheckResult{"the outputs of a row do not depend on the rows beside it: " + x.influence.measure,
                        x.influence.independent};
  f.evidence.counts.push_back({"ties", e.ties});
  add_wrong_rows(f, x, e);
  if (e.ties > 0)
    f.limits.push_back(fmt::format("{} tie for the largest output; the first class counts",
                                   counted(e.ties, "row has classes that", "rows have classes that")));
  if (const std::string why = why_no_labels(e); !why.empty()) f.limits.push_back(why + "; all of them count as wrong");
  else if (!e.nan_rows.empty())
    f.limits.push_back(fmt::format("{} NaN and {} as wrong",
                                   counted(static_cast<int64_t>(e.nan_rows.size()), "row gives", "rows give"),
                                   e.nan_rows.size() == 1 ? "counts" : "count"));
  return m;
}

Measure nan_rows(const Context& x, const Evaluation& e) {
  Measure m = make_measure("risk", risk_quantities, "nan_rows", x.data);
  const auto count = static_cast<int64_t>(e.nan_rows.size());
  m.finding.estimate = static_cast<double>(count);
  m.finding.check = CheckResult{"no output is NaN", count == 0};
  if (count > 0) {
    m.finding.evidence.examples.push_back(examples_of("nan", "First rows with NaN", e.nan_rows, x.data));
    m.finding.limits.push_back("these rows count as wrong; log-loss and Brier score are withheld");
  }
  return m;
}

std::vector<int64_t> class_counts(const RowSource& data, int64_t classes) {
  std::vector<int64_t> counts(static_cast<size_t>(classes));
  for (const int64_t label : data.labels) ++counts[static_cast<size_t>(label)];
  return counts;
}

void add_recalls(Context& x, const Evaluation& e, std::vector<Measure>& out) {
  const auto rows = class_counts(x.data, e.classes);
  std::vector<int64_t> correct(rows.size());
  for (size_t i = 0; i < e.predicted.size(); ++i) {
    if (is_correct(e, x.data, i)) ++correct[static_cast<size_t>(x.data.labels[i])];
  }
  for (int64_t k = 0; k < e.classes; ++k) {
    const auto at = static_cast<size_t>(k);
    Measure m = make_measure("risk", risk_quantities, "recall", x.data, x.class_name(k));
    m.name = x.class_name(k);
    m.number = static_cast<double>(k);
    m.finding.id = fmt::format("risk.recall[{}]", x.has_class_names() ? quoted_key(m.name) : std::to_string(k));
    m.finding.rows_used->which = fmt::format("label {}", k);
    m.finding.family = Family{"risk.recall", e.classes, "Šidák"};
    set_proportion(m, correct[at], rows[at], "correct", x.data, sidak(finding_alpha, e.classes), Sided::two,
                   "Clopper-Pearson at Šidák's level");
    group_correct(m, x, e, k);
    out.push_back(std::move(m));
  }
}

Measure baseline(const Context& x, const Evaluation& e) {
  const auto rows = class_counts(x.data, e.classes);
  const auto most = std::max_element(rows.begin(), rows.end());
  Measure m = make_measure("risk", risk_quantities, "baseline", x.data);
  m.finding.title += ": always naming " + x.class_name(most - rows.begin());
  if (const auto tied = std::ranges::count(rows, *most); tied > 1)
    m.finding.title += fmt::format(", one of {} classes with as many rows", tied);
  m.finding.estimate = static_cast<double>(*most) / static_cast<double>(e.rows);
  m.from_outputs = false;
  m.finding.evidence.counts = {{"rows", *most}, {"class", most - rows.begin()}};
  return m;
}

// The rate that accuracy is compared with: the first claim's, as it was written, else the one measured.
struct Fixed {
  double rate;
  std::string text, origin;
  double alpha = finding_alpha;
};
Fixed fixed_rate(const Context& x, const Finding& measured) {
  for (const Claim& c : x.claims) {
    if (c.quantity == "risk.accuracy")
      return {c.value, fmt::format("{}", c.value), "the rate of " + c.id,
              claim_alpha(std::ssize(x.claims), Sided::two)};
  }
  const double rate = *measured.estimate;
  return {rate, measured.interval ? number(rate, digits_of(*measured.interval, rate)) : number(rate),
          "the accuracy measured"};
}

Measure detectable(const Context& x, std::string_view name, const std::string& key, std::optional<double> difference) {
  Measure m = make_measure("risk", risk_quantities, name, x.data, key);
  m.quantity.clear();
  m.finding.estimate = difference;
  m.finding.assumptions.push_back(population_assumption(x.data.record));
  return m;
}

void add_detectable(const Context& x, const Finding& measured, std::vector<Measure>& out) {
  const int64_t n = x.data.size();
  const Fixed fixed = fixed_rate(x, measured);
  const Detectable d = detectable_against(fixed.rate, n, fixed.alpha);
  for (const bool above : {true, false}) {
    Measure m = detectable(x, above ? "detectable_above" : "detectable_below", fixed.text, above ? d.above : d.below);
    m.finding.why =
        fmt::format("exact two-sided binomial test against {} ({}), each tail {}, power .8 in its own tail{}",
                    fixed.text, fixed.origin, shown(fixed.alpha / 2),
                    m.finding.estimate ? "" : fmt::format("; no count of {} rows rejects on this side", grouped(n)));
    m.finding.evidence.tables = {{"test",
                                  "The test",
                                  {"fixed rate", "as shown", "taken from", "alpha"},
                                  {{fixed.rate, fixed.text, fixed.origin, shown(fixed.alpha)}}}};
    out.push_back(std::move(m));
  }
  for (const double discordance : {.05, .10}) {
    Measure m =
        detectable(x, "detectable_paired", fmt::format("{:.0f}", 100 * discordance), detectable_paired(discordance, n));
    m.finding.id += fmt::format("[{}]", discordance);
    m.finding.why =
        "(1.960 + 0.842) sqrt(d / n): two models on the same rows, alpha .05 two-sided, power .8, d the fraction of "
        "rows on which just one of them is right";
    if (m.finding.estimate && *m.finding.estimate > discordance)
      m.finding.limits.push_back("larger than the discordance itself: with so few rows no difference can be detected");
    out.push_back(std::move(m));
  }
}

// A class may be claimed by its name and by its index.
void refuse_claim_by_index(const Context& x, const Claim& named, int64_t index) {
  for (const Claim& c : x.claims) {
    const auto* number = std::get_if<double>(&c.key.value);
    if (c.quantity == named.quantity && number && *number == static_cast<double>(index) && c.op == named.op &&
        c.value == named.value)
      throw usage_error("claim '{}' is that of {} '{}': state it once, because claims share one error rate",
                        printable(named.statement), c.id, printable(c.statement));
  }
}

void check_key(const Context& x, const Claim& c) {
  if (c.quantity != "risk.recall") return;
  const int64_t classes = classes_of(x.subject);
  if (const auto* number = std::get_if<double>(&c.key.value)) {
    if (classes == 0 || (*number >= 0 && *number < static_cast<double>(classes) && *number == std::floor(*number)))
      return;
    throw usage_error("claim '{}': there is no class {}; the indexes are 0 to {}", printable(c.statement), c.key.text,
                      classes - 1);
  }
  const auto& name = std::get<std::string>(c.key.value);
  std::vector<std::string> names;
  for (int64_t k = 0; k < classes; ++k) {
    if (x.class_name(k) == name) return refuse_claim_by_index(x, c, k);
    if (k < 40) names.push_back(x.class_name(k));
  }
  if (!x.has_class_names())
    throw usage_error(
        "claim '{}': the classes have no names here; write an index, as in risk.recall[0], or give names with "
        "--classes",
        printable(c.statement));
  throw usage_error("claim '{}': there is no class \"{}\"; the classes are {}{}", printable(c.statement),
                    printable(name), fmt::join(names, ", "), classes > 40 ? ", …" : "");
}

std::vector<PlanStep> plan(const Context& x) {
  return {{"bootstrap resamples, where Student's interval is not trusted (at most, log-loss and Brier score)",
           2 * BcaMean::resamples, fmt::format("resamples of {} rows", grouped(x.data.size())), 0}};
}

std::vector<Measure> run(Context& x) {
  const Evaluation& e = x.evaluation();
  if (e.kind == OutputKind::not_classes)
    return all_left_out(
        x, "risk", risk_quantities, Status::withheld,
        fmt::format("a row of the output has shape {}: not one number for each of at least two classes{}",
                    to_string(x.subject.output_row_shape()),
                    numel(x.subject.output_row_shape()) == 1 ? one_number : ""));
  std::vector<Measure> out;
  out.push_back(accuracy(x, e));
  const Finding measured = out[0].finding;
  out.push_back(log_loss(x, e));
  out.push_back(brier_score(x, e));
  add_recalls(x, e, out);
  out.push_back(baseline(x, e));
  add_detectable(x, measured, out);
  out.push_back(nan_rows(x, e));
  out.push_back(infinite_rows(x, e));
  return out;
}

}  // namespace

extern const Examiner risk_examiner;
const Examiner risk_examiner = {
    .name = "risk",
    .doc = "accuracy, log-loss, Brier score and recall, with intervals",
    .quantities = risk_quantities,
    .needs_outputs = true,
    .check_key = check_key,
    .plan = plan,
    .run = run,
};

}  // namespace viva
