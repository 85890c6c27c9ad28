// Dead code.
#pragma once

#include <map>
#include <tuple>

#include "graph/graph.h"

namespace viva {

struct Pruned {
  Body body;    // computes the outputs marked used, in order
  Mask params;  // the parameters it kept
};

// Prunes functions and those that they hold, each once for each set of outputs used.
class Pruner {
 public:
  // f without what its used outputs do not need, or f itself where that is all of it. Parameters stay, but for those
  // marked droppable (empty: none).
  Pruned prune(const Body& f, const Mask& used, const Mask& droppable = {});
  // f without what no output needs.
  Body pruned(const Body& f) { return prune(f, Mask(f->outputs().size(), true)).body; }

 private:
  std::map<std::tuple<Body, Mask, Mask>, Pruned> memo_;
};

Pruned prune(const Function& f, const Mask& used, const Mask& droppable = {});
Body pruned(const Function& f);

}  // namespace viva
