// Rows fed in another layout, or at another scale, than the network was trained on.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "examine/detectable.h"
#include "examine/diagnosis.h"
#include "examine/digits.h"
#include "examine/measure.h"
#include "examine/programs.h"
#include "examine/statistics.h"
#include "examine/words.h"

namespace viva {
namespace {

constexpr double material_gain = .05;
constexpr std::string_view too_few = "too few rows for two halves";
// Rows of half A: a gain that is material shows in fewer. Of combinations there are many, and their gains are large.
constexpr int64_t chosen_on = 1000, combination_chosen_on = 250;

// Whether each of some rows is right under a reading.
std::vector<bool> right_under(Context& x, const RowReading& reading, const std::vector<int64_t>& rows) {
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

// Whether each of some rows is right as given.
std::vector<bool> right_as_given(Context& x, const std::vector<int64_t>& rows) {
  const Evaluation& e = x.evaluation();
  std::vector<bool> right;
  for (const int64_t r : rows)
    right.push_back(e.predicted[static_cast<size_t>(r)] == x.data.labels[static_cast<size_t>(r)]);
  return right;
}

// What a reading that half A chose does to half B, beside another way to read it.
struct Tried {
  const RowReading* best = nullptr;
  std::string beside;        // in words
  std::vector<double> gain;  // of each row of half B: -1, 0 or 1
  int64_t gained = 0, lost = 0, right = 0;
  double before = 0;  // accuracy on half B, read the other way
};
Tried compared(const std::vector<bool>& right, const std::vector<bool>& before) {
  Tried t;
  for (size_t i = 0; i < right.size(); ++i) {
    t.right += right[i];
    t.gained += right[i] && !before[i], t.lost += before[i] && !right[i];
    t.gain.push_back(static_cast<double>(right[i]) - static_cast<double>(before[i]));
    t.before += static_cast<double>(before[i]) / static_cast<double>(right.size());
  }
  return t;
}
Tried tried(const RowReading& best, const std::vector<bool>& right, std::string beside,
            const std::vector<bool>& before) {
  Tried t = compared(right, before);
  t.best = &best, t.beside = std::move(beside);
  return t;
}

// The share of the most frequent label among some rows: what a network without any knowledge of them reaches.
double majority(const Context& x, const std::vector<int64_t>& rows) {
  std::map<int64_t, int64_t> counts;
  int64_t most = 0;
  for (const int64_t r : rows) most = std::max(most, ++counts[x.data.labels[static_cast<size_t>(r)]]);
  return static_cast<double>(most) / static_cast<double>(rows.size());
}

// What gain on the rows of half B could have been seen, in words, where the reading is one of those in `seen`.
std::function<std::string(double)> smallest_gain(const Tried& t, std::string seen) {
  return [n = std::ssize(t.gain), apart = static_cast<double>(t.gained + t.lost), seen](double level) {
    const std::optional<double> gain = detectable_gain(n, apart, material_gain, level);
    return (gain ? fmt::format("a gain of accuracy of {} or more", number(*gain, {2}, Rounding::up))
                 : fmt::format("nothing: {} of half B are too few", counted(n, "row", "rows"))) +
           seen;
  };
}

Looked looked_at(const Context& x, const Tried& t, Among among, const std::vector<RowReading>& all,
                 const std::vector<int64_t>& half_b, Suspicion s) {
  const double gain = mean_of(t.gain), low = student_t_lower(t.gain, .05).value_or(gain);
  s.p = t.gained > t.lost ? mcnemar(t.gained, t.lost) : 1;
  s.size = gain, s.needed = material_gain;
  s.reached = t.before + gain;
  const double constant = majority(x, half_b);
  s.material_if = fmt::format(
      "lower limit of the gain of accuracy on half B at least {}, and that of the accuracy itself above {}, the "
      "share of the most frequent label",
      material_gain, number(constant));
  s.material =
      t.gain.size() >= 2 && low >= material_gain && clopper_pearson_lower(t.right, std::ssize(t.gain), .05) > constant;
  const InDigits more = in_digits(gain, low, std::nullopt);
  const Digits d = digits_of({.low = low, .high = std::nullopt, .method = {}}, gain);
  s.effect = fmt::format(
      "{}: accuracy {} on half B where {} {} (gain {}, 95 % lower limit {}; {} rows gained, {} lost of {}; chosen on "
      "half A)",
      t.best->name, number(s.reached, d), t.beside, number(t.before, d), more.estimate, more.low, grouped(t.gained),
      grouped(t.lost), grouped(std::ssize(t.gain)));
  s.told = among == Among::layouts
               ? fmt::format("{}. Layouts together are not tried: examine again under this one. Mend: {}", s.effect,
                             t.best->mend)
               : fmt::format(
                     "{}. The best of {} tried: {}. The scale that the network was trained on may be another: take it "
                     "from where the network comes, and state it with --normalize, or with --data-normalized where the "
                     "rows have it already",
                     s.effect, all.size(), t.best->mend);
  s.mend = Mend{s.id, t.best->mend, t.best->map, {}, false};
  s.reading = true;
  std::string seen = all.size() == 1 ? " under one other: " : fmt::format(" under one of {}: ", all.size());
  for (const RowReading& r : all) seen += (&r == &all.front() ? "" : ", ") + r.name;
  return {{std::move(s)}, "", smallest_gain(t, std::move(seen))};
}

// The place of the first of the greatest counts.
size_t place_of_most(const std::vector<int64_t>& counts) {
  return static_cast<size_t>(std::ranges::max_element(counts) - counts.begin());
}

// The label that most rows of each class named have, where that gives each class a label of its own; else nothing.
std::vector<int64_t> order_of_labels(const Context& x, const Evaluation& e, const std::vector<int64_t>& rows) {
  std::map<int32_t, std::map<int64_t, int64_t>> counts;
  for (const int64_t r : rows)
    if (const int32_t named = e.predicted[static_cast<size_t>(r)]; named >= 0)
      ++counts[named][x.data.labels[static_cast<size_t>(r)]];
  std::vector<int64_t> order;
  for (const auto& [named, labels] : counts)
    order.push_back(std::ranges::max_element(labels, {}, [](const auto& l) { return l.second; })->first);
  const std::set<int64_t> distinct(order.begin(), order.end());
  return std::ssize(order) == e.classes && distinct.size() == order.size() ? order : std::vector<int64_t>{};
}

// "0 as 1, 1 as 2", the first few.
std::string in_words(const Context& x, const std::vector<int64_t>& order) {
  constexpr int64_t most = 10;
  std::string all;
  int64_t moved = 0;
  for (int64_t k = 0; k < std::ssize(order); ++k) {
    const int64_t to = order[static_cast<size_t>(k)];
    if (to == k || ++moved > most) continue;
    all += fmt::format("{}{} as {}", all.empty() ? "" : ", ", x.class_name(k), x.class_name(to));
  }
  return moved > most ? fmt::format("{} and {} more", all, moved - most) : all;
}

}  // namespace

Looked look_at_label_order(Context& x) {
  const Evaluation& e = x.evaluation();
  const Halves halves =
      halves_of(x.seed, x.data, drawn_rows(x.seed, Stream::reading_rows, x.data.size(), x.data.size()));
  if (halves.a.empty() || halves.b.empty()) return {{}, std::string(too_few)};
  Suspicion s{.id = std::string(label_order), .title = "Labels in another order than the network's classes"};
  s.needed = material_gain;
  s.material_if = fmt::format("lower limit of the gain of accuracy on half B at least {}", material_gain);
  s.effect = "no other order of the classes agrees better with the labels of half A";
  const std::vector<int64_t> order = order_of_labels(x, e, halves.a);
  const bool same = std::ranges::is_sorted(order);
  std::vector<bool> right;
  for (const int64_t r : halves.b) {
    const int32_t named = e.predicted[static_cast<size_t>(r)];
    right.push_back(!order.empty() && named >= 0 &&
                    order[static_cast<size_t>(named)] == x.data.labels[static_cast<size_t>(r)]);
  }
  const std::vector<bool> as_given = right_as_given(x, halves.b);
  const Tried t = compared(same ? as_given : right, as_given);
  const auto seen = smallest_gain(t, " where each class named has a most frequent label of its own");
  if (same) return {{std::move(s)}, "", seen};
  const double gain = mean_of(t.gain), low = student_t_lower(t.gain, .05).value_or(gain);
  s.p = t.gained > t.lost ? mcnemar(t.gained, t.lost) : 1;
  s.size = gain, s.reached = t.before + gain, s.reading = true;
  s.material = t.gain.size() >= 2 && low >= material_gain;
  const InDigits more = in_digits(gain, low, std::nullopt);
  s.effect = fmt::format(
      "{}: accuracy {} on half B where the labels as given have {} (gain {}, 95 % lower limit {}; found on half A)",
      in_words(x, order), number(s.reached), number(t.before), more.estimate, more.low);
  s.told = s.effect + ". Mend: number the labels as the network numbers its classes";
  return {{std::move(s)}, "", seen};
}

int64_t reading_plan_rows(const Context& x) {
  constexpr int64_t most_layouts = 5, most_scales = 7, most_combined = (most_layouts - 1) * most_scales;
  const int64_t half = (x.data.size() + 1) / 2;
  return (most_layouts + most_scales) * std::min(chosen_on, half) +
         most_combined * std::min(combination_chosen_on, half) + 4 * half;
}

RowReadings::RowReadings(Context& x) : x_(x) {}

void RowReadings::draw() {
  if (drawn_) return;
  drawn_ = true;
  halves_ = halves_of(x_.seed, x_.data, drawn_rows(x_.seed, Stream::reading_rows, x_.data.size(), x_.data.size()));
  const auto first = [&](int64_t most) {
    std::vector<int64_t> rows(halves_.a.begin(), halves_.a.begin() + std::min(std::ssize(halves_.a), most));
    std::ranges::sort(rows);
    return rows;
  };
  few_ = first(combination_chosen_on);
  halves_.a = first(chosen_on);
  std::ranges::sort(halves_.b);
  for (RowReading& r : layouts(x_)) layouts_.push_back({std::move(r), {}, {}});
  for (RowReading& r : scales(x_, halves_.a)) scales_.push_back({std::move(r), {}, {}});
}

const std::vector<bool>& RowReadings::right_on_a(Single& s) {
  if (s.right_a.empty()) s.right_a = right_under(x_, s.reading, halves_.a);
  return s.right_a;
}

const std::vector<bool>& RowReadings::right_on_b(Single& s) {
  if (s.right_b.empty()) s.right_b = right_under(x_, s.reading, halves_.b);
  return s.right_b;
}

int64_t RowReadings::right_among_few(Single& s) {
  const std::vector<bool>& right = right_on_a(s);
  int64_t n = 0;
  for (const int64_t r : few_)
    n += right[static_cast<size_t>(std::ranges::lower_bound(halves_.a, r) - halves_.a.begin())];
  return n;
}

// The best on half A beside the rows as given.
Looked RowReadings::best_of(std::vector<Single>& all, Among among, Suspicion s) {
  std::vector<int64_t> counts;
  for (Single& one : all) counts.push_back(std::ranges::count(right_on_a(one), true));
  Single& best = all[place_of_most(counts)];
  const Tried t = tried(best.reading, right_on_b(best), "the rows as given have", right_as_given(x_, halves_.b));
  std::vector<RowReading> names;
  for (const Single& one : all) names.push_back(one.reading);
  return looked_at(x_, t, among, names, halves_.b, std::move(s));
}

Looked RowReadings::layout() {
  draw();
  if (layouts_.empty()) return {{}, "rows are not images, and no range of values is known"};
  if (halves_.a.empty() || halves_.b.empty()) return {{}, std::string(too_few)};
  return best_of(layouts_, Among::layouts,
                 {.id = "diagnosis.layout", .title = "Rows in another layout than the network was trained on"});
}

Looked RowReadings::scale() {
  if (!is_float(x_.subject.row_type().dtype)) return {{}, "rows are whole numbers"};
  draw();
  if (halves_.a.empty() || halves_.b.empty()) return {{}, std::string(too_few)};
  Looked l = best_of(scales_, Among::scales,
                     {.id = "diagnosis.scale", .title = "Rows at another scale than the network was trained on"});
  l.could_be_seen = [gain = l.could_be_seen](double level) {
    return gain(level) +
           "; otherwise not identifiable from accuracy: a network may give the same labels at several scales";
  };
  return l;
}

// A combination must beat the best single reading, not the rows as given alone: else that is all that can be said.
Looked RowReadings::layout_and_scale() {
  if (!is_float(x_.subject.row_type().dtype)) return {{}, "rows are whole numbers"};
  draw();
  if (halves_.a.empty() || halves_.b.empty()) return {{}, std::string(too_few)};
  const std::vector<RowReading> all = layouts_with_scales(x_, few_);
  if (all.empty()) return {{}, "rows are not images"};
  std::vector<int64_t> alone, together;
  for (std::vector<Single>* singles : {&layouts_, &scales_})
    for (Single& s : *singles) alone.push_back(right_among_few(s));
  for (const RowReading& r : all) together.push_back(std::ranges::count(right_under(x_, r, few_), true));
  const size_t first = place_of_most(alone);
  Single& single = first < layouts_.size() ? layouts_[first] : scales_[first - layouts_.size()];
  const bool given = std::ranges::count(right_as_given(x_, few_), true) >= alone[first];
  const RowReading& best = all[place_of_most(together)];
  const Tried t = tried(best, right_under(x_, best, halves_.b),
                        given ? "the rows as given have" : single.reading.name + " alone has",
                        given ? right_as_given(x_, halves_.b) : right_on_b(single));
  return looked_at(x_, t, Among::scales, all, halves_.b,
                   {.id = "diagnosis.layout_and_scale",
                    .title = "Rows in another layout and at another scale than the network was trained on"});
}

}  // namespace viva
