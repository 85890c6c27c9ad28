// viva: hessian takes a Tensor: see ravel
#include "viva/viva.h"

using namespace viva;

struct Model {
  Tensor w, v;
};
auto use(const Model& m) {
  return hessian([](const Model& at) { return sum(at.w * at.v); })(m);
}
