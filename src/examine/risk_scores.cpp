// The scores of risk: log-loss and Brier, with the rules that withhold them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "examine/digits.h"
#include "examine/risk.h"
#include "examine/statistics.h"
#include "examine/words.h"

namespace viva {
namespace {

std::vector<int64_t> rows_of_infinite_loss(const Evaluation& e) {
  std::vector<int64_t> rows;
  for (size_t i = 0; i < e.loss.size(); ++i) {
    if (std::isinf(e.loss[i])) rows.push_back(static_cast<int64_t>(i));
  }
  return rows;
}

}  // namespace

void add_source(Finding& f, const Evaluation& e) {
  if (e.kind == OutputKind::softmax)
    f.assumptions.emplace_back("taken in float64 from the input of the Softmax node, never clipped");
  if (e.kind == OutputKind::probabilities)
    f.assumptions.emplace_back("taken from the outputs as probabilities, never clipped");
  if (e.kind == OutputKind::log_probabilities)
    f.assumptions.emplace_back("taken in float64 from the outputs as logarithms of probabilities, never clipped");
  if (e.kind == OutputKind::logits)
    f.assumptions.emplace_back(
        e.stated ? "the outputs are logits, as --output-kind says; taken in float64, never clipped"
                 : "the outputs are logits (assumed: nothing in the file says so); taken in float64, never clipped");
}

std::string why_no_scores(const Context& x, const Evaluation& e, const std::vector<double>& scores) {
  if (std::string why = why_no_labels(e); !why.empty()) return why;
  if (e.kind == OutputKind::one_hot_regression)
    return "the outputs look like one-hot regression: neither probabilities nor logits";
  if (e.kind == OutputKind::fractions)
    return "the outputs come from a sigmoid a class or the like, and rows do not sum to one: neither probabilities nor "
           "logits";
  if (!e.nan_rows.empty())
    return fmt::format("{} NaN{}", counted(std::ssize(e.nan_rows), "row gives", "rows give"), naming(x, e.nan_rows));
  if (!has_scores(e.kind)) return "the outputs are neither probabilities nor logits";
  std::vector<int64_t> undefined;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (std::isnan(scores[i])) undefined.push_back(static_cast<int64_t>(i));
  }
  if (undefined.empty()) return "";
  return fmt::format("softmax is undefined for {} with an infinite output{}",
                     counted(std::ssize(undefined), "row", "rows"), naming(x, undefined));
}

Measure log_loss(Context& x, const Evaluation& e) {
  Measure m = make_measure("risk", risk_quantities, "log_loss", x.data);
  Finding& f = m.finding;
  add_source(f, e);
  if (std::string why = why_no_scores(x, e, e.loss); !why.empty()) return withhold(f, std::move(why)), m;
  const auto infinite = rows_of_infinite_loss(e);
  f.evidence.counts = {{"infinite_rows", static_cast<int64_t>(infinite.size())}};
  if (infinite.empty()) {
    set_mean(m, e.loss, Stream::log_loss, x);
    add_loss_rows(f, x, e);
    const double perplexed = std::log(static_cast<double>(e.classes));
    f.check =
        CheckResult{fmt::format("below log({}) = {}, the loss of the uniform guess", e.classes, number(perplexed)),
                    *f.estimate < perplexed};
    return m;
  }
  withhold(f, fmt::format("the loss is infinite: {} probability 0 to the label{}",
                          counted(std::ssize(infinite), "row gives", "rows give"), naming(x, infinite)));
  f.evidence.examples.push_back(examples_of("infinite", "First rows of infinite loss", infinite, x.data));
  return m;
}

Measure brier_score(Context& x, const Evaluation& e) {
  Measure m = make_measure("risk", risk_quantities, "brier", x.data);
  add_source(m.finding, e);
  if (std::string why = why_no_scores(x, e, e.brier); !why.empty()) return withhold(m.finding, std::move(why)), m;
  set_mean(m, e.brier, Stream::brier, x);
  const double uniform = 1 - 1 / static_cast<double>(e.classes);
  m.finding.check = CheckResult{fmt::format("below {}, the score of the uniform guess", number(uniform)),
                                *m.finding.estimate < uniform};
  return m;
}

Measure infinite_rows(const Context& x, const Evaluation& e) {
  Measure m = make_measure("risk", risk_quantities, "infinite_rows", x.data);
  if (std::string why = why_no_scores(x, e, e.loss); !why.empty()) return withhold(m.finding, std::move(why)), m;
  m.finding.estimate = static_cast<double>(rows_of_infinite_loss(e).size());
  return m;
}

}  // namespace viva
