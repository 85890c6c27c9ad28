#include "ops/enclosure.h"

#include <algorithm>
#include <cmath>

namespace viva::bounds {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

Value filled(Build& b, const Array& scalar, const Shape& shape) {
  const Value s = b.constant(scalar);
  return shape.empty() ? s : b.broadcast(s, shape, {});
}

Array extreme(Dtype d, bool up) {
  return dispatch(d, [up](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (is_half<T>) return Array::full({dtype_of<T>(), {}}, up ? infinity : -infinity);
    else if constexpr (is_std_complex<T>) {
      using R = typename T::value_type;
      const R end = up ? std::numeric_limits<R>::infinity() : -std::numeric_limits<R>::infinity();
      return Array::scalar(T(end, end));
    } else if constexpr (std::is_floating_point_v<T>)
      return Array::scalar(up ? std::numeric_limits<T>::infinity() : -std::numeric_limits<T>::infinity());
    else return Array::scalar(up ? std::numeric_limits<T>::max() : std::numeric_limits<T>::lowest());
  });
}

bool is_exact(Dtype d) { return !has_tangent(d); }

}  // namespace

Value least(Build& b, const Type& t) { return filled(b, extreme(t.dtype, false), t.shape); }
Value greatest(Build& b, const Type& t) { return filled(b, extreme(t.dtype, true), t.shape); }
Enclosure whole(Build& b, const Type& t) { return {least(b, t), greatest(b, t)}; }

Enclosures all_whole(Build& b, const Node& n) {
  Enclosures r;
  for (const Type& t : n.types) r.push_back(whole(b, t));
  return r;
}

bool all_points(std::span<const Enclosure> in) { return std::ranges::all_of(in, &Enclosure::point); }

Enclosure where(Build& b, Value ok, const Enclosure& x) {
  const Type& t = x.lower.type();
  return {b.select(ok, x.lower, least(b, t)), b.select(ok, x.upper, greatest(b, t))};
}

// -inf + inf is NaN; no other sum of ends is.
Value is_number(Build& b, const Enclosure& x) {
  const Value s = b.add(x.lower, x.upper);
  return b.compare(Direction::eq, s, s);
}

Enclosure of_numbers(Build& b, std::span<const Enclosure> operands, const Enclosure& x) {
  Value ok;
  for (const Enclosure& e : operands) {
    if (e.point() || !is_float(e.lower.dtype())) continue;
    const Value one = is_number(b, e);
    ok = ok ? b.logical_and(ok, one) : one;
  }
  return ok ? where(b, ok, x) : x;
}

Enclosure outward(Build& b, Value lower, Value upper, int64_t steps) {
  return {b.widen(lower, false, steps), b.widen(upper, true, steps)};
}

Value rounded_out(Build& b, Value end, Dtype to, bool up) {
  const Dtype from = end.dtype();
  if (from == to) return end;
  const Value r = b.convert(end, to);
  const bool exact = to == Dtype::float64 || (to == Dtype::float32 && size_of(from) == 2);
  return exact ? r : b.widen(r, up, 1);
}

Enclosure converted_out(Build& b, const Enclosure& x, Dtype to) {
  if (x.lower.dtype() == to) return x;
  const Value lower = rounded_out(b, x.lower, to, false), upper = rounded_out(b, x.upper, to, true);
  return {lower, x.point() && size_of(to) >= size_of(x.lower.dtype()) ? lower : upper};
}

Enclosure at_least(Build& b, const Enclosure& x, double bound) {
  return {b.max(x.lower, b.full_like(x.lower, bound)), x.upper};
}

Enclosure hull(Build& b, const Enclosure& x, const Enclosure& y) {
  if (x.point() && x.lower == y.lower && y.point()) return x;
  if (!is_complex(x.lower.dtype())) return {b.min(x.lower, y.lower), b.max(x.upper, y.upper)};
  const Parts p = parts_of(b, x), q = parts_of(b, y);
  return from_parts(b, {hull(b, p.re, q.re), hull(b, p.im, q.im)});
}

Enclosure sorted_ends(Build& b, Value x, Value y) {
  if (x == y) return {x, x};
  return {b.min(x, y), b.max(x, y)};
}

