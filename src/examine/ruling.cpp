#include <algorithm>
#include <cmath>

#include "base/bytes.h"
#include "base/error.h"
#include "examine/claims.h"
#include "examine/digits.h"
#include "examine/statistics.h"
#include "examine/words.h"

namespace viva {
namespace {

Verdict rule_tally(const Claim& c, Sided sided, int64_t k, int64_t n, double alpha) {
  if (sided == Sided::upper) return rule(c.op, c.value, std::nullopt, clopper_pearson_upper(k, n, alpha));
  if (sided == Sided::lower) return rule(c.op, c.value, clopper_pearson_lower(k, n, alpha), std::nullopt);
  const Range r = clopper_pearson(k, n, alpha);
  return rule(c.op, c.value, r.low, r.high);
}

bool wants_high(Comparison op) { return op == Comparison::at_least || op == Comparison::above; }

// The count nearest to k that gives `wanted`, searching towards n (up) or 0; nullopt where none does.
std::optional<int64_t> nearest_count(const Claim& c, const Measure::Tally& t, double alpha, Verdict wanted, bool up) {
  const int64_t last = up ? t.n : 0;
  if (rule_tally(c, t.sided, last, t.n, alpha) != wanted) return std::nullopt;
  int64_t no = t.k, yes = last;  // both ends of the interval grow with k, so the ruling changes once
  while (std::abs(yes - no) > 1) {
    const int64_t middle = no + (yes - no) / 2;
    (rule_tally(c, t.sided, middle, t.n, alpha) == wanted ? yes : no) = middle;
  }
  return yes;
}

// About how many rows of the same rate decide. Doubling, then bisection; nullopt beyond 10^9.
std::optional<int64_t> rows_at_this_rate(const Claim& c, const Measure::Tally& t, double alpha) {
  const double rate = static_cast<double>(t.k) / static_cast<double>(t.n);
  const auto decided = [&](int64_t n) {
    const auto k = static_cast<int64_t>(std::llround(rate * static_cast<double>(n)));
    return rule_tally(c, t.sided, std::min(k, n), n, alpha) != Verdict::undecided;
  };
  int64_t low = t.n, high = t.n;
  while (!decided(high)) {
    low = high;
    high *= 2;
    if (high > 1000000000) return std::nullopt;
  }
  while (high - low > std::max<int64_t>(1, high / 1000)) {
    const int64_t middle = low + (high - low) / 2;
    (decided(middle) ? high : low) = middle;
  }
  return high;
}

std::string would_decide(const Claim& c, const Measure::Tally& t, double alpha) {
  if (t.n == 0) return "any rows at all: there are none";
  const bool up = wants_high(c.op);
  const auto support = nearest_count(c, t, alpha, Verdict::supported, up);
  const auto refute = nearest_count(c, t, alpha, Verdict::refuted, !up);
  std::string s;
  if (support) s = fmt::format("{} {} would support it, {} are", grouped(*support), t.noun, grouped(t.k));
  else s = fmt::format("no count of {} rows could support it ({} are {})", grouped(t.n), grouped(t.k), t.noun);
  if (refute) s += fmt::format("; {} or {} would refute it", grouped(*refute), up ? "fewer" : "more");
  else s += "; none could refute it";
  if (const auto n = rows_at_this_rate(c, t, alpha)) s += fmt::format("; or about {} rows at this rate", rounded(*n));
  return s;
}

// What the estimate would have to be for an end, at its distance, to reach the claim's value; rounded to what suffices.
std::string sufficient(const Claim& c, double estimate, double end, const Interval& i, bool up) {
  return fmt::format("a value of {} or {}",
                     number(estimate + (c.value - end), digits_of(i, estimate), up ? Rounding::up : Rounding::down),
                     up ? "more" : "less");
}

// About how many times the rows of the same spread bring the end that supports to the value.
std::string more_rows(double room, double gap) {
  const double factor = gap > 0 ? (room / gap) * (room / gap) : 0;
  if (factor > 1 && factor < 1.05) return "; or a few more rows of the same spread";
  return factor > 1 && factor < 1e4
             ? fmt::format("; or about {} times as many rows of the same spread", shown(factor, 2))
             : "";
}

// For a mean: the estimate moved so far that an end reaches the value, its distance unchanged.
std::string would_decide(const Claim& c, double estimate, const Interval& i) {
  const bool up = wants_high(c.op);
  const std::optional<double>&needed = up ? i.low : i.high, &other = up ? i.high : i.low;
  if (i.level >= 1) {
    if (!needed)
      return fmt::format("{} end of the interval, which this method does not state", up ? "a lower" : "an upper");
    return fmt::format("a value beyond {}; what was found is {}, and what lies beyond it is not excluded",
                       shown(c.value), shown(*needed, 8));
  }
  std::string s = needed ? sufficient(c, estimate, *needed, i, up) + " would support it"
                         : fmt::format("{} end of the interval, which this method does not state, to support it",
                                       up ? "a lower" : "an upper");
  s += fmt::format(", {} is measured", number(estimate, digits_of(i, estimate)));
  if (other) s += "; " + sufficient(c, estimate, *other, i, !up) + " would refute it";
  const auto& near = estimate == c.value ? std::nullopt : (estimate > c.value) == up ? needed : other;
  return near ? s + more_rows(std::abs(*near - estimate), std::abs(estimate - c.value)) : s;
}

const Measure& measure_of(const Claim& c, std::span<const Measure> measures) {
  std::string have;
  int listed = 0;
  for (const Measure& m : measures) {
    if (m.quantity != c.quantity) continue;
    const auto* name = std::get_if<std::string>(&c.key.value);
    const auto* number = std::get_if<double>(&c.key.value);
    if (name ? m.name == *name && !m.name.empty() : number ? m.number == *number : m.name.empty() && !m.number)
      return m;
    if (++listed <= 12) have += (have.empty() ? "" : ", ") + m.finding.id;
  }
  throw usage_error("claim '{}': no such key; there {} {}{}", printable(c.statement), listed == 1 ? "is" : "are",
                    listed ? have : "none", listed > 12 ? ", …" : "");
}

Verdict both(Verdict a, Verdict b) {
  if (a == Verdict::none) return b;
  if (a == Verdict::refuted || b == Verdict::refuted) return Verdict::refuted;
  return a == Verdict::undecided ? a : b;
}

// The finding restated at the claims' level, as one of the claim's own.
Finding restated(const Claim& c, const Finding& base, const std::optional<Interval>& interval, int64_t claims) {
  Finding f = base;
  f.id = c.id;
  f.title = "Claim: " + c.statement;
  f.interval = interval;
  f.family = Family{"claims", claims, "Bonferroni: each two-sided interval at 1 - .05/k, one-sided at 1 - .025/k"};
  f.verdict = c.ruling;
  f.evidence = {};
  return f;
}

void rule_claim(Claim& c, const Measure& m, int64_t claims, Report& report) {
  const auto base = std::find_if(report.findings.begin(), report.findings.end(),
                                 [&](const Finding& f) { return f.id == m.finding.id; });
  const double alpha = claim_alpha(claims, m.sided);
  c.finding = m.finding.id;
  // Classes without names go by their indexes.
  c.key_name = m.number && m.name == shown(*m.number, 17) ? "" : m.name, c.key_number = m.number;
  c.ruling = Verdict::undecided;
  const auto settle = [&] { base->verdict = both(base->verdict, c.ruling); };
  if (m.finding.status != Status::run || !m.finding.estimate) {
    c.would_decide = fmt::format("the quantity itself, which is {}: {}",
                                 m.finding.status == Status::not_run ? "not run" : "withheld", m.finding.why);
    return settle();
  }
  if (!m.interval) {
    if (m.finding.kind == Kind::exact) c.ruling = rule(c.op, c.value, m.finding.estimate, m.finding.estimate);
    else c.would_decide = "an interval; none is known for this estimate";
    return settle();
  }
  const std::optional<Interval> interval = m.interval(alpha);
  if (interval) c.ruling = rule(c.op, c.value, interval->low, interval->high);
  if (!interval)
    c.would_decide = fmt::format("an interval at level {}, which is withheld: {}", shown(1 - alpha, 6),
                                 m.finding.why.empty() ? "the rows are too few for one at this level" : m.finding.why);
  else if (c.ruling == Verdict::undecided)
    c.would_decide = m.tally ? would_decide(c, *m.tally, alpha) : would_decide(c, *m.finding.estimate, *interval);
  const bool own_level =
      !m.finding.family && m.finding.interval && interval && m.finding.interval->level == interval->level;
  if (own_level || !interval) return settle();
  c.finding = c.id;
  report.findings.push_back(restated(c, m.finding, interval, claims));
}

}  // namespace

Verdict rule(Comparison op, double value, std::optional<double> low, std::optional<double> high) {
  const auto is = [](const std::optional<double>& end, auto compare) { return end && compare(*end); };
  bool yes = false, no = false;
  switch (op) {
    case Comparison::at_least:
      yes = is(low, [&](double x) { return x >= value; });
      no = is(high, [&](double x) { return x < value; });
      break;
    case Comparison::above:
      yes = is(low, [&](double x) { return x > value; });
      no = is(high, [&](double x) { return x <= value; });
      break;
    case Comparison::at_most:
      yes = is(high, [&](double x) { return x <= value; });
      no = is(low, [&](double x) { return x > value; });
      break;
    case Comparison::below:
      yes = is(high, [&](double x) { return x < value; });
      no = is(low, [&](double x) { return x >= value; });
      break;
  }
  if ((low && std::isnan(*low)) || (high && std::isnan(*high)) || yes == no) return Verdict::undecided;
  return yes ? Verdict::supported : Verdict::refuted;
}

double claim_alpha(int64_t claims, Sided sided) {
  if (claims < 1) throw usage_error("claim_alpha: {} claims", claims);
  return claims_alpha / (sided == Sided::two ? 1 : 2) / static_cast<double>(claims);
}

void rule_claims(std::vector<Measure> measures, Report& report) {
  for (const Measure& m : measures) report.findings.push_back(m.finding);
  std::vector<Claim> claims = report.claims;
  for (Claim& c : claims) rule_claim(c, measure_of(c, measures), static_cast<int64_t>(claims.size()), report);
  report.claims = std::move(claims);
}

}  // namespace viva
