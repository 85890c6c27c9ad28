// The reference interpreter: one node after another by the eval rules. Slow and obvious; the oracle for all else.
#pragma once

#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "graph/graph.h"

namespace viva {

// The outputs of f for these arguments. Throws a usage error where the arguments do not fit, an unsupported error where
// an operation has no eval rule, a cancelled error once *cancel is true.
std::vector<Array> interpret(const Function& f, std::span<const Array> args, const Cancel* cancel = nullptr);

}  // namespace viva
