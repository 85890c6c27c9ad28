// Pools over all of space, and to given extents.
#include "nn/layer.h"

namespace viva {

using tracing::Line;
using tracing::usage_at;

namespace {

Axes space_of(const Tensor& x, std::string_view what, Where where) {
  if (x.rank() < 3)
    throw usage_at(where, fmt::format("[{}] takes [batch, channels, space…], not {}", what, to_string(x.type())));
  return Axes(iota_ints(x.rank() - 2, 2));
}

// Along one axis: f of the elements that each of n places reads.
template <class F> Tensor adapted(const Tensor& x, int64_t axis, int64_t n, const F& f) {
  const int64_t extent = x.dim(axis);
  if (n == extent) return x;
  if (extent % n == 0) {
    Shape split = x.shape();
    split[static_cast<size_t>(axis)] = extent / n;
    split.insert(split.begin() + axis, n);
    return f(reshape(x, split), axis + 1);
  }
  std::vector<Tensor> places;
  for (int64_t i = 0; i < n; ++i) {
    const Tensor part = split_at(x, {i * extent / n, ((i + 1) * extent + n - 1) / n}, axis)[1];
    places.push_back(f(part, axis));
  }
  return stack(places, axis);
}

template <class F> Tensor adaptive(const Arg& a, const Tensor& given, const Ints& extents, const F& f) {
  space_of(given, "adaptive_pool", a.where);
  if (static_cast<int64_t>(extents.size()) != given.rank() - 2)
    throw usage_at(a.where,
                   fmt::format("[adaptive_pool] extents {} for {}", to_string(extents), to_string(given.type())));
  Tensor x = given;
  for (size_t i = 0; i < extents.size(); ++i) {
    const auto axis = static_cast<int64_t>(i) + 2;
    tracing::positive(extents[i], "adaptive_pool", "places", a.where);
    if (x.dim(axis) == 0) throw usage_at(a.where, fmt::format("[adaptive_pool] no space in {}", to_string(x.type())));
    x = adapted(x, axis, extents[i], f);
  }
  return x;
}

}  // namespace

Tensor global_max_pool(const Arg& x) {
  const Line line(x.where);
  const Tensor t = tracing::as_tensor(x);
  return max(t, space_of(t, "global_max_pool", x.where));
}

Tensor global_mean_pool(const Arg& x) {
  const Line line(x.where);
  const Tensor t = tracing::as_float(x);
  return mean(t, space_of(t, "global_mean_pool", x.where));
}

Tensor adaptive_max_pool(const Arg& x, const Ints& extents) {
  const Line line(x.where);
  return adaptive(x, tracing::as_tensor(x), extents, [](const Tensor& t, int64_t axis) { return max(t, axis); });
}

// The mean over a block is the mean of its means along each axis.
Tensor adaptive_mean_pool(const Arg& x, const Ints& extents) {
  const Line line(x.where);
  const Tensor given = tracing::as_float(x);
  const Tensor t = tracing::converted(given, tracing::summed_in(given.dtype()), x.where);
  const Tensor r = adaptive(x, t, extents, [](const Tensor& part, int64_t axis) { return mean(part, axis); });
  return convert(r, given.dtype());
}

}  // namespace viva