Value meets(Build& b, const Enclosure& x, double low, double high) {
  return b.logical_and(b.compare(Direction::le, x.lower, b.full_like(x.lower, high)),
                       b.compare(Direction::ge, x.upper, b.full_like(x.upper, low)));
}

Value magnitude(Build& b, const Enclosure& x) {
  return x.point() ? b.abs(x.lower) : b.max(b.abs(x.lower), b.abs(x.upper));
}

Centred centred(Build& b, const Enclosure& x) {
  if (x.point()) return {x.lower, {}};
  const Value centre = b.add(b.scale(x.lower, 0.5), b.scale(x.upper, 0.5));
  return {centre, b.widen(b.max(b.sub(x.upper, centre), b.sub(centre, x.lower)), true, 1)};
}

Enclosure to_float64(Build& b, const Enclosure& x) {
  const Dtype d = x.lower.dtype();
  if (is_float(d) || size_of(d) < 8) return at_ends(x, [&](Value v) { return b.convert(v, Dtype::float64); });
  return outward(b, at_ends(x, [&](Value v) { return b.convert(v, Dtype::float64); }), 1);
}

Enclosure from_float64(Build& b, const Enclosure& x, Dtype d) {
  if (is_float(d)) return converted_out(b, x, d);
  const int64_t bits = size_of(d) * 8 - (is_unsigned(d) ? 0 : 1);
  const Value lower = b.ceil(x.lower), upper = b.floor(x.upper);
  const double lowest = is_unsigned(d) ? 0 : -std::ldexp(1.0, static_cast<int>(bits));
  const Value fits =
      b.logical_and(b.compare(Direction::ge, lower, b.full_like(lower, lowest)),
                    b.compare(Direction::lt, upper, b.full_like(upper, std::ldexp(1.0, static_cast<int>(bits)))));
  return where(b, fits, {b.convert(lower, d), b.convert(upper, d)});
}

Parts parts_of(Build& b, const Enclosure& z) {
  return {at_ends(z, [&](Value v) { return b.real(v); }), at_ends(z, [&](Value v) { return b.imag(v); })};
}

Enclosure from_parts(Build& b, const Parts& p) {
  return {b.complex(p.re.lower, p.im.lower), b.complex(p.re.upper, p.im.upper)};
}

Enclosure sum(Build& b, const Enclosure& x, const Enclosure& y) {
  return outward(b, b.add(x.lower, y.lower), b.add(x.upper, y.upper), 1);
}

Enclosure difference(Build& b, const Enclosure& x, const Enclosure& y) {
  return outward(b, b.sub(x.lower, y.upper), b.sub(x.upper, y.lower), 1);
}

Enclosure negative(Build& b, const Enclosure& x) {
  const Value lower = b.neg(x.upper);
  return {lower, x.point() ? lower : b.neg(x.lower)};
}

namespace {

// By a finite number other than 0 a product is monotone, and no NaN arises.
Enclosure scaled(Build& b, const Enclosure& x, Value factor, bool negative) {
  const Value lower = b.mul(negative ? x.upper : x.lower, factor), upper = b.mul(negative ? x.lower : x.upper, factor);
  return outward(b, lower, upper, 1);
}

std::optional<double> plain_factor(const Enclosure& x) {
  const auto s = x.point() ? splat_value(x.lower) : std::nullopt;
  return s && *s != 0 && std::isfinite(*s) ? s : std::nullopt;
}

}  // namespace

// The extremes of a product are at corners; 0·inf among them says that nothing is known.
Enclosure product(Build& b, const Enclosure& x, const Enclosure& y) {
  if (const auto s = plain_factor(y)) return scaled(b, x, y.lower, *s < 0);
  if (const auto s = plain_factor(x)) return scaled(b, y, x.lower, *s < 0);
  const Enclosure at_lower = at_ends(y, [&](Value v) { return b.mul(x.lower, v); });
  const Enclosure at_upper = x.point() ? at_lower : at_ends(y, [&](Value v) { return b.mul(x.upper, v); });
  const Enclosure first = sorted_ends(b, at_lower.lower, at_lower.upper),
                  second = x.point() ? first : sorted_ends(b, at_upper.lower, at_upper.upper);
  const Enclosure r = x.point() ? first : Enclosure{b.min(first.lower, second.lower), b.max(first.upper, second.upper)};
  return where(b, b.compare(Direction::eq, r.lower, r.lower), outward(b, r, 1));
}

