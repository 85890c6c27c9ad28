// Rows that are counted twice, labels that rounding decides, and attacks whose gradients are hidden.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "data/duplicates.h"
#include "examine/detectable.h"
#include "examine/diagnosis.h"
#include "examine/digits.h"
#include "examine/statistics.h"
#include "examine/words.h"

namespace viva {
namespace {

constexpr double material_share = .01;    // of the rows
constexpr double material_flips = .001;   // of the labels
constexpr double material_float64 = .25;  // of the rows tried

double share(int64_t k, int64_t n) { return n > 0 ? static_cast<double>(k) / static_cast<double>(n) : 0; }

// Accuracy over the rows marked, in words.
std::string accuracy_in_words(Context& x, const std::vector<bool>& marked, bool which) {
  const Evaluation& e = x.evaluation();
  int64_t n = 0, right = 0;
  for (size_t i = 0; i < marked.size(); ++i)
    if (marked[i] == which) ++n, right += e.predicted[i] == x.data.labels[i];
  return n > 0 ? number(share(right, n)) : "of no rows";
}

Suspicion counted_rows(Suspicion s, int64_t k, int64_t n) {
  s.p.reset();
  s.size = share(k, n), s.needed = material_share;
  s.material_if = fmt::format("at least {} of the rows", material_share);
  s.material = s.size >= s.needed;
  return s;
}

// k of n where at most `most` of all are harmless.
Suspicion tested_share(Suspicion s, int64_t k, int64_t n, double most) {
  s.p = n > 0 ? binomial_at_least(k, n, most) : 1;
  s.size = share(k, n), s.needed = most;
  const double low = n > 0 ? clopper_pearson_lower(k, n, .05) : 0;
  s.material = low > most;
  s.material_if = fmt::format("lower limit of the share above {}", most);
  s.effect =
      fmt::format("{} of {} (95 % lower limit {})", grouped(k), grouped(n), in_digits(s.size, low, std::nullopt).low);
  return s;
}

// The fewest of n rows that would be told, in words.
std::string smallest_share(int64_t n, double most, double level) {
  const std::optional<int64_t> k = detectable_share(n, most, level);
  return k ? fmt::format("{} of {} rows", grouped(*k), grouped(n))
           : fmt::format("nothing: {} are too few", counted(n, "row", "rows"));
}

// What is counted is told at that share, whatever the level.
std::function<std::string(double)> always(std::string seen) {
  return [seen = std::move(seen)](double) { return seen; };
}

std::string left_out(std::string_view examiner) { return fmt::format("{} did not run", examiner); }

int64_t count_of(const Finding& f, std::string_view id) {
  const auto at = std::ranges::find(f.evidence.counts, id, &Count::id);
  return at == f.evidence.counts.end() ? 0 : at->count;
}

// The rows whose scores are those of the first, to the last bit.
int64_t like_the_first(const Array& scores) {
  const auto row = static_cast<size_t>(scores.shape()[1] * size_of(scores.dtype()));
  int64_t k = 0;
  for (int64_t i = 0; i < scores.shape()[0]; ++i)
    k += std::memcmp(scores.data(), scores.data() + static_cast<size_t>(i) * row, row) == 0;
  return k;
}

}  // namespace

Looked look_at_constant_outputs(Context& x) {
  const Evaluation& e = x.evaluation();
  const std::set<int64_t> labels(x.data.labels.begin(), x.data.labels.end());
  if (labels.size() < 2) return {{}, "all rows have the same label, so that equal scores may be right"};
  if (!e.nan_rows.empty()) return {{}, "rows give NaN"};
  const int64_t k = like_the_first(e.scores), n = x.data.size();
  Suspicion s{.id = "diagnosis.constant_outputs", .title = "The same outputs whatever the row"};
  s.p.reset();
  s.size = share(k, n), s.needed = 1;
  s.material_if = "all rows, of two labels or more";
  s.material = k == n;
  s.effect = fmt::format("{} of {} rows get the scores of the first row, to the last bit", grouped(k), grouped(n));
  s.told = fmt::format(
      "{}: class {} is named whatever the row holds. Weak classes, gradients of zero and attacks that break no row "
      "follow "
      "from it. Mend: find the layer after which nothing depends on the row (weights of zero, units that are never "
      "active), or the preparation of the rows that makes them alike to the network",
      s.effect, x.class_name(e.predicted.front()));
  return {{std::move(s)}, "", always("equal scores of all rows")};
}

Looked look_at_leakage(Context& x) {
  if (!x.train) return {{}, "needs the training rows: give --train"};
  if (!comparable_rows(x.data.stored, x.train->stored))
    return {{},
            fmt::format("the rows are {} and the training rows {}: their bytes cannot be compared",
                        x.data.record.row_type, x.train->record.row_type)};
  std::vector<bool> known(static_cast<size_t>(x.data.size()), false);
  for (const SharedRows& s : shared_rows(x.data.stored, x.train->stored))
    for (const int64_t row : s.first) known[static_cast<size_t>(row)] = true;
  const int64_t k = std::ranges::count(known, true), n = x.data.size();
  Suspicion s = counted_rows({.id = "diagnosis.leakage", .title = "Rows examined on stand in the training data"}, k, n);
  s.effect = fmt::format("{} of {} rows stand in --train byte for byte", grouped(k), grouped(n));
  if (k > 0)
    s.effect += fmt::format("; accuracy {} on them, {} on the others", accuracy_in_words(x, known, true),
                            accuracy_in_words(x, known, false));
  s.told = s.effect + ". Mend: leave them out of --data";
  return {
      {std::move(s)},
      "",
      always(fmt::format("{} of the rows or more, equal byte for byte; changed copies are not seen", material_share))};
}

Looked look_at_duplicates(Context& x) {
  int64_t k = 0, torn = 0;
  for (const Ints& group : duplicate_rows(x.data.stored)) {
    k += std::ssize(group) - 1;
    const auto label = [&](int64_t row) { return x.data.labels[static_cast<size_t>(row)]; };
    torn += !std::ranges::all_of(group, [&](int64_t row) { return label(row) == label(group[0]); });
  }
  const int64_t n = x.data.size();
  Suspicion s = counted_rows({.id = "diagnosis.duplicates", .title = "Rows that repeat others"}, k, n);
  s.effect = fmt::format("{} of {} rows repeat an earlier one byte for byte; {} of such rows disagree in their labels",
                         grouped(k), grouped(n), counted(torn, "group", "groups"));
  s.told = s.effect + ". Intervals count them as new evidence and are too narrow. Mend: keep one of each";
  return {{std::move(s)}, "", always(fmt::format("{} of the rows or more, equal byte for byte", material_share))};
}

Looked look_at_rounding(Context& x) {
  const Measure* m = x.measure("numerics.flip_rate");
  if (!m) return {{}, left_out("numerics")};
  if (!m->tally) return {{}, m->finding.why};
  Suspicion s = tested_share({.id = "diagnosis.numerical_fragility", .title = "Labels that rounding decides"},
                             m->tally->k, m->tally->n, material_flips);
  s.effect = "rows labelled otherwise in float64: " + s.effect;
  s.told = s.effect + ". Mend: compute in a wider type, or find the difference of large numbers that loses the digits";
  return {{std::move(s)}, "", [n = m->tally->n](double level) {
            return "labels of rows that flip: " + smallest_share(n, material_flips, level);
          }};
}

Looked look_at_masking(Context& x) {
  const Measure* m = x.measure("robustness.masking");
  if (!m) return {{}, left_out("robustness")};
  const Finding& f = m->finding;
  if (f.status != Status::run) return {{}, f.why};
  const int64_t n = count_of(f, "rows");
  const auto suspicion = [&](std::string_view key, std::string_view what, int64_t k, int64_t of, double most) {
    Suspicion s = tested_share(
        {.id = fmt::format("diagnosis.masked_gradients[\"{}\"]", key), .title = "Gradients hide how rows are broken"},
        k, of, most);
    s.effect = fmt::format("{}: {}", what, s.effect);
    s.told = s.effect + ". Accuracy under this attack says little of robustness; attack without gradients";
    return s;
  };
  Looked l;
  l.suspicions = {
      suspicion("flat", "rows whose margin has gradient zero", count_of(f, "flat_margin"), n, material_share),
      suspicion("single_step", "rows that one step breaks and 40 do not", count_of(f, "single_step"), n,
                material_share),
      suspicion("random_signs", "rows that random corners break and the attack does not", count_of(f, "random_signs"),
                n, material_share),
      suspicion("float64", "rows that float64 gradients break and float32 ones do not", count_of(f, "float64"),
                count_of(f, "float64_tried"), material_float64)};
  const int64_t beyond = std::max<int64_t>(count_of(f, "left_at_half") - count_of(f, "of_witness"), 0);
  Suspicion s = counted_rows(
      {.id = "diagnosis.masked_gradients[\"witness\"]", .title = "The attack fails where a constant row would do"},
      beyond, n);
  s.effect = fmt::format("{} of {} rows are left at half the range, beyond those that one constant row leaves",
                         grouped(beyond), grouped(n));
  s.told = s.effect + ": a proof that the attack fails there";
  l.suspicions.push_back(std::move(s));
  l.could_be_seen = [n, tried = count_of(f, "float64_tried")](double level) {
    return fmt::format(
        "gradients of zero, one step and random corners: {} each; gradients in float64: {}; a constant row: {} of the "
        "rows or more",
        smallest_share(n, material_share, level), smallest_share(tried, material_float64, level), material_share);
  };
  return l;
}

}  // namespace viva
