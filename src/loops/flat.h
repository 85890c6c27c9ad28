// A nest analysed for running: accesses split into provably valid strides and guards, reductions on accumulator
// dtypes, loops of extent 1 dropped and adjacent loops merged. Internal to loops/.
#pragma once

#include "loops/nest.h"

namespace viva::loops {

inline constexpr size_t most_foldings = 16;  // reduces or scans in one nest

// One operand dimension whose index may be outside, or a condition (then stride is 0).
struct Guard {
  Ints coefficients;
  int64_t offset = 0, divisor = 1, extent = 0;
  int64_t stride = 0;  // elements of the operand for one step of the index
  std::vector<Term> terms;
};

// Element base + Σ strides[l]·loop l + Σ terms + Σ guard.stride·(guard index), where all guards hold.
struct Access {
  int64_t base = 0;
  Ints strides;
  std::vector<Term> terms;
  std::vector<Guard> guards;
  bool plain() const { return guards.empty() && terms.empty(); }
};

struct FlatInstruction {
  Instruction in;  // kind, dtype, args and the rest; its indices and conditions are replaced by the fields below
  Access access;   // load
  std::vector<Guard> guards;  // inside
  Ints coefficients;          // iota, with in.at[0].offset
};

struct FlatStore {
  Register reg = no_register;
  int64_t offset = 0;
  Ints strides;  // over all loops (0 along reduction loops)
  std::optional<Scatter> scatter;
  Access target;  // scatter: where in the output
};

struct Flat {
  Ints extents;
  int parallel = 0;
  bool scans = false, reduces = false;
  std::vector<FlatInstruction> body;
  std::vector<FlatStore> stores;
  std::vector<Type> operands;
  std::vector<uint64_t> varies;  // as varies(nest), over the merged loops

  int loops() const { return static_cast<int>(extents.size()); }
  int64_t points() const;            // of the parallel loops
  int64_t reduction_points() const;  // of the reduction loops
};

// The dtype in which a reduction of arguments of dtype `arg` to `result` accumulates.
Dtype accumulator(Reduction r, Dtype arg, Dtype result);

// The nest with conversions around reductions made explicit, reverse scans turned round, unused instructions dropped.
Nest normalised(const Nest& nest);

// Analyses a normalised, verified nest. Loop `apart` (or -1) is neither dropped nor merged; it becomes *apart_now.
Flat flatten(const Nest& nest, int apart = -1, int* apart_now = nullptr);

}  // namespace viva::loops
