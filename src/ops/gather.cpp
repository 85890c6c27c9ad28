// gather: slices of an operand at starts that are data, with batch dimensions on both sides.
#include <array>
#include <limits>

#include "loops/lowered.h"
#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/indexing.h"
#include "ops/pointwise.h"

namespace viva {
namespace {

void check_operand_dims(const GatherDims& d, const Shape& operand) {
  const auto rank = static_cast<int64_t>(operand.size());
  require_sorted_dims(d.collapsed, rank, "collapsed dimension");
  require_dims(d.operand_batch, rank, "operand batch dimension");
  require_dims(d.start_map, rank, "start dimension");
  require(d.slice_sizes.size() == operand.size(), "slice sizes {} are not one for each dimension of {}",
          spelled(d.slice_sizes), spelled(operand));
  for (int64_t i = 0; i < rank; ++i) {
    const bool batch = contains(d.operand_batch, i), collapsed = contains(d.collapsed, i);
    const int64_t size = d.slice_sizes[static_cast<size_t>(i)], extent = operand[static_cast<size_t>(i)];
    require(!batch || (!collapsed && !contains(d.start_map, i)), "dimension {} is a batch and something else", i);
    require(!(batch || collapsed) || size == 1, "dimension {} is dropped at slice size {}", i, size);
    require(size >= 0 && (batch || size <= extent), "a slice of {} does not fit in extent {}", size, extent);
  }
}

void check_indices_dims(const GatherDims& d, const Shape& operand, const Type& indices) {
  require(is_integer(indices.dtype) && indices.rank() >= 1, "indices are integers of rank 1 or more, not {}",
          spelled(indices));
  require(indices.shape.back() == static_cast<int64_t>(d.start_map.size()),
          "index vectors of {} components for {} start dimensions", indices.shape.back(), d.start_map.size());
  require_dims(d.indices_batch, indices.rank() - 1, "indices batch dimension");
  require(d.operand_batch.size() == d.indices_batch.size(), "{} operand and {} indices batch dimensions",
          d.operand_batch.size(), d.indices_batch.size());
  for (size_t i = 0; i < d.operand_batch.size(); ++i) {
    const int64_t x = operand[static_cast<size_t>(d.operand_batch[i])],
                  y = indices.shape[static_cast<size_t>(d.indices_batch[i])];
    require(x == y, "batch dimensions of extents {} and {}", x, y);
  }
}

}  // namespace

IndexMap::IndexMap(GatherDims d, const Type& operand_type, const Type& indices_type)
    : dims(std::move(d)), operand(operand_type.shape), indices(indices_type.shape) {
  check_operand_dims(dims, operand);
  check_indices_dims(dims, operand, indices_type);
  const size_t offsets = operand.size() - dims.collapsed.size() - dims.operand_batch.size();
  require(dims.offset_dims.size() == offsets, "{} offset dimensions for slices of {}", dims.offset_dims.size(),
          offsets);
  const auto rank = static_cast<int64_t>(offsets + indices.size() - 1);
  require_sorted_dims(dims.offset_dims, rank, "offset dimension");
  batch_dims = without(iota_ints(rank), dims.offset_dims);
  result.resize(static_cast<size_t>(rank));
  for (size_t i = 0; i < batch_dims.size(); ++i) result[static_cast<size_t>(batch_dims[i])] = indices[i];
  size_t next = 0;
  for (size_t i = 0; i < operand.size(); ++i) {
    const auto dim = static_cast<int64_t>(i);
    const bool kept = !contains(dims.collapsed, dim) && !contains(dims.operand_batch, dim);
    offset_dim.push_back(kept ? dims.offset_dims[next++] : -1);
    if (kept) result[static_cast<size_t>(offset_dim.back())] = dims.slice_sizes[i];
  }
}

std::vector<int64_t> saturated_indices(const Array& indices) {
  std::vector<int64_t> out;
  dispatch(indices.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (Integers::has<T>)
      for (T v : indices.as<T>())
        out.push_back(std::cmp_greater(v, std::numeric_limits<int64_t>::max()) ? std::numeric_limits<int64_t>::max()
                                                                               : static_cast<int64_t>(v));
  });
  return out;
}

GatherDims with_operand_axis(const GatherDims& d, int64_t n) {
  return {joined({0}, shifted(d.offset_dims, 0)),
          shifted(d.collapsed, 0),
          shifted(d.operand_batch, 0),
          d.indices_batch,
          shifted(d.start_map, 0),
          inserted(d.slice_sizes, 0, n),
          d.mode};
}

GatherDims with_indices_axis(const GatherDims& d) {
  GatherDims r = d;
  r.offset_dims = shifted(d.offset_dims, 0), r.indices_batch = shifted(d.indices_batch, 0);
  return r;
}

