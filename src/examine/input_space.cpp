#include "examine/input_space.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "examine/digits.h"

namespace viva {
namespace {

// The channel of each element of a row.
std::vector<size_t> channels(const Shape& row, size_t count, std::string_view option) {
  std::vector<size_t> all(static_cast<size_t>(numel(row)), 0);
  const int64_t axis = channel_axis(row, count, option);
  if (axis < 0) return all;
  int64_t inner = 1;
  for (size_t d = static_cast<size_t>(axis) + 1; d < row.size(); ++d) inner *= row[d];
  for (size_t i = 0; i < all.size(); ++i) all[i] = i / static_cast<size_t>(inner) % count;
  return all;
}

Normalization normalization(const ExamineOptions& o) { return o.data_normalized.value_or(Normalization{{0}, {1}}); }

// The least and greatest raw value of the data, and the first row outside the range.
struct RawValues {
  double least = INFINITY, greatest = -INFINITY;
  std::optional<int64_t> outside;
  double value = 0;
};

// Normalised values come back with a rounding of their own.
double slack(const ValueRange& r, const ExamineOptions& o) {
  return o.data_normalized ? 1e-4 * (r.high - r.low) : 1e-6 * (r.high - r.low);
}

RawValues values_of(const Context& x, const ValueRange& range) {
  RawValues v;
  const Shape row = x.subject.row_type().shape;
  const Normalization n = normalization(x.options);
  const std::vector<size_t> channel = channels(row, n.mean.size(), "--data-normalized");
  const double loose = slack(range, x.options);
  const int64_t step = rows_at_once(x.subject.row_type()), width = numel(row);
  for (int64_t first = 0; first < x.data.size(); first += step) {
    const int64_t count = std::min(step, x.data.size() - first);
    const Array rows = checked_rows(x.data, first, count, x.subject).converted(Dtype::float64);
    const auto all = rows.as<double>();
    for (size_t i = 0; i < all.size(); ++i) {
      const size_t c = channel[i % static_cast<size_t>(width)];
      const double raw = all[i] * n.deviation[c] + n.mean[c];
      v.least = std::min(v.least, raw);
      v.greatest = std::max(v.greatest, raw);
      if (!v.outside && (raw < range.low - loose || raw > range.high + loose))
        v.outside = first + static_cast<int64_t>(i) / width, v.value = raw;
    }
  }
  return v;
}

}  // namespace

int64_t channel_axis(const Shape& row, size_t count, std::string_view option) {
  if (count == 1) return -1;
  const auto n = static_cast<int64_t>(count);
  if (!row.empty() && row.front() == n) return 0;
  if (!row.empty() && row.back() == n) return std::ssize(row) - 1;
  throw usage_error("{}: {} channels, but rows are {}: neither the first nor the last extent is {}", option, count,
                    to_string(row), count);
}

std::vector<double> raw_units(const Shape& row, const ExamineOptions& options) {
  const Normalization n = normalization(options);
  std::vector<double> unit;
  for (const size_t c : channels(row, n.mean.size(), "--data-normalized")) unit.push_back(1 / n.deviation[c]);
  return unit;
}

std::vector<double> range_sums(const Shape& row, const ExamineOptions& options) {
  const Normalization n = normalization(options);
  const ValueRange r = options.range.value_or(ValueRange{0, 1});
  std::vector<double> sums;
  for (const size_t c : channels(row, n.mean.size(), "--data-normalized"))
    sums.push_back((r.low + r.high - 2 * n.mean[c]) / n.deviation[c]);
  return sums;
}

namespace {

FoundSpace found_space(const Context& x) {
  const Type row = x.subject.row_type();
  if (!is_float(row.dtype))
    return {std::nullopt, fmt::format("the input is {}: it has no small changes", name(row.dtype))};
  const ValueRange range = x.options.range.value_or(ValueRange{0, 1});
  const RawValues v = values_of(x, range);
  if (v.outside && x.options.range)
    throw input_error("--range {},{}: row {} of {} holds {:.6g}: give a range that the data keep to", range.low,
                      range.high, *v.outside, x.data.record.spec, v.value);
  if (v.outside)
    return {std::nullopt,
            fmt::format("give --range LO,HI: the values lie between {} and {}, and nothing says what is valid",
                        in_sentence(v.least), in_sentence(v.greatest))};
  InputSpace s{.unit = raw_units(row.shape, x.options),
               .low = {},
               .high = {},
               .raw = range,
               .seen = {v.least, v.greatest},
               .assumed = !x.options.range};
  const Normalization n = normalization(x.options);
  for (const size_t c : channels(row.shape, n.mean.size(), "--data-normalized")) {
    s.low.push_back((range.low - n.mean[c]) / n.deviation[c]);
    s.high.push_back((range.high - n.mean[c]) / n.deviation[c]);
  }
  return {std::move(s), ""};
}

}  // namespace

const FoundSpace& Context::input_space() const {
  if (!space_) space_ = std::make_shared<const FoundSpace>(found_space(*this));
  return *space_;
}

}  // namespace viva
