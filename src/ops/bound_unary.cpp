// Bounds of pointwise operations of one operand that are not monotone.
#include <array>
#include <cmath>
#include <numbers>

#include "ops/bounds.h"

namespace viva::bounds {

Enclosure negated(BoundSite& s, std::span<const Enclosure> in) { return negative(s.b, in[0]); }
Enclosure negated_parts(BoundSite& s, std::span<const Enclosure> in) {
  const Parts p = parts_of(s.b, in[0]);
  return from_parts(s.b, {negative(s.b, p.re), negative(s.b, p.im)});
}

Enclosure squared(BoundSite& s, std::span<const Enclosure> in) { return square(s.b, in[0]); }
// Computed as a product, a² - b² and ab + ab.
Enclosure squared_parts(BoundSite& s, std::span<const Enclosure> in) {
  const Parts p = parts_of(s.b, in[0]);
  const Enclosure cross = product(s.b, p.re, p.im);
  return from_parts(s.b, {difference(s.b, square(s.b, p.re), square(s.b, p.im)), sum(s.b, cross, cross)});
}

namespace {

// The least modulus is 0 or that of the end nearest to it.
Enclosure modulus(Build& b, const Enclosure& x) {
  if (x.point()) return at_ends(x, [&](Value v) { return b.abs(v); });
  const Value nearest = b.max(b.max(x.lower, b.neg(x.upper)), b.zero(x.lower));
  return of_numbers(b, std::array{x}, {nearest, b.max(x.upper, b.neg(x.lower))});
}

Enclosure modulus_of(BoundSite& s, std::span<const Enclosure> in) { return modulus(s.b, in[0]); }

constexpr int64_t hypot_ulps = 2;

Enclosure modulus_of_parts(BoundSite& s, std::span<const Enclosure> in) {
  const Parts p = parts_of(s.b, in[0]);
  const Enclosure re = modulus(s.b, p.re), im = modulus(s.b, p.im);
  const Value lower = s.b.abs(s.b.complex(at_least(s.b, re, 0).lower, at_least(s.b, im, 0).lower));
  const Value upper = s.b.abs(s.b.complex(re.upper, im.upper));
  const Enclosure r = at_least(s.b, outward(s.b, lower, upper, steps(lower.dtype(), hypot_ulps)), 0);
  return of_numbers(s.b, std::array{re, im}, r);
}

}  // namespace

Enclosures abs(BoundSite& s) { return by_class(s, modulus_of, modulus_of_parts); }

Enclosures sign(BoundSite& s) {
  const Dtype d = s.in[0].lower.dtype();
  if (is_complex(d)) return all_whole(s.b, s.node);
  return {of_numbers(s.b, s.in, at_ends(s.in[0], [&](Value v) { return s.b.sign(v); }))};
}

namespace {

constexpr int64_t sine_ulps = 4;

// Whether some number k + place, k an integer, lies in x / 2π; now and then true where none does. Of the quotient the
// rounding of 1 / 2π, that of the product and that of the sum are held by the steps.
Value meets_turn(Build& b, const Enclosure& x, double place) {
  const auto turns = [&](Value v, bool up) {
    const Value q = b.widen(b.scale(v, 0.5 * std::numbers::inv_pi), up, 6);
    return b.widen(b.sub(q, b.full_like(q, place)), up, 2);
  };
  const Value first = b.ceil(turns(x.lower, false)), last = b.floor(turns(x.upper, true));
  return b.compare(Direction::le, first, last);
}

// A function of period 2π between -1 and 1, greatest at 2π·(k + top), least at 2π·(k + bottom).
Enclosures wave(BoundSite& s, double top, double bottom) {
  Build& b = s.b;
  const Enclosure& given = s.in[0];
  const Dtype d = given.lower.dtype();
  if (!is_float(d)) return all_whole(b, s.node);
  // Places are found in f32 at least.
  const Enclosure x = size_of(d) == 2 ? converted_out(b, given, Dtype::float32) : given;
  const Enclosure ends = at_ends(given, [&](Value v) { return b.repeat(s.node, {v})[0]; });
  const Enclosure r = outward(b, sorted_ends(b, ends.lower, ends.upper), steps(d, sine_ulps));
  const Value crest = b.full_like(r.upper, 1), trough = b.full_like(r.lower, -1);
  const Enclosure beyond = outward(b, trough, crest, steps(d, sine_ulps));
  const Value lower = b.select(meets_turn(b, x, bottom), beyond.lower, r.lower),
              upper = b.select(meets_turn(b, x, top), beyond.upper, r.upper);
  const Value ok = b.logical_and(b.is_finite(given.lower), b.is_finite(given.upper));
  return {where(b, ok, {lower, upper})};
}

}  // namespace

Enclosures sin(BoundSite& s) { return wave(s, 0.25, 0.75); }
Enclosures cos(BoundSite& s) { return wave(s, 0, 0.5); }

Enclosures logical_not(BoundSite& s) {
  const Enclosure r = at_ends(s.in[0], [&](Value v) { return s.b.logical_not(v); });
  return {{r.upper, r.lower}};
}

// Finite ends hold finite numbers alone; what is never finite has no enclosure.
Enclosures is_finite(BoundSite& s) {
  const Enclosure& x = s.in[0];
  const Value lower = s.b.logical_and(s.b.is_finite(x.lower), s.b.is_finite(x.upper));
  return {{lower, s.b.full(lower.type(), 1)}};
}

namespace {

// In f64, rounded once to other formats. Measured in tests/loops/special_math_test.cpp.
constexpr int64_t lgamma_ulps = 4, polygamma_ulps = 128;

// Above 0 lgamma falls to its only minimum and then rises.
constexpr double lgamma_place = 1.4616321449683623, lgamma_minimum = -0.1214862905358496;

}  // namespace

Enclosures lgamma(BoundSite& s) {
  Build& b = s.b;
  const Enclosure& x = s.in[0];
  const Dtype d = x.lower.dtype();
  const Enclosure ends = at_ends(x, [&](Value v) { return b.lgamma(v); });
  const Enclosure r = outward(b, sorted_ends(b, ends.lower, ends.upper), steps(d, lgamma_ulps));
  // The place is rounded too: beside it the function is flat far below the last place of the minimum.
  const Value bottom = b.widen(b.full_like(r.lower, lgamma_minimum), false, steps(d, lgamma_ulps));
  const Value near = meets(b, x, lgamma_place - 0.01, lgamma_place + 0.01);
  const Value low = b.select(near, b.min(bottom, r.lower), r.lower);
  const Value positive = b.compare(Direction::gt, x.lower, b.zero(x.lower));
  return {where(b, positive, {low, r.upper})};
}

// Above 0 ψ and its even derivatives rise, the odd ones fall.
Enclosures polygamma(BoundSite& s) {
  Build& b = s.b;
  const Enclosure& x = s.in[0];
  const int64_t order = s.node.attrs.integer("order");
  const Enclosure ends = at_ends(x, [&](Value v) { return b.polygamma(v, order); });
  const Enclosure r = outward(b, sorted_ends(b, ends.lower, ends.upper), steps(x.lower.dtype(), polygamma_ulps));
  // The steps are those of results; ψ has a root, where its error is absolute.
  const double slack = order == 0 ? 1e-15 : 0;
  const Enclosure moved =
      order == 0 ? Enclosure{b.sub(r.lower, b.full_like(r.lower, slack)), b.add(r.upper, b.full_like(r.upper, slack))}
                 : r;
  const Value positive = b.compare(Direction::gt, x.lower, b.zero(x.lower));
  return {where(b, positive, order == 0 ? outward(b, moved, 1) : moved)};
}

// No rounding; a step leads to infinity and away from it.
Enclosures widen(BoundSite& s) { return {of_numbers(s.b, s.in, outward(s.b, moves_all(s)[0], 1))}; }

}  // namespace viva::bounds
