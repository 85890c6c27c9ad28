// The tile evaluator: prepare a nest once, run it many times, from any number of threads at once.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "base/thread_pool.h"
#include "loops/nest.h"

namespace viva::loops {

// Memory for one run at a time; grows on demand and is reused. Each concurrent run needs its own.
class Scratch {
 public:
  // At least `bytes` bytes, aligned to 64, valid until the next call. Throws an input error where memory cannot be had.
  std::byte* get(size_t bytes);

 private:
  std::shared_ptr<std::byte> data_;
  size_t size_ = 0;
};

struct Program;  // the prepared form; internal

// A verified nest with its loops collapsed, ordered and tiled, its parts fixed. Immutable; copies share it.
class Prepared {
 public:
  explicit Prepared(Nest nest);  // throws an internal error where the nest breaks a rule
  const Nest& nest() const;
  // What run takes from its scratch with this many threads, in bytes.
  size_t scratch_bytes(int threads) const;
  // One line that says which path was chosen and how the loops are tiled, for people and benchmarks.
  std::string describe() const;
  const Program& program() const { return *program_; }

 private:
  std::shared_ptr<const Program> program_;
};

// Evaluates the nest. operands and outputs are dense row-major arrays of the nest's types, aligned to their elements.
// An output may be the same memory as an operand that every load reads at the very point being stored (in place);
// otherwise they must not overlap. Bits do not depend on the pool. Throws a cancelled error once *cancel is true.
void run(const Prepared& prepared, std::span<const void* const> operands, std::span<void* const> outputs,
         ThreadPool& pool, Scratch& scratch, const Cancel* cancel = nullptr);

}  // namespace viva::loops
