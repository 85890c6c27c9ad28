// What compression of symmetric matrices needs besides the colours.
#pragma once

#include "transform/sparsity.h"

namespace viva {

// A square pattern and its transposition together.
Pattern with_transpose(Pattern p);
// Where each element of a symmetric pattern stands in its products, row after row: color · n + index. c is a star
// colouring.
Ints star_places(const Pattern& p, const Coloring& c);

}  // namespace viva
