// Pointwise operations of two operands.
#include <array>
#include <cmath>
#include <limits>

#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/complex_math.h"
#include "ops/pointwise.h"
#include "ops/series.h"

namespace viva {
namespace {

struct Binary {
  static constexpr int arity = 2;
  static constexpr double lo = -2, hi = 2;
};

// Integer arithmetic wraps; done unsigned, and in 64 bits so that no promotion to int can overflow.
template <class T> uint64_t wide(T x) { return static_cast<uint64_t>(x); }

Value add_or(Build& b, Value x, Value y) { return !x ? y : !y ? x : b.add(x, y); }
bool is_splat(Value v, double c) {
  const auto s = splat_value(v);
  return s && *s == c && (c != 0 || !std::signbit(*s));
}

struct Add : Binary {
  using Domain = Numeric;
  static constexpr bool vectors = true;
  static constexpr std::string_view name = "add", doc = "x + y; integers wrap";
  static constexpr bool commutative = true;
  template <class T> static T value(T x, T y) {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(wide(x) + wide(y));
    else return x + y;
  }
  static Values jvp(Build& b, const Node&, Ins, Ins, Ins t, Transforms&) { return {add_or(b, t[0], t[1])}; }
  static void transpose(Build&, const Node&, Ins in, Ins ct, std::span<Value> r, Transforms&) {
    for (size_t i = 0; i < 2; ++i)
      if (!in[i]) r[i] = ct[0];
  }
  // A float sum with +0 is not the identity: -0 + 0 = 0.
  static Values simplify(Build&, const Node&, Ins in) {
    if (!is_integer(in[0].dtype())) return {};
    if (is_splat(in[1], 0)) return {in[0]};
    return is_splat(in[0], 0) ? Values{in[1]} : Values{};
  }
  static constexpr std::array<std::array<bool, 2>, 3> linear = {{{true, true}, {true, false}, {false, true}}};
  static constexpr Bound::Fn bound = bounds::arithmetic<bounds::added, bounds::added_parts>;
};

struct Sub : Binary {
  using Domain = Numeric;
  static constexpr bool vectors = true;
  static constexpr std::string_view name = "sub", doc = "x - y; integers wrap";
  template <class T> static T value(T x, T y) {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(wide(x) - wide(y));
    else return x - y;
  }
  static Values jvp(Build& b, const Node&, Ins, Ins, Ins t, Transforms&) {
    return {!t[1] ? t[0] : !t[0] ? b.neg(t[1]) : b.sub(t[0], t[1])};
  }
  static void transpose(Build& b, const Node&, Ins in, Ins ct, std::span<Value> r, Transforms&) {
    if (!in[0]) r[0] = ct[0];
    if (!in[1]) r[1] = b.neg(ct[0]);
  }
  static Values simplify(Build&, const Node&, Ins in) { return is_splat(in[1], 0) ? Values{in[0]} : Values{}; }
  static constexpr std::array<std::array<bool, 2>, 3> linear = {{{true, true}, {true, false}, {false, true}}};
  static constexpr Bound::Fn bound = bounds::arithmetic<bounds::subtracted, bounds::subtracted_parts>;
};

struct Mul : Binary {
  using Domain = Numeric;
  static constexpr bool vectors = true, scales = true;
  static constexpr std::string_view name = "mul", doc = "x · y; integers wrap";
  static constexpr bool commutative = true;
  template <class T> static T value(T x, T y) {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(wide(x) * wide(y));
    else return product(x, y);
  }
  static Value slope0(Build&, Value, Value y, Value) { return y; }
  static Value slope1(Build&, Value x, Value, Value) { return x; }
  static constexpr Jet::Fn jet = product_jet;
  static void transpose(Build& b, const Node&, Ins in, Ins ct, std::span<Value> r, Transforms&) {
    if (!in[0]) r[0] = b.mul(ct[0], in[1]);
    else r[1] = b.mul(ct[0], in[0]);
  }
  static Values simplify(Build&, const Node&, Ins in) {
    if (is_splat(in[1], 1)) return {in[0]};
    return is_splat(in[0], 1) ? Values{in[1]} : Values{};
  }
  static constexpr std::array<std::array<bool, 2>, 2> linear = {{{true, false}, {false, true}}};
  static constexpr Bound::Fn bound = bounds::arithmetic<bounds::multiplied, bounds::multiplied_parts>;
};

struct MulNoNan : Binary {
  using Domain = Numeric;
  static constexpr bool vectors = true;
  static constexpr std::string_view name = "mul_no_nan", doc = "x · y, and x where x is 0, whatever y is";
  template <class T> static T value(T x, T y) { return x == T{} ? x : Mul::value(x, y); }
  // Linear in each operand; where x is 0, y has no part in derivatives either.
  static Values jvp(Build& b, const Node&, Ins in, Ins, Ins t, Transforms&) {
    const Value first = t[0] ? b.mul_no_nan(t[0], in[1]) : Value{};
    const Value second = t[1] ? b.mul_no_nan(in[0], t[1]) : Value{};
    return {add_or(b, first, second)};
  }
  static constexpr Jet::Fn jet = product_jet;
  static void transpose(Build& b, const Node&, Ins in, Ins ct, std::span<Value> r, Transforms&) {
    if (!in[0]) r[0] = b.mul_no_nan(ct[0], in[1]);
    else r[1] = b.mul_no_nan(in[0], ct[0]);
  }
  static Values simplify(Build& b, const Node&, Ins in) {
    const auto s = splat_value(in[1]);
    return s && *s > 0 && std::isfinite(*s) ? Values{b.mul(in[0], in[1])} : Values{};
  }
  static constexpr std::array<std::array<bool, 2>, 2> linear = {{{true, false}, {false, true}}};
  static constexpr Bound::Fn bound = bounds::mul_no_nan;
};

struct Div : Binary {
  using Domain = Numeric;
  static constexpr bool steep = true;
  static constexpr bool vectors = true;
  static constexpr std::string_view name = "div", doc = "x / y; integers truncate, x/0 = 0, lowest/-1 = lowest";
  static constexpr double lo = 0.3;
  template <class T> static T value(T x, T y) {
    if constexpr (std::is_integral_v<T>) {
      if (y == 0) return 0;
      if constexpr (std::is_signed_v<T>)
        if (y == -1) return static_cast<T>(0 - wide(x));
      return static_cast<T>(x / y);
    } else return x / y;
  }
  static Value slope0(Build& b, Value, Value y, Value) { return b.recip(y); }
  static Value slope1(Build& b, Value, Value y, Value z) { return b.neg(b.div(z, y)); }  // -x/y² = -z/y
  static constexpr Jet::Fn jet = quotient_jet;
  static void transpose(Build& b, const Node&, Ins in, Ins ct, std::span<Value> r, Transforms&) {
    r[0] = b.div(ct[0], in[1]);
  }
  static Values simplify(Build&, const Node&, Ins in) { return is_splat(in[1], 1) ? Values{in[0]} : Values{}; }
  static constexpr std::array<std::array<bool, 2>, 1> linear = {{{true, false}}};
  static constexpr Bound::Fn bound = bounds::div;
};

struct Rem : Binary {
  using Domain = Numbers;
  static constexpr std::string_view name = "rem", doc = "x - y·trunc(x/y), the sign of x; integers: x % 0 = x";
  static constexpr double lo = 0.3, hi = 3.3;
  template <class T> static T value(T x, T y) {
    if constexpr (std::is_integral_v<T>) {
      if (y == 0) return x;
      if constexpr (std::is_signed_v<T>)
        if (y == -1) return 0;
      return static_cast<T>(x % y);
    } else return std::fmod(x, y);
  }
  static Values jvp(Build& b, const Node&, Ins in, Ins out, Ins t, Transforms&) {
    if (!t[1]) return {t[0]};
    // The quotient that was subtracted, exactly: (x - r) / y is an integer up to rounding.
    const Value quotient = b.round(b.div(b.sub(in[0], out[0]), in[1]));
    const Value second = b.neg(b.mul(t[1], quotient));
    return {add_or(b, t[0], second)};
  }
  static constexpr Bound::Fn bound = bounds::rem;
};

struct Pow : Binary {
  using Domain = Numeric;
  static constexpr bool steep = true;
  static constexpr std::string_view
      name = "pow",
      doc = "x to the power y, pow(x, 0) = 1; an integer to a negative power is 0 but for bases 1 and -1";
  static constexpr double lo = 0.3;
  template <class T> static constexpr TileFn vector = loops::VectorMath<T>::pow;
  template <class T> static T value(T x, T y) {
    if constexpr (std::is_integral_v<T>) {
      if constexpr (std::is_signed_v<T>)
        if (y < 0) return x == 1 ? T(1) : x == -1 ? static_cast<T>(y % 2 ? -1 : 1) : T(0);
      uint64_t r = 1, base = wide(x);
      for (uint64_t e = wide(y); e; e >>= 1, base *= base)
        if (e & 1) r *= base;
      return static_cast<T>(r);
    } else if constexpr (is_std_complex<T>) return complex_pow(x, y);
    else return std::pow(x, y);
  }
  // y·x^(y-1), and 0 for y = 0 also where x = 0.
  static Value slope0(Build& b, Value x, Value y, Value) {
    const Value zero = b.compare(Direction::eq, y, b.zero(y));
    return b.mul(y, b.pow(x, b.select(zero, b.one(y), b.sub(y, b.one(y)))));
  }
  // x^y·log x, and 0 at x = 0 where y (its real part) is not negative.
  static Value slope1(Build& b, Value x, Value y, Value z) {
    const Value up = is_complex(y.dtype()) ? b.real(y) : y;
    const Value origin =
        b.logical_and(b.compare(Direction::eq, x, b.zero(x)), b.compare(Direction::ge, up, b.zero(up)));
    return b.mul(z, b.log(b.select(origin, b.one(x), x)));
  }
  static constexpr Jet::Fn jet = power_jet;
  static constexpr Bound::Fn bound = bounds::pow;
};

// The share of the first operand where `first` wins: 1, at a tie 1/2, else 0.
Value share(Build& b, Direction wins, Value x, Value y) {
  const Value half = b.select(b.compare(Direction::eq, x, y), b.full_like(x, 0.5), b.zero(x));
  return b.select(b.compare(wins, x, y), b.one(x), half);
}

struct Max : Binary {
  using Domain = Ordered;
  static constexpr std::string_view name = "max", doc = "the greater; NaN propagates; a tie shares the tangent equally";
  static constexpr bool commutative = true;
  template <class T> static T value(T x, T y) {
    if constexpr (std::is_floating_point_v<T>) {
      if (std::isnan(x) || std::isnan(y)) return x + y;
      if (x == y) return std::signbit(x) ? y : x;  // max(-0, 0) = 0 in either order
    }
    return x > y ? x : y;
  }
  static Value slope0(Build& b, Value x, Value y, Value) { return share(b, Direction::gt, x, y); }
  static Value slope1(Build& b, Value x, Value y, Value) { return share(b, Direction::gt, y, x); }
  static constexpr Bound::Fn bound = bounds::extreme;
};

struct Min : Binary {
  using Domain = Ordered;
  static constexpr std::string_view name = "min", doc = "the lesser; NaN propagates; a tie shares the tangent equally";
  static constexpr bool commutative = true;
  template <class T> static T value(T x, T y) {
    if constexpr (std::is_floating_point_v<T>) {
      if (std::isnan(x) || std::isnan(y)) return x + y;
      if (x == y) return std::signbit(x) ? x : y;
    }
    return x < y ? x : y;
  }
  static Value slope0(Build& b, Value x, Value y, Value) { return share(b, Direction::lt, x, y); }
  static Value slope1(Build& b, Value x, Value y, Value) { return share(b, Direction::lt, y, x); }
  static constexpr Bound::Fn bound = bounds::extreme;
};

struct Atan2 : Binary {
  using Domain = Floats;
  static constexpr bool steep = true;  // so that asin and acos, which are made of it, have derivatives under a mask
  static constexpr std::string_view name = "atan2", doc = "the angle of the point (y, x): atan(y/x) in its quadrant";
  template <class T> static T value(T y, T x) { return std::atan2(y, x); }
  // v / (x² + y²), scaled by the greater of |x| and |y| so that no square overflows or underflows.
  static Value over_square(Build& b, Value v, Value x, Value y) {
    const Value m = b.max(b.abs(x), b.abs(y));
    const Value norm = b.add(b.square(b.div(x, m)), b.square(b.div(y, m)));
    return b.div(b.div(b.div(v, m), norm), m);
  }
  static Value slope0(Build& b, Value y, Value x, Value) { return over_square(b, x, x, y); }
  static Value slope1(Build& b, Value y, Value x, Value) { return b.neg(over_square(b, y, x, y)); }
  static constexpr Bound::Fn bound = bounds::atan2;
};

struct And : Binary {
  using Domain = Bits;
  static constexpr std::string_view name = "and", doc = "logical and of bool, bitwise of integers";
  static constexpr bool commutative = true;
  template <class T> static T value(T x, T y) { return static_cast<T>(x & y); }
  static constexpr Absent jvp = integer_result;
  static constexpr Bound::Fn bound = bounds::bits_and;
};

struct Or : Binary {
  using Domain = Bits;
  static constexpr std::string_view name = "or", doc = "logical or of bool, bitwise of integers";
  static constexpr bool commutative = true;
  template <class T> static T value(T x, T y) { return static_cast<T>(x | y); }
  static constexpr Absent jvp = integer_result;
  static constexpr Bound::Fn bound = bounds::bits_or;
};

struct Xor : Binary {
  using Domain = Bits;
  static constexpr std::string_view name = "xor", doc = "exclusive or of bool, bitwise of integers";
  static constexpr bool commutative = true;
  template <class T> static T value(T x, T y) { return static_cast<T>(x ^ y); }
  static constexpr Absent jvp = integer_result;
  static constexpr Bound::Fn bound = bounds::bits_xor;
};

// By the width of T or more, or by a negative count: everything is shifted out.
template <class T> bool shifts_out(T by) {
  if constexpr (std::is_signed_v<T>)
    if (by < 0) return true;
  return wide(by) >= sizeof(T) * 8;
}

struct ShiftLeft : Binary {
  using Domain = Integers;
  static constexpr std::string_view name = "shift_left", doc = "x · 2^by; 0 where by is negative or at least the width";
  template <class T> static T value(T x, T by) { return shifts_out(by) ? T(0) : static_cast<T>(wide(x) << by); }
  static constexpr Absent jvp = integer_result;
  static constexpr Bound::Fn bound = bounds::shift_left;
};

struct ShiftRight : Binary {
  using Domain = Integers;
  static constexpr std::string_view
      name = "shift_right",
      doc = "bits shifted down, the sign filling in signed dtypes; 0 where by is negative or at least the width";
  template <class T> static T value(T x, T by) { return shifts_out(by) ? T(0) : static_cast<T>(x >> by); }
  static constexpr Absent jvp = integer_result;
  static constexpr Bound::Fn bound = bounds::shift_right;
};

using pointwise::record;
// clang-format off: one a line
constexpr std::array records = {
    &record<Add>,
    &record<Sub>,
    &record<Mul>,
    &record<MulNoNan>,
    &record<Div>,
    &record<Rem>,
    &record<Pow>,
    &record<Max>,
    &record<Min>,
    &record<Atan2>,
    &record<And>,
    &record<Or>,
    &record<Xor>,
    &record<ShiftLeft>,
    &record<ShiftRight>,
};
// clang-format on

}  // namespace

constinit const OpList ops::binary = records;

}  // namespace viva
