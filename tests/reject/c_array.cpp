// viva: a tree with a C array would be miscounted
#include "viva/viva.h"

using namespace viva;

struct Model {
  Tensor w;
  int sizes[3];
  Tensor v;
};
void use(const Model& m) { tree::flatten(m); }
