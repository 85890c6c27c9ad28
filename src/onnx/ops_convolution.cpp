// Convolutions and their transposes, over any number of spatial dimensions.
#include <algorithm>
#include <array>

#include "onnx/windows.h"

namespace viva {
namespace {

constexpr int64_t most = int64_t{1} << 40;  // far above any extent, and safe to multiply by small numbers

Ints positive(OnnxOp& o, const char* name, size_t n) {
  const Ints v = o.ints(name, Ints(n, 1));
  if (v.size() != n) throw o.malformed("{} {} for {} spatial dimensions", name, to_string(v), n);
  for (const int64_t x : v)
    if (x < 1 || x > 1 << 30) throw o.malformed("{} {}", name, to_string(v));
  return v;
}

std::string auto_pad(OnnxOp& o) {
  const std::string mode = o.text("auto_pad", "NOTSET");
  if (mode != "NOTSET" && mode != "VALID" && mode != "SAME_UPPER" && mode != "SAME_LOWER")
    throw o.malformed("auto_pad {}", in_quotes(mode));
  return mode;
}

void read_pads(OnnxOp& o, Windows& w) {
  const size_t n = w.spatial();
  const Ints pads = o.ints("pads", Ints(2 * n, 0));
  if (pads.size() != 2 * n) throw o.malformed("pads {} for {} spatial dimensions", to_string(pads), n);
  for (const int64_t p : pads)
    if (std::abs(p) > most) throw o.malformed("pads {}", to_string(pads));
  w.low.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(n));
  w.high.assign(pads.begin() + static_cast<std::ptrdiff_t>(n), pads.end());
}

// The kernel as [out, in / groups, …] of a plain convolution, from ONNX's [in, out / groups, …]; specs and groups to
// fit.
Value transposed_kernel(OnnxOp& o, Value w, int64_t groups, ConvDims& d) {
  d.feature_groups = groups;
  d.reversal.assign(d.spatial(), 1);
  if (groups == 1) {
    std::swap(d.rhs_spec[0], d.rhs_spec[1]);
    return w;
  }
  Shape split = w.shape(), merged = w.shape();
  split[0] /= groups;
  split.insert(split.begin(), groups);
  merged[0] = w.dim(1) * groups;
  merged[1] = w.dim(0) / groups;
  Ints order = iota_ints(static_cast<int64_t>(split.size()));
  std::swap(order[1], order[2]);
  return o.b.reshape(o.b.transpose(o.b.reshape(w, split), order), merged);
}

Value with_bias(OnnxOp& o, Value y, size_t i) {
  if (!o.has(i)) return y;
  if (o.type(i).shape != Shape{y.dim(1)}) throw o.malformed("bias {} for {} channels", to_string(o.type(i)), y.dim(1));
  return o.b.add(y, along(o.b, o.in(i), y.shape(), 1));
}

int64_t read_groups(OnnxOp& o) {
  const int64_t g = o.integer("group", 1);
  if (g < 1) throw o.malformed("group {}", g);
  return g;
}

ConvDims conv_dims(const Windows& w) {
  ConvDims d = ConvDims::plain(static_cast<int64_t>(w.spatial()));
  d.strides = w.strides;
  d.rhs_dilation = w.dilations;
  d.pad_low = w.low;
  d.pad_high = w.high;
  return d;
}

Items conv(OnnxOp& o) {
  spatial_extents(o, 0);
  return {with_bias(o, convolve(o, o.in(0), o.in(1)), 2)};
}

// Padding so that the result has the extents of output_shape, or input · stride under SAME.
void fit_output(OnnxOp& o, Windows& w, const Ints& input, const Ints& more) {
  const std::string mode = auto_pad(o);
  const bool given = o.has_attribute("output_shape"), same = mode.starts_with("SAME");
  Ints wanted = given ? o.ints("output_shape") : Ints{};
  if (wanted.size() == w.spatial() + 2)
    wanted.erase(wanted.begin(), wanted.begin() + 2);  // some writers list N and C too
  if (given && wanted.size() != w.spatial()) throw o.malformed("output_shape {}", to_string(wanted));
  if (mode == "VALID") w.low.assign(w.spatial(), 0), w.high = w.low;
  for (size_t i = 0; (given || same) && i < w.spatial(); ++i) {
    const int64_t target = given ? wanted[i] : input[i] * w.strides[i];
    if (target < 0 || target > most) throw o.malformed("output_shape {}", to_string(wanted));
    const int64_t total = w.strides[i] * (input[i] - 1) + more[i] + w.reach(i) - target;
    const int64_t half = total >> 1;  // downwards, also where the result needs more than the input gives
    w.low[i] = mode == "SAME_UPPER" ? half : total - half;
    w.high[i] = total - w.low[i];
  }
}

// The transpose of a convolution: the input spread by the stride, the kernel turned round.
Items conv_transpose(OnnxOp& o) {
  const Ints input = spatial_extents(o, 0);
  Value x = o.in(0), kernel = o.in(1);
  const int64_t groups = read_groups(o);
  if (kernel.rank() != x.rank() || kernel.dim(0) != x.dim(1) || x.dim(1) % groups != 0)
    throw o.malformed("{} with a kernel {}", to_string(x.type()), to_string(kernel.type()));
  Windows w;
  w.kernel = {kernel.shape().begin() + 2, kernel.shape().end()};
  w.strides = positive(o, "strides", w.spatial());
  w.dilations = positive(o, "dilations", w.spatial());
  for (size_t i = 0; i < w.spatial(); ++i)
    if (input[i] < 1 || w.kernel[i] < 1 || w.strides[i] > most / input[i] || w.dilations[i] > most / w.kernel[i])
      throw o.malformed("{} with a kernel {}", to_string(x.type()), to_string(kernel.type()));
  const Ints more = o.ints("output_padding", Ints(w.spatial(), 0));
  if (more.size() != w.spatial() || std::ranges::any_of(more, [](int64_t p) { return p < 0 || p > most; }))
    throw o.malformed("output_padding {}", to_string(more));
  read_pads(o, w);
  fit_output(o, w, input, more);
  ConvDims d = ConvDims::plain(static_cast<int64_t>(w.spatial()));
  d.lhs_dilation = w.strides;
  d.rhs_dilation = w.dilations;
  for (size_t i = 0; i < w.spatial(); ++i) {
    d.pad_low[i] = w.reach(i) - 1 - w.low[i];
    d.pad_high[i] = w.reach(i) - 1 - w.high[i] + more[i];
  }
  kernel = transposed_kernel(o, kernel, groups, d);
  return {with_bias(o, o.b.conv_general(x, kernel, d), 2)};
}

// The operand in int32 less its zero point: a scalar, or for the kernel one for each output channel.
Value centred(OnnxOp& o, size_t operand, size_t zero_point) {
  Build& b = o.b;
  const Value x = b.convert(o.in(operand), Dtype::int32);
  if (!o.has(zero_point)) return x;
  const Value z = b.convert(o.in(zero_point), Dtype::int32);
  return b.sub(x, numel(z.shape()) == 1 ? b.broadcast(b.reshape(z, {}), x.shape(), {}) : along(b, z, x.shape(), 0));
}
Items conv_integer(OnnxOp& o) {
  spatial_extents(o, 0);
  return {convolve(o, centred(o, 0, 2), centred(o, 1, 3))};
}

constexpr std::array rows = {
    OnnxRow{"Conv", 1, latest, conv, true},
    OnnxRow{"ConvInteger", 10, latest, conv_integer, true},
    OnnxRow{"ConvTranspose", 1, latest, conv_transpose, true},
};

}  // namespace

