// Dead code.
#pragma once

#include "graph/build.h"

namespace viva {

struct Pruned {
  Body body;    // computes the outputs marked used, in order
  Mask params;  // the parameters it kept
};
// f without what its used outputs do not need. Parameters are dropped only where drop_params is set.
Pruned prune(const Function& f, const Mask& used, bool drop_params);

}  // namespace viva
