// What else concerns images and signals: grids, unpooling, the reverse of patches, a convolution with state.
#include <algorithm>
#include <array>

#include "onnx/windows.h"

namespace viva {
namespace {

constexpr int64_t most_positions = int64_t{1} << 24;

// A base grid over [-1, 1] in homogeneous coordinates (x fastest) times theta.
Items affine_grid(OnnxOp& o) {
  const Ints size = o.known_ints(1);
  const Shape& theta = o.type(0).shape;
  if (size.size() < 4 || size.size() > 5) throw o.malformed("size {}", to_string(size));
  const Ints extents(size.begin() + 2, size.end());
  const auto n = static_cast<int64_t>(extents.size());
  if (theta != Shape{size[0], n, n + 1})
    throw o.malformed("theta {} for size {}", to_string(o.type(0)), to_string(size));
  int64_t positions = 1;
  for (const int64_t d : extents) {
    if (d < 1 || d > most_positions / positions) throw unsupported("a grid of size {}", to_string(size));
    positions *= d;
  }
  const bool corners = o.flag("align_corners");
  std::vector<double> base;
  for (int64_t p = 0; p < positions; ++p) {
    int64_t rest = p;
    for (size_t i = extents.size(); i-- > 0; rest /= extents[i]) {  // the last spatial dimension is x
      const auto at = static_cast<double>(rest % extents[i]), d = static_cast<double>(extents[i]);
      base.push_back(corners ? (d > 1 ? 2 * at / (d - 1) - 1 : 0) : (2 * at + 1) / d - 1);
    }
    base.push_back(1);
  }
  const Value grid = o.b.constant(Array::of(base, {positions, n + 1}).converted(o.type(0).dtype));
  const Value moved =
      o.b.dot_general(o.in(0), grid, {.lhs_batch = {}, .rhs_batch = {}, .lhs_contract = {2}, .rhs_contract = {1}});
  Shape result{size[0]};
  result.insert(result.end(), extents.begin(), extents.end());
  result.push_back(n);
  return {o.b.reshape(o.b.transpose(moved, {0, 2, 1}), result)};
}

// Each maximum put back at its flat index, zeros elsewhere; a given output_shape adds or drops positions at the end.
Items max_unpool(OnnxOp& o) {
  Build& b = o.b;
  const Ints input = spatial_extents(o, 0);
  const Windows w = read_windows(o, input, {});
  if (o.type(1).shape != o.type(0).shape)
    throw o.malformed("indices {} for {}", to_string(o.type(1)), to_string(o.type(0)));
  Shape shape{o.type(0).shape[0], o.type(0).shape[1]};
  for (size_t i = 0; i < input.size(); ++i)
    shape.push_back((input[i] - 1) * w.strides[i] - w.low[i] - w.high[i] + w.kernel[i]);
  if (std::ranges::any_of(shape, [](int64_t d) { return d < 0; }))
    throw o.malformed("no room in {}", to_string(o.type(0)));
  const int64_t count = numel(shape);
  GatherDims d;
  d.collapsed = d.start_map = {0};
  d.slice_sizes = {1};
  const Value flat = b.full({o.type(0).dtype, {count}}, 0);
  const int64_t given = numel(o.type(0).shape);
  const Value index = b.reshape(o.in(1), {given, 1});
  Value y = b.reshape(b.scatter(flat, index, b.reshape(o.in(0), {given}), Combine::set, d), shape);
  if (o.has(2)) {
    const Ints wanted = o.known_ints(2);
    if (wanted.size() != shape.size() || std::ranges::any_of(wanted, [](int64_t e) { return e < 0; }))
      throw o.malformed("output_shape {}", to_string(wanted));
    Ints high;
    for (size_t i = 0; i < shape.size(); ++i) high.push_back(wanted[i] - shape[i]);
    y = b.pad(y, b.scalar(y.dtype(), 0), Ints(shape.size(), 0), high);
  }
  return {y};
}

// Where element `block` of patch `patch` lies in the image, flat; -1 in the padding.
int64_t image_position(const Windows& w, const Ints& image, const Ints& patches, int64_t block, int64_t patch) {
  int64_t flat = 0, stride = 1;
  for (size_t i = image.size(); i-- > 0;) {
    const int64_t at = patch % patches[i] * w.strides[i] + block % w.kernel[i] * w.dilations[i] - w.low[i];
    if (at < 0 || at >= image[i]) return -1;
    flat += at * stride;
    stride *= image[i];
    patch /= patches[i];
    block /= w.kernel[i];
  }
  return flat;
}

// [N, C · block, patches] added up into images [N, C, …].
Items col2im(OnnxOp& o) {
  Build& b = o.b;
  const Ints image = o.known_ints(1), block = o.known_ints(2);
  if (image.size() != block.size() || image.empty() || o.rank(0) != 3)
    throw o.malformed("{} with blocks {} into {}", to_string(o.type(0)), to_string(block), to_string(image));
  const Windows w = read_windows(o, image, block);
  Ints patches, index;
  int64_t size = 1, count = 1;
  for (size_t i = 0; i < image.size(); ++i) {
    const int64_t room = image[i] + w.low[i] + w.high[i] - w.reach(i);
    if (image[i] < 0 || room < 0 || size > most_positions / block[i])
      throw o.malformed("blocks {} in {}", to_string(block), to_string(image));
    patches.push_back(room / w.strides[i] + 1);
    size *= block[i];
    if (count > most_positions / patches[i]) throw unsupported("an image of {}", to_string(image));
    count *= patches[i];
  }
  const Shape& x = o.type(0).shape;
  if (x[1] % size != 0 || x[2] != count || size > most_positions / std::max(count, int64_t{1}))
    throw o.malformed("{} with blocks {} into {}", to_string(o.type(0)), to_string(block), to_string(image));
  for (int64_t k = 0; k < size; ++k)
    for (int64_t p = 0; p < count; ++p) index.push_back(image_position(w, image, patches, k, p));
  const int64_t channels = x[1] / size, plane = numel(image);
  GatherDims d;
  d.offset_dims = {0, 1};
  d.collapsed = d.start_map = {2};
  d.slice_sizes = {x[0], channels, 1};
  const Value zero = b.full({o.type(0).dtype, {x[0], channels, plane}}, 0);
  const Value places = b.constant(Array::of(index, {size * count, 1}));
  const Value y = b.scatter(zero, places, b.reshape(o.in(0), {x[0], channels, size * count}), Combine::add, d);
  Shape result{x[0], channels};
  result.insert(result.end(), image.begin(), image.end());
  return {b.reshape(y, result)};
}

// A depthwise convolution over the past state and the input; the last k - 1 positions are the new state.
Items causal_conv(OnnxOp& o) {
  Build& b = o.b;
  const Value x = o.in(0), kernel = o.in(1);
  if (x.rank() != 3 || kernel.rank() != 3 || kernel.dim(0) != x.dim(1) || kernel.dim(1) != 1 || kernel.dim(2) < 1)
    throw o.malformed("{} with a kernel {}", to_string(x.type()), to_string(kernel.type()));
  const int64_t k = kernel.dim(2);
  const Type state{x.dtype(), {x.dim(0), x.dim(1), k - 1}};
  if (o.has(3) && o.type(3) != state)
    throw o.malformed("past_state {} is not {}", to_string(o.type(3)), to_string(state));
  const Value past = o.has(3) ? o.in(3) : b.full(state, 0), all = b.concatenate({past, x}, 2);
  ConvDims d = ConvDims::plain(1);
  d.feature_groups = x.dim(1);
  Value y = b.conv_general(all, kernel, d);
  if (o.has(2)) y = b.add(y, along(b, o.in(2), y.shape(), 1));
  const std::string activation = o.text("activation", "none");
  if (activation == "silu" || activation == "swish") y = b.mul(y, b.logistic(y));
  else if (activation != "none") throw o.malformed("activation {}", in_quotes(activation));
  return {y, b.slice(all, {0, 0, x.dim(2)}, all.shape())};
}

constexpr std::array rows = {
    OnnxRow{"AffineGrid", 20, latest, affine_grid},
    OnnxRow{"CausalConvWithState", 27, latest, causal_conv, true},
    OnnxRow{"Col2Im", 18, latest, col2im},
    OnnxRow{"MaxUnpool", 9, latest, max_unpool},
};

}  // namespace

std::span<const OnnxRow> onnx_ops::spatial() { return rows; }

}  // namespace viva
