// Bounds of factorizations, which are computed in f64 whatever the dtype. Eigenvalues and singular values move by no
// more than the norm of what is added to the matrix (H. Weyl, 1912); orthonormal columns have length 1. The algorithms
// are taken to be exact for a matrix nearby, off by 256·(n + 4)·u of its norm, and to converge on finite ones.
#include <algorithm>
#include <array>
#include <cmath>

#include "ops/bounds.h"
#include "ops/linalg.h"

namespace viva::bounds {
namespace {

using linalg::kept;
using linalg::transposed;

constexpr double unit = 0x1p-53;
constexpr double greatest_norm = 0x1p450;  // whose squares no algorithm lets overflow

// Matrices around a centre, in f64 or c128; radius: of the moduli.
struct Near {
  Value centre, radius;
};

Near near(Build& b, const Enclosure& x) {
  const auto wide = [&](const Enclosure& e) {
    const Centred c = centred(b, converted_out(b, e, Dtype::float64));
    return Near{c.centre, c.radius ? c.radius : b.zero(c.centre)};
  };
  if (!is_complex(x.lower.dtype())) return wide(x);
  const Parts p = parts_of(b, x);
  const Near re = wide(p.re), im = wide(p.im);
  return {b.complex(re.centre, im.centre), b.widen(b.add(re.radius, im.radius), true, 1)};
}

Value sum_of_rows(Build& b, Value x) { return b.reduce_max(b.reduce_sum(x, {x.rank() - 1}), {x.rank() - 2}); }
// A bound of the norm of matrices with moduli up to x: the geometric mean of the greatest sums of rows and columns is
// one, the greater of them is simpler. [batch…]
Value norm(Build& b, Value x) { return b.max(sum_of_rows(b, x), sum_of_rows(b, transposed(b, x))); }

// The Hermitian matrix of which an algorithm reads the lower half.
Near hermitian(Build& b, Near x) {
  const auto mirrored = [&](Value r) {
    return b.add(kept(b, r, Direction::ge), transposed(b, kept(b, r, Direction::gt)));
  };
  return {linalg::of_lower(b, x.centre), mirrored(x.radius)};
}

// How far values lie from those of the centre; n: the greater extent.
Value distance(Build& b, const Near& x, int64_t n) {
  const double slack = 256 * static_cast<double>(n + 4) * unit;
  const Value apart = norm(b, x.radius), size = norm(b, b.abs(x.centre));
  const Value d = b.add(b.scale(apart, 1 + slack), b.scale(size, slack));
  return b.add(d, b.full_like(d, 0x1p-1000));
}

// v[batch…] for each element of a type with more dimensions.
Value spread(Build& b, Value v, const Shape& shape) { return b.broadcast(v, shape, iota_ints(v.rank())); }

Type in_float64(const Type& t) { return {Dtype::float64, t.shape}; }

// Nothing is known where ok, of the batch, does not hold. x in f64; re alone, or both parts of complex numbers.
Enclosure result(Build& b, const Type& t, Value ok, const Enclosure& x) {
  const Dtype part = real_of(t.dtype);
  const Enclosure r = converted_out(b, where(b, spread(b, ok, t.shape), x), part);
  return is_complex(t.dtype) ? from_parts(b, {r, r}) : r;
}

// Elements of columns of length 1.
Enclosure unit_columns(Build& b, const Type& t, Value ok, int64_t n) {
  const double one = 1 + 1024 * static_cast<double>(n + 1) * unit;
  return result(b, t, ok, {b.full(in_float64(t), -one), b.full(in_float64(t), one)});
}

Enclosure around(Build& b, Value x, Value by) {
  const Value d = spread(b, by, x.shape());
  return outward(b, b.sub(x, d), b.add(x, d), 1);
}

bool is_empty(const Node& n) {
  return std::ranges::any_of(n.in, [](Value v) { return numel(v.shape()) == 0; });
}

struct Spectrum {
  Enclosure values;  // f64
  Value ok;
};

Spectrum spectrum(Build& b, const Enclosure& matrix) {
  const Near x = hermitian(b, near(b, matrix));
  const Value d = distance(b, x, linalg::columns(x.centre.type()));
  const Value ok = below(b, b.add(d, norm(b, b.abs(x.centre))), greatest_norm);
  return {around(b, b.eigh(x.centre)[0], d), ok};
}

}  // namespace

Enclosures eigh(BoundSite& s) {
  if (is_empty(s.node)) return all_whole(s.b, s.node);
  const Spectrum w = spectrum(s.b, s.in[0]);
  const auto& types = s.node.types;
  return {result(s.b, types[0], w.ok, w.values), unit_columns(s.b, types[1], w.ok, linalg::columns(types[1]))};
}

Enclosures svd(BoundSite& s) {
  Build& b = s.b;
  if (is_empty(s.node)) return all_whole(b, s.node);
  const Near x = near(b, s.in[0]);
  const Type& t = x.centre.type();
  const int64_t n = std::max(linalg::rows(t), linalg::columns(t));
  const Value d = distance(b, x, n), ok = below(b, b.add(d, norm(b, b.abs(x.centre))), greatest_norm);
  const auto& types = s.node.types;
  const Enclosure values = at_least(b, around(b, b.svd(x.centre)[1], d), 0);
  return {unit_columns(b, types[0], ok, n), result(b, types[1], ok, values), unit_columns(b, types[2], ok, n)};
}

// No element of R is above the length of its column, which is at most the sum of its moduli.
Enclosures qr(BoundSite& s) {
  Build& b = s.b;
  if (is_empty(s.node)) return all_whole(b, s.node);
  const Near x = near(b, s.in[0]);
  const int64_t n = linalg::rows(x.centre.type());
  const Value columns = b.reduce_sum(b.add(b.abs(x.centre), x.radius), {x.centre.rank() - 2});
  const Value ok = below(b, b.reduce_max(columns, {columns.rank() - 1}), greatest_norm);
  const Type& r = s.node.types[1];
  const Value most =
      linalg::along_rows(b, b.scale(columns, 1 + 1024 * static_cast<double>(n + 1) * unit), b.full(in_float64(r), 0));
  const Direction below_diagonal = is_complex(r.dtype) ? Direction::le : Direction::lt;
  return {unit_columns(b, s.node.types[0], ok, n),
          result(b, r, ok, {b.neg(kept(b, most, below_diagonal)), kept(b, most, Direction::le)})};
}

// Where no matrix of the box has an eigenvalue at or below 0: |L_ij|² <= x_ii, and L_ii² is at least the least one.
Enclosures cholesky(BoundSite& s) {
  Build& b = s.b;
  const Type& t = s.node.types[0];
  if (is_empty(s.node)) return all_whole(b, s.node);
  const Spectrum w = spectrum(b, s.in[0]);
  const Value first = b.reduce_min(w.values.lower, {w.values.lower.rank() - 1});
  const Value ok = b.logical_and(w.ok, b.compare(Direction::gt, first, b.zero(first)));
  const Near x = near(b, s.in[0]);
  const Value diagonal = b.sqrt(linalg::diagonal(b, b.add(b.abs(x.centre), x.radius)));
  const double slack = 64 * static_cast<double>(linalg::columns(t) + 1) * unit;
  const Value like = b.full(in_float64(t), 0), most = linalg::along_columns(b, b.scale(diagonal, 1 + slack), like);
  const Value least = spread(b, b.scale(b.sqrt(b.max(first, b.zero(first))), 1 - slack), like.shape());
  const Value beside = b.neg(kept(b, most, Direction::gt));
  const Value lower =
      is_complex(t.dtype) ? b.neg(kept(b, most, Direction::ge)) : b.add(beside, kept(b, least, Direction::eq));
  return {result(b, t, ok, {lower, kept(b, most, Direction::ge)})};
}

namespace {

// The triangle that is read, 1 on its diagonal where that is not.
Value triangle(Build& b, const Node& n, Value a, double on_diagonal) {
  const bool unit_diagonal = n.attrs.flag("unit"), lower = n.attrs.flag("lower");
  const Value strict = kept(b, a, lower ? Direction::gt : Direction::lt);
  const Value diagonal = unit_diagonal ? b.full_like(a, on_diagonal) : a;
  return b.add(strict, kept(b, diagonal, Direction::eq));
}

}  // namespace

// Of any near solution x and every matrix A of the box, |A⁻¹·b - x| <= ⟨A⟩⁻¹·|b - A·x|, where ⟨A⟩ has the least moduli
// of the diagonal and the greatest of the rest, negated: its inverse is not negative. (A. Neumaier, "Interval methods
// for systems of equations", 1990.) The engine's solution is one for a matrix 4·n·u away (N. Higham, 2002, 8.1).
Enclosures triangular_solve(BoundSite& s) {
  Build& b = s.b;
  const Type& t = s.node.types[0];
  if (is_complex(t.dtype)) return all_whole(b, s.node);
  if (is_empty(s.node)) return moves_all(s);
  const double n = static_cast<double>(linalg::columns(s.node.in[0].type())), share = 16 * (n + 2) * unit;
  const Near a = near(b, s.in[0]), rhs = near(b, s.in[1]);
  const Value whole_matrix = triangle(b, s.node, a.centre, 1), size = b.abs(whole_matrix);
  const Value apart = b.add(triangle(b, s.node, a.radius, 0), b.scale(size, share));
  const auto turned = [&](Value m) { return s.node.attrs.flag("transpose") ? transposed(b, m) : m; };
  const Value x = b.repeat(s.node, {a.centre, rhs.centre})[0];
  const Value residual = b.abs(b.sub(rhs.centre, linalg::matmul(b, turned(whole_matrix), x)));
  const Value moved = b.add(linalg::matmul(b, turned(b.scale(apart, 1 + share)), b.abs(x)),
                            b.add(b.scale(rhs.radius, 1 + share), b.scale(b.abs(rhs.centre), share)));
  const Value rest = b.add(b.scale(b.add(residual, moved), 1 + share), b.full_like(residual, 0x1p-1000));
  // The comparison matrix; a diagonal that may be 0 has no inverse.
  const Value diagonal = b.sub(kept(b, size, Direction::eq), b.scale(kept(b, apart, Direction::eq), 1 + share));
  const Value compared = b.sub(diagonal, b.sub(b.add(size, apart), kept(b, b.add(size, apart), Direction::eq)));
  const Value reach = b.scale(b.repeat(s.node, {compared, rest})[0], 1 + share);
  const Value least = b.reduce_min(linalg::diagonal(b, compared), {compared.rank() - 2});
  const Value ok =
      b.logical_and(b.compare(Direction::gt, least, b.zero(least)),
                    below(b, b.reduce_max(b.add(reach, b.abs(x)), {x.rank() - 2, x.rank() - 1}), greatest_norm));
  return {result(b, t, ok, outward(b, b.sub(x, reach), b.add(x, reach), 1))};
}

}  // namespace viva::bounds
