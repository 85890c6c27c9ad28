// Resize and its forerunner Upsample: separable, so one step per axis, with indices or weights fixed at import.
#include <algorithm>
#include <array>
#include <cmath>

#include "onnx/op.h"

namespace viva {
namespace {

struct Axis {
  int64_t dim = 0, input = 0, output = 0;
  double scale = 1, start = 0, end = 1;  // start and end: the region read by tf_crop_and_resize
};

struct Method {
  std::string mode, coordinates, nearest;  // nearest also "simple": downwards when enlarging, upwards when shrinking
  double cubic_a = -0.75, extrapolation = 0;
  bool exclude_outside = false, antialias = false;
};

// The place in the input that position x of the output samples.
double source(const Axis& a, const Method& m, double x) {
  const auto in = static_cast<double>(a.input), out = static_cast<double>(a.output), real_out = a.scale * in;
  const std::string& c = m.coordinates;
  if (c == "half_pixel") return (x + 0.5) / a.scale - 0.5;
  if (c == "pytorch_half_pixel") return out > 1 ? (x + 0.5) / a.scale - 0.5 : 0;
  if (c == "asymmetric") return x / a.scale;
  if (c == "align_corners") return out > 1 ? x * (in - 1) / (out - 1) : 0;
  if (c == "half_pixel_symmetric") return in / 2 * (1 - out / real_out) + (x + 0.5) / a.scale - 0.5;
  const double first = a.start * (in - 1), last = a.end * (in - 1);  // tf_crop_and_resize
  return out > 1 ? first + x * (last - first) / (out - 1) : 0.5 * (first + last);
}

int64_t nearest(const Axis& a, const Method& m, double x) {
  double r = 0;
  if (m.nearest == "floor") r = std::floor(x);
  else if (m.nearest == "ceil") r = std::ceil(x);
  else if (m.nearest == "round_prefer_floor") r = std::ceil(x - 0.5);
  else if (m.nearest == "round_prefer_ceil") r = std::floor(x + 0.5);
  else r = a.scale < 1 ? std::ceil(x) : std::floor(x);
  return static_cast<int64_t>(std::clamp(r, 0.0, static_cast<double>(a.input - 1)));
}

// The weight of an input at a distance: a tent, or Keys' cubic kernel (IEEE ASSP-29, 1981, eq. 4).
double kernel(const Method& m, double distance) {
  const double d = std::abs(distance), a = m.cubic_a;
  if (m.mode == "linear") return std::max(0.0, 1 - d);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

constexpr int64_t most_weights = int64_t{1} << 24;

// Row i: the weights of all inputs for output i. Inputs beyond an edge are the edge, or left out. With antialias the
// kernel is widened by the factor of the reduction.
std::vector<double> weights(const Axis& a, const Method& m) {
  std::vector<double> w(static_cast<size_t>(a.output * a.input), 0);
  const double narrow = m.antialias ? std::min(a.scale, 1.0) : 1;
  const auto radius = static_cast<int64_t>(std::min(1e9, std::ceil((m.mode == "linear" ? 1 : 2) / narrow)));
  const bool normalise = m.antialias || m.exclude_outside;
  for (int64_t i = 0; i < a.output; ++i) {
    const double x = source(a, m, static_cast<double>(i));
    double* row = w.data() + i * a.input;
    double total = 0;
    const auto middle = static_cast<int64_t>(std::ceil(std::clamp(x, -1e9, 1e9)));
    for (int64_t k = middle - radius; k < middle + radius; ++k) {
      const double v = kernel(m, (static_cast<double>(k) - x) * narrow);
      if (m.exclude_outside && (k < 0 || k >= a.input)) continue;
      row[std::clamp(k, int64_t{0}, a.input - 1)] += v;
      total += v;
    }
    for (int64_t k = 0; normalise && total != 0 && k < a.input; ++k) row[k] /= total;
  }
  return w;
}

Value resize_axis(OnnxOp& o, Value x, const Axis& a, const Method& m) {
  Build& b = o.b;
  if (a.output > most_weights) throw unsupported("an extent of {}", a.output);
  if (m.mode == "nearest") {
    Ints index;
    for (int64_t i = 0; i < a.output; ++i) index.push_back(nearest(a, m, source(a, m, static_cast<double>(i))));
    return take(b, x, a.dim, index);
  }
  if (a.output > most_weights / a.input) throw unsupported("weights for {} of {} positions", a.output, a.input);
  const Array w = Array::of(weights(a, m), {a.output, a.input}).converted(x.dtype());
  const Value y =
      b.dot_general(x, b.constant(w), {.lhs_batch = {}, .rhs_batch = {}, .lhs_contract = {a.dim}, .rhs_contract = {1}});
  return b.move_axis(y, x.rank() - 1, a.dim);
}

// Outside of the input tf_crop_and_resize gives one value instead.
Value extrapolated(OnnxOp& o, Value y, const std::vector<Axis>& axes, const Method& m) {
  Build& b = o.b;
  for (const Axis& a : axes) {
    Array inside = Array::make({Dtype::boolean, {a.output}});
    for (int64_t i = 0; i < a.output; ++i) {
      const double x = source(a, m, static_cast<double>(i));
      inside.as_mutable<bool>()[static_cast<size_t>(i)] = x >= 0 && x <= static_cast<double>(a.input - 1);
    }
    y = b.select(along(b, b.constant(inside), y.shape(), a.dim), y, b.full_like(y, m.extrapolation));
  }
  return y;
}

Items resize_by(OnnxOp& o, const std::vector<Axis>& axes, const Method& m) {
  if (m.mode != "nearest" && m.mode != "linear" && m.mode != "cubic") throw o.malformed("mode {}", in_quotes(m.mode));
  const Dtype d = o.type(0).dtype;
  if (m.mode != "nearest" && (is_complex(d) || is_bool(d))) throw o.malformed("interpolation of {}", name(d));
  Value y = m.mode == "nearest" ? o.in(0)
            : is_integer(d)     ? o.b.convert(o.in(0), Dtype::float32)
                                : widened(o.b, o.in(0));
  for (const Axis& a : axes) {
    if (a.output < 0 || a.output > int64_t{1} << 40 || !(a.scale > 0))
      throw o.malformed("extent {} by scale {}", a.output, a.scale);
    if (a.input == 0 && a.output > 0) throw o.malformed("nothing to resize in {}", to_string(o.type(0)));
    const bool same = a.input == a.output && a.scale == 1 && m.coordinates != "tf_crop_and_resize";
    if (!same) y = resize_axis(o, y, a, m);
  }
  if (m.coordinates == "tf_crop_and_resize") y = extrapolated(o, y, axes, m);
  return {o.b.convert(y, d)};
}

std::vector<double> numbers(OnnxOp& o, size_t i) {
  const Array& a = o.known(i);
  std::vector<double> v;
  for (int64_t k = 0; k < a.size(); ++k) v.push_back(a.at(k));
  return v;
}

std::vector<Axis> scaled_axes(OnnxOp& o, const Ints& dims, const std::vector<double>& scales, bool crop,
                              const std::vector<double>& region) {
  if (scales.size() != dims.size()) throw o.malformed("{} scales for {} axes", scales.size(), dims.size());
  std::vector<Axis> axes;
  for (size_t i = 0; i < dims.size(); ++i) {
    Axis a{dims[i], o.type(0).shape[static_cast<size_t>(dims[i])], 0, scales[i], 0, 1};
    if (crop) a.start = region[i], a.end = region[i + dims.size()];
    const double extent = static_cast<double>(a.input) * (a.end - a.start) * a.scale;
    if (!(extent >= 0 && extent < 1e12) || !(a.scale > 0)) throw o.malformed("scale {}", a.scale);
    a.output = static_cast<int64_t>(std::floor(extent));
    axes.push_back(a);
  }
  return axes;
}

// keep_aspect_ratio_policy: one scale for all axes, the least or the greatest of those asked for.
std::vector<Axis> sized_axes(OnnxOp& o, const Ints& dims, const Ints& sizes, bool crop,
                             const std::vector<double>& region) {
  if (sizes.size() != dims.size()) throw o.malformed("{} sizes for {} axes", sizes.size(), dims.size());
  const std::string policy = o.opset() < 18 ? "stretch" : o.text("keep_aspect_ratio_policy", "stretch");
  if (policy != "stretch" && policy != "not_larger" && policy != "not_smaller")
    throw o.malformed("keep_aspect_ratio_policy {}", in_quotes(policy));
  std::vector<Axis> axes;
  double common = policy == "not_larger" ? INFINITY : 0;
  for (size_t i = 0; i < dims.size(); ++i) {
    Axis a{dims[i], o.type(0).shape[static_cast<size_t>(dims[i])], sizes[i], 1, 0, 1};
    if (sizes[i] < 0 || sizes[i] > int64_t{1} << 40 || a.input == 0)
      throw o.malformed("sizes {} of {}", to_string(sizes), to_string(o.type(0)));
    a.scale = std::max(1e-30, static_cast<double>(sizes[i]) / static_cast<double>(a.input));
    common = policy == "not_larger" ? std::min(common, a.scale) : std::max(common, a.scale);
    if (crop) a.start = region[i], a.end = region[i + dims.size()];
    axes.push_back(a);
  }
  if (policy == "stretch") return axes;
  for (Axis& a : axes) {
    a.scale = common;
    a.output = static_cast<int64_t>(std::floor(common * static_cast<double>(a.input) + 0.5));
  }
  return axes;
}

// Inputs: X, roi, scales, sizes; of the last two one is given, an empty tensor counts as left out.
Items resize(OnnxOp& o) {
  Method m{o.text("mode", "nearest"),
           o.text("coordinate_transformation_mode", "half_pixel"),
           o.text("nearest_mode", "round_prefer_floor"),
           o.number("cubic_coeff_a", -0.75),
           o.number("extrapolation_value", 0),
           o.flag("exclude_outside"),
           o.opset() >= 18 && o.flag("antialias")};
  static constexpr std::string_view coordinates[] = {"half_pixel",    "pytorch_half_pixel",   "asymmetric",
                                                     "align_corners", "half_pixel_symmetric", "tf_crop_and_resize"};
  static constexpr std::string_view nearests[] = {"floor", "ceil", "round_prefer_floor", "round_prefer_ceil"};
  if (std::ranges::find(coordinates, m.coordinates) == std::end(coordinates))
    throw unsupported("coordinate_transformation_mode {}", in_quotes(m.coordinates));
  if (std::ranges::find(nearests, m.nearest) == std::end(nearests))
    throw o.malformed("nearest_mode {}", in_quotes(m.nearest));
  const Ints dims = o.axes(o.opset() < 18 ? iota_ints(o.rank(0)) : o.ints("axes", iota_ints(o.rank(0))), o.rank(0));
  const bool crop = m.coordinates == "tf_crop_and_resize";
  const auto given = [&](size_t i) { return o.has(i) && numel(o.type(i).shape) > 0; };
  const std::vector<double> region = crop ? numbers(o, 1) : std::vector<double>{};
  if (crop && region.size() != 2 * dims.size())
    throw o.malformed("{} numbers of roi for {} axes", region.size(), dims.size());
  if (given(2) == given(3)) throw o.malformed("scales and sizes: one of them must be given");
  if (given(2)) return resize_by(o, scaled_axes(o, dims, numbers(o, 2), crop, region), m);
  return resize_by(o, sized_axes(o, dims, o.known_ints(3), crop, region), m);
}

Items scaled(OnnxOp& o, const std::vector<double>& scales, const std::string& nearest) {
  const std::string mode = o.text("mode", "nearest");
  const Method m{mode == "bilinear" ? "linear" : mode, "asymmetric", nearest, -0.75, 0, false, false};
  return resize_by(o, scaled_axes(o, iota_ints(o.rank(0)), scales, false, {}), m);
}
Items resize_scales(OnnxOp& o) { return scaled(o, numbers(o, 1), "simple"); }
Items upsample(OnnxOp& o) { return scaled(o, numbers(o, 1), "floor"); }
Items upsample_attribute(OnnxOp& o) {
  const AttributeDef* a = o.node().find("scales");
  if (!a) throw o.malformed("attribute 'scales' is missing");
  return scaled(o, {a->floats.begin(), a->floats.end()}, "floor");
}
Items upsample_image(OnnxOp& o) {
  return scaled(o, {1, 1, o.number("height_scale"), o.number("width_scale")}, "floor");
}

constexpr std::array rows = {
    OnnxRow{"Resize", 10, 10, resize_scales, true},  OnnxRow{"Resize", 11, latest, resize, true},
    OnnxRow{"Upsample", 1, 6, upsample_image, true}, OnnxRow{"Upsample", 7, 8, upsample_attribute, true},
    OnnxRow{"Upsample", 9, 9, upsample, true},
};

}  // namespace

std::span<const OnnxRow> onnx_ops::resizing() { return rows; }

}  // namespace viva
