// axis_sum: over the examples of a vmap around it.
#include <array>
#include <cstring>

#include "loops/lowered.h"
#include "ops/axis.h"
#include "ops/bounds.h"
#include "ops/record.h"

namespace viva {
namespace {

// The second operand is the place of the example along the axis: the vmap that batches it is the one to sum over.
std::vector<Type> infer(const Infer::Site& s) {
  require_operands(s, 2);
  require(!is_bool(s.in[0].dtype), "takes numbers, not {}", spelled(s.in[0]));
  require(s.in[1] == Type{Dtype::int64, {}}, "takes the place of the example, i64[], not {}", spelled(s.in[1]));
  return {s.in[0]};
}

std::vector<Array> eval(const Node&, std::span<const Array> in, Evaluator&) { return {in[0]}; }

Values over_same(Build& b, const Node& n, Value x, Value place) { return b.emit(*n.op, {x, place}); }

Values jvp(Build& b, const Node& n, Ins in, Ins, Ins t, Transforms&) { return over_same(b, n, t[0], in[1]); }

// Every example's operand is in every example's result, so each cotangent is in each operand's.
void transpose(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> r, Transforms&) {
  r[0] = over_same(b, n, ct[0], in[1])[0];
}

Values batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
             Transforms&) {
  if (axis[1] < 0) {
    out_axis[0] = axis[0];
    return b.repeat(n, {in[0], in[1]});
  }
  return {b.reduce_sum(batched_front(b, in[0], axis[0], size), {0})};  // of what all share, too: once for each
}

Lowered lower(const Node& n) {
  const auto bytes = static_cast<size_t>(numel(n.types[0].shape) * size_of(n.types[0].dtype));
  return {loops::Host{"axis_sum", [bytes](auto in, auto out, ThreadPool&) {
                        if (bytes > 0) std::memcpy(out[0], in[0], bytes);
                      }}};
}

std::vector<Sample> samples() {
  const Array place = Array::scalar(int64_t{1});
  return {{"f64", {sample_floats({2, 3}, -2, 2, 0), place}, {}, {}, {{true, false}}},
          {"i32", {sample_ints({3}, -9, 9, 0), place}, {}, {}}};
}

constexpr OpDef axis_sum_record = {
    .name = "axis_sum",
    .family = "structure",
    .doc =
        "the sum over the examples of the vmap that maps the second operand, the place of the example; of one example "
        "alone, itself",
    .infer = infer,
    .eval = eval,
    .jvp = jvp,
    .split = plain_split,
    .transpose = transpose,
    .batch = batch,
    .lower = lower,
    .prune = plain_prune,
    .bound = bounds::axis_sum,
    .samples = samples};

constexpr std::array records = {&axis_sum_record};

}  // namespace

constinit const OpList ops::axis = records;

}  // namespace viva
