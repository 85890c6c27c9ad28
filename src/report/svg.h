// Plots as inline SVG: axes, marks and words, without a library and without scripts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace viva::svg {

enum class Scale : uint8_t { linear, logit, log };

// From values to pixels. Logit and log axes take values inside (0, 1) and above 0; what leaves the ends is drawn at
// them.
struct Axis {
  double low = 0, high = 1;   // values at the ends
  double from = 0, to = 100;  // pixels at the ends
  Scale scale = Scale::linear;
  double at(double v) const;
  bool holds(double v) const;  // without being moved to an end
};
// Round values within the axis, about `wanted` of them.
std::vector<double> ticks(const Axis& a, int wanted = 5);
std::string tick_text(double v);

std::string line(std::string_view css, double x1, double y1, double x2, double y2);
std::string rect(std::string_view css, double x, double y, double width, double height);
std::string circle(std::string_view css, double x, double y, double radius);
std::string path(std::string_view css, const std::vector<std::pair<double, double>>& points, bool closed = false);
enum class Anchor : uint8_t { start, middle, end };
// `words` is escaped.
std::string text(std::string_view css, double x, double y, Anchor a, std::string_view words);
// A mark that says what it is when pointed at; `href`, where not empty, makes it a link within the page.
std::string mark(std::string_view says, const std::string& inner, std::string_view href = "");

// Axis lines, ticks and names. `y` of the horizontal axis, `x` of the vertical one.
std::string horizontal(const Axis& a, double y, std::string_view name, const std::vector<double>& at);
std::string vertical(const Axis& a, double x, std::string_view name, const std::vector<double>& at);

// The whole picture with its title and description for those who do not see it.
std::string picture(std::string_view id, double width, double height, std::string_view title,
                    std::string_view describes, const std::string& inner);

}  // namespace viva::svg
