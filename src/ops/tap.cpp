// tap: a value under a name.
#include <array>

#include "loops/lowered.h"
#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/structure.h"
#include "ops/taps.h"

namespace viva {
namespace {

// Operands: the value and, where some of it is computed for nothing, which of it is taken: bool of leading dimensions.
Value tapped(Build& b, Value x, std::string name, Ins taken) {
  Values in{x};
  append(in, taken);
  return b.emit("tap", std::move(in), {{"name", std::move(name)}}).front();
}

std::vector<Type> infer(const Infer::Site& s) {
  require(s.in.size() == 1 || s.in.size() == 2, "takes a value and perhaps where it is taken, not {} operands",
          s.in.size());
  require(!s.attrs.text("name").empty(), "needs a name");
  if (s.in.size() == 2) {
    const Shape &whole = s.in[0].shape, &taken = s.in[1].shape;
    require(
        is_bool(s.in[1].dtype) && taken.size() <= whole.size() && std::equal(taken.begin(), taken.end(), whole.begin()),
        "where {} is taken is {}, not bool of its leading dimensions", spelled(s.in[0]), spelled(s.in[1]));
  }
  return {s.in[0]};
}

std::vector<Array> eval(const Node&, std::span<const Array> in, Evaluator&) { return {in[0]}; }

Values jvp(Build& b, const Node& n, Ins in, Ins, Ins t, Transforms&) {
  return {tapped(b, t[0], tap_name(n) + ".tangent", in.subspan(1))};
}

// The first coefficient is a tangent; coefficient k > 1 is named after its order.
bool jet(JetSite& s) {
  Coefficient c = s.in(0, s.order);
  const std::string& name = tap_name(s.node);
  if (c) {
    Values taken;
    if (s.node.in.size() == 2) taken.push_back(s.in(1, 0).value);
    if (c.directional)
      for (Value& v : taken) v = batched_front(s.b, v, -1, s.series.directions);
    c.value =
        tapped(s.b, c.value, s.order == 1 ? name + ".tangent" : fmt::format("{}.coefficient{}", name, s.order), taken);
  }
  s.set(0, s.order, c);
  return true;
}

// The cotangent of the tangent of a value is named after the value itself.
void transpose(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> r, Transforms&) {
  std::string name = tap_name(n);
  constexpr std::string_view tangent = ".tangent";
  if (name.ends_with(tangent)) name.resize(name.size() - tangent.size());
  r[0] = tapped(b, ct[0], name + ".cotangent", in.subspan(1));
}

// The axis goes to the front, where readers look for it.
Values batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
             Transforms&) {
  Values front;
  for (size_t i = 0; i < in.size(); ++i) front.push_back(batched_front(b, in[i], axis[i], size));
  out_axis[0] = 0;
  return b.repeat(n, std::move(front));
}

Lowered lower(const Node& n) {
  loops::Nest nest = loops::elementwise(n.types[0].shape, types_of(n.in));
  nest.store(nest.load(0));
  return {std::move(nest)};
}

std::vector<Sample> samples() {
  Array taken = Array::zeros({Dtype::boolean, {2}});
  taken.as_mutable<bool>()[1] = true;
  return {{"f64", {sample_floats({2, 2}, -2, 2, 0)}, {{"name", std::string("hidden")}}, {}, {{true}}},
          {"taken", {sample_floats({2, 3}, -2, 2, 1), taken}, {{"name", std::string("rows")}}, {}, {{true, false}}},
          {"i32", {sample_ints({2}, -9, 9, 0)}, {{"name", std::string("tokens")}}, {}}};
}

constexpr OpDef tap_record = {
    .name = "tap",
    .family = "structure",
    .doc = "its first operand under a name, for probe and intervene; jvp adds name.tangent, transpose name.cotangent",
    .taps = true,
    .shared = false,
    .attributes = "name",
    .infer = infer,
    .eval = eval,
    .jvp = jvp,
    .split = plain_split,
    .transpose = transpose,
    .batch = batch,
    .lower = lower,
    .prune = plain_prune,
    .bound = bounds::tap,
    .jet = jet,
    .samples = samples};

constexpr std::array records = {&tap_record};

}  // namespace

constinit const OpList ops::tapping = records;

}  // namespace viva
