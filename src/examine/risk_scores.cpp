// The scores of risk: log-loss and Brier, with the rules that withhold them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "examine/risk.h"
#include "examine/statistics.h"
#include "examine/words.h"

namespace viva {
namespace {

// Streams of the run's seed.
constexpr uint64_t log_loss_stream = 1, brier_stream = 2;

std::string rows_list(const std::vector<int64_t>& rows) {
  const size_t shown_rows = std::min<size_t>(rows.size(), 5);
  return fmt::format("{}{}", fmt::join(rows.begin(), rows.begin() + static_cast<ptrdiff_t>(shown_rows), ", "),
                     rows.size() > shown_rows ? ", …" : "");
}

std::vector<int64_t> rows_of_infinite_loss(const Evaluation& e) {
  std::vector<int64_t> rows;
  for (size_t i = 0; i < e.loss.size(); ++i) {
    if (std::isinf(e.loss[i])) rows.push_back(static_cast<int64_t>(i));
  }
  return rows;
}

// Why scores cannot be given; "" where they can. `scores` has a NaN for a row without one.
std::string why_no_scores(const Evaluation& e, const std::vector<double>& scores) {
  if (e.kind == OutputKind::one_hot_regression)
    return "the outputs look like one-hot regression: neither probabilities nor logits";
  if (e.kind == OutputKind::fractions)
    return "the outputs come from a sigmoid a class or the like, and rows do not sum to one: neither probabilities nor "
           "logits";
  if (!e.nan_rows.empty())
    return fmt::format("{} NaN (row {})", counted(static_cast<int64_t>(e.nan_rows.size()), "row gives", "rows give"),
                       rows_list(e.nan_rows));
  if (!has_scores(e.kind)) return "the outputs are neither probabilities nor logits";
  std::vector<int64_t> undefined;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (std::isnan(scores[i])) undefined.push_back(static_cast<int64_t>(i));
  }
  if (undefined.empty()) return "";
  return fmt::format("softmax is undefined for {} with an infinite output (row {})",
                     counted(static_cast<int64_t>(undefined.size()), "row", "rows"), rows_list(undefined));
}

// Why there is no interval for the mean of these rows; "" where nothing forbids one.
std::string why_no_interval(const std::vector<double>& rows) {
  const auto n = static_cast<int64_t>(rows.size());
  if (n == 1) return "one row has no spread: no interval";
  if (!have_spread(rows))
    return fmt::format("all {} rows score alike to rounding: rows without spread do not tell how far new ones may be",
                       grouped(n));
  if (!enough_rows(n, risk_alpha))
    return fmt::format(
        "{} rows are too few: an interval within them misses with probability up to 2^(1 - {}) = {}, more than {}", n,
        n, shown(std::ldexp(1., static_cast<int>(1 - n))), risk_alpha);
  return "";
}

// The interval of a mean of scores: Student's where it is trusted, else the bootstrap with a warning.
void add_mean(Measure& m, const std::vector<double>& rows, uint64_t stream, Context& x) {
  Finding& f = m.finding;
  f.estimate = mean_of(rows);
  f.assumptions.emplace_back(independent_rows);
  m.interval = [](double) -> std::optional<Interval> { return std::nullopt; };
  f.why = why_no_interval(rows);
  if (!f.why.empty()) return;
  if (student_t_applies(rows)) {
    f.assumptions.emplace_back(
        "the mean of so many rows is close to normal: n >= 200 and no row is above a tenth of the sum");
    m.interval = [rows](double a) -> std::optional<Interval> {
      const auto r = student_t(rows, a);
      if (!r) return std::nullopt;
      return Interval{r->low, r->high, 1 - a, "Student t over rows", Sided::two};
    };
  } else {
    const auto bca = std::make_shared<BcaMean>(rows, x.seed, stream, x.pool, x.cancel);
    f.limits.push_back(
        fmt::format("fewer than 200 rows, or one row above a tenth of the sum: the interval is a bootstrap's ({} "
                    "resamples, BCa) and may miss the truth more often than stated",
                    grouped(BcaMean::resamples)));
    m.interval = [bca](double a) -> std::optional<Interval> {
      const auto r = bca->interval(a);
      if (!r) return std::nullopt;
      return Interval{r->low, r->high, 1 - a, "BCa bootstrap over rows, 10,000 resamples", Sided::two};
    };
  }
  f.interval = m.interval(risk_alpha);
  if (!f.interval) f.why = "the bootstrap cannot give an interval for these rows";
}

void add_source(Finding& f, const Evaluation& e) {
  if (e.kind == OutputKind::softmax)
    f.assumptions.emplace_back("taken in float64 from the input of the Softmax node, never clipped");
  if (e.kind == OutputKind::probabilities)
    f.assumptions.emplace_back("taken from the outputs as probabilities, never clipped");
  if (e.kind == OutputKind::log_probabilities)
    f.assumptions.emplace_back("taken in float64 from the outputs as logarithms of probabilities, never clipped");
  if (e.kind == OutputKind::logits)
    f.assumptions.emplace_back(
        "the outputs are logits (assumed: nothing in the file says so); taken in float64, never clipped");
}

}  // namespace

Measure log_loss(Context& x, const Evaluation& e) {
  Measure m = risk_measure("log_loss", "Log-loss", Target::rows_drawn_like_these, Kind::estimate, "nats", x.data);
  Finding& f = m.finding;
  add_source(f, e);
  if (std::string why = why_no_scores(e, e.loss); !why.empty()) return withhold(f, std::move(why)), m;
  const auto infinite = rows_of_infinite_loss(e);
  f.evidence.counts = {{"infinite_rows", static_cast<int64_t>(infinite.size())}};
  if (infinite.empty()) {
    add_mean(m, e.loss, log_loss_stream, x);
    const double perplexed = std::log(static_cast<double>(e.classes));
    f.check = Check{fmt::format("below log({}) = {}, the loss of the uniform guess", e.classes, shown(perplexed, 7)),
                    *f.estimate < perplexed};
    return m;
  }
  f.status = Status::withheld;
  f.why = fmt::format("the loss is infinite: {} probability 0 to the label (row {})",
                      counted(static_cast<int64_t>(infinite.size()), "row gives", "rows give"), rows_list(infinite));
  f.evidence.examples.push_back(examples_of("infinite", "First rows of infinite loss", infinite, x.data));
  return m;
}

Measure brier_score(Context& x, const Evaluation& e) {
  Measure m = risk_measure("brier", "Brier score", Target::rows_drawn_like_these, Kind::estimate,
                           "squared probability, 0 to 2", x.data);
  add_source(m.finding, e);
  if (std::string why = why_no_scores(e, e.brier); !why.empty()) return withhold(m.finding, std::move(why)), m;
  add_mean(m, e.brier, brier_stream, x);
  const double uniform = 1 - 1 / static_cast<double>(e.classes);
  m.finding.check =
      Check{fmt::format("below {}, the score of the uniform guess", shown(uniform, 7)), *m.finding.estimate < uniform};
  return m;
}

Measure infinite_rows(const Context& x, const Evaluation& e) {
  Measure m = risk_measure("infinite_rows", "Rows that give their label probability 0", Target::these_rows, Kind::exact,
                           "rows", x.data);
  if (std::string why = why_no_scores(e, e.loss); !why.empty()) return withhold(m.finding, std::move(why)), m;
  m.finding.estimate = static_cast<double>(rows_of_infinite_loss(e).size());
  return m;
}

}  // namespace viva
