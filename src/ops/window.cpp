// window_sum and window_argmax: a window over every dimension of the operand, a size of 1 where it does not extend.
#include "ops/window.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "loops/lowered.h"
#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/pointwise.h"
#include "ops/reference.h"

namespace viva {

void WindowAxis::check() const {
  constexpr int64_t far = int64_t{1} << 50;
  const auto length = [&](int64_t n, int64_t by, std::string_view what) {
    require(n <= 1 || n - 1 <= far / by, "{} spread by {} is too long", what, by);
  };
  require(size >= 0, "a window of size {}", size);
  // Transposition makes base dilations of strides and dilations.
  const auto step = [](int64_t n) { return n >= 1 && n <= widest_step; };
  require(step(stride), "stride {} is not in [1, 2^31]", stride);
  require(step(base_dilation) && step(dilation), "dilations {} and {} are not both in [1, 2^31]", base_dilation,
          dilation);
  require(low >= -far && low <= far && high >= -far && high <= far, "padding [{},{}] is too large", low, high);
  length(extent, base_dilation, "operand"), length(size, dilation, "window");
}

WindowAxis WindowAxis::toward_operand() const {
  const int64_t before = reach() - 1 - low, after = spread() + reach() - 1 - dilated(positions(), stride) - before;
  return {{positions(), size, base_dilation, before, after, stride, dilation}};
}

WindowAxis WindowAxis::toward_window() const {
  const int64_t after = dilated(positions(), stride) - spread() + reach() - low - 1;
  return {{extent, positions(), dilation, low, after, base_dilation, stride}};
}

std::vector<WindowAxis> axes_of(const WindowDims& d, const Shape& shape) {
  std::vector<WindowAxis> axes;
  for (size_t i = 0; i < shape.size(); ++i)
    axes.push_back(
        {{shape[i], d.size[i], d.strides[i], d.pad_low[i], d.pad_high[i], d.base_dilation[i], d.dilation[i]}});
  return axes;
}

Shape window_positions(const WindowDims& d, const Type& operand) {
  const auto rank = static_cast<size_t>(operand.rank());
  for (const Ints* v : {&d.size, &d.strides, &d.pad_low, &d.pad_high, &d.base_dilation, &d.dilation})
    require(v->size() == rank, "{} is not one number for each dimension of {}", spelled(*v), spelled(operand));
  numel(d.size);
  Shape shape;
  for (const WindowAxis& a : axes_of(d, operand.shape)) {
    require(a.size >= 1, "a window of size {}", a.size);
    a.check(), shape.push_back(a.positions());
  }
  return shape;
}

bool may_be_empty(const WindowDims& d, const Shape& operand) {
  constexpr int64_t most_looked_at = 1 << 20;
  return std::ranges::any_of(axes_of(d, operand), [](const WindowAxis& a) {
    if (!a.has_holes()) return false;
    if (a.positions() > most_looked_at / a.size) return true;
    for (int64_t y = 0; y < a.positions(); ++y) {
      bool some = false;
      for (int64_t k = 0; k < a.size && !some; ++k) some = a.source(y, k) >= 0;
      if (!some) return true;
    }
    return false;
  });
}

WindowDims batched(WindowDims d, int64_t at) {
  for (Ints* v : {&d.size, &d.strides, &d.base_dilation, &d.dilation}) *v = inserted(std::move(*v), at, 1);
  for (Ints* v : {&d.pad_low, &d.pad_high}) *v = inserted(std::move(*v), at, 0);
  return d;
}

namespace {

Shape infer_shape(const Infer::Site& s) {
  require_operands(s, 1);
  return window_positions(WindowDims::from(s.attrs), s.in[0]);
}

std::vector<WindowAxis> axes_of(const Node& n) { return axes_of(WindowDims::from(n.attrs), n.in[0].shape()); }

std::vector<Type> infer_sum(const Infer::Site& s) {
  Shape shape = infer_shape(s);
  require(in_domain<Numeric>(s.in[0].dtype), "takes {}, not {}", Numeric::text, spelled(s.in[0]));
  return {{s.in[0].dtype, std::move(shape)}};
}

std::vector<Type> infer_argmax(const Infer::Site& s) {
  Shape shape = infer_shape(s);
  require(in_domain<Ordered>(s.in[0].dtype), "takes {}, not {}", Ordered::text, spelled(s.in[0]));
  const Dtype index = s.attrs.dtype("dtype");
  require(is_integer(index), "offsets are integers, not {}", name(index));
  const int64_t count = numel(s.attrs.ints("size"));
  const int64_t bits = size_of(index) * 8 - (is_signed_integer(index) ? 1 : 0);
  require(bits >= 48 || count <= int64_t{1} << bits, "{} does not hold offsets in a window of {}", name(index), count);
  return {{index, std::move(shape)}};
}

// For each result: begin(position), then see(offset in the window, element's flat position), holes left out.
template <class Begin, class See>
void scan_windows(const std::vector<WindowAxis>& axes, const Array& x, const Shape& result, Begin&& begin, See&& see) {
  const Ints strides = row_major(x.shape());
  Shape window;
  for (const WindowAxis& a : axes) window.push_back(a.size);
  for_each_index(result, [&](const Ints& at, int64_t position) {
    begin(static_cast<size_t>(position));
    for_each_index(window, [&](const Ints& k, int64_t offset) {
      int64_t from = 0;
      for (size_t i = 0; i < axes.size(); ++i) {
        const int64_t p = axes[i].source(at[i], k[i]);
        if (p < 0) return;
        from += p * strides[i];
      }
      see(offset, static_cast<size_t>(from));
    });
  });
}

// The first element starts the sum, so that a window of one keeps the sign of a zero.
std::vector<Array> eval_sum(const Node& n, std::span<const Array> in, Evaluator&) {
  const Type& type = n.types[0];
  const Dtype wide = accumulator_of(type.dtype, type.dtype);
  const Array x = in[0].converted(wide);
  Array total = Array::zeros({wide, type.shape});
  dispatch_accumulator(wide, [&](auto tag) {
    using A = typename decltype(tag)::type;
    const auto values = x.as<A>();
    const auto out = total.as_mutable<A>();
    size_t at = 0;
    bool first = true;
    scan_windows(
        axes_of(n), x, type.shape, [&](size_t position) { at = position, first = true; },
        [&](int64_t, size_t from) { out[at] = std::exchange(first, false) ? values[from] : out[at] + values[from]; });
  });
  return {total.converted(type.dtype)};
}

std::vector<Array> eval_argmax(const Node& n, std::span<const Array> in, Evaluator&) {
  const Array& x = in[0];
  Array offsets = Array::zeros({Dtype::int64, n.types[0].shape});
  const auto out = offsets.as_mutable<int64_t>();
  dispatch(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (Ordered::has<T>) {
      using C = Compute<T>;
      const auto values = x.as<T>();
      size_t at = 0;
      bool first = true;
      C best{};
      const auto wins = [&](C v) {
        if constexpr (std::is_floating_point_v<C>)
          if (std::isnan(best) || std::isnan(v)) return !std::isnan(best);
        return v > best;
      };
      scan_windows(
          axes_of(n), x, n.types[0].shape, [&](size_t position) { at = position, first = true; },
          [&](int64_t offset, size_t from) {
            const C v = static_cast<C>(values[from]);
            if (first || wins(v)) best = v, out[at] = offset;
            first = false;
          });
    }
  });
  return {offsets.converted(n.types[0].dtype)};
}

Values jvp_sum(Build& b, const Node& n, Ins, Ins, Ins t, Transforms&) { return b.repeat(n, {t[0]}); }

// Each operand element collects the results of the windows that saw it: the same window over the results, which the
// strides spread, moved by the dilation of the operand.
void transpose_sum(Build& b, const Node& n, Ins, Ins ct, std::span<Value> result, Transforms&) {
  WindowDims d;
  for (const WindowAxis& a : axes_of(n)) {
    const WindowAxis t = a.toward_operand();
    d.size.push_back(t.size), d.strides.push_back(t.stride);
    d.pad_low.push_back(t.low), d.pad_high.push_back(t.high);
    d.base_dilation.push_back(t.base_dilation), d.dilation.push_back(t.dilation);
  }
  result[0] = b.window_sum(ct[0], d);
}

// The window does not extend along the batch, so its offsets stay.
Values batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t, std::span<int> out_axis,
             Transforms&) {
  out_axis[0] = axis[0];
  Attrs attrs = n.attrs;
  batched(WindowDims::from(n.attrs), axis[0]).put(attrs);
  return b.emit(*n.op, {in[0]}, std::move(attrs), {}, n.where);
}

