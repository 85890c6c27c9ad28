// Shapes that differ in extents of 1 alone hold the same elements in the same order.
#pragma once

#include <algorithm>
#include <iterator>

#include "base/shape.h"

namespace viva {

// The extents other than 1.
inline Shape without_ones(const Shape& s) {
  Shape r;
  std::ranges::copy_if(s, std::back_inserter(r), [](int64_t e) { return e != 1; });
  return r;
}

}  // namespace viva
