// Pooling over windows and over all spatial dimensions.
#include <algorithm>
#include <array>
#include <cmath>

#include "onnx/windows.h"
#include "ops/window.h"

namespace viva {
namespace {

// Windows over an input, with what ceil_mode adds at the far end.
struct Pool {
  Windows w;
  Ints input, output, declared_high;  // the padding at the far end before ceil_mode added to it
};

Pool read_pool(OnnxOp& o) {
  Pool p;
  p.input = spatial_extents(o, 0);
  p.w = read_windows(o, p.input, {});
  p.declared_high = p.w.high;
  const bool ceil_mode = o.opset() >= 10 && o.flag("ceil_mode");
  for (size_t i = 0; i < p.input.size(); ++i) {
    Windows& w = p.w;
    if (w.low[i] < 0 || w.high[i] < 0) throw o.malformed("negative pads");
    const int64_t room = p.input[i] + w.low[i] + w.high[i] - w.reach(i);
    if (room < 0) throw o.malformed("the window is larger than the padded {}", to_string(o.type(0)));
    int64_t out = (ceil_mode ? room + w.strides[i] - 1 : room) / w.strides[i] + 1;
    // A window that would start in the padding at the far end is left out.
    if (ceil_mode && (out - 1) * w.strides[i] >= p.input[i] + w.low[i]) --out;
    p.output.push_back(out);
    if (ceil_mode) w.high[i] = std::max(int64_t{0}, (out - 1) * w.strides[i] + w.reach(i) - p.input[i] - w.low[i]);
  }
  return p;
}

Ints with_outer(const Ints& v, int64_t outer) {
  Ints r{outer, outer};
  r.insert(r.end(), v.begin(), v.end());
  return r;
}

WindowDims window_dims(const Windows& w) {
  WindowDims d = WindowDims::plain(with_outer(w.kernel, 1));
  d.strides = with_outer(w.strides, 1);
  d.dilation = with_outer(w.dilations, 1);
  d.pad_low = with_outer(w.low, 0);
  d.pad_high = with_outer(w.high, 0);
  return d;
}

// The coordinate inside the window, along spatial dimension i, of a row-major offset.
Value coordinate(Build& b, Value offset, const Windows& w, size_t i) {
  int64_t inner = 1;
  for (size_t k = i + 1; k < w.spatial(); ++k) inner *= w.kernel[k];
  Value c = inner == 1 ? offset : b.div(offset, b.full_like(offset, static_cast<double>(inner)));
  return i == 0 ? c : b.rem(c, b.full_like(c, static_cast<double>(w.kernel[i])));
}

// Where the chosen element lies in the input, along spatial dimension i.
Value position(Build& b, Value offset, const Windows& w, size_t i) {
  const Value start =
      b.scale(b.iota({Dtype::int64, offset.shape()}, static_cast<int64_t>(i) + 2), static_cast<double>(w.strides[i]));
  const Value moved = b.add(start, b.scale(coordinate(b, offset, w, i), static_cast<double>(w.dilations[i])));
  return b.sub(moved, b.full_like(moved, static_cast<double>(w.low[i])));
}

// The chosen elements; the lowest number where a window has none.
Value chosen(Build& b, Value x, Value offset, const WindowDims& d) {
  const Value y = b.window_gather(x, offset, d);
  if (!may_be_empty(d, x.shape())) return y;
  double lowest = 0;
  if (is_float(x.dtype())) lowest = -INFINITY;
  else if (is_signed_integer(x.dtype())) lowest = -std::ldexp(1.0, static_cast<int>(8 * size_of(x.dtype()) - 1));
  const Value seen = b.window_sum(b.full({Dtype::int32, x.shape()}, 1), d);
  return b.select(b.compare(Direction::eq, seen, b.zero(seen)), b.full_like(y, lowest), y);
}

// The index of each maximum in the input with N and C in front, in row- or column-major order of the spatial
// dimensions.
Value flat_indices(OnnxOp& o, Value offset, const Pool& p) {
  Build& b = o.b;
  const Value wide = b.convert(offset, Dtype::int64);
  int64_t plane = 1;
  for (const int64_t d : p.input) plane *= d;
  const auto at = [&](size_t i) { return b.iota({Dtype::int64, offset.shape()}, static_cast<int64_t>(i)); };
  const auto times = [&](Value v, int64_t c) { return b.scale(v, static_cast<double>(c)); };
  Value index = times(b.add(times(at(0), offset.dim(1)), at(1)), plane);
  const bool column_major = o.opset() >= 8 && o.flag("storage_order");
  int64_t stride = 1;
  for (size_t k = 0; k < p.input.size(); ++k) {
    const size_t i = column_major ? k : p.input.size() - 1 - k;
    index = b.add(index, times(position(b, wide, p.w, i), stride));
    stride *= p.input[i];
  }
  return index;
}

// The first of equal maxima; NaN is the greatest.
Items max_pool(OnnxOp& o) {
  const Pool p = read_pool(o);
  const Windows& w = p.w;
  const std::string key = fmt::format("{}{}{}{}{}", to_string(w.kernel), to_string(w.strides), to_string(w.dilations),
                                      to_string(w.low), to_string(w.high));
  const bool indices = o.wants(1);
  const Values r = o.named("max_pool", key + (indices ? "i" : ""), {o.in(0)}, [&](Build& b, Ins in) {
    const Value offset = b.window_argmax(in[0], window_dims(w));
    Values all{chosen(b, in[0], offset, window_dims(w))};
    if (indices) all.push_back(offset);
    return all;
  });
  Items items{r[0]};
  if (indices) items.emplace_back(flat_indices(o, r[1], p));
  return items;
}

constexpr int64_t most_counts = int64_t{1} << 24;

// How many positions of each window count: those inside the input, or inside the declared padding too.
Array window_counts(const Pool& p, bool include_pad, const Shape& shape, Dtype d) {
  int64_t work = numel({shape.begin() + 2, shape.end()});
  for (size_t i = 0; i < p.output.size(); ++i) work = std::max(work, p.output[i] * p.w.kernel[i]);
  if (work > most_counts) throw unsupported("an average over {} positions", work);
  Array counts = Array::full({Dtype::float64, {shape.begin() + 2, shape.end()}}, 1);
  auto out = counts.as_mutable<double>();
  int64_t inner = counts.size();
  for (size_t i = 0; i < p.output.size(); ++i) {
    const int64_t low = include_pad ? -p.w.low[i] : 0, high = p.input[i] + (include_pad ? p.declared_high[i] : 0);
    inner /= std::max(p.output[i], int64_t{1});
    Ints along(static_cast<size_t>(p.output[i]), 0);
    for (size_t k = 0; k < along.size(); ++k)
      for (int64_t t = 0; t < p.w.kernel[i]; ++t) {
        const int64_t at = static_cast<int64_t>(k) * p.w.strides[i] - p.w.low[i] + t * p.w.dilations[i];
        along[k] += at >= low && at < high;
      }
    for (size_t k = 0; k < out.size(); ++k)
      out[k] *= static_cast<double>(along[static_cast<size_t>(static_cast<int64_t>(k) / inner % p.output[i])]);
  }
  return counts.converted(d);
}

Items average_pool(OnnxOp& o) {
  Build& b = o.b;
  const Pool p = read_pool(o);
  const Value sum = b.window_sum(widened(b, o.in(0)), window_dims(p.w));
  if (p.output.empty() || numel(sum.shape()) == 0) return {b.convert(sum, o.type(0).dtype)};
  const Array counts = window_counts(p, o.opset() >= 7 && o.flag("count_include_pad"), sum.shape(), sum.dtype());
  bool same = true;
  for (int64_t i = 0; i < counts.size(); ++i) same = same && counts.at(i) == counts.at(0);
  const Value count = same ? b.full_like(sum, counts.at(0))
                           : b.broadcast(b.constant(counts), sum.shape(), iota_ints(sum.rank() - 2, 2));
  return {b.convert(b.div(sum, count), o.type(0).dtype)};
}

double read_p(OnnxOp& o) {
  const double p = o.opset() < 2 ? o.number("p", 2) : static_cast<double>(o.integer("p", 2));
  if (!(p > 0)) throw o.malformed("p is {}", p);
  return p;
}
Value powered(Build& b, Value x, double p) {
  return p == 1 ? b.abs(x) : p == 2 ? b.square(x) : b.pow(b.abs(x), b.full_like(x, p));
}
Value rooted(Build& b, Value x, double p) { return p == 1 ? x : p == 2 ? b.sqrt(x) : b.pow(x, b.full_like(x, 1 / p)); }

Items lp_pool(OnnxOp& o) {
  const Pool p = read_pool(o);
  const double power = read_p(o);
  const Value sum = o.b.window_sum(powered(o.b, widened(o.b, o.in(0)), power), window_dims(p.w));
  return {o.b.convert(rooted(o.b, sum, power), o.type(0).dtype)};
}

// Reductions over all spatial dimensions, which stay with extent 1.
template <class F> Items global(OnnxOp& o, F&& f) {
  spatial_extents(o, 0);
  const Value x = widened(o.b, o.in(0));
  const Ints dims = iota_ints(x.rank() - 2, 2);
  return {keep_dims(o.b, o.b.convert(f(x, dims), o.type(0).dtype), x.shape(), dims)};
}
Items global_average_pool(OnnxOp& o) {
  return global(o, [&](Value x, const Ints& dims) { return mean(o.b, x, dims); });
}
Items global_max_pool(OnnxOp& o) {
  return global(o, [&](Value x, const Ints& dims) { return o.b.reduce_max(x, dims); });
}
Items global_lp_pool(OnnxOp& o) {
  const double p = read_p(o);
  return global(o, [&](Value x, const Ints& dims) { return rooted(o.b, o.b.reduce_sum(powered(o.b, x, p), dims), p); });
}

constexpr std::array rows = {
    OnnxRow{"AveragePool", 1, latest, average_pool, true}, OnnxRow{"GlobalAveragePool", 1, latest, global_average_pool},
    OnnxRow{"GlobalLpPool", 1, latest, global_lp_pool},    OnnxRow{"GlobalMaxPool", 1, latest, global_max_pool},
    OnnxRow{"LpPool", 1, latest, lp_pool, true},           OnnxRow{"MaxPool", 1, latest, max_pool, true},
};

}  // namespace

std::span<const OnnxRow> onnx_ops::pooling() { return rows; }

}  // namespace viva
