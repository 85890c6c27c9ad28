// Recall by class, and the quantiles of the loss.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "examine/digits.h"
#include "examine/words.h"
#include "report/markup.h"
#include "report/plots.h"
#include "report/svg.h"

namespace viva {
namespace {

constexpr double width = 460;
constexpr size_t most_recalls = 40;

std::vector<const Finding*> recalls_of(const Report& r, size_t& total) {
  std::vector<const Finding*> all;
  for (const Finding& f : r.findings)
    if (f.id.starts_with("risk.recall[") && f.family && f.status == Status::run && f.estimate && f.interval)
      all.push_back(&f);
  total = all.size();
  if (all.size() > most_recalls) {
    std::ranges::stable_sort(all, {}, [](const Finding* f) { return *f->estimate; });
    all.resize(most_recalls);
  }
  return all;
}

std::string class_of(const Finding& f) {
  constexpr std::string_view before = "Recall of ";
  return f.title.starts_with(before) ? f.title.substr(before.size()) : f.title;
}

std::string cut(const std::string& s, size_t most) {
  size_t end = std::min(s.size(), most);
  while (end < s.size() && end > 0 && (static_cast<unsigned char>(s[end]) & 0xC0) == 0x80) --end;
  return end < s.size() ? s.substr(0, end) + "…" : s;
}

Table recall_numbers(const std::vector<const Finding*>& all) {
  Table t{"recall", "Recall by class", {"class", "right", "rows", "recall", "low", "high"}, {}, {{3, 4, 5}}};
  for (const Finding* f : all) {
    const int64_t k = f->evidence.counts.empty() ? 0 : f->evidence.counts[0].count;
    t.rows.push_back(
        {class_of(*f), k, f->n.value_or(0), *f->estimate, f->interval->low.value_or(0), f->interval->high.value_or(1)});
  }
  return t;
}

std::string quantile_says(const Point& p) {
  const std::string most = number(100 * p.x.value_or(0)) + " % of the rows lose at most ";
  if (!p.low || !p.high) return most + number(p.y.value_or(0));
  const InDigits in = in_digits(p.y, p.low, p.high);
  return fmt::format("{}{} [{}, {}]", most, in.estimate, in.low, in.high);
}

// The greatest losses at the right end, each a link to its row.
std::string worst_marks(const Table& worst, const std::string& data, double n, const svg::Axis& x, const svg::Axis& y) {
  std::string s;
  for (size_t i = 0; i < worst.rows.size(); ++i) {
    const auto row = static_cast<int64_t>(number_in(worst.rows[i].at(0)));
    const double loss = number_in(worst.rows[i].at(1));
    s += svg::mark(fmt::format("row {}: loss {}", grouped(row), number(loss)),
                   svg::circle("dot row", x.at(1 - (static_cast<double>(i) + .5) / n), y.at(loss), 3.2),
                   fmt::format("#row-{}-{}", data, row));
  }
  return s;
}

}  // namespace

std::vector<Figure> recall_plot(const Report& r) {
  size_t total = 0;
  const auto all = recalls_of(r, total);
  if (all.empty()) return {};
  double low = 1, high = 0;
  for (const Finding* f : all)
    low = std::min(low, f->interval->low.value_or(0)), high = std::max(high, f->interval->high.value_or(1));
  const Finding* accuracy = r.find("risk.accuracy");
  if (accuracy && accuracy->estimate)
    low = std::min(low, *accuracy->estimate), high = std::max(high, *accuracy->estimate);
  low = std::floor(low * 10) / 10, high = std::min(1., std::ceil(high * 10) / 10);
  if (low >= high) low = std::max(0., high - .1);
  const double left = 116, line = 22, top = 14, end = top + line * static_cast<double>(all.size()) + 6;
  const svg::Axis x{low, high, left, width - 66};
  std::string s;
  if (accuracy && accuracy->estimate)
    s += svg::line("reference", x.at(*accuracy->estimate), top - 6, x.at(*accuracy->estimate), end);
  for (size_t i = 0; i < all.size(); ++i) {
    const Finding& f = *all[i];
    const double y = top + line * (static_cast<double>(i) + .5);
    const double from = x.at(f.interval->low.value_or(0)), to = x.at(f.interval->high.value_or(1));
    s += svg::text("tick", left - 8, y + 4, svg::Anchor::end, cut(class_of(f), 15));
    s += svg::line("track", left, y, width - 66, y);
    s += svg::mark(fmt::format("{}: recall {} {}, n = {}", class_of(f), markup::estimate(f), markup::ends(f),
                               grouped(f.n.value_or(0))),
                   svg::line("range", from, y, to, y) + svg::line("range", from, y - 4, from, y + 4) +
                       svg::line("range", to, y - 4, to, y + 4) + svg::circle("dot", x.at(*f.estimate), y, 3.6));
    s += svg::text("tick", width - 2, y + 4, svg::Anchor::end, markup::estimate(f));
  }
  s += svg::horizontal(x, end, "recall", svg::ticks(x));
  Figure g{.id = "recall-plot", .title = "Recall by class"};
  g.what =
      total > all.size()
          ? fmt::format("The {} lowest of {} recalls; the dashed line is the accuracy over all rows.", all.size(),
                        total)
          : "The share of each class's rows that the network names; the dashed line is the accuracy over all rows.";
  int64_t least = INT64_MAX, most = 0;
  for (const Finding* f : all) least = std::min(least, f->n.value_or(0)), most = std::max(most, f->n.value_or(0));
  g.n = fmt::format("{} {}s a class.", least == most ? grouped(most) : grouped(least) + " to " + grouped(most),
                    all[0]->unit);
  g.unit = all[0]->unit + ".";
  g.interval = fmt::format("{}; all {} hold together at 95 %.", all[0]->interval->method, total);
  g.read =
      "two classes whose bars do not overlap differ in recall; a bar that the dashed line crosses may be like the "
      "rest.";
  g.not_shown =
      "why a class is missed (labels that people would dispute look the same), and how often the class is named "
      "wrongly.";
  g.svg = svg::picture(g.id, width, end + 42, g.title, g.what, s);
  g.numbers = recall_numbers(all);
  return {g};
}

std::vector<Figure> loss_plot(const Report& r) {
  const Finding* f = r.find("risk.log_loss");
  const Series* q = f ? series_of(*f, "quantiles") : nullptr;
  if (!q || q->points.empty()) return {};
  const Table* worst = table_of(*f, "worst");
  const auto n = static_cast<double>(rows_of(*f));
  double low = INFINITY, high = 0;
  const auto hold = [&](double v) {
    if (v > 0) low = std::min(low, v), high = std::max(high, v);
  };
  for (const Point& p : q->points) hold(p.y.value_or(0)), hold(p.low.value_or(0)), hold(p.high.value_or(0));
  if (worst && !worst->rows.empty()) hold(number_in(worst->rows[0].at(1)));
  if (!(low < high)) return {};
  low = std::max({low / 1.5, high * 1e-7}), high *= 1.5;
  const svg::Axis x{.03, std::min(1 - .4 / n, .99999), 54, width - 14, svg::Scale::logit},
      y{low, high, 300, 30, svg::Scale::log};
  std::string s;
  if (f->estimate && y.holds(*f->estimate)) {
    s += svg::line("reference", x.from, y.at(*f->estimate), x.to, y.at(*f->estimate));
    s += svg::text("tick", x.from + 6, y.at(*f->estimate) - 5, svg::Anchor::start, "mean");
  }
  for (const Point& p : q->points) {
    const double at = x.at(p.x.value_or(0));
    std::string inner;
    if (p.low || p.high) inner = svg::line("range", at, y.at(p.low.value_or(low)), at, y.at(p.high.value_or(high)));
    inner += svg::circle("dot", at, y.at(std::max(p.y.value_or(0), low)), 3.4);
    s += svg::mark(quantile_says(p), inner);
  }
  const Examples* rows = examples_in(*f, "worst");
  if (worst && rows) s += worst_marks(*worst, rows->data, n, x, y);
  s += svg::vertical(y, x.from, "loss of a row, nats, log scale", svg::ticks(y));
  s += svg::horizontal(x, 306, "fraction of rows that lose no more, logit scale", svg::ticks(x));
  Figure g{.id = "loss-plot", .title = "Quantiles of the loss"};
  g.what = "The loss that a given fraction of the rows does not exceed; the dashed line is the mean.";
  if (worst && rows)
    g.what += fmt::format(" Open points at the right: the {} rows of the greatest loss, each a link to its row.",
                          worst->rows.size());
  g.n = grouped(rows_of(*f)) + " rows.";
  g.unit = "row.";
  const bool bars = std::ranges::any_of(q->points, [](const Point& p) { return p.low || p.high; });
  g.interval = bars ? "each bar is a 95 % interval for that quantile of rows drawn like these, between two order "
                      "statistics; they hold one at a time."
                    : "none: the rows come in groups, and order statistics take rows as independent.";
  g.read = "a mean far above the middle of the curve is made by few rows, those at the right.";
  g.not_shown =
      "whether the worst rows are the network's fault or wrong labels, and losses of rows of another distribution.";
  g.svg = svg::picture(g.id, width, 350, g.title, g.what, s);
  g.numbers =
      Table{"quantiles", "Quantiles of the loss", {"fraction of rows", "loss, nats", "low", "high"}, {}, {{1, 2, 3}}};
  for (const Point& p : q->points) {
    const auto cell = [](const std::optional<double>& v) { return v ? Cell(*v) : Cell(); };
    g.numbers.rows.push_back({cell(p.x), cell(p.y), cell(p.low), cell(p.high)});
  }
  return {g};
}

}  // namespace viva
