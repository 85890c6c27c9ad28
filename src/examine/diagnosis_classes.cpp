// Classes that a network knows far worse than the others.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "examine/detectable.h"
#include "examine/diagnosis.h"
#include "examine/digits.h"
#include "examine/statistics.h"
#include "examine/words.h"

namespace viva {
namespace {

constexpr double material_lack = .05;   // of recall, below that of the others together
constexpr int64_t fewest_confused = 5;  // rows each way, before labels are called ambiguous

struct Confusion {
  int64_t classes = 0;
  std::vector<int64_t> counts;  // [label, predicted]
  int64_t at(int64_t label, int64_t predicted) const {
    return counts[static_cast<size_t>(label * classes + predicted)];
  }
  int64_t rows(int64_t label) const {
    int64_t n = 0;
    for (int64_t k = 0; k < classes; ++k) n += at(label, k);
    return n;
  }
};

Confusion confusion_of(const Context& x, const Evaluation& e) {
  Confusion c{e.classes, std::vector<int64_t>(static_cast<size_t>(e.classes * e.classes), 0)};
  for (size_t i = 0; i < e.predicted.size(); ++i)
    if (e.predicted[i] >= 0) ++c.counts[static_cast<size_t>(x.data.labels[i] * e.classes + e.predicted[i])];
  return c;
}

// The class with which `label` is confused most, both ways together.
int64_t partner_of(const Confusion& c, int64_t label) {
  int64_t best = label == 0 ? 1 : 0;
  for (int64_t k = 0; k < c.classes; ++k)
    if (k != label && c.at(label, k) + c.at(k, label) > c.at(label, best) + c.at(best, label)) best = k;
  return best;
}

// Where the confusions run both ways, the labels themselves may be ambiguous.
std::string rival(const Context& x, const Confusion& c, int64_t label) {
  if (c.classes == 2)
    return fmt::format(
        "Rival explanation, the threshold between two classes: what favours the other class costs this one. {} of its "
        "rows are named {}, {} of that class's are named {}",
        c.at(label, 1 - label), x.class_name(1 - label), c.at(1 - label, label), x.class_name(label));
  const int64_t partner = partner_of(c, label), out = c.at(label, partner), in = c.at(partner, label);
  const double merged = static_cast<double>(c.at(label, label) + out) / static_cast<double>(c.rows(label));
  const std::string seen =
      fmt::format("{} named {}, {} of that class's named {}; with both as one class its recall is {}",
                  counted(out, "of its rows is", "of its rows are"), x.class_name(partner), grouped(in),
                  x.class_name(label), number(merged));
  const bool both_ways = std::min(out, in) * 2 >= std::max(out, in) && std::min(out, in) >= fewest_confused;
  if (!both_ways) return "Most often confused: " + seen;
  return "Rival explanation, ambiguous labels: the confusions run both ways. " + seen;
}

// What a class has to lack to be told.
struct Tested {
  std::string name;
  int64_t rows = 0;
  double threshold = 0;  // of recall
};
std::string smallest_lack(const std::vector<Tested>& classes, double each, double level) {
  const Tested* needs_most = nullptr;
  double lack = 0;
  int64_t unseen = 0, most_rows = 0;
  for (const Tested& t : classes) {
    const std::optional<double> recall = detectable_recall(t.rows, t.threshold, each, level);
    if (!recall) ++unseen, most_rows = std::max(most_rows, t.rows);
    else if (const double here = t.threshold + material_lack - *recall; here > lack) lack = here, needs_most = &t;
  }
  const std::string nothing = fmt::format("nothing in {} of at most {}", counted(unseen, "class", "classes"),
                                          counted(most_rows, "row", "rows"));
  if (!needs_most) return nothing;
  return fmt::format("a recall {} or more below that of the others; {}, of {}, needs the most{}",
                     number(lack, {2}, Rounding::up), needs_most->name, counted(needs_most->rows, "row", "rows"),
                     unseen > 0 ? "; " + nothing : "");
}

}  // namespace

Looked look_at_classes(Context& x) {
  const Evaluation& e = x.evaluation();
  const Confusion c = confusion_of(x, e);
  int64_t all = 0, right = 0, tested = 0;
  for (int64_t k = 0; k < c.classes; ++k) all += c.rows(k), right += c.at(k, k), tested += c.rows(k) > 0;
  if (tested < 2) return {{}, "rows of one class alone"};
  Looked l;
  const double each = sidak(.05, tested);
  std::vector<Tested> classes;
  for (int64_t k = 0; k < c.classes; ++k) {
    const int64_t n = c.rows(k), hit = c.at(k, k);
    if (n == 0 || n == all) continue;
    const double others = static_cast<double>(right - hit) / static_cast<double>(all - n);
    const double threshold = others - material_lack, upper = clopper_pearson_upper(hit, n, each);
    classes.push_back({x.class_name(k), n, threshold});
    Suspicion s{.id = fmt::format("diagnosis.weak_class[{}]",
                                  x.has_class_names() ? quoted_key(x.class_name(k)) : x.class_name(k)),
                .title = fmt::format("Class {} is recognised less often than the others", x.class_name(k))};
    s.p = threshold <= 0 ? 1 : binomial_at_least(n - hit, n, 1 - threshold);
    s.size = others - static_cast<double>(hit) / static_cast<double>(n), s.needed = material_lack;
    s.material_if =
        fmt::format("simultaneous upper limit of recall below that of the others together less {}", material_lack);
    s.material = upper < threshold;
    const InDigits recall = in_digits(static_cast<double>(hit) / static_cast<double>(n), std::nullopt, upper);
    s.effect = fmt::format("recall {} of {} rows (95 % upper limit {}, one-sided, simultaneous), of all others {}",
                           recall.estimate, grouped(n), recall.high, number(others));
    s.told = s.effect + ". " + rival(x, c, k);
    l.suspicions.push_back(std::move(s));
  }
  const std::string without_nan =
      e.nan_rows.empty()
          ? ""
          : fmt::format("; {} NaN are left out", counted(std::ssize(e.nan_rows), "row that gives", "rows that give"));
  l.could_be_seen = [=](double level) { return smallest_lack(classes, each, level) + without_nan; };
  return l;
}

}  // namespace viva
