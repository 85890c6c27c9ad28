// Pointwise operations of one operand.
#include <array>
#include <cmath>
#include <numbers>

#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/complex_math.h"
#include "ops/pointwise.h"
#include "ops/series.h"

namespace viva {
namespace {

using loops::VectorMath;

struct Unary {
  static constexpr int arity = 1;
  static constexpr double lo = -2, hi = 2;
};

struct Neg : Unary {
  using Domain = Numeric;
  static constexpr bool vectors = true;
  static constexpr std::string_view name = "neg", doc = "-x; integers wrap";
  template <class T> static T value(T x) {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(-static_cast<std::make_unsigned_t<T>>(x));
    else return -x;
  }
  static Values jvp(Build& b, const Node&, Ins, Ins, Ins t, Transforms&) { return {b.neg(t[0])}; }
  static void transpose(Build& b, const Node&, Ins, Ins ct, std::span<Value> r, Transforms&) { r[0] = b.neg(ct[0]); }
  static Values simplify(Build&, const Node&, Ins in) {
    return in[0].node()->op && in[0].node()->op->name == name ? Values{in[0].node()->in[0]} : Values{};
  }
  static constexpr std::array<std::array<bool, 1>, 1> linear = {{{true}}};
  static constexpr Bound::Fn bound = bounds::arithmetic<bounds::negated, bounds::negated_parts>;
};

struct Abs : Unary {
  using Domain = Numeric;
  static constexpr std::string_view
      name = "abs",
      doc = "|x|, of complex numbers the modulus as a float; the slope at 0 is 0; the lowest signed integer stays";
  static Dtype result(Dtype d) { return real_of(d); }
  template <class T> static auto value(T x) {
    if constexpr (std::is_unsigned_v<T>) return x;
    else if constexpr (std::is_integral_v<T>) return x < 0 ? Neg::value(x) : x;
    else return std::abs(x);
  }
  // Of complex numbers Re(t · conj(x / |x|)).
  static Values jvp(Build& b, const Node&, Ins in, Ins, Ins t, Transforms&) {
    const Value s = b.sign(in[0]);
    return {is_complex(s.dtype()) ? b.real(b.mul(t[0], b.conj(s))) : b.mul(t[0], s)};
  }
  static constexpr Bound::Fn bound = bounds::abs;
};

struct Sign : Unary {
  using Domain = Numeric;
  static constexpr std::string_view name = "sign",
                                    doc = "-1, 0 or 1, of complex numbers x / |x|; keeps signed zeros and NaN";
  template <class T> static T value(T x) {
    if constexpr (is_std_complex<T>) return complex_sign(x);
    else return x > T(0) ? T(1) : x < T(0) ? static_cast<T>(-1) : x;
  }
  // Of complex numbers what turns, (t - s · Re(t · conj(s))) / |x|, and 0 at 0; of others 0 wherever it exists.
  static Values jvp(Build& b, const Node&, Ins in, Ins out, Ins t, Transforms&) {
    const Value s = out[0];
    if (!is_complex(s.dtype())) return {Value{}};
    const Value size = b.abs(in[0]), origin = b.compare(Direction::eq, size, b.zero(size));
    const Value along = b.real(b.mul(t[0], b.conj(s))), zero = b.zero(along);
    const Value across = b.sub(t[0], b.mul(s, b.complex(along, zero)));
    const Value turned = b.div(across, b.complex(b.select(origin, b.one(size), size), zero));
    return {b.select(origin, b.zero(turned), turned)};
  }
  static constexpr Bound::Fn bound = bounds::sign;
};

struct Floor : Unary {
  using Domain = Floats;
  static constexpr std::string_view name = "floor", doc = "the greatest integer not above x";
  template <class T> static T value(T x) { return std::floor(x); }
  static constexpr Absent jvp = flat;
  static constexpr Bound::Fn bound = bounds::steps_up;
};

struct Ceil : Unary {
  using Domain = Floats;
  static constexpr std::string_view name = "ceil", doc = "the least integer not below x";
  template <class T> static T value(T x) { return std::ceil(x); }
  static constexpr Absent jvp = flat;
  static constexpr Bound::Fn bound = bounds::steps_up;
};

struct Round : Unary {
  using Domain = Floats;
  static constexpr std::string_view name = "round", doc = "the nearest integer, halves to even";
  template <class T> static T value(T x) { return std::nearbyint(x); }
  static constexpr Absent jvp = flat;
  static constexpr Bound::Fn bound = bounds::steps_up;
};

struct Exp : Unary {
  using Domain = Analytic;
  static constexpr std::string_view name = "exp", doc = "e^x";
  template <class T> static T value(T x) { return std::exp(x); }
  template <class T> static constexpr TileFn vector = VectorMath<T>::exp;
  static Value slope(Build&, Value, Value y) { return y; }
  static constexpr Bound::Fn bound = bounds::monotone<{.ulps = 4, .least = 0}>;
};

struct Expm1 : Unary {
  using Domain = Analytic;
  static constexpr std::string_view name = "expm1", doc = "e^x - 1, accurate near zero";
  template <class T> static T value(T x) {
    if constexpr (is_std_complex<T>) return complex_expm1(x);
    else return std::expm1(x);
  }
  template <class T> static constexpr TileFn vector = VectorMath<T>::expm1;
  static Value slope(Build& b, Value x, Value) { return b.exp(x); }
  static constexpr Bound::Fn bound = bounds::monotone<{.ulps = 4}>;
};

struct Log : Unary {
  using Domain = Analytic;
  static constexpr bool steep = true;
  static constexpr std::string_view
      name = "log",
      doc = "the natural logarithm; -inf at 0, NaN below; of complex numbers its principal value";
  static constexpr double lo = 0.2;
  template <class T> static T value(T x) { return std::log(x); }
  template <class T> static constexpr TileFn vector = VectorMath<T>::log;
  static Value slope(Build& b, Value x, Value) { return b.recip(x); }
  static constexpr Bound::Fn bound = bounds::monotone<{.ulps = 4, .from = 0}>;
};

struct Log1p : Unary {
  using Domain = Analytic;
  static constexpr bool steep = true;
  static constexpr std::string_view name = "log1p", doc = "log(1 + x), accurate near zero";
  static constexpr double lo = -0.8;
  template <class T> static T value(T x) {
    if constexpr (is_std_complex<T>) return complex_log1p(x);
    else return std::log1p(x);
  }
  template <class T> static constexpr TileFn vector = VectorMath<T>::log1p;
  static Value slope(Build& b, Value x, Value) { return b.recip(b.add(x, b.one(x))); }  // d/dx log(1+x) = 1/(1+x)
  static constexpr Bound::Fn bound = bounds::monotone<{.ulps = 4, .from = -1}>;
};

struct Softplus : Unary {
  using Domain = Floats;
  static constexpr std::string_view name = "softplus", doc = "log(1 + e^x), without overflow";
  template <class T> static constexpr TileFn vector = VectorMath<T>::softplus;
  template <class T> static T value(T x) {
    return std::isnan(x) ? x : (x > 0 ? x : T(0)) + std::log1p(std::exp(-std::abs(x)));
  }
  static Value slope(Build& b, Value x, Value) { return b.logistic(x); }
  static constexpr Bound::Fn bound = bounds::monotone<{.ulps = 4, .least = 0}>;
};

struct Sqrt : Unary {
  using Domain = Analytic;
  static constexpr bool steep = true;
  static constexpr bool vectors = true;
  static constexpr std::string_view name = "sqrt",
                                    doc = "the square root; NaN below 0; of complex numbers its principal value";
  static constexpr double lo = 0.2;
  template <class T> static T value(T x) {
    if constexpr (is_std_complex<T>) return std::sqrt(x);
    else return loops::square_root(x);
  }
  static Value slope(Build& b, Value, Value y) { return b.div(b.full_like(y, 0.5), y); }
  static constexpr Bound::Fn bound = bounds::monotone<{.ulps = 1, .from = 0, .least = 0}>;
};

struct Rsqrt : Unary {
  using Domain = Analytic;
  static constexpr bool steep = true;
  static constexpr std::string_view name = "rsqrt", doc = "1 / sqrt(x)";
  static constexpr double lo = 0.2;
  template <class T> static T value(T x) { return T(1) / std::sqrt(x); }
  static Value slope(Build& b, Value x, Value y) { return b.div(b.scale(y, -0.5), x); }  // -1/2 x^(-3/2) = -y / 2x
  static constexpr Bound::Fn bound = bounds::monotone<{.ulps = 2, .from = 0, .least = 0, .falls = true, .open = true}>;
};

struct Square : Unary {
  using Domain = Numeric;
  static constexpr bool vectors = true;
  static constexpr std::string_view name = "square", doc = "x·x; integers wrap";
  template <class T> static T value(T x) {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint64_t>(x) * static_cast<uint64_t>(x));
    else return product(x, x);
  }
  static Value slope(Build& b, Value x, Value) { return b.add(x, x); }
  static constexpr Jet::Fn jet = square_jet;
  static constexpr Bound::Fn bound = bounds::arithmetic<bounds::squared, bounds::squared_parts>;
};

struct Sin : Unary {
  using Domain = Analytic;
  static constexpr std::string_view name = "sin", doc = "the sine of x radians";
  template <class T> static T value(T x) { return std::sin(x); }
  template <class T> static constexpr TileFn vector = VectorMath<T>::sin;
  static Value slope(Build& b, Value x, Value) { return b.cos(x); }
  static constexpr Bound::Fn bound = bounds::sin;
};

struct Cos : Unary {
  using Domain = Analytic;
  static constexpr std::string_view name = "cos", doc = "the cosine of x radians";
  template <class T> static T value(T x) { return std::cos(x); }
  template <class T> static constexpr TileFn vector = VectorMath<T>::cos;
  static Value slope(Build& b, Value x, Value) { return b.neg(b.sin(x)); }
  static constexpr Bound::Fn bound = bounds::cos;
};

struct Tanh : Unary {
  using Domain = Analytic;
  static constexpr std::string_view name = "tanh", doc = "the hyperbolic tangent";
  template <class T> static T value(T x) { return std::tanh(x); }
  template <class T> static constexpr TileFn vector = VectorMath<T>::tanh;
  // 1 - y² loses its tail where y rounds to 1; these factors do not: 1 / cosh² x = 4·logistic(2x)·logistic(-2x).
  static Value slope(Build& b, Value x, Value) {
    const Value twice = b.add(x, x);
    return b.scale(b.mul(b.logistic(twice), b.logistic(b.neg(twice))), 4);
  }
  static constexpr Bound::Fn bound = bounds::monotone<{.ulps = 4}>;
};

struct Logistic : Unary {
  using Domain = Analytic;
  static constexpr std::string_view name = "logistic", doc = "1 / (1 + e^-x)";
  template <class T> static constexpr TileFn vector = VectorMath<T>::logistic;
  template <class T> static T value(T x) {
    if (real_part(x) >= 0) return T(1) / (T(1) + std::exp(-x));
    const T e = std::exp(x);  // small: 1 - y would lose the tail
    return e / (T(1) + e);
  }
  // 1 - y as logistic(-x), which keeps the tail where y rounds to 1.
  static Value slope(Build& b, Value x, Value y) { return b.mul(y, b.logistic(b.neg(x))); }
  static constexpr Bound::Fn bound = bounds::monotone<{.ulps = 4, .least = 0}>;
};

struct Erf : Unary {
  using Domain = Floats;
  static constexpr std::string_view name = "erf", doc = "2/√π ∫₀ˣ e^(-t²) dt";
  template <class T> static T value(T x) { return std::erf(x); }
  template <class T> static constexpr TileFn vector = VectorMath<T>::erf;
  static Value slope(Build& b, Value x, Value) {
    return b.scale(b.exp(b.neg(b.square(x))), 2 * std::numbers::inv_sqrtpi);
  }
  static constexpr Bound::Fn bound = bounds::monotone<{.ulps = 4}>;
};

struct Not : Unary {
  using Domain = Bits;
  static constexpr std::string_view name = "not", doc = "logical not of bool, every bit flipped of integers";
  template <class T> static T value(T x) {
    if constexpr (std::is_same_v<T, bool>) return !x;
    else return static_cast<T>(~x);
  }
  static constexpr Absent jvp = integer_result;
  static constexpr Bound::Fn bound = bounds::logical_not;
};

struct IsFinite : Unary {
  using Domain = Analytic;
  static constexpr std::string_view name = "is_finite", doc = "true where x is neither infinite nor NaN, in no part";
  static Dtype result(Dtype) { return Dtype::boolean; }
  template <class T> static bool value(T x) {
    if constexpr (is_std_complex<T>) return std::isfinite(x.real()) && std::isfinite(x.imag());
    else return std::isfinite(x);
  }
  static constexpr Absent jvp = integer_result;
  static constexpr Bound::Fn bound = bounds::is_finite;
};

using pointwise::record;
// clang-format off: one a line
constexpr std::array records = {
    &record<Neg>,
    &record<Abs>,
    &record<Sign>,
    &record<Floor>,
    &record<Ceil>,
    &record<Round>,
    &record<Exp>,
    &record<Expm1>,
    &record<Log>,
    &record<Log1p>,
    &record<Softplus>,
    &record<Sqrt>,
    &record<Rsqrt>,
    &record<Square>,
    &record<Sin>,
    &record<Cos>,
    &record<Tanh>,
    &record<Logistic>,
    &record<Erf>,
    &record<Not>,
    &record<IsFinite>,
};
// clang-format on

}  // namespace

constinit const OpList ops::unary = records;

}  // namespace viva
