// Bounds of sums and contractions. A sum of n terms that is taken in any order, each product and each partial sum
// rounded once to a unit roundoff u, is off by at most n·u·Σ|terms| (C.-P. Jeannerod, S. Rump, "Improved error bounds
// for inner products in floating-point arithmetic", 2013). The bound program takes Σ|terms| along, for the engine's
// error and for its own, and holds nothing for known where an order might overflow.
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "ops/bounds.h"
#include "ops/window.h"

namespace viva::bounds {
namespace {

double unit_of(Dtype d) { return d == Dtype::float64 ? 0x1p-53 : 0x1p-24; }
double largest(Dtype d) { return d == Dtype::float64 ? 0x1.fffffffffffffp1023 : 0x1.fffffep127; }
double least_normal(Dtype d) { return d == Dtype::float64 ? 0x1p-1022 : 0x1p-126; }

// Where an engine sums so many terms, and where their bound is taken: so that the error stays a small part of them.
struct Summing {
  Dtype engine, wide;
  double terms, engine_error, own_error;  // n·u of each

  Summing(Dtype operand, Dtype result, double n) : terms(std::max(n, 1.0)) {
    engine = operand == Dtype::float64 || result == Dtype::float64 ? Dtype::float64 : Dtype::float32;
    engine_error = terms * unit_of(engine);
    wide = engine_error > 0x1p-4 ? Dtype::float64 : engine;
    own_error = terms * unit_of(wide);
  }
  // The first-order error by this factor is above all orders of it, for errors up to 1/8.
  static constexpr double slack = 1.25;
  // A movement by less says that the terms it is taken of do not overflow in any order.
  double safe_movement(double factor) const { return factor * largest(engine) / 4; }
};

using Sum = std::function<Value(Value)>;

// One end of a sum: every order of summation is monotone in the terms, so the sum of the ends bounds it, moved by the
// errors of two sums and by that of the sum of moduli.
Value summed_end(Build& b, Value end, const Summing& how, bool up, const Sum& sum) {
  const double factor = Summing::slack * (how.engine_error + 2 * how.own_error);
  const Value movement = b.scale(sum(b.abs(end)), factor), total = sum(end);
  const Value moved = b.widen(up ? b.add(total, movement) : b.sub(total, movement), up, 2);
  const Type& t = moved.type();
  return b.select(below(b, movement, how.safe_movement(factor)), moved, up ? greatest(b, t) : least(b, t));
}

Enclosure summed(Build& b, const Enclosure& x, Dtype result, double terms, const Sum& sum) {
  const Summing how(x.lower.dtype(), result, terms);
  const Enclosure wide = converted_out(b, x, how.wide);
  return converted_out(b, {summed_end(b, wide.lower, how, false, sum), summed_end(b, wide.upper, how, true, sum)},
                       result);
}

// A sum over floats, integers or complex numbers; sum: of a value, in the dtype of that.
Enclosure summed_of(Build& b, const Enclosure& x, const Type& result, double terms, const Sum& sum) {
  const Dtype d = x.lower.dtype();
  if (is_float(d)) return summed(b, x, result.dtype, terms, sum);
  if (!is_complex(d))
    return by_float64(b, result, std::array{x},
                      [&](std::span<const Enclosure> in) { return summed(b, in[0], Dtype::float64, terms, sum); });
  const Parts p = parts_of(b, x);
  const Dtype part = real_of(result.dtype);
  return from_parts(b, {summed(b, p.re, part, terms, sum), summed(b, p.im, part, terms, sum)});
}

double count_of(const Shape& shape, const Ints& dims) {
  double n = 1;
  for (const int64_t d : dims) n *= static_cast<double>(shape[static_cast<size_t>(d)]);
  return n;
}

}  // namespace

Enclosures reduce_sum(BoundSite& s) {
  const Ints& dims = s.node.attrs.ints("dims");
  const double n = count_of(s.node.in[0].shape(), dims);
  if (n <= 1 && s.node.types[0].dtype == s.node.in[0].dtype()) return moves_all(s);
  return {summed_of(s.b, s.in[0], s.node.types[0], n, [&](Value v) { return s.b.reduce_sum(v, dims); })};
}

Enclosures cumsum(BoundSite& s) {
  const int64_t dim = s.node.attrs.integer("dim");
  const bool reverse = s.node.attrs.flag("reverse");
  return {summed_of(s.b, s.in[0], s.node.types[0], static_cast<double>(s.node.in[0].dim(dim)),
                    [&](Value v) { return s.b.cumsum(v, dim, reverse); })};
}

Enclosures window_sum(BoundSite& s) {
  const WindowDims d = WindowDims::from(s.node.attrs);
  return {summed_of(s.b, s.in[0], s.node.types[0], static_cast<double>(numel(d.size)),
                    [&](Value v) { return s.b.window_sum(v, d); })};
}

// Each element takes part once for each window that leads to it; offsets that are not known may lead anywhere.
Enclosures window_scatter(BoundSite& s) {
  Build& b = s.b;
  const WindowDims d = WindowDims::from(s.node.attrs);
  if (!s.in[1].point()) return all_whole(b, s.node);
  return {summed_of(b, s.in[0], s.node.types[0], static_cast<double>(numel(d.size)),
                    [&](Value v) { return b.window_scatter(v, s.in[1].lower, s.node.types[0].shape, d); })};
}

// How many examples there are is known where they are summed.
Enclosures axis_sum(BoundSite& s) {
  Build& b = s.b;
  const Dtype d = s.node.types[0].dtype;
  if (!s.in[1].point() || !is_float(d)) return unknown(s);
  const auto total = [&](Value v) { return b.emit(*s.node.op, {v, s.in[1].lower})[0]; };
  const Enclosure x = converted_out(b, s.in[0], Dtype::float64);
  const Value count = total(b.one(x.lower));
  const double units = Summing::slack * (unit_of(d) + 2 * unit_of(Dtype::float64));
  const auto end = [&](Value v, bool up) {
    const Value movement = b.mul(b.scale(count, units), total(b.abs(v)));
    const Value moved = b.widen(up ? b.add(total(v), movement) : b.sub(total(v), movement), up, 2);
    const Value ok = below(b, movement, units * largest(d) / 4);
    return b.select(ok, moved, up ? greatest(b, moved.type()) : least(b, moved.type()));
  };
  return {converted_out(b, {end(x.lower, false), end(x.upper, true)}, d)};
}

namespace {

using Contraction = std::function<Value(Value, Value)>;

// |x·y - c·d| <= |c|·s + r·(|d| + s) for x in c ± r and y in d ± s, so a few contractions serve for all ends
// (S. Rump, "Fast and parallel interval arithmetic", 1999). The movement is part of the radii.
Enclosure contracted(Build& b, const Enclosure& lhs, const Enclosure& rhs, Dtype result, double terms,
                     const Contraction& contract) {
  const Summing how(lhs.lower.dtype(), result, terms);
  Centred x = centred(b, converted_out(b, lhs, how.wide)), y = centred(b, converted_out(b, rhs, how.wide));
  bool swapped = false;
  if (x.radius && !y.radius) std::swap(x, y), swapped = true;  // the first is a point where one is
  const auto of = [&](Value v, Value w) { return swapped ? contract(w, v) : contract(v, w); };
  const double factor = Summing::slack * (how.engine_error + how.own_error);
  const double wider = 1 + Summing::slack * (how.engine_error + 2 * how.own_error + 8 * unit_of(how.wide));
  const Value share = b.widen(b.scale(b.abs(y.centre), factor), true, 1);
  const Value reach = y.radius ? b.add(b.widen(b.scale(y.radius, wider), true, 1), share) : share;
  Value movement = of(b.abs(x.centre), reach);
  if (x.radius)
    movement = b.add(movement, of(b.widen(b.scale(x.radius, wider), true, 1), b.add(b.abs(y.centre), y.radius)));
  // What products lose that are no normal numbers.
  movement = b.add(movement, b.full_like(movement, 4 * how.terms * least_normal(how.engine)));
  const Value middle = of(x.centre, y.centre);
  const Enclosure r = outward(b, b.sub(middle, movement), b.add(middle, movement), 2);
  return converted_out(b, where(b, below(b, movement, how.safe_movement(factor)), r), result);
}

// (a + bi)(c + di) by parts; twice as many terms each.
Enclosure contracted_parts(Build& b, const Enclosure& lhs, const Enclosure& rhs, Dtype result, double terms,
                           const Contraction& contract) {
  const Parts x = parts_of(b, lhs), y = parts_of(b, rhs);
  const Dtype part = real_of(result);
  const auto of = [&](const Enclosure& p, const Enclosure& q) {
    return contracted(b, p, q, part, 2 * terms, contract);
  };
  return from_parts(b, {difference(b, of(x.re, y.re), of(x.im, y.im)), sum(b, of(x.re, y.im), of(x.im, y.re))});
}

Enclosure contracted_of(BoundSite& s, double terms, const Contraction& contract) {
  const Type& t = s.node.types[0];
  if (is_complex(t.dtype)) return contracted_parts(s.b, s.in[0], s.in[1], t.dtype, terms, contract);
  if (is_float(t.dtype)) return contracted(s.b, s.in[0], s.in[1], t.dtype, terms, contract);
  return by_float64(s.b, t, s.in, [&](std::span<const Enclosure> in) {
    return contracted(s.b, in[0], in[1], Dtype::float64, terms, contract);
  });
}

}  // namespace

Enclosures dot_general(BoundSite& s) {
  const DotDims d = DotDims::from(s.node.attrs);
  return {contracted_of(s, count_of(s.node.in[0].shape(), d.lhs_contract),
                        [&](Value x, Value y) { return s.b.dot_general(x, y, d); })};
}

Enclosures conv_general(BoundSite& s) {
  const ConvDims d = ConvDims::from(s.node.attrs);
  const Shape& kernel = s.node.in[1].shape();
  const auto features = static_cast<double>(kernel[static_cast<size_t>(d.rhs_spec[0])]);
  const double n = features == 0 ? 1 : static_cast<double>(numel(kernel)) / features;
  return {contracted_of(s, n, [&](Value x, Value y) { return s.b.conv_general(x, y, d); })};
}

// Linear, with factors of modulus 1; computed in f64. A transform in passes is off by less than a sum in any order.
Enclosures fft(BoundSite& s) {
  Build& b = s.b;
  const int64_t dim = s.node.attrs.integer("dim"), n = s.node.in[0].dim(dim);
  const bool inverse = s.node.attrs.flag("inverse");
  const Type& t = s.node.types[0];
  if (n == 0) return moves_all(s);
  const Parts p = parts_of(b, s.in[0]);
  const auto wide = [&](const Enclosure& x) { return centred(b, converted_out(b, x, Dtype::float64)); };
  const Centred re = wide(p.re), im = wide(p.im);
  const Value middle = b.fft(b.complex(re.centre, im.centre), dim, inverse);
  const double factor = 16 * static_cast<double>(n) * unit_of(Dtype::float64);
  Value reach = b.scale(b.add(b.abs(re.centre), b.abs(im.centre)), factor);
  for (const Value& r : {re.radius, im.radius})
    if (r) reach = b.add(reach, b.scale(r, 1 + factor));
  const Value all = b.reduce_sum(reach, {dim});
  const Shape shape = t.shape;
  const Value spread = b.broadcast(inverse ? b.scale(all, 1 / static_cast<double>(n)) : all, shape,
                                   without(iota_ints(t.rank()), std::array{dim}));
  const Value movement = b.widen(spread, true, 4 * n);
  const auto part = [&](Value v) {
    const Enclosure r = outward(b, b.sub(v, movement), b.add(v, movement), 2);
    return converted_out(b, where(b, below(b, movement, factor * largest(Dtype::float64) / 8), r), real_of(t.dtype));
  };
  return {from_parts(b, {part(b.real(middle)), part(b.imag(middle))})};
}

namespace {

// The product along the last dimension, by halves.
Enclosure halved(Build& b, Enclosure x) {
  const auto last = static_cast<size_t>(x.lower.rank() - 1);
  const auto part = [&](const Enclosure& e, int64_t from, int64_t to) {
    return at_ends(e, [&](Value v) {
      Ints start(v.shape().size(), 0), limit = v.shape();
      start[last] = from, limit[last] = to;
      return b.slice(v, std::move(start), std::move(limit));
    });
  };
  while (x.lower.shape()[last] > 1) {
    const int64_t count = x.lower.shape()[last], half = count / 2;
    Enclosure pairs = product(b, part(x, 0, half), part(x, half, 2 * half));
    if (count % 2) {
      const Enclosure rest = part(x, 2 * half, count);
      const auto join = [&](Value p, Value q) { return b.concatenate({p, q}, static_cast<int64_t>(last)); };
      pairs = {join(pairs.lower, rest.lower), join(pairs.upper, rest.upper)};
    }
    x = pairs;
  }
  return at_ends(x, [&](Value v) { return b.squeeze(v, {static_cast<int64_t>(last)}); });
}

// The exact product by halves, then the roundings of the engine, and what partial products lose that are no normal
// numbers, magnified by all factors above 1.
Enclosure product_along(Build& b, const Enclosure& x, Dtype engine) {
  const int64_t n = x.lower.shape().back();
  const Value size = magnitude(b, x);
  const Value grown = b.reduce_prod(b.max(size, b.one(size)), {size.rank() - 1});
  const Value lost = b.widen(b.scale(grown, 2 * static_cast<double>(n) * least_normal(engine)), true, 2 * n);
  const Enclosure r = outward(b, halved(b, x), 2 * n + 2);
  const Value ok = below(b, grown, largest(engine) / 8);
  return where(b, ok, outward(b, b.sub(r.lower, lost), b.add(r.upper, lost), 1));
}

}  // namespace

Enclosures reduce_prod(BoundSite& s) {
  Build& b = s.b;
  const Ints& dims = s.node.attrs.ints("dims");
  const Type& t = s.node.types[0];
  const Shape& shape = s.node.in[0].shape();
  const auto n = static_cast<int64_t>(count_of(shape, dims));
  if (n <= 1 && all_points(s.in)) return moves_all(s);
  if (is_complex(t.dtype) && n > 1) return all_whole(b, s.node);
  const auto flat = [&](Value v) {
    v = b.transpose(v, joined(without(iota_ints(v.rank()), dims), dims));
    return b.reshape(v, joined(t.shape, Ints{n}));
  };
  if (n == 0) return moves_all(s);
  const Enclosure x = at_ends(s.in[0], flat);
  if (n == 1) return {at_ends(x, [&](Value v) { return b.reshape(v, t.shape); })};
  if (is_integer(t.dtype))
    return {by_float64(b, t, std::array{x},
                       [&](std::span<const Enclosure> in) { return product_along(b, in[0], Dtype::float64); })};
  const Dtype engine = t.dtype == Dtype::float64 ? Dtype::float64 : Dtype::float32;
  return {converted_out(b, product_along(b, converted_out(b, x, engine), engine), t.dtype)};
}

}  // namespace viva::bounds
