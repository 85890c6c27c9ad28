#include "report/plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "examine/digits.h"
#include "examine/words.h"
#include "report/markup.h"

namespace viva {
namespace {

template <class List> auto named(const List& list, std::string_view id) {
  const auto at = std::ranges::find_if(list, [&](const auto& t) { return t.id == id; });
  return at == list.end() ? nullptr : &*at;
}

void add(std::vector<Figure>& all, std::vector<Figure> more) {
  for (Figure& f : more) all.push_back(std::move(f));
}

}  // namespace

int64_t rows_of(const Finding& f) { return f.rows_used ? f.rows_used->count : f.n.value_or(0); }
const Table* table_of(const Finding& f, std::string_view id) { return named(f.evidence.tables, id); }
const Series* series_of(const Finding& f, std::string_view id) { return named(f.evidence.series, id); }
const Examples* examples_in(const Finding& f, std::string_view id) { return named(f.evidence.examples, id); }

double number_in(const Cell& c) {
  if (const auto* i = std::get_if<int64_t>(&c)) return static_cast<double>(*i);
  if (const auto* d = std::get_if<double>(&c)) return *d;
  return std::numeric_limits<double>::quiet_NaN();
}

std::string text_in(const Cell& c) {
  if (const auto* s = std::get_if<std::string>(&c)) return *s;
  const double v = number_in(c);
  return std::isnan(v) ? "" : number(v);
}

std::vector<Figure> plots_of(const Report& r, std::string_view area) {
  std::vector<Figure> all;
  if (area == "risk") {
    add(all, recall_plot(r));
    add(all, confusion_plot(r));
    add(all, loss_plot(r));
  }
  if (area == "calibration") add(all, reliability_plot(r));
  if (area == "robustness") add(all, robustness_plot(r));
  return all;
}

std::string figure_html(const Figure& f, int number) {
  using markup::escape;
  const auto part = [](std::string_view name, const std::string& text) {
    return text.empty() ? "" : fmt::format(" <b>{}</b> {}", name, escape(text, 1000));
  };
  std::string s = fmt::format("<figure id=\"{}-figure\">\n<div class=\"drawing\">{}</div>\n", f.id, f.svg);
  s += fmt::format("<figcaption><b class=\"title\">Figure {}. {}.</b> {}", number, escape(f.title),
                   escape(f.what, 1000));
  s += part("n:", f.n) + part("Unit:", f.unit) + part("Interval:", f.interval) + part("To read it:", f.read) +
       part("Not shown:", f.not_shown);
  s += "</figcaption>\n" + fmt::format("<details><summary>The numbers of figure {}</summary>\n", number) +
       markup::data_table(f.numbers) + "</details>\n</figure>\n";
  return s;
}

}  // namespace viva
