// Bounds of operations that read or write at indices that are data: exact in places where the indices are points, else
// of all elements that they may lead to.
#include <algorithm>
#include <array>

#include "ops/bounds.h"
#include "ops/indexing.h"

namespace viva::bounds {
namespace {

// One enclosure for all elements, of this shape.
Enclosure of_all(Build& b, const Enclosure& x, const Shape& shape) {
  if (is_complex(x.lower.dtype())) {
    const Parts p = parts_of(b, x);
    return from_parts(b, {of_all(b, p.re, shape), of_all(b, p.im, shape)});
  }
  const Type t{x.lower.dtype(), shape};
  if (numel(x.lower.shape()) == 0) return whole(b, t);
  const Ints dims = iota_ints(x.lower.rank());
  return {b.broadcast(b.reduce_min(x.lower, dims), shape, {}), b.broadcast(b.reduce_max(x.upper, dims), shape, {})};
}

}  // namespace

Enclosures gather(BoundSite& s) {
  Build& b = s.b;
  if (s.in[1].point()) {
    const auto at = [&](bool up) {
      const auto end = [&](size_t i) { return up ? s.in[i].upper : s.in[i].lower; };
      return b.repeat(s.node, {end(0), end(1), end(2)})[0];
    };
    const bool point = s.in[0].point() && s.in[2].point();
    const Value lower = at(false);
    return {{lower, point ? lower : at(true)}};
  }
  const Shape& shape = s.node.types[0].shape;
  const Enclosure x = of_all(b, s.in[0], shape);
  if (GatherDims::from(s.node.attrs).mode == OutOfBounds::clip) return {x};
  return {hull(b, x, of_all(b, s.in[2], shape))};
}

Enclosures dynamic_slice(BoundSite& s) {
  if (all_points(s.in.subspan(1))) return moved(s, 1);
  return {of_all(s.b, s.in[0], s.node.types[0].shape)};
}

Enclosures dynamic_update_slice(BoundSite& s) {
  if (all_points(s.in.subspan(2))) return moved(s, 2);
  return {hull(s.b, s.in[0], of_all(s.b, s.in[1], s.node.types[0].shape))};
}

namespace {

// How many index rows there are: each meets an element once at most.
double rows_of(const Node& n) {
  const Shape& indices = n.in[1].shape();
  return static_cast<double>(numel(Shape(indices.begin(), indices.end() - 1)));
}

// A sum of so many terms to each element, moved by the errors of the engine and of its own, as in bound_sums.cpp.
Enclosure scattered_sum(Build& b, const Node& n, const Enclosure& x, Value indices, const Enclosure& updates) {
  const Dtype d = x.lower.dtype(), engine = d == Dtype::float64 ? Dtype::float64 : Dtype::float32;
  const double unit = (engine == Dtype::float64 ? 0x1p-53 : 0x1p-24) +
                      // 16-bit elements are rounded after every update.
                      (size_of(d) == 2 ? 0x1p-8 : 0.0);
  const double factor = 1.25 * (rows_of(n) + 1) * (unit + 0x1p-52), most = engine == Dtype::float64 ? 0x1p1022
                                                                           : d == Dtype::float16    ? 0x1p14
                                                                                                    : 0x1p126;
  if (factor > 0.125) return whole(b, x.lower.type());
  const Enclosure wide_x = converted_out(b, x, Dtype::float64), wide_u = converted_out(b, updates, Dtype::float64);
  const auto end = [&](Value v, Value u, bool up) {
    const Value total = b.repeat(n, {v, indices, u})[0];
    const Value movement = b.scale(b.repeat(n, {b.abs(v), indices, b.abs(u)})[0], factor);
    const Value moved = b.widen(up ? b.add(total, movement) : b.sub(total, movement), up, 2);
    const Value ok = b.compare(Direction::lt, movement, b.full_like(movement, factor * most));
    return b.select(ok, moved, up ? greatest(b, moved.type()) : least(b, moved.type()));
  };
  return converted_out(b, {end(wide_x.lower, wide_u.lower, false), end(wide_x.upper, wide_u.upper, true)}, d);
}

// Updates that are to lead nowhere known, as the box of all and of what is there.
Enclosure anywhere(BoundSite& s, Combine how) {
  Build& b = s.b;
  const Enclosure& x = s.in[0];
  if (how == Combine::add || how == Combine::mul || is_complex(x.lower.dtype())) return whole(b, x.lower.type());
  const Enclosure u = of_all(b, s.in[2], x.lower.shape());
  if (how == Combine::min) return of_numbers(b, std::array{x, u}, {b.min(x.lower, u.lower), x.upper});
  if (how == Combine::max) return of_numbers(b, std::array{x, u}, {x.lower, b.max(x.upper, u.upper)});
  return hull(b, x, u);
}

// min and max are monotone; a NaN goes where its update goes.
Enclosure scattered_extreme(BoundSite& s) {
  Build& b = s.b;
  const Node& n = s.node;
  const Enclosure &x = s.in[0], &u = s.in[2];
  const auto at = [&](Value v, Value w) { return b.repeat(n, {v, s.in[1].lower, w})[0]; };
  const Enclosure r{at(x.lower, u.lower), at(x.upper, u.upper)};
  if (!is_float(x.lower.dtype())) return r;
  const auto unknown = [&](const Enclosure& e) { return b.logical_not(is_number(b, e)); };
  const Value reached = b.scatter(unknown(x), s.in[1].lower, unknown(u), Combine::max, GatherDims::from(n.attrs));
  return where(b, b.logical_not(reached), r);
}

}  // namespace

Enclosures scatter(BoundSite& s) {
  Build& b = s.b;
  const Combine how = combine_from(s.node.attrs.text("combine"));
  const Enclosure &x = s.in[0], &u = s.in[2];
  const Dtype d = x.lower.dtype();
  if (all_points(s.in) && !has_tangent(d)) return moves_all(s);
  if (!s.in[1].point()) return {anywhere(s, how)};
  const Value at = s.in[1].lower;
  if (how == Combine::set)
    return {{b.repeat(s.node, {x.lower, at, u.lower})[0], b.repeat(s.node, {x.upper, at, u.upper})[0]}};
  if (how == Combine::min || how == Combine::max) return {scattered_extreme(s)};
  if (how == Combine::mul || (is_complex(d) && how == Combine::add)) return all_whole(b, s.node);
  if (is_float(d)) return {scattered_sum(b, s.node, x, at, u)};
  return {by_float64(b, s.node.types[0], std::array{x, u},
                     [&](std::span<const Enclosure> in) { return scattered_sum(b, s.node, in[0], at, in[1]); })};
}

}  // namespace viva::bounds
