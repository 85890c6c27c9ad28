// Which rows risk is made of: confusions, wrong rows, quantiles of the loss.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "examine/risk.h"
#include "examine/shown_rows.h"
#include "examine/statistics.h"
#include "examine/words.h"

namespace viva {
namespace {

constexpr int64_t shown_errors = 12, most_classes = 20;
constexpr size_t most_pairs = 20, pairs_with_a_row = 10;

struct Pair {
  int64_t label = 0, named = 0, rows = 0, first = 0;
};

// (label, named) of wrong rows, the most frequent first.
std::vector<Pair> confused_pairs(const Context& x, const Evaluation& e, const std::vector<int64_t>& wrong) {
  std::map<std::pair<int64_t, int64_t>, Pair> counts;
  for (const int64_t i : wrong) {
    const int64_t label = x.data.labels[static_cast<size_t>(i)], named = e.predicted[static_cast<size_t>(i)];
    if (named < 0) continue;
    Pair& p = counts.try_emplace({label, named}, Pair{label, named, 0, i}).first->second;
    ++p.rows;
  }
  std::vector<Pair> pairs;
  for (const auto& [key, p] : counts) pairs.push_back(p);
  std::ranges::stable_sort(pairs, std::greater<>(), &Pair::rows);
  return pairs;
}

void add_confusions(Finding& f, const Context& x, const Evaluation& e, const std::vector<int64_t>& wrong) {
  const std::vector<Pair> pairs = confused_pairs(x, e, wrong);
  Table top{"confusions", "Most frequent confusions", {"class", "taken for", "rows"}, {}};
  Examples first{"confused", "The first row of the most frequent confusions", x.data.record.id, {}};
  for (size_t i = 0; i < std::min(pairs.size(), most_pairs); ++i) {
    const Pair& p = pairs[i];
    top.rows.push_back({x.class_name(p.label), x.class_name(p.named), p.rows});
    if (i < pairs_with_a_row) first.rows.emplace_back(p.first, row_note(x, e, p.first));
  }
  f.evidence.tables.push_back(std::move(top));
  f.evidence.examples.push_back(std::move(first));
  if (e.classes > most_classes) return;
  Table all{"confusion", "Rows by class and by the class named", {"class"}, {}};
  std::vector<std::vector<int64_t>> counts(static_cast<size_t>(e.classes),
                                           std::vector<int64_t>(static_cast<size_t>(e.classes)));
  for (size_t i = 0; i < e.predicted.size(); ++i)
    if (e.predicted[i] >= 0) ++counts[static_cast<size_t>(x.data.labels[i])][static_cast<size_t>(e.predicted[i])];
  for (int64_t k = 0; k < e.classes; ++k) {
    all.columns.push_back(x.class_name(k));
    std::vector<Cell> row{x.class_name(k)};
    for (const int64_t c : counts[static_cast<size_t>(k)]) row.emplace_back(c);
    all.rows.push_back(std::move(row));
  }
  f.evidence.tables.push_back(std::move(all));
}

// Drawn without replacement: those with the smallest random words, in their order.
Examples random_errors(const Context& x, const Evaluation& e, const std::vector<int64_t>& wrong) {
  const Words2 key = stream_key(x.seed, Stream::shown_errors);
  std::vector<std::pair<uint64_t, int64_t>> drawn;
  for (const int64_t i : wrong) {
    const Words2 w = threefry2x32(key, words_of(static_cast<uint64_t>(i)));
    drawn.emplace_back(uint64_t{w[0]} << 32 | w[1], i);
  }
  std::ranges::sort(drawn);
  drawn.resize(std::min<size_t>(drawn.size(), shown_errors));
  std::vector<int64_t> rows;
  for (const auto& [word, i] : drawn) rows.push_back(i);
  std::ranges::sort(rows);
  Examples all{"random_errors", "Errors drawn at random", x.data.record.id, {}};
  for (const int64_t i : rows) all.rows.emplace_back(i, row_note(x, e, i));
  return all;
}

Examples confident_errors(const Context& x, const Evaluation& e, std::vector<int64_t> wrong) {
  Examples all{"confident_errors", "The most confident errors", x.data.record.id, {}};
  if (!has_scores(e.kind)) return all;
  std::vector<std::pair<double, int64_t>> order;
  for (const int64_t i : wrong)
    if (const auto c = confidence_of(e, i)) order.emplace_back(-*c, i);
  std::ranges::sort(order);
  order.resize(std::min<size_t>(order.size(), shown_errors));
  for (const auto& [confidence, i] : order) all.rows.emplace_back(i, row_note(x, e, i));
  return all;
}

}  // namespace

void add_wrong_rows(Finding& accuracy, const Context& x, const Evaluation& e) {
  std::vector<int64_t> wrong;
  for (size_t i = 0; i < e.predicted.size(); ++i)
    if (e.predicted[i] != x.data.labels[i]) wrong.push_back(static_cast<int64_t>(i));
  add_confusions(accuracy, x, e, wrong);
  accuracy.evidence.examples.push_back(random_errors(x, e, wrong));
  accuracy.evidence.examples.push_back(confident_errors(x, e, wrong));
}

void add_loss_rows(Finding& loss, const Context& x, const Evaluation& e) {
  std::vector<double> sorted = e.loss;
  std::ranges::sort(sorted);
  Series s{"quantiles", "Quantiles of the loss", "fraction of rows", "loss, nats", {}};
  for (const double q : {.05, .1, .2, .3, .4, .5, .6, .7, .8, .9, .95, .98, .99, .995, .999}) {
    if ((1 - q) * static_cast<double>(sorted.size()) < 1) break;
    // The law of order statistics takes rows as independent.
    const QuantileInterval i = x.data.groups.empty() ? quantile_interval(sorted, q, finding_alpha) : QuantileInterval{};
    s.points.push_back({shown(q), q, quantile_of(sorted, q), i.low, i.high});
  }
  loss.evidence.series.push_back(std::move(s));
  std::vector<std::pair<double, int64_t>> order;
  for (size_t i = 0; i < e.loss.size(); ++i) order.emplace_back(-e.loss[i], static_cast<int64_t>(i));
  std::ranges::sort(order);
  Examples worst{"worst", "Rows of the greatest loss", x.data.record.id, {}};
  Table values{"worst", "The greatest losses", {"row", "loss, nats"}, {}};
  for (size_t i = 0; i < std::min<size_t>(order.size(), shown_errors); ++i) {
    worst.rows.emplace_back(order[i].second, row_note(x, e, order[i].second));
    values.rows.push_back({order[i].second, -order[i].first});
  }
  loss.evidence.examples.push_back(std::move(worst));
  if (x.options.examples) loss.evidence.tables.push_back(std::move(values));
}

}  // namespace viva
