// viva: a pointer or a C array is no tree
#include "viva/viva.h"

using namespace viva;

struct Model {
  Tensor w;
  Tensor* shared;
};
void use(const Model& m) { tree::flatten(m); }
