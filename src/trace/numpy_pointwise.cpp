// Pointwise functions made of others. Where a formula holds on a part of the line alone, the operand is replaced by a
// harmless one elsewhere, so that no derivative of the part not taken is infinite.
#include "viva/numpy.h"

#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "trace/operand.h"

namespace viva {

using tracing::as_float;
using tracing::as_tensor;
using tracing::common_dtype;
using tracing::Line;

namespace {

Dtype float_dtype(std::initializer_list<const Arg*> args) {
  const Dtype d = common_dtype(args);
  return is_float(d) ? d : Dtype::float32;
}

// √a as accurate as the factored a, with the slope of the plain one: that of a product of factors is no number where
// one is 0 and the root's slope infinite.
Tensor root_of(const Tensor& factored, const Tensor& plain) { return sqrt(stop_gradient(factored - plain) + plain); }
Tensor cosine_of(const Tensor& x) { return root_of((1 - x) * (1 + x), 1 - square(x)); }

}  // namespace

Tensor tan(const Arg& a) {
  const Line line(a.where);
  const Tensor x = as_float(a);
  return sin(x) / cos(x);
}
Tensor asin(const Arg& a) {
  const Line line(a.where);
  const Tensor x = as_float(a);
  return atan2(x, cosine_of(x));
}
Tensor acos(const Arg& a) {
  const Line line(a.where);
  const Tensor x = as_float(a);
  return atan2(cosine_of(x), x);
}
Tensor atan(const Arg& a) {
  const Line line(a.where);
  const Tensor x = as_float(a);
  return atan2(x, ones_like(x));
}

// By e^(x/2), whose square overflows no sooner than the result; near zero by e^x - 1.
Tensor sinh(const Arg& a) {
  const Line line(a.where);
  const Tensor x = as_float(a), small = abs(x) < 1;
  const Tensor t = expm1(where(small, x, 0)), e = exp(x * 0.5);
  return where(small, (t + t / (t + 1)) * 0.5, e * 0.5 * e - 0.5 / e / e);
}
Tensor cosh(const Arg& a) {
  const Line line(a.where);
  const Tensor x = as_float(a), e = exp(x * 0.5);
  return e * 0.5 * e + 0.5 / e / e;
}
// Near zero atanh(x / √(1 + x²)); beyond, log(|x| + √(1 + x²)) without squares of large numbers.
Tensor asinh(const Arg& a) {
  const Line line(a.where);
  const Tensor x = as_float(a), small = abs(x) < 1;
  const Tensor s = where(small, x, 0), r = s / sqrt(1 + square(s)), l = where(small, 1, abs(x));
  const Tensor large = log(l) + log1p(sqrt(1 + square(1 / l)));
  return where(small, 0.5 * (log1p(r) - log1p(-r)), where(x < 0, -large, large));
}
Tensor acosh(const Arg& a) {
  const Line line(a.where);
  const Tensor x = as_float(a), small = x < 2;
  const Tensor s = where(small, x, 2), t = s - 1, l = where(small, 2, x);
  return where(small, log1p(t + root_of(t * (t + 2), square(s) - 1)), log(l) + log1p(sqrt(1 - square(1 / l))));
}
Tensor atanh(const Arg& a) {
  const Line line(a.where);
  const Tensor x = as_float(a);
  return 0.5 * (log1p(x) - log1p(-x));
}

Tensor exp2(const Arg& a) {
  const Line line(a.where);
  const Tensor x = as_float(a);
  return pow(full_like(x, 2), x);
}
Tensor log2(const Arg& a) {
  const Line line(a.where);
  const Tensor x = as_float(a);
  return log(x) / std::numbers::ln2;
}
Tensor log10(const Arg& a) {
  const Line line(a.where);
  const Tensor x = as_float(a);
  return log(x) / std::numbers::ln10;
}
Tensor cbrt(const Arg& a) {
  const Line line(a.where);
  const Tensor x = as_float(a);
  return sign(x) * pow(abs(x), 1.0 / 3);
}

// Near zero by its series, so that its derivatives are right at 0 too.
Tensor sinc(const Arg& a) {
  const Line line(a.where);
  const Tensor x = as_float(a), t = x * std::numbers::pi, small = abs(t) < 0.1;
  const Tensor s = square(where(small, t, 0)), l = where(small, 1, t);
  const Tensor series = 1 - s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72)));
  return where(small, series, sin(l) / l);
}

// The greater plus log(1 + e^-d): smooth where the two meet, because both forms are.
Tensor logaddexp(const Arg& a, const Arg& b) {
  const Line line(a.where);
  const Dtype d = float_dtype({&a, &b});
  const Tensor x = as_tensor(a, d), y = as_tensor(b, d), alike = (x == y) & ~is_finite(x);  // ∞ - ∞
  const Tensor p = where(alike, 0, x), q = where(alike, 0, y);
  return where(x > y, x + softplus(q - p), y + softplus(p - q));
}

