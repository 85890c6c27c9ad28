// Export of the pointwise operations of two operands, of compare and of select.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "graph/dims.h"
#include "onnx/exporter.h"
#include "ops/record.h"

namespace viva {
namespace {

using enum Dtype;

template <OperatorName name> void same(Exporter& e, const Node& n) {
  e.set(e.pointwise(name.text, {e.thin(n.in[0]), e.thin(n.in[1])}));
}

Out number(Exporter& e, const Out& like, double v) { return e.scalar(like.dtype(), v); }

// A divisor that no machine traps at, and where it stands for 0 and for -1.
struct Divisor {
  Out safe, zero, minus;  // minus: id -1 for unsigned
  bool plain = false;     // a known number that is neither
};
Divisor divisor(Exporter& e, Out y) {
  if (const Array& known = e.known(y); known.size() == 1 && known.at(0) != 0 && known.at(0) != -1)
    return {y, {}, {}, true};
  Divisor d{{}, e.equal(y, number(e, y, 0)), {}, false};
  if (is_signed_integer(y.dtype())) d.minus = e.equal(y, number(e, y, -1));
  d.safe = e.where(d.minus.id < 0 ? d.zero : e.either(d.zero, d.minus), number(e, y, 1), y);
  return d;
}

void write_mul_no_nan(Exporter& e, const Node& n) {
  const Out x = e.thin(n.in[0]), y = e.thin(n.in[1]), zero = number(e, x, 0);
  e.set(e.where(e.equal(x, zero), zero, e.pointwise("Mul", {x, y})));
}

void write_div(Exporter& e, const Node& n) {
  const Out x = e.thin(n.in[0]), y = e.thin(n.in[1]);
  if (is_float(x.dtype())) return e.set(e.pointwise("Div", {x, y}));
  const Divisor d = divisor(e, y);
  Out q = e.pointwise("Div", {x, d.safe});
  if (d.plain) return e.set(q);
  if (d.minus.id >= 0) q = e.where(d.minus, e.pointwise("Sub", {number(e, x, 0), x}), q);
  e.set(e.where(d.zero, number(e, x, 0), q));
}

void write_rem(Exporter& e, const Node& n) {
  const Out x = e.thin(n.in[0]), y = e.thin(n.in[1]);
  const DraftAttrs truncated{{"fmod", int64_t{1}}};
  if (is_float(x.dtype())) return e.set(e.pointwise("Mod", {x, y}, {}, truncated));
  const Divisor d = divisor(e, y);
  const Out r = e.pointwise("Mod", {x, d.safe}, {}, truncated);  // modulo 1 it is 0, as modulo -1
  e.set(d.plain ? r : e.where(d.zero, x, r));
}

// Integers by squaring, because runtimes go through floats. An exponent that is data is taken bit by bit; below 0 only
// the bases 1 and -1 have a power.
void write_pow(Exporter& e, const Node& n) {
  const Out x = e.thin(n.in[0]), y = e.thin(n.in[1]);
  if (is_float(x.dtype())) return e.set(e.pointwise("Pow", {x, y}));
  const Array& known = e.known(y);
  const bool single = known.size() == 1 && known.at(0) >= 0 && known.at(0) <= 1e9;
  const Out one = number(e, x, 1), two = number(e, x, 2), zero = number(e, x, 0);
  const auto odd = [&](Out v) {
    return e.negation(e.equal(e.pointwise("Mod", {v, two}, {}, {{"fmod", int64_t{1}}}), zero));
  };
  const int64_t width = size_of(x.dtype()) * 8 - (is_signed_integer(x.dtype()) ? 1 : 0);
  auto bits = single ? static_cast<uint64_t>(known.at(0)) : 0;
  Out r = one, base = x, left = y;
  for (int64_t k = 0; single ? bits != 0 : k < width; ++k, bits >>= 1) {
    const bool more = single ? bits > 1 : k + 1 < width;
    if (!single) r = e.where(odd(left), e.pointwise("Mul", {r, base}), r);
    else if (bits & 1) r = e.pointwise("Mul", {r, base});
    if (more) base = e.pointwise("Mul", {base, base});
    if (more && !single) left = e.pointwise("Div", {left, two});
  }
  if (single || is_unsigned(x.dtype())) return e.set(r);
  const Out minus = number(e, x, -1), alternating = e.where(odd(y), minus, one);
  const Out below = e.where(e.equal(x, one), one, e.where(e.equal(x, minus), alternating, zero));
  e.set(e.where(e.less(y, zero), below, r));
}

template <OperatorName name, OperatorName of_bool> void write_extreme(Exporter& e, const Node& n) {
  const Out x = e.thin(n.in[0]), y = e.thin(n.in[1]);
  e.set(e.pointwise(is_bool(x.dtype()) ? of_bool.text : name.text, {x, y}));
}

// Whether the sign bit is set, that of a zero included.
Out is_negative(Exporter& e, Out x) {
  const Out zero = number(e, x, 0), below = e.less(x, zero);
  const Out reciprocal = e.pointwise("Div", {number(e, x, 1), x});
  return e.either(below, e.both(e.equal(x, zero), e.less(reciprocal, zero)));
}

// The angle in the first octant, then mirrored at the diagonal and at the axes.
void write_atan2(Exporter& e, const Node& n) {
  Out y = e.thin(n.in[0]), x = e.thin(n.in[1]);
  if (size_of(x.dtype()) == 2) y = e.cast(y, float32), x = e.cast(x, float32);
  const auto num = [&](double v) { return number(e, x, v); };
  const Out ax = e.pointwise("Abs", {x}), ay = e.pointwise("Abs", {y});
  const Out low = e.pointwise("Min", {ax, ay}), high = e.pointwise("Max", {ax, ay});
  const Out origin = e.equal(high, num(0)), far = e.equal(low, num(INFINITY));
  const Out ratio = e.where(far, num(1), e.pointwise("Div", {low, e.where(origin, num(1), high)}));
  Out angle = e.pointwise("Atan", {ratio});
  angle = e.where(e.less(ax, ay), e.pointwise("Sub", {num(std::numbers::pi / 2), angle}), angle);
  angle = e.where(is_negative(e, x), e.pointwise("Sub", {num(std::numbers::pi), angle}), angle);
  angle = e.where(is_negative(e, y), e.pointwise("Neg", {angle}), angle);
  e.set(e.cast(angle, n.types[0].dtype));
}

template <OperatorName name, OperatorName of_integers> void write_logic(Exporter& e, const Node& n) {
  const Out x = e.thin(n.in[0]), y = e.thin(n.in[1]);
  e.set(e.pointwise(is_bool(x.dtype()) ? name.text : of_integers.text, {x, y}));
}

Dtype unsigned_of(Dtype d) {
  switch (size_of(d)) {
    case 1:
      return uint8;
    case 2:
      return uint16;
    case 4:
      return uint32;
    default:
      return uint64;
  }
}

// On unsigned bits. The sign of a number shifted right fills in: its complement is shifted, and complemented again.
template <bool left> void write_shift(Exporter& e, const Node& n) {
  const Out x = e.thin(n.in[0]), by = e.thin(n.in[1]);
  const Dtype d = x.dtype(), u = unsigned_of(d);
  const double width = static_cast<double>(size_of(d) * 8);
  Out fits = e.less(by, number(e, by, width));
  if (is_signed_integer(d)) fits = e.both(fits, e.pointwise("GreaterOrEqual", {by, number(e, by, 0)}, boolean));
  const Out count = e.cast(e.where(fits, by, number(e, by, 0)), u);
  const bool sign = is_signed_integer(d) && !left;
  const Out negative = sign ? e.less(x, number(e, x, 0)) : Out{};
  const Out bits = sign ? e.where(negative, e.pointwise("BitwiseNot", {x}), x) : x;
  const DraftAttrs direction{{"direction", std::string(left ? "LEFT" : "RIGHT")}};
  Out y = e.cast(e.pointwise("BitShift", {e.cast(bits, u), count}, {}, direction), d);
  if (sign) y = e.where(negative, e.pointwise("BitwiseNot", {y}), y);
  e.set(e.where(fits, y, number(e, x, 0)));
}

void write_compare(Exporter& e, const Node& n) {
  Out x = e.thin(n.in[0]), y = e.thin(n.in[1]);
  const Direction d = direction_from(n.attrs.text("direction"));
  const bool equality = d == Direction::eq || d == Direction::ne;
  if (is_bool(x.dtype()) && !equality) x = e.cast(x, int32), y = e.cast(y, int32);
  constexpr std::string_view names[] = {"Equal", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"};
  const Out r = e.pointwise(names[static_cast<int>(d)], {x, y}, boolean);
  e.set(d == Direction::ne ? e.negation(r) : r);
}

void write_select(Exporter& e, const Node& n) { e.set(e.where(e.thin(n.in[0]), e.thin(n.in[1]), e.thin(n.in[2]))); }

constexpr std::string_view zeros = "of −0 and +0 runtimes may give either";
constexpr std::array rows = {
    ExportRow{"add", same<"Add">, "Add"},
    ExportRow{"sub", same<"Sub">, "Sub"},
    ExportRow{"mul", same<"Mul">, "Mul"},
    ExportRow{"mul_no_nan", write_mul_no_nan, "Where, Equal, Mul"},
    ExportRow{"div", write_div, "Div; of integers with Where, for divisors 0 and −1"},
    ExportRow{"rem", write_rem, "Mod with fmod; of integers with Where, for the divisor 0"},
    ExportRow{"pow", write_pow, "Pow; of integers Mul by the bits of the exponent"},
    ExportRow{"max", write_extreme<"Max", "Or">, "Max; Or of bool", zeros},
    ExportRow{"min", write_extreme<"Min", "And">, "Min; And of bool", zeros},
    ExportRow{"atan2", write_atan2, "Atan of the lesser over the greater, mirrored by Where",
              "onnxruntime 1.32 has no float64 kernel of Atan"},
    ExportRow{"and", write_logic<"And", "BitwiseAnd">, "And; BitwiseAnd of integers"},
    ExportRow{"or", write_logic<"Or", "BitwiseOr">, "Or; BitwiseOr of integers"},
    ExportRow{"xor", write_logic<"Xor", "BitwiseXor">, "Xor; BitwiseXor of integers"},
    ExportRow{"shift_left", write_shift<true>, "BitShift of unsigned bits, with Where"},
    ExportRow{"shift_right", write_shift<false>, "BitShift of unsigned bits, with Where; BitwiseNot for the sign"},
    ExportRow{"compare", write_compare, "Equal, Less, LessOrEqual, Greater, GreaterOrEqual; Not(Equal) for ne"},
    ExportRow{"select", write_select, "Where; And, Or of bool"},
};

}  // namespace

std::span<const ExportRow> onnx_export::binary() { return rows; }

}  // namespace viva
