// Gathers and scatters. Negative indices count from the end; indices outside are clipped when read, dropped when
// written.
#include <algorithm>
#include <array>

#include "onnx/op.h"

namespace viva {
namespace {

Value from_the_end(Build& b, Value index, Value extent) {
  return b.select(b.compare(Direction::lt, index, b.zero(index)), b.add(index, extent), index);
}
Value wrapped(Build& b, Value index, int64_t extent) {
  return from_the_end(b, index, b.full_like(index, static_cast<double>(extent)));
}
// Index vectors of one component.
Value as_vectors(Build& b, Value index) { return b.unsqueeze(index, {index.rank()}); }

// Indices known at import, from the front; throws where one lies outside.
Ints known_positions(OnnxOp& o, size_t i, int64_t extent) {
  const Array a = o.known(i).converted(Dtype::int64);
  const auto v = a.as<int64_t>();
  Ints r(v.begin(), v.end());
  for (int64_t& k : r) {
    if (k < -extent || k >= extent) throw o.malformed("index {} is outside an extent of {}", k, extent);
    k += k < 0 ? extent : 0;
  }
  return r;
}

Items gather(OnnxOp& o) {
  Build& b = o.b;
  const Value x = o.in(0);
  if (x.rank() == 0) throw o.malformed("gathers from a scalar");
  const int64_t axis = o.axis(o.integer("axis", 0), x.rank());
  const Shape& chosen = o.type(1).shape;
  Shape result(x.shape().begin(), x.shape().begin() + axis);
  result.insert(result.end(), chosen.begin(), chosen.end());
  result.insert(result.end(), x.shape().begin() + axis + 1, x.shape().end());
  if (o.item(1).foldable()) return {b.reshape(take(b, x, axis, known_positions(o, 1, x.dim(axis))), result)};
  const auto rank = static_cast<int64_t>(chosen.size());
  GatherDims d;
  for (int64_t i = 0; i < static_cast<int64_t>(result.size()); ++i)
    if (i < axis || i >= axis + rank) d.offset_dims.push_back(i);
  d.collapsed = d.start_map = {axis};
  d.slice_sizes = x.shape();
  d.slice_sizes[static_cast<size_t>(axis)] = 1;
  d.mode = OutOfBounds::clip;
  return {b.gather(x, as_vectors(b, wrapped(b, o.in(1), x.dim(axis))), b.scalar(x.dtype(), 0), d)};
}

// Every dimension but axis is matched between operand and indices.
GatherDims elementwise(int64_t rank, int64_t axis, OutOfBounds mode) {
  GatherDims d;
  d.operand_batch = d.indices_batch = without(iota_ints(rank), std::array{axis});
  d.collapsed = d.start_map = {axis};
  d.slice_sizes.assign(static_cast<size_t>(rank), 1);
  d.mode = mode;
  return d;
}

// result[i, j, k] = x[i, index[i, j, k], k] for axis 1; the other extents of index may be smaller than x's.
Items gather_elements(OnnxOp& o) {
  Build& b = o.b;
  Value x = o.in(0);
  const int64_t axis = o.axis(o.integer("axis", 0), x.rank());
  Shape limit = o.type(1).shape;
  if (o.rank(1) != x.rank()) throw o.malformed("{} and {} differ in rank", to_string(x.type()), to_string(o.type(1)));
  limit[static_cast<size_t>(axis)] = x.dim(axis);
  for (size_t i = 0; i < limit.size(); ++i)
    if (limit[i] > x.shape()[i]) throw o.malformed("{} has indices {}", to_string(x.type()), to_string(o.type(1)));
  if (limit != x.shape()) x = b.slice(x, Ints(limit.size(), 0), limit);
  const Value index = wrapped(b, o.in(1), x.dim(axis));
  return {b.gather(x, as_vectors(b, index), b.scalar(x.dtype(), 0), elementwise(x.rank(), axis, OutOfBounds::clip))};
}

// Index vectors of k components for dimensions batch … batch + k - 1; the rest of the operand is the slice.
GatherDims by_vectors(OnnxOp& o, int64_t batch, OutOfBounds mode) {
  const Shape& x = o.type(0).shape;
  const int64_t q = o.rank(1), k = q > 0 ? o.type(1).shape.back() : 0, rank = o.rank(0);
  if (q < 1 || batch < 0 || batch >= q || batch + k > rank)
    throw o.malformed("{} has index vectors {}", to_string(o.type(0)), to_string(o.type(1)));
  GatherDims d;
  d.operand_batch = d.indices_batch = iota_ints(batch);
  d.start_map = d.collapsed = iota_ints(k, batch);
  d.slice_sizes = x;
  for (int64_t i = 0; i < batch + k; ++i) d.slice_sizes[static_cast<size_t>(i)] = 1;
  d.offset_dims = iota_ints(rank - batch - k, q - 1);
  d.mode = mode;
  return d;
}

Value wrapped_vectors(OnnxOp& o, const GatherDims& d) {
  Build& b = o.b;
  const Value index = b.convert(o.in(1), Dtype::int64);
  Ints extents;
  for (const int64_t i : d.start_map) extents.push_back(o.type(0).shape[static_cast<size_t>(i)]);
  const Value last = b.constant(Array::of(extents, {static_cast<int64_t>(extents.size())}));
  return from_the_end(b, index, b.broadcast(last, index.shape(), {index.rank() - 1}));
}

Items gather_nd(OnnxOp& o) {
  const GatherDims d = by_vectors(o, o.opset() < 12 ? 0 : o.integer("batch_dims", 0), OutOfBounds::clip);
  return {o.b.gather(o.in(0), wrapped_vectors(o, d), o.b.scalar(o.type(0).dtype, 0), d)};
}

Combine combination(OnnxOp& o) {
  const std::string word = o.opset() < 16 ? "none" : o.text("reduction", "none");
  if (word == "none") return Combine::set;
  if (word == "add") return Combine::add;
  if (word == "mul") return Combine::mul;
  if (word == "max" && o.opset() >= 18) return Combine::max;
  if (word == "min" && o.opset() >= 18) return Combine::min;
  throw o.malformed("reduction {}", in_quotes(word));
}

// The full position of every element of index: its own coordinates, with the index along axis.
Value positions(Build& b, Value index, int64_t axis) {
  Values parts;
  for (int64_t i = 0; i < index.rank(); ++i)
    parts.push_back(as_vectors(b, i == axis ? index : b.iota(index.type(), i)));
  return b.concatenate(parts, index.rank());
}

Items scatter_elements(OnnxOp& o) {
  Build& b = o.b;
  const Value x = o.in(0);
  const int64_t rank = x.rank(), axis = o.axis(o.integer("axis", 0), rank);
  if (o.rank(1) != rank || o.type(1).shape != o.type(2).shape)
    throw o.malformed("{} takes indices {} and updates {}", to_string(x.type()), to_string(o.type(1)),
                      to_string(o.type(2)));
  const Value index = wrapped(b, b.convert(o.in(1), Dtype::int64), x.dim(axis));
  Shape same = index.shape();
  same[static_cast<size_t>(axis)] = x.dim(axis);
  if (same == x.shape())
    return {b.scatter(x, as_vectors(b, index), o.in(2), combination(o), elementwise(rank, axis, OutOfBounds::fill))};
  GatherDims d;
  d.collapsed = d.start_map = iota_ints(rank);
  d.slice_sizes.assign(static_cast<size_t>(rank), 1);
  return {b.scatter(x, positions(b, index, axis), o.in(2), combination(o), d)};
}

Items scatter_nd(OnnxOp& o) {
  const GatherDims d = by_vectors(o, 0, OutOfBounds::fill);
  return {o.b.scatter(o.in(0), wrapped_vectors(o, d), o.in(2), combination(o), d)};
}

// Row i of the cache takes its update at position write_indices[i] + k along the axis; "circular" starts again at 0.
Items tensor_scatter(OnnxOp& o) {
  Build& b = o.b;
  const Value cache = o.in(0), update = o.in(1);
  const int64_t rank = cache.rank(), axis = o.axis(o.integer("axis", -2), rank);
  if (axis == 0 || update.rank() != rank)
    throw o.malformed("axis {} of {} and {}", axis, to_string(cache.type()), to_string(update.type()));
  const std::string mode = o.text("mode", "linear");
  if (mode != "linear" && mode != "circular") throw o.malformed("mode {}", in_quotes(mode));
  Value index = b.iota({Dtype::int64, update.shape()}, axis);
  if (o.has(2)) index = b.add(index, b.broadcast(b.convert(o.in(2), Dtype::int64), update.shape(), {0}));
  if (mode == "circular") index = b.rem(index, b.full_like(index, static_cast<double>(cache.dim(axis))));
  return {b.scatter(cache, as_vectors(b, index), update, Combine::set, elementwise(rank, axis, OutOfBounds::fill))};
}

// The first sequence_lens[i] elements of row i in reverse order, the rest as they are.
Items reverse_sequence(OnnxOp& o) {
  Build& b = o.b;
  const Value x = o.in(0);
  const int64_t batch = o.axis(o.integer("batch_axis", 1), x.rank()),
                time = o.axis(o.integer("time_axis", 0), x.rank());
  if (batch == time) throw o.malformed("batch_axis and time_axis are both {}", batch);
  const Value at = b.iota({Dtype::int64, x.shape()}, time);
  const Value length = b.broadcast(b.convert(o.in(1), Dtype::int64), x.shape(), {batch});
  const Value turned = b.sub(b.sub(length, b.one(at)), at);
  const Value from = b.select(b.compare(Direction::lt, at, length), turned, at);
  return {b.gather(x, as_vectors(b, from), b.scalar(x.dtype(), 0), elementwise(x.rank(), time, OutOfBounds::clip))};
}

constexpr std::array rows = {
    OnnxRow{"Gather", 1, latest, gather},         OnnxRow{"GatherElements", 11, latest, gather_elements},
    OnnxRow{"GatherND", 11, latest, gather_nd},   OnnxRow{"ReverseSequence", 10, latest, reverse_sequence},
    OnnxRow{"Scatter", 9, 10, scatter_elements},  OnnxRow{"ScatterElements", 11, latest, scatter_elements},
    OnnxRow{"ScatterND", 11, latest, scatter_nd}, OnnxRow{"TensorScatter", 24, latest, tensor_scatter},
};

}  // namespace

std::span<const OnnxRow> onnx_ops::indexing() { return rows; }

}  // namespace viva
