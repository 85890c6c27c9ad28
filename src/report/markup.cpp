#include "report/markup.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/bytes.h"
#include "examine/words.h"

namespace viva::markup {
namespace {

constexpr double plot_width = 260, plot_margin = 6;

double place(double v, Scale s) {
  const double t = std::clamp((v - s.low) / (s.high - s.low), 0.0, 1.0);
  return plot_margin + t * (plot_width - 2 * plot_margin);
}

std::string outward(const std::optional<double>& v, bool down) {
  if (!v) return "–";
  const double step = std::pow(10, std::abs(*v) < 10 ? 4 : std::max(0.0, 4 - std::floor(std::log10(std::abs(*v)))));
  const double scaled = *v * step, near = std::round(scaled);
  // An end that is a round number up to rounding error stays that number.
  const double r = std::abs(scaled - near) < 1e-7 ? near : down ? std::floor(scaled) : std::ceil(scaled);
  return value(r / step);
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

std::string value(double v) {
  if (!std::isfinite(v)) return "–";
  if (v == std::floor(v) && std::abs(v) >= 10 && std::abs(v) < 9e15) return grouped(static_cast<int64_t>(v));
  const std::string s = std::abs(v) < 1e6 ? fmt::format("{:.4f}", v) : fmt::format("{:.5g}", v);
  return s.starts_with('-') ? "−" + s.substr(1) : s;
}

std::string estimate(const Finding& f) {
  if (!f.estimate) return "–";
  const bool whole = f.kind == Kind::exact && *f.estimate == std::floor(*f.estimate) && std::abs(*f.estimate) < 9e15;
  if (whole && f.unit_of_estimate != "fraction") return grouped(static_cast<int64_t>(*f.estimate));
  const std::string sign = f.unit_of_estimate.starts_with("signed") && *f.estimate > 0 ? "+" : "";
  return sign + value(*f.estimate);
}

std::string ends(const Interval& i) {
  if (i.sided == Sided::upper) return "≤ " + outward(i.high, false);
  if (i.sided == Sided::lower) return "≥ " + outward(i.low, true);
  return fmt::format("[{}, {}]", outward(i.low, true), outward(i.high, false));
}

std::string level(double level) { return fmt::format("{:.5g} %", 100 * level); }

std::string interval(const Finding& f) {
  if (!f.interval) return f.status == Status::run && f.kind == Kind::exact ? "exact" : "–";
  return fmt::format("<span class=\"num\">{}</span><br><small>{} · {}</small>", ends(*f.interval),
                     level(f.interval->level), escape(f.interval->method));
}

std::string ruling(Verdict v) { return fmt::format("<span class=\"ruling {0}\">{0}</span>", to_string(v)); }

Scale scale_of(const std::vector<const Finding*>& findings) {
  double low = 1, high = 0;
  for (const Finding* f : findings) {
    if (!f->interval) continue;
    low = std::min(low, f->interval->low.value_or(0));
    high = std::max(high, f->interval->high.value_or(1));
  }
  if (low >= high) return {};
  return {std::floor(low * 10) / 10, std::ceil(high * 10) / 10};
}

std::string plot(const Finding& f, Scale s, std::optional<double> reference) {
  std::string svg = fmt::format(
      "<svg class=\"plot\" viewBox=\"0 0 {0} 18\" width=\"{0}\" height=\"18\" aria-hidden=\"true\">", plot_width);
  svg += fmt::format("<line class=\"track\" x1=\"{}\" x2=\"{}\" y1=\"9\" y2=\"9\"/>", plot_margin,
                     plot_width - plot_margin);
  if (reference)
    svg += fmt::format("<line class=\"reference\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"0\" y2=\"18\"/>",
                       place(*reference, s));
  if (f.interval) {
    const double low = place(f.interval->low.value_or(s.low), s), high = place(f.interval->high.value_or(s.high), s);
    svg += fmt::format("<line class=\"range\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"9\" y2=\"9\"/>", low, high);
    for (const double x : {low, high})
      svg += fmt::format("<line class=\"end\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"5\" y2=\"13\"/>", x);
  }
  if (f.estimate) svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"9\" r=\"3.2\"/>", place(*f.estimate, s));
  return svg + "</svg>";
}

std::string axis(Scale s) {
  std::string svg = fmt::format(
      "<svg class=\"plot\" viewBox=\"0 0 {0} 16\" width=\"{0}\" height=\"16\" aria-hidden=\"true\">", plot_width);
  const int tenths = static_cast<int>(std::lround((s.high - s.low) * 10));
  const int parts = tenths <= 5 ? tenths : tenths % 2 == 0 ? tenths / 2 : tenths % 3 == 0 ? 3 : 1;
  for (int i = 0; i <= parts; ++i) {
    const double v = s.low + (s.high - s.low) * i / parts;
    const std::string_view anchor = i == 0 ? "start" : i == parts ? "end" : "middle";
    svg += fmt::format("<text x=\"{:.1f}\" y=\"12\" text-anchor=\"{}\">{:.3g}</text>", place(v, s), anchor, v);
  }
  return svg + "</svg>";
}

}  // namespace viva::markup
