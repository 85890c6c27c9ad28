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

// A table that scripts may sort and copy: heads from the columns, numbers aligned, at most `most` rows.
std::string data_table(const Table& t, size_t most = 60);

// An estimate, to two significant digits of its interval's width; whole counts in full.
std::string estimate(const Finding& f);
// Rounded outward, to the same digits: "[0.919, 0.931]", "≤ 0.18".
std::string ends(const Finding& f);
std::string level(double level);  // 95 %, 98.3 %
// "[0.919, 0.931]" and below it level and method; "exact", or a dash.
std::string interval(const Finding& f, const std::optional<double>& claimed = {});
std::string ruling(Verdict v);  // a word in a frame
// From a capital letter on, unless the first word is a name or holds more than letters.
std::string sentence(std::string text);
// A link to a row that the page shows.
std::string row_link(std::string_view data, int64_t row);

}  // namespace viva::markup
