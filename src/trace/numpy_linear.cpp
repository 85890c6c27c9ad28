// Products of vectors and matrices, diagonals and what statistics make of them.
#include <algorithm>
#include <array>

#include "graph/dims.h"
#include "trace/operand.h"
#include "viva/numpy.h"

namespace viva {

using tracing::as_float;
using tracing::as_tensor;
using tracing::common_dtype;
using tracing::Line;
using tracing::usage_at;

namespace {

Tensor contracted(const Tensor& x, const Tensor& y, Ints xs, Ints ys, std::string_view what, Where where) {
  for (size_t i = 0; i < xs.size(); ++i)
    if (x.dim(xs[i]) != y.dim(ys[i]))
      throw usage_at(where, fmt::format("[{}] {} by {}: extents {} and {}", what, to_string(x.type()),
                                        to_string(y.type()), x.dim(xs[i]), y.dim(ys[i])));
  Attrs attrs{{"dtype", x.dtype()}};
  DotDims{{}, {}, std::move(xs), std::move(ys)}.put(attrs);
  return tracing::emit("dot_general", {&x, &y}, std::move(attrs), where);
}

struct Pair {
  Tensor x, y;
};
Pair operands(const Arg& a, const Arg& b) {
  const Dtype d = common_dtype({&a, &b});
  if (is_bool(d)) return {as_tensor(a, Dtype::int32), as_tensor(b, Dtype::int32)};
  return {as_tensor(a, d), as_tensor(b, d)};
}

}  // namespace

Tensor dot(const Arg& a, const Arg& b) {
  const Line line(a.where);
  const auto [x, y] = operands(a, b);
  if (x.rank() == 0 || y.rank() == 0) return x * y;
  return contracted(x, y, {x.rank() - 1}, {std::max<int64_t>(y.rank() - 2, 0)}, "dot", a.where);
}
Tensor inner(const Arg& a, const Arg& b) {
  const Line line(a.where);
  const auto [x, y] = operands(a, b);
  if (x.rank() == 0 || y.rank() == 0) return x * y;
  return contracted(x, y, {x.rank() - 1}, {y.rank() - 1}, "inner", a.where);
}
Tensor vdot(const Arg& a, const Arg& b) {
  const Line line(a.where);
  const auto [x, y] = operands(a, b);
  return contracted(reshape(conj(x), {-1}), reshape(y, {-1}), {0}, {0}, "vdot", a.where);
}

Tensor tensordot(const Arg& a, const Arg& b, const Ints& xs, const Ints& ys) {
  const Line line(a.where);
  const auto [x, y] = operands(a, b);
  if (xs.size() != ys.size())
    throw usage_at(a.where, fmt::format("[tensordot] {} axes of one operand, {} of the other", xs.size(), ys.size()));
  const auto counted = [&](const Ints& axes, const Tensor& t) {
    Ints r;
    for (const int64_t i : axes) r.push_back(tracing::axis_in(i, t.rank(), "tensordot", a.where));
    return r;
  };
  return contracted(x, y, counted(xs, x), counted(ys, y), "tensordot", a.where);
}
Tensor tensordot(const Arg& a, const Arg& b, int64_t axes) {
  const Line line(a.where);
  const auto [x, y] = operands(a, b);
  if (axes < 0 || axes > x.rank() || axes > y.rank())
    throw usage_at(a.where,
                   fmt::format("[tensordot] {} axes of {} and {}", axes, to_string(x.type()), to_string(y.type())));
  return contracted(x, y, iota_ints(axes, x.rank() - axes), iota_ints(axes), "tensordot", a.where);
}

// Each dimension of x stands before its own of y.
Tensor kron(const Arg& a, const Arg& b) {
  const Line line(a.where);
  const auto [p, q] = operands(a, b);
  const auto rank = static_cast<size_t>(std::max(p.rank(), q.rank()));
  const auto padded = [&](const Tensor& t) {
    Shape s = t.shape();
    s.insert(s.begin(), rank - s.size(), 1);
    return s;
  };
  const Shape xs = padded(p), ys = padded(q);
  Shape x, y, both;
  for (size_t i = 0; i < rank; ++i) {
    x.insert(x.end(), {xs[i], 1}), y.insert(y.end(), {1, ys[i]});
    both.push_back(xs[i] * ys[i]);
  }
  return reshape(reshape(p, x) * reshape(q, y), both);
}

Tensor cross(const Arg& a, const Arg& b) {
  const Line line(a.where);
  const auto [x, y] = operands(a, b);
  if (x.rank() < 1 || y.rank() < 1 || x.dim(-1) != 3 || y.dim(-1) != 3)
    throw usage_at(a.where, fmt::format("[cross] {} by {}: the last axis has 3 entries", to_string(x.type()),
                                        to_string(y.type())));
  return roll(x, -1, -1) * roll(y, -2, -1) - roll(x, -2, -1) * roll(y, -1, -1);
}

namespace {

void need_matrix(const Tensor& x, std::string_view what, Where where) {
  if (x.rank() < 2)
    throw usage_at(where, fmt::format("[{}] takes two axes or more, not {}", what, to_string(x.type())));
}

}  // namespace

// A matrix read row by row has its diagonal at every (columns + 1)th place.
Tensor diagonal(const Arg& a, int64_t k) {
  const Line line(a.where);
  const Tensor x = as_tensor(a);
  need_matrix(x, "diagonal", a.where);
  const int64_t rows = x.dim(-2), columns = x.dim(-1);
  const int64_t n = std::max<int64_t>(0, k >= 0 ? std::min(rows, columns - k) : std::min(rows + k, columns));
  Shape batch(x.shape().begin(), x.shape().end() - 2), flat = batch;
  flat.push_back(rows * columns);
  const int64_t first = n == 0 ? 0 : k >= 0 ? k : -k * columns;
  Ints start(flat.size(), 0), limit = flat, strides(flat.size(), 1);
  start.back() = first, strides.back() = columns + 1;
  limit.back() = n == 0 ? first : first + (n - 1) * (columns + 1) + 1;
  const Tensor rowwise = reshape(x, flat);
  return tracing::emit("slice", {&rowwise}, {{"start", start}, {"limit", limit}, {"strides", strides}}, a.where);
}

Tensor diag(const Arg& a, int64_t k) {
  const Line line(a.where);
  const Tensor x = as_tensor(a);
  if (x.rank() == 2) return diagonal(x, k);
  if (x.rank() != 1)
    throw usage_at(a.where, fmt::format("[diag] takes a vector or a matrix, not {}", to_string(x.type())));
  const int64_t n = x.size(), side = n + std::abs(k);
  const Tensor rows = iota({side, side}, 0) + k, columns = iota({side, side}, 1);
  const Tensor along = pad(x, {std::max<int64_t>(k, 0)}, {side - n - std::max<int64_t>(k, 0)});
  return where(rows == columns, along, zeros({side, side}, x.dtype()));
}

Tensor trace(const Arg& a, int64_t k) {
  const Line line(a.where);
  const Tensor x = as_tensor(a);
  need_matrix(x, "trace", a.where);
  return sum(diagonal(x, k), -1);
}

Tensor cov(const Arg& a, double degrees) {
  const Line line(a.where);
  const Tensor given = as_float(a);
  if (given.rank() < 1 || given.rank() > 2)
    throw usage_at(a.where,
                   fmt::format("[cov] takes a vector or rows of observations, not {}", to_string(given.type())));
  const Tensor x = given.rank() == 1 ? expand_dims(given, 0) : given, d = x - mean(x, 1, true);
  const Tensor c = matmul(d, transpose(d)) * (1 / (static_cast<double>(x.dim(1)) - degrees));
  return given.rank() == 1 ? reshape(c, {}) : c;
}
Tensor corrcoef(const Arg& a) {
  const Line line(a.where);
  const Tensor c = cov(a, 0);
  if (c.rank() == 0) return c / c;
  const Tensor s = sqrt(diagonal(c));
  return c / s / expand_dims(s, 1);
}

Tensor polyval(const Arg& p, const Arg& a) {
  const Line line(p.where);
  const Dtype d = common_dtype({&p, &a});
  const Tensor coefficients = as_tensor(p, d), x = as_tensor(a, d);
  if (coefficients.rank() != 1)
    throw usage_at(p.where,
                   fmt::format("[polyval] the coefficients are {}, not a vector", to_string(coefficients.type())));
  Tensor y = zeros_like(x);
  if (coefficients.size() > 0)
    for (const Tensor& c : split(coefficients, coefficients.size())) y = y * x + reshape(c, {});
  return y;
}

// A convolution with the kernel turned round.
Tensor convolve(const Arg& a, const Arg& b, ConvolveMode mode) {
  const Line line(a.where);
  auto [x, y] = operands(a, b);
  if (x.rank() != 1 || y.rank() != 1 || x.size() == 0 || y.size() == 0)
    throw usage_at(a.where, fmt::format("[convolve] {} by {}: takes vectors that are not empty", to_string(x.type()),
                                        to_string(y.type())));
  if (x.size() < y.size()) std::swap(x, y);
  const int64_t n = y.size(), outside = mode == ConvolveMode::full ? n - 1 : 0;
  const int64_t low = mode == ConvolveMode::same ? n / 2 : outside,
                high = mode == ConvolveMode::same ? (n - 1) / 2 : outside;
  const Tensor r = conv(reshape(x, {1, 1, -1}), reshape(flip(y), {1, 1, -1}), {.low = {low}, .high = {high}});
  return reshape(r, {-1});
}

}  // namespace viva
