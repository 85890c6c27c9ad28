// What reductions, argmax and cumsum share.
#pragma once

#include "loops/lowered.h"
#include "ops/pointwise.h"
#include "ops/reference.h"

namespace viva {

// Folds the reduced elements of x in row-major order: acc = f(acc, element), from init.
template <class T, class A, class R, class F> void fold(const Array& x, Array& out, const Ints& dims, A init, F&& f) {
  const Ints strides = row_major(x.shape()), kept = without(strides, dims), inner = permute(strides, dims);
  const Shape space = permute(x.shape(), dims);
  const auto v = x.as<T>();
  auto o = out.as_mutable<R>();
  for_each_index(out.shape(), [&](const Ints& i, int64_t flat) {
    A acc = init;
    const int64_t base = flat_index(i, kept);
    for_each_index(space,
                   [&](const Ints& k, int64_t) { acc = f(acc, v[static_cast<size_t>(base + flat_index(k, inner))]); });
    o[static_cast<size_t>(flat)] = static_cast<R>(acc);
  });
}

// Loops: kept dimensions, then the reduced ones in order.
inline loops::Nest reduction_nest(const Node& n, const Ints& dims, loops::Register& x) {
  loops::Nest nest = loops::elementwise(without(n.in[0].shape(), dims), types_of(n.in));
  for (int64_t d : dims) nest.extents.push_back(n.in[0].dim(d));
  const Ints order = joined(without(iota_ints(n.in[0].rank()), dims), dims);
  std::vector<loops::Index> at(order.size());
  for (size_t loop = 0; loop < order.size(); ++loop)
    at[static_cast<size_t>(order[loop])] = nest.at(static_cast<int>(loop));
  x = nest.load(0, std::move(at));
  return nest;
}

}  // namespace viva
