#include "ops/pointwise.h"

namespace viva::pointwise {

std::vector<Array> evaluate(TileFn f, const Node& n, std::span<const Array> in) {
  if (!f) throw internal_error("[{}] no value for {}", n.op->name, name(in[0].dtype()));
  Array out = Array::make(n.types[0]);
  std::vector<const void*> args;
  for (const Array& a : in) args.push_back(a.data());
  f(out.mutable_data(), args.data(), out.size());
  return {out};
}

Value weighted_sum(Build& b, Slopes slopes, std::initializer_list<std::pair<Value, Value>> slope_and_tangent) {
  Value sum;
  for (const auto& [slope, tangent] : slope_and_tangent) {
    if (!slope || !tangent) continue;
    const Value term = slopes == Slopes::steep ? b.mul_no_nan(tangent, slope) : b.mul(tangent, slope);
    sum = sum ? b.add(sum, term) : term;
  }
  return sum;
}

Values batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
             Transforms&) {
  int at = -1;
  for (int a : axis)
    if (at < 0) at = a;
  Values args;
  for (size_t i = 0; i < in.size(); ++i) args.push_back(batched_at(b, in[i], axis[i], at, size));
  for (int& a : out_axis) a = at;
  return b.repeat(n, std::move(args));
}

Lowered lower_tile(const Node& n, TileFn f, std::string_view name, std::array<TileFn, 2> uniform,
                   const loops::Links* links) {
  loops::Nest nest = loops::elementwise(n.types[0].shape, types_of(n.in));
  std::vector<loops::Register> args;
  for (size_t i = 0; i < n.in.size(); ++i) args.push_back(nest.load(static_cast<int>(i)));
  nest.store(nest.apply(f, n.types[0].dtype, std::move(args), name.empty() ? n.op->name : name, n.op));
  nest.body.back().uniform = uniform;
  nest.body.back().links = links;
  return {std::move(nest)};
}

}  // namespace viva::pointwise
