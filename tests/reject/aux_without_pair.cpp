// viva: with has_aux the function returns std::pair(loss, others)
#include "viva/viva.h"

using namespace viva;

auto use(const Tensor& x) {
  return grad([](const Tensor& w) { return sum(w); }, has_aux)(x);
}
