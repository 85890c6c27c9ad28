// Where a row may be moved: the units of the raw data, and the valid range of its elements.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "examine/examiner.h"

namespace viva {

// One factor an element of a row: how far the element moves where the raw data move by 1. All 1, or 1 / deviation under
// --data-normalized.
std::vector<double> raw_units(const Shape& row, const ExamineOptions& options);

struct InputSpace {
  std::vector<double> unit;       // raw_units
  std::vector<double> low, high;  // of each element
  ValueRange raw;
  ValueRange seen;       // between the least and the greatest value of all rows
  bool assumed = false;  // nobody gave the range: all rows lie in [0, 1]
};
// The space, or why there is none.
struct FoundSpace {
  std::optional<InputSpace> space;
  std::string why;
};
// The sum of the ends of each element's range, of --range or [0, 1]: what an inverted row is subtracted from.
std::vector<double> range_sums(const Shape& row, const ExamineOptions& options);

// The axis of `row` that has one of `count` channels: the first such axis but where that is a batch of its own; -1 for
// one channel. A usage error, which names the option, where there is none.
int64_t channel_axis(const Shape& row, size_t count, std::string_view option);

}  // namespace viva
