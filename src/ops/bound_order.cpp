// Bounds of operations that compare: extremes, positions, sorting, windows.
#include <algorithm>
#include <array>
#include <functional>

#include "ops/bounds.h"
#include "ops/window.h"

namespace viva::bounds {
namespace {

using Reduce = std::function<Value(Value)>;

// Where no element of what is reduced may be NaN. any: whether one of the truth values holds.
Value all_numbers(Build& b, const Enclosure& x, const Reduce& any) {
  if (x.point() || !is_float(x.lower.dtype())) return {};
  return b.logical_not(any(b.logical_not(is_number(b, x))));
}

Enclosure where_numbers(Build& b, Value ok, const Enclosure& x) { return ok ? where(b, ok, x) : x; }

// -x of floats, ~x of others: both turn the order round.
Value turned(Build& b, Value x) { return is_float(x.dtype()) ? b.neg(x) : b.logical_not(x); }

Value spread_along(Build& b, Value x, const Shape& shape, int64_t dim) {
  return b.broadcast(x, shape, without(iota_ints(static_cast<int64_t>(shape.size())), std::array{dim}));
}

Enclosure integers(Build& b, const Type& t, int64_t low, int64_t high) {
  return {b.full(t, static_cast<double>(low)), b.full(t, static_cast<double>(high))};
}

}  // namespace

Enclosures reduce_max(BoundSite& s) {
  const Ints& dims = s.node.attrs.ints("dims");
  const Enclosure r = moves_all(s)[0];
  const Type& t = s.node.types[0];
  if (is_float(t.dtype) && numel(s.node.in[0].shape()) == 0) return {outward(s.b, r, 1)};  // -inf over nothing
  return {where_numbers(s.b, all_numbers(s.b, s.in[0], [&](Value v) { return s.b.reduce_or(v, dims); }), r)};
}

// Some element that reaches the greatest lower end wins: between the first and the last such, a NaN among them too.
Enclosures argmax(BoundSite& s) {
  Build& b = s.b;
  if (all_points(s.in)) return moves_all(s);
  const int64_t dim = s.node.attrs.integer("dim"), n = s.node.in[0].dim(dim);
  const Type& t = s.node.types[0];
  if (n == 0) return {integers(b, t, 0, 0)};
  const Enclosure& x = s.in[0];
  const Value most = spread_along(b, b.reduce_max(x.lower, {dim}), x.lower.shape(), dim);
  const Value may = b.compare(Direction::ge, x.upper, most);
  const Value from_end = b.argmax(b.reverse(may, {dim}), dim, t.dtype);
  return {{b.argmax(may, dim, t.dtype), b.sub(b.full(t, static_cast<double>(n - 1)), from_end)}};
}

// Sorted keys are monotone in all keys. What is carried by keys that are no points may be any element of its row.
Enclosures sort(BoundSite& s) {
  Build& b = s.b;
  if (s.in[0].point()) return moves_all(s);
  const int64_t dim = s.node.attrs.integer("dim");
  const Enclosure& key = s.in[0];
  const Value none =
      all_numbers(b, key, [&](Value v) { return spread_along(b, b.reduce_or(v, {dim}), v.shape(), dim); });
  Enclosures r{where_numbers(b, none, {b.sort({key.lower}, dim)[0], b.sort({key.upper}, dim)[0]})};
  for (size_t i = 1; i < s.in.size(); ++i) {
    const Enclosure& x = s.in[i];
    const Type& t = s.node.types[i];
    if (is_complex(t.dtype) || t.shape[static_cast<size_t>(dim)] == 0) {
      r.push_back(whole(b, t));
      continue;
    }
    const Value low = turned(b, b.reduce_max(turned(b, x.lower), {dim})), high = b.reduce_max(x.upper, {dim});
    r.push_back({spread_along(b, low, t.shape, dim), spread_along(b, high, t.shape, dim)});
  }
  return r;
}

Enclosures window_argmax(BoundSite& s) {
  if (all_points(s.in)) return moves_all(s);
  const WindowDims d = WindowDims::from(s.node.attrs);
  return {integers(s.b, s.node.types[0], 0, std::max<int64_t>(numel(d.size) - 1, 0))};
}

namespace {

// The greatest element of each window, 0 where it holds none.
Value pooled(Build& b, Value x, const WindowDims& d) {
  return b.window_gather(x, b.window_argmax(x, d, Dtype::int64), d);
}

// Pooling takes the element at the window's own argmax.
bool pools(const Node& n) {
  const Node* at = n.in[1].node();
  return at->op && at->op->name == "window_argmax" && at->in[0] == n.in[0] &&
         WindowDims::from(at->attrs) == WindowDims::from(n.attrs);
}

}  // namespace

// Pooling is monotone. By offsets that are not known, any element of the window, or 0.
Enclosures window_gather(BoundSite& s) {
  Build& b = s.b;
  const Enclosure& x = s.in[0];
  if (s.in[1].point()) return moved(s, 1);
  const WindowDims d = WindowDims::from(s.node.attrs);
  const Enclosure most = at_ends(x, [&](Value v) { return pooled(b, v, d); });
  const Value numbers = all_numbers(b, x, [&](Value v) { return pooled(b, v, d); });
  if (pools(s.node)) return {where_numbers(b, numbers, most)};
  const Value low = turned(b, pooled(b, turned(b, x.lower), d)), zero = b.zero(most.upper);
  // Holes give 0 to the pool of ~x too, which ~ turns into -1 or all bits.
  const Value least_of = is_float(low.dtype()) ? b.min(low, zero) : least(b, low.type());
  return {where_numbers(b, numbers, {least_of, b.max(most.upper, zero)})};
}

}  // namespace viva::bounds
