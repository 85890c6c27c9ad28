// Shapes, positions and counts.
#include <algorithm>
#include <cmath>

#include "trace/operand.h"
#include "viva/indexing.h"
#include "viva/numpy.h"

namespace viva {

using tracing::as_float;
using tracing::as_tensor;
using tracing::axis_in;
using tracing::common_dtype;
using tracing::Line;
using tracing::usage_at;

Tensor flatten(const Arg& a) {
  const Line line(a.where);
  const Tensor x = as_tensor(a);
  return reshape(x, {x.size()});
}

Tensor tile(const Arg& a, const Ints& given) {
  const Line line(a.where);
  const Tensor x = as_tensor(a);
  const auto rank = std::max(x.shape().size(), given.size());
  Shape own = x.shape(), apart, wide, together;
  Ints times = given;
  own.insert(own.begin(), rank - own.size(), 1), times.insert(times.begin(), rank - times.size(), 1);
  for (size_t i = 0; i < rank; ++i) {
    if (times[i] < 0) throw usage_at(a.where, fmt::format("[tile] {} times", times[i]));
    apart.insert(apart.end(), {1, own[i]}), wide.insert(wide.end(), {times[i], own[i]});
    together.push_back(times[i] * own[i]);
  }
  return reshape(broadcast_to(reshape(x, apart), wide), together);
}
Tensor repeat(const Arg& a, int64_t times, int64_t given) {
  const Line line(a.where);
  const Tensor x = as_tensor(a);
  const int64_t axis = axis_in(given, x.rank(), "repeat", a.where);
  if (times < 0) throw usage_at(a.where, fmt::format("[repeat] {} times", times));
  Shape wide = x.shape(), together = x.shape();
  wide.insert(wide.begin() + axis + 1, times), together[static_cast<size_t>(axis)] *= times;
  return reshape(broadcast_to(expand_dims(x, axis + 1), wide), together);
}

std::vector<Tensor> meshgrid(const std::vector<Tensor>& xs, bool matrix, Loc l) {
  const Line line(l);
  Shape shape;
  for (const Tensor& x : xs) {
    if (x.rank() != 1) throw usage_at(l, fmt::format("[meshgrid] takes vectors, not {}", to_string(x.type())));
    shape.push_back(x.size());
  }
  const bool turned = !matrix && xs.size() > 1;
  if (turned) std::swap(shape[0], shape[1]);
  std::vector<Tensor> all;
  for (size_t i = 0; i < xs.size(); ++i) {
    Shape own(shape.size(), 1);
    own[turned && i < 2 ? 1 - i : i] = xs[i].size();
    all.push_back(broadcast_to(reshape(xs[i], own), shape));
  }
  return all;
}

Tensor at_least_1d(const Arg& a) {
  const Line line(a.where);
  const Tensor x = as_tensor(a);
  return x.rank() < 1 ? reshape(x, {1}) : x;
}
Tensor at_least_2d(const Arg& a) {
  const Line line(a.where);
  const Tensor x = at_least_1d(as_tensor(a));
  return x.rank() < 2 ? expand_dims(x, 0) : x;
}
Tensor at_least_3d(const Arg& a) {
  const Line line(a.where);
  const Tensor x = at_least_2d(as_tensor(a));
  return x.rank() < 3 ? expand_dims(x, 2) : x;
}
Tensor hstack(const std::vector<Tensor>& xs, Loc l) {
  const Line line(l);
  std::vector<Tensor> all;
  for (const Tensor& x : xs) all.push_back(at_least_1d(x));
  return concatenate(all, !all.empty() && all.front().rank() > 1 ? 1 : 0);
}
Tensor vstack(const std::vector<Tensor>& xs, Loc l) {
  const Line line(l);
  std::vector<Tensor> all;
  for (const Tensor& x : xs) all.push_back(at_least_2d(x));
  return concatenate(all, 0);
}

Tensor rot90(const Arg& a, int64_t times) {
  const Line line(a.where);
  const Tensor x = as_tensor(a);
  if (x.rank() < 2) throw usage_at(a.where, fmt::format("[rot90] takes two axes or more, not {}", to_string(x.type())));
  switch ((times % 4 + 4) % 4) {
    case 1:
      return flip(swap_axes(x, 0, 1), 0);
    case 2:
      return flip(x, {0, 1});
    case 3:
      return swap_axes(flip(x, 0), 0, 1);
    default:
      return x;
  }
}

Tensor logspace(double start, double stop, int64_t count, Dtype d, Loc l) {
  const Line line(l);
  const Tensor exponents = linspace(start, stop, count, d == Dtype::float64 ? d : Dtype::float64, l);
  return convert(pow(full_like(exponents, 10), exponents), d);
}

// By the positions of the result in x.
Tensor pad(const Arg& a, const Ints& low, const Ints& high, PadMode mode) {
  const Line line(a.where);
  Tensor x = as_tensor(a);
  const auto rank = static_cast<size_t>(x.rank());
  if (low.size() != rank || high.size() != rank)
    throw usage_at(a.where, fmt::format("[pad] low {} and high {} do not fit {}", to_string(low), to_string(high),
                                        to_string(x.type())));
  for (size_t i = 0; i < rank; ++i) {
    const auto axis = static_cast<int64_t>(i);
    const int64_t n = x.dim(axis);
    if (low[i] == 0 && high[i] == 0) continue;
    if (low[i] < 0 || high[i] < 0 || n == 0)
      throw usage_at(a.where, fmt::format("[pad] {} before and {} after {} entries", low[i], high[i], n));
    const int64_t period = mode == PadMode::wrap ? n : std::max<int64_t>(1, 2 * (n - 1));
    std::vector<double> from;
    for (int64_t k = -low[i]; k < n + high[i]; ++k) {
      const int64_t turn = (k % period + period) % period;
      const int64_t reflected = turn < n ? turn : period - turn;
      from.push_back(static_cast<double>(mode == PadMode::edge ? std::clamp<int64_t>(k, 0, n - 1) : reflected));
    }
    x = take(x, tensor(from, {static_cast<int64_t>(from.size())}, Dtype::int64), axis);
  }
  return x;
}

Tensor searchsorted(const Arg& a, const Arg& b, bool right) {
  const Line line(a.where);
  const Dtype d = common_dtype({&a, &b});
  const Tensor sorted = as_tensor(a, d), x = as_tensor(b, d);
  if (sorted.rank() != 1)
    throw usage_at(a.where, fmt::format("[searchsorted] {} is no vector", to_string(sorted.type())));
  const Tensor each = expand_dims(x, -1);
  return sum(right ? sorted <= each : sorted < each, -1);
}

Tensor interp(const Arg& a, const Arg& b, const Arg& c) {
  const Line line(a.where);
  const Dtype common = common_dtype({&a, &b, &c}), d = is_float(common) ? common : Dtype::float32;
  const Tensor x = as_tensor(a, d), xp = as_tensor(b, d), fp = as_tensor(c, d);
  if (xp.rank() != 1 || fp.shape() != xp.shape() || xp.size() < 1)
    throw usage_at(a.where,
                   fmt::format("[interp] points {} with values {}", to_string(xp.type()), to_string(fp.type())));
  const int64_t n = xp.size();
  const Tensor above = clip(searchsorted(xp, x, true), 1, std::max<int64_t>(n - 1, 1)), below = above - 1;
  const Tensor x0 = take(xp, below, 0), x1 = take(xp, above, 0), y0 = take(fp, below, 0), y1 = take(fp, above, 0);
  const Tensor flat = x1 == x0, t = (x - x0) / where(flat, 1, x1 - x0);
  const Tensor inside = where(flat, y0, y0 + t * (y1 - y0));
  return where(x <= xp(0), fp(0), where(x >= xp(n - 1), fp(n - 1), where(is_nan(x), x, inside)));
}

Tensor bincount(const Arg& a, int64_t length, const Arg& w) {
  const Line line(a.where);
  const Tensor x = as_tensor(a);
  const Tensor weights = w.tensor ? broadcast_to(*w.tensor, x.shape()) : ones(x.shape(), Dtype::int32);
  if (!is_integer(x.dtype()) || length < 0)
    throw usage_at(a.where, fmt::format("[bincount] {} bins of {}: takes integers", length, to_string(x.type())));
  const Tensor counted = is_bool(weights.dtype()) ? convert(weights, Dtype::int32) : weights;
  const Tensor flat = reshape(x, {-1}), values = reshape(counted, {-1});
  // A negative position would count from the end.
  const Tensor inside = is_unsigned(x.dtype()) ? ones_like(flat) == 1 : flat >= 0;
  return zeros({length}, counted.dtype()).at(where(inside, flat, length)).add(values);
}
Tensor bincount(const Arg& a, int64_t length) {
  const Line line(a.where);
  return bincount(a, length, 1);
}

Tensor histogram(const Arg& a, const Arg& b) {
  const Line line(a.where);
  const Dtype d = common_dtype({&a, &b});
  const Tensor x = reshape(as_tensor(a, d), {-1}), edges = as_tensor(b, d);
  if (edges.rank() != 1 || edges.size() < 2)
    throw usage_at(a.where, fmt::format("[histogram] edges {}: a vector of 2 or more", to_string(edges.type())));
  const int64_t bins = edges.size() - 1;
  const Tensor last = edges(bins), place = where(x == last, bins, searchsorted(edges, x, true)) - 1;
  return bincount(where((x >= edges(0)) & (x <= last), place, -1), bins);
}

}  // namespace viva
