// The verifier: what every function and program fulfils, checked. The invariants stand numbered in verify.cpp.
#pragma once

#include "graph/graph.h"

namespace viva {

// f and every function that it holds, each once. Throws an internal error that names the function, the node, the
// user's line where it is known, and the number of the broken invariant.
void verify(const Function& f);
// The same for every function of the table, and the table itself.
void verify(const Program& program);

}  // namespace viva
