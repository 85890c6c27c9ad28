// Rows fed in another layout, or at another scale, than the network was trained on.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "examine/diagnosis.h"
#include "examine/measure.h"
#include "examine/programs.h"
#include "examine/readings.h"
#include "examine/statistics.h"
#include "examine/words.h"

namespace viva {
namespace {

constexpr double material_gain = .05;
constexpr int64_t chosen_on = 1000;  // rows of half A: a gain that is material shows in fewer

// At most chosen_on rows of half A, drawn; all of half B.
Halves halves_for_reading(const Context& x) {
  Halves h = halves_of(x.seed, x.data, drawn_rows(x.seed, Stream::reading_rows, x.data.size(), x.data.size()));
  h.a.resize(std::min<size_t>(h.a.size(), chosen_on));
  std::ranges::sort(h.a), std::ranges::sort(h.b);
  return h;
}

// Whether each of some rows is right under a reading.
std::vector<bool> right_under(Context& x, const Reading& reading, const std::vector<int64_t>& rows) {
  std::vector<bool> right;
  const auto step = static_cast<size_t>(rows_at_once(x.subject.row_type()));
  for (size_t first = 0; first < rows.size(); first += step) {
    const size_t end = std::min(rows.size(), first + step);
    const std::vector<int64_t> block(rows.begin() + static_cast<ptrdiff_t>(first),
                                     rows.begin() + static_cast<ptrdiff_t>(end));
    const Outputs out =
        x.subject.outputs(mapped(gathered_rows(x.data, block, x.subject), reading.map), x.pool, x.cancel);
    const std::vector<int64_t> named = named_classes(out.values);
    for (size_t i = 0; i < block.size(); ++i) right.push_back(named[i] == x.data.labels[static_cast<size_t>(block[i])]);
  }
  x.add_work(std::ssize(rows), 1);
  return right;
}

// The reading that half A likes best, and what it does to half B.
struct Tried {
  const Reading* best = nullptr;
  std::vector<double> gain;  // of each row of half B: -1, 0 or 1
  int64_t gained = 0, lost = 0, right = 0;
  double given = 0;  // accuracy on half B
};
Tried tried(Context& x, const std::vector<Reading>& all, const Halves& h) {
  Tried t;
  int64_t most = -1;
  for (const Reading& r : all) {
    const int64_t count = std::ranges::count(right_under(x, r, h.a), true);
    if (count > most) most = count, t.best = &r;
  }
  const std::vector<bool> right = right_under(x, *t.best, h.b);
  const Evaluation& e = x.evaluation();
  for (size_t i = 0; i < right.size(); ++i) {
    const auto row = static_cast<size_t>(h.b[i]);
    const bool given = e.predicted[row] == x.data.labels[row];
    t.given += static_cast<double>(given) / static_cast<double>(right.size());
    t.right += right[i];
    t.gained += right[i] && !given, t.lost += given && !right[i];
    t.gain.push_back(static_cast<double>(right[i]) - static_cast<double>(given));
  }
  return t;
}

// The share of the most frequent label among some rows: what a network without any knowledge of them reaches.
double majority(const Context& x, const std::vector<int64_t>& rows) {
  std::map<int64_t, int64_t> counts;
  int64_t most = 0;
  for (const int64_t r : rows) most = std::max(most, ++counts[x.data.labels[static_cast<size_t>(r)]]);
  return static_cast<double>(most) / static_cast<double>(rows.size());
}

Looked looked_at(Context& x, const std::vector<Reading>& all, const Halves& h, Suspicion s) {
  const Tried t = tried(x, all, h);
  const double gain = mean_of(t.gain), low = student_t_lower(t.gain, .05).value_or(gain);
  s.p = t.gained > t.lost ? mcnemar(t.gained, t.lost) : 1;
  s.size = gain, s.needed = material_gain;
  const double constant = majority(x, h.b);
  s.material_if = fmt::format(
      "lower limit of the gain of accuracy on half B at least {}, and that of the accuracy itself above {}, the "
      "share of the most frequent label",
      material_gain, shown(constant, 3));
  s.material =
      t.gain.size() >= 2 && low >= material_gain && clopper_pearson_lower(t.right, std::ssize(t.gain), .05) > constant;
  s.effect = fmt::format(
      "{}: accuracy {} on half B where the rows as given have {} (gain {}, 95 % lower limit {}; {} rows "
      "gained, {} lost of {}; chosen on half A)",
      t.best->name, shown(t.given + gain, 4), shown(t.given, 4), shown(gain, 3), shown(low, 3), grouped(t.gained),
      grouped(t.lost), grouped(std::ssize(t.gain)));
  s.told = fmt::format("{}. Mend: {}", s.effect, t.best->mend);
  s.mend = Mend{s.id, t.best->mend, t.best->map, {}, false};
  const double n = static_cast<double>(t.gain.size()), apart = static_cast<double>(t.gained + t.lost) / n;
  std::string seen = fmt::format("a gain of accuracy of {} or more under one of {}: ",
                                 shown(material_gain + detectable_errors * std::sqrt(apart / n), 2), all.size());
  for (const Reading& r : all) seen += (&r == &all.front() ? "" : ", ") + r.name;
  return {{std::move(s)}, "", std::move(seen)};
}

}  // namespace

int64_t reading_plan_rows(const Context& x) {
  constexpr int64_t most_layouts = 5, most_scales = 7;
  const int64_t half = (x.data.size() + 1) / 2;
  return (most_layouts + most_scales) * std::min(chosen_on, half) + 2 * half;
}

Looked look_at_layout(Context& x) {
  const std::vector<Reading> all = layouts(x);
  if (all.empty()) return {{}, "rows are not images, and no range of values is known", ""};
  const Halves h = halves_for_reading(x);
  if (h.a.empty() || h.b.empty()) return {{}, "too few rows for two halves", ""};
  return looked_at(x, all, h,
                   {.id = "diagnosis.layout", .title = "Rows in another layout than the network was trained on"});
}

Looked look_at_scale(Context& x) {
  if (!is_float(x.subject.row_type().dtype)) return {{}, "rows are whole numbers", ""};
  const Halves h = halves_for_reading(x);
  if (h.a.empty() || h.b.empty()) return {{}, "too few rows for two halves", ""};
  Looked l = looked_at(x, scales(x, h.a), h,
                       {.id = "diagnosis.scale", .title = "Rows at another scale than the network was trained on"});
  l.could_be_seen += "; otherwise not identifiable from accuracy: a network may give the same labels at several scales";
  return l;
}

}  // namespace viva
