// Sparse derivatives: which elements are not zero, and their values from as few products as colours need.
#pragma once

#include "graph/graph.h"

namespace viva {

// The places of a matrix that may hold something else than zero.
struct Pattern {
  int64_t rows = 0, columns = 0;
  std::vector<Ints> of_row;  // columns, ascending
  int64_t size() const;
};
Pattern transposed(const Pattern& p);

// Row: an element of the output; columns: the elements of the parameter that it depends on, by any dtype.
Pattern sparsity(const Body& f, int64_t output, int64_t parameter);
// Of d output 0 / d parameter, both floats, wherever the function is evaluated: constants of f count as such, all else
// may take any value. Throws a usage error where one of them is no float.
Pattern jacobian_sparsity(const Body& f, int64_t parameter);

// A colour for each column or row, from 0.
struct Coloring {
  Ints color;
  int64_t colors = 0;
};
// Columns of one colour share no row, so that one product gives them all (Curtis, Powell and Reid 1974); the better of
// two greedy orders.
Coloring color_columns(const Pattern& p);
// For a symmetric pattern: neighbours differ, and every path of four vertices has three colours, so that each element
// is found in the product of one of its two ends.
Coloring color_star(const Pattern& p);

// body: from f's parameters to the values of the pattern, row after row. products: derivatives along as many
// directions, taken together by vmap. Source: A. Gebremedhin, F. Manne and A. Pothen, "What color is your Jacobian?",
// 2005.
struct Compressed {
  Body body;
  Pattern pattern;
  int64_t products = 0;
  bool forward = true;
};
// d output 0 / d parameter: by jvp with colours of columns or by vjp with colours of rows, whichever has fewer.
Compressed sparse_jacobian(const Body& f, int64_t parameter);
// Second derivatives of the first output, a float scalar, by Hessian-vector products with a star colouring.
Compressed sparse_hessian(const Body& f, int64_t parameter);

}  // namespace viva
