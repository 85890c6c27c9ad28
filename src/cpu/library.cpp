#include "cpu/library.h"

#include "graph/opdef.h"

namespace viva::cpu {

Ints strides_of(const Shape& shape, const Order& order) {
  return permute(row_major(permute(shape, order)), inverse_permutation(order));
}

std::shared_ptr<const LibraryKernel> library_kernel(const Node& n, double smallest) {
  if (n.op->name == "conv_general") return convolution_kernel(n, smallest);
  if (n.op->name.starts_with("window_")) return window_kernel(n);
  return nullptr;
}

}  // namespace viva::cpu
