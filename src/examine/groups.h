// Rows that come in groups (patients, sites, films): what is independent then is a group.
#pragma once

#include <span>
#include <vector>

#include "examine/measure.h"
#include "examine/statistics.h"

namespace viva {

inline constexpr int64_t fewest_groups = 20;

// The mean over all rows of groups drawn independently: the ratio of sums, with Student's interval from the groups'
// residuals, G - 1 degrees of freedom (Cochran, Sampling Techniques, 1977, section 6.4). group: one number a row, 0 to
// G - 1; groups without a row do not count. nullopt for fewer than fewest_groups, values that are not finite, or
// residuals without spread.
std::optional<Range> grouped_student_t(std::span<const double> rows, std::span<const int64_t> group, double alpha);
// The same for rows that are all 0 or 1, where Student's interval misses too often near 0 and 1: Clopper and Pearson's
// for as many independent rows as have the variance that was seen (Korn and Graubard, Survey Methodology 24 (1998)
// 193), with the 98 % upper limit of the design effect in place of its estimate, between 1 and the mean size of the
// group that a row lies in, which it is where all rows are alike.
std::optional<Range> grouped_proportion(std::span<const double> rows, std::span<const int64_t> group, double alpha);
int64_t groups_among(std::span<const int64_t> group);

// Gives m the mean of `values`, one for each of the rows `which` of the data, with that interval; n and unit become
// those of the groups.
void set_grouped_mean(Measure& m, std::vector<double> values, const std::vector<int64_t>& which, const RowSource& data);

// Of a finding for rows drawn like these, whatever took rows as independent goes: interval, band, null. Claims on it
// stay undecided. A measure of set_grouped_mean is left as it is.
void without_row_intervals(Measure& m, const RowSource& data);

}  // namespace viva
