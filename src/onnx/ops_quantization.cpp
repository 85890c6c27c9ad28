// Quantised arithmetic on 8-, 16- and 32-bit integers; narrower types are refused where they are read.
#include <array>
#include <cmath>

#include "onnx/windows.h"

namespace viva {
namespace {

// A scale or zero point spread over x: one number, a vector along axis, or blocks of repeated entries along it.
Value spread_parameter(OnnxOp& o, Value p, const Shape& shape, int64_t given_axis, int64_t block) {
  Build& b = o.b;
  if (numel(p.shape()) == 1) return b.broadcast(b.reshape(p, {}), shape, {});
  const auto rank = static_cast<int64_t>(shape.size());
  const int64_t axis = o.axis(given_axis, rank), extent = shape[static_cast<size_t>(axis)];
  if (p.rank() == 1 && block == 0) {
    if (p.dim(0) != extent) throw o.malformed("{} scales for an extent of {}", p.dim(0), extent);
    return along(b, p, shape, axis);
  }
  const int64_t parts = p.rank() == rank ? p.dim(axis) : 0;
  if (block < 1 || parts < 1 || (parts - 1) * block >= extent || parts * block < extent)
    throw o.malformed("scales {} for {} in blocks of {}", to_string(p.type()), to_string(shape), block);
  Ints source;
  for (int64_t i = 0; i < extent; ++i) source.push_back(i / block);
  const Value r = take(b, p, axis, source);
  if (r.shape() != shape) throw o.malformed("scales {} for {}", to_string(p.type()), to_string(shape));
  return r;
}

int64_t axis_attribute(OnnxOp& o) { return o.opset() < 13 ? 1 : o.integer("axis", 1); }
int64_t block_attribute(OnnxOp& o) {
  const int64_t block = o.opset() < 21 ? 0 : o.integer("block_size", 0);
  if (block < 0) throw o.malformed("block_size {}", block);
  return block;
}

// round(x / scale) + zero point, clamped to the type; ties to even. All but the result in the type of x.
Value quantize(Build& b, Value x, Value scale, Value zero, Dtype to) {
  if (!is_integer(to) || size_of(to) > 2) throw unsupported("quantisation to {}", name(to));
  const double low = is_unsigned(to) ? 0 : -std::ldexp(1.0, static_cast<int>(8 * size_of(to)) - 1);
  const double high = low + std::ldexp(1.0, static_cast<int>(8 * size_of(to))) - 1;
  Value y = b.round(b.div(x, scale));
  if (zero) y = b.add(y, b.convert(zero, x.dtype()));
  return b.convert(b.min(b.max(y, b.full_like(y, low)), b.full_like(y, high)), to);
}

Items quantize_linear(OnnxOp& o) {
  Build& b = o.b;
  const Shape shape = o.type(0).shape;
  const int64_t axis = axis_attribute(o), block = block_attribute(o);
  const int64_t declared = o.opset() < 21 ? 0 : o.integer("output_dtype", 0),
                precise = o.opset() < 23 ? 0 : o.integer("precision", 0);
  const Dtype to = o.has(2) ? o.type(2).dtype : declared ? o.dtype(declared) : Dtype::uint8;
  Dtype work = precise ? o.dtype(precise) : o.opset() < 19 ? o.in_precision(Dtype::float32) : o.type(1).dtype;
  if (!is_float(work)) throw o.malformed("scales of {}", name(work));
  if (size_of(work) < 4) work = Dtype::float32;  // 16-bit floats cannot hold every 16-bit integer
  const Value scale = spread_parameter(o, b.convert(o.in(1), work), shape, axis, block);
  const Value zero = o.has(2) ? spread_parameter(o, o.in(2), shape, axis, block) : Value{};
  return {quantize(b, b.convert(o.in(0), work), scale, zero, to)};
}

Items dequantize_linear(OnnxOp& o) {
  Build& b = o.b;
  const Shape shape = o.type(0).shape;
  const int64_t axis = axis_attribute(o), block = block_attribute(o),
                declared = o.opset() < 23 ? 0 : o.integer("output_dtype", 0);
  const Dtype to = declared ? o.dtype(declared) : o.type(1).dtype;
  // The difference of 8- and 16-bit integers is exact in 32 bits.
  Value x = b.convert(o.in(0), Dtype::int32);
  if (o.has(2)) x = b.sub(x, spread_parameter(o, b.convert(o.in(2), Dtype::int32), shape, axis, block));
  const Value scale = spread_parameter(o, b.convert(o.in(1), to), shape, axis, block);
  return {b.mul(b.convert(x, to), scale)};
}

// To uint8 over the range of x widened to hold 0. Outputs: the result, its scale, its zero point.
Items dynamic_quantize_linear(OnnxOp& o) {
  Build& b = o.b;
  const Value x = o.in(0);
  const Ints all = iota_ints(x.rank());
  const Value zero = b.scalar(x.dtype(), 0), top = b.scalar(x.dtype(), 255);
  const Value high = b.max(b.reduce_max(x, all), zero), low = b.min(b.reduce_min(x, all), zero);
  const Value range = b.div(b.sub(high, low), top);
  const Value scale = b.select(b.compare(Direction::eq, range, zero), b.one(range), range);
  const Value point = b.convert(b.round(b.min(b.max(b.div(b.sub(zero, low), scale), zero), top)), Dtype::uint8);
  const auto wide = [&](Value v) { return b.broadcast(v, x.shape(), {}); };
  return {quantize(b, x, wide(scale), wide(point), Dtype::uint8), scale, point};
}

// The integer operand less its zero point, in int32; a vector lies along axis.
Value centred(OnnxOp& o, size_t operand, size_t zero_point, int64_t axis) {
  const Value x = o.b.convert(o.in(operand), Dtype::int32);
  return o.b.sub(x, spread_parameter(o, o.b.convert(o.in(zero_point), Dtype::int32), x.shape(), axis, 0));
}

// The int32 accumulator in units of the result: times a_scale · b_scale / y_scale, rounded, clamped.
Items requantize(OnnxOp& o, Value sum, int64_t a_axis, int64_t b_axis) {
  Build& b = o.b;
  const Dtype real = o.type(1).dtype;
  const Shape& shape = sum.shape();
  const auto scale = [&](size_t i, int64_t axis) { return spread_parameter(o, o.in(i), shape, axis, 0); };
  const Value product = b.mul(b.mul(scale(1, a_axis), scale(4, b_axis)), b.convert(sum, real));
  return {quantize(b, product, scale(6, b_axis), spread_parameter(o, o.in(7), shape, b_axis, 0), o.type(7).dtype)};
}

Items qlinear_matmul(OnnxOp& o) {
  const Value a = centred(o, 0, 2, -2), c = centred(o, 3, 5, -1);
  return requantize(o, matmul_of(o, a, c), -2, -1);
}

Items qlinear_conv(OnnxOp& o) {
  spatial_extents(o, 0);
  Value sum = convolve(o, centred(o, 0, 2, 1), centred(o, 3, 5, 0));
  if (o.has(8)) sum = o.b.add(sum, along(o.b, o.in(8), sum.shape(), 1));
  return requantize(o, sum, 1, 1);
}

constexpr std::array rows = {
    OnnxRow{"DequantizeLinear", 10, latest, dequantize_linear},
    OnnxRow{"DynamicQuantizeLinear", 11, latest, dynamic_quantize_linear},
    OnnxRow{"QLinearConv", 10, latest, qlinear_conv, true},
    OnnxRow{"QLinearMatMul", 10, latest, qlinear_matmul, true},
    OnnxRow{"QuantizeLinear", 10, latest, quantize_linear},
};

}  // namespace

std::span<const OnnxRow> onnx_ops::quantization() { return rows; }

}  // namespace viva
