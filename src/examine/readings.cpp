#include "examine/readings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>

#include "examine/evaluation.h"
#include "examine/layout.h"
#include "examine/words.h"

namespace viva {
namespace {

// slope · x + offset, of each element.
template <class F> InputMap scaled(size_t elements, F&& each) {
  InputMap m;
  m.from.resize(elements), m.slope.resize(elements), m.offset.resize(elements);
  std::iota(m.from.begin(), m.from.end(), 0);
  for (size_t k = 0; k < elements; ++k) std::tie(m.slope[k], m.offset[k]) = each(k);
  return m;
}

// What a row goes through before the layout `now`, so that the network sees it as under the layout `then`.
InputMap between(const std::vector<Rearrangement>& now, const std::vector<Rearrangement>& then, int64_t elements) {
  const std::vector<int64_t> here = elements_of(now, elements), there = elements_of(then, elements);
  InputMap m;
  m.from.resize(here.size());
  for (size_t k = 0; k < here.size(); ++k) m.from[static_cast<size_t>(here[k])] = there[k];
  return m;
}

// Mean and deviation of each channel over the rows; one channel where the row is no image.
struct Standard {
  std::vector<double> mean, deviation;
};
Standard standard_of(const Context& x, const std::vector<int64_t>& rows, const InputMap& moved, const Image& image) {
  std::vector<double> sum(static_cast<size_t>(image.channels), 0), square = sum;
  for (const int64_t r : rows) {
    const Array given = checked_rows(x.data, r, 1, x.subject), one = moved.from.empty() ? given : mapped(given, moved);
    for (int64_t k = 0; k < one.size(); ++k) {
      const auto c = static_cast<size_t>(image.channel(k));
      const double v = one.at(k);
      sum[c] += v, square[c] += v * v;
    }
  }
  const double n = static_cast<double>(std::ssize(rows) * image.elements()) / static_cast<double>(image.channels);
  Standard s;
  for (size_t c = 0; c < sum.size(); ++c) {
    s.mean.push_back(sum[c] / n);
    s.deviation.push_back(std::sqrt(std::max(0., square[c] / n - s.mean[c] * s.mean[c])));
  }
  return s;
}

// The option that does (x - mean) / deviation; a network that something was prepended to takes it before that.
std::string normalize_option(const Context& x, const std::string& mean, const std::string& deviation) {
  return x.subject.record().prepended.empty() ? fmt::format("--normalize {},{}", mean, deviation)
                                              : fmt::format("(x - {}) / {} of the values first", mean, deviation);
}

// slope · x + offset of every element.
RowReading rescaled(const Context& x, const std::string& name, const std::string& words, double slope, double offset) {
  const auto elements = static_cast<size_t>(numel(x.subject.row_type().shape));
  return {name,
          fmt::format("{} ({})", words,
                      normalize_option(x, shown(offset == 0 ? 0 : -offset / slope, 6), shown(1 / slope, 6))),
          scaled(elements, [=](size_t) { return std::pair(slope, offset); })};
}

// --normalize comes after --layout, in the channels of the network.
RowReading standardised(const Context& x, const std::string& name, const Standard& s, const Image& image) {
  std::vector<std::string> mean, deviation;
  for (size_t c = 0; c < s.mean.size(); ++c)
    mean.push_back(shown(s.mean[c])), deviation.push_back(shown(s.deviation[c]));
  if (contains(x.options.layout, Layout::reverse_channels)) std::ranges::reverse(mean), std::ranges::reverse(deviation);
  return {name,
          normalize_option(x, fmt::format("{}", fmt::join(mean, ":")), fmt::format("{}", fmt::join(deviation, ":"))),
          scaled(static_cast<size_t>(image.elements()), [&](size_t k) {
            const auto c = static_cast<size_t>(image.channel(static_cast<int64_t>(k)));
            return std::pair(1 / s.deviation[c], -s.mean[c] / s.deviation[c]);
          })};
}

}  // namespace

std::vector<RowReading> layouts(const Context& x) {
  const Layouts& stated = x.options.layout;
  const Shape row = x.subject.arranged_row();
  const auto now = rearrangements(stated, row);
  std::vector<RowReading> all;
  const auto add = [&](Layout l, const Layouts& instead, InputMap map) {
    all.push_back({contains(stated, l) ? fmt::format("not {}", words_of(l)) : std::string(words_of(l)),
                   instead.empty() ? "leave --layout out" : "--layout " + to_string(instead), std::move(map)});
  };
  for (const LayoutName& n : layout_names()) {
    const auto instead = toggled(stated, n.layout);
    if (!instead) continue;
    if (n.layout == Layout::invert) {
      const FoundSpace& found = x.input_space();
      if (!found.space || !is_float(x.subject.row_type().dtype)) continue;
      const InputSpace& s = *found.space;
      add(n.layout, *instead, scaled(s.low.size(), [&](size_t k) { return std::pair(-1., s.low[k] + s.high[k]); }));
    } else if (const auto then = rearrangements(*instead, row); now && then) {
      add(n.layout, *instead, between(*now, *then, numel(row)));
    }
  }
  return all;
}

std::vector<RowReading> scales(const Context& x, const std::vector<int64_t>& rows, const InputMap& moved) {
  std::vector<RowReading> all;
  const Type row = x.subject.row_type();
  if (!is_float(row.dtype)) return all;
  const auto elements = static_cast<size_t>(numel(row.shape));
  all.push_back(rescaled(x, "values times 255", "multiply the values by 255", 255, 0));
  all.push_back(rescaled(x, "values divided by 255", "divide the values by 255", 1 / 255., 0));
  all.push_back(rescaled(x, "[-1, 1] mapped to [0, 1]", "map the values from [-1, 1] to [0, 1]", .5, .5));
  const FoundSpace& found = x.input_space();
  if (found.space) {
    const InputSpace& s = *found.space;
    all.push_back(
        {"the range stretched to [-1, 1]", "map the range of values to [-1, 1]", scaled(elements, [&](size_t k) {
           const double half = (s.high[k] - s.low[k]) / 2;
           return std::pair(1 / half, -(s.low[k] + s.high[k]) / 2 / half);
         })});
  }
  const Image whole{1, 1, numel(row.shape), false, true}, image = image_of(row.shape).value_or(whole);
  const Standard own = standard_of(x, rows, moved, image);
  if (std::ranges::all_of(own.deviation, [](double d) { return d > 0; }))
    all.push_back(standardised(x, "standardised by the mean and deviation of the rows", own, image));
  if (image.channels == 3) {
    const Standard imagenet{{.485, .456, .406}, {.229, .224, .225}};
    all.push_back(standardised(x, "standardised by ImageNet's mean and deviation", imagenet, image));
    all.push_back(
        {"ImageNet's mean and deviation undone", "do not standardise the values", scaled(elements, [&](size_t k) {
           const auto c = static_cast<size_t>(image.channel(static_cast<int64_t>(k)));
           return std::pair(imagenet.deviation[c], imagenet.mean[c]);
         })});
  }
  if (!moved.from.empty())
    for (RowReading& r : all) r.map.from = moved.from;
  return all;
}

std::vector<RowReading> layouts_with_scales(const Context& x, const std::vector<int64_t>& rows) {
  std::vector<RowReading> all;
  for (const RowReading& l : layouts(x)) {
    if (!l.map.slope.empty()) continue;
    for (RowReading& s : scales(x, rows, l.map))
      all.push_back(
          {fmt::format("{} and {}", l.name, s.name), fmt::format("{}; {}", l.mend, s.mend), std::move(s.map)});
  }
  return all;
}

Array mapped(const Array& rows, const InputMap& map) {
  Array out = Array::make(rows.type());
  const int64_t n = rows.shape()[0], width = std::ssize(map.from), element = size_of(rows.dtype());
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < width; ++k)
      std::memcpy(out.mutable_data() + (i * width + k) * element,
                  rows.data() + (i * width + map.from[static_cast<size_t>(k)]) * element, static_cast<size_t>(element));
  if (map.slope.empty()) return out;
  Array wide = out.converted(Dtype::float64);
  auto v = wide.as_mutable<double>();
  for (size_t k = 0; k < v.size(); ++k) {
    const size_t j = k % map.from.size();
    v[k] = map.slope[j] * v[k] + map.offset[j];
  }
  return wide.converted(rows.dtype());
}

}  // namespace viva
