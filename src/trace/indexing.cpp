#include "viva/indexing.h"

#include <algorithm>

#include "graph/dims.h"
#include "trace/operand.h"

namespace viva {

using tracing::as_tensor;
using tracing::emit;
using tracing::usage_at;

namespace {

using Kind = Index::Kind;

struct Plan {
  Where where;
  Ints start, limit, strides;                       // of the slice, by dimension
  Ints dropped;                                     // dimensions that integers drop
  std::vector<std::pair<int64_t, Tensor>> tensors;  // by dimension
  Ints fresh;                                       // new axes of the result before tensors come in
  bool plain() const { return tensors.empty(); }
};

int64_t inside(int64_t i, int64_t n) { return std::clamp<int64_t>(i < 0 ? i + n : i, 0, n); }

void put_integer(Plan& p, const Index& i, size_t d, const Tensor& x) {
  const int64_t n = x.shape()[d];
  if (i.start < -n || i.start >= n)
    throw usage_at(i.where, fmt::format("[index] {} is outside dimension {} of {}", i.start, d, to_string(x.type())));
  p.start[d] = i.start < 0 ? i.start + n : i.start, p.limit[d] = p.start[d] + 1;
  p.dropped.push_back(static_cast<int64_t>(d));
}

void put_range(Plan& p, const Index& i, size_t d, int64_t n) {
  if (i.step < 1) throw usage_at(i.where, fmt::format("[index] a step of {}: use flip to reverse", i.step));
  p.start[d] = inside(i.start, n), p.limit[d] = std::max(p.start[d], inside(i.stop, n)),
  p.strides[d] = std::min(i.step, std::max<int64_t>(n, 1));
}

void put_tensor(Plan& p, const Index& i, size_t d) {
  if (!is_integer(i.tensor.dtype()))
    throw usage_at(i.where, fmt::format("[index] an index is {}: {}", to_string(i.tensor.type()),
                                        is_bool(i.tensor.dtype()) ? "how many it selects depends on data; use where"
                                                                  : "convert it to integers"));
  p.tensors.emplace_back(static_cast<int64_t>(d), i.tensor);
}

Plan plan(const Tensor& x, const std::vector<Index>& given) {
  Plan p;
  p.where = given.empty() ? Where{} : given.front().where;
  const auto named =
      std::ranges::count_if(given, [](const Index& i) { return i.kind != Kind::ellipsis && i.kind != Kind::newaxis; });
  const auto dots = std::ranges::count_if(given, [](const Index& i) { return i.kind == Kind::ellipsis; });
  if (named > x.rank()) throw usage_at(p.where, fmt::format("[index] {} indices for {}", named, to_string(x.type())));
  if (dots > 1) throw usage_at(p.where, "[index] more than one ellipsis");
  p.start.assign(static_cast<size_t>(x.rank()), 0), p.limit = x.shape(), p.strides.assign(p.start.size(), 1);
  size_t d = 0;
  int64_t result = 0;  // dimensions of the result so far
  for (const Index& i : given) {
    if (i.kind == Kind::newaxis) {
      p.fresh.push_back(result++);
    } else if (i.kind == Kind::ellipsis) {
      d += static_cast<size_t>(x.rank() - named), result += x.rank() - named;
    } else {
      if (i.kind == Kind::integer) put_integer(p, i, d, x);
      else if (i.kind == Kind::range) put_range(p, i, d, x.shape()[d]);
      else put_tensor(p, i, d);
      ++d, result += i.kind != Kind::integer;
    }
  }
  return p;
}

Tensor sliced(const Tensor& x, const Plan& p) {
  const auto all = [](const Ints& v, int64_t each) { return std::ranges::count(v, each) == std::ssize(v); };
  if (p.limit == x.shape() && all(p.start, 0) && all(p.strides, 1)) return x;
  return emit("slice", {&x}, {{"start", p.start}, {"limit", p.limit}, {"strides", p.strides}}, p.where);
}

// Negative indices count from the end.
Tensor wrapped(const Tensor& i, int64_t n) { return is_unsigned(i.dtype()) ? i : where(i < 0, i + n, i); }

// Dimensions d1 < d2 < … of x by index tensors; theirs stand at the first.
Tensor gathered(const Tensor& x, const std::vector<std::pair<int64_t, Tensor>>& by, OutOfBounds mode, Where where) {
  Shape shape;
  for (const auto& [d, t] : by) shape = tracing::broadcast_shape(shape, t.shape(), "index", where);
  std::vector<Tensor> parts;
  GatherDims dims;
  dims.mode = mode;
  dims.slice_sizes = x.shape();
  for (const auto& [d, t] : by) {
    const Tensor i = wrapped(tracing::converted(t, Dtype::int64, where), x.dim(d));
    parts.push_back(expand_dims(tracing::stretched(i, shape, where), -1));
    dims.collapsed.push_back(d), dims.start_map.push_back(d);
    dims.slice_sizes[static_cast<size_t>(d)] = 1;
  }
  const Tensor indices = concatenate(parts, -1),
               fill = tracing::number(mode == OutOfBounds::fill ? -1 : 0, x.dtype(), where);
  const int64_t first = by.front().first, batch = static_cast<int64_t>(shape.size());
  const int64_t rank = x.rank() - static_cast<int64_t>(by.size()) + batch;
  for (int64_t i = 0; i < rank; ++i)
    if (i < first || i >= first + batch) dims.offset_dims.push_back(i);
  Attrs attrs;
  dims.put(attrs);
  return emit("gather", {&x, &indices, &fill}, std::move(attrs), where);
}

Tensor indexed(const Tensor& x, const Plan& p, OutOfBounds mode) {
  Tensor t = sliced(x, p);
  // Tensors name dimensions of x; integers before them fall away first.
  const Ints kept = without(iota_ints(x.rank()), p.dropped);
  t = tracing::reshaped(t, without(t.shape(), p.dropped), p.where);
  Shape shape = t.shape();
  std::vector<std::pair<int64_t, Tensor>> by;
  for (const auto& [d, i] : p.tensors) by.emplace_back(std::ranges::find(kept, d) - kept.begin(), i);
  for (int64_t f : p.fresh) {
    shape.insert(shape.begin() + f, 1);
    for (auto& [d, i] : by) d += d >= f;
  }
  t = tracing::reshaped(t, shape, p.where);
  return by.empty() ? t : gathered(t, by, mode, p.where);
}

}  // namespace

Tensor index(const Tensor& x, const std::vector<Index>& indices) {
  const Plan p = plan(x, indices);
  const tracing::Line line(p.where);
  return indexed(x, p, OutOfBounds::clip);
}

Tensor Tensor::operator()(const Index& a) const { return index(*this, {a}); }
Tensor Tensor::operator()(const Index& a, const Index& b) const { return index(*this, {a, b}); }
Tensor Tensor::operator()(const Index& a, const Index& b, const Index& c) const { return index(*this, {a, b, c}); }
Tensor Tensor::operator()(const Index& a, const Index& b, const Index& c, const Index& d) const {
  return index(*this, {a, b, c, d});
}
At Tensor::at(const Index& a) const { return {*this, {a}}; }
At Tensor::at(const Index& a, const Index& b) const { return {*this, {a, b}}; }
At Tensor::at(const Index& a, const Index& b, const Index& c) const { return {*this, {a, b, c}}; }
At Tensor::at(const Index& a, const Index& b, const Index& c, const Index& d) const { return {*this, {a, b, c, d}}; }

namespace {

Tensor combined(std::string_view how, const Tensor& x, const Tensor& v) {
  if (how == "add") return x + v;
  if (how == "mul") return x * v;
  if (how == "min") return minimum(x, v);
  return how == "max" ? maximum(x, v) : v;
}

// A box without gaps: one slice is written over.
Tensor update_box(const Tensor& x, const Plan& p, std::string_view how, const Tensor& value) {
  const Tensor old = sliced(x, p);
  const Tensor v = combined(how, old, tracing::reshaped(value, old.shape(), p.where));
  std::vector<Tensor> starts;
  for (int64_t s : p.start) starts.push_back(tracing::number(s, Dtype::int64, p.where));
  std::vector<const Tensor*> in{&x, &v};
  for (const Tensor& s : starts) in.push_back(&s);
  return emit("dynamic_update_slice", in, {}, p.where);
}

}  // namespace

Tensor At::update(const char* combine, const Arg& v) const {
  const tracing::Line line(v.where);
  const Plan p = plan(x_, indices_);
  const bool box = p.plain() && std::ranges::all_of(p.strides, [](int64_t s) { return s == 1; });
  const Tensor places =
      box ? index(x_, indices_) : indexed(reshape(arange(x_.size(), Dtype::int64), x_.shape()), p, OutOfBounds::fill);
  const Tensor given = as_tensor(v, x_.dtype());
  if (tracing::broadcast_shape(given.shape(), places.shape(), "at", v.where) != places.shape())
    throw usage_at(v.where, fmt::format("[at] {} does not fit places of shape {}", to_string(given.type()),
                                        to_string(places.shape())));
  const Tensor value = tracing::stretched(given, places.shape(), v.where);
  if (x_.rank() == 0) return combined(combine, x_, value);
  if (box) return update_box(x_, p, combine, value);
  const Tensor flat = reshape(x_, {-1}), at = reshape(places, {-1, 1}), updates = reshape(value, {-1});
  GatherDims dims;
  dims.collapsed = dims.start_map = {0};
  dims.slice_sizes = {1};
  dims.mode = OutOfBounds::fill;
  Attrs attrs{{"combine", std::string(combine)}};
  dims.put(attrs);
  return reshape(emit("scatter", {&flat, &at, &updates}, std::move(attrs), v.where), x_.shape());
}

Tensor take(const Arg& x, const Arg& indices, int64_t axis) {
  const tracing::Line line(x.where);
  const Tensor t = as_tensor(x), i = as_tensor(indices);
  if (!is_integer(i.dtype()))
    throw usage_at(indices.where, fmt::format("[take] indices are {}, not integers: use convert(x, Dtype::int32)",
                                              to_string(i.type())));
  return gathered(t, {{tracing::axis_in(axis, t.rank(), "take", x.where), i}}, OutOfBounds::clip, x.where);
}

Tensor take_along(const Arg& x, const Arg& indices, int64_t axis) {
  const tracing::Line line(x.where);
  const Tensor t = as_tensor(x);
  Tensor i = as_tensor(indices);
  const int64_t a = tracing::axis_in(axis, t.rank(), "take_along", x.where);
  if (!is_integer(i.dtype()) || i.rank() != t.rank() ||
      without(i.shape(), std::array{a}) != without(t.shape(), std::array{a}))
    throw usage_at(indices.where, fmt::format("[take_along] indices {} do not fit {} along axis {}",
                                              to_string(i.type()), to_string(t.type()), a));
  i = expand_dims(wrapped(tracing::converted(i, Dtype::int64, x.where), t.dim(a)), -1);
  GatherDims dims;
  dims.mode = OutOfBounds::clip;
  dims.collapsed = dims.start_map = {a};
  dims.operand_batch = dims.indices_batch = without(iota_ints(t.rank()), std::array{a});
  dims.slice_sizes.assign(t.shape().size(), 1);
  Attrs attrs;
  dims.put(attrs);
  const Tensor fill = tracing::number(0, t.dtype(), x.where);
  return emit("gather", {&t, &i, &fill}, std::move(attrs), x.where);
}

Tensor one_hot(const Arg& indices, int64_t classes, Dtype d) {
  const tracing::Line line(indices.where);
  const Tensor i = as_tensor(indices);
  if (!is_integer(i.dtype()))
    throw usage_at(indices.where, fmt::format("[one_hot] indices are {}, not integers: use convert(x, Dtype::int32)",
                                              to_string(i.type())));
  return convert(expand_dims(tracing::converted(i, Dtype::int64, indices.where), -1) == arange(classes, Dtype::int64),
                 d);
}

}  // namespace viva
