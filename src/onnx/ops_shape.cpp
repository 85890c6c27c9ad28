// Operators that change the shape and keep the elements in order, and those that tell of shapes.
#include <algorithm>
#include <array>

#include "onnx/op.h"

namespace viva {
namespace {

// 0 copies an extent (unless allowzero), one -1 takes what is left.
Shape wanted_shape(OnnxOp& o, const Ints& spec) {
  const Shape& from = o.type(0).shape;
  const bool zero_is_zero = o.opset() >= 14 && o.flag("allowzero");
  Shape shape = spec;
  int64_t product = 1, open = -1;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0 && !zero_is_zero) {
      if (i >= from.size())
        throw o.malformed("shape {} copies extent {} of {}", to_string(spec), i, to_string(o.type(0)));
      shape[i] = from[i];
    }
    if (shape[i] < -1 || (shape[i] == -1 && open >= 0)) throw o.malformed("shape {}", to_string(spec));
    if (shape[i] == -1) open = static_cast<int64_t>(i);
    else if (shape[i] > 0 && product > (int64_t{1} << 47) / shape[i]) throw o.malformed("shape {}", to_string(spec));
    else product *= shape[i];
  }
  const int64_t count = numel(from);
  if (open >= 0) shape[static_cast<size_t>(open)] = product > 0 && count % product == 0 ? count / product : 0;
  if (numel(shape) != count) throw o.malformed("{} cannot have the shape {}", to_string(o.type(0)), to_string(spec));
  return shape;
}

Items reshape_attribute(OnnxOp& o) { return {o.b.reshape(o.in(0), wanted_shape(o, o.ints("shape")))}; }
Items reshape(OnnxOp& o) { return {o.b.reshape(o.in(0), wanted_shape(o, o.known_ints(1)))}; }

Items flatten(OnnxOp& o) {
  const Shape& s = o.type(0).shape;
  const int64_t rank = o.rank(0), given = o.integer("axis", 1), axis = given == rank ? rank : o.axis(given, rank);
  int64_t rows = 1, columns = 1;
  for (int64_t i = 0; i < rank; ++i) (i < axis ? rows : columns) *= s[static_cast<size_t>(i)];
  return {o.b.reshape(o.in(0), {rows, columns})};
}

// The axes: an attribute before opset 13, then an input.
std::optional<Ints> axes_of(OnnxOp& o) {
  if (o.opset() < 13) return o.has_attribute("axes") ? std::optional(o.ints("axes")) : std::nullopt;
  return o.has(1) ? std::optional(o.known_ints(1)) : std::nullopt;
}

Items squeeze(OnnxOp& o) {
  const Shape& s = o.type(0).shape;
  Ints dims;
  if (const auto given = axes_of(o)) dims = o.axes(*given, o.rank(0));
  else
    for (int64_t i = 0; i < o.rank(0); ++i)
      if (s[static_cast<size_t>(i)] == 1) dims.push_back(i);
  for (const int64_t d : dims)
    if (s[static_cast<size_t>(d)] != 1) throw o.malformed("dimension {} of {} is not 1", d, to_string(o.type(0)));
  return {o.b.squeeze(o.in(0), dims)};
}

Items unsqueeze(OnnxOp& o) {
  const auto given = axes_of(o);
  if (!given) throw o.malformed("no axes");
  return {o.b.unsqueeze(o.in(0), o.axes(*given, o.rank(0) + static_cast<int64_t>(given->size())))};
}

Items transpose(OnnxOp& o) {
  Ints order = iota_ints(o.rank(0));
  std::ranges::reverse(order);
  order = o.axes(o.ints("perm", order), o.rank(0));
  if (static_cast<int64_t>(order.size()) != o.rank(0))
    throw o.malformed("perm has {} entries for {}", order.size(), to_string(o.type(0)));
  return {o.b.transpose(o.in(0), order)};
}

Array vector_of(const Ints& v) { return Array::of(v, {static_cast<int64_t>(v.size())}); }

Items shape_of(OnnxOp& o) {
  const Shape& s = o.type(0).shape;
  const int64_t rank = o.rank(0);
  const auto clamped = [&](const char* name, int64_t otherwise) {
    const int64_t v = o.opset() < 15 ? otherwise : o.integer(name, otherwise);
    return std::clamp(v < 0 ? v + rank : v, int64_t{0}, rank);
  };
  const int64_t start = clamped("start", 0), end = std::max(start, clamped("end", rank));
  return {vector_of({s.begin() + start, s.begin() + end})};
}

Items size_of_input(OnnxOp& o) { return {Array::scalar(numel(o.type(0).shape))}; }

