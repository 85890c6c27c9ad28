// Linear algebra of tensors: the operations on matrices, and what is composed of them.
#include "viva/linalg.h"

#include "trace/operand.h"
#include "viva/indexing.h"
#include "viva/numpy.h"

namespace viva {

using tracing::as_float;
using tracing::as_tensor;
using tracing::emit;
using tracing::emit_all;
using tracing::Line;
using tracing::usage_at;

namespace {

// Halves are factored in float32.
Tensor matrix(const Arg& a, std::string_view what) {
  const Tensor given = as_float(a), x = tracing::converted(given, tracing::summed_in(given.dtype()), a.where);
  if (x.rank() < 2)
    throw usage_at(a.where, fmt::format("[{}] {} is no matrix: the last two axes are one", what, to_string(x.type())));
  return x;
}
Tensor swapped(const Tensor& x) { return swap_axes(x, -1, -2); }
Tensor square_matrix(const Arg& a, std::string_view what) {
  const Tensor x = matrix(a, what);
  if (x.dim(-1) != x.dim(-2))
    throw usage_at(a.where, fmt::format("[{}] {} holds matrices that are not square", what, to_string(x.type())));
  return x;
}
Tensor hermitian(const Tensor& x) { return (x + conj(swapped(x))) * 0.5; }

// a and b in one dtype, their batches broadcast, b a matrix; vector: b was none.
struct System {
  Tensor a, b;
  bool vector = false;
  System(const Arg& given_a, const Arg& given_b, std::string_view what) {
    const Dtype common = tracing::common_dtype({&given_a, &given_b}), d = has_tangent(common) ? common : Dtype::float32;
    a = square_matrix({as_tensor(given_a, tracing::summed_in(d)), given_a.where}, what);
    b = as_tensor(given_b, a.dtype());
    vector = b.rank() == a.rank() - 1;
    if (vector) b = expand_dims(b, -1);
    if (b.rank() < 2 || b.dim(-2) != a.dim(-1))
      throw usage_at(given_a.where, fmt::format("[{}] a right side {} does not fit {}", what, to_string(b.type()),
                                                to_string(a.type())));
    const auto batch = [](const Tensor& t) { return Shape(t.shape().begin(), t.shape().end() - 2); };
    Shape shape = tracing::broadcast_shape(batch(a), batch(b), what, given_a.where), wide = shape;
    shape.insert(shape.end(), {a.dim(-2), a.dim(-1)}), wide.insert(wide.end(), {b.dim(-2), b.dim(-1)});
    a = tracing::stretched(a, shape, given_a.where), b = tracing::stretched(b, wide, given_a.where);
  }
  Tensor shown(const Tensor& x) const { return vector ? squeeze(x, -1) : x; }
};

Tensor triangular(const Tensor& a, const Tensor& b, bool lower, Op op, bool unit, Where where) {
  return emit("triangular_solve", {&a, &b},
              {{"lower", lower}, {"transpose", op != Op::none}, {"conjugate", op == Op::adjoint}, {"unit", unit}},
              where);
}

// Rows of b in the order of the permutation, through a matrix of ones, which any batch takes.
Tensor permuted_rows(const Tensor& b, const Tensor& permutation) {
  const Tensor places = iota({permutation.dim(-1)}, 0, Dtype::int32);
  return matmul(convert(expand_dims(permutation, -1) == places, b.dtype()), b);
}

Tensor transform(const Arg& a, int64_t given, bool inverse, std::string_view what) {
  Tensor x = as_float(a);
  if (!is_complex(x.dtype())) x = complex(x, 0);
  const int64_t axis = tracing::axis_in(given, x.rank(), what, a.where);
  return emit("fft", {&x}, {{"dim", axis}, {"inverse", inverse}}, a.where);
}

Tensor span(const Tensor& x, int64_t axis, int64_t from, int64_t to, int64_t step = 1) {
  std::vector<Index> at(static_cast<size_t>(axis), range());
  at.push_back(range(from, to, step));
  return index(x, at);
}

}  // namespace

Tensor cholesky(const Arg& a) {
  const Line line(a.where);
  const Tensor x = hermitian(square_matrix(a, "cholesky"));
  return emit("cholesky", {&x}, {}, a.where);
}

Tensor solve_triangular(const Arg& a, const Arg& b, bool lower, Op op, bool unit) {
  const Line line(a.where);
  const System s(a, b, "solve_triangular");
  return s.shown(triangular(s.a, s.b, lower, op, unit, a.where));
}

Lu lu_factor(const Arg& a) {
  const Line line(a.where);
  const Tensor x = matrix(a, "lu_factor");
  const auto r = emit_all("lu", {&x}, {}, a.where);
  return {r[0], r[1], r[2]};
}

Qr qr(const Arg& a) {
  const Line line(a.where);
  const Tensor x = matrix(a, "qr");
  const auto r = emit_all("qr", {&x}, {}, a.where);
  return {r[0], r[1]};
}

Eigh eigh(const Arg& a) {
  const Line line(a.where);
  const Tensor x = hermitian(square_matrix(a, "eigh"));
  const auto r = emit_all("eigh", {&x}, {}, a.where);
  return {r[0], r[1]};
}

Svd svd(const Arg& a) {
  const Line line(a.where);
  const Tensor x = matrix(a, "svd");
  const auto r = emit_all("svd", {&x}, {}, a.where);
  return {r[0], r[1], r[2]};
}

Tensor solve(const Arg& a, const Arg& b) {
  const Line line(a.where);
  const System s(a, b, "solve");
  const Lu f = lu_factor(s.a);
  const Tensor y = triangular(f.lu, permuted_rows(s.b, f.permutation), true, Op::none, true, a.where);
  return s.shown(triangular(f.lu, y, false, Op::none, false, a.where));
}

Tensor inv(const Arg& a) {
  const Line line(a.where);
  const Tensor x = square_matrix(a, "inv");
  return solve(x, eye(x.dim(-1), x.dtype()) + zeros_like(x));
}

Tensor det(const Arg& a) {
  const Line line(a.where);
  const Tensor x = square_matrix(a, "det");
  const Lu f = lu_factor(x);
  const Tensor exchanges = sum(convert(f.pivots != iota({x.dim(-1)}, 0, Dtype::int32), Dtype::int32), -1);
  return prod(diagonal(f.lu), -1) * (1 - 2 * (exchanges & 1));
}

SignLogDet slogdet(const Arg& a) {
  const Line line(a.where);
  const Tensor x = square_matrix(a, "slogdet");
  const Lu f = lu_factor(x);
  const Tensor exchanges = sum(convert(f.pivots != iota({x.dim(-1)}, 0, Dtype::int32), Dtype::int32), -1);
  const Tensor d = diagonal(f.lu);
  return {prod(sign(d), -1) * (1 - 2 * (exchanges & 1)), sum(log(abs(d)), -1)};
}

Tensor fft(const Arg& a, int64_t axis) {
  const Line line(a.where);
  return transform(a, axis, false, "fft");
}
Tensor ifft(const Arg& a, int64_t axis) {
  const Line line(a.where);
  return transform(a, axis, true, "ifft");
}

Tensor rfft(const Arg& a, int64_t given) {
  const Line line(a.where);
  const Tensor x = as_float(a);
  if (is_complex(x.dtype())) throw usage_at(a.where, fmt::format("[rfft] {} is complex: use fft", to_string(x.type())));
  const int64_t axis = tracing::axis_in(given, x.rank(), "rfft", a.where);
  return span(transform(x, axis, false, "rfft"), axis, 0, x.dim(axis) / 2 + 1);
}

// The other half holds the conjugates, backwards; the imaginary parts of the ends do not count.
Tensor irfft(const Arg& a, int64_t n, int64_t given) {
  const Line line(a.where);
  Tensor x = as_float(a);
  if (!is_complex(x.dtype())) x = complex(x, 0);
  const int64_t axis = tracing::axis_in(given, x.rank(), "irfft", a.where);
  if (n < 1 || x.dim(axis) != n / 2 + 1)
    throw usage_at(a.where, fmt::format("[irfft] {} along axis {} does not make {} real numbers: it takes {}",
                                        to_string(x.type()), axis, n, n / 2 + 1));
  const int64_t others = (n - 1) / 2;
  const Tensor rest = flip(conj(span(x, axis, 1, others + 1)), axis);
  return real(transform(concatenate({x, rest}, axis), axis, true, "irfft"));
}

Tensor quantize(const Arg& a, const Arg& s, const Tensor& z) {
  const Line line(a.where);
  const Tensor x = as_float(a), scale = as_tensor(s, x.dtype());
  Shape shape = tracing::broadcast_shape(x.shape(), scale.shape(), "quantize", a.where);
  shape = tracing::broadcast_shape(shape, z.shape(), "quantize", a.where);
  const Tensor wide = tracing::stretched(x, shape, a.where), factor = tracing::stretched(scale, shape, a.where),
               zero = tracing::stretched(z, shape, a.where);
  return emit("quantize", {&wide, &factor, &zero}, {}, a.where);
}

Tensor dequantize(const Tensor& q, const Arg& s, const Tensor& zero) {
  const Line line(s.where);
  const Tensor scale = as_float(s);
  return (convert(convert(q, Dtype::int32) - convert(zero, Dtype::int32), scale.dtype())) * scale;
}

}  // namespace viva
