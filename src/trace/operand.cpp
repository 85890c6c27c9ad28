#include "trace/operand.h"

#include <algorithm>
#include <utility>

namespace viva {

Dtype promote(Dtype a, Dtype b) {
  if (a == b) return a;
  if (b < a) std::swap(a, b);  // by class, and by width within signed, unsigned, floats, complex
  if (is_bool(a)) return b;
  if (is_signed_integer(a) && is_unsigned(b)) {
    for (const Dtype d : {Dtype::int8, Dtype::int16, Dtype::int32, Dtype::int64})
      if (size_of(d) >= size_of(a) && size_of(d) > size_of(b)) return d;
    throw usage_error("no dtype holds both {} and {}: convert one of them", name(a), name(b));
  }
  if (a == Dtype::float16 && b == Dtype::bfloat16) return Dtype::float32;
  if (a == Dtype::float64 && b == Dtype::complex64) return Dtype::complex128;
  return b;
}

namespace tracing {

Error usage_at(Where where, std::string message) { return {ErrorKind::usage, std::move(message), line_or(where)}; }

namespace {

// The dtype of a number beside tensors of dtype d.
Dtype beside(Arg::Kind kind, Dtype d) {
  if (kind == Arg::Kind::boolean) return d;
  if (kind == Arg::Kind::integer) return is_bool(d) ? Dtype::int32 : d;
  return has_tangent(d) ? d : Dtype::float32;
}

Dtype alone(Arg::Kind kind) {
  return kind == Arg::Kind::boolean ? Dtype::boolean : kind == Arg::Kind::integer ? Dtype::int32 : Dtype::float32;
}

}  // namespace

Dtype common_dtype(std::initializer_list<const Arg*> args) {
  std::optional<Dtype> d;
  for (const Arg* a : args) {
    if (!a->tensor) continue;
    check_not_empty(*a->tensor, a->where);
    try {
      d = d ? promote(*d, a->tensor->dtype()) : a->tensor->dtype();
    } catch (const Error& e) { throw Error(e.kind(), e.message(), line_or(a->where)); }
  }
  for (const Arg* a : args)
    if (!a->tensor) d = d ? beside(a->kind, *d) : alone(a->kind);
  return *d;
}

bool holds(Dtype d, const Number& v) {
  return !is_integer(d) || dispatch(d, [&](auto tag) {
    using T = typename decltype(tag)::type;
    return std::visit(
        [](auto x) {
          constexpr bool counts = std::is_integral_v<T> && !std::is_same_v<T, bool>;
          if constexpr (counts && std::is_integral_v<decltype(x)> && sizeof(x) == 8) return std::in_range<T>(x);
          else return true;
        },
        v.value);
  });
}

Tensor number(const Number& v, Dtype d, Where where) {
  return std::visit(
      [&](auto x) {
        if (!holds(d, x))
          throw usage_at(where, fmt::format("{} is no {}: convert the tensor, or the number", x, name(d)));
        return constant(Array::scalar(x).converted(d), where);
      },
      v.value);
}

Tensor converted(const Tensor& t, Dtype d, Where where) {
  check_not_empty(t, where);
  return t.dtype() == d ? t : emit("convert", {&t}, {{"dtype", d}}, where);
}

Tensor as_tensor(const Arg& a, Dtype d) {
  return a.tensor ? converted(*a.tensor, d, a.where) : number(a.number, d, a.where);
}

Tensor as_tensor(const Arg& a) { return as_tensor(a, common_dtype({&a})); }

Tensor as_float(const Arg& a) {
  const Dtype d = common_dtype({&a});
  return as_tensor(a, has_tangent(d) ? d : Dtype::float32);
}

Tensor spread(const Tensor& t, const Shape& shape, const Ints& dims, Where where) {
  if (t.shape() == shape) return t;
  return emit("broadcast", {&t}, {{"shape", shape}, {"dims", dims}}, where);
}

Tensor stretched(const Tensor& t, const Shape& shape, Where where) {
  const auto skip = static_cast<int64_t>(shape.size()) - t.rank();
  return spread(t, shape, iota_ints(t.rank(), skip), where);
}

Tensor reshaped(const Tensor& t, const Shape& shape, Where where) {
  return t.shape() == shape ? t : emit("reshape", {&t}, {{"shape", shape}}, where);
}

Tensor part(const Tensor& t, int64_t axis, int64_t start, int64_t stop, Where where, int64_t stride) {
  const auto k = static_cast<size_t>(axis);
  Ints low(static_cast<size_t>(t.rank()), 0), high = t.shape(), strides(low.size(), 1);
  low[k] = start, high[k] = stop, strides[k] = stride;
  return emit("slice", {&t}, {{"start", low}, {"limit", high}, {"strides", strides}}, where);
}

int64_t leading_extent(const std::vector<Tensor>& xs, size_t first, int64_t extent, std::string_view what,
                       Where where) {
  for (size_t i = first; i < xs.size(); ++i) {
    if (xs[i].empty()) continue;
    const Shape& shape = xs[i].shape();
    if (shape.empty())
      throw usage_at(where, fmt::format("[{}] an array without dimensions has no elements to go through", what));
    if (extent < 0) extent = shape[0];
    if (shape[0] != extent)
      throw usage_at(where, fmt::format("[{}] one array has {} elements, another {}", what, extent, shape[0]));
  }
  return extent;
}

Tensor permuted(const Tensor& t, const Ints& permutation, Where where) {
  if (permutation == iota_ints(t.rank())) return t;
  return emit("transpose", {&t}, {{"permutation", permutation}}, where);
}

Shape broadcast_shape(const Shape& a, const Shape& b, std::string_view what, Where where) {
  Shape r(std::max(a.size(), b.size()));
  for (size_t i = 0; i < r.size(); ++i) {
    const int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1)
      throw usage_at(where, fmt::format("[{}] shapes {} and {} do not broadcast: {} is not {}", what, to_string(a),
                                        to_string(b), x, y));
    r[r.size() - 1 - i] = x == 1 ? y : x;
  }
  return r;
}

int64_t axis_in(int64_t axis, int64_t rank, std::string_view what, Where where) {
  if (axis < -rank || axis >= rank)
    throw usage_at(where, fmt::format("[{}] there is no axis {} in {} dimensions", what, axis, rank));
  return axis < 0 ? axis + rank : axis;
}

Ints axes_in(const Axes& axes, int64_t rank, std::string_view what, Where where) {
  if (axes.all) return iota_ints(rank);
  Ints r;
  for (int64_t a : axes.list) r.push_back(axis_in(a, rank, what, where));
  std::ranges::sort(r);
  if (std::ranges::adjacent_find(r) != r.end())
    throw usage_at(where, fmt::format("[{}] axes {} name one axis twice", what, to_string(axes.list)));
  return r;
}

}  // namespace tracing
}  // namespace viva