// Both shapes broadcast: an extent of 1 in the wanted shape keeps the operand's.
Items expand(OnnxOp& o) {
  const Shape wanted = o.known_ints(1);
  if (std::ranges::any_of(wanted, [](int64_t d) { return d < 0; })) throw o.malformed("shape {}", to_string(wanted));
  return {o.b.broadcast_to(o.in(0), broadcast_shape(o, o.type(0).shape, wanted))};
}

// Each dimension repeated: a new dimension before it, stretched and merged.
Value tiled(OnnxOp& o, const Ints& repeats) {
  const Value x = o.in(0);
  if (static_cast<int64_t>(repeats.size()) != x.rank())
    throw o.malformed("{} repeats for {}", repeats.size(), to_string(x.type()));
  Shape wide, merged;
  Ints dims;
  for (int64_t i = 0; i < x.rank(); ++i) {
    const int64_t r = repeats[static_cast<size_t>(i)];
    if (r < 0 || r > int64_t{1} << 47) throw o.malformed("repeats {}", to_string(repeats));
    wide.insert(wide.end(), {r, x.dim(i)});
    dims.push_back(2 * i + 1);
    merged.push_back(numel({r, x.dim(i)}));
  }
  return o.b.reshape(o.b.broadcast(x, wide, dims), merged);
}
Items tile(OnnxOp& o) { return {tiled(o, o.known_ints(1))}; }
Items tile_one_axis(OnnxOp& o) {
  Ints repeats(static_cast<size_t>(o.rank(0)), 1);
  repeats[static_cast<size_t>(o.axis(static_cast<int64_t>(o.known_number(2)), o.rank(0)))] =
      static_cast<int64_t>(o.known_number(1));
  return {tiled(o, repeats)};
}

int64_t block_size(OnnxOp& o, int64_t divisor_of) {
  const int64_t s = o.integer("blocksize");
  if (o.rank(0) != 4) throw o.malformed("takes four dimensions, not {}", to_string(o.type(0)));
  if (s < 1 || s > 1 << 20 || divisor_of % s != 0)
    throw o.malformed("blocksize {} does not fit {}", s, to_string(o.type(0)));
  return s;
}
bool depth_first(OnnxOp& o, int64_t mode_since) {
  const std::string mode = o.opset() < mode_since ? "DCR" : o.text("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") throw o.malformed("mode {}", in_quotes(mode));
  return mode == "DCR";
}

Items depth_to_space(OnnxOp& o) {
  const Shape& x = o.type(0).shape;
  const int64_t s = block_size(o, o.rank(0) == 4 ? x[1] : 0), c = x[1] / (s * s);
  if (x[1] % (s * s) != 0) throw o.malformed("blocksize {} does not fit {}", s, to_string(o.type(0)));
  const bool dcr = depth_first(o, 11);
  const Value split = o.b.reshape(o.in(0), dcr ? Shape{x[0], s, s, c, x[2], x[3]} : Shape{x[0], c, s, s, x[2], x[3]});
  const Value moved = o.b.transpose(split, dcr ? Ints{0, 3, 4, 1, 5, 2} : Ints{0, 1, 4, 2, 5, 3});
  return {o.b.reshape(moved, {x[0], c, x[2] * s, x[3] * s})};
}

Items space_to_depth(OnnxOp& o) {
  const Shape& x = o.type(0).shape;
  const int64_t s = block_size(o, o.rank(0) == 4 ? x[2] : 0);
  if (x[3] % s != 0) throw o.malformed("blocksize {} does not fit {}", s, to_string(o.type(0)));
  const Value split = o.b.reshape(o.in(0), {x[0], x[1], x[2] / s, s, x[3] / s, s});
  const Value moved = o.b.transpose(split, depth_first(o, 28) ? Ints{0, 3, 5, 1, 2, 4} : Ints{0, 1, 3, 5, 2, 4});
  return {o.b.reshape(moved, {x[0], x[1] * s * s, x[2] / s, x[3] / s})};
}

constexpr std::array rows = {
    OnnxRow{"DepthToSpace", 1, latest, depth_to_space},
    OnnxRow{"Expand", 8, latest, expand},
    OnnxRow{"Flatten", 1, latest, flatten},
    OnnxRow{"Reshape", 1, 4, reshape_attribute},
    OnnxRow{"Reshape", 5, latest, reshape},
    OnnxRow{"Shape", 1, latest, shape_of},
    OnnxRow{"Size", 1, latest, size_of_input},
    OnnxRow{"SpaceToDepth", 1, latest, space_to_depth},
    OnnxRow{"Squeeze", 1, latest, squeeze},
    OnnxRow{"Tile", 1, 5, tile_one_axis},
    OnnxRow{"Tile", 6, latest, tile},
    OnnxRow{"Transpose", 1, latest, transpose},
    OnnxRow{"Unsqueeze", 1, latest, unsqueeze},
};

}  // namespace

std::span<const OnnxRow> onnx_ops::shape() { return rows; }

}  // namespace viva
