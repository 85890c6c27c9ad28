// cholesky, triangular_solve, lu and qr. Derivatives: I. Murray, "Differentiation of the Cholesky decomposition", 2016;
// F. de Hoog, R. Anderssen, M. Lukas, "Differentiation of matrix functionals using triangular factorization", 2011; for
// qr S. Walter, L. Lehmann, "Algorithmic differentiation of linear algebra functions", 2010.
#include <algorithm>
#include <array>

#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/linalg.h"

namespace viva {
namespace {

using namespace linalg;

// Nonsingular.
double strong_diagonal(int64_t) { return 3; }

void require_square(const Type& t) {
  require(rows(t) == columns(t), "{} holds matrices that are not square", spelled(t));
}

// cholesky

std::vector<Type> cholesky_infer(const Infer::Site& s) {
  require_operands(s, 1), require_matrix(s), require_square(s.in[0]);
  return {s.in[0]};
}

// dL = L·Φ(L⁻¹ dA L⁻ᴴ), Φ the lower half with half of the diagonal.
Values cholesky_jvp(Build& b, const Node&, Ins, Ins out, Ins t, Transforms&) {
  const Value l = out[0];
  const Value x = b.triangular_solve(l, of_lower(b, t[0]), {});
  const Value w = b.triangular_solve(l, adjoint(b, x), {});
  return {matmul(b, l, b.add(kept(b, w, Direction::gt), b.scale(kept(b, w, Direction::eq), 0.5)))};
}

// triangular_solve

Build::Triangle triangle_of(const Node& n) {
  return {n.attrs.flag("lower"), n.attrs.flag("transpose"), n.attrs.flag("conjugate"), n.attrs.flag("unit")};
}

std::vector<Type> solve_infer(const Infer::Site& s) {
  require_operands(s, 2), require_matrix(s), require_square(s.in[0]);
  const Type &a = s.in[0], &b = s.in[1];
  require(a.dtype == b.dtype, "operands {} and {} differ in dtype", spelled(a), spelled(b));
  require(b.rank() == a.rank() && batch_shape(a) == batch_shape(b) && rows(b) == rows(a),
          "a right side {} does not fit {}", spelled(b), spelled(a));
  for (const char* flag : {"lower", "transpose", "conjugate", "unit"}) s.attrs.flag(flag);
  return {b};
}

// op(da), of the half that is read.
Value read_part(Build& b, const Node& n, Value da) {
  const Build::Triangle how = triangle_of(n);
  const Direction half = how.unit    ? (how.lower ? Direction::gt : Direction::lt)
                         : how.lower ? Direction::ge
                                     : Direction::le;
  da = kept(b, da, half);
  if (how.transpose) da = transposed(b, da);
  return how.conjugate && is_complex(da.dtype()) ? b.conj(da) : da;
}

// dx = op(a)⁻¹ (db - op(da)·x)
Values solve_jvp(Build& b, const Node& n, Ins in, Ins out, Ins t, Transforms&) {
  Value right = t[1];
  if (t[0]) {
    const Value moved = matmul(b, read_part(b, n, t[0]), out[0]);
    right = right ? b.sub(right, moved) : b.neg(moved);
  }
  return {b.triangular_solve(in[0], right, triangle_of(n))};
}

// op(a₀)·x_k = b_k - Σ op(a_j)·x_{k-j}
bool solve_jet(JetSite& s) {
  if (s.series.directions > 0) return false;
  Value right = s.in(1, s.order).value;
  for (int64_t j = 1; j <= s.order; ++j) {
    const Coefficient a = s.in(0, j), x = a ? s.out(0, s.order - j) : Coefficient{};
    if (!x) continue;
    const Value moved = matmul(s.b, read_part(s.b, s.node, a.value), x.value);
    right = right ? s.b.sub(right, moved) : s.b.neg(moved);
  }
  if (right) s.set(0, s.order, {s.b.triangular_solve(s.in(0, 0).value, right, triangle_of(s.node))});
  return true;
}

// The transpose of op(a)⁻¹, without a conjugate, is that of the transposed matrix.
void solve_transpose(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> r, Transforms&) {
  Build::Triangle how = triangle_of(n);
  how.transpose = !how.transpose;
  r[1] = b.triangular_solve(in[0], ct[0], how);
}

std::vector<Sample> solve_samples() {
  std::vector<Sample> all;
  for (int i = 0; i < 16; ++i) {
    const Dtype d = i % 2 || (i & 4) ? Dtype::complex128 : Dtype::float64;
    Sample s{fmt::format("{} {}", name(d), i),
             {sample_matrix({3, 3}, i, d, strong_diagonal), sample_matrix({3, 2}, i + 30, d, strong_diagonal)},
             {},
             {}};
    s.attrs = {
        {"lower", (i & 1) != 0}, {"transpose", (i & 2) != 0}, {"conjugate", (i & 4) != 0}, {"unit", (i & 8) != 0}};
    s.linear = {{false, true}};
    all.push_back(std::move(s));
  }
  const Attrs plain{{"lower", true}, {"transpose", false}, {"conjugate", false}, {"unit", false}};
  all.push_back({"batch",
                 {sample_matrix({2, 2, 2}, 1, Dtype::float64, strong_diagonal),
                  sample_matrix({2, 2, 1}, 2, Dtype::float64, strong_diagonal)},
                 plain,
                 {},
                 {{false, true}}});
  all.push_back({"empty",
                 {Array::zeros({Dtype::float64, {0, 0}}), Array::zeros({Dtype::float64, {0, 2}})},
                 plain,
                 {},
                 {{false, true}}});
  all.push_back({"no right side",
                 {sample_matrix({2, 2}, 1, Dtype::float64, strong_diagonal), Array::zeros({Dtype::float64, {2, 0}})},
                 plain,
                 {},
                 {{false, true}}});
  return all;
}

// lu

std::vector<Type> lu_infer(const Infer::Site& s) {
  require_operands(s, 1), require_matrix(s);
  const Type& t = s.in[0];
  Shape pivots = batch_shape(t), order = batch_shape(t);
  pivots.push_back(std::min(rows(t), columns(t))), order.push_back(rows(t));
  return {t, {Dtype::int32, pivots}, {Dtype::int32, order}};
}

// x with zeros below and to the right, and ones on the new part of the diagonal.
Value extended(Build& b, Value x, int64_t m, int64_t n) {
  const int64_t r = x.rank();
  Ints low(static_cast<size_t>(r), 0), high = low;
  high[high.size() - 2] = m - x.dim(r - 2), high.back() = n - x.dim(r - 1);
  const Value padded = b.pad(x, b.scalar(x.dtype(), 0), low, high);
  const Value row = b.iota({Dtype::int64, padded.shape()}, r - 2), col = b.iota({Dtype::int64, padded.shape()}, r - 1);
  const Value beyond =
      b.compare(Direction::ge, row, b.full_like(row, static_cast<double>(std::min(x.dim(r - 2), x.dim(r - 1)))));
  return b.select(b.logical_and(beyond, b.compare(Direction::eq, row, col)), b.one(padded), padded);
}

Value part(Build& b, Value x, int64_t from_row, int64_t to_row, int64_t from_column, int64_t to_column) {
  Ints start(x.shape().size(), 0), limit = x.shape();
  start[start.size() - 2] = from_row, limit[limit.size() - 2] = to_row;
  start.back() = from_column, limit.back() = to_column;
  return b.slice(x, std::move(start), std::move(limit));
}

// y·u⁻¹ for an upper triangle u, by the transposed system.
Value over_upper(Build& b, Value y, Value u) {
  return transposed(b, b.triangular_solve(u, transposed(b, y), {.lower = false, .transpose = true}));
}

// d(LU) = L·strictly_lower(W) + upper(W)·U with W = L⁻¹ P dA U⁻¹, both factors made square with ones.
Values lu_jvp(Build& b, const Node& n, Ins, Ins out, Ins t, Transforms&) {
  const int64_t m = rows(n.in[0].type()), k = columns(n.in[0].type()), least = std::min(m, k);
  const Value packed = out[0];
  const Value order = b.broadcast(out[2], with(batch_shape(packed.type()), {m, m}), iota_ints(out[2].rank()));
  const Value chosen = b.compare(Direction::eq, order, b.iota(order.type(), order.rank() - 1));
  const Value moved = matmul(b, b.convert(chosen, packed.dtype()), t[0]);
  const Value strict = kept(b, part(b, packed, 0, m, 0, least), Direction::gt);
  const Value l = extended(b, strict, m, m),
              u = extended(b, kept(b, part(b, packed, 0, least, 0, k), Direction::le), k, k);
  const Value w = over_upper(b, b.triangular_solve(l, moved, {.unit = true}), u);
  const Value ones = b.select(b.compare(Direction::eq, b.iota({Dtype::int64, l.shape()}, l.rank() - 2),
                                        b.iota({Dtype::int64, l.shape()}, l.rank() - 1)),
                              b.one(l), l);
  const Value lower = matmul(b, ones, kept(b, w, Direction::gt)), upper = matmul(b, kept(b, w, Direction::le), u);
  return {b.add(lower, upper), Value{}, Value{}};
}

// qr

std::vector<Type> qr_infer(const Infer::Site& s) {
  require_operands(s, 1), require_matrix(s);
  const Type& t = s.in[0];
  const int64_t k = std::min(rows(t), columns(t));
  return {{t.dtype, with(batch_shape(t), {rows(t), k})}, {t.dtype, with(batch_shape(t), {k, columns(t)})}};
}

// Of the first k columns: with W = Qᴴ dA R⁻¹ and Ω = QᴴdQ, which is skew and has W's strictly lower half, dR = (W -
// Ω)·R and dQ = dA R⁻¹ - Q·(W - Ω). The other columns of R are Qᴴ A.
Values qr_jvp(Build& b, const Node& n, Ins in, Ins out, Ins t, Transforms&) {
  const int64_t m = rows(n.in[0].type()), width = columns(n.in[0].type()), k = std::min(m, width);
  const Value q = out[0], r = part(b, out[1], 0, k, 0, k);
  const Value across = over_upper(b, part(b, t[0], 0, m, 0, k), r), w = matmul(b, adjoint(b, q), across);
  const Value below = kept(b, w, Direction::gt);
  Value skew = b.sub(below, adjoint(b, below));
  if (is_complex(w.dtype())) {
    const Value on = kept(b, w, Direction::eq);
    skew = b.add(skew, b.sub(on, b.convert(b.real(on), on.dtype())));
  }
  const Value upper = b.sub(w, skew), dq = b.sub(across, matmul(b, q, upper)), dr = matmul(b, upper, r);
  if (width == k) return {dq, dr};
  const Value rest = b.add(matmul(b, adjoint(b, dq), part(b, in[0], 0, m, k, width)),
                           matmul(b, adjoint(b, q), part(b, t[0], 0, m, k, width)));
  return {dq, b.concatenate({dr, rest}, dr.rank() - 1)};
}

std::vector<Sample> square_samples() {
  return matrix_samples(strong_diagonal, {{3, 3}, {2, 2, 2}, {1, 1}, {0, 0}, {0, 2, 2}});
}
std::vector<Sample> factor_samples() {
  return matrix_samples(strong_diagonal, {{3, 3}, {2, 3, 2}, {2, 4}, {1, 1}, {0, 2}, {2, 0}, {0, 2, 2}});
}

constexpr OpDef cholesky_record = {
    .name = "cholesky",
    .family = "linear algebra",
    .doc = "the lower L with L·Lᴴ = x, of x's lower half; NaN where x is not positive definite",
    .infer = cholesky_infer,
    .eval = eval_rule<host::cholesky>,
    .jvp = cholesky_jvp,
    .split = plain_split,
    .transpose = not_linear,
    .batch = batch,
    .lower = lower_rule<host::cholesky>,
    .prune = plain_prune,
    .bound = bounds::cholesky,
    .samples = square_samples};
constexpr OpDef solve_record = {
    .name = "triangular_solve",
    .family = "linear algebra",
    .doc = "op(a)⁻¹·b of a triangle of a; op transposes, conjugates or both; unit: as if the diagonal held 1",
    .attributes = "lower transpose conjugate unit",
    .infer = solve_infer,
    .eval = eval_rule<host::triangular_solve>,
    .jvp = solve_jvp,
    .split = plain_split,
    .transpose = solve_transpose,
    .batch = batch,
    .lower = lower_rule<host::triangular_solve>,
    .prune = plain_prune,
    .bound = bounds::triangular_solve,
    .jet = solve_jet,
    .samples = solve_samples};
constexpr OpDef lu_record = {
    .name = "lu",
    .family = "linear algebra",
    .doc =
        "P·x = L·U with a unit L: both in one matrix, the row exchanged at each step, and the rows in their new order",
    .infer = lu_infer,
    .eval = eval_rule<host::lu>,
    .jvp = lu_jvp,
    .split = plain_split,
    .transpose = not_linear,
    .batch = batch,
    .lower = lower_rule<host::lu>,
    .prune = plain_prune,
    .bound = bounds::unknown,
    .samples = factor_samples};
constexpr OpDef qr_record = {
    .name = "qr",
    .family = "linear algebra",
    .doc = "x = Q·R, Q with orthonormal columns, as many as the lesser extent, R upper with a real diagonal >= 0",
    .infer = qr_infer,
    .eval = eval_rule<host::qr>,
    .jvp = qr_jvp,
    .split = plain_split,
    .transpose = not_linear,
    .batch = batch,
    .lower = lower_rule<host::qr>,
    .prune = plain_prune,
    .bound = bounds::qr,
    .samples = factor_samples};

constexpr std::array records = {&cholesky_record, &solve_record, &lu_record, &qr_record};

}  // namespace

constinit const OpList ops::factorization = records;

}  // namespace viva
