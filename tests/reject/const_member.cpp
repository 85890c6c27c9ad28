// viva: a tree with a reference or const member cannot be rebuilt
#include "viva/viva.h"

using namespace viva;

struct Model {
  Tensor w;
  const Tensor fixed;
};
void use(const Model& m) { tree::flatten(m); }
