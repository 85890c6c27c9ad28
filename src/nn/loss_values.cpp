// Losses of numbers, element by element, and of directions.
#include "trace/operand.h"
#include "viva/losses.h"

namespace viva {

using tracing::as_float;
using tracing::Line;
using tracing::usage_at;

namespace {

// x - y, which are not broadcast: [n] against [n,1] would be n² differences.
Tensor difference(std::string_view what, const Arg& a, const Arg& b) {
  const Tensor x = as_float(a), y = as_float(b);
  if (x.shape() != y.shape())
    throw usage_at(a.where, fmt::format("[{}] {} against {}: shapes differ, and are not broadcast: give both the same",
                                        what, to_string(x.type()), to_string(y.type())));
  return x - y;
}

void check_positive(std::string_view what, std::string_view name, double v, Where where) {
  if (!(v > 0)) throw usage_at(where, fmt::format("[{}] {} {}: give a number above 0", what, name, v));
}

}  // namespace

Tensor squared_error(const Arg& x, const Arg& y) {
  const Line line(x.where);
  return square(difference("squared_error", x, y));
}

Tensor absolute_error(const Arg& x, const Arg& y) {
  const Line line(x.where);
  return abs(difference("absolute_error", x, y));
}

// Where |d| > delta the square is of delta: an overflow there would spoil the gradient.
Tensor huber(const Arg& x, const Arg& y, double delta) {
  const Line line(x.where);
  check_positive("huber", "delta", delta, x.where);
  const Tensor d = difference("huber", x, y), size = abs(d), far = size > delta;
  return where(far, delta * (size - 0.5 * delta), 0.5 * square(where(far, delta, d)));
}

Tensor smooth_l1(const Arg& x, const Arg& y, double beta) {
  const Line line(x.where);
  if (beta == 0) return absolute_error(x, y);
  check_positive("smooth_l1", "beta", beta, x.where);
  return huber(x, y, beta) / beta;
}

Tensor hinge(const Arg& scores, const Arg& targets) {
  const Line line(scores.where);
  const Tensor x = as_float(scores), y = as_float(targets);
  if (x.shape() != y.shape())
    throw usage_at(scores.where,
                   fmt::format("[hinge] {} against {}: shapes differ, and are not broadcast: give both the same",
                               to_string(x.type()), to_string(y.type())));
  const Tensor gap = 1 - x * y;
  return where(gap <= 0, 0, gap);
}

namespace {

// 1 / max(|x|, eps), whose slope is 0 where |x| <= eps.
Tensor inverse_length(const Tensor& x, int64_t axis, double eps) {
  const Tensor squares = sum(square(x), axis), small = squares <= eps * eps;
  return where(small, 1 / eps, rsqrt(where(small, 1, squares)));
}

}  // namespace

Tensor cosine_similarity(const Arg& a, const Arg& b, int64_t axis, double eps) {
  const Line line(a.where);
  check_positive("cosine_similarity", "eps", eps, a.where);
  const Dtype d = tracing::common_dtype({&a, &b}), real = has_tangent(d) ? d : Dtype::float32;
  const Dtype wide = tracing::summed_in(real);
  const Tensor x = tracing::as_tensor(a, wide), y = tracing::as_tensor(b, wide);
  if (x.shape() != y.shape())
    throw usage_at(
        a.where,
        fmt::format("[cosine_similarity] {} against {}: shapes differ, and are not broadcast: give both the same",
                    to_string(x.type()), to_string(y.type())));
  const Tensor product = sum(x * y, axis);
  return convert(product * inverse_length(x, axis, eps) * inverse_length(y, axis, eps), real);
}

Tensor cosine_distance(const Arg& a, const Arg& b, int64_t axis, double eps) {
  const Line line(a.where);
  return 1 - cosine_similarity(a, b, axis, eps);
}

Tensor masked_mean(const Arg& values, const Arg& mask) {
  const Line line(values.where);
  const Tensor v = as_float(values), m = tracing::as_tensor(mask);
  if (!is_bool(m.dtype()) || m.shape() != v.shape())
    throw usage_at(values.where, fmt::format("[masked_mean] values {} and a mask {}: takes bool of the same shape",
                                             to_string(v.type()), to_string(m.type())));
  const Tensor t = convert(v, tracing::summed_in(v.dtype()));
  const Tensor count = sum(convert(m, t.dtype()));
  return convert(sum(where(m, t, 0)) / maximum(count, 1), v.dtype());
}

}  // namespace viva