// Parallel loops over the results, reduction loops over the dimensions in which the window extends.
struct WindowNest {
  loops::Nest nest;
  std::vector<loops::Index> at;
  std::vector<loops::Condition> conditions;  // where the window sees an element, for axes with holes
};

WindowNest window_nest(const Node& n) {
  const std::vector<WindowAxis> axes = axes_of(n);
  WindowNest w{loops::elementwise(n.types[0].shape, types_of(n.in)), {}, {}};
  std::vector<int> window(axes.size(), -1);
  for (size_t i = 0; i < axes.size(); ++i)
    if (axes[i].size > 1) window[i] = w.nest.loops(), w.nest.extents.push_back(axes[i].size);
  for (size_t i = 0; i < axes.size(); ++i) {
    const WindowAxis& a = axes[i];
    loops::Index index = w.nest.at(static_cast<int>(i), a.stride, -a.low, a.base_dilation);
    if (window[i] >= 0) index.coefficients[static_cast<size_t>(window[i])] = a.dilation;
    if (a.has_holes()) w.conditions.push_back({index, a.extent});
    w.at.push_back(std::move(index));
  }
  return w;
}

Lowered lower_sum(const Node& n) {
  WindowNest w = window_nest(n);
  const bool single = w.nest.loops() == w.nest.parallel;
  const loops::Register x = w.nest.load(0, std::move(w.at));
  w.nest.store(single ? x : w.nest.reduce(loops::Reduction::sum, {x}, n.types[0].dtype));
  return {std::move(w.nest)};
}

