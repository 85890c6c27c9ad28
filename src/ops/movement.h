// What the operations share that read their only operand at another place.
#pragma once

#include "loops/lowered.h"
#include "ops/record.h"

namespace viva {

inline Lowered load_at(const Node& n, std::vector<loops::Index> at) {
  loops::Nest nest = loops::elementwise(n.types[0].shape, types_of(n.in));
  nest.store(nest.load(0, std::move(at)));
  return {std::move(nest)};
}

inline loops::Index along(const Node& n, int64_t loop, int64_t coefficient = 1, int64_t offset = 0) {
  Ints c(n.types[0].shape.size(), 0);
  c[static_cast<size_t>(loop)] = coefficient;
  return {.coefficients = std::move(c), .offset = offset};
}

// The jvp of every operation that is linear in its only operand: itself.
inline Values jvp_again(Build& b, const Node& n, Ins, Ins, Ins t, Transforms&) { return b.repeat(n, {t[0]}); }

inline std::vector<Mask> linear_in_first() { return {{true}}; }

inline Sample sample_of(std::string label, Array x, Attrs a) {
  const bool linear = is_float(x.dtype());
  return {std::move(label), {std::move(x)}, std::move(a), {}, linear ? linear_in_first() : std::vector<Mask>{}};
}

}  // namespace viva
