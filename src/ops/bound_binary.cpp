// Bounds of pointwise operations of two operands.
#include <array>
#include <cmath>
#include <numbers>

#include "ops/bounds.h"

namespace viva::bounds {

using In = std::span<const Enclosure>;

Enclosure added(BoundSite& s, In in) { return sum(s.b, in[0], in[1]); }
Enclosure subtracted(BoundSite& s, In in) { return difference(s.b, in[0], in[1]); }
// x·x, as the same value twice, is a square.
Enclosure multiplied(BoundSite& s, In in) {
  return s.node.in[0] == s.node.in[1] ? square(s.b, in[0]) : product(s.b, in[0], in[1]);
}

namespace {

template <class F> Enclosure part_by_part(Build& b, In in, F&& f) {
  const Parts x = parts_of(b, in[0]), y = parts_of(b, in[1]);
  return from_parts(b, {f(b, x.re, y.re), f(b, x.im, y.im)});
}

}  // namespace

Enclosure added_parts(BoundSite& s, In in) { return part_by_part(s.b, in, sum); }
Enclosure subtracted_parts(BoundSite& s, In in) { return part_by_part(s.b, in, difference); }
Enclosure multiplied_parts(BoundSite& s, In in) {
  Build& b = s.b;
  const Parts x = parts_of(b, in[0]), y = parts_of(b, in[1]);
  return from_parts(b, {difference(b, product(b, x.re, y.re), product(b, x.im, y.im)),
                        sum(b, product(b, x.re, y.im), product(b, x.im, y.re))});
}

// 0 times anything is 0.
Enclosures mul_no_nan(BoundSite& s) {
  Build& b = s.b;
  Enclosure r = by_class(s, multiplied, multiplied_parts)[0];
  if (!is_float(s.node.types[0].dtype)) return {r};
  const Enclosure& x = s.in[0];
  const Value zero = b.zero(x.lower),
              none = b.logical_and(b.compare(Direction::eq, x.lower, zero), b.compare(Direction::eq, x.upper, zero));
  return {{b.select(none, zero, r.lower), b.select(none, zero, r.upper)}};
}

namespace {

// The node's results at the corners of a box.
Enclosure at_corners(BoundSite& s, const Enclosure& x, const Enclosure& y) {
  Enclosure r;
  for (const Value& v : x.point() ? Values{x.lower} : Values{x.lower, x.upper})
    for (const Value& w : y.point() ? Values{y.lower} : Values{y.lower, y.upper}) {
      const Value z = s.b.repeat(s.node, {v, w})[0];
      r = r ? Enclosure{s.b.min(r.lower, z), s.b.max(r.upper, z)} : Enclosure{z, z};
    }
  return r;
}

Value positive(Build& b, const Enclosure& x) { return b.compare(Direction::gt, x.lower, b.zero(x.lower)); }
Value negative_only(Build& b, const Enclosure& x) { return b.compare(Direction::lt, x.upper, b.zero(x.upper)); }
Value without_zero(Build& b, const Enclosure& x) { return b.logical_or(positive(b, x), negative_only(b, x)); }
Value is_itself(Build& b, Value x) { return b.compare(Direction::eq, x, x); }

// Truncated quotients are monotone in both operands where the divisor is positive.
Enclosure integer_quotient(BoundSite& s) { return where(s.b, positive(s.b, s.in[1]), at_corners(s, s.in[0], s.in[1])); }

}  // namespace

Enclosures div(BoundSite& s) {
  const Dtype d = s.node.types[0].dtype;
  if (is_complex(d)) return all_whole(s.b, s.node);
  if (is_integer(d)) return {integer_quotient(s)};
  const Enclosure corners = at_corners(s, s.in[0], s.in[1]);
  const Value ok = s.b.logical_and(without_zero(s.b, s.in[1]), is_itself(s.b, corners.lower));
  return {where(s.b, ok, outward(s.b, corners, 1))};
}

// The sign of x, and no more than |x| or |y|; of integers less than |y|.
Enclosures rem(BoundSite& s) {
  Build& b = s.b;
  const Enclosure &x = s.in[0], &y = s.in[1];
  const Value zero = b.zero(x.lower);
  Enclosure r{b.min(x.lower, zero), b.max(x.upper, zero)};
  if (is_integer(x.lower.dtype())) {
    const Value one = b.one(zero), ok = positive(b, y), most = b.sub(y.upper, one);
    r.upper = b.select(ok, b.min(r.upper, most), r.upper);
    if (is_signed_integer(zero.dtype())) r.lower = b.select(ok, b.max(r.lower, b.neg(most)), r.lower);
    return {r};
  }
  const Value most = magnitude(b, y), finite = b.logical_and(b.is_finite(x.lower), b.is_finite(x.upper));
  const Value ok = b.logical_and(finite, without_zero(b, y));
  r = {b.max(r.lower, b.neg(most)), b.min(r.upper, most)};
  // x - q·y where the whole part q of the quotient is the same everywhere.
  const auto whole_part = [&](Value q) { return b.mul(b.sign(q), b.floor(b.abs(q))); };
  Enclosure q{b.div(x.lower, y.lower), {}};
  q.upper = q.lower;
  for (const Value& v : {b.div(x.lower, y.upper), b.div(x.upper, y.lower), b.div(x.upper, y.upper)})
    q = {b.min(q.lower, v), b.max(q.upper, v)};
  q = at_ends(outward(b, q, 1), whole_part);
  const Enclosure left = difference(b, x, product(b, {q.lower, q.lower}, y));
  const Value same = b.compare(Direction::eq, q.lower, q.upper);
  return {where(
      b, ok,
      {b.select(same, b.max(r.lower, left.lower), r.lower), b.select(same, b.min(r.upper, left.upper), r.upper)})};
}

namespace {

constexpr int64_t pow_ulps = 4, atan2_ulps = 2;

// x^n for an integer n other than 0: monotone where n is odd, else a function of |x|; no 0 to a negative power.
Enclosure integer_power(BoundSite& s, double n) {
  Build& b = s.b;
  const Enclosure& x = s.in[0];
  const Dtype d = x.lower.dtype();
  Enclosure r = at_corners(s, x, s.in[1]);
  const bool even = std::fmod(n, 2) == 0;
  Value lower = r.lower;
  if (even && n > 0) lower = b.select(meets(b, x, 0, 0), b.zero(lower), lower);
  r = outward(b, lower, r.upper, steps(d, pow_ulps));
  if (even) r = at_least(b, r, 0);
  r = of_numbers(b, std::array{x}, r);
  return n < 0 ? where(b, without_zero(b, x), r) : r;
}

}  // namespace

// Of positive bases monotone in both operands.
Enclosures pow(BoundSite& s) {
  Build& b = s.b;
  const Enclosure &x = s.in[0], &y = s.in[1];
  const Dtype d = s.node.types[0].dtype;
  if (is_complex(d)) return all_whole(b, s.node);
  if (is_integer(d)) {
    const Value same =
        b.logical_and(b.compare(Direction::eq, x.lower, x.upper), b.compare(Direction::eq, y.lower, y.upper));
    const Value r = b.pow(x.lower, y.lower);
    return {where(b, same, {r, r})};
  }
  const auto n = y.point() ? splat_value(y.lower) : std::nullopt;
  if (n && *n != 0 && std::abs(*n) <= 0x1p20 && *n == std::floor(*n)) return {integer_power(s, *n)};
  const Enclosure corners = at_corners(s, x, y);
  // -0 to a negative power may be -inf.
  const Value zero = b.zero(x.lower),
              roots = b.logical_and(b.compare(Direction::ge, x.lower, zero), b.compare(Direction::ge, y.lower, zero));
  const Value base = b.logical_or(positive(b, x), roots);
  const Value ok = b.logical_and(b.logical_and(base, is_number(b, y)), is_itself(b, corners.lower));
  return {where(b, ok, at_least(b, outward(b, corners, steps(d, pow_ulps)), 0))};
}

Enclosures extreme(BoundSite& s) { return {of_numbers(s.b, s.in, moves_all(s)[0])}; }

// Off the negative half of the first axis the angle's extremes over a box are at corners.
Enclosures atan2(BoundSite& s) {
  Build& b = s.b;
  const Enclosure &y = s.in[0], &x = s.in[1];
  const Enclosure r = outward(b, at_corners(s, y, x), steps(y.lower.dtype(), atan2_ulps));
  const Value beside = b.logical_or(positive(b, x), without_zero(b, y));
  const Value pi = b.widen(b.full_like(r.upper, std::numbers::pi), true, 6);
  return {of_numbers(b, s.in, {b.select(beside, r.lower, b.neg(pi)), b.select(beside, r.upper, pi)})};
}

namespace {

Value both_points(Build& b, In in) {
  return b.logical_and(b.compare(Direction::eq, in[0].lower, in[0].upper),
                       b.compare(Direction::eq, in[1].lower, in[1].upper));
}

// Truth values by their corners; integers exactly where both are points.
Enclosure bitwise(BoundSite& s, bool monotone) {
  const bool truth = is_bool(s.node.types[0].dtype);
  if (truth && monotone) return moves_all(s)[0];
  const Value r = s.b.repeat(s.node, {s.in[0].lower, s.in[1].lower})[0];
  return where(s.b, both_points(s.b, s.in), {r, r});
}

}  // namespace

Enclosures bits_and(BoundSite& s) { return {bitwise(s, true)}; }
Enclosures bits_or(BoundSite& s) { return {bitwise(s, true)}; }
Enclosures bits_xor(BoundSite& s) { return {bitwise(s, false)}; }
Enclosures shift_left(BoundSite& s) { return {bitwise(s, false)}; }

// By a point monotone; else toward 0, or to -1 of negative numbers.
Enclosures shift_right(BoundSite& s) {
  Build& b = s.b;
  const Enclosure &x = s.in[0], &by = s.in[1];
  const Value zero = b.zero(x.lower), same = b.compare(Direction::eq, by.lower, by.upper);
  const Value low = b.shift_right(x.lower, by.lower), high = b.shift_right(x.upper, by.lower);
  return {{b.select(same, low, b.min(x.lower, zero)), b.select(same, high, b.max(x.upper, zero))}};
}

}  // namespace viva::bounds
