#include "examine/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "base/error.h"
#include "examine/groups.h"
#include "examine/statistics.h"
#include "examine/words.h"

namespace viva {

// Those with the smallest random words, in their order.
std::vector<int64_t> drawn_rows(Words2 key, int64_t total, int64_t count) {
  std::vector<std::pair<uint64_t, int64_t>> drawn;
  for (int64_t i = 0; i < total; ++i) {
    const Words2 w = threefry2x32(key, words_of(static_cast<uint64_t>(i)));
    drawn.emplace_back(uint64_t{w[0]} << 32 | w[1], i);
  }
  std::ranges::sort(drawn);
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < count; ++i) rows.push_back(drawn[static_cast<size_t>(i)].second);
  return rows;
}

std::vector<int64_t> drawn_rows(uint64_t seed, Stream s, int64_t total, int64_t count) {
  return drawn_rows(stream_key(seed, s), total, count);
}

std::vector<double> random_signs(uint64_t seed, Stream s, uint64_t draw, int64_t n) {
  const Words2 key = fold_key(stream_key(seed, s), draw);
  std::vector<double> v(static_cast<size_t>(n));
  for (size_t i = 0; i < v.size(); ++i) v[i] = (threefry2x32(key, words_of(i))[0] & 1) != 0 ? 1 : -1;
  return v;
}

Halves halves_of(uint64_t seed, const RowSource& data, std::span<const int64_t> rows) {
  Halves h;
  for (const int64_t r : rows) (in_half_a(seed, data.unit(r)) ? h.a : h.b).push_back(r);
  return h;
}

Halves halves_of(uint64_t seed, const RowSource& data) {
  std::vector<int64_t> all(data.labels.size());
  std::iota(all.begin(), all.end(), 0);
  return halves_of(seed, data, all);
}

std::string population_assumption(const DataRecord& data) {
  std::string s = fmt::format("assumes independent, held-out {}; not checkable from the files; data role {}",
                              data.groups ? "groups of rows" : "rows", data.role);
  if (data.role == "train")
    s += ": rows that training has used are not held out, and rows that it has not used are likely to differ from them";
  return s;
}

void assume_scaled_units(Finding& f, const DataRecord& data) {
  if (!data.scaling.empty()) f.assumptions.push_back("raw units are those of the values scaled: " + data.scaling);
}

Measure make_measure(std::string id, std::string title, Target target, Kind kind, std::string unit_of_estimate,
                     const RowSource& data) {
  Measure m;
  m.quantity = id;
  m.from_outputs = true;
  Finding& f = m.finding;
  f.id = std::move(id);
  f.title = std::move(title);
  f.target = target;
  f.kind = kind;
  f.unit_of_estimate = std::move(unit_of_estimate);
  f.n = data.size();
  f.unit = "row";
  f.rows_used = RowsUsed{data.record.id, "all", data.size()};
  return m;
}

namespace {

void leave_out(Finding& f, Status status, std::string why) {
  f.status = status;
  f.why = std::move(why);
  f.estimate.reset();
  f.interval.reset();
}

}  // namespace

Measure make_measure(std::string_view examiner, std::span<const Quantity> quantities, std::string_view name,
                     const RowSource& data, std::string_view key) {
  const auto q = std::ranges::find(quantities, name, &Quantity::name);
  if (q == quantities.end()) throw internal_error("make_measure: {} has no quantity {}", examiner, name);
  std::string title(q->title);
  if (const size_t at = title.find("{}"); at != std::string::npos) title.replace(at, 2, key);
  return make_measure(fmt::format("{}.{}", examiner, name), std::move(title), q->target, q->kind, std::string(q->unit),
                      data);
}

void withhold(Finding& f, std::string why) { leave_out(f, Status::withheld, std::move(why)); }
void not_run(Finding& f, std::string why) { leave_out(f, Status::not_run, std::move(why)); }

std::string why_no_labels(const Evaluation& e) {
  if (e.kind == OutputKind::not_classes) return "the output is not one number for each of at least two classes";
  if (std::ssize(e.nan_rows) == e.rows)
    return fmt::format("no finite output exists: {} NaN",
                       counted(e.rows, "row, which gives", "rows, all of which give"));
  return "";
}

Examples examples_of(std::string id, std::string title, const std::vector<int64_t>& rows, const RowSource& data) {
  Examples e{std::move(id), std::move(title), data.record.id, {}};
  for (size_t i = 0; i < std::min<size_t>(rows.size(), 10); ++i) e.rows.emplace_back(rows[i], "");
  return e;
}

void set_proportion(Measure& m, int64_t k, int64_t n, std::string noun, const RowSource& data, double alpha,
                    Sided sided, const std::string& method) {
  Finding& f = m.finding;
  f.n = n;
  f.rows_used->count = n;
  f.assumptions.push_back(population_assumption(data.record));
  f.evidence.counts = {{noun, k}, {"rows", n}};
  m.sided = sided;
  m.tally = Measure::Tally{k, n, std::move(noun), sided};
  if (n == 0) return withhold(f, "there are no such rows");
  f.estimate = static_cast<double>(k) / static_cast<double>(n);
  m.interval = [k, n, sided](double a) -> std::optional<Interval> {
    if (sided == Sided::upper)
      return Interval{std::nullopt, clopper_pearson_upper(k, n, a), 1 - a, "Clopper-Pearson, one-sided",
                      sided,        std::string(exact_coverage)};
    const Range r = clopper_pearson(k, n, a);
    return Interval{r.low, r.high, 1 - a, "Clopper-Pearson", Sided::two, std::string(exact_coverage)};
  };
  f.interval = m.interval(alpha);
  if (!method.empty()) f.interval->method = method;
}

