#include "cpu/onednn/problem.h"

#include <algorithm>

namespace viva::cpu::onednn {
namespace {

Ints extents(const Shape& shape, const Ints& spec) {
  Ints e;
  for (size_t i = 2; i < spec.size(); ++i) e.push_back(shape[static_cast<size_t>(spec[i])]);
  return e;
}
int64_t extent(const Shape& shape, const Ints& spec, size_t role) { return shape[static_cast<size_t>(spec[role])]; }
bool all_equal(const Ints& v, int64_t to) {
  return std::ranges::all_of(v, [to](int64_t x) { return x == to; });
}

// The library counts in 32 bits.
bool is_small(const Problem& p) {
  constexpr int64_t most = int64_t{1} << 28;
  for (const Ints* v : {&p.image, &p.kernel, &p.result, &p.strides, &p.dilation, &p.low})
    if (std::ranges::any_of(*v, [](int64_t x) { return x > most; })) return false;
  for (size_t i = 0; i < p.kernel.size(); ++i)
    if (p.kernel[i] * p.dilation[i] > most) return false;
  return p.batch <= most && p.in <= most && p.out <= most;
}

// Sets the padding above so that the windows fit the extents; false where no padding does.
bool fit(Problem& p) {
  if (!is_small(p)) return false;
  p.high.clear();
  for (size_t i = 0; i < p.image.size(); ++i) {
    const int64_t window = (p.kernel[i] - 1) * p.dilation[i] + 1;
    const int64_t high = std::max<int64_t>(0, (p.result[i] - 1) * p.strides[i] + window - p.image[i] - p.low[i]);
    if (p.low[i] < 0 || (p.image[i] + p.low[i] + high - window) / p.strides[i] + 1 != p.result[i]) return false;
    if (high > int64_t{1} << 28) return false;
    p.high.push_back(high);
  }
  return true;
}

struct Operands {
  ConvDims d;
  Shape lhs, rhs, result;
};

std::optional<Problem> forward(const Operands& o) {
  if (!all_equal(o.d.lhs_dilation, 1) || !all_equal(o.d.reversal, 0) || o.d.batch_groups != 1) return std::nullopt;
  Problem p{.role = Role::forward,
            .batch = extent(o.lhs, o.d.lhs_spec, 0),
            .in = extent(o.lhs, o.d.lhs_spec, 1),
            .out = extent(o.rhs, o.d.rhs_spec, 0),
            .groups = o.d.feature_groups,
            .image = extents(o.lhs, o.d.lhs_spec),
            .kernel = extents(o.rhs, o.d.rhs_spec),
            .result = extents(o.result, o.d.out_spec),
            .strides = o.d.strides,
            .dilation = o.d.rhs_dilation,
            .low = o.d.pad_low,
            .high = {}};
  return fit(p) ? std::optional(p) : std::nullopt;
}

// An element i of the image lies under tap k of window r where i = r·stride + k·dilation - low.
std::optional<Problem> toward_image(const Operands& o) {
  const Ints kernel = extents(o.rhs, o.d.rhs_spec);
  for (size_t i = 0; i < kernel.size(); ++i)
    if (o.d.reversal[i] == 0 && kernel[i] > 1) return std::nullopt;
  if (!all_equal(o.d.strides, 1) || o.d.batch_groups != 1) return std::nullopt;
  Problem p{.role = Role::toward_image,
            .batch = extent(o.lhs, o.d.lhs_spec, 0),
            .in = extent(o.rhs, o.d.rhs_spec, 0),
            .out = extent(o.lhs, o.d.lhs_spec, 1),
            .groups = o.d.feature_groups,
            .image = extents(o.result, o.d.out_spec),
            .kernel = kernel,
            .result = extents(o.lhs, o.d.lhs_spec),
            .strides = o.d.lhs_dilation,
            .dilation = o.d.rhs_dilation,
            .low = {},
            .high = {}};
  for (size_t i = 0; i < kernel.size(); ++i) p.low.push_back((kernel[i] - 1) * o.d.rhs_dilation[i] - o.d.pad_low[i]);
  return fit(p) ? std::optional(p) : std::nullopt;
}

std::optional<Problem> toward_kernel(const Operands& o) {
  if (!all_equal(o.d.lhs_dilation, 1) || !all_equal(o.d.reversal, 0)) return std::nullopt;
  if (o.d.batch_groups != 1 && o.d.feature_groups != 1) return std::nullopt;
  Problem p{.role = Role::toward_kernel,
            .repeats = o.d.feature_groups,
            .batch = extent(o.rhs, o.d.rhs_spec, 1),
            .in = extent(o.lhs, o.d.lhs_spec, 0),
            .out = extent(o.rhs, o.d.rhs_spec, 0) / o.d.feature_groups,
            .groups = o.d.batch_groups,
            .image = extents(o.lhs, o.d.lhs_spec),
            .kernel = extents(o.result, o.d.out_spec),
            .result = extents(o.rhs, o.d.rhs_spec),
            .strides = o.d.rhs_dilation,
            .dilation = o.d.strides,
            .low = o.d.pad_low,
            .high = {}};
  return fit(p) ? std::optional(p) : std::nullopt;
}

}  // namespace

double Problem::flops() const {
  double f = 2.0 * static_cast<double>(repeats * batch * out) * static_cast<double>(in) / static_cast<double>(groups);
  for (const Ints* e : {&kernel, &result})
    for (const int64_t x : *e) f *= static_cast<double>(x);
  return f;
}

std::optional<Problem> problem_of(const Node& n) {
  const Operands o{ConvDims::from(n.attrs), n.in[0].shape(), n.in[1].shape(), n.types[0].shape};
  if (o.d.spatial() < 1 || o.d.spatial() > 3) return std::nullopt;
  if (numel(o.lhs) == 0 || numel(o.rhs) == 0 || numel(o.result) == 0) return std::nullopt;
  // A gradient in the kernel has a small result under a large window.
  const bool small_result = numel(extents(o.result, o.d.out_spec)) < numel(extents(o.rhs, o.d.rhs_spec));
  std::optional<Problem> p;
  if (small_result || o.d.batch_groups > 1) p = toward_kernel(o);
  if (!p) p = forward(o);
  if (!p) p = toward_image(o);
  if (!p) p = toward_kernel(o);
  return p;
}

}  // namespace viva::cpu::onednn
