// viva: this type is no tree
#include <variant>

#include "viva/viva.h"

using namespace viva;

struct Model {
  Tensor w;
  std::variant<Tensor, int> either;
};
void use(const Model& m) { tree::flatten(m); }
