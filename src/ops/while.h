// The shape of a while, and the rule that runs one backwards.
#pragma once

#include "ops/structure.h"

namespace viva {

// Operands: constants, then carries. The first function takes them all and gives the predicate, the second the next
// carries. max_steps: the loop ends after so many, and its reversal keeps fewer snapshots; 0: no limit.
struct While {
  size_t consts = 0, carries = 0;
  int64_t max_steps = 0;

  static While of(const Node& n);
  size_t inputs() const { return consts + carries; }
};

Values emit_while(Build& b, int64_t max_steps, Ins consts, Ins carries, const Body& predicate, const Body& step);

// f over parameters of these types, of which it takes those at `places`.
Body over(const Body& f, const std::vector<Type>& types, const std::vector<size_t>& places);

void transpose_while(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> r, Transforms& tf);

}  // namespace viva
