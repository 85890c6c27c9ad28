// Operators of one operand that map element to element, casts among them. Formulas are given where no primitive is one.
#include <array>
#include <cmath>

#include "onnx/op.h"

namespace viva {
namespace {

Items one(Value v) { return {v}; }

template <Value (Build::*primitive)(Value, Build::Loc)> Items plain(OnnxOp& o) {
  return one((o.b.*primitive)(o.in(0), Build::Loc::current()));
}

// sqrt((1 - x)(1 + x)), which keeps its digits near ±1.
Value other_leg(Build& b, Value x) { return b.sqrt(b.mul(b.sub(b.one(x), x), b.add(b.one(x), x))); }

Items asin(OnnxOp& o) { return one(o.b.atan2(o.in(0), other_leg(o.b, o.in(0)))); }
Items acos(OnnxOp& o) { return one(o.b.atan2(other_leg(o.b, o.in(0)), o.in(0))); }
Items atan(OnnxOp& o) { return one(o.b.atan2(o.in(0), o.b.one(o.in(0)))); }
Items tan(OnnxOp& o) { return one(o.b.div(o.b.sin(o.in(0)), o.b.cos(o.in(0)))); }

Items sinh(OnnxOp& o) {
  const Value x = o.in(0);
  return one(o.b.scale(o.b.sub(o.b.expm1(x), o.b.expm1(o.b.neg(x))), 0.5));
}
Items cosh(OnnxOp& o) {
  const Value x = o.in(0);
  return one(o.b.scale(o.b.add(o.b.exp(x), o.b.exp(o.b.neg(x))), 0.5));
}

// ½ (log1p(x) - log1p(-x)).
Value atanh_of(Build& b, Value x) { return b.scale(b.sub(b.log1p(x), b.log1p(b.neg(x))), 0.5); }
Items atanh(OnnxOp& o) { return one(atanh_of(o.b, o.in(0))); }

// From here on sqrt(x² ± 1) is |x| in float64 too, and x² overflows in no float but float16, which is widened.
constexpr double far = 1 << 28;

// log(x) + log 2 for large x, else log1p(t + sqrt(t (x + 1))) with t = x - 1.
Items acosh(OnnxOp& o) {
  Build& b = o.b;
  const Value x = widened(b, o.in(0)), one_ = b.one(x), limit = b.full_like(x, far);
  const Value large = b.compare(Direction::gt, x, limit);
  const Value near = b.select(large, b.full_like(x, 2), x), t = b.sub(near, one_);
  const Value small = b.log1p(b.add(t, b.sqrt(b.mul(t, b.add(near, one_)))));
  const Value away = b.add(b.log(b.select(large, x, limit)), b.full_like(x, std::log(2.0)));
  return one(b.convert(b.select(large, away, small), o.in(0).dtype()));
}

// Odd without a kink at 0: atanh(x / sqrt(1 + x²)) for |x| ≤ 1, else ±log(|x| + sqrt(1 + x²)). Each side is given
// operands at which it is finite, so that no 0·∞ enters a derivative.
Items asinh(OnnxOp& o) {
  Build& b = o.b;
  const Value x = widened(b, o.in(0)), one_ = b.one(x), a = b.abs(x);
  const auto hypotenuse = [&](Value v) { return b.sqrt(b.add(one_, b.square(v))); };
  const Value inner = b.compare(Direction::le, a, one_), huge = b.compare(Direction::gt, a, b.full_like(x, far));
  const Value near = b.select(inner, x, b.zero(x));
  const Value small = atanh_of(b, b.div(near, hypotenuse(near)));
  const Value outer = b.select(b.logical_or(inner, huge), one_, a);
  const Value middle = b.log(b.add(outer, hypotenuse(outer)));
  const Value away = b.add(b.log(b.select(huge, a, one_)), b.full_like(x, std::log(2.0)));
  const Value large = b.mul(b.sign(x), b.select(huge, away, middle));
  const Value finite = b.select(inner, small, large);
  return one(b.convert(b.select(b.compare(Direction::ne, x, x), x, finite), o.in(0).dtype()));
}

Items reciprocal(OnnxOp& o) { return one(o.b.recip(o.in(0))); }

Items is_nan(OnnxOp& o) { return one(o.b.compare(Direction::ne, o.in(0), o.in(0))); }

Items is_inf(OnnxOp& o) {
  Build& b = o.b;
  const Value x = o.in(0);
  const bool negative = o.flag("detect_negative", true), positive = o.flag("detect_positive", true);
  const auto equals = [&](double v) { return b.compare(Direction::eq, x, b.full_like(x, v)); };
  if (negative && positive) return one(b.logical_or(equals(INFINITY), equals(-INFINITY)));
  if (!negative && !positive) return one(b.full({Dtype::boolean, x.shape()}, 0));
  return one(equals(positive ? INFINITY : -INFINITY));
}

// Before opset 6 the type is written as a word of TensorProto.DataType.
Dtype word_dtype(const OnnxOp& o, const std::string& word) {
  static constexpr std::pair<std::string_view, Dtype> words[] = {
      {"FLOAT", Dtype::float32},       {"UINT8", Dtype::uint8},          {"INT8", Dtype::int8},
      {"UINT16", Dtype::uint16},       {"INT16", Dtype::int16},          {"INT32", Dtype::int32},
      {"INT64", Dtype::int64},         {"BOOL", Dtype::boolean},         {"FLOAT16", Dtype::float16},
      {"DOUBLE", Dtype::float64},      {"UINT32", Dtype::uint32},        {"UINT64", Dtype::uint64},
      {"COMPLEX64", Dtype::complex64}, {"COMPLEX128", Dtype::complex128}};
  for (const auto& [text, d] : words)
    if (text == word) return o.in_precision(d);
  throw unsupported("a cast to {}", in_quotes(word));
}

Items cast_to(OnnxOp& o, Dtype d) {
  if (is_complex(o.type(0).dtype) && !is_complex(d)) throw o.malformed("a cast from complex to real");
  return one(o.b.convert(o.in(0), d));
}
Items cast_word(OnnxOp& o) { return cast_to(o, word_dtype(o, o.text("to"))); }
Items cast(OnnxOp& o) { return cast_to(o, o.dtype(o.integer("to"))); }
Items cast_like(OnnxOp& o) { return cast_to(o, o.type(1).dtype); }

Items bit_cast(OnnxOp& o) {
  const Dtype to = o.dtype(o.integer("to"));
  if (size_of(to) != size_of(o.type(0).dtype))
    throw o.malformed("{} has not the size of {}", name(to), name(o.type(0).dtype));
  return one(o.b.bitcast(o.in(0), to));
}

Items identity(OnnxOp& o) { return {o.item(0)}; }

constexpr std::array rows = {
    OnnxRow{"Abs", 1, latest, plain<&Build::abs>},
    OnnxRow{"Acos", 7, latest, acos},
    OnnxRow{"Acosh", 9, latest, acosh},
    OnnxRow{"Asin", 7, latest, asin},
    OnnxRow{"Asinh", 9, latest, asinh},
    OnnxRow{"Atan", 7, latest, atan},
    OnnxRow{"Atanh", 9, latest, atanh},
    OnnxRow{"BitCast", 26, latest, bit_cast},
    OnnxRow{"BitwiseNot", 18, latest, plain<&Build::logical_not>},
    OnnxRow{"Cast", 1, 5, cast_word},
    OnnxRow{"Cast", 6, latest, cast},
    OnnxRow{"CastLike", 15, latest, cast_like},
    OnnxRow{"Ceil", 1, latest, plain<&Build::ceil>},
    OnnxRow{"Cos", 7, latest, plain<&Build::cos>},
    OnnxRow{"Cosh", 9, latest, cosh},
    OnnxRow{"Erf", 9, latest, plain<&Build::erf>},
    OnnxRow{"Exp", 1, latest, plain<&Build::exp>},
    OnnxRow{"Floor", 1, latest, plain<&Build::floor>},
    OnnxRow{"Identity", 1, latest, identity},
    OnnxRow{"IsInf", 10, latest, is_inf},
    OnnxRow{"IsNaN", 9, latest, is_nan},
    OnnxRow{"Log", 1, latest, plain<&Build::log>},
    OnnxRow{"Neg", 1, latest, plain<&Build::neg>},
    OnnxRow{"Not", 1, latest, plain<&Build::logical_not>},
    OnnxRow{"Reciprocal", 1, latest, reciprocal},
    OnnxRow{"Round", 11, latest, plain<&Build::round>},
    OnnxRow{"Sigmoid", 1, latest, plain<&Build::logistic>},
    OnnxRow{"Sign", 9, latest, plain<&Build::sign>},
    OnnxRow{"Sin", 7, latest, plain<&Build::sin>},
    OnnxRow{"Sinh", 9, latest, sinh},
    OnnxRow{"Softplus", 1, latest, plain<&Build::softplus>},
    OnnxRow{"Sqrt", 1, latest, plain<&Build::sqrt>},
    OnnxRow{"Tan", 7, latest, tan},
    OnnxRow{"Tanh", 1, latest, plain<&Build::tanh>},
};

}  // namespace

std::span<const OnnxRow> onnx_ops::unary() { return rows; }

}  // namespace viva
