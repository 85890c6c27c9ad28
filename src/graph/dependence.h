// Which outputs of a function depend on which of its parameters.
#pragma once

#include "graph/graph.h"

namespace viva {

class Dependence {
 public:
  explicit Dependence(const Function& f);
  // The outputs that depend on one of the parameters marked.
  Mask reached_from(const Mask& parameters) const;
  // The parameters that an output marked depends on.
  Mask needed_by(const Mask& outputs) const;

 private:
  std::vector<Mask> of_;  // for each output, its parameters
  size_t parameters_;
};

// The operands of a node that the outputs marked depend on: through its functions, where it holds some.
Mask needed_operands(const Node& n, const Mask& outputs);

}  // namespace viva
