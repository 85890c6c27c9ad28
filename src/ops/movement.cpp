// Operations that give elements another shape: broadcast, reshape, transpose.
#include <algorithm>
#include <array>

#include "loops/lowered.h"
#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/movement.h"
#include "ops/reference.h"

namespace viva {
namespace {

// broadcast

std::vector<Type> broadcast_infer(const Infer::Site& s) {
  require_operands(s, 1);
  const Shape& shape = s.attrs.ints("shape");
  const Ints& dims = s.attrs.ints("dims");
  require(static_cast<int64_t>(dims.size()) == s.in[0].rank(), "dims {} do not number the dimensions of {}",
          spelled(dims), spelled(s.in[0]));
  require_sorted_dims(dims, static_cast<int64_t>(shape.size()), "dim");
  for (size_t i = 0; i < dims.size(); ++i) {
    const int64_t from = s.in[0].shape[i], to = shape[static_cast<size_t>(dims[i])];
    require(from == to || from == 1, "{} does not stretch to {} at dimension {}", spelled(s.in[0]), spelled(shape), i);
  }
  return {{s.in[0].dtype, shape}};
}

std::vector<Array> broadcast_eval(const Node& n, std::span<const Array> in, Evaluator&) {
  const Ints &dims = n.attrs.ints("dims"), strides = row_major(in[0].shape());
  return {moved_elements(n.types[0], in[0], [&](const Ints& i) {
    int64_t from = 0;
    for (size_t d = 0; d < dims.size(); ++d)
      from += in[0].shape()[d] == 1 ? 0 : i[static_cast<size_t>(dims[d])] * strides[d];
    return from;
  })};
}

void broadcast_transpose(Build& b, const Node& n, Ins, Ins ct, std::span<Value> r, Transforms&) {
  const Shape& from = n.in[0].shape();
  const Ints& dims = n.attrs.ints("dims");
  Ints summed;
  for (int64_t d = 0; d < n.types[0].rank(); ++d) {
    const auto it = std::ranges::find(dims, d);
    if (it == dims.end() || from[static_cast<size_t>(it - dims.begin())] != n.types[0].shape[static_cast<size_t>(d)])
      summed.push_back(d);
  }
  r[0] = b.reshape(summed.empty() ? ct[0] : b.reduce_sum(ct[0], summed), from);
}

Values broadcast_batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size,
                       std::span<int> out_axis, Transforms&) {
  const Ints& dims = n.attrs.ints("dims");
  out_axis[0] = 0;
  return {b.broadcast(batched_front(b, in[0], axis[0], size), inserted(n.attrs.ints("shape"), 0, size),
                      inserted(shifted(dims, 0), 0, 0))};
}

Lowered broadcast_lower(const Node& n) {
  const Ints& dims = n.attrs.ints("dims");
  std::vector<loops::Index> at;
  for (size_t d = 0; d < dims.size(); ++d) at.push_back(along(n, dims[d], n.in[0].shape()[d] == 1 ? 0 : 1));
  return load_at(n, std::move(at));
}

Values broadcast_simplify(Build& b, const Node& n, Ins in) {
  const Ints& dims = n.attrs.ints("dims");
  if (in[0].shape() == n.types[0].shape) return {in[0]};
  const Node* inner = in[0].node();
  if (!inner->op || inner->op->name != "broadcast") return {};
  return {b.broadcast(inner->in[0], n.types[0].shape, permute(dims, inner->attrs.ints("dims")))};
}

std::vector<Sample> broadcast_samples() {
  return {sample_of("new dimensions", sample_floats({3}, -2, 2, 0), {{"shape", Ints{2, 3, 2}}, {"dims", Ints{1}}}),
          sample_of("stretch", sample_floats({1, 3}, -2, 2, 0), {{"shape", Ints{2, 3}}, {"dims", Ints{0, 1}}}),
          sample_of("as it is", sample_floats({3, 2}, -2, 2, 0), {{"shape", Ints{3, 2}}, {"dims", Ints{0, 1}}}),
          sample_of("scalar", sample_floats({}, -2, 2, 0), {{"shape", Ints{4}}, {"dims", Ints{}}}),
          sample_of("to nothing", sample_floats({1}, -2, 2, 0), {{"shape", Ints{0, 2}}, {"dims", Ints{0}}}),
          sample_of("i32", sample_ints({2}, -9, 9, 0), {{"shape", Ints{2, 3}}, {"dims", Ints{0}}})};
}

// reshape

std::vector<Type> reshape_infer(const Infer::Site& s) {
  require_operands(s, 1);
  const Shape& shape = s.attrs.ints("shape");
  require(numel(shape) == numel(s.in[0].shape), "{} does not have the elements of {}", spelled(s.in[0]),
          spelled(shape));
  return {{s.in[0].dtype, shape}};
}

std::vector<Array> reshape_eval(const Node& n, std::span<const Array> in, Evaluator&) {
  return {in[0].reshaped(n.types[0].shape)};
}

void reshape_transpose(Build& b, const Node& n, Ins, Ins ct, std::span<Value> r, Transforms&) {
  r[0] = b.reshape(ct[0], n.in[0].shape());
}

Values reshape_batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
                     Transforms&) {
  out_axis[0] = 0;
  return {b.reshape(batched_front(b, in[0], axis[0], size), inserted(n.types[0].shape, 0, size))};
}

