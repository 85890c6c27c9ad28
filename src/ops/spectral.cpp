// eigh and svd. Derivatives: M. Giles, "An extended collection of matrix derivative results", 2008; where eigenvalues
// or singular values coincide, their vectors are taken as at rest in the space that they span.
#include <algorithm>
#include <array>

#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/linalg.h"

namespace viva {
namespace {

using namespace linalg;

Value real_part(Build& b, Value x) { return is_complex(x.dtype()) ? b.real(x) : x; }
Value as(Build& b, Value x, Value like) { return b.convert(x, like.dtype()); }

// Distinct eigenvalues and singular values.
double far_apart(int64_t column) { return 2.5 * static_cast<double>(column + 1); }

// [i, j]: 1 / (v[j] - v[i]), 0 where they are equal.
Value gaps(Build& b, Value v, Value like) {
  const Value real = real_part(b, like);
  return as(b, safe_recip(b, b.sub(along_rows(b, v, real), along_columns(b, v, real))), like);
}

// eigh

std::vector<Type> eigh_infer(const Infer::Site& s) {
  require_operands(s, 1), require_matrix(s);
  const Type& t = s.in[0];
  require(rows(t) == columns(t), "{} holds matrices that are not square", spelled(t));
  Shape values = batch_shape(t);
  values.push_back(rows(t));
  return {{real_of(t.dtype), values}, t};
}

// With D = Vᴴ dA V: dw = diag D, dV = V·(D / (w_j - w_i)).
Values eigh_jvp(Build& b, const Node&, Ins, Ins out, Ins t, Transforms&) {
  const Value v = out[1], d = matmul(b, adjoint(b, v), matmul(b, of_lower(b, t[0]), v));
  const Value dv = matmul(b, v, b.mul(d, gaps(b, out[0], d)));
  return {real_part(b, diagonal(b, d)), with_real_pivots(b, {v}, {dv})[0]};
}

// svd

std::vector<Type> svd_infer(const Infer::Site& s) {
  require_operands(s, 1), require_matrix(s);
  const Type& t = s.in[0];
  const int64_t k = std::min(rows(t), columns(t));
  Shape values = batch_shape(t);
  values.push_back(k);
  return {{t.dtype, with(batch_shape(t), {rows(t), k})},
          {real_of(t.dtype), values},
          {t.dtype, with(batch_shape(t), {k, columns(t)})}};
}

// What x, with orthonormal columns, leaves of y, over the singular values.
Value outside(Build& b, Value x, Value y, Value s) {
  const Value rest = b.sub(y, matmul(b, x, matmul(b, adjoint(b, x), y)));
  return b.mul(rest, along_rows(b, safe_recip(b, s), rest));
}

// With D = Uᴴ dA V: ds = diag D; Uᴴ dU and Vᴴ dV have (D s_j + s_i Dᴴ) / (s_j² - s_i²) and (s_i D + Dᴴ s_j) / (s_j² -
// s_i²) off the diagonal, and together the imaginary part of D's diagonal over s on it.
Values svd_jvp(Build& b, const Node& n, Ins, Ins out, Ins t, Transforms&) {
  const int64_t m = rows(n.in[0].type()), width = columns(n.in[0].type());
  if (std::min(m, width) == 0) return {Value{}, Value{}, Value{}};
  const Value u = out[0], s = out[1], v = adjoint(b, out[2]);
  const Value dav = matmul(b, t[0], v), d = matmul(b, adjoint(b, u), dav), ds = real_part(b, diagonal(b, d));
  const Value by_columns = b.mul(d, along_rows(b, s, d)), by_rows = b.mul(d, along_columns(b, s, d));
  const Value f = gaps(b, b.square(s), d);
  Value turn_u = b.mul(f, b.add(by_columns, adjoint(b, by_columns)));
  const Value turn_v = b.mul(f, b.add(by_rows, adjoint(b, by_rows)));
  if (is_complex(d.dtype())) {
    const Value on = kept(b, d, Direction::eq);
    turn_u = b.add(turn_u, b.mul(b.sub(on, as(b, b.real(on), on)), along_rows(b, safe_recip(b, s), d)));
  }
  Value du = matmul(b, u, turn_u), dv = matmul(b, v, turn_v);
  if (m > width) du = b.add(du, outside(b, u, dav, s));
  if (width > m) dv = b.add(dv, outside(b, v, matmul(b, adjoint(b, t[0]), u), s));
  const Values turned = with_real_pivots(b, {u, v}, {du, dv});
  return {turned[0], ds, adjoint(b, turned[1])};
}

constexpr OpDef eigh_record = {
    .name = "eigh",
    .family = "linear algebra",
    .doc = "eigenvalues in ascending order and eigenvectors of the Hermitian matrix with x's lower half",
    .infer = eigh_infer,
    .eval = eval_rule<host::eigh>,
    .jvp = eigh_jvp,
    .split = plain_split,
    .transpose = not_linear,
    .batch = batch,
    .lower = lower_rule<host::eigh>,
    .prune = plain_prune,
    .bound = bounds::eigh,
    .samples = [] { return matrix_samples(far_apart, {{3, 3}, {2, 2, 2}, {1, 1}, {0, 0}, {0, 2, 2}}); }};
constexpr OpDef svd_record = {
    .name = "svd",
    .family = "linear algebra",
    .doc = "U, the singular values in descending order, and Vᴴ, with as many as the lesser extent",
    .infer = svd_infer,
    .eval = eval_rule<host::svd>,
    .jvp = svd_jvp,
    .split = plain_split,
    .transpose = not_linear,
    .batch = batch,
    .lower = lower_rule<host::svd>,
    .prune = plain_prune,
    .bound = bounds::svd,
    .samples = [] {
      return matrix_samples(far_apart, {{3, 3}, {2, 3, 2}, {2, 4}, {1, 1}, {0, 2}, {2, 0}, {0, 2, 2}});
    }};

constexpr std::array records = {&eigh_record, &svd_record};

}  // namespace

constinit const OpList ops::spectral = records;

}  // namespace viva
