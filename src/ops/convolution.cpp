// conv_general: the convolution with all that closes it under transposition and batching: dilation on both sides,
// negative padding, both kinds of groups, free dimension numbers and a window that may run backwards.
#include <algorithm>
#include <array>

#include "loops/lowered.h"
#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/complex_math.h"
#include "ops/reference.h"
#include "ops/series.h"
#include "ops/window.h"

namespace viva {
namespace {

// Shapes and numbers of one application. Group g owns lhs features g·in + 0…in-1 (feature groups) or lhs batch entries
// g·batch + 0…batch-1 (batch groups), and result features g·out + 0…out-1.
struct Geometry {
  ConvDims dims;
  std::vector<WindowAxis> axes;
  int64_t batch = 0, out = 0, in = 0, groups = 1;

  Geometry(const Attrs& attrs, const Shape& lhs, const Shape& rhs) : dims(ConvDims::from(attrs)) {
    const auto at = [](const Shape& s, const Ints& spec, size_t i) { return s[static_cast<size_t>(spec[i])]; };
    for (size_t i = 0; i < dims.spatial(); ++i)
      axes.push_back({{.extent = at(lhs, dims.lhs_spec, i + 2),
                       .size = at(rhs, dims.rhs_spec, i + 2),
                       .stride = dims.strides[i],
                       .low = dims.pad_low[i],
                       .high = dims.pad_high[i],
                       .base_dilation = dims.lhs_dilation[i],
                       .dilation = dims.rhs_dilation[i]}});
    groups = std::max(dims.feature_groups, dims.batch_groups);
    batch = at(lhs, dims.lhs_spec, 0) / dims.batch_groups;
    in = at(rhs, dims.rhs_spec, 1);
    out = at(rhs, dims.rhs_spec, 0) / groups;
  }
  int64_t kernel_at(size_t axis, int64_t k) const { return dims.reversal[axis] ? axes[axis].size - 1 - k : k; }
};

void check_dims(const ConvDims& d, const Type& lhs, const Type& rhs) {
  const size_t n = d.spatial();
  const auto rank = static_cast<int64_t>(n) + 2;
  require(lhs.rank() == rank && rhs.rank() == rank, "operands {} and {} do not have {} spatial dimensions",
          spelled(lhs), spelled(rhs), n);
  for (const Ints* v : {&d.pad_low, &d.pad_high, &d.lhs_dilation, &d.rhs_dilation, &d.reversal})
    require(v->size() == n, "{} is not one number for each of {} spatial dimensions", spelled(*v), n);
  for (const Ints* spec : {&d.lhs_spec, &d.rhs_spec, &d.out_spec}) {
    require(spec->size() == n + 2, "dimension numbers {} do not cover rank {}", spelled(*spec), rank);
    require_dims(*spec, rank, "dimension");
  }
  for (int64_t r : d.reversal) require(r == 0 || r == 1, "reversal {} is neither 0 nor 1", r);
  require(d.feature_groups >= 1 && d.batch_groups >= 1, "{} feature groups and {} batch groups", d.feature_groups,
          d.batch_groups);
  require(d.feature_groups == 1 || d.batch_groups == 1, "feature groups and batch groups at once");
}

std::vector<Type> infer(const Infer::Site& s) {
  require_operands(s, 2);
  const Type &lhs = s.in[0], &rhs = s.in[1];
  const Dtype result = s.attrs.dtype("dtype");
  require(lhs.dtype == rhs.dtype, "operands {} and {} differ in dtype", spelled(lhs), spelled(rhs));
  require(same_class(lhs.dtype, result), "no convolution of {} gives {}", name(lhs.dtype), name(result));
  const ConvDims d = ConvDims::from(s.attrs);
  check_dims(d, lhs, rhs);
  const auto at = [](const Type& t, const Ints& spec, size_t i) { return t.shape[static_cast<size_t>(spec[i])]; };
  const int64_t batch = at(lhs, d.lhs_spec, 0), in = at(lhs, d.lhs_spec, 1), out = at(rhs, d.rhs_spec, 0);
  require(in % d.feature_groups == 0 && in / d.feature_groups == at(rhs, d.rhs_spec, 1),
          "{} features in {} groups do not match a kernel of {}", in, d.feature_groups, at(rhs, d.rhs_spec, 1));
  require(out % d.feature_groups == 0 && out % d.batch_groups == 0 && batch % d.batch_groups == 0,
          "groups do not divide the {} result features or the batch of {}", out, batch);
  Shape shape(d.out_spec.size());
  const auto set = [&](size_t i, int64_t extent) { shape[static_cast<size_t>(d.out_spec[i])] = extent; };
  set(0, batch / d.batch_groups), set(1, out);
  const Geometry g(s.attrs, lhs.shape, rhs.shape);
  for (size_t i = 0; i < d.spatial(); ++i) g.axes[i].check(), set(i + 2, g.axes[i].positions());
  return {{result, shape}};
}

// Strides of an array in the order of a spec.
Ints strides_of(const Array& a, const Ints& spec) { return permute(row_major(a.shape()), spec); }

// A is the accumulator: all operands are of it, the total is rounded once.
template <class A> void convolve(const Geometry& g, const Array& lhs, const Array& rhs, Array& result) {
  const auto x = lhs.as<A>(), w = rhs.as<A>();
  const auto y = result.as_mutable<A>();
  const Ints x_strides = strides_of(lhs, g.dims.lhs_spec), w_strides = strides_of(rhs, g.dims.rhs_spec),
             y_strides = strides_of(result, g.dims.out_spec);
  Shape window = permute(rhs.shape(), g.dims.rhs_spec);
  window[0] = 1;
  for_each_index(permute(result.shape(), g.dims.out_spec), [&](const Ints& at, int64_t) {
    const int64_t group = at[1] / g.out;
    A total = 0;
    for_each_index(window, [&](const Ints& k, int64_t) {
      int64_t from = (at[0] + (g.dims.batch_groups > 1 ? group * g.batch : 0)) * x_strides[0] +
                     (k[1] + (g.dims.feature_groups > 1 ? group * g.in : 0)) * x_strides[1];
      bool inside = true;
      for (size_t i = 0; i < g.axes.size(); ++i) {
        const int64_t p = g.axes[i].source(at[i + 2], g.kernel_at(i, k[i + 2]));
        inside = inside && p >= 0;
        from += p * x_strides[i + 2];
      }
      total += product(inside ? x[static_cast<size_t>(from)] : A(0),
                       w[static_cast<size_t>(flat_index(k, w_strides) + at[1] * w_strides[0])]);
    });
    y[static_cast<size_t>(flat_index(at, y_strides))] = total;
  });
}

std::vector<Array> eval(const Node& n, std::span<const Array> in, Evaluator&) {
  const Geometry g(n.attrs, in[0].shape(), in[1].shape());
  const Dtype wide = accumulator_of(in[0].dtype(), n.types[0].dtype);
  Array total = Array::make({wide, n.types[0].shape});
  dispatch_accumulator(wide, [&](auto tag) {
    convolve<typename decltype(tag)::type>(g, in[0].converted(wide), in[1].converted(wide), total);
  });
  return {total.converted(n.types[0].dtype)};
}

Values jvp(Build& b, const Node& n, Ins in, Ins, Ins t, Transforms&) {
  Value sum;
  if (t[0]) sum = b.repeat(n, {t[0], in[1]})[0];
  if (t[1]) {
    const Value second = b.repeat(n, {in[0], t[1]})[0];
    sum = sum ? b.add(sum, second) : second;
  }
  return {sum};
}

// Dimension `axis` joins dimension `into` (counted without it) as its outer part.
Value fold(Build& b, Value x, int64_t axis, int64_t into) {
  x = b.move_axis(x, axis, into);
  Shape shape = x.shape();
  shape[static_cast<size_t>(into) + 1] *= shape[static_cast<size_t>(into)];
  shape.erase(shape.begin() + into);
  return b.reshape(x, std::move(shape));
}

// Dimension `axis` becomes two, the outer one of extent n. An empty dimension stays empty on the inside.
Value unfold(Build& b, Value x, int64_t axis, int64_t n) {
  Shape shape = inserted(x.shape(), axis, n);
  shape[static_cast<size_t>(axis) + 1] /= std::max<int64_t>(n, 1);
  return b.reshape(x, std::move(shape));
}

// Dimension `axis` (counted as in x) joins `into` (counted without it) between the groups of that dimension and the
// rest.
Value fold_inside_groups(Build& b, Value x, int64_t axis, int64_t into, int64_t groups) {
  if (groups == 1) return fold(b, x, axis, into);
  x = unfold(b, b.move_axis(x, axis, 0), into + 1, groups);  // [n, …, groups, rest, …]
  return fold(b, fold(b, x, 0, into + 1), into, into);
}

// The dtype in which neither of two dtypes loses anything.
Dtype wider(Dtype a, Dtype b) {
  if (a == b || size_of(a) > size_of(b)) return a;
  if (size_of(b) > size_of(a)) return b;
  return is_float(a) ? Dtype::float32 : Dtype::int64;
}

void set_axes(ConvDims& d, const std::vector<WindowAxis>& axes) {
  for (size_t i = 0; i < axes.size(); ++i) {
    d.strides[i] = axes[i].stride, d.pad_low[i] = axes[i].low, d.pad_high[i] = axes[i].high;
    d.lhs_dilation[i] = axes[i].base_dilation, d.rhs_dilation[i] = axes[i].dilation;
  }
}

// The cotangent of lhs: the convolution of ct, spread by the strides, with the kernel run the other way and its roles
// of in and out swapped. A group's kernel is [out, in] inside the groups, which stay outermost.
Value toward_lhs(Build& b, const Node& n, Value rhs, Value ct) {
  const Geometry g(n.attrs, n.in[0].shape(), n.in[1].shape());
  ConvDims d = g.dims;
  const int64_t out_dim = d.rhs_spec[0], in_dim = d.rhs_spec[1];
  if (g.groups > 1) rhs = fold(b, unfold(b, rhs, out_dim, g.groups), out_dim, in_dim);
  std::swap(d.rhs_spec[0], d.rhs_spec[1]);
  std::swap(d.lhs_spec, d.out_spec);
  d.feature_groups = g.groups, d.batch_groups = 1;
  std::vector<WindowAxis> axes;
  for (const WindowAxis& a : g.axes) axes.push_back(a.toward_operand());
  set_axes(d, axes);
  for (int64_t& r : d.reversal) r = 1 - r;
  const Dtype operand = n.in[0].dtype(), wide = wider(operand, ct.dtype());
  Value r = b.conv_general(b.convert(ct, wide), b.convert(rhs, wide), d, operand);
  if (g.dims.batch_groups > 1) {  // the groups came out as features and are batch entries
    const int64_t batch = g.dims.lhs_spec[0], feature = g.dims.lhs_spec[1];
    r = fold(b, unfold(b, r, feature, g.groups), feature, batch);
  }
  return r;
}

// The cotangent of rhs: the convolution of lhs with ct as the window, batch and feature exchanged, so that feature
// groups become batch groups and the reverse.
Value toward_rhs(Build& b, const Node& n, Value lhs, Value ct) {
  const Geometry g(n.attrs, n.in[0].shape(), n.in[1].shape());
  ConvDims d = g.dims;
  for (Ints* spec : {&d.lhs_spec, &d.rhs_spec, &d.out_spec}) std::swap((*spec)[0], (*spec)[1]);
  std::swap(d.rhs_spec, d.out_spec);
  std::swap(d.feature_groups, d.batch_groups);
  std::vector<WindowAxis> axes;
  for (const WindowAxis& a : g.axes) axes.push_back(a.toward_window());
  set_axes(d, axes);
  Ints backwards;
  for (size_t i = 0; i < d.spatial(); ++i)
    if (std::exchange(d.reversal[i], 0)) backwards.push_back(g.dims.rhs_spec[i + 2]);
  const Dtype operand = n.in[1].dtype(), wide = wider(operand, ct.dtype());
  return b.reverse(b.conv_general(b.convert(lhs, wide), b.convert(ct, wide), d, operand), backwards);
}

void transpose_conv(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> result, Transforms&) {
  if (!in[0]) result[0] = toward_lhs(b, n, in[1], ct[0]);
  else result[1] = toward_rhs(b, n, in[0], ct[0]);
}

// One operand batched joins lhs's batch or rhs's result features, inside the groups; two become more groups.
Values batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
             Transforms&) {
  ConvDims d = ConvDims::from(n.attrs);
  const int64_t groups = std::max(d.feature_groups, d.batch_groups);
  const Dtype dtype = n.types[0].dtype;
  const int64_t batch_dim = d.out_spec[0], feature_dim = d.out_spec[1];
  out_axis[0] = static_cast<int>(axis[1] < 0 ? batch_dim : feature_dim);
  if (size == 0) return {b.full({dtype, inserted(n.types[0].shape, out_axis[0], 0)}, 0)};
  if (axis[1] < 0) {
    const Value lhs = fold_inside_groups(b, in[0], axis[0], d.lhs_spec[0], d.batch_groups);
    return {unfold(b, b.conv_general(lhs, in[1], d, dtype), batch_dim, size)};
  }
  if (axis[0] < 0) {
    const Value rhs = fold_inside_groups(b, in[1], axis[1], d.rhs_spec[0], groups);
    Value r = unfold(b, b.conv_general(in[0], rhs, d, dtype), feature_dim, groups);
    return {fold(b, unfold(b, r, feature_dim + 1, size), feature_dim, feature_dim + 1)};
  }
  const bool by_batch = d.batch_groups > 1;
  (by_batch ? d.batch_groups : d.feature_groups) *= size;
  const Value lhs = fold(b, in[0], axis[0], d.lhs_spec[by_batch ? 0 : 1]);
  const Value rhs = fold(b, in[1], axis[1], d.rhs_spec[0]);
  return {unfold(b, b.conv_general(lhs, rhs, d, dtype), feature_dim, size)};
}

// Parallel loops: the result's dimensions in order, its features split into (group, feature of the group) where there
// are groups; reduction loops: the features of a group, then the window.
struct LoopNumbers {
  int batch = 0, group = -1, out = 0, in = 0;
  std::vector<int> position, window;
};

LoopNumbers number_loops(const Geometry& g, const Shape& result, loops::Nest& nest) {
  LoopNumbers l;
  l.position.resize(g.axes.size());
  for (int64_t d = 0; d < static_cast<int64_t>(result.size()); ++d) {
    const auto role = static_cast<size_t>(std::ranges::find(g.dims.out_spec, d) - g.dims.out_spec.begin());
    if (role == 1 && g.groups > 1) l.group = nest.loops(), nest.extents.push_back(g.groups);
    (role == 0 ? l.batch : role == 1 ? l.out : l.position[role - 2]) = nest.loops();
    nest.extents.push_back(role == 1 ? g.out : result[static_cast<size_t>(d)]);
  }
  nest.parallel = nest.loops();
  l.in = nest.loops(), nest.extents.push_back(g.in);
  for (const WindowAxis& a : g.axes) l.window.push_back(nest.loops()), nest.extents.push_back(a.size);
  return l;
}

Lowered lower(const Node& n) {
  const Geometry g(n.attrs, n.in[0].shape(), n.in[1].shape());
  loops::Nest nest{.operands = types_of(n.in)};
  const LoopNumbers l = number_loops(g, n.types[0].shape, nest);
  std::vector<loops::Index> lhs(g.axes.size() + 2), rhs(lhs.size());
  const auto put = [](std::vector<loops::Index>& at, const Ints& spec, size_t i, loops::Index index) {
    at[static_cast<size_t>(spec[i])] = std::move(index);
  };
  const auto grouped = [&](int loop, int64_t group_size) {
    loops::Index i = nest.at(loop);
    if (l.group >= 0) i.coefficients[static_cast<size_t>(l.group)] = group_size;
    return i;
  };
  put(lhs, g.dims.lhs_spec, 0, g.dims.batch_groups > 1 ? grouped(l.batch, g.batch) : nest.at(l.batch));
  put(lhs, g.dims.lhs_spec, 1, g.dims.feature_groups > 1 ? grouped(l.in, g.in) : nest.at(l.in));
  put(rhs, g.dims.rhs_spec, 0, grouped(l.out, g.out));
  put(rhs, g.dims.rhs_spec, 1, nest.at(l.in));
  for (size_t i = 0; i < g.axes.size(); ++i) {
    const WindowAxis& a = g.axes[i];
    const bool backwards = g.dims.reversal[i];
    loops::Index x =
        nest.at(l.position[i], a.stride, (backwards ? (a.size - 1) * a.dilation : 0) - a.low, a.base_dilation);
    x.coefficients[static_cast<size_t>(l.window[i])] = backwards ? -a.dilation : a.dilation;
    put(lhs, g.dims.lhs_spec, i + 2, std::move(x));
    put(rhs, g.dims.rhs_spec, i + 2, nest.at(l.window[i]));
  }
  const loops::Register x = nest.load(0, std::move(lhs)), w = nest.load(1, std::move(rhs));
  nest.store(nest.reduce(loops::Reduction::dot, {x, w}, n.types[0].dtype));
  return {std::move(nest)};
}

Sample sample(std::string label, Shape lhs, Shape rhs, const ConvDims& d, Dtype dtype = Dtype::float64,
              std::optional<Dtype> result = {}) {
  Sample s{std::move(label), {}, {{"dtype", result.value_or(dtype)}}, {}};
  if (is_float(dtype)) {
    s.in = {sample_floats(std::move(lhs), -2, 2, 1, dtype), sample_floats(std::move(rhs), -2, 2, 2, dtype)};
    s.linear = {{true, false}, {false, true}};
  } else if (is_complex(dtype)) {
    s.in = {sample_complex(std::move(lhs), -2, 2, 1, dtype), sample_complex(std::move(rhs), -2, 2, 2, dtype)};
    if (dtype == Dtype::complex128) s.linear = {{true, false}, {false, true}};
  } else {
    const int64_t low = is_unsigned(dtype) ? 0 : -100;
    s.in = {sample_ints(std::move(lhs), low, 100, 1, dtype), sample_ints(std::move(rhs), low, 100, 2, dtype)};
  }
  d.put(s.attrs);
  return s;
}

std::vector<Sample> samples() {
  std::vector<Sample> all;
  ConvDims d = ConvDims::plain(2);
  all.push_back(sample("plain", {2, 3, 4, 5}, {2, 3, 3, 2}, d));
  d.strides = {2, 1}, d.pad_low = {1, 2}, d.pad_high = {2, -1};
  all.push_back(sample("strides and padding", {1, 2, 5, 4}, {3, 2, 3, 2}, d));
  d.lhs_dilation = {2, 3}, d.rhs_dilation = {1, 2}, d.reversal = {1, 0};
  all.push_back(sample("both dilations, reversed", {2, 1, 3, 3}, {2, 1, 2, 3}, d));
  d.pad_low = {-1, -2};
  all.push_back(sample("negative padding", {1, 2, 4, 4}, {1, 2, 2, 2}, d));
  ConvDims f = ConvDims::plain(1);
  f.feature_groups = 2, f.strides = {2}, f.pad_low = {1};
  all.push_back(sample("feature groups", {2, 4, 5}, {6, 2, 2}, f));
  ConvDims g = ConvDims::plain(1);
  g.batch_groups = 2, g.rhs_dilation = {2}, g.reversal = {1}, g.pad_high = {1};
  all.push_back(sample("batch groups", {4, 3, 4}, {4, 3, 2}, g));
  ConvDims p = ConvDims::plain(2);
  p.lhs_spec = {0, 3, 1, 2}, p.rhs_spec = {3, 2, 0, 1}, p.out_spec = {3, 0, 2, 1}, p.feature_groups = 2;
  all.push_back(sample("permuted dimensions", {1, 3, 4, 2}, {2, 3, 1, 4}, p));
  all.push_back(sample("no spatial dimension", {2, 3}, {4, 3}, ConvDims::plain(0)));
  all.push_back(sample("empty batch", {0, 2, 3}, {2, 2, 2}, ConvDims::plain(1)));
  all.push_back(sample("empty features", {2, 0, 3}, {2, 0, 2}, ConvDims::plain(1)));
  all.push_back(sample("window larger than the operand", {1, 2, 2}, {2, 2, 4}, ConvDims::plain(1)));
  all.push_back(sample("c128 feature groups", {1, 4, 4}, {2, 2, 2}, f, Dtype::complex128));
  all.push_back(sample("c64", {2, 1, 3}, {2, 1, 2}, ConvDims::plain(1), Dtype::complex64));
  all.push_back(sample("i8 to i32", {1, 2, 4}, {2, 2, 3}, ConvDims::plain(1), Dtype::int8, Dtype::int32));
  all.push_back(sample("u8 wraps", {1, 2, 4}, {2, 2, 3}, g = ConvDims::plain(1), Dtype::uint8));
  return all;
}

constexpr OpDef conv_general_record = {
    .name = "conv_general",
    .family = "contraction",
    .doc =
        "Σ over window and features of lhs · rhs, with strides, padding (also negative), dilation of both operands, "
        "feature or batch groups and reversal of the window",
    .attributes =
        "lhs_spec rhs_spec out_spec strides pad_low pad_high lhs_dilation "
        "rhs_dilation reversal feature_groups batch_groups dtype",
    .infer = infer,
    .eval = eval,
    .jvp = jvp,
    .split = plain_split,
    .transpose = transpose_conv,
    .batch = batch,
    .lower = lower,
    .prune = plain_prune,
    .bound = bounds::conv_general,
    .jet = product_jet,
    .samples = samples,
};

constexpr std::array records = {
    &conv_general_record,
};

}  // namespace

constinit const OpList ops::convolution = records;

}  // namespace viva
