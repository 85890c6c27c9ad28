// Accuracy by confidence.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "examine/digits.h"
#include "examine/words.h"
#include "report/plots.h"
#include "report/svg.h"

namespace viva {
namespace {

constexpr double width = 460, height = 430, left = 54, right = 444, top = 30, bottom = 300, count_top = 345,
                 count_bottom = 385;

struct ReliabilityBin {
  double above, upto, rows, confidence, accuracy, low, high, from, to;
};

std::vector<ReliabilityBin> bins_of(const Table& t) {
  std::vector<ReliabilityBin> all;
  for (const auto& row : t.rows) {
    if (row.size() < 9) continue;
    const auto at = [&](size_t i) { return number_in(row[i]); };
    all.push_back({at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7), at(8)});
  }
  return all;
}

// Ends of the logit axes: what is drawn, apart from 0 and 1.
std::pair<double, double> reach(const std::vector<ReliabilityBin>& bins) {
  double low = .5, high = .5;
  const auto hold = [&](double v) {
    if (v > 0 && v < 1) low = std::min(low, v), high = std::max(high, v);
  };
  for (const ReliabilityBin& b : bins) hold(b.confidence), hold(b.accuracy), hold(b.low), hold(b.high);
  return {std::max(.001, .8 * low), std::min(.9995, 1 - .8 * (1 - high))};
}

std::string bin_says(const ReliabilityBin& b) {
  const InDigits in = in_digits(b.accuracy, b.low, b.high);
  return fmt::format("mean confidence {}: accuracy {} [{}, {}], n = {}", confidence(b.confidence), in.estimate, in.low,
                     in.high, grouped(static_cast<int64_t>(b.rows)));
}

std::string counts(const std::vector<ReliabilityBin>& bins, const svg::Axis& x) {
  double most = 1;
  for (const ReliabilityBin& b : bins) most = std::max(most, b.rows);
  const svg::Axis y{.5, most, count_bottom, count_top, svg::Scale::log};
  std::string s;
  for (const ReliabilityBin& b : bins) {
    const double from = x.at(std::max(b.above, 1e-9)), to = x.at(std::min(b.upto, 1 - 1e-9)), at = y.at(b.rows);
    s += svg::mark(fmt::format("{} rows of confidence {} to {}", grouped(static_cast<int64_t>(b.rows)), number(b.above),
                               number(b.upto)),
                   svg::rect("bar", from + .5, at, to - from - 1, count_bottom - at));
  }
  std::vector<double> at;
  for (double p = 1; p <= most; p *= 10) at.push_back(p);
  s += svg::line("axis", left, count_bottom, right, count_bottom) + svg::vertical(y, left, "", at);
  return s + svg::text("name", 2, count_top - 8, svg::Anchor::start, "rows, log");
}

}  // namespace

std::vector<Figure> reliability_plot(const Report& r) {
  const Finding* f = r.find("calibration.ece");
  const Table* t = f ? table_of(*f, "bins") : nullptr;
  if (!t || t->rows.empty()) return {};
  const auto bins = bins_of(*t);
  const auto [low, high] = reach(bins);
  const svg::Axis x{low, high, left, right, svg::Scale::logit}, y{low, high, bottom, top, svg::Scale::logit};
  std::string s;
  for (const ReliabilityBin& b : bins)
    s += svg::rect("band", x.at(std::max(b.above, 1e-9)), y.at(b.to), x.at(b.upto) - x.at(std::max(b.above, 1e-9)),
                   y.at(b.from) - y.at(b.to));
  s += svg::line("reference", x.at(low), y.at(low), x.at(high), y.at(high));
  for (const ReliabilityBin& b : bins) {
    const double at = x.at(b.confidence);
    s += svg::mark(bin_says(b), svg::line("range", at, y.at(b.low), at, y.at(b.high)) +
                                    svg::circle(y.holds(b.accuracy) ? "dot" : "dot open", at, y.at(b.accuracy), 3.4));
  }
  s += svg::vertical(y, left, "accuracy, logit scale", svg::ticks(y));
  s += svg::line("axis", left, bottom, right, bottom) + counts(bins, x);
  s += svg::horizontal(x, count_bottom, "mean confidence, logit scale", svg::ticks(x));
  Figure g{.id = "reliability", .title = "Reliability"};
  g.what =
      "Accuracy of the named label against mean confidence, in 15 bins of equal width; below, how many rows fall into "
      "each.";
  g.n = grouped(rows_of(*f)) + " rows.";
  g.unit = "row.";
  g.interval = fmt::format(
      "the bars are Clopper–Pearson intervals for the accuracy of each of {} non-empty bins, at Šidák's level so that "
      "all "
      "hold together at 95 %. The grey band is another thing, a consistency band: where the accuracy of a bin would "
      "lie "
      "in 95 % of data sets if its confidence were right.",
      bins.size());
  g.read =
      "a bar below the dashed diagonal and clear of it: in that bin the network is right less often than it says. Open "
      "points lie beyond the axis.";
  g.not_shown =
      "whether confidence in the other classes is right, how errors differ within a bin, and rows of another "
      "distribution.";
  g.svg = svg::picture(g.id, width, height, g.title, g.what + " The numbers stand in the table below the figure.", s);
  g.numbers = *t;
  return {g};
}

}  // namespace viva
