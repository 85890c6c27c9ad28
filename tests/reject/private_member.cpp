// viva: this type is no tree
#include "viva/viva.h"

using namespace viva;

class Model {
 public:
  Tensor w;

 private:
  double rate_ = 1;
};
void use(const Model& m) { tree::flatten(m); }
