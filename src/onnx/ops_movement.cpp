// Operators that cut arrays apart and put them together.
#include <algorithm>
#include <array>

#include "onnx/op.h"

namespace viva {
namespace {

Items concat(OnnxOp& o) {
  Values v;
  for (size_t i = 0; i < o.inputs(); ++i) v.push_back(o.in(i));
  if (v.empty()) throw o.malformed("no input");
  const int64_t axis = o.opset() < 4 ? o.integer("axis", 1) : o.integer("axis");
  return {o.b.concatenate(v, o.axis(axis, v[0].rank()))};
}

Items split_into(OnnxOp& o, const Ints& sizes) {
  const Value x = o.in(0);
  const int64_t axis = o.axis(o.integer("axis", 0), x.rank());
  int64_t at = 0;
  Items parts;
  for (const int64_t n : sizes) {
    if (n < 0 || n > x.dim(axis) - at) throw o.malformed("split {} of {}", to_string(sizes), to_string(x.type()));
    Ints start(x.shape().size(), 0), limit = x.shape();
    start[static_cast<size_t>(axis)] = at;
    limit[static_cast<size_t>(axis)] = at += n;
    parts.emplace_back(o.b.slice(x, start, limit));
  }
  if (at != x.dim(axis)) throw o.malformed("split {} of {}", to_string(sizes), to_string(x.type()));
  return parts;
}

// Sizes: an attribute (before 13) or the second input; else num_outputs (from 18) or the number of outputs, the last
// part smaller where they do not divide.
Items split(OnnxOp& o) {
  if (o.opset() < 13 && o.has_attribute("split")) return split_into(o, o.ints("split"));
  if (o.has(1)) return split_into(o, o.known_ints(1));
  const int64_t n =
      o.opset() >= 18 ? o.integer("num_outputs", static_cast<int64_t>(o.outputs())) : static_cast<int64_t>(o.outputs());
  const int64_t extent = o.type(0).shape[static_cast<size_t>(o.axis(o.integer("axis", 0), o.rank(0)))];
  if (n < 1 || n != static_cast<int64_t>(o.outputs()) || (o.opset() < 18 && extent % n != 0))
    throw o.malformed("{} does not split into {}", to_string(o.type(0)), n);
  const int64_t part = (extent + n - 1) / n;
  Ints sizes;
  for (int64_t i = 0; i < n; ++i) sizes.push_back(std::clamp(extent - i * part, int64_t{0}, part));
  return split_into(o, sizes);
}

// Bounds outside are clamped; a negative step walks down, as the slice of the reversed array.
Items slice_by(OnnxOp& o, const Ints& starts, const Ints& ends, const std::optional<Ints>& axes,
               const std::optional<Ints>& steps) {
  Value x = o.in(0);
  const size_t n = starts.size();
  const Ints where = o.axes(axes ? *axes : iota_ints(static_cast<int64_t>(n)), x.rank());
  if (ends.size() != n || where.size() != n || (steps && steps->size() != n))
    throw o.malformed("starts, ends, axes and steps differ in length");
  Ints low(x.shape().size(), 0), high = x.shape(), stride(x.shape().size(), 1), reversed;
  for (size_t i = 0; i < n; ++i) {
    const auto d = static_cast<size_t>(where[i]);
    const int64_t extent = x.shape()[d], step = steps ? (*steps)[i] : 1;
    if (step == 0 || step == INT64_MIN) throw o.malformed("step {}", step);
    const auto bound = [&](int64_t v, int64_t lowest, int64_t highest) {
      return std::clamp(v < 0 ? v + extent : v, lowest, highest);
    };
    stride[d] = std::min(std::abs(step), std::max(extent, int64_t{1}));
    if (step > 0) {
      low[d] = bound(starts[i], 0, extent);
      high[d] = std::max(low[d], bound(ends[i], 0, extent));
    } else {
      reversed.push_back(where[i]);
      low[d] = extent - 1 - bound(starts[i], -1, extent - 1);
      high[d] = std::max(low[d], extent - 1 - bound(ends[i], -1, extent - 1));
    }
  }
  return {o.b.slice(o.b.reverse(x, reversed), low, high, stride)};
}

Items slice_attributes(OnnxOp& o) {
  const std::optional<Ints> axes = o.has_attribute("axes") ? std::optional(o.ints("axes")) : std::nullopt;
  return slice_by(o, o.ints("starts"), o.ints("ends"), axes, std::nullopt);
}
Items slice(OnnxOp& o) {
  const auto optional = [&](size_t i) { return o.has(i) ? std::optional(o.known_ints(i)) : std::nullopt; };
  return slice_by(o, o.known_ints(1), o.known_ints(2), optional(3), optional(4));
}

// The source position of each position of a padded axis. Reflection turns at the first and last element; an axis of
// one element is repeated.
Ints padded_positions(OnnxOp& o, const std::string& mode, int64_t extent, int64_t low, int64_t high) {
  if (extent == 0) throw o.malformed("mode {} has nothing to repeat in {}", in_quotes(mode), to_string(o.type(0)));
  if (low + high > int64_t{1} << 24)
    throw unsupported("padding by more than 2^24 positions in mode {}", in_quotes(mode));
  Ints v;
  for (int64_t i = -low; i < extent + high; ++i) {
    if (mode == "edge") v.push_back(std::clamp(i, int64_t{0}, extent - 1));
    else if (mode == "wrap") v.push_back((i % extent + extent) % extent);
    else {
      const int64_t period = std::max(int64_t{1}, 2 * (extent - 1)), k = (i % period + period) % period;
      v.push_back(std::min(k, period - k) % extent);
    }
  }
  return v;
}

Items pad_by(OnnxOp& o, const Ints& pads, const std::optional<Ints>& axes, std::optional<Value> value) {
  Value x = o.in(0);
  const std::string mode = o.text("mode", "constant");
  const Ints where = o.axes(axes ? *axes : iota_ints(x.rank()), x.rank());
  if (pads.size() != 2 * where.size()) throw o.malformed("{} pads for {} axes", pads.size(), where.size());
  Ints low(x.shape().size(), 0), high = low;
  for (size_t i = 0; i < where.size(); ++i) {
    const auto d = static_cast<size_t>(where[i]);
    low[d] = pads[i], high[d] = pads[i + where.size()];
    if (std::max(std::abs(low[d]), std::abs(high[d])) > int64_t{1} << 47 ||
        x.shape()[d] + std::min(low[d], int64_t{0}) + std::min(high[d], int64_t{0}) < 0)
      throw o.malformed("pads {} of {}", to_string(pads), to_string(x.type()));
  }
  if (mode == "constant") return {o.b.pad(x, value ? *value : o.b.scalar(x.dtype(), 0), low, high)};
  if (mode != "edge" && mode != "reflect" && !(mode == "wrap" && o.opset() >= 19))
    throw o.malformed("mode {}", in_quotes(mode));
  Ints start(x.shape().size()), limit = x.shape();  // negative pads crop first
  for (size_t d = 0; d < low.size(); ++d)
    start[d] = std::max(-low[d], int64_t{0}), limit[d] -= std::max(-high[d], int64_t{0});
  x = o.b.slice(x, start, limit);
  for (size_t d = 0; d < low.size(); ++d)
    if (low[d] > 0 || high[d] > 0)
      x = take(o.b, x, static_cast<int64_t>(d),
               padded_positions(o, mode, x.dim(static_cast<int64_t>(d)), std::max(low[d], int64_t{0}),
                                std::max(high[d], int64_t{0})));
  return {x};
}

Items pad_attributes(OnnxOp& o) {
  const Value value = o.b.scalar(o.type(0).dtype, o.number("value", 0));
  return pad_by(o, o.ints(o.opset() < 2 ? "paddings" : "pads"), std::nullopt, value);
}
Items pad(OnnxOp& o) {
  std::optional<Value> value;
  if (o.has(2)) {
    if (numel(o.type(2).shape) != 1) throw o.malformed("the constant must be one number, not {}", to_string(o.type(2)));
    value = o.b.reshape(o.in(2), {});
  }
  return pad_by(o, o.known_ints(1), o.opset() >= 18 && o.has(3) ? std::optional(o.known_ints(3)) : std::nullopt, value);
}

// Centred: of an odd difference, a crop leaves the smaller half before, and padding adds it before.
Items center_crop_pad(OnnxOp& o) {
  const Value x = o.in(0);
  const Ints axes = o.axes(o.ints("axes", iota_ints(x.rank())), x.rank()), shape = o.known_ints(1);
  if (shape.size() != axes.size()) throw o.malformed("{} extents for {} axes", shape.size(), axes.size());
  Ints low(x.shape().size(), 0), high = low;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto d = static_cast<size_t>(axes[i]);
    if (shape[i] < 0 || shape[i] > int64_t{1} << 47) throw o.malformed("shape {}", to_string(shape));
    const int64_t more = shape[i] - x.shape()[d];
    low[d] = more / 2;  // towards zero on both sides
    high[d] = more - low[d];
  }
  return {o.b.pad(x, o.b.scalar(x.dtype(), 0), low, high)};
}

constexpr std::array rows = {
    OnnxRow{"CenterCropPad", 18, latest, center_crop_pad},
    OnnxRow{"Concat", 1, latest, concat},
    OnnxRow{"Pad", 1, 10, pad_attributes},
    OnnxRow{"Pad", 11, latest, pad},
    OnnxRow{"Slice", 1, 9, slice_attributes},
    OnnxRow{"Slice", 10, latest, slice},
    OnnxRow{"Split", 1, latest, split},
};

}  // namespace

std::span<const OnnxRow> onnx_ops::movement() { return rows; }

}  // namespace viva
