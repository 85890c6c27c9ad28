// Arithmetic, comparison and logic of two or more operands with broadcasting.
#include <array>
#include <cmath>

#include "onnx/op.h"

namespace viva {
namespace {

using Primitive = Value (Build::*)(Value, Value, Build::Loc);

// Before opset 7 the second operand is aligned at an axis, or at the end, and only where broadcast is set.
Values legacy_operands(OnnxOp& o) {
  const Shape& shape = o.type(0).shape;
  Value y = o.in(1);
  if (!o.flag("broadcast") || y.shape() == shape) return {o.in(0), y};
  const int64_t rank = o.rank(0), at = o.has_attribute("axis") ? o.axis(o.integer("axis"), rank) : rank - y.rank();
  if (at < 0 || at + y.rank() > rank)
    throw o.malformed("{} does not broadcast to {}", to_string(y.type()), to_string(shape));
  return {o.in(0), o.b.broadcast(y, shape, iota_ints(y.rank(), at))};
}

Values operands(OnnxOp& o) { return o.opset() < 7 ? legacy_operands(o) : broadcast_together(o, {o.in(0), o.in(1)}); }

template <Primitive primitive> Items binary_of(OnnxOp& o) {
  const Values v = operands(o);
  return {(o.b.*primitive)(v[0], v[1], Build::Loc::current())};
}

template <Direction direction> Items comparison(OnnxOp& o) {
  const Values v = operands(o);
  return {o.b.compare(direction, v[0], v[1])};
}

template <Primitive primitive> Items variadic(OnnxOp& o) {
  Values v;
  for (size_t i = 0; i < o.inputs(); ++i) v.push_back(o.in(i));
  if (v.empty()) throw o.malformed("no input");
  v = broadcast_together(o, std::move(v));
  Value r = v[0];
  for (size_t i = 1; i < v.size(); ++i) r = (o.b.*primitive)(r, v[i], Build::Loc::current());
  return {r};
}

Items mean_of_inputs(OnnxOp& o) {
  const Value sum = variadic<&Build::add>(o)[0].value;
  return {o.b.div(sum, o.b.full_like(sum, static_cast<double>(o.inputs())))};
}

// The result has the base's type; an integer base with a real exponent is computed in the exponent's.
Items power(OnnxOp& o) {
  Build& b = o.b;
  const Dtype result = o.type(0).dtype;
  // A square is exact in the same way, and has a simpler derivative.
  if (o.is_known(1) && o.item(1).known->size() == 1 && o.rank(1) <= o.rank(0) && o.known_number(1) == 2)
    return {b.square(o.in(0))};
  Values v = operands(o);
  if (is_integer(result) && is_float(v[1].dtype())) v[0] = b.convert(v[0], v[1].dtype());
  else v[1] = b.convert(v[1], result);
  return {b.convert(b.pow(v[0], v[1]), result)};
}

// fmod = 1: the sign of the dividend, as the primitive. fmod = 0: the sign of the divisor.
Items modulo(OnnxOp& o) {
  Build& b = o.b;
  const Values v = operands(o);
  const Value r = b.rem(v[0], v[1]), zero = b.zero(r);
  if (o.flag("fmod") || is_unsigned(r.dtype())) return {r};
  const Value negative = b.compare(Direction::lt, v[1], zero);
  const Value differs = b.logical_xor(b.compare(Direction::lt, r, zero), negative);
  const Value rest = b.compare(Direction::ne, r, zero);
  const Value moved = b.select(b.logical_and(rest, differs), b.add(r, v[1]), r);
  if (is_integer(r.dtype())) return {moved};
  return {b.select(rest, moved, b.select(negative, b.full_like(r, -0.0), zero))};  // a zero has the divisor's sign
}

// Amounts outside [0, width) leave what the sign alone says: all ones for a negative number shifted right, else 0.
Items shift(OnnxOp& o) {
  Build& b = o.b;
  const Values v = operands(o);
  const std::string direction = o.text("direction");
  if (direction == "LEFT") return {b.shift_left(v[0], v[1])};
  if (direction != "RIGHT") throw o.malformed("direction {}", in_quotes(direction));
  if (!is_signed_integer(v[0].dtype())) return {b.shift_right(v[0], v[1])};
  const Value last = b.full_like(v[1], static_cast<double>(8 * size_of(v[1].dtype()) - 1));
  const Value inside =
      b.logical_and(b.compare(Direction::ge, v[1], b.zero(v[1])), b.compare(Direction::le, v[1], last));
  return {b.shift_right(v[0], b.select(inside, v[1], last))};
}

Items where(OnnxOp& o) {
  const Values v = broadcast_together(o, {o.in(0), o.in(1), o.in(2)});
  return {o.b.select(v[0], v[1], v[2])};
}

constexpr std::array rows = {
    OnnxRow{"Add", 1, latest, binary_of<&Build::add>},
    OnnxRow{"And", 1, latest, binary_of<&Build::logical_and>},
    OnnxRow{"BitShift", 11, latest, shift},
    OnnxRow{"BitwiseAnd", 18, latest, binary_of<&Build::logical_and>},
    OnnxRow{"BitwiseOr", 18, latest, binary_of<&Build::logical_or>},
    OnnxRow{"BitwiseXor", 18, latest, binary_of<&Build::logical_xor>},
    OnnxRow{"Div", 1, latest, binary_of<&Build::div>},
    OnnxRow{"Equal", 1, latest, comparison<Direction::eq>},
    OnnxRow{"Greater", 1, latest, comparison<Direction::gt>},
    OnnxRow{"GreaterOrEqual", 12, latest, comparison<Direction::ge>},
    OnnxRow{"Less", 1, latest, comparison<Direction::lt>},
    OnnxRow{"LessOrEqual", 12, latest, comparison<Direction::le>},
    OnnxRow{"Max", 1, latest, variadic<&Build::max>},
    OnnxRow{"Mean", 1, latest, mean_of_inputs},
    OnnxRow{"Min", 1, latest, variadic<&Build::min>},
    OnnxRow{"Mod", 10, latest, modulo},
    OnnxRow{"Mul", 1, latest, binary_of<&Build::mul>},
    OnnxRow{"Or", 1, latest, binary_of<&Build::logical_or>},
    OnnxRow{"Pow", 1, latest, power},
    OnnxRow{"Sub", 1, latest, binary_of<&Build::sub>},
    OnnxRow{"Sum", 1, latest, variadic<&Build::add>},
    OnnxRow{"Where", 9, latest, where},
    OnnxRow{"Xor", 1, latest, binary_of<&Build::logical_xor>},
};

}  // namespace

std::span<const OnnxRow> onnx_ops::binary() { return rows; }

}  // namespace viva
