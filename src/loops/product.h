// A nest in the terms of a library of matrix products.
#pragma once

#include <optional>

#include "loops/nest.h"

namespace viva::loops {

// result = Σ left · right over the loops from `parallel` on, all float32. Position of an element: base + Σ strides[l] ·
// loop l.
struct Product {
  struct Tensor {
    int slot = 0;  // which operand; 0 for the result
    int64_t base = 0;
    Ints strides;  // one for each loop; 0 along the reduction for the result
  };
  Ints extents;  // no loop is empty
  int parallel = 0;
  Tensor left, right, result;
};

// Nothing where the nest does more than such a sum, or reads an operand past its ends or at places that depend on data.
std::optional<Product> product_of(const Nest& nest);

}  // namespace viva::loops
