// sparsity, sparse_jacobian and sparse_hessian of traced functions.
#include "viva/sparse.h"

#include <algorithm>

#include "graph/build.h"
#include "trace/differentiate.h"
#include "trace/operand.h"
#include "transform/sparsity.h"
#include "viva/indexing.h"

namespace viva::tracing {
namespace {

// The body with what is captured as arrays bound to it, and the arguments that are left.
struct Bound {
  Body body;
  Tensors args;
};
Bound bound(const Graph& g, const Tensors& args) {
  Build b(g.body->name());
  b.at({});
  const Tensors given = g.arguments(args);
  Bound r;
  Values all(given.size());
  const auto captured = [&](size_t i) { return i >= g.leaves.size() && !given[i].traced(); };
  for (size_t i = 0; i < given.size(); ++i)
    if (!captured(i)) all[i] = b.parameter_like(g.body->params()[i]), r.args.push_back(given[i]);
  for (size_t i = 0; i < given.size(); ++i)
    if (captured(i)) all[i] = b.constant(Access::array(given[i]));
  r.body = b.finish(b.inline_call(*g.body, all), g.body->output_names());
  return r;
}

}  // namespace

SparseMatrix sparse(Site site, const Fn& f, const Tensors& args, const Marks& marks, Sparse what) {
  const Graph g = traced(site, f, args);
  const auto marked = static_cast<size_t>(std::ranges::find(marks, true) - marks.begin());
  const auto leaf = std::ranges::find(g.leaves, marked);
  if (leaf == g.leaves.end() || g.body->outputs().empty())
    throw usage_at(site.where, fmt::format("[{}] the argument or the result is empty: give both a value", site.what));
  const Bound own = bound(g, args);
  const int64_t at = leaf - g.leaves.begin();
  const Compressed c = at_site(site, [&]() -> Compressed {
    if (what == Sparse::hessian) return viva::sparse_hessian(own.body, at);
    if (what == Sparse::jacobian) return viva::sparse_jacobian(own.body, at);
    return {{}, viva::sparsity(own.body, 0, at)};
  });
  std::vector<int64_t> row, column;
  for (int64_t i = 0; i < c.pattern.rows; ++i)
    for (const int64_t j : c.pattern.of_row[static_cast<size_t>(i)]) row.push_back(i), column.push_back(j);
  const Shape n{std::ssize(row)};
  return {.rows = c.pattern.rows,
          .columns = c.pattern.columns,
          .row = constant(Array::of<int64_t>(row, n), site.where),
          .column = constant(Array::of<int64_t>(column, n), site.where),
          .values = c.body ? apply(c.body, own.args, site.where).front() : ones(n),
          .products = c.products,
          .forward = c.forward};
}

}  // namespace viva::tracing

namespace viva {

Tensor dense(const SparseMatrix& m, Loc l) {
  const tracing::Line line(l);
  const Tensor flat = zeros({m.rows * m.columns}, m.values.dtype());
  return reshape(flat.at(m.row * m.columns + m.column).set(m.values), {m.rows, m.columns});
}

}  // namespace viva
