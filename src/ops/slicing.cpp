// Operations that take elements in another order or leave some out: reverse, slice.
#include <algorithm>
#include <array>

#include "loops/lowered.h"
#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/movement.h"
#include "ops/reference.h"

namespace viva {
namespace {

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
          "start {}, limit {} and strides {} do not fit {}", spelled(start), spelled(limit), spelled(strides),
          spelled(s.in[0]));
  Shape shape;
  for (size_t d = 0; d < x.size(); ++d) {
    require(strides[d] >= 1, "stride {} at dimension {} is not positive", strides[d], d);
    require(0 <= start[d] && start[d] <= limit[d] && limit[d] <= x[d], "{}:{} at dimension {} is outside {}", start[d],
            limit[d], d, spelled(s.in[0]));
    shape.push_back(limit[d] == start[d] ? 0 : (limit[d] - start[d] - 1) / strides[d] + 1);
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
    const int64_t count = ct[0].shape()[d], spread = count < 2 ? count : (count - 1) * interior[d] + 1;
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
  const Ints &start = n.attrs.ints("start"), &strides = n.attrs.ints("strides");
  std::vector<loops::Index> at;
  for (size_t d = 0; d < start.size(); ++d) {
    const int64_t step = n.types[0].shape[d] > 1 ? strides[d] : 1;
    at.push_back(along(n, static_cast<int64_t>(d), step, start[d]));
  }
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

constexpr OpDef reverse_record = {.name = "reverse",
                                  .family = "movement",
                                  .doc = "the order of the elements turned round along some dimensions",
                                  .attributes = "dims",
                                  .infer = reverse_infer,
                                  .eval = reverse_eval,
                                  .jvp = jvp_again,
                                  .split = plain_split,
                                  .transpose = reverse_transpose,
                                  .batch = reverse_batch,
                                  .lower = reverse_lower,
                                  .prune = plain_prune,
                                  .bound = bounds::moves_all,
                                  .simplify = reverse_simplify,
                                  .samples = reverse_samples};
constexpr OpDef slice_record = {.name = "slice",
                                .family = "movement",
                                .doc = "elements start, start + stride, … below limit of each dimension",
                                .attributes = "start limit strides",
                                .infer = slice_infer,
                                .eval = slice_eval,
                                .jvp = jvp_again,
                                .split = plain_split,
                                .transpose = slice_transpose,
                                .batch = slice_batch,
                                .lower = slice_lower,
                                .prune = plain_prune,
                                .bound = bounds::moves_all,
                                .simplify = slice_simplify,
                                .samples = slice_samples};

constexpr std::array records = {
    &reverse_record,
    &slice_record,
};

}  // namespace

constinit const OpList ops::slicing = records;

}  // namespace viva
