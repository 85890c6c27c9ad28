// viva: a tree with a base class would lose the base's fields
#include "viva/viva.h"

using namespace viva;

struct Base {
  Tensor w;
};
struct Model : Base {
  Tensor v;
};
void use(const Model& m) { tree::flatten(m); }
