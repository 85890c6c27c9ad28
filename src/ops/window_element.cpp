// window_gather and window_scatter: one element of each window, by its offset. Each is the other's adjoint.
#include <array>

#include "loops/lowered.h"
#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/pointwise.h"
#include "ops/reference.h"
#include "ops/window.h"

namespace viva {
namespace {

constexpr int64_t most_places = int64_t{1} << 31;

void check_offsets(const Type& t, const WindowDims& d, const Shape& positions) {
  require(is_integer(t.dtype), "offsets are integers, not {}", name(t.dtype));
  require(t.shape == positions, "offsets {} are not one for each of {} windows", spelled(t), spelled(positions));
  require(numel(d.size) <= most_places, "a window of {} elements; at most 2^31 have offsets", numel(d.size));
}

std::vector<Type> infer_gather(const Infer::Site& s) {
  require_operands(s, 2);
  const WindowDims d = WindowDims::from(s.attrs);
  Shape positions = window_positions(d, s.in[0]);
  require(in_domain<Ordered>(s.in[0].dtype), "takes {}, not {}", Ordered::text, spelled(s.in[0]));
  check_offsets(s.in[1], d, positions);
  return {{s.in[0].dtype, std::move(positions)}};
}

std::vector<Type> infer_scatter(const Infer::Site& s) {
  require_operands(s, 2);
  const WindowDims d = WindowDims::from(s.attrs);
  const Type operand{s.in[0].dtype, s.attrs.ints("shape")};
  numel(operand.shape);
  const Shape positions = window_positions(d, operand);
  require(in_domain<Numbers>(s.in[0].dtype), "takes {}, not {}", Numbers::text, spelled(s.in[0]));
  require(s.in[0].shape == positions, "{} is not one element for each of {} windows", spelled(s.in[0]),
          spelled(positions));
  check_offsets(s.in[1], d, positions);
  return {operand};
}

// see(position of the window, position in the operand) where the offset leads to an element.
template <class See> void each_chosen(const WindowDims& d, const Shape& operand, const Array& offset, See&& see) {
  const std::vector<WindowAxis> axes = axes_of(d, operand);
  const Ints strides = row_major(operand);
  const int64_t count = numel(d.size);
  dispatch(offset.dtype(), [&](auto tag) {
    using I = typename decltype(tag)::type;
    if constexpr (std::is_integral_v<I> && !std::is_same_v<I, bool>) {
      const auto offsets = offset.as<I>();
      for_each_index(offset.shape(), [&](const Ints& at, int64_t position) {
        const I chosen = offsets[static_cast<size_t>(position)];
        if (chosen < 0 || static_cast<uint64_t>(chosen) >= static_cast<uint64_t>(count)) return;
        int64_t rest = static_cast<int64_t>(chosen), from = 0;
        for (size_t i = axes.size(); i-- > 0; rest /= axes[i].size) {
          const int64_t p = axes[i].source(at[i], rest % axes[i].size);
          if (p < 0) return;
          from += p * strides[i];
        }
        see(static_cast<size_t>(position), static_cast<size_t>(from));
      });
    }
  });
}

std::vector<Array> eval_gather(const Node& n, std::span<const Array> in, Evaluator&) {
  Array out = Array::zeros(n.types[0]);
  const auto bytes = static_cast<size_t>(size_of(out.dtype()));
  each_chosen(WindowDims::from(n.attrs), in[0].shape(), in[1], [&](size_t to, size_t from) {
    std::memcpy(out.mutable_data() + to * bytes, in[0].data() + from * bytes, bytes);
  });
  return {out};
}

std::vector<Array> eval_scatter(const Node& n, std::span<const Array> in, Evaluator&) {
  const Dtype wide = accumulator_of(in[0].dtype(), in[0].dtype());
  const Array y = in[0].converted(wide);
  Array total = Array::zeros({wide, n.types[0].shape});
  dispatch_accumulator(wide, [&](auto tag) {
    using A = typename decltype(tag)::type;
    const auto values = y.as<A>();
    const auto out = total.as_mutable<A>();
    each_chosen(WindowDims::from(n.attrs), n.types[0].shape, in[1],
                [&](size_t from, size_t to) { out[to] += values[from]; });
  });
  return {total.converted(n.types[0].dtype)};
}

Values jvp(Build& b, const Node& n, Ins in, Ins, Ins t, Transforms&) { return b.repeat(n, {t[0], in[1]}); }

void transpose_gather(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> result, Transforms&) {
  result[0] = b.window_scatter(ct[0], in[1], n.in[0].shape(), WindowDims::from(n.attrs));
}
void transpose_scatter(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> result, Transforms&) {
  result[0] = b.window_gather(ct[0], in[1], WindowDims::from(n.attrs));
}

Values batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
             Transforms&) {
  out_axis[0] = 0;
  Attrs attrs = n.attrs;
  batched(WindowDims::from(n.attrs), 0).put(attrs);
  if (const Attr* shape = n.attrs.find("shape")) attrs.set("shape", inserted(std::get<Ints>(*shape), 0, size));
  return b.emit(*n.op, {batched_front(b, in[0], axis[0], size), batched_front(b, in[1], axis[1], size)},
                std::move(attrs), {}, n.where);
}

loops::WindowKernel row_major_kernel(const Node& n, const Shape& operand, const Shape& result) {
  const Ints from = row_major(operand), to = row_major(result);
  std::vector<loops::WindowKernel::Axis> axes;
  for (const WindowAxis& a : axes_of(WindowDims::from(n.attrs), operand))
    axes.push_back({a, from[axes.size()], to[axes.size()], to[axes.size()]});
  return loops::WindowKernel(axes);
}

Lowered lower_gather(const Node& n) {
  return {loops::Host{"window gather", [kernel = row_major_kernel(n, n.in[0].shape(), n.types[0].shape),
                                        d = n.types[0].dtype, index = n.in[1].dtype()](auto in, auto out, auto& pool) {
                        kernel.gather(d, in[0], index, in[1], out[0], pool);
                      }}};
}
Lowered lower_scatter(const Node& n) {
  return {loops::Host{"window scatter", [kernel = row_major_kernel(n, n.types[0].shape, n.in[0].shape()),
                                         d = n.types[0].dtype, index = n.in[1].dtype()](auto in, auto out, auto& pool) {
                        kernel.scatter(d, in[0], index, in[1], out[0], pool);
                      }}};
}

struct Case {
  std::string_view label;
  Shape shape;
  WindowDims dims;
};

std::vector<Case> cases() {
  WindowDims pooling = WindowDims::plain({1, 1, 2, 2});
  pooling.strides = {1, 1, 2, 2};
  WindowDims overlapping = WindowDims::plain({1, 3, 2});
  overlapping.strides = {1, 2, 1}, overlapping.pad_low = {0, 1, 0}, overlapping.pad_high = {0, 0, 1};
  WindowDims dilated = WindowDims::plain({2, 2});
  dilated.base_dilation = {2, 3}, dilated.dilation = {3, 1}, dilated.strides = {1, 2}, dilated.pad_low = {1, 0};
  WindowDims cropped = WindowDims::plain({2, 2});
  cropped.pad_low = {-1, 0}, cropped.pad_high = {0, -2}, cropped.strides = {2, 1};
  WindowDims hollow = WindowDims::plain({2});
  hollow.pad_low = {3}, hollow.pad_high = {3};
  WindowDims sparse = WindowDims::plain({2, 1});
  sparse.strides = {3, 1};
  return {{"pooling", {2, 3, 4, 6}, pooling},    {"overlapping", {2, 5, 4}, overlapping},
          {"both dilations", {3, 3}, dilated},   {"negative padding", {4, 5}, cropped},
          {"padding only", {2}, hollow},         {"elements between windows", {7, 20}, sparse},
          {"scalar", {}, WindowDims::plain({})}, {"empty", {0, 3}, WindowDims::plain({1, 2})}};
}

// Offsets of every place, some outside the window.
std::vector<Sample> samples_of(bool gathers) {
  std::vector<Sample> all;
  const auto add = [&](const Case& c, std::string_view kind, Dtype d, Dtype index) {
    const Shape positions = window_positions(c.dims, {d, c.shape});
    const int64_t least = is_signed_integer(index) ? -1 : 0;
    Sample s{fmt::format("{} {}", kind, c.label), {}, {}, {}, {}};
    const Shape& own = gathers ? c.shape : positions;
    s.in = {is_float(d) ? sample_floats(own, -2, 2, 5, d) : sample_ints(own, 0, d == Dtype::boolean ? 1 : 100, 5, d),
            sample_ints(positions, least, numel(c.dims.size), 6, index)};
    c.dims.put(s.attrs);
    if (!gathers) s.attrs.set("shape", c.shape);
    if (d == Dtype::float64) s.linear = {{true, false}};
    all.push_back(std::move(s));
  };
  for (const Case& c : cases()) add(c, "f64", Dtype::float64, Dtype::int32);
  add(cases()[0], "f32, u8 offsets", Dtype::float32, Dtype::uint8);
  add(cases()[1], "i16, i64 offsets", Dtype::int16, Dtype::int64);
  if (gathers) add(cases()[1], "bool", Dtype::boolean, Dtype::int8);
  return all;
}

constexpr OpDef gather_record = {
    .name = "window_gather",
    .family = "window",
    .doc = "the element of each window at a row-major offset; 0 at holes, padding and offsets outside the window",
    .attributes = "size strides pad_low pad_high base_dilation dilation",
    .infer = infer_gather,
    .eval = eval_gather,
    .jvp = jvp,
    .split = plain_split,
    .transpose = transpose_gather,
    .batch = batch,
    .lower = lower_gather,
    .prune = plain_prune,
    .bound = bounds::window_gather,
    .samples = [] { return samples_of(true); },
};
constexpr OpDef scatter_record = {
    .name = "window_scatter",
    .family = "window",
    .doc = "for each element of an array of this shape, the sum of the numbers whose window and offset lead to it",
    .attributes = "size strides pad_low pad_high base_dilation dilation shape",
    .infer = infer_scatter,
    .eval = eval_scatter,
    .jvp = jvp,
    .split = plain_split,
    .transpose = transpose_scatter,
    .batch = batch,
    .lower = lower_scatter,
    .prune = plain_prune,
    .bound = bounds::window_scatter,
    .samples = [] { return samples_of(false); },
};

constexpr std::array records = {&gather_record, &scatter_record};

}  // namespace

constinit const OpList ops::window_element = records;

}  // namespace viva
