// Activations made of the functions in viva/functions.h.
#include <cmath>
#include <numbers>

#include "nn/layer.h"

namespace viva {

using tracing::as_float;
using tracing::Line;

Tensor leaky_relu(const Arg& x, double slope) {
  const Line line(x.where);
  const Tensor t = as_float(x);
  return where(t > 0, t, t * slope);
}

Tensor relu6(const Arg& x) {
  const Line line(x.where);
  const Tensor t = as_float(x);
  return where(t >= 6, 6, where(t <= 0, 0, t));
}

namespace {

// Where x > 0 the exponential is of 0, so that no derivative meets its overflow.
Tensor exponential_below(const Tensor& t, double scale, double alpha, double rate) {
  const Tensor above = t > 0;
  return where(above, t * scale, expm1(where(above, 0, t) * rate) * alpha);
}

}  // namespace

Tensor elu(const Arg& x, double alpha) {
  const Line line(x.where);
  return exponential_below(as_float(x), 1, alpha, 1);
}

Tensor selu(const Arg& x) {
  constexpr double alpha = 1.6732632423543772848, scale = 1.0507009873554804934;
  const Line line(x.where);
  return exponential_below(as_float(x), scale, scale * alpha, 1);
}

Tensor celu(const Arg& x, double alpha) {
  const Line line(x.where);
  if (alpha == 0) throw tracing::usage_at(x.where, "[celu] an alpha of 0: give another number");
  return exponential_below(as_float(x), 1, alpha, 1 / alpha);
}

Tensor gelu_tanh(const Arg& x) {
  const Line line(x.where);
  const auto body = [](const tracing::Tensors& in) -> tracing::Tensors {
    const Tensor& t = in[0];
    const double c = std::sqrt(2 / std::numbers::pi);
    return {t * (0.5 * (1 + tanh(t * (c + c * 0.044715 * square(t)))))};
  };
  return tracing::named("gelu_tanh", body, {as_float(x)}, x.where).front();
}

Tensor mish(const Arg& x) {
  const Line line(x.where);
  const Tensor t = as_float(x);
  return t * tanh(softplus(t));
}

Tensor hard_sigmoid(const Arg& x) {
  const Line line(x.where);
  return relu6(as_float(x) + 3) * (1.0 / 6);
}

Tensor hard_swish(const Arg& x) {
  const Line line(x.where);
  const Tensor t = as_float(x);
  return where(t <= -3, 0, where(t >= 3, t, t * (t + 3) * (1.0 / 6)));
}

Tensor hard_tanh(const Arg& x) {
  const Line line(x.where);
  const Tensor t = as_float(x);
  return where(t >= 1, 1, where(t <= -1, -1, t));
}

Tensor softsign(const Arg& x) {
  const Line line(x.where);
  const Tensor t = as_float(x);
  return t / (1 + abs(t));
}

Tensor log_sigmoid(const Arg& x) {
  const Line line(x.where);
  return -softplus(-as_float(x));
}

Tensor glu(const Arg& x, int64_t axis) {
  const Line line(x.where);
  const std::vector<Tensor> halves = split(as_float(x), 2, axis);
  return halves[0] * sigmoid(halves[1]);
}

}  // namespace viva
