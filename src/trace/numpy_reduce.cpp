// Reductions, running extremes and differences made of other functions.
#include <cmath>

#include "trace/operand.h"
#include "viva/numpy.h"

namespace viva {

using tracing::as_float;
using tracing::as_tensor;
using tracing::axis_in;
using tracing::Line;
using tracing::part;

namespace {

// √v for v >= 0, with slope 0 at 0.
Tensor root(const Tensor& v) {
  const Tensor positive = v > 0;
  return where(positive, sqrt(where(positive, v, 1)), stop_gradient(v));
}

// x combined with all before it along the axis, in logarithmically many steps.
template <class F> Tensor running(const Arg& a, int64_t given, std::string_view what, const F& combine) {
  const Line line(a.where);
  Tensor x = as_tensor(a);
  const int64_t axis = axis_in(given, x.rank(), what, a.where), n = x.dim(axis);
  for (int64_t step = 1; step < n; step *= 2)
    x = concatenate({part(x, axis, 0, step), combine(part(x, axis, step, n), part(x, axis, 0, n - step))}, axis);
  return x;
}

}  // namespace

Tensor std_dev(const Arg& x, const Axes& axes, bool keep, double degrees) {
  const Line line(x.where);
  return root(variance(x, axes, keep, degrees));
}

Tensor norm(const Arg& a, const Axes& axes, bool keep, double order) {
  const Line line(a.where);
  const Tensor given = as_float(a), x = tracing::converted(given, tracing::summed_in(given.dtype()), a.where);
  if (!(order > 0)) throw tracing::usage_at(a.where, fmt::format("[norm] order {}: a number above 0", order));
  const auto r = [&] {
    if (order == 2) return root(sum(is_complex(x.dtype()) ? square(real(x)) + square(imag(x)) : square(x), axes, keep));
    if (order == 1) return sum(abs(x), axes, keep);
    if (std::isinf(order)) return max(abs(x), axes, keep);
    const Tensor total = sum(pow(abs(x), order), axes, keep), positive = total > 0;
    return where(positive, pow(where(positive, total, 1), 1 / order), stop_gradient(total));
  };
  return convert(r(), real(given).dtype());
}

Tensor average(const Arg& a, const Arg& w, const Axes& axes, bool keep) {
  const Line line(a.where);
  const Tensor x = as_float(a), weights = broadcast_to(as_float(w), x.shape());
  return sum(x * weights, axes, keep) / sum(weights, axes, keep);
}
Tensor ptp(const Arg& a, const Axes& axes, bool keep) {
  const Line line(a.where);
  const Tensor x = as_tensor(a);
  return max(x, axes, keep) - min(x, axes, keep);
}
Tensor count_nonzero(const Arg& a, const Axes& axes, bool keep) {
  const Line line(a.where);
  return sum(as_tensor(a) != 0, axes, keep);
}

Tensor nan_sum(const Arg& a, const Axes& axes, bool keep) {
  const Line line(a.where);
  const Tensor x = as_tensor(a);
  return sum(is_float(x.dtype()) ? where(is_nan(x), 0, x) : x, axes, keep);
}
Tensor nan_mean(const Arg& a, const Axes& axes, bool keep) {
  const Line line(a.where);
  const Tensor x = as_float(a), wide = tracing::converted(x, tracing::summed_in(x.dtype()), a.where);
  const Tensor count = convert(sum(~is_nan(x), axes, keep), wide.dtype());
  return convert(nan_sum(wide, axes, keep) / count, x.dtype());
}
Tensor nan_max(const Arg& a, const Axes& axes, bool keep) {
  const Line line(a.where);
  const Tensor x = as_tensor(a);
  if (!is_float(x.dtype())) return max(x, axes, keep);
  const Tensor r = max(where(is_nan(x), -INFINITY, x), axes, keep);
  return where(all(is_nan(x), axes, keep), std::nan(""), r);
}
Tensor nan_min(const Arg& a, const Axes& axes, bool keep) {
  const Line line(a.where);
  const Tensor x = as_tensor(a);
  return is_float(x.dtype()) ? -nan_max(-x, axes, keep) : min(x, axes, keep);
}

Tensor cumprod(const Arg& x, int64_t axis) {
  return running(x, axis, "cumprod", [](const Tensor& a, const Tensor& b) { return a * b; });
}
Tensor cummax(const Arg& x, int64_t axis) {
  return running(x, axis, "cummax", [](const Tensor& a, const Tensor& b) { return maximum(a, b); });
}
Tensor cummin(const Arg& x, int64_t axis) {
  return running(x, axis, "cummin", [](const Tensor& a, const Tensor& b) { return minimum(a, b); });
}

Tensor diff(const Arg& a, int64_t times, int64_t given) {
  const Line line(a.where);
  Tensor x = as_tensor(a);
  const int64_t axis = axis_in(given, x.rank(), "diff", a.where);
  if (times < 0) throw tracing::usage_at(a.where, fmt::format("[diff] {} times", times));
  for (; times > 0 && x.dim(axis) > 0; --times) {
    const int64_t n = x.dim(axis);
    const Tensor above = part(x, axis, 1, n), below = part(x, axis, 0, n - 1);
    x = is_bool(x.dtype()) ? above ^ below : above - below;
  }
  return x;
}
Tensor gradient(const Arg& a, double spacing, int64_t given) {
  const Line line(a.where);
  const Tensor x = as_float(a);
  const int64_t axis = axis_in(given, x.rank(), "gradient", a.where), n = x.dim(axis);
  if (n < 2)
    throw tracing::usage_at(a.where,
                            fmt::format("[gradient] {}: at least 2 points along axis {}", to_string(x.type()), axis));
  const Tensor inner = (part(x, axis, 2, n) - part(x, axis, 0, n - 2)) * (0.5 / spacing);
  const Tensor first = (part(x, axis, 1, 2) - part(x, axis, 0, 1)) * (1 / spacing);
  const Tensor last = (part(x, axis, n - 1, n) - part(x, axis, n - 2, n - 1)) * (1 / spacing);
  return concatenate({first, inner, last}, axis);
}
Tensor trapezoid(const Arg& a, double spacing, int64_t given) {
  const Line line(a.where);
  const Tensor y = as_float(a);
  const int64_t axis = axis_in(given, y.rank(), "trapezoid", a.where), n = y.dim(axis);
  if (n < 1) return sum(y, Axes(axis));
  return sum(part(y, axis, 1, n) + part(y, axis, 0, n - 1), Axes(axis)) * (0.5 * spacing);
}

}  // namespace viva