Tensor hypot(const Arg& a, const Arg& b) {
  const Line line(a.where);
  const Dtype d = float_dtype({&a, &b});
  const Tensor x = as_tensor(a, d), y = as_tensor(b, d), m = stop_gradient(maximum(abs(x), abs(y)));
  const Tensor plain = is_finite(m) & (m > 0), scale = where(plain, m, 1);
  const Tensor p = where(plain, x / scale, 1), q = where(plain, y / scale, 1);  // the scale cancels: it has no slope
  return where(plain, scale * sqrt(square(p) + square(q)),
               where(maximum(abs(x) == INFINITY, abs(y) == INFINITY), INFINITY, m));
}

Tensor trunc(const Arg& a) {
  const Line line(a.where);
  const Tensor x = as_tensor(a);
  if (!is_float(x.dtype())) return x;
  return copysign(floor(abs(x)), x);
}

Tensor remainder(const Arg& a, const Arg& b) {
  const Line line(a.where);
  const Dtype d = common_dtype({&a, &b});
  const Tensor x = as_tensor(a, d), y = as_tensor(b, d), r = x % y;
  if (is_unsigned(d)) return r;
  return where((r != 0) & ((r < 0) != (y < 0)) & (y != 0), r + y, r);
}
Tensor floor_divide(const Arg& a, const Arg& b) {
  const Line line(a.where);
  const Dtype d = common_dtype({&a, &b});
  const Tensor x = as_tensor(a, d), y = as_tensor(b, d);
  if (is_unsigned(d) || is_bool(d)) return x / y;
  if (is_float(d)) return where(y == 0, x / y, round((x - remainder(x, y)) / y));
  const Tensor q = x / y, r = x % y, down = (r != 0) & ((r < 0) != (y < 0)) & (y != 0);
  return q - convert(down, d);
}

Tensor copysign(const Arg& a, const Arg& b) {
  const Line line(a.where);
  const Dtype d = float_dtype({&a, &b});
  const Tensor x = as_tensor(a, d), y = as_tensor(b, d), negative = (y < 0) | ((y == 0) & (1 / stop_gradient(y) < 0));
  return where(negative, -abs(x), abs(x));
}
Tensor heaviside(const Arg& a, const Arg& b) {
  const Line line(a.where);
  const Dtype d = float_dtype({&a, &b});
  const Tensor x = as_tensor(a, d);
  return where(x == 0, as_tensor(b, d), where(x < 0, 0, where(is_nan(x), x, 1)));
}

Tensor is_inf(const Arg& a) {
  const Line line(a.where);
  const Tensor x = as_tensor(a);
  if (!is_float(x.dtype())) return zeros(x.shape(), Dtype::boolean);
  return abs(x) == INFINITY;
}

Tensor nan_to_num(const Arg& a, double nan) {
  const Line line(a.where);
  const Tensor x = as_tensor(a);
  if (!is_float(x.dtype())) return x;
  const double most = dispatch(x.dtype(), [](auto tag) -> double {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_same_v<T, Float16>) return 65504;
    else if constexpr (std::is_same_v<T, BFloat16>) return 0x1.FEp127;
    else if constexpr (std::is_floating_point_v<T>) return std::numeric_limits<T>::max();
    else return 0;
  });
  return where(is_nan(x), nan, where(x == INFINITY, most, where(x == -INFINITY, -most, x)));
}

Tensor is_close(const Arg& a, const Arg& b, double relative, double absolute) {
  const Line line(a.where);
  const Dtype d = float_dtype({&a, &b});
  const Tensor x = as_tensor(a, d), y = as_tensor(b, d);
  return (x == y) | (is_finite(y) & (abs(x - y) <= absolute + relative * abs(y)));
}
Tensor all_close(const Arg& a, const Arg& b, double relative, double absolute) {
  const Line line(a.where);
  return all(is_close(a, b, relative, absolute));
}
Tensor array_equal(const Arg& a, const Arg& b) {
  const Line line(a.where);
  const Dtype d = common_dtype({&a, &b});
  const Tensor x = as_tensor(a, d), y = as_tensor(b, d);
  return x.shape() == y.shape() ? all(x == y) : scalar(false, Dtype::boolean);
}
Tensor is_in(const Arg& a, const Arg& b) {
  const Line line(a.where);
  const Dtype d = common_dtype({&a, &b});
  const Tensor x = as_tensor(a, d), values = reshape(as_tensor(b, d), {-1});
  return any(expand_dims(x, -1) == values, -1);
}

Tensor select(const std::vector<Tensor>& conditions, const std::vector<Tensor>& choices, const Arg& otherwise) {
  const Line line(otherwise.where);
  if (conditions.size() != choices.size() || conditions.empty())
    throw tracing::usage_at(otherwise.where,
                            fmt::format("[select] {} conditions for {} choices", conditions.size(), choices.size()));
  Dtype d = choices.front().dtype();
  for (const Tensor& t : choices) d = promote(d, t.dtype());
  if (otherwise.tensor) d = promote(d, otherwise.tensor->dtype());
  Tensor r = as_tensor(otherwise, d);
  for (size_t i = choices.size(); i-- > 0;) r = where(conditions[i], convert(choices[i], d), r);
  return r;
}

}  // namespace viva
