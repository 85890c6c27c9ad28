// Arithmetic of enclosures, and the bound rules that several operations share. Ends are moved outward by as many
// neighbouring numbers as hold the error of the operation in every engine and that of the end itself.
#pragma once

#include <limits>

#include "ops/record.h"

namespace viva::bounds {

using Enclosures = std::vector<Enclosure>;

// The least and the greatest value of a type.
Value least(Build& b, const Type& t);
Value greatest(Build& b, const Type& t);
// Nothing is known.
Enclosure whole(Build& b, const Type& t);
Enclosures all_whole(Build& b, const Node& n);
bool all_points(std::span<const Enclosure> in);

// x where ok holds, which is bool of its shape, else nothing is known.
Enclosure where(Build& b, Value ok, const Enclosure& x);
// True where the operand is not the whole line, so no NaN.
Value is_number(Build& b, const Enclosure& x);
// The enclosure where all these operands of its shape are numbers.
Enclosure of_numbers(Build& b, std::span<const Enclosure> operands, const Enclosure& x);

// How many neighbours away a result in so many ulp lies from another such result, across a power of two: at most 3
// times as many. 16-bit formats are computed in f32 and rounded once.
constexpr int64_t steps(Dtype d, int64_t ulps) { return size_of(d) == 2 ? 2 : 3 * ulps; }
Enclosure outward(Build& b, Value lower, Value upper, int64_t steps);
inline Enclosure outward(Build& b, const Enclosure& x, int64_t steps) { return outward(b, x.lower, x.upper, steps); }
// The end as a number of another float dtype, not rounded inward.
Value rounded_out(Build& b, Value end, Dtype to, bool up);
Enclosure converted_out(Build& b, const Enclosure& x, Dtype to);
// Not below a number that no result lies below.
Enclosure at_least(Build& b, const Enclosure& x, double bound);
Enclosure hull(Build& b, const Enclosure& x, const Enclosure& y);
// The lesser and the greater of two results at the ends.
Enclosure sorted_ends(Build& b, Value x, Value y);
// True where the enclosure holds a number between these.
Value meets(Build& b, const Enclosure& x, double low, double high);
// The greatest modulus.
Value magnitude(Build& b, const Enclosure& x);

// Whatever the centre, the radius holds both ends; none: a point.
struct Centred {
  Value centre, radius;
};
Centred centred(Build& b, const Enclosure& x);
// True where x is below a number; not of NaN.
inline Value below(Build& b, Value x, double bound) { return b.compare(Direction::lt, x, b.full_like(x, bound)); }

// f at both ends, once where they are one.
template <class F> Enclosure at_ends(const Enclosure& x, F&& f) {
  const Value lower = f(x.lower);
  return {lower, x.point() ? lower : f(x.upper)};
}

// Integers by way of a rule for f64: the integers of its result, where all of them are numbers of the dtype.
template <class F> Enclosure by_float64(Build& b, const Type& t, std::span<const Enclosure> in, F&& rule);
Enclosure to_float64(Build& b, const Enclosure& x);
Enclosure from_float64(Build& b, const Enclosure& x, Dtype d);
template <class F> Enclosure by_float64(Build& b, const Type& t, std::span<const Enclosure> in, F&& rule) {
  Enclosures wide;
  for (const Enclosure& x : in) wide.push_back(to_float64(b, x));
  return from_float64(b, rule(wide), t.dtype);
}

// Complex enclosures are rectangles.
struct Parts {
  Enclosure re, im;
};
Parts parts_of(Build& b, const Enclosure& z);
Enclosure from_parts(Build& b, const Parts& p);

// Of floats; x may be y.
Enclosure sum(Build& b, const Enclosure& x, const Enclosure& y);
Enclosure difference(Build& b, const Enclosure& x, const Enclosure& y);
Enclosure product(Build& b, const Enclosure& x, const Enclosure& y);
Enclosure square(Build& b, const Enclosure& x);
Enclosure negative(Build& b, const Enclosure& x);

// Rules.

// The operation picks elements, whatever they are: itself on the lower ends and on the upper ones, where all that is
// not named by `values` is a point.
Enclosures moved(BoundSite& s, size_t values);
inline Enclosures moves_first(BoundSite& s) { return moved(s, 1); }
Enclosures moves_all(BoundSite& s);
// Nothing is known, but of integers and bools that are points.
Enclosures unknown(BoundSite& s);
// Nothing is known where some integer operand is no point; at points the result itself.
Enclosures exact_at_points(BoundSite& s);

// A monotone function of one operand, in so many ulp, NaN outside [from, to], never below `least`.
struct Curve {
  int64_t ulps = 0;
  double from = -std::numeric_limits<double>::infinity(), to = std::numeric_limits<double>::infinity();
  double least = -std::numeric_limits<double>::infinity();
  bool falls = false;
  bool open = false;  // NaN, or infinite of either sign, at `from` itself
};
Enclosure on_curve(BoundSite& s, const Curve& c);
template <Curve curve> Enclosures monotone(BoundSite& s) { return {on_curve(s, curve)}; }
// A nondecreasing function without rounding that leaves infinities where they are.
Enclosures steps_up(BoundSite& s);

// By dtype: floats by `real`, integers by way of it, complex numbers by `complex` where there is a rule.
using RealRule = Enclosure (*)(BoundSite&, std::span<const Enclosure>);
Enclosures by_class(BoundSite& s, RealRule real, RealRule complex);
template <RealRule real, RealRule complex = nullptr> Enclosures arithmetic(BoundSite& s) {
  return by_class(s, real, complex);
}

}  // namespace viva::bounds
