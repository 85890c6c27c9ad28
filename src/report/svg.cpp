#include "report/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "examine/digits.h"
#include "examine/words.h"
#include "report/markup.h"

namespace viva::svg {
namespace {

double transformed(double v, Scale s) {
  if (s == Scale::logit) return std::log(v / (1 - v));
  return s == Scale::log ? std::log(v) : v;
}

// One decimal: enough for a screen, and the same on every machine.
std::string px(double v) {
  const double r = std::round(10 * v) / 10;
  return fmt::format("{}", r == 0 ? 0. : r);
}

std::vector<double> inside(const Axis& a, std::initializer_list<double> values) {
  std::vector<double> kept;
  for (const double v : values)
    if (v >= a.low * (1 - 1e-9) && v <= a.high * (1 + 1e-9)) kept.push_back(v);
  return kept;
}

}  // namespace

double Axis::at(double v) const {
  const double low_t = transformed(low, scale), high_t = transformed(high, scale);
  const double t = (transformed(std::clamp(v, low, high), scale) - low_t) / (high_t - low_t);
  return from + t * (to - from);
}

bool Axis::holds(double v) const { return v >= low && v <= high; }

std::vector<double> ticks(const Axis& a, int wanted) {
  if (a.scale == Scale::logit) return inside(a, {.001, .01, .05, .1, .25, .5, .75, .9, .95, .99, .999, .9999});
  if (a.scale == Scale::log) {
    std::vector<double> powers;
    const double decades = std::log10(a.high / a.low);
    const int step = std::max(1, static_cast<int>(std::ceil(decades / std::max(1, wanted))));
    for (int p = static_cast<int>(std::ceil(std::log10(a.low) - 1e-9)); std::pow(10., p) <= a.high * (1 + 1e-9);
         p += step)
      powers.push_back(std::pow(10., p));
    return powers;
  }
  const double raw = (a.high - a.low) / std::max(1, wanted), power = std::pow(10., std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double m : {1., 2., 5.})
    if (m * power >= raw * (1 - 1e-9)) {
      step = m * power;
      break;
    }
  std::vector<double> all;
  for (double k = std::ceil(a.low / step - 1e-9); k * step <= a.high + 1e-9 * step; ++k) all.push_back(k * step);
  return all;
}

std::string tick_text(double v) {
  const double power = std::log10(std::abs(v)), whole = std::round(power);
  if (v > 0 && (power < -2.5 || power > 4.5) && std::abs(power - whole) < 1e-9)
    return power_of_ten(static_cast<int>(whole));
  if (v == std::round(v) && std::abs(v) < 9e15) return grouped(static_cast<int64_t>(v));
  return fmt::format("{:.4g}", v);
}

std::string line(std::string_view css, double x1, double y1, double x2, double y2) {
  return fmt::format("<line class=\"{}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>", css, px(x1), px(y1), px(x2),
                     px(y2));
}

std::string rect(std::string_view css, double x, double y, double width, double height) {
  return fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>", css, px(x), px(y),
                     px(std::max(0., width)), px(std::max(0., height)));
}

std::string circle(std::string_view css, double x, double y, double radius) {
  return fmt::format("<circle class=\"{}\" cx=\"{}\" cy=\"{}\" r=\"{}\"/>", css, px(x), px(y), px(radius));
}

std::string path(std::string_view css, const std::vector<std::pair<double, double>>& points, bool closed) {
  std::string d;
  for (const auto& [x, y] : points) d += fmt::format("{}{} {}", d.empty() ? "M" : "L", px(x), px(y));
  return fmt::format("<path class=\"{}\" d=\"{}{}\"/>", css, d, closed ? "Z" : "");
}

std::string text(std::string_view css, double x, double y, Anchor a, std::string_view words) {
  constexpr std::string_view anchors[] = {"start", "middle", "end"};
  return fmt::format("<text class=\"{}\" x=\"{}\" y=\"{}\" text-anchor=\"{}\">{}</text>", css, px(x), px(y),
                     anchors[static_cast<size_t>(a)], markup::escape(words, 60));
}

std::string mark(std::string_view says, const std::string& inner, std::string_view href) {
  const std::string g = "<g class=\"mark\"><title>" + markup::escape(says) + "</title>" + inner + "</g>";
  return href.empty() ? g : fmt::format("<a href=\"{}\">{}</a>", markup::escape(href), g);
}

std::string horizontal(const Axis& a, double y, std::string_view name, const std::vector<double>& at) {
  std::string s = line("axis", a.from, y, a.to, y);
  double last = -1e9;
  for (const double v : at) {
    const double x = a.at(v);
    s += line("axis", x, y, x, y + 4);
    if (x - last < 24) continue;  // the words would touch
    s += text("tick", x, y + 16, Anchor::middle, tick_text(v));
    last = x;
  }
  return s + text("name", (a.from + a.to) / 2, y + 33, Anchor::middle, name);
}

std::string vertical(const Axis& a, double x, std::string_view name, const std::vector<double>& at) {
  std::string s = line("axis", x, a.from, x, a.to);
  double last = 1e9;
  for (const double v : at) {
    const double y = a.at(v);
    s += line("axis", x - 4, y, x, y);
    if (last - y < 13) continue;
    s += text("tick", x - 7, y + 4, Anchor::end, tick_text(v));
    last = y;
  }
  return s + text("name", 2, std::min(a.from, a.to) - 10, Anchor::start, name);
}

std::string picture(std::string_view id, double width, double height, std::string_view title,
                    std::string_view describes, const std::string& inner) {
  return fmt::format(
      "<svg class=\"plot\" id=\"{0}\" role=\"img\" aria-labelledby=\"{0}-t {0}-d\" viewBox=\"0 0 {1} {2}\" "
      "width=\"{1}\" height=\"{2}\">\n<title id=\"{0}-t\">{3}</title>\n<desc id=\"{0}-d\">{4}</desc>\n{5}\n</svg>",
      id, px(width), px(height), markup::escape(title), markup::escape(describes, 2000), inner);
}

}  // namespace viva::svg
