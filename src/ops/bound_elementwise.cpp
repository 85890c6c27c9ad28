// Bounds of operations whose operands or results differ in dtype, and of constants.
#include <algorithm>
#include <array>
#include <cmath>

#include "ops/bounds.h"

namespace viva::bounds {
namespace {

Value negation(Build& b, Value x) { return b.logical_not(x); }

// Whether two numbers, or real parts, may be and must be equal.
Enclosure equality(Build& b, const Enclosure& x, const Enclosure& y) {
  const auto eq = [&](Value v, Value w) { return b.compare(Direction::eq, v, w); };
  const Value certain = b.logical_and(b.logical_and(eq(x.lower, x.upper), eq(y.lower, y.upper)), eq(x.lower, y.lower));
  const Value possible =
      b.logical_and(b.compare(Direction::le, x.lower, y.upper), b.compare(Direction::le, y.lower, x.upper));
  return {certain, possible};
}

Enclosure equality_of(Build& b, const Enclosure& x, const Enclosure& y) {
  if (!is_complex(x.lower.dtype())) return equality(b, x, y);
  const Parts p = parts_of(b, x), q = parts_of(b, y);
  const Enclosure re = equality(b, p.re, q.re), im = equality(b, p.im, q.im);
  return {b.logical_and(re.lower, im.lower), b.logical_and(re.upper, im.upper)};
}

}  // namespace

// NaN lies in the whole line alone, of which no order is certain.
Enclosures compare(BoundSite& s) {
  Build& b = s.b;
  if (all_points(s.in)) return moves_all(s);
  const Direction d = direction_from(s.node.attrs.text("direction"));
  const Enclosure &x = s.in[0], &y = s.in[1];
  if (d == Direction::eq || d == Direction::ne) {
    const Enclosure e = equality_of(b, x, y);
    return {d == Direction::eq ? e : Enclosure{negation(b, e.upper), negation(b, e.lower)}};
  }
  const bool less = d == Direction::lt || d == Direction::le;
  return {less ? Enclosure{b.compare(d, x.upper, y.lower), b.compare(d, x.lower, y.upper)}
               : Enclosure{b.compare(d, x.lower, y.upper), b.compare(d, x.upper, y.lower)}};
}

namespace {

// The comparison that a select goes by, where its operands have an order.
struct Comparison {
  const Node* node = nullptr;
  bool less = false;  // lt or le, else gt or ge
};

Comparison comparison_of(const Node& n) {
  const Node* p = n.in[0].node();
  if (!p->op || p->op->name != "compare") return {};
  const Direction d = direction_from(p->attrs.text("direction"));
  if (d == Direction::eq || d == Direction::ne || is_complex(p->in[0].dtype())) return {};
  return {p, d == Direction::lt || d == Direction::le};
}

// select(x > y, x, y) and the like are monotone, of integers too. What is taken where the comparison fails may be NaN.
bool chooses_extreme(const Node& n, const Comparison& c) {
  if (!c.node) return false;
  const bool straight = c.node->in[0] == n.in[1] && c.node->in[1] == n.in[2],
             crossed = c.node->in[0] == n.in[2] && c.node->in[1] == n.in[1];
  return straight || crossed;
}

Enclosure chosen_extreme(BoundSite& s, const Comparison& c) {
  const auto at = [&](Value yes, Value no) {
    const bool straight = c.node->in[0] == s.node.in[1];
    return s.b.select(s.b.repeat(*c.node, straight ? Values{yes, no} : Values{no, yes})[0], yes, no);
  };
  const Enclosure r{at(s.in[1].lower, s.in[2].lower), at(s.in[1].upper, s.in[2].upper)};
  return of_numbers(s.b, s.in.subspan(2), r);
}

// What a branch gives where the comparison holds, or fails, of one of its own operands: that operand on one side of
// the other. A failed comparison tells nothing of NaN.
Enclosure clipped(BoundSite& s, const Comparison& c, size_t branch) {
  Build& b = s.b;
  const Enclosure& x = s.in[branch];
  if (!c.node || x.point()) return x;
  const bool first = c.node->in[0] == s.node.in[branch];
  if (!first && c.node->in[1] != s.node.in[branch]) return x;
  const Enclosure other = s.of(c.node->in[first ? 1 : 0]);
  const bool holds = branch == 1, below = c.less == (first == holds);
  const Enclosure r =
      below ? Enclosure{x.lower, b.min(x.upper, other.upper)} : Enclosure{b.max(x.lower, other.lower), x.upper};
  if (holds) return r;
  return of_numbers(b, std::array{x, other}, r);
}

}  // namespace

// Where the predicate is certain its branch, else both.
Enclosures select(BoundSite& s) {
  Build& b = s.b;
  const Enclosure& p = s.in[0];
  if (p.point()) return moved(s, 3);
  const Comparison c = comparison_of(s.node);
  if (chooses_extreme(s.node, c)) return {chosen_extreme(s, c)};
  const Enclosure yes = clipped(s, c, 1), no = clipped(s, c, 2), both = hull(b, yes, no);
  return {{b.select(p.lower, yes.lower, b.select(p.upper, both.lower, no.lower)),
           b.select(p.lower, yes.upper, b.select(p.upper, both.upper, no.upper))}};
}

namespace {

int mantissa_bits(Dtype d) {
  return d == Dtype::float64 ? 53 : d == Dtype::float32 ? 24 : d == Dtype::float16 ? 11 : 8;
}

Enclosure to_float(Build& b, const Enclosure& x, Dtype to) {
  const Dtype from = x.lower.dtype();
  if (is_float(from)) return converted_out(b, x, to);
  const Enclosure r = at_ends(x, [&](Value v) { return b.convert(v, to); });
  return is_bool(from) || size_of(from) * 8 <= mantissa_bits(to) ? r : outward(b, r, 1);
}

Enclosure to_complex(Build& b, const Enclosure& x, Dtype to) {
  const Dtype part = real_of(to);
  if (is_complex(x.lower.dtype())) {
    const Parts p = parts_of(b, x);
    return from_parts(b, {converted_out(b, p.re, part), converted_out(b, p.im, part)});
  }
  const Enclosure re = to_float(b, x, part);
  const Value zero = b.zero(re.lower);
  return from_parts(b, {re, {zero, zero}});
}

// Certainly and possibly not zero; NaN is not.
Enclosure to_bool(Build& b, const Enclosure& x) {
  const Value zero = b.zero(x.lower);
  const Value certain = b.logical_or(b.compare(Direction::gt, x.lower, zero), b.compare(Direction::lt, x.upper, zero));
  return {certain, b.logical_or(b.compare(Direction::ne, x.lower, zero), b.compare(Direction::ne, x.upper, zero))};
}

// Integers wrap: the ends must survive the way there and back, and keep their order.
Enclosure between_integers(Build& b, const Enclosure& x, Dtype to) {
  const Dtype from = x.lower.dtype();
  const Value lower = b.convert(x.lower, to), upper = b.convert(x.upper, to);
  if (is_bool(from)) return {lower, upper};
  const auto survives = [&](Value there, Value end) { return b.compare(Direction::eq, b.convert(there, from), end); };
  const Value ok = b.logical_and(b.compare(Direction::le, lower, upper),
                                 b.logical_and(survives(lower, x.lower), survives(upper, x.upper)));
  return where(b, ok, {lower, upper});
}

}  // namespace

Enclosures convert(BoundSite& s) {
  const Dtype to = s.node.types[0].dtype, from = s.in[0].lower.dtype();
  if (to == from) return {s.in[0]};
  if (is_complex(to)) return {to_complex(s.b, s.in[0], to)};
  if (is_float(to)) return {to_float(s.b, s.in[0], to)};
  if (is_bool(to)) return {to_bool(s.b, s.in[0])};
  if (is_float(from)) return moves_all(s);  // saturates; the whole line, and NaN, give all integers
  return {between_integers(s.b, s.in[0], to)};
}

// Bits of a point. A zero has two forms, and bits may be those of NaN.
Enclosures bitcast(BoundSite& s) {
  Build& b = s.b;
  const Enclosure& x = s.in[0];
  const Dtype from = x.lower.dtype(), to = s.node.types[0].dtype;
  if (is_complex(from) || is_complex(to)) return all_whole(b, s.node);
  const Value r = b.repeat(s.node, {x.lower})[0];
  Value ok = b.compare(Direction::eq, x.lower, x.upper);
  if (is_float(from)) ok = b.logical_and(ok, b.compare(Direction::ne, x.lower, b.zero(x.lower)));
  if (is_float(to)) ok = b.logical_and(ok, b.is_finite(r));
  return {where(b, ok, {r, r})};
}

// For positive scales monotone in x and in the zero point, and in the scale one way or the other.
Enclosures quantize(BoundSite& s) {
  Build& b = s.b;
  const auto at = [&](Value x, Value scale, Value zero) { return b.quantize(x, scale, zero); };
  const Enclosure &x = s.in[0], &scale = s.in[1], &zero = s.in[2];
  const Value lower = b.min(at(x.lower, scale.lower, zero.lower), at(x.lower, scale.upper, zero.lower)),
              upper = b.max(at(x.upper, scale.lower, zero.upper), at(x.upper, scale.upper, zero.upper));
  const Value finite = b.logical_and(b.is_finite(x.lower), b.is_finite(x.upper));
  return {where(b, b.logical_and(finite, b.compare(Direction::gt, scale.lower, b.zero(scale.lower))), {lower, upper})};
}

Enclosures conj(BoundSite& s) {
  const Parts p = parts_of(s.b, s.in[0]);
  return {from_parts(s.b, {p.re, negative(s.b, p.im)})};
}

namespace {

// The least or greatest numbers that hold these; NaN anything.
Array end_of(const Array& a, bool up) {
  Array r = Array::make(a.type());
  dispatch(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (is_float_type<T>) {
      using C = Compute<T>;
      const C inf = std::numeric_limits<C>::infinity();
      const C most = convert_element<C>(a.dtype() == Dtype::float16    ? 65504.0
                                        : a.dtype() == Dtype::bfloat16 ? 0x1.fep127
                                                                       : double(std::numeric_limits<C>::max()));
      std::ranges::transform(a.as<T>(), r.as_mutable<T>().begin(), [&](T v) {
        const C x = static_cast<C>(v);
        if (std::isnan(x)) return static_cast<T>(up ? inf : -inf);
        return static_cast<T>(up ? std::max(x, -most) : std::min(x, most));
      });
    }
  });
  return r;
}

}  // namespace

// A point, but where it holds infinities or NaN.
Enclosures constant(BoundSite& s) {
  const Array& a = s.node.attrs.array("value");
  bool finite = true;
  if (has_tangent(a.dtype())) {
    const Array parts = is_complex(a.dtype()) ? a.converted(Dtype::complex128) : a.converted(Dtype::float64);
    const auto* numbers = reinterpret_cast<const double*>(parts.data());
    finite = std::all_of(numbers, numbers + parts.bytes() / 8, [](double v) { return std::isfinite(v); });
  }
  if (finite) return moves_all(s);
  if (is_complex(a.dtype())) return all_whole(s.b, s.node);
  return {{s.b.constant(end_of(a, false)), s.b.constant(end_of(a, true))}};
}

}  // namespace viva::bounds