// Extents whose runs multiply to both shapes, or nothing where the two cut at positions that do not nest.
std::optional<Ints> common_refinement(const Shape& a, const Shape& c) {
  Ints parts;
  size_t i = 0, j = 0;
  int64_t left_a = 1, left_c = 1;
  while (i < a.size() || j < c.size() || left_a > 1 || left_c > 1) {
    if (left_a == 1 && i < a.size()) left_a = a[i++];
    if (left_c == 1 && j < c.size()) left_c = c[j++];
    const int64_t part = left_a == 1 || left_c == 1 ? 1 : std::min(left_a, left_c);
    if (part == 1) {
      if ((left_a > 1 && j == c.size()) || (left_c > 1 && i == a.size())) return std::nullopt;
      continue;
    }
    if (left_a % part || left_c % part) return std::nullopt;
    left_a /= part, left_c /= part;
    parts.push_back(part);
  }
  return parts;
}

// The loops are the common refinement, so that fusing can see through the reshape; the result is dense in any case.
Lowered reshape_lower(const Node& n) {
  const Shape& from = n.in[0].shape();
  const auto parts = numel(from) == 0 ? std::nullopt : common_refinement(from, n.types[0].shape);
  if (!parts) {
    const Shape flat{numel(from)};
    loops::Nest nest = loops::elementwise(flat, {{n.in[0].dtype(), flat}});
    nest.store(nest.load(0));
    return {std::move(nest)};
  }
  loops::Nest nest = loops::elementwise(*parts, types_of(n.in));
  std::vector<loops::Index> at;
  size_t loop = 0;
  for (int64_t extent : from) {
    loops::Index index{.coefficients = Ints(parts->size(), 0)};
    for (int64_t rest = extent; rest > 1; ++loop) {
      rest /= (*parts)[loop];
      index.coefficients[loop] = rest;
    }
    at.push_back(std::move(index));
  }
  nest.store(nest.load(0, std::move(at)));
  return {std::move(nest)};
}

Values reshape_simplify(Build& b, const Node& n, Ins in) {
  if (in[0].shape() == n.types[0].shape) return {in[0]};
  const Node* inner = in[0].node();
  if (!inner->op || inner->op->name != "reshape") return {};
  return {b.reshape(inner->in[0], n.types[0].shape)};
}

std::vector<Sample> reshape_samples() {
  return {sample_of("merge", sample_floats({2, 3, 2}, -2, 2, 0), {{"shape", Ints{6, 2}}}),
          sample_of("recut", sample_floats({2, 3}, -2, 2, 0), {{"shape", Ints{3, 2}}}),
          sample_of("ones", sample_floats({2, 1, 3}, -2, 2, 0), {{"shape", Ints{1, 2, 3, 1}}}),
          sample_of("scalar", sample_floats({1, 1}, -2, 2, 0), {{"shape", Ints{}}}),
          sample_of("empty", sample_floats({0, 3}, -2, 2, 0), {{"shape", Ints{3, 0, 2}}}),
          sample_of("u8", sample_ints({4}, 0, 9, 0, Dtype::uint8), {{"shape", Ints{2, 2}}})};
}

// transpose

