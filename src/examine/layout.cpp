#include "examine/layout.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/without_ones.h"

namespace viva {
namespace {

constexpr std::array names = {
    LayoutName{Layout::transpose, "transpose", "height and width exchanged"},
    LayoutName{Layout::channels_last, "channels-last", "rows stored channels last"},
    LayoutName{Layout::channels_first, "channels-first", "rows stored channels first"},
    LayoutName{Layout::reverse_channels, "reverse-channels", "channels reversed"},
    LayoutName{Layout::invert, "invert", "inverted"},
};

const LayoutName& entry(Layout l) { return names[static_cast<size_t>(l)]; }

bool is_order(Layout l) { return l == Layout::channels_last || l == Layout::channels_first; }

Shape view_of(const Image& i) {
  return i.innermost ? Shape{i.height, i.width, i.channels} : Shape{i.channels, i.height, i.width};
}

// `row` with the extents of another image in place of its own.
Shape reshaped(const Shape& row, const Image& i) {
  if (i.flat) return row;
  Shape view = view_of(i), out = row;
  if (i.channels == 1) view.erase(view.begin() + (i.innermost ? 2 : 0));
  size_t next = 0;
  for (int64_t& e : out)
    if (e != 1) e = view[next++];
  return out;
}

// The step that one layout takes to an image `i` of shape `row`, which becomes the image as given.
std::optional<Rearrangement> step_to(Layout l, Image& i, const Shape& row) {
  Rearrangement r;
  r.order = {0, 1, 2};
  if (l == Layout::transpose) {
    std::swap(i.height, i.width);
    r.order = i.innermost ? Ints{1, 0, 2} : Ints{0, 2, 1};
  } else if (i.channels == 1) {
    return std::nullopt;
  } else if (l == Layout::reverse_channels) {
    r.reversed = i.innermost ? 2 : 0;
  } else {
    if (i.innermost != (l == Layout::channels_first)) return std::nullopt;
    i.innermost = !i.innermost;
    r.order = i.innermost ? Ints{2, 0, 1} : Ints{1, 2, 0};
  }
  r.view = view_of(i);
  r.given = reshaped(row, i);
  return r;
}

// Where element k of an array comes from that is another one of `view`, its axes put in `order`, one of them reversed.
std::vector<int64_t> sources(const Rearrangement& r) {
  const Ints stride = {r.view[1] * r.view[2], r.view[2], 1};
  const auto axis = [&](size_t d) { return static_cast<size_t>(r.order[d]); };
  std::vector<int64_t> from;
  Ints at(3, 0);
  for (at[0] = 0; at[0] < r.view[axis(0)]; ++at[0])
    for (at[1] = 0; at[1] < r.view[axis(1)]; ++at[1])
      for (at[2] = 0; at[2] < r.view[axis(2)]; ++at[2]) {
        int64_t k = 0;
        for (size_t d = 0; d < 3; ++d) {
          const int64_t last = r.view[axis(d)] - 1;
          k += (static_cast<int64_t>(d) == r.reversed ? last - at[d] : at[d]) * stride[axis(d)];
        }
        from.push_back(k);
      }
  return from;
}

}  // namespace

std::span<const LayoutName> layout_names() { return names; }
std::string_view name_of(Layout l) { return entry(l).name; }
std::string_view words_of(Layout l) { return entry(l).words; }

bool contains(std::span<const Layout> all, Layout l) { return std::ranges::find(all, l) != all.end(); }

std::string to_string(const Layouts& all) {
  std::string s;
  for (const Layout l : all) s += (s.empty() ? "" : ",") + std::string(name_of(l));
  return s;
}

std::string in_words(const Layouts& all) {
  std::string s;
  for (const Layout l : all) s += (s.empty() ? "" : ", ") + std::string(words_of(l));
  return all.empty() ? s : s + " (--layout " + to_string(all) + ")";
}

Layouts layouts_from(const std::string& text) {
  Layouts all;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    const std::string name = text.substr(at, end - at);
    at = end + 1;
    const auto found = std::ranges::find(names, name, &LayoutName::name);
    if (found == names.end()) {
      std::string known;
      for (const LayoutName& n : names) known += (known.empty() ? "" : ", ") + std::string(n.name);
      throw usage_error("--layout {}: there is no layout '{}'; write some of {}", text, name, known);
    }
    if (contains(all, found->layout)) throw usage_error("--layout {}: {} stands twice: write it once", text, name);
    all.push_back(found->layout);
  }
  if (contains(all, Layout::channels_first) && contains(all, Layout::channels_last))
    throw usage_error("--layout {}: rows are stored channels first or channels last: write one of them", text);
  std::ranges::sort(all);
  return all;
}

std::optional<Layouts> toggled(const Layouts& all, Layout l) {
  Layouts other = all;
  if (const auto at = std::ranges::find(other, l); at != other.end()) {
    other.erase(at);
    return other;
  }
  if (is_order(l) && std::ranges::any_of(all, is_order)) return std::nullopt;
  other.push_back(l);
  std::ranges::sort(other);
  return other;
}

std::optional<std::vector<Rearrangement>> rearrangements(const Layouts& all, const Shape& row) {
  std::vector<Rearrangement> steps;
  std::optional<Image> image = image_of(row);
  Shape shape = row;
  // What the rows are stored as says where a flat row of the network has its channels.
  if (image && image->flat && contains(all, Layout::channels_first)) image->innermost = true;
  for (const Layout l : all) {
    if (l == Layout::invert) continue;
    if (!image) return std::nullopt;
    std::optional<Rearrangement> step = step_to(l, *image, shape);
    if (!step) return std::nullopt;
    shape = step->given;
    steps.insert(steps.begin(), std::move(*step));
  }
  return steps;
}

Shape row_after(const Layouts& all, const Shape& given) {
  Shape row = given;
  const std::optional<Image> found = image_of(given);
  if (!found || found->flat) return row;
  Image i = *found;
  if (contains(all, Layout::transpose)) std::swap(i.height, i.width);
  if (contains(all, Layout::channels_last)) i.innermost = false;
  if (contains(all, Layout::channels_first)) i.innermost = true;
  return reshaped(row, i);
}

std::vector<int64_t> elements_of(std::span<const Rearrangement> steps, int64_t elements) {
  std::vector<int64_t> all(static_cast<size_t>(elements));
  std::iota(all.begin(), all.end(), 0);
  for (const Rearrangement& step : steps) {
    std::vector<int64_t> next = sources(step);
    for (int64_t& k : next) k = all[static_cast<size_t>(k)];
    all = std::move(next);
  }
  return all;
}

std::optional<Image> image_of(const Shape& row) {
  const Shape s = without_ones(row);
  const auto side = [](int64_t n) {
    const auto r = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(n))));
    return r > 1 && r * r == n ? r : 0;
  };
  if (s.size() == 2) return Image{1, s[0], s[1], false, false};
  const auto few = [](int64_t e) { return e <= 4; };
  const bool last = s.size() == 3 && few(s[2]) && (!few(s[0]) || (s[2] == 3 && s[0] != 3));
  if (s.size() == 3 && few(s[0]) && !last) return Image{s[0], s[1], s[2], false, false};
  if (last) return Image{s[2], s[0], s[1], true, false};
  if (s.size() != 1) return std::nullopt;
  if (const int64_t r = side(s[0])) return Image{1, r, r, false, true};
  if (s[0] % 3 == 0)
    if (const int64_t r = side(s[0] / 3)) return Image{3, r, r, false, true};
  return std::nullopt;
}

}  // namespace viva
