// Dead code.
#pragma once

#include "graph/build.h"

namespace viva {

struct Pruned {
  Body body;    // computes the outputs marked used, in order
  Mask params;  // the parameters it kept
};
// f without what its used outputs do not need. Parameters stay, but for those marked droppable (empty: none).
Pruned prune(const Function& f, const Mask& used, const Mask& droppable = {});
// f without what no output needs.
Body pruned(const Function& f);

}  // namespace viva
