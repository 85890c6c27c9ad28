// Nodes that a library, or a kernel of our own, runs faster than a nest of loops. oneDNN is reached through this header
// alone.
#pragma once

#include <memory>
#include <optional>

#include "graph/graph.h"
#include "loops/nest.h"

namespace viva::cpu {

// An order of the dimensions of a value in memory, outermost first.
using Order = Ints;

// A kernel that is not made yet: of a node, and of elementwise nests that follow it. It does not outlive the function.
class LibraryKernel {
 public:
  virtual ~LibraryKernel() = default;
  // What the library reads and writes without a copy: operands of the node, then those of what follows. Empty: any.
  std::vector<Order> operand_orders;
  // Zeros of padding or of dilation meet the elements of operand 1. The library leaves such products out, so where one
  // of these elements is infinite or NaN, it must not run.
  bool zeros_meet_operand_1 = false;

  // The order in which the result comes out for operands in these orders.
  virtual Order result_order(std::span<const Order> operands) const = 0;
  // The kernel followed by an elementwise nest that reads its result as operand `slot`; the nest's other operands come
  // after its own. Null where the library has no such kernel.
  virtual std::shared_ptr<const LibraryKernel> followed_by(const loops::Nest& next, int slot) const = 0;
  // The kernel for operands and a result in these orders. constants: the operand's elements where they are known and
  // in row-major order, else null; what is prepared of them is kept.
  virtual loops::Host make(std::span<const Order> operands, const Order& result,
                           std::span<const Array* const> constants) const = 0;
};

// The strides, in elements, of an array whose dimensions lie in this order.
Ints strides_of(const Shape& shape, const Order& order);

// Null where there is no fast kernel for the node, or it takes less than so many FLOPs.
std::shared_ptr<const LibraryKernel> library_kernel(const Node& n, double smallest);
std::shared_ptr<const LibraryKernel> convolution_kernel(const Node& n, double smallest);
std::shared_ptr<const LibraryKernel> window_kernel(const Node& n);
// Of operand 0 alone, where the node fetches the greatest element of each of its windows; else null.
std::shared_ptr<const LibraryKernel> window_max_kernel(const Node& n);

// The kernel of a nest that is nothing but a product of matrices of float32; nothing where it has no fast kernel or
// there are fewer FLOPs. constants: of each operand its elements where they are known, else null.
std::optional<loops::Host> library_product(const loops::Nest& nest, double smallest,
                                           std::span<const Array* const> constants = {});

}  // namespace viva::cpu
