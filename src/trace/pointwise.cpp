// Arithmetic, comparison and the functions applied to each element.
#include <cmath>

#include "trace/graph.h"
#include "trace/operand.h"
#include "viva/numpy.h"

namespace viva {

using tracing::as_float;
using tracing::as_tensor;
using tracing::emit;

namespace {

// Both operands in one dtype and shape.
struct Pair {
  Tensor x, y;
  Where where;
  Pair(std::string_view what, const Arg& a, const Arg& b, bool analytic = false) : where(a.tensor ? a.where : b.where) {
    Dtype d = tracing::common_dtype({&a, &b});
    if (analytic && !has_tangent(d)) d = Dtype::float32;
    x = as_tensor(a, d), y = as_tensor(b, d);
    const Shape shape = tracing::broadcast_shape(x.shape(), y.shape(), what, where);
    x = tracing::stretched(x, shape, where), y = tracing::stretched(y, shape, where);
  }
};

Tensor binary(std::string_view op, const Arg& a, const Arg& b, bool analytic = false) {
  const Pair p(op, a, b, analytic);
  return emit(op, {&p.x, &p.y}, {}, p.where);
}

Tensor compare(std::string_view direction, const Arg& a, const Arg& b) {
  const Pair p("compare", a, b);
  return emit("compare", {&p.x, &p.y}, {{"direction", std::string(direction)}}, p.where);
}

Tensor unary(std::string_view op, const Tensor& x, Where where) { return emit(op, {&x}, {}, where); }
Tensor analytic(std::string_view op, const Arg& x) { return unary(op, as_float(x), x.where); }
Tensor plain(std::string_view op, const Arg& x) { return unary(op, as_tensor(x), x.where); }
// Integers are their own floor, ceiling and nearest integer.
Tensor rounding(std::string_view op, const Arg& x) {
  const Tensor t = as_tensor(x);
  return has_tangent(t.dtype()) ? unary(op, t, x.where) : t;
}

}  // namespace

Tensor operator+(const Arg& x, const Arg& y) { return binary("add", x, y); }
Tensor operator-(const Arg& x, const Arg& y) { return binary("sub", x, y); }
Tensor operator*(const Arg& x, const Arg& y) { return binary("mul", x, y); }
Tensor operator/(const Arg& x, const Arg& y) { return binary("div", x, y); }
Tensor operator%(const Arg& x, const Arg& y) { return binary("rem", x, y); }
Tensor operator-(const Arg& x) { return plain("neg", x); }
Tensor& operator+=(Tensor& x, const Arg& y) { return x = binary("add", {x, y.where}, y); }
Tensor& operator-=(Tensor& x, const Arg& y) { return x = binary("sub", {x, y.where}, y); }
Tensor& operator*=(Tensor& x, const Arg& y) { return x = binary("mul", {x, y.where}, y); }
Tensor& operator/=(Tensor& x, const Arg& y) { return x = binary("div", {x, y.where}, y); }
Tensor pow(const Arg& x, const Arg& y) { return binary("pow", x, y); }
Tensor maximum(const Arg& x, const Arg& y) { return binary("max", x, y); }
Tensor minimum(const Arg& x, const Arg& y) { return binary("min", x, y); }
Tensor atan2(const Arg& y, const Arg& x) { return binary("atan2", y, x, true); }

Tensor clip(const Arg& x, const Arg& low, const Arg& high) {
  const tracing::Line line(x.where);
  return minimum(maximum(x, low), high);
}

Tensor operator==(const Arg& x, const Arg& y) { return compare("eq", x, y); }
Tensor operator!=(const Arg& x, const Arg& y) { return compare("ne", x, y); }
Tensor operator<(const Arg& x, const Arg& y) { return compare("lt", x, y); }
Tensor operator<=(const Arg& x, const Arg& y) { return compare("le", x, y); }
Tensor operator>(const Arg& x, const Arg& y) { return compare("gt", x, y); }
Tensor operator>=(const Arg& x, const Arg& y) { return compare("ge", x, y); }
Tensor operator&(const Arg& x, const Arg& y) { return binary("and", x, y); }
Tensor operator|(const Arg& x, const Arg& y) { return binary("or", x, y); }
Tensor operator^(const Arg& x, const Arg& y) { return binary("xor", x, y); }
Tensor operator~(const Arg& x) { return plain("not", x); }
Tensor shift_left(const Arg& x, const Arg& by) { return binary("shift_left", x, by); }
Tensor shift_right(const Arg& x, const Arg& by) { return binary("shift_right", x, by); }

Tensor where(const Arg& predicate, const Arg& on_true, const Arg& on_false) {
  Tensor p = as_tensor(predicate);
  if (!is_bool(p.dtype()))
    throw tracing::usage_at(predicate.where,
                            fmt::format("[where] the predicate is {}: give bool, x != 0 say", to_string(p.type())));
  const Pair choice("where", on_true, on_false);
  const Shape shape = tracing::broadcast_shape(p.shape(), choice.x.shape(), "where", predicate.where);
  p = tracing::stretched(p, shape, predicate.where);
  const Tensor x = tracing::stretched(choice.x, shape, predicate.where);
  const Tensor y = tracing::stretched(choice.y, shape, predicate.where);
  return emit("select", {&p, &x, &y}, {}, predicate.where);
}

Tensor abs(const Arg& x) { return plain("abs", x); }
Tensor sign(const Arg& x) { return plain("sign", x); }
Tensor floor(const Arg& x) { return rounding("floor", x); }
Tensor ceil(const Arg& x) { return rounding("ceil", x); }
Tensor round(const Arg& x) { return rounding("round", x); }
Tensor exp(const Arg& x) { return analytic("exp", x); }
Tensor expm1(const Arg& x) { return analytic("expm1", x); }
Tensor log(const Arg& x) { return analytic("log", x); }
Tensor log1p(const Arg& x) { return analytic("log1p", x); }
Tensor sqrt(const Arg& x) { return analytic("sqrt", x); }
Tensor rsqrt(const Arg& x) { return analytic("rsqrt", x); }
Tensor square(const Arg& x) { return plain("square", x); }
Tensor sin(const Arg& x) { return analytic("sin", x); }
Tensor cos(const Arg& x) { return analytic("cos", x); }
Tensor tanh(const Arg& x) { return analytic("tanh", x); }
Tensor erf(const Arg& x) { return analytic("erf", x); }
Tensor erf_inv(const Arg& x) { return analytic("erf_inv", x); }
Tensor lgamma(const Arg& x) { return analytic("lgamma", x); }
Tensor digamma(const Arg& x) { return polygamma(0, x); }
Tensor polygamma(int64_t order, const Arg& x) {
  const Tensor t = as_float(x);
  return emit("polygamma", {&t}, {{"order", order}}, x.where);
}
Tensor widen(const Arg& x, bool up, int64_t ulps) {
  const Tensor t = as_float(x);
  return emit("widen", {&t}, {{"direction", std::string(up ? "up" : "down")}, {"ulps", ulps}}, x.where);
}
Tensor sigmoid(const Arg& x) { return analytic("logistic", x); }
Tensor softplus(const Arg& x) { return analytic("softplus", x); }

Tensor relu(const Arg& x) {
  const tracing::Line line(x.where);
  const Tensor t = as_tensor(x);
  return where(t > 0, t, 0);
}

Tensor silu(const Arg& x) {
  const tracing::Line line(x.where);
  const Tensor t = as_float(x);
  return t * sigmoid(t);
}

Tensor gelu(const Arg& x) {
  const tracing::Line line(x.where);
  const auto body = [](const tracing::Tensors& in) -> tracing::Tensors {
    return {in[0] * (0.5 * (1 + erf(in[0] * std::sqrt(0.5))))};
  };
  return tracing::named("gelu", body, {as_float(x)}, x.where).front();
}

Tensor is_finite(const Arg& x) {
  const Tensor t = as_float(x);
  return unary("is_finite", t, x.where);
}

Tensor is_nan(const Arg& x) {
  const tracing::Line line(x.where);
  const Tensor t = as_tensor(x);
  return t != t;
}

Tensor convert(const Arg& x, Dtype d) { return tracing::converted(as_tensor(x), d, x.where); }

Tensor bitcast(const Arg& x, Dtype d) {
  const Tensor t = as_tensor(x);
  return t.dtype() == d ? t : emit("bitcast", {&t}, {{"dtype", d}}, x.where);
}

Tensor complex(const Arg& re, const Arg& im) {
  const Pair p("complex", re, im, true);
  const Dtype d = size_of(p.x.dtype()) == 2 ? Dtype::float32 : p.x.dtype();
  const Tensor x = tracing::converted(p.x, d, p.where), y = tracing::converted(p.y, d, p.where);
  return emit("complex", {&x, &y}, {}, p.where);
}
Tensor real(const Arg& x) {
  const Tensor t = as_tensor(x);
  return is_complex(t.dtype()) ? unary("real", t, x.where) : t;
}
Tensor imag(const Arg& x) {
  const tracing::Line line(x.where);
  const Tensor t = as_tensor(x);
  return is_complex(t.dtype()) ? unary("imag", t, x.where) : zeros_like(t);
}
Tensor conj(const Arg& x) {
  const Tensor t = as_tensor(x);
  return is_complex(t.dtype()) ? unary("conj", t, x.where) : t;
}
Tensor angle(const Arg& x) {
  const tracing::Line line(x.where);
  const Tensor t = as_float(x);
  return atan2(imag(t), real(t));
}

// Through integers of the same size, which have no tangent.
Tensor stop_gradient(const Arg& x) {
  const Tensor t = as_tensor(x);
  if (!has_tangent(t.dtype())) return t;
  if (is_complex(t.dtype())) {
    const tracing::Line line(x.where);
    return complex(stop_gradient(real(t)), stop_gradient(imag(t)));
  }
  const int64_t bytes = size_of(t.dtype());
  const Dtype bits = bytes == 2 ? Dtype::uint16 : bytes == 4 ? Dtype::uint32 : Dtype::uint64;
  return bitcast({bitcast({t, x.where}, bits), x.where}, t.dtype());
}

Tensor tap(const Arg& x, std::string_view name) {
  const Tensor t = as_tensor(x);
  return emit("tap", {&t}, {{"name", std::string(name)}}, x.where);
}

}  // namespace viva
