// Small pieces of the page.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "examine/finding.h"

namespace viva::markup {

// Text as HTML: printable, cut after `longest` bytes, & < > " ' escaped.
std::string escape(std::string_view text, size_t longest = 300);
std::string element(std::string_view tag, std::string_view css_class, std::string_view inner);
// <tr> of <td>, the inner HTML of each given.
std::string row(const std::vector<std::string>& cells);
std::string table(std::string_view css_class, const std::vector<std::string>& heads,
                  const std::vector<std::string>& rows);

// An estimate with its unit's digits: four decimals for fractions and nats, grouped whole numbers for counts.
std::string estimate(const Finding& f);
std::string value(double v);
// Rounded outward; a dash where an end is absent, "≤ 0.4715" where one is stated only.
std::string ends(const Interval& i);
std::string level(double level);  // 95 %, 98.333 %
// "[0.8967, 0.9085]" and below it level and method; the reason where there is none.
std::string interval(const Finding& f);
std::string ruling(Verdict v);  // a badge

// The horizontal scale of a column of interval plots.
struct Scale {
  double low = 0, high = 1;
};
Scale scale_of(const std::vector<const Finding*>& findings);
// A point with its interval, 260 × 18; `reference` draws a thin line.
std::string plot(const Finding& f, Scale s, std::optional<double> reference);
std::string axis(Scale s);

}  // namespace viva::markup
