// Export of the pointwise operations of one operand, and of convert and bitcast.
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <span>

#include "onnx/exporter.h"

namespace viva {
namespace {

using enum Dtype;

template <OperatorName name> void same(Exporter& e, const Node& n) { e.set(e.pointwise(name.text, {e.thin(n.in[0])})); }

// A 16-bit float in float32, what these functions are computed in; back by set_rounded.
Out widened(Exporter& e, const Node& n) {
  const Out x = e.thin(n.in[0]);
  return size_of(x.dtype()) == 2 && is_float(x.dtype()) ? e.cast(x, float32) : x;
}
void set_rounded(Exporter& e, const Node& n, Out y) { e.set(e.cast(y, n.types[0].dtype)); }
Out number(Exporter& e, const Out& like, double v) { return e.scalar(like.dtype(), v); }

void write_neg(Exporter& e, const Node& n) {
  const Out x = e.thin(n.in[0]);
  if (is_unsigned(x.dtype())) return e.set(e.pointwise("Sub", {number(e, x, 0), x}));
  e.set(e.pointwise("Neg", {x}));
}

// ONNX's Sign leaves open what becomes of NaN, and loses the sign of zeros.
void write_sign(Exporter& e, const Node& n) {
  const Out x = e.thin(n.in[0]);
  if (is_integer(x.dtype())) return e.set(e.pointwise("Sign", {x}));
  const Out zero = number(e, x, 0);
  e.set(e.where(e.less(zero, x), number(e, x, 1), e.where(e.less(x, zero), number(e, x, -1), x)));
}

// tanh(x/2)·(e^x + 1) is e^x - 1, accurate near zero.
void write_expm1(Exporter& e, const Node& n) {
  const Out x = widened(e, n);
  const Out half = e.pointwise("Tanh", {e.pointwise("Mul", {x, number(e, x, 0.5)})});
  const Out sum = e.pointwise("Add", {e.pointwise("Exp", {x}), number(e, x, 1)});
  set_rounded(e, n, e.pointwise("Mul", {half, sum}));
}

// log(u)·x / (u - 1) with u = 1 + x as it is rounded: the errors of log and of the quotient cancel. (Kahan; in
// Goldberg, 1991, theorem 4.)
Out log1p_of(Exporter& e, Out x) {
  const Out one = number(e, x, 1), u = e.pointwise("Add", {x, one}), d = e.pointwise("Sub", {u, one});
  const Out tiny = e.equal(d, number(e, x, 0));
  const Out infinite = e.equal(u, number(e, x, INFINITY));
  const Out quotient = e.pointwise("Div", {x, e.where(tiny, one, d)});
  const Out y = e.pointwise("Mul", {e.pointwise("Log", {u}), e.where(infinite, one, quotient)});
  return e.where(tiny, x, y);
}
void write_log1p(Exporter& e, const Node& n) { set_rounded(e, n, log1p_of(e, widened(e, n))); }

// max(x, 0) + log1p(e^-|x|): Softplus of runtimes loses digits below zero, and has no float64 kernel.
void write_softplus(Exporter& e, const Node& n) {
  const Out x = widened(e, n);
  const Out tail = e.pointwise("Exp", {e.pointwise("Neg", {e.pointwise("Abs", {x})})});
  set_rounded(e, n, e.pointwise("Add", {e.pointwise("Max", {x, number(e, x, 0)}), log1p_of(e, tail)}));
}

void write_rsqrt(Exporter& e, const Node& n) {
  const Out x = widened(e, n);
  set_rounded(e, n, e.pointwise("Div", {number(e, x, 1), e.pointwise("Sqrt", {x})}));
}

void write_square(Exporter& e, const Node& n) {
  const Out x = e.thin(n.in[0]);
  e.set(e.pointwise("Mul", {x, x}));
}

// Coefficients in single precision, the highest power first.
Out polynomial(Exporter& e, Out x, std::span<const double> c) {
  Out p = number(e, x, c[0]);
  for (const double v : c.subspan(1)) p = e.pointwise("Add", {e.pointwise("Mul", {p, x}), number(e, x, v)});
  return p;
}

// M. Giles, "Approximating the erfinv function", 2012, in single precision, then Newton's steps on Erf: one in float32,
// two in float64.
void write_erf_inv(Exporter& e, const Node& n) {
  constexpr std::array near{2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
                            -0.00125372503, -0.00417768164, 0.246640727,    1.50140941};
  constexpr std::array far{-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
                           -0.0076224613,   0.00943887047,  1.00167406,    2.83297682};
  const auto with = [&](std::string_view op, Out a, double v) { return e.pointwise(op, {a, number(e, a, v)}); };
  const Out x = widened(e, n), inside = e.less(e.pointwise("Abs", {x}), number(e, x, 1));
  const Out s = e.where(inside, x, number(e, x, 0)), below = e.pointwise("Sub", {number(e, x, 1), s});
  const Out w = e.pointwise("Neg", {e.pointwise("Log", {e.pointwise("Mul", {below, with("Add", s, 1)})})});
  const Out central = e.less(w, number(e, x, 5));
  const Out u = with("Sub", w, 2.5), v = with("Sub", e.pointwise("Sqrt", {with("Max", w, 1)}), 3);
  Out y = e.pointwise("Mul", {e.where(central, polynomial(e, u, near), polynomial(e, v, far)), s});
  for (int step = 0; step < (x.dtype() == float64 ? 2 : 1); ++step) {
    const Out miss = e.pointwise("Sub", {e.pointwise("Erf", {y}), s});
    const Out inverse_slope =
        with("Mul", e.pointwise("Exp", {e.pointwise("Mul", {y, y})}), 0.5 / std::numbers::inv_sqrtpi);
    y = e.pointwise("Sub", {y, e.pointwise("Mul", {miss, inverse_slope})});
  }
  const Out above = e.where(e.equal(x, number(e, x, 1)), number(e, x, INFINITY), number(e, x, NAN));
  set_rounded(e, n, e.where(inside, y, e.where(e.equal(x, number(e, x, -1)), number(e, x, -INFINITY), above)));
}

void write_not(Exporter& e, const Node& n) {
  const Out x = e.thin(n.in[0]);
  e.set(e.pointwise(is_bool(x.dtype()) ? "Not" : "BitwiseNot", {x}));
}

void write_is_finite(Exporter& e, const Node& n) {
  const Out x = e.thin(n.in[0]);
  e.set(e.less(e.pointwise("Abs", {x}), number(e, x, INFINITY)));
}

// ONNX leaves open what an integer makes of a float outside its range, and of NaN.
void to_integer(Exporter& e, Out x, Dtype to) {
  if (size_of(x.dtype()) == 2) x = e.cast(x, float32);
  const auto [lowest, greatest, digits] = dispatch(to, [](auto tag) -> std::tuple<Array, Array, int> {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_integral_v<T>)
      return {Array::scalar(std::numeric_limits<T>::min()), Array::scalar(std::numeric_limits<T>::max()),
              std::numeric_limits<T>::digits};
    else return {};
  });
  const Out above = number(e, x, std::ldexp(1.0, digits));
  const Out below = number(e, x, is_unsigned(to) ? 0 : -std::ldexp(1.0, digits));
  const Out high = e.pointwise("GreaterOrEqual", {x, above}, boolean);
  const Out low = e.pointwise("LessOrEqual", {x, below}, boolean);
  const Out inside = e.both(e.less(below, x), e.less(x, above));  // not NaN
  const Out y = e.cast(e.where(inside, x, number(e, x, 0)), to);
  e.set(e.where(high, e.constant(greatest), e.where(low, e.constant(lowest), y)));
}

void write_convert(Exporter& e, const Node& n) {
  const Out x = e.thin(n.in[0]);
  const Dtype to = n.types[0].dtype;
  if (is_float(x.dtype()) && is_integer(to)) return to_integer(e, x, to);
  e.set(e.cast(x, to));
}

void write_bitcast(Exporter& e, const Node& n) {
  const Out x = e.thin(n.in[0]);
  const Dtype to = n.types[0].dtype;
  if (is_bool(x.dtype()) && is_integer(to)) return e.set(e.cast(x, to));
  if (is_complex(x.dtype()) || is_complex(to))
    e.refuse("no ONNX form is known: ONNX has no operators on complex numbers");
  e.set(e.bits(x, to));
}

// In float32 at least, where the sum of steps and zero point is exact as far as the integers reach.
void write_quantize(Exporter& e, const Node& n) {
  const auto wide = [&](size_t i) {
    const Out x = e.thin(n.in[i]);
    return size_of(x.dtype()) == 2 ? e.cast(x, float32) : x;
  };
  const Out steps = e.pointwise("Round", {e.pointwise("Div", {wide(0), wide(1)})});
  const Out number_or_0 = e.where(e.equal(steps, steps), steps, number(e, steps, 0));
  const Out sum = e.pointwise("Add", {number_or_0, e.cast(e.thin(n.in[2]), steps.dtype())});
  const double low = n.types[0].dtype == int8 ? -128 : 0;
  const Out above = e.pointwise("Max", {sum, number(e, sum, low)});
  e.set(e.cast(e.pointwise("Min", {above, number(e, sum, low + 255)}), n.types[0].dtype));
}

constexpr std::string_view no_factors = "no ONNX form is known: ONNX has no factorisations of matrices";
constexpr std::string_view erf64 = "onnxruntime 1.32 has no float64 kernel";
constexpr std::array rows = {
    ExportRow{"neg", write_neg, "Neg; Sub from 0 for unsigned"},
    ExportRow{"abs", same<"Abs">, "Abs"},
    ExportRow{"sign", write_sign, "Sign of integers; Where, Less of floats"},
    ExportRow{"floor", same<"Floor">, "Floor"},
    ExportRow{"ceil", same<"Ceil">, "Ceil"},
    ExportRow{"round", same<"Round">, "Round"},
    ExportRow{"exp", same<"Exp">, "Exp"},
    ExportRow{"expm1", write_expm1, "tanh(x/2)·(e^x + 1)"},
    ExportRow{"log", same<"Log">, "Log"},
    ExportRow{"log1p", write_log1p, "log(u)·x/(u − 1) with u = 1 + x"},
    ExportRow{"softplus", write_softplus, "max(x, 0) + log1p(e^−|x|)"},
    ExportRow{"sqrt", same<"Sqrt">, "Sqrt"},
    ExportRow{"rsqrt", write_rsqrt, "1 / Sqrt"},
    ExportRow{"square", write_square, "Mul"},
    ExportRow{"sin", same<"Sin">, "Sin"},
    ExportRow{"cos", same<"Cos">, "Cos"},
    ExportRow{"tanh", same<"Tanh">, "Tanh"},
    ExportRow{"logistic", same<"Sigmoid">, "Sigmoid", "below −88 onnxruntime gives 0 where float32 still has a number"},
    ExportRow{"erf", same<"Erf">, "Erf", erf64},
    ExportRow{"erf_inv", write_erf_inv, "Giles's polynomials and Newton's steps on Erf", erf64},
    ExportRow{"lgamma", nullptr, "no ONNX form is known: ONNX has no gamma function"},
    ExportRow{"polygamma", nullptr, "no ONNX form is known: ONNX has no gamma function"},
    ExportRow{"widen", nullptr, "no ONNX form is known: ONNX cannot move a number by units in the last place"},
    ExportRow{"complex", nullptr, "no ONNX form is known: ONNX has no operators on complex numbers"},
    ExportRow{"real", nullptr, "no ONNX form is known: ONNX has no operators on complex numbers"},
    ExportRow{"imag", nullptr, "no ONNX form is known: ONNX has no operators on complex numbers"},
    ExportRow{"conj", nullptr, "no ONNX form is known: ONNX has no operators on complex numbers"},
    ExportRow{"cholesky", nullptr, no_factors},
    ExportRow{"triangular_solve", nullptr, no_factors},
    ExportRow{"lu", nullptr, no_factors},
    ExportRow{"qr", nullptr, no_factors},
    ExportRow{"eigh", nullptr, no_factors},
    ExportRow{"svd", nullptr, no_factors},
    ExportRow{"fft", nullptr, "no ONNX form is known: ONNX has no operators on complex numbers"},
    ExportRow{"quantize", write_quantize, "Round, Div, Add, Max, Min, Cast"},
    ExportRow{"not", write_not, "Not; BitwiseNot of integers"},
    ExportRow{"is_finite", write_is_finite, "Less(Abs, ∞)"},
    ExportRow{"convert", write_convert, "Cast; float to integer with Where, to saturate and take NaN to 0",
              "float64 to a 16-bit float rounds twice in onnxruntime"},
    ExportRow{"bitcast", write_bitcast, "BitCast, of opset 26; bool: Cast"},
};

}  // namespace

std::span<const ExportRow> onnx_export::unary() { return rows; }

}  // namespace viva