std::vector<Type> transpose_infer(const Infer::Site& s) {
  require_operands(s, 1);
  const Ints& p = s.attrs.ints("permutation");
  require(static_cast<int64_t>(p.size()) == s.in[0].rank(), "permutation {} does not fit {}", spelled(p),
          spelled(s.in[0]));
  require_dims(p, s.in[0].rank(), "dimension");
  return {{s.in[0].dtype, permute(s.in[0].shape, p)}};
}

std::vector<Array> transpose_eval(const Node& n, std::span<const Array> in, Evaluator&) {
  const Ints strides = permute(row_major(in[0].shape()), n.attrs.ints("permutation"));
  return {moved_elements(n.types[0], in[0], [&](const Ints& i) { return flat_index(i, strides); })};
}

void transpose_transpose(Build& b, const Node& n, Ins, Ins ct, std::span<Value> r, Transforms&) {
  r[0] = b.transpose(ct[0], inverse_permutation(n.attrs.ints("permutation")));
}

Values transpose_batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t, std::span<int> out_axis,
                       Transforms&) {
  out_axis[0] = 0;
  return {b.transpose(in[0], inserted(shifted(n.attrs.ints("permutation"), axis[0]), 0, axis[0]))};
}

Lowered transpose_lower(const Node& n) {
  std::vector<loops::Index> at;
  for (int64_t loop : inverse_permutation(n.attrs.ints("permutation"))) at.push_back(along(n, loop));
  return load_at(n, std::move(at));
}

Values transpose_simplify(Build& b, const Node& n, Ins in) {
  const Ints& p = n.attrs.ints("permutation");
  if (p == iota_ints(n.types[0].rank())) return {in[0]};
  const Node* inner = in[0].node();
  if (!inner->op || inner->op->name != "transpose") return {};
  return {b.transpose(inner->in[0], permute(inner->attrs.ints("permutation"), p))};
}

std::vector<Sample> transpose_samples() {
  return {sample_of("rank 3", sample_floats({2, 3, 4}, -2, 2, 0), {{"permutation", Ints{2, 0, 1}}}),
          sample_of("matrix", sample_floats({2, 3}, -2, 2, 0), {{"permutation", Ints{1, 0}}}),
          sample_of("empty", sample_floats({0, 3}, -2, 2, 0), {{"permutation", Ints{1, 0}}}),
          sample_of("bool", sample_ints({2, 2}, 0, 1, 0, Dtype::boolean), {{"permutation", Ints{1, 0}}})};
}

constexpr OpDef broadcast_record = {
    .name = "broadcast",
    .family = "movement",
    .doc = "dimension i becomes dimension dims[i] of a larger shape; an extent of 1 stretches",
    .attributes = "shape dims",
    .infer = broadcast_infer,
    .eval = broadcast_eval,
    .jvp = jvp_again,
    .split = plain_split,
    .transpose = broadcast_transpose,
    .batch = broadcast_batch,
    .lower = broadcast_lower,
    .prune = plain_prune,
    .bound = bounds::moves_all,
    .simplify = broadcast_simplify,
    .samples = broadcast_samples};
constexpr OpDef reshape_record = {.name = "reshape",
                                  .family = "movement",
                                  .doc = "the same elements in row-major order under another shape",
                                  .attributes = "shape",
                                  .infer = reshape_infer,
                                  .eval = reshape_eval,
                                  .jvp = jvp_again,
                                  .split = plain_split,
                                  .transpose = reshape_transpose,
                                  .batch = reshape_batch,
                                  .lower = reshape_lower,
                                  .prune = plain_prune,
                                  .bound = bounds::moves_all,
                                  .simplify = reshape_simplify,
                                  .samples = reshape_samples};
constexpr OpDef transpose_record = {.name = "transpose",
                                    .family = "movement",
                                    .doc = "dimension i of the result is dimension permutation[i] of the operand",
                                    .attributes = "permutation",
                                    .infer = transpose_infer,
                                    .eval = transpose_eval,
                                    .jvp = jvp_again,
                                    .split = plain_split,
                                    .transpose = transpose_transpose,
                                    .batch = transpose_batch,
                                    .lower = transpose_lower,
                                    .prune = plain_prune,
                                    .bound = bounds::moves_all,
                                    .simplify = transpose_simplify,
                                    .samples = transpose_samples};
constexpr std::array records = {
    &broadcast_record,
    &reshape_record,
    &transpose_record,
};

}  // namespace

constinit const OpList ops::movement = records;

}  // namespace viva
