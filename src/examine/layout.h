// The layouts that rows may be stored in, other than the one that a network takes: names, and what they do to a row.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/shape.h"

namespace viva {

enum class Layout : uint8_t { transpose, channels_last, channels_first, reverse_channels, invert };

// One spelling for --layout, the diagnosis, the mend and the reports.
struct LayoutName {
  Layout layout;
  std::string_view name, words;  // transpose; "height and width exchanged"
};
std::span<const LayoutName> layout_names();
std::string_view name_of(Layout l);
std::string_view words_of(Layout l);

// Layouts together, each once, in the order of the list: they act on different axes, or on values, and commute.
using Layouts = std::vector<Layout>;
Layouts layouts_from(const std::string& text);  // "transpose,invert"; usage errors name the option
std::string to_string(const Layouts& all);      // "transpose,invert"
std::string in_words(const Layouts& all);       // "height and width exchanged, inverted (--layout transpose,invert)"
bool contains(std::span<const Layout> all, Layout l);
// With l where it is not among them, without it where it is; none where the other order of channels stands there.
std::optional<Layouts> toggled(const Layouts& all, Layout l);

// A row as given becomes one that the network takes: reshaped to `view`, its axes put in `order`, one of them reversed,
// and reshaped.
struct Rearrangement {
  Shape given, view;
  Ints order;
  int64_t reversed = -1;
};
// From the row as given to the network's `row`. none: the row is no image, or has nothing of the kind; empty where only
// values change.
std::optional<std::vector<Rearrangement>> rearrangements(const Layouts& all, const Shape& row);
// The row that a network takes, of extents that its file leaves open, for a row as given.
Shape row_after(const Layouts& all, const Shape& given);
// Element k of the arranged row is element from[k] of the row as given.
std::vector<int64_t> elements_of(std::span<const Rearrangement> steps, int64_t elements);

// How a row may be an image.
struct Image {
  int64_t channels = 1, height = 0, width = 0;
  bool innermost = false;  // channels last
  bool flat = false;       // of one extent: nothing says where its channels are, and they are taken to be first

  int64_t elements() const { return channels * height * width; }
  int64_t channel(int64_t k) const { return innermost ? k % channels : k / (height * width); }
};
// By its shape without extents of 1, or a square (of three channels) laid out flat.
std::optional<Image> image_of(const Shape& row);

}  // namespace viva