std::string why_no_interval(std::span<const double> rows) {
  const auto n = static_cast<int64_t>(rows.size());
  if (n == 1) return "one row has no spread: no interval";
  if (!have_spread(rows))
    return fmt::format("all {} rows score alike to rounding: rows without spread do not tell how far new ones may be",
                       grouped(n));
  if (!enough_rows(n, finding_alpha))
    return fmt::format(
        "{} rows are too few: an interval within them misses with probability up to 2^(1 - {}) = {}, more than {}", n,
        n, shown(std::ldexp(1., static_cast<int>(1 - n))), finding_alpha);
  return "";
}

std::string student_coverage(int64_t n) {
  if (n >= 1000) return "95 % intervals covered at least 94.3 % of the time at n = 1,000 and 10,000, skewed rows too";
  return "95 % intervals covered about 93 % of the time at n = 200 on skewed rows";
}

std::string bootstrap_coverage(int64_t n) {
  return fmt::format("95 % intervals covered {} % of the time on skewed rows", n < 100 ? "about 89" : "about 90 to 92");
}

std::string temperature_coverage(int64_t n) {
  if (n >= 1000) return "95 % intervals covered about 95 % of the time at n = 1,000";
  return "95 % intervals covered about 94 % of the time at n = 200";
}

std::optional<Interval> student_interval(std::span<const double> rows, double alpha, Sided sided) {
  const auto r = student_t(rows, sided == Sided::two ? alpha : 2 * alpha);
  if (!r) return std::nullopt;
  Interval i{r->low, r->high, 1 - alpha, "Student t over rows", sided, student_coverage(std::ssize(rows))};
  if (sided != Sided::two) i.method += ", one-sided";
  if (sided == Sided::lower) i.high.reset();
  if (sided == Sided::upper) i.low.reset();
  return i;
}

void set_mean(Measure& m, std::vector<double> rows, Stream stream, Context& x) {
  Finding& f = m.finding;
  f.estimate = mean_of(rows);
  f.assumptions.push_back(population_assumption(x.data.record));
  if (!x.data.groups.empty()) {
    std::vector<int64_t> all(rows.size());
    std::iota(all.begin(), all.end(), 0);
    return set_grouped_mean(m, std::move(rows), all, x.data);
  }
  m.interval = [](double) -> std::optional<Interval> { return std::nullopt; };
  f.why = why_no_interval(rows);
  if (!f.why.empty()) return;
  if (student_t_applies(rows)) {
    f.assumptions.emplace_back(
        "the mean of so many rows is close to normal: n >= 200 and no row is above a tenth of the sum");
    m.interval = [rows = std::move(rows)](double a) { return student_interval(rows, a); };
  } else {
    const auto bca = std::make_shared<BcaMean>(rows, x.seed, static_cast<uint64_t>(stream), x.pool, x.cancel);
    f.limits.push_back(
        fmt::format("fewer than 200 rows, or one row above a tenth of the sum: the interval is a bootstrap's ({} "
                    "resamples, BCa) and may miss the truth more often than stated",
                    grouped(BcaMean::resamples)));
    m.interval = [bca, n = std::ssize(rows)](double a) -> std::optional<Interval> {
      const auto r = bca->interval(a);
      if (!r) return std::nullopt;
      return Interval{
          r->low, r->high, 1 - a, "BCa bootstrap over rows, 10,000 resamples", Sided::two, bootstrap_coverage(n)};
    };
  }
  f.interval = m.interval(finding_alpha);
  if (!f.interval) f.why = "the bootstrap cannot give an interval for these rows";
}

void set_key(Measure& m, const ClaimKey& key) {
  if (const auto* name = std::get_if<std::string>(&key.value)) m.name = *name;
  if (const auto* number = std::get_if<double>(&key.value)) m.number = *number;
  if (!key.none()) m.finding.id += fmt::format("[{}]", key.text);
}

void set_key(Measure& m, double number, const std::string& text) {
  m.number = number;
  m.finding.id += fmt::format("[{}]", text);
}

std::vector<Measure> all_left_out(const Context& x, std::string_view examiner, std::span<const Quantity> quantities,
                                  Status status, const std::string& why) {
  std::vector<Measure> out;
  const auto add = [&](const Quantity& q, const ClaimKey& key) {
    Measure m = make_measure(examiner, {&q, 1}, q.name, x.data, key.text);
    m.finding.n.reset();
    m.finding.rows_used.reset();
    m.finding.unit.clear();
    set_key(m, key);
    m.finding.status = status;
    m.finding.why = why;
    const bool again = std::ranges::any_of(out, [&](const Measure& o) { return o.finding.id == m.finding.id; });
    if (!again) out.push_back(std::move(m));
  };
  for (const Quantity& q : quantities) {
    if (!q.no_claim.empty()) continue;
    if (q.key == KeyKind::none || q.key_optional) add(q, {});
    for (const Claim& c : x.claims)
      if (c.quantity == fmt::format("{}.{}", examiner, q.name) && !c.key.none()) add(q, c.key);
  }
  return out;
}

std::string naming(const Context& x, const std::vector<int64_t>& rows) {
  if (!x.options.examples || rows.empty()) return "";
  const size_t shown_rows = std::min<size_t>(rows.size(), 5);
  return fmt::format(" (row {}{})", fmt::join(rows.begin(), rows.begin() + static_cast<ptrdiff_t>(shown_rows), ", "),
                     rows.size() > shown_rows ? ", …" : "");
}

}  // namespace viva
