// Reductions over axes, the positions of extremes, running sums.
#include <array>
#include <cmath>

#include "onnx/op.h"

namespace viva {
namespace {

// Axes are an attribute up to the opset before `input_since`, then the second input. None means all, or none at all
// where noop_with_empty_axes is set.
Ints reduced_axes(OnnxOp& o, int64_t input_since) {
  const int64_t rank = o.rank(0);
  Ints axes;
  if (o.opset() < input_since) axes = o.ints("axes", Ints{});
  else if (o.has(1)) axes = o.known_ints(1);
  if (axes.empty()) return o.opset() >= input_since && o.flag("noop_with_empty_axes") ? Ints{} : iota_ints(rank);
  return o.axes(axes, rank);
}

// f(build, x, dims) drops the dimensions; a 16-bit float is computed in float32.
template <class F> Items reduce(OnnxOp& o, int64_t input_since, F&& f) {
  const Value x = o.in(0);
  const Ints dims = reduced_axes(o, input_since);
  Value r = o.b.convert(f(o.b, widened(o.b, x), dims), x.dtype());
  if (o.flag("keepdims", true)) r = keep_dims(o.b, r, x.shape(), dims);
  return {r};
}

Value sum(Build& b, Value x, const Ints& dims) { return dims.empty() ? x : b.reduce_sum(x, dims); }

// Square roots and logarithms of integers go through float64.
template <class F> Value as_real(Build& b, Value x, F&& f) {
  return f(is_integer(x.dtype()) ? b.convert(x, Dtype::float64) : x);
}

Items reduce_sum(OnnxOp& o) { return reduce(o, 13, sum); }
Items reduce_mean(OnnxOp& o) {
  return reduce(o, 18, [](Build& b, Value x, const Ints& d) { return d.empty() ? x : mean(b, x, d); });
}
Items reduce_l1(OnnxOp& o) {
  return reduce(o, 18, [](Build& b, Value x, const Ints& d) { return sum(b, b.abs(x), d); });
}
Items reduce_sum_square(OnnxOp& o) {
  return reduce(o, 18, [](Build& b, Value x, const Ints& d) { return sum(b, b.square(x), d); });
}
Items reduce_prod(OnnxOp& o) {
  return reduce(o, 18, [](Build& b, Value x, const Ints& d) { return d.empty() ? x : b.reduce_prod(x, d); });
}
Items reduce_l2(OnnxOp& o) {
  return reduce(o, 18, [](Build& b, Value x, const Ints& d) {
    return as_real(b, x, [&](Value v) { return b.sqrt(sum(b, b.square(v), d)); });
  });
}
Items reduce_log_sum(OnnxOp& o) {
  return reduce(o, 18, [](Build& b, Value x, const Ints& d) {
    return as_real(b, x, [&](Value v) { return b.log(sum(b, v, d)); });
  });
}

// m + log Σ exp(x - m) with m the maximum where that is finite.
Items reduce_log_sum_exp(OnnxOp& o) {
  return reduce(o, 18, [](Build& b, Value x, const Ints& d) {
    return as_real(b, x, [&](Value v) {
      if (d.empty()) return v;
      const Value top = b.reduce_max(v, d), m = b.select(b.is_finite(top), top, b.zero(top));
      return b.add(m, b.log(b.reduce_sum(b.exp(b.sub(v, spread(b, m, v.shape(), d))), d)));
    });
  });
}

Items reduce_max(OnnxOp& o) {
  return reduce(o, 18, [](Build& b, Value x, const Ints& d) {
    return d.empty() ? x : is_bool(x.dtype()) ? b.reduce_or(x, d) : b.reduce_max(x, d);
  });
}
Items reduce_min(OnnxOp& o) {
  return reduce(o, 18, [](Build& b, Value x, const Ints& d) {
    return d.empty() ? x : is_bool(x.dtype()) ? b.reduce_and(x, d) : b.reduce_min(x, d);
  });
}

// The least element is the greatest of the order turned round.
Value turned(Build& b, Value x) { return is_integer(x.dtype()) ? b.logical_not(x) : b.neg(x); }

Items position(OnnxOp& o, bool greatest) {
  Build& b = o.b;
  const Value x = o.in(0), y = greatest ? x : turned(b, x);
  const int64_t axis = o.axis(o.integer("axis", 0), x.rank());
  const bool last = o.opset() >= 12 && o.flag("select_last_index");
  Value r = b.argmax(last ? b.reverse(y, {axis}) : y, axis);
  if (last) r = b.sub(b.full_like(r, static_cast<double>(x.dim(axis) - 1)), r);
  return {o.flag("keepdims", true) ? keep_dims(b, r, x.shape(), {axis}) : r};
}
Items arg_max(OnnxOp& o) { return position(o, true); }
Items arg_min(OnnxOp& o) { return position(o, false); }

// The first k in order, with their places; of equal elements the first.
Items top_k(OnnxOp& o) {
  Build& b = o.b;
  const Value x = o.in(0);
  const int64_t axis = o.axis(o.integer("axis", -1), x.rank());
  const double k = o.opset() < 10 ? static_cast<double>(o.integer("k", -1)) : o.known_number(1);
  const int64_t extent = x.dim(axis);
  if (!(k >= 0 && k <= static_cast<double>(extent))) throw o.malformed("takes the first {} of {} elements", k, extent);
  const Value key = o.opset() < 11 || o.flag("largest", true) ? turned(b, x) : x;
  const Values sorted = b.sort({key, x, b.iota({Dtype::int64, x.shape()}, axis)}, axis);
  Shape limit = x.shape();
  limit[static_cast<size_t>(axis)] = static_cast<int64_t>(k);
  const Ints start(limit.size(), 0), step(limit.size(), 1);
  return {b.slice(sorted[1], start, limit, step), b.slice(sorted[2], start, limit, step)};
}

// Exclusive sums: the array moved on by one position, a zero before it.
Items cum_sum(OnnxOp& o) {
  Build& b = o.b;
  Value x = o.in(0);
  const int64_t axis = o.axis(static_cast<int64_t>(o.known_number(1)), x.rank());
  const bool reverse = o.flag("reverse");
  if (o.flag("exclusive") && x.dim(axis) > 0) {
    Ints low(x.shape().size(), 0), high = low;
    (reverse ? high : low)[static_cast<size_t>(axis)] = 1;
    (reverse ? low : high)[static_cast<size_t>(axis)] = -1;
    x = b.pad(x, b.scalar(x.dtype(), 0), low, high);
  }
  return {b.cumsum(x, axis, reverse)};
}

constexpr std::array rows = {
    OnnxRow{"ArgMax", 1, latest, arg_max},
    OnnxRow{"ArgMin", 1, latest, arg_min},
    OnnxRow{"CumSum", 11, latest, cum_sum},
    OnnxRow{"ReduceL1", 1, latest, reduce_l1},
    OnnxRow{"ReduceL2", 1, latest, reduce_l2},
    OnnxRow{"ReduceLogSum", 1, latest, reduce_log_sum},
    OnnxRow{"ReduceLogSumExp", 1, latest, reduce_log_sum_exp},
    OnnxRow{"ReduceMax", 1, latest, reduce_max},
    OnnxRow{"ReduceMean", 1, latest, reduce_mean},
    OnnxRow{"ReduceMin", 1, latest, reduce_min},
    OnnxRow{"ReduceProd", 1, latest, reduce_prod},
    OnnxRow{"ReduceSum", 1, latest, reduce_sum},
    OnnxRow{"ReduceSumSquare", 1, latest, reduce_sum_square},
    OnnxRow{"TopK", 1, latest, top_k},
};

}  // namespace

std::span<const OnnxRow> onnx_ops::reduction() { return rows; }

}  // namespace viva
