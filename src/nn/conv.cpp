// Convolutions and their transposes.
#include "graph/dims.h"
#include "nn/layer.h"

namespace viva {

using tracing::Line;
using tracing::usage_at;

namespace {

// One entry for each of n space dimensions, from one for each, one for all, or none.
Ints each(const Ints& given, size_t n, int64_t otherwise, int64_t least, std::string_view what, Where where) {
  Ints r = given.empty() ? Ints(n, otherwise) : given.size() == 1 ? Ints(n, given[0]) : given;
  if (r.size() != n)
    throw usage_at(where, fmt::format("[conv] {} {} for {} space dimensions: give one for each, or one for all", what,
                                      to_string(given), n));
  for (int64_t v : r)
    if (v < least) throw usage_at(where, fmt::format("[conv] {} {}: at least {}", what, to_string(given), least));
  return r;
}

Shape kernel_shape(int64_t first, int64_t second, const Ints& kernel, Where where) {
  if (kernel.empty())
    throw usage_at(where, "[conv] the kernel has no extents: give one for each space dimension, {3, 3} say");
  Shape shape{first, second};
  for (int64_t k : kernel) shape.push_back(tracing::positive(k, "conv", "is an extent of the kernel", where));
  return shape;
}

void check_groups(int64_t in, int64_t out, int64_t groups, Where where) {
  tracing::positive(in, "conv", "channels in", where), tracing::positive(out, "conv", "channels out", where);
  if (groups < 1 || in % groups != 0 || out % groups != 0)
    throw usage_at(where, fmt::format("[conv] {} groups do not divide {} and {} channels: give a divisor of both",
                                      groups, in, out));
}

// The settings of a layer for n space dimensions.
struct Window {
  Ints strides, dilation, low, high;
  Window(size_t n, const Ints& s, const Ints& d, const Padding& p, Where where)
      : strides(each(s, n, 1, 1, "strides", where)), dilation(each(d, n, 1, 1, "dilation", where)) {
    if (p.to_same && !(p.low.empty() && p.high.empty()))
      throw usage_at(where, "[conv] padding is to the same extents and given as well: give one of the two");
    low = each(p.low, n, 0, INT64_MIN, "padding", where), high = each(p.high, n, 0, INT64_MIN, "padding", where);
  }
};

// x with a batch of one where it has none.
Tensor batched(const Tensor& x, const Tensor& weight, Where where) {
  tracing::check_not_empty(weight, where);
  if (x.rank() == weight.rank()) return x;
  if (x.rank() + 1 != weight.rank() || weight.rank() < 3)
    throw usage_at(where, fmt::format("[conv] {} into a layer with a kernel of {}: give [batch, channels, space…] "
                                      "or [channels, space…] of {} space dimensions",
                                      to_string(x.type()), to_string(weight.type()), weight.rank() - 2));
  return expand_dims(x, 0);
}

Tensor finished(const Tensor& y, const Tensor& bias, bool was_batched, Where where) {
  const Tensor r = tracing::with_bias(y, bias, 1, where);
  return was_batched ? r : squeeze(r, 0);
}

// Zeros that keep ⌈extent / stride⌉ places.
void pad_to_same(Window& w, const Tensor& x, const Tensor& weight) {
  for (size_t i = 0; i < w.strides.size(); ++i) {
    const int64_t extent = x.shape()[i + 2], s = w.strides[i], places = (extent + s - 1) / s;
    const int64_t reach = w.dilation[i] * (weight.shape()[i + 2] - 1) + 1;
    const int64_t total = std::max<int64_t>((places - 1) * s + reach - extent, 0);
    w.low[i] = total / 2, w.high[i] = total - total / 2;
  }
}

}  // namespace

Conv Conv::make(const Key& k, int64_t in, int64_t out, const Ints& kernel, const ConvOptions& s, Loc l) {
  const Line line(l);
  check_groups(in, out, s.groups, l);
  const Shape shape = kernel_shape(out, in / s.groups, kernel, l);
  const Window w(kernel.size(), s.strides, s.dilation, s.padding, l);
  const Fans fans = fans_of(shape, l);
  Conv r;
  r.weight = tracing::parameter(s.weight, init::lecun_normal(), k.fold(0), shape, fans, s.dtype, l);
  if (s.bias) r.bias = tracing::parameter(s.bias_init, init::zeros(), k.fold(1), {out}, fans, s.dtype, l);
  r.strides = w.strides, r.dilation = w.dilation, r.padding = s.padding, r.groups = s.groups;
  return r;
}

Tensor Conv::operator()(const Arg& a) const {
  const Line line(a.where);
  const Tensor given = tracing::floats(a, "conv"), x = batched(given, weight, a.where);
  Window w(static_cast<size_t>(weight.rank()) - 2, strides, dilation, padding, a.where);
  if (padding.to_same) pad_to_same(w, x, weight);
  const Tensor y = conv(x, weight, {w.strides, w.low, w.high, w.dilation, groups});
  if (y.size() == 0 && x.size() != 0)
    throw usage_at(a.where, fmt::format("[conv] {} is smaller than a kernel of {}: pad it, or give a smaller kernel",
                                        to_string(given.type()), to_string(weight.type())));
  return finished(y, bias, given.rank() == x.rank(), a.where);
}

namespace {

// [in, out / groups, space…] as the kernel of the convolution that is the transpose: [out, in / groups, space…].
Tensor swapped(const Tensor& weight, int64_t groups) {
  if (groups == 1) return swap_axes(weight, 0, 1);
  Shape split = weight.shape(), joined = weight.shape();
  split[0] /= groups;
  split.insert(split.begin(), groups);
  joined[0] = weight.dim(1) * groups, joined[1] = weight.dim(0) / groups;
  return reshape(swap_axes(reshape(weight, split), 1, 2), joined);
}

}  // namespace

Tensor conv_transpose(const Arg& a, const Arg& w, const ConvWindowOptions& o, const Ints& extra) {
  const Line line(a.where);
  const Dtype d = tracing::common_dtype({&a, &w});
  const Tensor x = tracing::as_tensor(a, d), given = tracing::as_tensor(w, d);
  if (x.rank() < 3 || given.rank() != x.rank())
    throw usage_at(a.where,
                   fmt::format("[conv_transpose] {} by {}: takes [batch, channels, space…] and [in, out, space…]",
                               to_string(x.type()), to_string(given.type())));
  if (o.groups < 1 || x.dim(1) != given.dim(0) || x.dim(1) % o.groups != 0)
    throw usage_at(
        a.where,
        fmt::format(
            "[conv_transpose] {} by {} in {} groups: channels differ: those of the input must be the weight's first "
            "extent, and a multiple of the groups",
            to_string(x.type()), to_string(given.type()), o.groups));
  const auto n = static_cast<size_t>(x.rank()) - 2;
  const Tensor weight = swapped(given, o.groups);
  ConvDims dims = ConvDims::plain(x.rank() - 2);
  dims.lhs_dilation = each(o.strides, n, 1, 1, "strides", a.where);
  dims.rhs_dilation = each(o.dilation, n, 1, 1, "dilation", a.where);
  dims.reversal = Ints(n, 1);
  dims.feature_groups = o.groups;
  const Ints low = each(o.low, n, 0, INT64_MIN, "padding", a.where);
  const Ints high = each(o.high, n, 0, INT64_MIN, "padding", a.where);
  const Ints more = each(extra, n, 0, 0, "extra extents", a.where);
  for (size_t i = 0; i < n; ++i) {
    const int64_t reach = dims.rhs_dilation[i] * (weight.shape()[i + 2] - 1);
    dims.pad_low[i] = reach - low[i], dims.pad_high[i] = reach - high[i] + more[i];
  }
  Attrs attrs{{"dtype", d}};
  dims.put(attrs);
  return tracing::emit("conv_general", {&x, &weight}, std::move(attrs), a.where);
}

ConvTranspose ConvTranspose::make(const Key& k, int64_t in, int64_t out, const Ints& kernel, const ConvOptions& s,
                                  const Ints& extra, Loc l) {
  const Line line(l);
  check_groups(in, out, s.groups, l);
  const Shape shape = kernel_shape(in, out / s.groups, kernel, l);
  const Window w(kernel.size(), s.strides, s.dilation, s.padding, l);
  // Each place of the result sums over about 1 / stride of the kernel, in each dimension.
  Fans fans{in / s.groups, out};
  for (size_t i = 0; i < kernel.size(); ++i) {
    fans.in *= (kernel[i] + w.strides[i] - 1) / w.strides[i];
    fans.out *= kernel[i];
  }
  ConvTranspose r;
  r.weight = tracing::parameter(s.weight, init::lecun_normal(), k.fold(0), shape, fans, s.dtype, l);
  if (s.bias) r.bias = tracing::parameter(s.bias_init, init::zeros(), k.fold(1), {out}, fans, s.dtype, l);
  r.strides = w.strides, r.dilation = w.dilation, r.padding = s.padding, r.groups = s.groups;
  r.extra = each(extra, kernel.size(), 0, 0, "extra extents", l);
  return r;
}

Tensor ConvTranspose::operator()(const Arg& a) const {
  const Line line(a.where);
  const Tensor given = tracing::floats(a, "conv"), x = batched(given, weight, a.where);
  Window w(static_cast<size_t>(weight.rank()) - 2, strides, dilation, padding, a.where);
  if (padding.to_same)  // crops what exceeds extent · stride, and pads where the kernel is shorter than the stride
    for (size_t i = 0; i < w.strides.size(); ++i) {
      const int64_t excess = w.dilation[i] * (weight.shape()[i + 2] - 1) + 1 - w.strides[i];
      w.low[i] = excess > 0 ? excess / 2 : 0, w.high[i] = excess - w.low[i];
    }
  const Tensor y = conv_transpose(x, weight, {w.strides, w.low, w.high, w.dilation, groups}, extra);
  return finished(y, bias, given.rank() == x.rank(), a.where);
}

}  // namespace viva
