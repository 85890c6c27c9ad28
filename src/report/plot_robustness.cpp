// Accuracy under attack by radius.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "examine/digits.h"
#include "examine/words.h"
#include "report/plots.h"
#include "report/svg.h"

namespace viva {
namespace {

constexpr double width = 460, left = 48, right = 352, half_at = 410, top = 30, bottom = 290;

struct Witness {
  double left = 0, named = 0, rows = 0;
  std::string eps, text;
};

// The two last lines of the table of checks.
std::optional<Witness> witness_of(const Report& r) {
  const Finding* f = r.find("robustness.masking");
  const Table* t = f ? table_of(*f, "checks") : nullptr;
  if (!t || t->rows.size() < 2) return std::nullopt;
  const auto& at_half = t->rows[t->rows.size() - 2];
  const auto& named = t->rows.back();
  if (at_half.size() < 3 || named.size() < 3 || !(number_in(named[2]) > 0)) return std::nullopt;
  return Witness{number_in(at_half[1]), number_in(named[1]), number_in(named[2]), text_in(at_half[0]),
                 text_in(named[0])};
}

std::string steps(const std::vector<Point>& points, const svg::Axis& x, const svg::Axis& y) {
  std::vector<std::pair<double, double>> curve, band;
  for (size_t i = 0; i < points.size(); ++i) {
    const double from = x.at(*points[i].x), to = i + 1 < points.size() ? x.at(*points[i + 1].x) : x.to;
    curve.emplace_back(from, y.at(*points[i].y)), curve.emplace_back(to, y.at(*points[i].y));
    band.emplace_back(from, y.at(points[i].high.value_or(*points[i].y)));
    band.emplace_back(to, y.at(points[i].high.value_or(*points[i].y)));
  }
  std::vector<std::pair<double, double>> area = band;
  area.insert(area.end(), curve.rbegin(), curve.rend());
  return svg::path("band", area, true) + svg::path("curve", curve) + svg::path("limit", band);
}

std::string witness_marks(const Witness& w, const svg::Axis& y) {
  const double share = w.left / w.rows, named = w.named / w.rows;
  std::string s = svg::line("axis", right + 18, bottom, width - 6, bottom);
  s += svg::line("reference", right + 26, y.at(named), width - 12, y.at(named));
  s += svg::mark(fmt::format("one constant row in mid-range is given a class that {} of {} rows have",
                             grouped(static_cast<int64_t>(w.named)), grouped(static_cast<int64_t>(w.rows))),
                 svg::line("witness", right + 26, y.at(named), width - 12, y.at(named)));
  s += svg::mark(fmt::format("{}: {} of {} rows", w.eps, grouped(static_cast<int64_t>(w.left)),
                             grouped(static_cast<int64_t>(w.rows))),
                 svg::circle("dot", half_at, y.at(share), 3.6));
  s += svg::text("tick", half_at, bottom + 16, svg::Anchor::middle, "half the");
  return s + svg::text("tick", half_at, bottom + 29, svg::Anchor::middle, "range");
}

}  // namespace

std::vector<Figure> robustness_plot(const Report& r) {
  const Finding* f = r.find("robustness.curve");
  const Series* c = f ? series_of(*f, "curve") : nullptr;
  if (!c || c->points.size() < 2) return {};
  const std::vector<Point>& points = c->points;
  for (const Point& p : points)
    if (!p.x || !p.y) return {};
  const svg::Axis x{0, 1.15 * *points.back().x, left, right}, y{0, 1, bottom, top};
  std::string s = steps(points, x, y);
  std::vector<double> at;
  for (const Point& p : points) {
    at.push_back(*p.x);
    const InDigits in = in_digits(*p.y, std::nullopt, p.high.value_or(*p.y));
    s += svg::mark(fmt::format("eps {}: {} of the rows not broken, band up to {}", p.label, in.estimate, in.high),
                   svg::circle("dot", x.at(*p.x), y.at(*p.y), 3.6));
  }
  s += svg::vertical(y, left, "share of rows not broken", svg::ticks(y));
  s += svg::line("axis", left, bottom, right, bottom);
  double last = -100;
  for (const Point& p : points) {
    s += svg::line("axis", x.at(*p.x), bottom, x.at(*p.x), bottom + 4);
    if (x.at(*p.x) - last < 30) continue;
    s += svg::text("tick", last = x.at(*p.x), bottom + 16, svg::Anchor::middle, p.label);
  }
  s += svg::text("name", (left + right) / 2, bottom + 33, svg::Anchor::middle, "radius eps, raw units");
  const auto witness = witness_of(r);
  if (witness) s += witness_marks(*witness, y);
  Figure g{.id = "robustness-plot", .title = "Accuracy under attack"};
  g.what =
      "The share of rows that are right and that the attack left right, by radius; monotone because broken rows leave.";
  if (witness)
    g.what +=
        " At the right, another scale: the same at half the range, and as a dashed line the witness, the share of rows "
        "of the class that one constant row in mid-range is given.";
  g.n = grouped(rows_of(*f)) + " rows, drawn without replacement, wrong ones kept.";
  g.unit = "row.";
  g.interval =
      "the grey band is one-sided: with probability .95 the robust accuracy of rows drawn like these lies below its "
      "upper line at every radius together (Dvoretzky, Kiefer, Wolfowitz; Massart). There is no lower end: nothing is "
      "certified.";
  g.read =
      "robust accuracy lies below the band, and may lie far below the points. A point above the witness's line proves "
      "that the attack fails.";
  g.not_shown =
      "stronger attacks, other norms than the largest change of an element, and radii between those tried, where the "
      "step to the left is the bound.";
  g.svg = svg::picture(g.id, width, 335, g.title, g.what, s);
  g.numbers =
      Table{"curve", "Accuracy under attack", {"eps", "share not broken", "band up to"}, {}, {{1, std::nullopt, 2}}};
  for (const Point& p : points) g.numbers.rows.push_back({p.label, *p.y, p.high.value_or(*p.y)});
  return {g};
}

}  // namespace viva