GatherDims with_both_axes(const GatherDims& d) {
  return {shifted(d.offset_dims, 0),
          shifted(d.collapsed, 0),
          joined({0}, shifted(d.operand_batch, 0)),
          joined({0}, shifted(d.indices_batch, 0)),
          shifted(d.start_map, 0),
          inserted(d.slice_sizes, 0, 1),
          d.mode};
}

MatchAccess match_access(loops::Nest& nest, const IndexMap& m, int indices_slot) {
  MatchAccess access;
  std::vector<loops::Range> ranges;
  for (size_t d = 0; d < m.operand.size(); ++d)
    access.at.push_back(m.offset_dim[d] >= 0 ? nest.at(static_cast<int>(m.offset_dim[d])) : loops::Index{});
  for (size_t i = 0; i < m.dims.operand_batch.size(); ++i) {
    const int64_t loop = m.batch_dims[static_cast<size_t>(m.dims.indices_batch[i])];
    access.at[static_cast<size_t>(m.dims.operand_batch[i])] = nest.at(static_cast<int>(loop));
  }
  for (size_t c = 0; c < m.dims.start_map.size(); ++c) {
    std::vector<loops::Index> row;
    for (int64_t loop : m.batch_dims) row.push_back(nest.at(static_cast<int>(loop)));
    row.push_back({.offset = static_cast<int64_t>(c)});
    const loops::Register start = nest.load(indices_slot, std::move(row));
    ranges.push_back({start, 0, m.last_start(c)});
    access.at[static_cast<size_t>(m.dims.start_map[c])].terms.push_back({nest.clip(start, 0, m.last_start(c)), 1});
  }
  if (m.dims.mode == OutOfBounds::fill && !ranges.empty()) access.fits = nest.inside({}, std::move(ranges));
  return access;
}

namespace {

std::vector<Type> infer(const Infer::Site& s) {
  require_operands(s, 3);
  require(s.in[2] == Type{s.in[0].dtype, {}}, "the fill value is {}, not a scalar like {}", spelled(s.in[2]),
          spelled(s.in[0]));
  return {{s.in[0].dtype, IndexMap(GatherDims::from(s.attrs), s.in[0], s.in[1]).result}};
}

std::vector<Array> eval(const Node& n, std::span<const Array> in, Evaluator&) {
  Array out = Array::make(n.types[0]);
  for_each_match(IndexMap(n), in[1], [&](int64_t at, int64_t from) {
    copy_element(out, at, from < 0 ? in[2] : in[0], std::max<int64_t>(from, 0));
  });
  return {out};
}

Value zero_fill(Build& b, const Node& n) { return b.scalar(n.types[0].dtype, 0); }

Values jvp(Build& b, const Node& n, Ins in, Ins, Ins t, Transforms&) {
  return b.repeat(n, {t[0] ? t[0] : b.zero(in[0]), in[1], t[2] ? t[2] : zero_fill(b, n)});
}

// True where a gather with these numbers reads its operand and not the fill value.
Value reads_operand(Build& b, const Shape& operand, Value indices, const GatherDims& d) {
  const Value all = b.full({Dtype::boolean, operand}, 1);
  return b.gather(all, indices, b.scalar(Dtype::boolean, 0), d);
}

void transpose_gather(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> result, Transforms&) {
  const GatherDims d = GatherDims::from(n.attrs);
  if (!in[0]) result[0] = b.scatter(b.full(n.in[0].type(), 0), in[1], ct[0], Combine::add, d);
  if (in[2] || d.mode == OutOfBounds::clip) return;
  const Value inside = reads_operand(b, n.in[0].shape(), in[1], d);
  result[2] = b.reduce_sum(b.select(inside, b.zero(ct[0]), ct[0]), iota_ints(ct[0].rank()));
}

Values batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
             Transforms&) {
  const GatherDims d = GatherDims::from(n.attrs);
  const bool fills = d.mode == OutOfBounds::fill && axis[2] >= 0;
  const Value fill = axis[2] >= 0 ? zero_fill(b, n) : in[2];
  const Value x = axis[0] < 0 ? in[0] : b.move_axis(in[0], axis[0], 0);
  const Value indices = axis[1] < 0 ? in[1] : b.move_axis(in[1], axis[1], 0);
  const GatherDims both = axis[0] >= 0 && axis[1] >= 0 ? with_both_axes(d)
                          : axis[0] >= 0               ? with_operand_axis(d, size)
                          : axis[1] >= 0               ? with_indices_axis(d)
                                                       : d;
  const bool batched = axis[0] >= 0 || axis[1] >= 0;
  Value r = b.gather(x, indices, fill, both);
  out_axis[0] = 0;
  if (!batched) r = batched_front(b, r, -1, size);
  if (!fills) return {r};
  // A fill value for each entry of the batch: read zeros outside, then choose by what was read.
  Value inside = reads_operand(b, n.in[0].shape(), indices, axis[1] >= 0 ? with_indices_axis(d) : d);
  if (axis[1] < 0) inside = batched_front(b, inside, -1, size);
  return {b.select(inside, r, b.broadcast(in[2], r.shape(), {0}))};
}

