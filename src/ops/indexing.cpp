// dynamic_slice and dynamic_update_slice: one slice whose start is data, moved inside where it does not fit.
#include <algorithm>
#include <array>

#include "loops/lowered.h"
#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/indexing.h"

namespace viva {
namespace {

// The operands from `first` on: a scalar integer for each dimension.
void require_starts(const Infer::Site& s, size_t first) {
  require(s.in.size() >= first, "takes at least {} operands, not {}", first, s.in.size());
  const int64_t rank = s.in[0].rank();
  require(s.in.size() == first + s.in[0].shape.size(), "{} starts for {} dimensions", s.in.size() - first, rank);
  for (const Type& t : s.in.subspan(first))
    require(is_integer(t.dtype) && t.rank() == 0, "a start is an integer scalar, not {}", spelled(t));
}

void require_fit(const Shape& slice, const Type& x) {
  require(slice.size() == x.shape.size(), "a slice of {} has another rank than {}", spelled(slice), spelled(x));
  for (size_t i = 0; i < slice.size(); ++i)
    require(slice[i] >= 0 && slice[i] <= x.shape[i], "a slice of {} does not fit in {}", spelled(slice), spelled(x));
}

std::vector<Type> infer_slice(const Infer::Site& s) {
  require_starts(s, 1);
  const Ints& sizes = s.attrs.ints("sizes");
  require_fit(sizes, s.in[0]);
  return {{s.in[0].dtype, sizes}};
}

std::vector<Type> infer_update(const Infer::Site& s) {
  require_starts(s, 2);
  require(s.in[1].dtype == s.in[0].dtype, "an update of {} into {}", spelled(s.in[1]), spelled(s.in[0]));
  require_fit(s.in[1].shape, s.in[0]);
  return {s.in[0]};
}

// The element of x at which a slice begins.
int64_t origin(std::span<const Array> starts, const Shape& x, const Shape& slice) {
  const Ints strides = row_major(x);
  int64_t at = 0;
  for (size_t i = 0; i < x.size(); ++i)
    at += std::clamp<int64_t>(saturated_indices(starts[i])[0], 0, x[i] - slice[i]) * strides[i];
  return at;
}

std::vector<Array> eval_slice(const Node& n, std::span<const Array> in, Evaluator&) {
  const int64_t first = origin(in.subspan(1), in[0].shape(), n.types[0].shape);
  const Ints from = row_major(in[0].shape());
  return {moved_elements(n.types[0], in[0], [&](const Ints& i) { return first + flat_index(i, from); })};
}

std::vector<Array> eval_update(const Node& n, std::span<const Array> in, Evaluator&) {
  const Array& update = in[1];
  const int64_t first = origin(in.subspan(2), in[0].shape(), update.shape());
  const Ints to = row_major(in[0].shape());
  Array out = moved_elements(n.types[0], in[0], [&](const Ints& i) { return flat_index(i, to); });
  for_each_index(update.shape(),
                 [&](const Ints& i, int64_t from) { copy_element(out, first + flat_index(i, to), update, from); });
  return {out};
}

Values values(Ins in) { return {in.begin(), in.end()}; }

Values jvp_slice(Build& b, const Node& n, Ins in, Ins, Ins t, Transforms&) {
  Values args = values(in);
  args[0] = t[0];
  return b.repeat(n, std::move(args));
}

Values jvp_update(Build& b, const Node& n, Ins in, Ins, Ins t, Transforms&) {
  Values args = values(in);
  for (size_t i = 0; i < 2; ++i) args[i] = t[i] ? t[i] : b.zero(in[i]);
  return b.repeat(n, std::move(args));
}

void transpose_slice(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> result, Transforms&) {
  result[0] = b.dynamic_update_slice(b.full(n.in[0].type(), 0), ct[0], values(in.subspan(1)));
}

void transpose_update(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> result, Transforms&) {
  const Type& update = n.in[1].type();
  const Values starts = values(in.subspan(2));
  if (!in[0]) result[0] = b.dynamic_update_slice(ct[0], b.full(update, 0), starts);
  if (!in[1]) result[1] = b.dynamic_slice(ct[0], starts, update.shape);
}

bool any_batched(std::span<const int> axis) {
  return std::ranges::any_of(axis, [](int a) { return a >= 0; });
}

// Scalar or batched starts as index vectors [n, rank], of a dtype that holds them all.
Value index_vectors(Build& b, Ins starts, std::span<const int> axis, int64_t n) {
  const Dtype first = starts[0].dtype();
  const bool alike = std::ranges::all_of(starts, [&](Value v) { return v.dtype() == first; });
  Values columns;
  for (size_t i = 0; i < starts.size(); ++i) {
    Value v = starts[i];
    if (!alike) {  // a uint64 beyond int64 must stay beyond every extent
      if (v.dtype() == Dtype::uint64) v = b.min(v, b.full_like(v, 0x1p62));
      v = b.convert(v, Dtype::int64);
    }
    columns.push_back(b.reshape(batched_front(b, v, axis[i], n), {n, 1}));
  }
  return b.concatenate(std::move(columns), 1);
}

// A gather (of shared x) or scatter with one slice an index row.
GatherDims one_slice(const Shape& slice) {
  const auto rank = static_cast<int64_t>(slice.size());
  return {iota_ints(rank, 1), {}, {}, {}, iota_ints(rank), slice, OutOfBounds::clip};
}
// The same where x has the batch at dimension 0 too.
GatherDims one_slice_of_each(const Shape& slice) {
  const auto rank = static_cast<int64_t>(slice.size());
  return {iota_ints(rank, 1), {}, {0}, {0}, iota_ints(rank, 1), inserted(slice, 0, 1), OutOfBounds::clip};
}

// Operands with the batch at dimension 0 of the first `arrays`, and a start of 0 along it.
Values with_leading_start(Build& b, Values arrays, Ins starts) {
  arrays.push_back(b.scalar(Dtype::int32, 0));
  arrays.insert(arrays.end(), starts.begin(), starts.end());
  return arrays;
}

Values batch_slice(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
                   Transforms&) {
  const Ints& sizes = n.attrs.ints("sizes");
  out_axis[0] = 0;
  const Value x = axis[0] < 0 ? in[0] : b.move_axis(in[0], axis[0], 0);
  if (!any_batched(axis.subspan(1)))
    return b.emit(*n.op, with_leading_start(b, {x}, in.subspan(1)), {{"sizes", inserted(sizes, 0, size)}});
  const Value indices = index_vectors(b, in.subspan(1), axis.subspan(1), size);
  const Value unused = b.scalar(x.dtype(), 0);
  return {b.gather(x, indices, unused, axis[0] < 0 ? one_slice(sizes) : one_slice_of_each(sizes))};
}

Values batch_update(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
                    Transforms&) {
  out_axis[0] = 0;
  const Value x = batched_front(b, in[0], axis[0], size), update = batched_front(b, in[1], axis[1], size);
  if (!any_batched(axis.subspan(2))) return b.emit(*n.op, with_leading_start(b, {x, update}, in.subspan(2)));
  const Value indices = index_vectors(b, in.subspan(2), axis.subspan(2), size);
  return {b.scatter(x, indices, update, Combine::set, one_slice_of_each(n.in[1].shape()))};
}

// Registers of the clipped starts, of operands from `first` on.
std::vector<loops::Register> clipped_starts(loops::Nest& nest, int first, const Shape& x, const Shape& slice) {
  std::vector<loops::Register> starts;
  for (size_t i = 0; i < x.size(); ++i)
    starts.push_back(nest.clip(nest.load(first + static_cast<int>(i), {}), 0, x[i] - slice[i]));
  return starts;
}

Lowered lower_slice(const Node& n) {
  const Shape& slice = n.types[0].shape;
  loops::Nest nest = loops::elementwise(slice, types_of(n.in));
  const auto starts = clipped_starts(nest, 1, n.in[0].shape(), slice);
  std::vector<loops::Index> at;
  for (size_t i = 0; i < slice.size(); ++i) {
    at.push_back(nest.at(static_cast<int>(i)));
    at.back().terms.push_back({starts[i], 1});
  }
  nest.store(nest.load(0, std::move(at)));
  return {std::move(nest)};
}

Lowered lower_update(const Node& n) {
  const Shape &x = n.types[0].shape, &update = n.in[1].shape();
  loops::Nest nest = loops::elementwise(x, types_of(n.in));
  const auto starts = clipped_starts(nest, 2, x, update);
  std::vector<loops::Index> at;
  std::vector<loops::Condition> conditions;
  for (size_t i = 0; i < x.size(); ++i) {
    at.push_back(nest.at(static_cast<int>(i)));
    at.back().terms.push_back({starts[i], -1});
    conditions.push_back({at.back(), update[i]});
  }
  const loops::Register updated = nest.inside(std::move(conditions));
  const loops::Register u = nest.load(1, std::move(at));
  nest.store(nest.select(updated, u, nest.load(0)));
  return {std::move(nest)};
}

Values simplify_slice(Build& b, const Node& n, Ins in) {
  const Shape &x = in[0].shape(), &sizes = n.types[0].shape;
  if (sizes == x) return {in[0]};
  Ints from, to;
  for (size_t i = 0; i < x.size(); ++i) {
    const auto start = x[i] == sizes[i] ? std::optional(0.0) : splat_value(in[i + 1]);
    if (!start) return {};
    from.push_back(static_cast<int64_t>(std::clamp(*start, 0.0, static_cast<double>(x[i] - sizes[i]))));
    to.push_back(from.back() + sizes[i]);
  }
  return {b.slice(in[0], std::move(from), std::move(to))};
}

Values simplify_update(Build&, const Node& n, Ins in) {
  if (numel(in[1].shape()) == 0) return {in[0]};
  return in[1].type() == n.types[0] ? Values{in[1]} : Values{};
}

struct Case {
  std::string label;
  Shape x, slice;
  std::vector<Array> starts;
};

std::vector<Case> cases() {
  const auto i32 = [](int v) { return Array::scalar<int32_t>(v); };
  return {{"inside", {4, 5}, {2, 3}, {i32(1), i32(2)}},
          {"beyond the end", {4, 5}, {2, 3}, {i32(3), Array::scalar<uint64_t>(~uint64_t{0})}},
          {"before the beginning", {4, 5}, {2, 3}, {Array::scalar<int8_t>(-7), Array::scalar<int64_t>(1)}},
          {"whole", {2, 3}, {2, 3}, {i32(1), i32(0)}},
          {"empty slice", {2, 3}, {0, 2}, {i32(1), i32(1)}},
          {"empty operand", {0, 3}, {0, 2}, {i32(1), i32(1)}},
          {"scalar", {}, {}, {}}};
}

std::vector<Sample> samples_slice() {
  std::vector<Sample> all;
  for (const Case& c : cases()) {
    Mask linear(c.starts.size() + 1, false);
    linear[0] = true;
    Sample s{c.label, {sample_floats(c.x, -2, 2, 1)}, {{"sizes", c.slice}}, {}, {linear}};
    s.in.insert(s.in.end(), c.starts.begin(), c.starts.end());
    all.push_back(s);
    s.label += ", u16", s.linear = {}, s.in[0] = sample_ints(c.x, 0, 999, 1, Dtype::uint16);
    all.push_back(std::move(s));
  }
  return all;
}

std::vector<Sample> samples_update() {
  std::vector<Sample> all;
  for (const Case& c : cases()) {
    Mask both(c.starts.size() + 2, false);
    both[0] = both[1] = true;
    Sample s{c.label, {sample_floats(c.x, -2, 2, 1), sample_floats(c.slice, -2, 2, 2)}, {}, {}, {both}};
    s.in.insert(s.in.end(), c.starts.begin(), c.starts.end());
    all.push_back(s);
    s.label += ", bool", s.linear = {};
    s.in[0] = sample_ints(c.x, 0, 1, 1, Dtype::boolean), s.in[1] = sample_ints(c.slice, 0, 1, 2, Dtype::boolean);
    all.push_back(std::move(s));
  }
  return all;
}

constexpr OpDef dynamic_slice_record = {
    .name = "dynamic_slice",
    .family = "indexing",
    .doc = "the slice of x at starts that are data, moved inside where it does not fit",
    .attributes = "sizes",
    .infer = infer_slice,
    .eval = eval_slice,
    .jvp = jvp_slice,
    .split = plain_split,
    .transpose = transpose_slice,
    .batch = batch_slice,
    .lower = lower_slice,
    .prune = plain_prune,
    .bound = bounds::dynamic_slice,
    .simplify = simplify_slice,
    .samples = samples_slice,
};
constexpr OpDef dynamic_update_slice_record = {
    .name = "dynamic_update_slice",
    .family = "indexing",
    .doc = "x with a slice replaced at starts that are data, moved inside where it does not fit",
    .infer = infer_update,
    .eval = eval_update,
    .jvp = jvp_update,
    .split = plain_split,
    .transpose = transpose_update,
    .batch = batch_update,
    .lower = lower_update,
    .prune = plain_prune,
    .bound = bounds::dynamic_update_slice,
    .simplify = simplify_update,
    .samples = samples_update,
};

constexpr std::array records = {
    &dynamic_slice_record,
    &dynamic_update_slice_record,
};

}  // namespace

constinit const OpList ops::indexing = records;

}  // namespace viva