Enclosure square(Build& b, const Enclosure& x) {
  const Enclosure ends = at_ends(x, [&](Value v) { return b.square(v); });
  if (x.point()) return at_least(b, outward(b, ends, 1), 0);
  const Enclosure r = sorted_ends(b, ends.lower, ends.upper);
  const Value lower = b.select(meets(b, x, 0, 0), b.zero(r.lower), r.lower);
  return of_numbers(b, std::array{x}, at_least(b, outward(b, lower, r.upper, 1), 0));
}

Enclosures moved(BoundSite& s, size_t values) {
  const auto run = [&](bool upper) {
    Values in;
    for (size_t i = 0; i < s.in.size(); ++i) in.push_back(upper && i < values ? s.in[i].upper : s.in[i].lower);
    return s.b.repeat(s.node, std::move(in));
  };
  const Values lower = run(false), upper = all_points(s.in.first(values)) ? lower : run(true);
  Enclosures r;
  for (size_t i = 0; i < lower.size(); ++i) r.push_back({lower[i], upper[i]});
  return r;
}

Enclosures moves_all(BoundSite& s) { return moved(s, s.in.size()); }

Enclosures unknown(BoundSite& s) {
  const bool exact = std::ranges::all_of(s.node.in, [](Value v) { return is_exact(v.dtype()); });
  return exact && all_points(s.in) ? moves_all(s) : all_whole(s.b, s.node);
}

Enclosures exact_at_points(BoundSite& s) {
  Value ok;
  for (const Enclosure& x : s.in) {
    if (x.point()) continue;
    Value same = s.b.compare(Direction::eq, x.lower, x.upper);
    same = s.b.reduce_and(same, iota_ints(same.rank()));
    ok = ok ? s.b.logical_and(ok, same) : same;
  }
  Enclosures r;
  for (const Value& v : s.b.repeat(s.node, [&] {
         Values in;
         for (const Enclosure& x : s.in) in.push_back(x.lower);
         return in;
       }()))
    r.push_back(ok ? where(s.b, s.b.broadcast(ok, v.shape(), {}), {v, v}) : Enclosure{v, v});
  return r;
}

Enclosure on_curve(BoundSite& s, const Curve& c) {
  const Enclosure& x = s.in[0];
  const Dtype d = x.lower.dtype();
  if (!is_float(d)) return whole(s.b, s.node.types[0]);
  Enclosure y = at_ends(x, [&](Value v) { return s.b.repeat(s.node, {v})[0]; });
  if (c.falls) std::swap(y.lower, y.upper);
  y = outward(s.b, y, steps(d, c.ulps));
  if (c.least > -infinity) y = at_least(s.b, y, c.least);
  if (c.from == -infinity && c.to == infinity) return of_numbers(s.b, std::array{x}, y);
  Value inside;
  if (c.from > -infinity)
    inside = s.b.compare(c.open ? Direction::gt : Direction::ge, x.lower, s.b.full_like(x.lower, c.from));
  if (c.to < infinity) {
    const Value below = s.b.compare(Direction::le, x.upper, s.b.full_like(x.upper, c.to));
    inside = inside ? s.b.logical_and(inside, below) : below;
  }
  return where(s.b, inside, y);
}

Enclosures steps_up(BoundSite& s) { return moves_all(s); }

Enclosures by_class(BoundSite& s, RealRule real, RealRule complex) {
  const Dtype d = s.in[0].lower.dtype();
  if (is_float(d)) return {real(s, s.in)};
  if (is_complex(d)) return {complex ? complex(s, s.in) : whole(s.b, s.node.types[0])};
  return {by_float64(s.b, s.node.types[0], s.in, [&](std::span<const Enclosure> in) { return real(s, in); })};
}

}  // namespace viva::bounds