Lowered lower(const Node& n) {
  const IndexMap m(n);
  loops::Nest nest = loops::elementwise(m.result, types_of(n.in));
  MatchAccess access = match_access(nest, m, 1);
  const loops::Register x = nest.load(0, std::move(access.at));
  nest.store(access.fits == loops::no_register ? x : nest.select(access.fits, x, nest.load(2, {})));
  return {std::move(nest)};
}

Values simplify(Build& b, const Node& n, Ins) {
  return numel(n.types[0].shape) == 0 ? Values{b.full(n.types[0], 0)} : Values{};
}

Sample sample(std::string label, Array x, Array indices, const GatherDims& d) {
  const bool smooth = has_tangent(x.dtype());
  Array fill = Array::full({x.dtype(), {}}, smooth ? 0.75 : 1);
  Sample s{std::move(label), {std::move(x), std::move(indices), std::move(fill)}, {}, {}};
  if (smooth) s.linear = {{true, false, true}};
  d.put(s.attrs);
  return s;
}

std::vector<Sample> samples() {
  std::vector<Sample> all;
  const Array x = sample_floats({4, 3}, -2, 2, 1);
  for (OutOfBounds mode : {OutOfBounds::fill, OutOfBounds::clip}) {
    const std::string m = mode == OutOfBounds::fill ? "fill, " : "clip, ";
    all.push_back(sample(m + "rows, some outside", x, Array::of<int64_t>({2, -1, 4, 2, 0}, {5, 1}),
                         {{1}, {0}, {}, {}, {0}, {1, 3}, mode}));
    all.push_back(sample(m + "windows", x, Array::of<int32_t>({2, 0, 3, 1, 0, 2, 1, 1}, {2, 2, 2}),
                         {{0, 3}, {}, {}, {}, {1, 0}, {2, 2}, mode}));
    all.push_back(sample(m + "elements of unsigned index", sample_ints({3, 2}, -9, 9, 1),
                         Array::of<uint64_t>({1, 1, ~uint64_t{0}, 0}, {2, 2}),
                         {{}, {0, 1}, {}, {}, {0, 1}, {1, 1}, mode}));
    all.push_back(sample(m + "batches", sample_floats({3, 2, 4}, -2, 2, 1),
                         Array::of<int8_t>({0, 3, 1, 2, 4, -2, 0, 1, 1, 1, 3, 3}, {2, 3, 2, 1}),
                         {{3}, {}, {0, 1}, {1, 0}, {2}, {1, 1, 2}, mode}));
    all.push_back(sample(m + "c128", sample_complex({4, 2}, -2, 2, 2), Array::of<int64_t>({2, -1, 4}, {3, 1}),
                         {{1}, {0}, {}, {}, {0}, {1, 2}, mode}));
    all.push_back(
        sample(m + "no index rows", x, Array::zeros({Dtype::int32, {0, 1}}), {{1}, {0}, {}, {}, {0}, {1, 3}, mode}));
    all.push_back(sample(m + "empty index vector", x, Array::zeros({Dtype::int32, {2, 0}}),
                         {{0, 1}, {}, {}, {}, {}, {2, 2}, mode}));
    all.push_back(sample(m + "scalar", sample_floats({}, -2, 2, 1), Array::zeros({Dtype::int32, {2, 0}}),
                         {{}, {}, {}, {}, {}, {}, mode}));
  }
  return all;
}

constexpr OpDef gather_record = {
    .name = "gather",
    .family = "indexing",
    .doc =
        "slices of x at the starts in indices; a slice that does not fit is moved inside (clip) or is the fill value",
    .attributes =
        "offset_dims collapsed operand_batch indices_batch start_map "
        "slice_sizes mode",
    .infer = infer,
    .eval = eval,
    .jvp = jvp,
    .split = plain_split,
    .transpose = transpose_gather,
    .batch = batch,
    .lower = lower,
    .prune = plain_prune,
    .bound = bounds::gather,
    .simplify = simplify,
    .samples = samples,
};

constexpr std::array records = {
    &gather_record,
};

}  // namespace

constinit const OpList ops::gather = records;

}  // namespace viva
