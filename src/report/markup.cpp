#include "report/markup.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/bytes.h"
#include "examine/digits.h"
#include "examine/words.h"

namespace viva::markup {
namespace {

constexpr size_t most_narrow = 4;  // columns that stand beside one another on a phone

std::string cell_text(const Cell& c) {
  if (const auto* i = std::get_if<int64_t>(&c)) return grouped(*i);
  if (const auto* d = std::get_if<double>(&c)) return number(*d);
  if (const auto* s = std::get_if<std::string>(&c)) return escape(*s, 1000);
  return "–";
}

// What a row's cells hold, in the digits that the intervals among them allow.
std::vector<std::string> cell_texts(const Table& t, const std::vector<Cell>& row) {
  std::vector<std::string> texts;
  for (const Cell& c : row) texts.push_back(cell_text(c));
  const auto at = [&](const std::optional<size_t>& column) -> std::optional<double> {
    const auto* d = column && *column < row.size() ? std::get_if<double>(&row[*column]) : nullptr;
    return d ? std::optional(*d) : std::nullopt;
  };
  for (const IntervalColumns& i : t.intervals) {
    const InDigits in = in_digits(at(i.estimate), at(i.low), at(i.high));
    if (!at(i.low) && !at(i.high)) continue;
    if (at(i.estimate)) texts[*i.estimate] = in.estimate;
    if (at(i.low)) texts[*i.low] = in.low;
    if (at(i.high)) texts[*i.high] = in.high;
  }
  return texts;
}
// What sorts: the number itself, unrounded.
std::string sorting(const Cell& c) {
  if (const auto* i = std::get_if<int64_t>(&c)) return fmt::format(" data-value=\"{}\"", *i);
  if (const auto* d = std::get_if<double>(&c); d && std::isfinite(*d)) return fmt::format(" data-value=\"{}\"", *d);
  return "";
}

}  // namespace

std::string escape(std::string_view text, size_t longest) {
  size_t end = std::min(text.size(), longest);
  while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;  // never inside a character
  std::string plain = printable(text.substr(0, end));
  if (end < text.size()) plain += "…";
  std::string out;
  for (const char c : plain) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

std::string element(std::string_view tag, std::string_view css_class, std::string_view inner) {
  if (css_class.empty()) return fmt::format("<{0}>{1}</{0}>", tag, inner);
  return fmt::format("<{0} class=\"{1}\">{2}</{0}>", tag, css_class, inner);
}

std::string row(const std::vector<std::string>& cells) {
  std::string s = "<tr>";
  for (const std::string& c : cells) s += "<td>" + c + "</td>";
  return s + "</tr>\n";
}

std::string table(std::string_view css_class, const std::vector<std::string>& heads,
                  const std::vector<std::string>& rows) {
  std::string s = fmt::format("<table class=\"{}\">\n<thead><tr>", css_class);
  for (const std::string& h : heads) s += "<th scope=\"col\">" + h + "</th>";
  s += "</tr></thead>\n<tbody>\n";
  for (const std::string& r : rows) s += r;
  return s + "</tbody>\n</table>\n";
}

std::string data_table(const Table& t, size_t most) {
  const bool wide = t.columns.size() > most_narrow;
  std::string s = fmt::format("<table class=\"data{}\">\n<caption>", wide ? " wide" : "") + escape(t.title) +
                  "</caption>\n<thead><tr>";
  for (const std::string& c : t.columns) s += "<th scope=\"col\">" + escape(c) + "</th>";
  s += "</tr></thead>\n<tbody>\n";
  for (size_t i = 0; i < std::min(t.rows.size(), most); ++i) {
    s += "<tr>";
    const std::vector<std::string> texts = cell_texts(t, t.rows[i]);
    for (size_t k = 0; k < t.rows[i].size(); ++k) {
      const Cell& c = t.rows[i][k];
      const bool words = std::holds_alternative<std::string>(c);
      // On a phone a row is a block, and each cell says what it is.
      const std::string label =
          wide && k < t.columns.size() ? fmt::format(" data-label=\"{}\"", escape(t.columns[k])) : "";
      s += fmt::format("<td{}{}{}>{}</td>", words ? "" : " class=\"num\"", label, sorting(c), texts[k]);
    }
    s += "</tr>\n";
  }
  s += "</tbody>\n</table>\n";
  if (t.rows.size() > most)
    s += fmt::format("<p class=\"note\">The first {} of {}; report.json has all.</p>\n", most, t.rows.size());
  return s;
}

std::string estimate(const Finding& f) {
  if (!f.estimate) return "–";
  const bool whole = f.kind == Kind::exact && *f.estimate == std::floor(*f.estimate) && std::abs(*f.estimate) < 9e15;
  if (whole && f.unit_of_estimate != "fraction") return grouped(static_cast<int64_t>(*f.estimate));
  const std::string sign = f.unit_of_estimate.starts_with("signed") && *f.estimate > 0 ? "+" : "";
  return sign + (f.interval ? number(*f.estimate, digits_of(*f.interval, f.estimate)) : number(*f.estimate));
}

std::string ends(const Finding& f) { return f.interval ? viva::ends(*f.interval, f.estimate) : "–"; }

std::string level(double level) { return level < 1 ? fmt::format("{:.4g} %", 100 * level) : "certain"; }

std::string interval(const Finding& f, const std::optional<double>& claimed) {
  if (!f.interval) return f.status == Status::run && f.kind == Kind::exact ? "exact" : "–";
  // R(8/255) ≤ .16
  constexpr std::string_view robust = "robustness.accuracy[";
  const std::string of =
      f.id.starts_with(robust) ? "R(" + escape(f.id.substr(robust.size(), f.id.size() - robust.size() - 1)) + ") " : "";
  return fmt::format("<span class=\"num\">{}{}</span><br><small>{} · {}</small>", of,
                     viva::ends(*f.interval, f.estimate, claimed), level(f.interval->level),
                     escape(f.interval->method));
}

std::string ruling(Verdict v) { return fmt::format("<span class=\"ruling {0}\">{0}</span>", to_string(v)); }

std::string sentence(std::string text) {
  const size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz");
  if (end != std::string::npos && end > 0 && text[end] == ' ') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

std::string row_link(std::string_view data, int64_t row) {
  return fmt::format("<a href=\"#row-{0}-{1}\">{2}</a>", escape(data), row, grouped(row));
}

}  // namespace viva::markup