Ints spatial_extents(OnnxOp& o, size_t i) {
  const Shape& s = o.type(i).shape;
  if (s.size() < 3)
    throw o.malformed("takes a batch of channels with spatial dimensions, not {}", to_string(o.type(i)));
  return {s.begin() + 2, s.end()};
}

Windows read_windows(OnnxOp& o, const Ints& input, const Ints& kernel) {
  Windows w;
  w.kernel = kernel.empty() ? o.ints("kernel_shape") : kernel;
  if (o.has_attribute("kernel_shape") && o.ints("kernel_shape") != w.kernel)
    throw o.malformed("kernel_shape {} with a kernel {}", to_string(o.ints("kernel_shape")), to_string(w.kernel));
  const size_t n = w.spatial();
  if (n != input.size())
    throw o.malformed("kernel_shape {} for {} spatial dimensions", to_string(w.kernel), input.size());
  for (const int64_t k : w.kernel)
    if (k < 1 || k > 1 << 30) throw o.malformed("kernel_shape {}", to_string(w.kernel));
  w.strides = positive(o, "strides", n);
  w.dilations = positive(o, "dilations", n);
  for (size_t i = 0; i < n; ++i)
    if (w.reach(i) > most) throw o.malformed("dilations {}", to_string(w.dilations));
  read_pads(o, w);
  const std::string mode = auto_pad(o);
  for (size_t i = 0; i < n; ++i) {
    if (mode == "VALID") w.low[i] = w.high[i] = 0;
    if (!mode.starts_with("SAME")) continue;
    const int64_t out = (input[i] + w.strides[i] - 1) / w.strides[i];
    const int64_t total = std::max(int64_t{0}, (out - 1) * w.strides[i] + w.reach(i) - input[i]);
    w.low[i] = mode == "SAME_UPPER" ? total / 2 : total - total / 2;
    w.high[i] = total - w.low[i];
  }
  return w;
}

Value convolve(OnnxOp& o, Value x, Value kernel) {
  if (kernel.rank() != x.rank())
    throw o.malformed("{} with a kernel {}", to_string(x.type()), to_string(kernel.type()));
  const Windows w =
      read_windows(o, {x.shape().begin() + 2, x.shape().end()}, {kernel.shape().begin() + 2, kernel.shape().end()});
  ConvDims d = conv_dims(w);
  d.feature_groups = read_groups(o);
  return o.b.conv_general(x, kernel, d);
}

std::span<const OnnxRow> onnx_ops::convolution() { return rows; }

}  // namespace viva
