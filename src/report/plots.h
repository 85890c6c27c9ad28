// The plots of the page, each with its caption and its numbers as a table.
#pragma once

#include <string>
#include <vector>

#include "examine/finding.h"

namespace viva {

struct Figure {
  std::string id, title, svg = {};
  // What, how many of what unit, which interval, how to read it, what it does not show: one sentence or more each.
  std::string what = {}, n = {}, unit = {}, interval = {}, read = {}, not_shown = {};
  Table numbers = {};
};

// Empty where the report has nothing to draw.
std::vector<Figure> reliability_plot(const Report& r);
std::vector<Figure> confusion_plot(const Report& r);
std::vector<Figure> recall_plot(const Report& r);
std::vector<Figure> loss_plot(const Report& r);
std::vector<Figure> robustness_plot(const Report& r);
// Those that belong to an area: "risk", "calibration", "robustness".
std::vector<Figure> plots_of(const Report& r, std::string_view area);

// <figure> with caption and table; `number` counts from 1.
std::string figure_html(const Figure& f, int number);

// The rows that a finding took, also where what it counts are groups of them.
int64_t rows_of(const Finding& f);
// Parts of findings by id; nullptr where absent.
const Table* table_of(const Finding& f, std::string_view id);
const Series* series_of(const Finding& f, std::string_view id);
const Examples* examples_in(const Finding& f, std::string_view id);
double number_in(const Cell& c);  // NaN where it is none
std::string text_in(const Cell& c);

}  // namespace viva
