// viva: a tree with a reference or const member cannot be rebuilt
#include <memory>

#include "viva/viva.h"

using namespace viva;

struct Model {
  Tensor w;
  std::unique_ptr<Tensor> owned;
};
void use(const Model& m) { tree::flatten(m); }