Lowered lower_argmax(const Node& n) {
  WindowNest w = window_nest(n);
  const Dtype index = n.types[0].dtype;
  if (w.nest.loops() == w.nest.parallel) {
    w.nest.store(w.nest.constant(index, loops::Scalar::of(index, 0)));
    return {std::move(w.nest)};
  }
  const loops::Register x = w.nest.load(0, std::move(w.at));
  const loops::Register mask = w.conditions.empty() ? loops::no_register : w.nest.inside(std::move(w.conditions));
  w.nest.store(w.nest.reduce(loops::Reduction::argmax, {x}, index, mask));
  return {std::move(w.nest)};
}

Values simplify_sum(Build&, const Node& n, Ins in) {
  for (const WindowAxis& a : axes_of(n))
    if (!a.plain()) return {};
  return {in[0]};
}

Values simplify_argmax(Build& b, const Node& n, Ins) {
  return numel(n.attrs.ints("size")) == 1 ? Values{b.full(n.types[0], 0)} : Values{};
}

struct Case {
  std::string_view label;
  Shape shape;
  WindowDims dims;
};

std::vector<Case> cases() {
  WindowDims strided = WindowDims::plain({1, 2, 3});
  strided.strides = {1, 2, 1}, strided.pad_low = {0, 1, 2}, strided.pad_high = {0, 0, 1};
  WindowDims dilated = WindowDims::plain({2, 2});
  dilated.base_dilation = {2, 3}, dilated.dilation = {3, 1}, dilated.strides = {1, 2}, dilated.pad_low = {1, 0};
  WindowDims cropped = WindowDims::plain({2, 2});
  cropped.pad_low = {-1, 0}, cropped.pad_high = {0, -2}, cropped.strides = {2, 1};
  WindowDims hollow = WindowDims::plain({2});  // its first and last windows hold padding only
  hollow.pad_low = {3}, hollow.pad_high = {3};
  return {{"plain", {3, 4}, WindowDims::plain({2, 3})},
          {"strides and padding", {2, 5, 4}, strided},
          {"both dilations", {3, 3}, dilated},
          {"negative padding", {4, 5}, cropped},
          {"windows of padding only", {2}, hollow},
          {"size 1", {2, 3}, WindowDims::plain({1, 1})},
          {"scalar", {}, WindowDims::plain({})},
          {"empty", {0, 3}, WindowDims::plain({1, 2})},
          {"too large", {2, 3}, WindowDims::plain({3, 1})}};
}

