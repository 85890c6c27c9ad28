// Sums, extremes, positions and what is made of them.
#include <cmath>

#include "trace/graph.h"
#include "trace/operand.h"

namespace viva {

using tracing::as_float;
using tracing::as_tensor;
using tracing::axes_in;
using tracing::emit;
using tracing::Line;

namespace {

// The shape with extents of 1 in place of the axes.
Tensor kept(const Tensor& r, Shape shape, const Ints& axes, bool keep, Where where) {
  if (!keep) return r;
  for (int64_t a : axes) shape[static_cast<size_t>(a)] = 1;
  return tracing::reshaped(r, shape, where);
}

Tensor widened(const Tensor& t, Where where) { return tracing::converted(t, tracing::summed_in(t.dtype()), where); }

Tensor reduce(std::string_view op, const Tensor& x, const Axes& axes, bool keep, Where where,
              std::optional<Dtype> result = {}) {
  const Ints dims = axes_in(axes, x.rank(), op, where);
  Attrs attrs{{"dims", dims}};
  if (op == "reduce_sum") attrs.set("dtype", result.value_or(x.dtype()));
  return kept(emit(op, {&x}, std::move(attrs), where), x.shape(), dims, keep, where);
}

double count(const Tensor& x, const Axes& axes, Where where) {
  double n = 1;
  for (int64_t a : axes_in(axes, x.rank(), "mean", where)) n *= static_cast<double>(x.dim(a));
  return n;
}

}  // namespace

Tensor sum(const Arg& x, const Axes& axes, bool keep) {
  Tensor t = as_tensor(x);
  if (is_bool(t.dtype())) t = tracing::converted(t, Dtype::int32, x.where);
  return reduce("reduce_sum", t, axes, keep, x.where);
}

Tensor mean(const Arg& x, const Axes& axes, bool keep) {
  const Line line(x.where);
  const Tensor t = as_float(x);
  const Tensor total = reduce("reduce_sum", t, axes, keep, x.where, tracing::summed_in(t.dtype()));
  const double n = count(t, axes, x.where);
  return convert(total * (n > 0 ? 1 / n : NAN), t.dtype());
}

Tensor max(const Arg& x, const Axes& axes, bool keep) {
  return reduce("reduce_max", as_tensor(x), axes, keep, x.where);
}

// Of integers through their complement: the negative of the lowest does not exist.
Tensor min(const Arg& x, const Axes& axes, bool keep) {
  const Line line(x.where);
  const Tensor t = as_tensor(x);
  return is_float(t.dtype()) ? -max(-t, axes, keep) : ~max(~t, axes, keep);
}

Tensor prod(const Arg& x, const Axes& axes, bool keep) {
  return reduce("reduce_prod", as_tensor(x), axes, keep, x.where);
}

Tensor all(const Arg& x, const Axes& axes, bool keep) {
  return reduce("reduce_and", tracing::converted(as_tensor(x), Dtype::boolean, x.where), axes, keep, x.where);
}

Tensor any(const Arg& x, const Axes& axes, bool keep) {
  return reduce("reduce_or", tracing::converted(as_tensor(x), Dtype::boolean, x.where), axes, keep, x.where);
}

Tensor variance(const Arg& x, const Axes& axes, bool keep, double degrees) {
  const Line line(x.where);
  const Tensor given = as_float(x), t = widened(given, x.where), d = t - mean(t, axes, true);
  return convert(sum(square(d), axes, keep) * (1 / (count(t, axes, x.where) - degrees)), given.dtype());
}

Tensor argmax(const Arg& x, int64_t axis) {
  const Tensor t = as_tensor(x);
  const int64_t dim = tracing::axis_in(axis, t.rank(), "argmax", x.where);
  return emit("argmax", {&t}, {{"dim", dim}, {"dtype", Dtype::int32}}, x.where);
}

Tensor argmin(const Arg& x, int64_t axis) {
  const Line line(x.where);
  const Tensor t = as_tensor(x);
  return argmax(is_float(t.dtype()) ? -t : ~t, axis);
}

Tensor cumsum(const Arg& x, int64_t axis, bool reverse) {
  const Tensor t = as_tensor(x);
  const int64_t dim = tracing::axis_in(axis, t.rank(), "cumsum", x.where);
  return emit("cumsum", {&t}, {{"dim", dim}, {"reverse", reverse}}, x.where);
}

namespace {

// The greatest element, as a constant of derivatives, and 0 where it is not finite: ∞ - ∞ is no number.
Tensor shift_of(const Tensor& t, const Axes& axes) {
  const Tensor top = stop_gradient(max(t, axes, true));
  return where(is_finite(top), top, 0);
}

}  // namespace

Tensor logsumexp(const Arg& x, const Axes& axes, bool keep) {
  const Line line(x.where);
  const Tensor given = as_float(x), t = widened(given, x.where), greatest = max(t, axes, true);
  const Tensor plain = is_finite(stop_gradient(greatest)), s = where(plain, t, 0);
  const Tensor top = stop_gradient(where(plain, greatest, 0));
  const Tensor r = convert(where(plain, log(sum(exp(s - top), axes, true)) + top, greatest), given.dtype());
  return keep ? r : squeeze(r, Axes(axes_in(axes, t.rank(), "logsumexp", x.where)));
}

Tensor softmax(const Arg& x, int64_t axis) {
  const Line line(x.where);
  const auto body = [&](const tracing::Tensors& in) -> tracing::Tensors {
    const Tensor t = widened(in[0], x.where), e = exp(t - shift_of(t, axis));
    return {convert(e / sum(e, axis, true), in[0].dtype())};
  };
  return tracing::named("softmax", body, {as_float(x)}, x.where).front();
}

Tensor log_softmax(const Arg& x, int64_t axis) {
  const Line line(x.where);
  const auto body = [&](const tracing::Tensors& in) -> tracing::Tensors {
    const Tensor t = widened(in[0], x.where), shifted = t - shift_of(t, axis);
    return {convert(shifted - log(sum(exp(shifted), axis, true)), in[0].dtype())};
  };
  return tracing::named("log_softmax", body, {as_float(x)}, x.where).front();
}

}  // namespace viva
