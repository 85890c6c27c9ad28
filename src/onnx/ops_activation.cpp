// Activation functions. NaN goes through all of them but Relu and ThresholdedRelu, which are selects on x > bound.
#include <array>
#include <cmath>
#include <numbers>

#include "onnx/op.h"

namespace viva {
namespace {

Value positive(Build& b, Value x) { return b.compare(Direction::gt, x, b.zero(x)); }
// expm1(f·min(x, 0)): finite on the side that a select drops, so that no 0·∞ enters a derivative.
Value left_expm1(Build& b, Value x, double f = 1) {
  return b.expm1(b.scale(b.select(positive(b, x), b.zero(x), x), f));
}

Items relu(OnnxOp& o) { return {o.b.relu(o.in(0))}; }

Items leaky_relu(OnnxOp& o) {
  const Value x = o.in(0);
  return {o.b.select(o.b.compare(Direction::ge, x, o.b.zero(x)), x, o.b.scale(x, o.number("alpha", 0.01f)))};
}

// Before opset 7 a slope with more than one element belongs to dimension 1.
Items prelu(OnnxOp& o) {
  const Value x = o.in(0);
  Value slope = o.in(1);
  if (o.opset() < 7 && slope.rank() == 1 && slope.dim(0) > 1 && x.rank() > 1) slope = along(o.b, slope, x.shape(), 1);
  slope = o.b.broadcast_to(slope, x.shape());
  return {o.b.select(o.b.compare(Direction::ge, x, o.b.zero(x)), x, o.b.mul(slope, x))};
}

Items elu(OnnxOp& o) {
  const Value x = o.in(0);
  return {o.b.select(positive(o.b, x), x, o.b.scale(left_expm1(o.b, x), o.number("alpha", 1)))};
}

Items celu(OnnxOp& o) {
  const Value x = o.in(0);
  const double alpha = o.number("alpha", 1);
  return {o.b.select(positive(o.b, x), x, o.b.scale(left_expm1(o.b, x, 1 / alpha), alpha))};
}

// The defaults changed from rounded to exact constants at opset 6.
Items selu(OnnxOp& o) {
  const Value x = o.in(0);
  const double alpha = o.number("alpha", o.opset() < 6 ? 1.6732f : 1.67326319217681884765625f);
  const double gamma = o.number("gamma", o.opset() < 6 ? 1.0507f : 1.05070102214813232421875f);
  return {o.b.select(positive(o.b, x), o.b.scale(x, gamma), o.b.scale(left_expm1(o.b, x), gamma * alpha))};
}

Value hard_sigmoid_of(Build& b, Value x, double alpha, double beta) {
  const Value line = b.add(b.scale(x, alpha), b.full_like(x, beta));
  return b.max(b.zero(x), b.min(b.one(x), line));
}
Items hard_sigmoid(OnnxOp& o) {
  return {hard_sigmoid_of(o.b, o.in(0), o.number("alpha", 0.2f), o.number("beta", 0.5f))};
}
Items hard_swish(OnnxOp& o) { return {o.b.mul(o.in(0), hard_sigmoid_of(o.b, o.in(0), 1.0 / 6, 0.5))}; }

Items mish(OnnxOp& o) { return {o.b.mul(o.in(0), o.b.tanh(o.b.softplus(o.in(0))))}; }

Items softsign(OnnxOp& o) {
  const Value x = o.in(0);
  return {o.b.div(x, o.b.add(o.b.one(x), o.b.abs(x)))};
}

Value swish_of(OnnxOp& o, Value x) { return o.b.mul(x, o.b.logistic(o.b.scale(x, o.number("alpha", 1)))); }
Items swish(OnnxOp& o) { return {swish_of(o, o.in(0))}; }
Items swiglu(OnnxOp& o) { return {o.b.mul(swish_of(o, o.in(0)), o.in(1))}; }

Items thresholded_relu(OnnxOp& o) {
  const Value x = o.in(0);
  return {o.b.select(o.b.compare(Direction::gt, x, o.b.full_like(x, o.number("alpha", 1))), x, o.b.zero(x))};
}

// x + bias below -lambd, x - bias above lambd, else 0; integers are computed as float64.
Items shrink(OnnxOp& o) {
  Build& b = o.b;
  const Dtype result = o.type(0).dtype;
  const Value x = is_integer(result) ? b.convert(o.in(0), Dtype::float64) : o.in(0);
  const double lambda = o.number("lambd", 0.5), bias = o.number("bias", 0);
  const Value above =
      b.select(b.compare(Direction::gt, x, b.full_like(x, lambda)), b.sub(x, b.full_like(x, bias)), b.zero(x));
  const Value below = b.compare(Direction::lt, x, b.full_like(x, -lambda));
  return {b.convert(b.select(below, b.add(x, b.full_like(x, bias)), above), result)};
}

// ½x (1 + erf(x/√2)), or with tanh(√(2/π) (x + 0.044715 x³)) in place of erf (Hendrycks and Gimpel, arXiv 1606.08415).
Items gelu(OnnxOp& o) {
  const std::string form = o.text("approximate", "none");
  if (form != "none" && form != "tanh") throw o.malformed("approximate is {}", in_quotes(form));
  const bool exact = form == "none";
  return {o.named(exact ? "gelu" : "gelu_tanh", "", {o.in(0)}, [&](Build& b, Ins in) {
    const Value x = in[0];
    const Value cube = b.scale(b.mul(b.square(x), x), 0.044715);
    const Value inner = exact ? b.erf(b.scale(x, 1 / std::numbers::sqrt2))
                              : b.tanh(b.scale(b.add(x, cube), std::sqrt(2 / std::numbers::pi)));
    return Values{b.mul(b.scale(x, 0.5), b.add(b.one(x), inner))};
  })[0]};
}

// min(max(x, low), high), so that high wins where low is above it.
Items clip_to(OnnxOp& o, std::optional<Value> low, std::optional<Value> high) {
  Value x = o.in(0);
  if (low) x = o.b.max(x, o.b.broadcast_to(*low, x.shape()));
  if (high) x = o.b.min(x, o.b.broadcast_to(*high, x.shape()));
  return {x};
}
Items clip_attributes(OnnxOp& o) {
  const auto bound = [&](const char* name) -> std::optional<Value> {
    if (!o.has_attribute(name)) return std::nullopt;
    return o.b.scalar(o.type(0).dtype, o.number(name));
  };
  return clip_to(o, bound("min"), bound("max"));
}
Items clip(OnnxOp& o) {
  const auto bound = [&](size_t i) -> std::optional<Value> {
    if (!o.has(i)) return std::nullopt;
    const Value v = o.in(i);
    if (numel(v.shape()) != 1) throw o.malformed("a bound must be one number, not {}", to_string(v.type()));
    return o.b.reshape(v, {});
  };
  return clip_to(o, bound(1), bound(2));
}

// Before opset 13 all dimensions from axis on count as one, and axis is 1 where it is not given.
template <class F> Items over_axis(OnnxOp& o, F&& f) {
  const Value x = o.in(0);
  const int64_t rank = x.rank();
  if (o.opset() >= 13) return {f(x, o.axis(o.integer("axis", -1), rank))};
  const int64_t given = o.integer("axis", 1), axis = given == rank ? rank : o.axis(given, rank);
  if (axis == rank - 1) return {f(x, axis)};
  int64_t rows = 1;
  for (int64_t i = 0; i < axis; ++i) rows *= x.dim(i);
  const int64_t columns = rows == 0 ? 1 : numel(x.shape()) / rows;
  return {o.b.reshape(f(o.b.reshape(x, {rows, columns}), 1), x.shape())};
}

Items softmax_row(OnnxOp& o) {
  return over_axis(o, [&](Value x, int64_t axis) { return call_softmax(o, x, axis, false); });
}
Items log_softmax_row(OnnxOp& o) {
  return over_axis(o, [&](Value x, int64_t axis) { return call_softmax(o, x, axis, true); });
}
Items hardmax(OnnxOp& o) {
  return over_axis(o, [&](Value x, int64_t axis) {
    const Value best = spread(o.b, o.b.argmax(x, axis), x.shape(), {axis});
    const Value position = o.b.iota({Dtype::int64, x.shape()}, axis);
    return o.b.convert(o.b.compare(Direction::eq, position, best), x.dtype());
  });
}

constexpr std::array rows = {
    OnnxRow{"Celu", 12, latest, celu},
    OnnxRow{"Clip", 1, 10, clip_attributes},
    OnnxRow{"Clip", 11, latest, clip},
    OnnxRow{"Elu", 1, latest, elu},
    OnnxRow{"Gelu", 20, latest, gelu},
    OnnxRow{"HardSigmoid", 1, latest, hard_sigmoid},
    OnnxRow{"HardSwish", 14, latest, hard_swish},
    OnnxRow{"Hardmax", 1, latest, hardmax},
    OnnxRow{"LeakyRelu", 1, latest, leaky_relu},
    OnnxRow{"LogSoftmax", 1, latest, log_softmax_row},
    OnnxRow{"Mish", 18, latest, mish},
    OnnxRow{"PRelu", 1, latest, prelu},
    OnnxRow{"Relu", 1, latest, relu},
    OnnxRow{"Selu", 1, latest, selu},
    OnnxRow{"Shrink", 9, latest, shrink},
    OnnxRow{"Softmax", 1, latest, softmax_row},
    OnnxRow{"Softsign", 1, latest, softsign},
    OnnxRow{"SwiGLU", 28, latest, swiglu},
    OnnxRow{"Swish", 24, latest, swish},
    OnnxRow{"ThresholdedRelu", 10, latest, thresholded_relu},
};

}  // namespace

std::span<const OnnxRow> onnx_ops::activation() { return rows; }

}  // namespace viva
