#include "transform/sparsity.h"

#include <algorithm>

#include "graph/prune.h"
#include "ops/reach.h"
#include "transform/rewrite.h"
#include "transform/sparsity_coloring.h"

namespace viva {
namespace {

void check_place(size_t n, int64_t i, const Function& f, std::string_view kind) {
  if (i < 0 || static_cast<size_t>(i) >= n) throw usage_error("[sparsity] {} has no {} {}", f.name(), kind, i);
}

void check_float(Value v, const Function& f, std::string_view kind, std::string_view what) {
  if (!is_float(v.dtype()))
    throw Error(ErrorKind::usage,
                fmt::format("[{}] the {} of {} is {}: only floats have sparse derivatives", what, kind, f.name(),
                            to_string(v.type())),
                v.node()->where);
}

Mask only(size_t n, int64_t i) {
  Mask m(n, false);
  m[static_cast<size_t>(i)] = true;
  return m;
}

Body output_alone(const Body& f, size_t i) {
  return Pruner().prune(f, only(f->outputs().size(), static_cast<int64_t>(i))).body;
}

// Every element a set of its own.
Reached elements_of(const Type& t, ElementSets& sets) {
  Reached r;
  for (int64_t i = 0; i < numel(t.shape); ++i) r.sets.push_back(sets.single(i));
  return r;
}

Pattern pattern_of(const Reached& y, const ElementSets& sets, int64_t rows, int64_t columns) {
  Pattern p{rows, columns, std::vector<Ints>(static_cast<size_t>(rows))};
  for (size_t i = 0; i < y.sets.size(); ++i) p.of_row[i] = sets.of(y.sets[i]);
  return p;
}

// f's first output and one parameter, both floats.
void check_derivative(const Body& f, int64_t parameter, std::string_view what) {
  check_place(f->params().size(), parameter, *f, "parameter");
  check_place(f->outputs().size(), 0, *f, "output");
  check_float(f->params()[static_cast<size_t>(parameter)], *f, fmt::format("parameter {}", parameter), what);
  check_float(f->outputs()[0], *f, "first output", what);
}

Value elements_at(Build& b, Value x, const Ints& places) {
  const int64_t n = std::ssize(places);
  if (n == 0) return b.full({x.dtype(), {0}}, 0);
  const Value flat = b.reshape(x, {numel(x.shape())}), at = b.constant(Array::of<int64_t>(places, {n, 1}));
  return b.gather(flat, at, b.scalar(x.dtype(), 0), {{}, {0}, {}, {}, {0}, {1}, OutOfBounds::clip});
}

// Direction c has a 1 at each element of colour c.
Value seeds(Build& b, const Coloring& c, const Type& t) {
  const Type all{Dtype::int64, {c.colors, std::ssize(c.color)}};
  const Value colors = b.broadcast(b.constant(Array::of<int64_t>(c.color, {std::ssize(c.color)})), all.shape, {1});
  const Value ones = b.convert(b.compare(Direction::eq, b.iota(all, 0), colors), t.dtype);
  Shape shape = t.shape;
  shape.insert(shape.begin(), c.colors);
  return b.reshape(ones, shape);
}

// The elements of all products at these places. product: f's parameters and a direction like `along`, to one result.
Body compressed(const Body& f, const Body& product, const Coloring& c, const Type& along, const Ints& places,
                const char* suffix) {
  Build b(f->name() + suffix);
  b.at(f->outputs()[0].node()->where);
  Values args;
  for (const Value& p : f->params()) args.push_back(b.parameter_like(p));
  if (places.empty()) return b.finish({b.full({product->outputs()[0].dtype(), {0}}, 0)});
  std::vector<int> axes(args.size(), -1);
  axes.push_back(0);
  args.push_back(seeds(b, c, along));
  return b.finish({elements_at(b, b.inline_call(*vmap(product, axes, c.colors), args).front(), places)});
}

}  // namespace

Pattern sparsity(const Body& f, int64_t output, int64_t parameter) {
  check_place(f->outputs().size(), output, *f, "output");
  check_place(f->params().size(), parameter, *f, "parameter");
  ElementSets sets;
  std::vector<Reached> params(f->params().size());
  const Type &x = f->params()[static_cast<size_t>(parameter)].type(),
             &y = f->outputs()[static_cast<size_t>(output)].type();
  params[static_cast<size_t>(parameter)] = elements_of(x, sets);
  return pattern_of(reach(f, params, sets)[static_cast<size_t>(output)], sets, numel(y.shape), numel(x.shape));
}

// What the linear half of f lets through from its tangent. Residuals that follow from constants are known to it.
Pattern jacobian_sparsity(const Body& f, int64_t parameter) {
  check_derivative(f, parameter, "sparsity");
  const Body single = output_alone(f, 0);
  const Linearized l = linearize(single, only(f->params().size(), parameter));
  ElementSets sets;
  std::vector<Reached> given = reach(l.primal, std::vector<Reached>(l.primal->params().size()), sets);
  given.erase(given.begin());
  const Type &x = f->params()[static_cast<size_t>(parameter)].type(), &y = f->outputs()[0].type();
  given.push_back(elements_of(x, sets));
  return pattern_of(reach(l.linear, given, sets)[0], sets, numel(y.shape), numel(x.shape));
}

Compressed sparse_jacobian(const Body& f, int64_t parameter) {
  Compressed r;
  r.pattern = jacobian_sparsity(f, parameter);
  const Coloring columns = color_columns(r.pattern), rows = color_columns(transposed(r.pattern));
  r.forward = columns.colors <= rows.colors;
  const Coloring& c = r.forward ? columns : rows;
  r.products = c.colors;
  Ints places;
  for (int64_t i = 0; i < r.pattern.rows; ++i)
    for (const int64_t j : r.pattern.of_row[static_cast<size_t>(i)])
      places.push_back(r.forward ? c.color[static_cast<size_t>(j)] * r.pattern.rows + i
                                 : c.color[static_cast<size_t>(i)] * r.pattern.columns + j);
  const Body single = output_alone(f, 0);
  const Mask active = only(f->params().size(), parameter);
  const Body product = output_alone(r.forward ? jvp(single, active) : vjp(single, active), 1);
  const Value along = r.forward ? f->params()[static_cast<size_t>(parameter)] : f->outputs()[0];
  r.body = compressed(f, product, c, along.type(), places, ".sparse_jacobian");
  return r;
}

Compressed sparse_hessian(const Body& f, int64_t parameter) {
  check_derivative(f, parameter, "sparse_hessian");
  const Mask active = only(f->params().size(), parameter);
  const Body gradient = grad(f, active);
  Compressed r;
  r.pattern = with_transpose(jacobian_sparsity(gradient, parameter));
  const Coloring c = color_star(r.pattern);
  r.products = c.colors;
  const Type x = f->params()[static_cast<size_t>(parameter)].type();
  r.body = compressed(f, output_alone(jvp(gradient, active), 1), c, x, star_places(r.pattern, c), ".sparse_hessian");
  return r;
}

}  // namespace viva
