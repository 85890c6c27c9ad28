// Distributions made of uniform and normal numbers.
#include <cmath>
#include <numbers>

#include "trace/operand.h"
#include "viva/numpy.h"
#include "viva/random.h"

namespace viva {

using tracing::Line;
using tracing::usage_at;

namespace {

// Uniform in (0, 1], in float32 at least, so that its logarithm is finite.
Tensor positive_unit(const Key& k, const Shape& shape, Dtype d, Loc l) {
  return 1 - uniform(k, shape, 0, 1, tracing::summed_in(d), l);
}

}  // namespace

Tensor exponential(const Key& k, const Shape& shape, Dtype d, Loc l) {
  const Line line(l);
  return convert(-log(positive_unit(k, shape, d, l)), d);
}
Tensor gumbel(const Key& k, const Shape& shape, Dtype d, Loc l) {
  const Line line(l);
  const Tensor e = -log(positive_unit(k, shape, d, l));
  return convert(-log(maximum(e, d == Dtype::float64 ? 0x1p-54 : 0x1p-25)), d);
}
// The sign of one half of the interval, an exponential number of the other.
Tensor laplace(const Key& k, const Shape& shape, Dtype d, Loc l) {
  const Line line(l);
  const Tensor u = positive_unit(k, shape, d, l), above = u > 0.5;
  return convert(
      where(above, -log(2 * (1 - where(above, minimum(u, d == Dtype::float64 ? 1 - 0x1p-53 : 1 - 0x1p-24), 0.5))),
            log(2 * u)),
      d);
}
Tensor rademacher(const Key& k, const Shape& shape, Dtype d, Loc l) {
  const Line line(l);
  return convert(where(bernoulli(k, 0.5, shape), 1, -1), d);
}

Tensor truncated_normal(const Key& k, const Shape& shape, double low, double high, Dtype d, Loc l) {
  const Line line(l);
  if (!(low < high)) throw usage_at(l, fmt::format("[truncated_normal] no number in [{}, {}]", low, high));
  const double a = std::erf(low / std::numbers::sqrt2), b = std::erf(high / std::numbers::sqrt2);
  const Dtype wide = tracing::summed_in(d);
  if (!(a < b)) throw usage_at(l, fmt::format("[truncated_normal] [{}, {}] is too far in the tail", low, high));
  const Tensor u = uniform(k, shape, 0, 1, wide, l) * (b - a) + a;
  return convert(clip(erf_inv(u) * std::numbers::sqrt2, low, high), d);
}

Tensor sphere(const Key& k, const Shape& shape, Dtype d, Loc l) {
  const Line line(l);
  if (shape.empty() || shape.back() < 1)
    throw usage_at(l, fmt::format("[sphere] no dimension in {}", to_string(shape)));
  const Tensor x = normal(k, shape, tracing::summed_in(d), l), length = norm(x, -1, true);
  return convert(x / where(length > 0, length, 1), d);
}
Tensor ball(const Key& k, const Shape& shape, Dtype d, Loc l) {
  const Line line(l);
  const Tensor x = sphere(k.fold(0), shape, tracing::summed_in(d), l);
  Shape rows = shape;
  rows.back() = 1;
  const Tensor u = positive_unit(k.fold(1), rows, d, l);
  return convert(x * pow(u, 1 / static_cast<double>(shape.back())), d);
}

namespace {

Tensor drawn_from(const Arg& x) {
  const Tensor t = tracing::as_tensor(x);
  if (t.rank() < 1 || t.dim(0) < 1)
    throw usage_at(x.where, fmt::format("[choice] nothing to draw from in {}", to_string(t.type())));
  return t;
}

}  // namespace

Tensor choice(const Key& k, const Arg& x, const Shape& shape) {
  const Line line(x.where);
  const Tensor t = drawn_from(x);
  return take(t, randint(k, shape, 0, t.dim(0), Dtype::int64), 0);
}
Tensor choice(const Key& k, const Arg& x, const Shape& shape, const Arg& weights) {
  const Line line(x.where);
  const Tensor t = drawn_from(x), w = tracing::as_float(weights);
  if (w.shape() != Shape{t.dim(0)})
    throw usage_at(x.where, fmt::format("[choice] weights {} for {} entries", to_string(w.type()), t.dim(0)));
  Shape rows = shape;
  rows.push_back(t.dim(0));
  return take(t, categorical(k, broadcast_to(log(w), rows)), 0);
}

}  // namespace viva
