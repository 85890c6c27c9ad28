// Which classes are taken for which.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "examine/words.h"
#include "report/markup.h"
#include "report/plots.h"
#include "report/svg.h"

namespace viva {
namespace {

constexpr double width = 460;

std::string shortened(const std::string& name, size_t most) {
  if (name.size() <= most) return name;
  size_t end = most - 1;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) --end;
  return name.substr(0, end) + "…";
}

std::string shaded(double x, double y, double side, double share) {
  return fmt::format(
      "<rect class=\"shade\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill-opacity=\"{:.2f}\"/>", x,
      y, side, side, share);
}

std::string turned(double x, double y, std::string_view words) {
  return fmt::format(
      "<text class=\"tick\" text-anchor=\"start\" transform=\"translate({:.1f} {:.1f}) rotate(-45)\">{}</text>", x, y,
      markup::escape(words, 60));
}

struct Matrix {
  std::vector<std::string> names;
  std::vector<std::vector<int64_t>> rows;
  int64_t most_wrong = 1;
};

Matrix matrix_of(const Table& t) {
  Matrix m;
  for (size_t k = 0; k < t.rows.size(); ++k) {
    m.names.push_back(text_in(t.rows[k].at(0)));
    std::vector<int64_t> row;
    for (size_t j = 1; j < t.rows[k].size(); ++j) {
      row.push_back(static_cast<int64_t>(number_in(t.rows[k][j])));
      if (j != k + 1) m.most_wrong = std::max(m.most_wrong, row.back());
    }
    m.rows.push_back(std::move(row));
  }
  return m;
}

std::string cells(const Matrix& m, double left, double top, double side) {
  std::string s;
  for (size_t k = 0; k < m.rows.size(); ++k)
    for (size_t j = 0; j < m.rows[k].size(); ++j) {
      const int64_t n = m.rows[k][j];
      const double x = left + side * static_cast<double>(j), y = top + side * static_cast<double>(k);
      const double share = k == j ? 0 : std::sqrt(static_cast<double>(n) / static_cast<double>(m.most_wrong));
      std::string inner = share > 0 ? shaded(x, y, side, share) : "";
      inner += svg::rect(k == j ? "cell diagonal" : "cell", x, y, side, side);
      const bool fits = side >= 20 || n < 100;
      if (n > 0 && fits)
        inner += svg::text(share > .6 ? "count on"
                           : k == j   ? "count quiet"
                                      : "count",
                           x + side / 2, y + side / 2 + 3.5, svg::Anchor::middle, std::to_string(n));
      s += svg::mark(k == j ? fmt::format("{}: {} right", m.names[k], grouped(n))
                            : fmt::format("{} taken for {}: {}", m.names[k], m.names[j], counted(n, "row", "rows")),
                     inner);
    }
  return s;
}

Figure matrix_figure(const Finding& f, const Table& t) {
  const Matrix m = matrix_of(t);
  const double left = 92, top = 92, side = (width - left - 24) / static_cast<double>(m.names.size());
  const double height = top + side * static_cast<double>(m.names.size()) + 10;
  std::string s = cells(m, left, top, side);
  for (size_t k = 0; k < m.names.size(); ++k) {
    const double middle = (static_cast<double>(k) + .5) * side;
    s += svg::text("tick", left - 6, top + middle + 4, svg::Anchor::end, shortened(m.names[k], 13));
    s += turned(left + middle, top - 6, shortened(m.names[k], 13));
  }
  s += svg::text("name", 2, 14, svg::Anchor::start, "class (rows), taken for (columns)");
  Figure g{.id = "confusion", .title = "Confusions"};
  g.what =
      "How many rows of each class (lines) the network gives to each class (columns); rows without a decision are left "
      "out.";
  g.n = grouped(rows_of(f)) + " rows.";
  g.unit = "row.";
  g.interval = "none: the counts are exact for these rows.";
  g.read =
      "right decisions stand on the diagonal, unshaded. Elsewhere the shade grows with the square root of the count, "
      "the darkest cell being the most frequent confusion.";
  g.not_shown =
      "how the counts would vary in other data, and how sure the network was; a class with more rows has darker lines.";
  g.svg = svg::picture(g.id, width, height, g.title, g.what, s);
  g.numbers = t;
  return g;
}

Figure pairs_figure(const Finding& f, const Table& t) {
  const double left = 190, line = 20, top = 26;
  const double height = top + line * static_cast<double>(t.rows.size()) + 44;
  double most = 1;
  for (const auto& row : t.rows) most = std::max(most, number_in(row.at(2)));
  const svg::Axis x{0, most, left, width - 40};
  std::string s;
  for (size_t i = 0; i < t.rows.size(); ++i) {
    const std::string a = text_in(t.rows[i].at(0)), b = text_in(t.rows[i].at(1));
    const double n = number_in(t.rows[i].at(2)), y = top + line * static_cast<double>(i);
    s += svg::text("tick", left - 6, y + 12, svg::Anchor::end, shortened(a, 14) + " → " + shortened(b, 14));
    s += svg::mark(fmt::format("{} taken for {}: {} rows", a, b, grouped(static_cast<int64_t>(n))),
                   svg::rect("bar", left, y + 3, x.at(n) - left, line - 6));
    s += svg::text("tick", x.at(n) + 5, y + 12, svg::Anchor::start, grouped(static_cast<int64_t>(n)));
  }
  const double end = top + line * static_cast<double>(t.rows.size()) + 4;
  s += svg::horizontal(x, end, "rows", svg::ticks(x));
  Figure g{.id = "confusion", .title = "The most frequent confusions"};
  g.what = fmt::format("The {} pairs of a class and the class it is taken for with the most rows.", t.rows.size());
  g.n = grouped(rows_of(f)) + " rows.";
  g.unit = "row.";
  g.interval = "none: the counts are exact for these rows.";
  g.read = "the longer the bar, the more rows of the first class were given to the second.";
  g.not_shown = "all other pairs, how many rows the classes have, and how the counts would vary in other data.";
  g.svg = svg::picture(g.id, width, height, g.title, g.what, s);
  g.numbers = t;
  return g;
}

}  // namespace

std::vector<Figure> confusion_plot(const Report& r) {
  const Finding* f = r.find("risk.accuracy");
  if (!f) return {};
  if (const Table* t = table_of(*f, "confusion"); t && !t->rows.empty()) return {matrix_figure(*f, *t)};
  if (const Table* t = table_of(*f, "confusions"); t && !t->rows.empty()) return {pairs_figure(*f, *t)};
  return {};
}

}  // namespace viva