std::vector<Sample> samples_sum() {
  std::vector<Sample> all;
  for (const Case& c : cases()) {
    Sample s{"f64 " + std::string(c.label), {sample_floats(c.shape, -2, 2, 3)}, {}, {}, {{true}}};
    c.dims.put(s.attrs);
    all.push_back(s);
  }
  Sample wraps{"u8 wraps", {sample_ints({4, 4}, 0, 255, 1, Dtype::uint8)}, {}, {}};
  WindowDims::plain({3, 2}).put(wraps.attrs);
  all.push_back(std::move(wraps));
  return all;
}

std::vector<Sample> samples_argmax() {
  std::vector<Sample> all;
  const auto add = [&](std::string label, Array x, const WindowDims& d, Dtype index) {
    Sample s{std::move(label), {std::move(x)}, {{"dtype", index}}, {}};
    d.put(s.attrs);
    all.push_back(std::move(s));
  };
  for (const Case& c : cases()) {
    add("f64 " + std::string(c.label), sample_floats(c.shape, -2, 2, 4), c.dims, Dtype::int32);
    add("i32 ties " + std::string(c.label), sample_ints(c.shape, -1, 1, 4), c.dims, Dtype::int64);
  }
  const double nan = std::numeric_limits<double>::quiet_NaN(), low = -std::numeric_limits<double>::infinity();
  WindowDims d = WindowDims::plain({2});
  d.pad_low = {1};
  add("f64 NaN and -inf", Array::of<double>({1, nan, 2, low, low, nan, nan}, {7}), d, Dtype::uint8);
  add("bool", sample_ints({5}, 0, 1, 1, Dtype::boolean), d, Dtype::int8);
  return all;
}

constexpr OpDef window_sum_record = {
    .name = "window_sum",
    .family = "window",
    .doc = "the sum of each window's elements; padding and the holes of dilation count as 0; integers wrap",
    .attributes = "size strides pad_low pad_high base_dilation dilation",
    .infer = infer_sum,
    .eval = eval_sum,
    .jvp = jvp_sum,
    .split = plain_split,
    .transpose = transpose_sum,
    .batch = batch,
    .lower = lower_sum,
    .prune = plain_prune,
    .bound = bounds::window_sum,
    .simplify = simplify_sum,
    .samples = samples_sum,
};
constexpr OpDef window_argmax_record = {
    .name = "window_argmax",
    .family = "window",
    .doc =
        "the row-major offset inside each window of its first greatest element or first NaN; padding and holes are "
        "never chosen; 0 where a window has no element",
    .attributes = "size strides pad_low pad_high base_dilation dilation dtype",
    .infer = infer_argmax,
    .eval = eval_argmax,
    .jvp = integer_result,
    .split = plain_split,
    .transpose = Absent{Reason::not_linear, "the place of a maximum is no linear function"},
    .batch = batch,
    .lower = lower_argmax,
    .prune = plain_prune,
    .bound = bounds::window_argmax,
    .simplify = simplify_argmax,
    .samples = samples_argmax,
};

constexpr std::array records = {
    &window_sum_record,
    &window_argmax_record,
};

}  // namespace

constinit const OpList ops::window = records;

}  // namespace viva
