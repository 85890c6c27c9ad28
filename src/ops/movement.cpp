// Operations that only move elements: broadcast, reshape, transpose, reverse, slice.
#include <algorithm>
#include <array>

#include "loops/lowered.h"
#include "ops/catalog.h"
#include "ops/record.h"
#include "ops/reference.h"

namespace viva {
namespace {

Lowered load_at(const Node& n, std::vector<loops::Index> at) {
  loops::Nest nest = loops::elementwise(n.types[0].shape, types_of(n.in));
  nest.store(nest.load(0, std::move(at)));
  return {std::move(nest)};
}

loops::Index along(const Node& n, int64_t loop, int64_t coefficient = 1, int64_t offset = 0) {
  Ints c(n.types[0].shape.size(), 0);
  c[static_cast<size_t>(loop)] = coefficient;
  return {.coefficients = std::move(c), .offset = offset};
}

// The jvp of every operation that is linear in its only operand: itself.
Values jvp_again(Build& b, const Node& n, Ins, Ins, Ins t, Transforms&) { return b.repeat(n, {t[0]}); }

std::vector<Mask> linear_in_first() { return {{true}}; }

Sample sample_of(std::string label, Array x, Attrs a) {
  const bool linear = is_float(x.dtype());
  return {std::move(label), {std::move(x)}, std::move(a), {}, linear ? linear_in_first() : std::vector<Mask>{}};
}

// broadcast

std::vector<Type> broadcast_infer(const Infer::Site& s) {
  require_operands(s, 1);
  const Shape& shape = s.attrs.ints("shape");
  const Ints& dims = s.attrs.ints("dims");
  require(static_cast<int64_t>(dims.size()) == s.in[0].rank(), "dims {} do not number the dimensions of {}",
          to_string(dims), to_string(s.in[0]));
  require_sorted_dims(dims, static_cast<int64_t>(shape.size()), "dim");
  for (size_t i = 0; i < dims.size(); ++i) {
    const int64_t from = s.in[0].shape[i], to = shape[static_cast<size_t>(dims[i])];
    require(from == to || from == 1, "{} does not stretch to {} at dimension {}", to_string(s.in[0]), to_string(shape),
            i);
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
          sample_of("scalar", sample_floats({}, -2, 2, 0), {{"shape", Ints{4}}, {"dims", Ints{}}}),
          sample_of("to nothing", sample_floats({1}, -2, 2, 0), {{"shape", Ints{0, 2}}, {"dims", Ints{0}}}),
          sample_of("i32", sample_ints({2}, -9, 9, 0), {{"shape", Ints{2, 3}}, {"dims", Ints{0}}})};
}

// reshape

std::vector<Type> reshape_infer(const Infer::Site& s) {
  require_operands(s, 1);
  const Shape& shape = s.attrs.ints("shape");
  require(numel(shape) == numel(s.in[0].shape), "{} does not have the elements of {}", to_string(s.in[0]),
          to_string(shape));
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
  require(static_cast<int64_t>(p.size()) == s.in[0].rank(), "permutation {} does not fit {}", to_string(p),
          to_string(s.in[0]));
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

// reverse

std::vector<Type> reverse_infer(const Infer::Site& s) {
  require_operands(s, 1);
  require_sorted_dims(s.attrs.ints("dims"), s.in[0].rank(), "dimension");
  return {s.in[0]};
}

std::vector<Array> reverse_eval(const Node& n, std::span<const Array> in, Evaluator&) {
  const Ints &dims = n.attrs.ints("dims"), strides = row_major(in[0].shape());
  return {moved_elements(n.types[0], in[0], [&](const Ints& i) {
    int64_t from = 0;
    for (size_t d = 0; d < i.size(); ++d)
      from += (contains(dims, static_cast<int64_t>(d)) ? in[0].shape()[d] - 1 - i[d] : i[d]) * strides[d];
    return from;
  })};
}

void reverse_transpose(Build& b, const Node& n, Ins, Ins ct, std::span<Value> r, Transforms&) {
  r[0] = b.reverse(ct[0], n.attrs.ints("dims"));
}

Values reverse_batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t, std::span<int> out_axis,
                     Transforms&) {
  out_axis[0] = axis[0];
  return {b.reverse(in[0], shifted(n.attrs.ints("dims"), axis[0]))};
}

Lowered reverse_lower(const Node& n) {
  std::vector<loops::Index> at;
  for (int64_t d = 0; d < n.in[0].rank(); ++d)
    at.push_back(contains(n.attrs.ints("dims"), d) ? along(n, d, -1, n.in[0].dim(d) - 1) : along(n, d));
  return load_at(n, std::move(at));
}

Values reverse_simplify(Build&, const Node& n, Ins in) {
  const Ints& dims = n.attrs.ints("dims");
  if (std::ranges::all_of(dims, [&](int64_t d) { return in[0].dim(d) <= 1; })) return {in[0]};
  const Node* inner = in[0].node();
  const bool twice = inner->op && inner->op->name == "reverse" && inner->attrs.ints("dims") == dims;
  return twice ? Values{inner->in[0]} : Values{};
}

std::vector<Sample> reverse_samples() {
  return {sample_of("one", sample_floats({2, 3}, -2, 2, 0), {{"dims", Ints{1}}}),
          sample_of("two", sample_floats({2, 3, 2}, -2, 2, 0), {{"dims", Ints{0, 2}}}),
          sample_of("empty", sample_floats({0}, -2, 2, 0), {{"dims", Ints{0}}}),
          sample_of("i32", sample_ints({5}, -9, 9, 0), {{"dims", Ints{0}}})};
}

// slice

std::vector<Type> slice_infer(const Infer::Site& s) {
  require_operands(s, 1);
  const Ints &start = s.attrs.ints("start"), &limit = s.attrs.ints("limit"), &strides = s.attrs.ints("strides");
  const Shape& x = s.in[0].shape;
  require(start.size() == x.size() && limit.size() == x.size() && strides.size() == x.size(),
          "start {}, limit {} and strides {} do not fit {}", to_string(start), to_string(limit), to_string(strides),
          to_string(s.in[0]));
  Shape shape;
  for (size_t d = 0; d < x.size(); ++d) {
    require(strides[d] >= 1, "stride {} at dimension {} is not positive", strides[d], d);
    require(0 <= start[d] && start[d] <= limit[d] && limit[d] <= x[d], "{}:{} at dimension {} is outside {}", start[d],
            limit[d], d, to_string(s.in[0]));
    shape.push_back((limit[d] - start[d] + strides[d] - 1) / strides[d]);
  }
  return {{s.in[0].dtype, shape}};
}

std::vector<Array> slice_eval(const Node& n, std::span<const Array> in, Evaluator&) {
  const Ints &start = n.attrs.ints("start"), &step = n.attrs.ints("strides"), strides = row_major(in[0].shape());
  return {moved_elements(n.types[0], in[0], [&](const Ints& i) {
    int64_t from = 0;
    for (size_t d = 0; d < i.size(); ++d) from += (start[d] + i[d] * step[d]) * strides[d];
    return from;
  })};
}

// A strided slice takes every step-th element; its transpose puts them back with step - 1 zeros between.
void slice_transpose(Build& b, const Node& n, Ins, Ins ct, std::span<Value> r, Transforms&) {
  const Ints& start = n.attrs.ints("start");
  Ints interior = n.attrs.ints("strides"), high;
  for (size_t d = 0; d < start.size(); ++d) {
    const int64_t count = ct[0].shape()[d], spread = count == 0 ? 0 : (count - 1) * interior[d] + 1;
    high.push_back(n.in[0].shape()[d] - start[d] - spread);
    interior[d] = count > 1 ? interior[d] - 1 : 0;
  }
  r[0] = b.pad(ct[0], b.scalar(ct[0].dtype(), 0), start, high, interior);
}

Values slice_batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
                   Transforms&) {
  const int a = out_axis[0] = axis[0];
  return {b.slice(in[0], inserted(n.attrs.ints("start"), a, 0), inserted(n.attrs.ints("limit"), a, size),
                  inserted(n.attrs.ints("strides"), a, 1))};
}

Lowered slice_lower(const Node& n) {
  const Ints &start = n.attrs.ints("start"), &step = n.attrs.ints("strides");
  std::vector<loops::Index> at;
  for (size_t d = 0; d < start.size(); ++d) at.push_back(along(n, static_cast<int64_t>(d), step[d], start[d]));
  return load_at(n, std::move(at));
}

Values slice_simplify(Build&, const Node& n, Ins in) {
  return n.types[0].shape == in[0].shape() ? Values{in[0]} : Values{};
}

std::vector<Sample> slice_samples() {
  return {sample_of("inner", sample_floats({4, 5}, -2, 2, 0),
                    {{"start", Ints{1, 0}}, {"limit", Ints{3, 4}}, {"strides", Ints{1, 1}}}),
          sample_of("strided", sample_floats({7, 5}, -2, 2, 0),
                    {{"start", Ints{1, 0}}, {"limit", Ints{7, 5}}, {"strides", Ints{3, 2}}}),
          sample_of("a step beyond the end", sample_floats({4}, -2, 2, 0),
                    {{"start", Ints{1}}, {"limit", Ints{4}}, {"strides", Ints{int64_t{1} << 40}}}),
          sample_of("to nothing", sample_floats({4}, -2, 2, 0),
                    {{"start", Ints{2}}, {"limit", Ints{2}}, {"strides", Ints{2}}}),
          sample_of("i32", sample_ints({6}, -9, 9, 0), {{"start", Ints{1}}, {"limit", Ints{6}}, {"strides", Ints{2}}})};
}

constexpr OpDef broadcast_record = {
    .name = "broadcast",
    .family = "movement",
    .doc = "dimension i becomes dimension dims[i] of a larger shape; an extent of 1 stretches",
    .infer = broadcast_infer,
    .eval = broadcast_eval,
    .jvp = jvp_again,
    .split = plain_split,
    .transpose = broadcast_transpose,
    .batch = broadcast_batch,
    .lower = broadcast_lower,
    .prune = plain_prune,
    .simplify = broadcast_simplify,
    .samples = broadcast_samples};
constexpr OpDef reshape_record = {.name = "reshape",
                                  .family = "movement",
                                  .doc = "the same elements in row-major order under another shape",
                                  .infer = reshape_infer,
                                  .eval = reshape_eval,
                                  .jvp = jvp_again,
                                  .split = plain_split,
                                  .transpose = reshape_transpose,
                                  .batch = reshape_batch,
                                  .lower = reshape_lower,
                                  .prune = plain_prune,
                                  .simplify = reshape_simplify,
                                  .samples = reshape_samples};
constexpr OpDef transpose_record = {.name = "transpose",
                                    .family = "movement",
                                    .doc = "dimension i of the result is dimension permutation[i] of the operand",
                                    .infer = transpose_infer,
                                    .eval = transpose_eval,
                                    .jvp = jvp_again,
                                    .split = plain_split,
                                    .transpose = transpose_transpose,
                                    .batch = transpose_batch,
                                    .lower = transpose_lower,
                                    .prune = plain_prune,
                                    .simplify = transpose_simplify,
                                    .samples = transpose_samples};
constexpr OpDef reverse_record = {.name = "reverse",
                                  .family = "movement",
                                  .doc = "the order of the elements turned round along some dimensions",
                                  .infer = reverse_infer,
                                  .eval = reverse_eval,
                                  .jvp = jvp_again,
                                  .split = plain_split,
                                  .transpose = reverse_transpose,
                                  .batch = reverse_batch,
                                  .lower = reverse_lower,
                                  .prune = plain_prune,
                                  .simplify = reverse_simplify,
                                  .samples = reverse_samples};
constexpr OpDef slice_record = {.name = "slice",
                                .family = "movement",
                                .doc = "elements start, start + stride, … below limit of each dimension",
                                .infer = slice_infer,
                                .eval = slice_eval,
                                .jvp = jvp_again,
                                .split = plain_split,
                                .transpose = slice_transpose,
                                .batch = slice_batch,
                                .lower = slice_lower,
                                .prune = plain_prune,
                                .simplify = slice_simplify,
                                .samples = slice_samples};

constexpr std::array records = {
    &broadcast_record, &reshape_record, &transpose_record, &reverse_record, &slice_record,
};

}  // namespace

constinit const OpList ops::movement = records;

}  // namespace viva
