// Sorting and what is made of it.
#include <algorithm>
#include <cmath>

#include "trace/operand.h"
#include "viva/numpy.h"

namespace viva {

using tracing::as_float;
using tracing::as_tensor;
using tracing::axis_in;
using tracing::Line;
using tracing::usage_at;

namespace {

// Its order is that of t turned round.
Tensor turned(const Tensor& t) { return is_float(t.dtype()) ? -t : ~t; }

Top in_order(const Arg& x, int64_t axis, bool descending, std::string_view what) {
  const Tensor t = as_tensor(x);
  const int64_t dim = axis_in(axis, t.rank(), what, x.where);
  const Tensor key = descending ? turned(t) : t, places = iota(t.shape(), dim, Dtype::int32);
  auto sorted = tracing::emit_all("sort", {&key, &t, &places}, {{"dim", dim}}, x.where);
  return {std::move(sorted[1]), std::move(sorted[2])};
}

}  // namespace

Tensor sort(const Arg& x, int64_t axis, bool descending) {
  const Line line(x.where);
  return in_order(x, axis, descending, "sort").values;
}

Tensor argsort(const Arg& x, int64_t axis, bool descending) {
  const Line line(x.where);
  return in_order(x, axis, descending, "argsort").indices;
}

Top top_k(const Arg& x, int64_t k, int64_t axis) {
  const Line line(x.where);
  const Tensor t = as_tensor(x);
  const int64_t dim = axis_in(axis, t.rank(), "top_k", x.where), extent = t.dim(dim);
  if (k < 0 || k > extent)
    throw usage_at(x.where, fmt::format("[top_k] takes {} of the {} elements along axis {}", k, extent, dim));
  const Top all = in_order(t, dim, true, "top_k");
  const Tensor first = arange(k, Dtype::int64);
  return {take(all.values, first, dim), take(all.indices, first, dim)};
}

Tensor quantile(const Arg& x, double q, std::optional<int64_t> axis, bool keep) {
  const Line line(x.where);
  if (!(q >= 0 && q <= 1)) throw usage_at(x.where, fmt::format("[quantile] {} is outside 0 to 1", q));
  const Tensor given = as_float(x), t = axis ? given : flatten(given);
  const int64_t dim = axis_in(axis.value_or(0), t.rank(), "quantile", x.where), n = t.dim(dim);
  if (n == 0) throw usage_at(x.where, "[quantile] of no elements");
  const Tensor ordered = sort(t, dim);
  const auto at = [&](int64_t i) { return take(ordered, i, dim); };
  const double place = q * static_cast<double>(n - 1);
  const auto low = static_cast<int64_t>(std::floor(place));
  const double part = place - static_cast<double>(low);
  // Equal neighbours, infinite ones too, give themselves.
  const Tensor a = at(low), b = at(std::min(low + 1, n - 1)), last = at(n - 1);
  const Tensor between = part == 0 ? a : where(a == b, a, a * (1 - part) + b * part);
  const Tensor r = where(is_nan(last), last, between);
  Shape kept = given.shape();
  if (axis) kept[static_cast<size_t>(dim)] = 1;
  else std::ranges::fill(kept, 1);
  return keep ? tracing::reshaped(r, kept, x.where) : r;
}

Tensor median(const Arg& x, std::optional<int64_t> axis, bool keep) { return quantile(x, 0.5, axis, keep); }

}  // namespace viva
