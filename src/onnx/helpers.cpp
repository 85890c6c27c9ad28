#include <algorithm>

#include "onnx/op.h"

namespace viva {

Shape broadcast_shape(const OnnxOp& o, const Shape& a, const Shape& b) {
  Shape r(std::max(a.size(), b.size()));
  for (size_t i = 0; i < r.size(); ++i) {
    const int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1)
      throw o.malformed("the shapes {} and {} do not broadcast", to_string(a), to_string(b));
    r[r.size() - 1 - i] = x == 1 ? y : x;
  }
  return r;
}

Values broadcast_together(OnnxOp& o, Values v) {
  Shape shape;
  for (const Value& x : v) shape = broadcast_shape(o, shape, x.shape());
  for (Value& x : v) x = o.b.broadcast_to(x, shape);
  return v;
}

Value along(Build& b, Value vector, const Shape& shape, int64_t axis) { return b.broadcast(vector, shape, {axis}); }

Value spread(Build& b, Value reduced, const Shape& shape, const Ints& dims) {
  return b.broadcast(reduced, shape, without(iota_ints(static_cast<int64_t>(shape.size())), dims));
}

Value keep_dims(Build& b, Value reduced, const Shape& original, const Ints& dims) {
  Shape shape = original;
  for (const int64_t d : dims) shape[static_cast<size_t>(d)] = 1;
  return b.reshape(reduced, shape);
}

Value mean(Build& b, Value x, const Ints& dims) {
  double count = 1;
  for (const int64_t d : dims) count *= static_cast<double>(x.dim(d));
  const Value sum = b.reduce_sum(x, dims);
  return b.div(sum, b.full_like(sum, count));
}

Value take(Build& b, Value x, int64_t axis, const Ints& indices) {
  const auto n = static_cast<int64_t>(indices.size());
  const bool run =
      n > 0 && std::ranges::adjacent_find(indices, [](int64_t i, int64_t k) { return k != i + 1; }) == indices.end();
  if (run) {  // neighbours in order: a slice
    Ints start(x.shape().size(), 0), limit = x.shape();
    start[static_cast<size_t>(axis)] = indices.front();
    limit[static_cast<size_t>(axis)] = indices.back() + 1;
    return limit == x.shape() && n == x.dim(axis) ? x : b.slice(x, start, limit);
  }
  GatherDims d;
  d.offset_dims = without(iota_ints(x.rank()), std::array{axis});
  d.collapsed = {axis};
  d.start_map = {axis};
  d.slice_sizes = x.shape();
  d.slice_sizes[static_cast<size_t>(axis)] = 1;
  d.mode = OutOfBounds::clip;
  return b.gather(x, b.constant(Array::of(indices, {n, 1})), b.scalar(x.dtype(), 0), d);
}

Value widened(Build& b, Value x) {
  return is_float(x.dtype()) && size_of(x.dtype()) == 2 ? b.convert(x, Dtype::float32) : x;
}

Value softmax(Build& b, Value x, int64_t axis) {
  const Value wide = widened(b, x);
  const Value e = b.exp(b.sub(wide, spread(b, b.reduce_max(wide, {axis}), x.shape(), {axis})));
  return b.convert(b.div(e, spread(b, b.reduce_sum(e, {axis}), x.shape(), {axis})), x.dtype());
}

Value log_softmax(Build& b, Value x, int64_t axis) {
  const Value wide = widened(b, x);
  const Value shifted = b.sub(wide, spread(b, b.reduce_max(wide, {axis}), x.shape(), {axis}));
  const Value total = b.log(b.reduce_sum(b.exp(shifted), {axis}));
  return b.convert(b.sub(shifted, spread(b, total, x.shape(), {axis})), x.dtype());
}

Value call_softmax(OnnxOp& o, Value x, int64_t axis, bool log) {
  return o.named(log ? "log_softmax" : "softmax", std::to_string(axis), {x}, [&](Build& b, Ins in) {
    return Values{log ? log_softmax(b, in[0], axis) : softmax(b, in[0], axis)};
  })[0];
}

}  // namespace viva
