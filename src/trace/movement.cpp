// Shapes: reshape, transpose, slices, joins.
#include <algorithm>

#include "trace/operand.h"

namespace viva {

using tracing::as_tensor;
using tracing::axis_in;
using tracing::emit;
using tracing::part;
using tracing::usage_at;

Tensor reshape(const Arg& x, const Shape& shape) {
  const Tensor t = as_tensor(x);
  Shape full = shape;
  const auto open = std::ranges::find(full, -1);
  if (open != full.end()) {
    *open = 1;
    if (std::ranges::count(shape, -1) > 1)
      throw usage_at(x.where, fmt::format("[reshape] {} leaves two extents open: give all but one", to_string(shape)));
    const int64_t rest = numel(full);
    if (rest <= 0 || t.size() % rest != 0)
      throw usage_at(x.where, fmt::format("[reshape] {} does not fill {}: {} elements are no multiple of {}",
                                          to_string(t.type()), to_string(shape), t.size(), rest));
    *open = t.size() / rest;
  }
  if (std::ranges::any_of(full, [](int64_t n) { return n < 0; }))
    throw usage_at(
        x.where, fmt::format("[reshape] {} has a negative extent: -1 alone stands for what is left", to_string(shape)));
  if (numel(full) != t.size())
    throw usage_at(x.where, fmt::format("[reshape] {} into {}: {} elements, not {}; one extent may be -1",
                                        to_string(t.type()), to_string(full), t.size(), numel(full)));
  return tracing::reshaped(t, full, x.where);
}

Tensor transpose(const Arg& x) {
  const Tensor t = as_tensor(x);
  Ints axes = iota_ints(t.rank());
  std::ranges::reverse(axes);
  return tracing::permuted(t, axes, x.where);
}

Tensor transpose(const Arg& x, const Ints& axes) {
  const Tensor t = as_tensor(x);
  Ints all;
  for (int64_t a : axes) all.push_back(axis_in(a, t.rank(), "transpose", x.where));
  return tracing::permuted(t, all, x.where);
}

Tensor swap_axes(const Arg& x, int64_t a, int64_t b) {
  const Tensor t = as_tensor(x);
  Ints axes = iota_ints(t.rank());
  std::swap(axes[static_cast<size_t>(axis_in(a, t.rank(), "swap_axes", x.where))],
            axes[static_cast<size_t>(axis_in(b, t.rank(), "swap_axes", x.where))]);
  return tracing::permuted(t, axes, x.where);
}

Tensor move_axis(const Arg& x, int64_t from, int64_t to) {
  const Tensor t = as_tensor(x);
  const int64_t f = axis_in(from, t.rank(), "move_axis", x.where), at = axis_in(to, t.rank(), "move_axis", x.where);
  Ints axes = without(iota_ints(t.rank()), std::array{f});
  axes.insert(axes.begin() + at, f);
  return tracing::permuted(t, axes, x.where);
}

Tensor broadcast_to(const Arg& x, const Shape& shape) {
  const Tensor t = as_tensor(x);
  if (tracing::broadcast_shape(t.shape(), shape, "broadcast_to", x.where) != shape)
    throw usage_at(x.where, fmt::format("[broadcast_to] {} does not fit {}: extents must be those, or 1",
                                        to_string(t.type()), to_string(shape)));
  return tracing::stretched(t, shape, x.where);
}

Tensor expand_dims(const Arg& x, int64_t axis) {
  const Tensor t = as_tensor(x);
  Shape shape = t.shape();
  shape.insert(shape.begin() + axis_in(axis, t.rank() + 1, "expand_dims", x.where), 1);
  return tracing::reshaped(t, shape, x.where);
}

Tensor squeeze(const Arg& x, const Axes& axes) {
  const Tensor t = as_tensor(x);
  Ints gone;
  for (int64_t a : tracing::axes_in(axes, t.rank(), "squeeze", x.where)) {
    if (t.dim(a) == 1) gone.push_back(a);
    else if (!axes.all)
      throw usage_at(x.where,
                     fmt::format("[squeeze] axis {} of {} is not 1: only such an axis can go", a, to_string(t.type())));
  }
  return tracing::reshaped(t, without(t.shape(), gone), x.where);
}

Tensor flip(const Arg& x, const Axes& axes) {
  const Tensor t = as_tensor(x);
  const Ints dims = tracing::axes_in(axes, t.rank(), "flip", x.where);
  return dims.empty() ? t : emit("reverse", {&t}, {{"dims", dims}}, x.where);
}

Tensor roll(const Arg& x, int64_t by, int64_t axis) {
  const tracing::Line line(x.where);
  const Tensor t = as_tensor(x);
  const int64_t a = axis_in(axis, t.rank(), "roll", x.where), n = t.dim(a);
  if (n == 0) return t;
  const int64_t shift = (by % n + n) % n;
  if (shift == 0) return t;
  return concatenate({part(t, a, n - shift, n, x.where), part(t, a, 0, n - shift, x.where)}, a);
}

Tensor pad(const Arg& x, const Ints& low, const Ints& high, const Number& value) {
  const Tensor t = as_tensor(x);
  const auto zero = [](const Ints& v) { return std::ranges::all_of(v, [](int64_t p) { return p == 0; }); };
  if (low.size() != t.shape().size() || high.size() != t.shape().size())
    throw usage_at(x.where, fmt::format("[pad] {} takes one entry for each dimension, not {} and {}",
                                        to_string(t.type()), to_string(low), to_string(high)));
  if (zero(low) && zero(high)) return t;
  const Tensor v = tracing::number(value, t.dtype(), x.where);
  return emit("pad", {&t, &v}, {{"low", low}, {"high", high}, {"interior", Ints(low.size(), 0)}}, x.where);
}

Tensor concatenate(const std::vector<Tensor>& xs, int64_t axis, Loc l) {
  if (xs.empty()) throw usage_at(l, "[concatenate] there is no tensor to join: give one or more");
  std::optional<Dtype> d;
  for (const Tensor& t : xs) d = d ? promote(*d, t.dtype()) : t.dtype();
  std::vector<Tensor> all;
  std::vector<const Tensor*> in;
  for (const Tensor& t : xs) all.push_back(tracing::converted(t, *d, l));
  for (const Tensor& t : all) in.push_back(&t);
  const int64_t dim = axis_in(axis, all.front().rank(), "concatenate", l);
  return all.size() == 1 ? all.front() : emit("concatenate", in, {{"dim", dim}}, l);
}

Tensor stack(const std::vector<Tensor>& xs, int64_t axis, Loc l) {
  const tracing::Line line(l);
  if (xs.empty()) throw usage_at(l, "[stack] there is no tensor to stack: give one or more");
  std::vector<Tensor> all;
  for (const Tensor& t : xs) all.push_back(expand_dims(t, axis));
  return concatenate(all, axis);
}

std::vector<Tensor> split_at(const Arg& x, const Ints& places, int64_t axis) {
  const Tensor t = as_tensor(x);
  const int64_t a = axis_in(axis, t.rank(), "split_at", x.where);
  std::vector<Tensor> parts;
  int64_t from = 0;
  for (size_t i = 0; i <= places.size(); ++i) {
    const int64_t to = i < places.size() ? places[i] : t.dim(a);
    if (to < from || to > t.dim(a))
      throw usage_at(
          x.where, fmt::format("[split_at] places {} are not ascending in {}", to_string(places), to_string(t.type())));
    parts.push_back(part(t, a, from, to, x.where));
    from = to;
  }
  return parts;
}

std::vector<Tensor> split(const Arg& x, int64_t parts, int64_t axis) {
  const Tensor t = as_tensor(x);
  const int64_t a = axis_in(axis, t.rank(), "split", x.where);
  if (parts < 1 || t.dim(a) % parts != 0)
    throw usage_at(x.where, fmt::format("[split] axis {} of {} is no multiple of {}", a, to_string(t.type()), parts));
  Ints places;
  for (int64_t i = 1; i < parts; ++i) places.push_back(i * (t.dim(a) / parts));
  return split_at({t, x.where}, places, a);
}

namespace {

Tensor triangle(const Arg& x, int64_t k, bool lower) {
  const tracing::Line line(x.where);
  const Tensor t = as_tensor(x);
  if (t.rank() < 2)
    throw usage_at(x.where, fmt::format("[tril] {} is no matrix: give two dimensions or more", to_string(t.type())));
  const Shape last{t.dim(-2), t.dim(-1)};
  const int64_t beyond = last[0] + last[1];  // such a diagonal misses the matrix
  const Dtype d = beyond > INT32_MAX / 2 ? Dtype::int64 : Dtype::int32;
  const Tensor row = iota(last, 0, d), column = iota(last, 1, d), from = row + std::clamp(k, -beyond, beyond);
  return where(lower ? column <= from : column >= from, t, zeros_like(t));  // the number 0 would make int32 of bool
}

}  // namespace

Tensor tril(const Arg& x, int64_t k) { return triangle(x, k, true); }
Tensor triu(const Arg& x, int64_t k) { return triangle(x, k, false); }

}  // namespace viva
