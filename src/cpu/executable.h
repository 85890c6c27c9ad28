// compile: a function becomes a plan of kernels that runs many times. The one interface of every execution tier.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"
#include "graph/graph.h"
#include "transform/pipeline.h"

namespace viva {

struct PlanOptions {
  // Parameters bound to arrays now; calls pass the others, in order.
  std::vector<std::pair<int64_t, Array>> constants;
  // One entry for each argument of a call (empty: none): its memory may become that of a result. It does where the
  // caller moved the only reference in.
  Mask donated;
  // Run node by node and fail at the first NaN that an operation makes of operands without any, or that it takes from a
  // constant where the data have none and that reaches a result; the error names the operation and the user's line.
  bool check_nan = false;
  // The same, and at the first infinity from finite operands too (of operations that have operands).
  bool check_infinity = false;
  // Whether kernels are joined. Off, each node is a kernel of its own: to find which one is wrong.
  bool fuse = true;
  // Contractions of at least so many FLOPs run by the library where it has a fast kernel; infinity: none do.
  double library_flops = 2e4;
  // How kernels are made. 0: the tile evaluator, the only tier so far.
  int tier = 0;
  PassOptions passes;
};

// What a plan runs, for people and benchmarks.
struct PlanSummary {
  int64_t kernels = 0, nodes = 0, arena_bytes = 0;
  std::vector<std::string> lines;  // one a kernel
};

// Seconds spent in each kernel of a plan, summed over calls.
using KernelTimes = std::vector<double>;

// Immutable; copies share it; callable from many threads at once. Results are the same bits for any pool.
class Executable {
 public:
  struct Plan;
  explicit Executable(std::shared_ptr<const Plan> plan) : plan_(std::move(plan)) {}
  // Shapes and dtypes of args must be those of the parameters that are not bound. Memory of intermediate values and
  // results is that of earlier ones where it fits (base/recycler.h).
  // times, where given, has the seconds of this call added.
  Result<std::vector<Array>> call(std::vector<Array> args, ThreadPool& pool, const Cancel* cancel = nullptr,
                                  KernelTimes* times = nullptr) const;
  const std::vector<Type>& parameter_types() const;
  PlanSummary summary() const;

 private:
  std::shared_ptr<const Plan> plan_;
};

// Throws a usage error where entry is no function of the program or an option does not fit it, an unsupported error
// that names every operation without a kernel.
Executable compile(const Program& program, std::string_view entry, const PlanOptions& options = {});
Executable compile(const Body& f, const PlanOptions& options = {});

}  // namespace viva
