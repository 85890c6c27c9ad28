// Nests over arrays whose dimensions lie in memory in other orders.
#include <algorithm>

#include "loops/compose.h"

namespace viva::loops {
namespace {

template <class V> V permuted(const V& v, const Ints& order) {
  V out;
  for (const int64_t i : order) out.push_back(v[static_cast<size_t>(i)]);
  return out;
}

// Loop order[i] becomes loop i.
void permute_loops(Nest& nest, const Ints& order) {
  Ints all = order;
  for (int l = nest.parallel; l < nest.loops(); ++l) all.push_back(l);
  nest.extents = permuted(nest.extents, all);
  const auto move = [&](Index& x) {
    if (!x.coefficients.empty()) x.coefficients = permuted(x.coefficients, all);
  };
  for (Instruction& i : nest.body) {
    std::ranges::for_each(i.at, move);
    for (Condition& c : i.conditions) move(c.index);
  }
}

// Makes the strided stores dense by reordering the loops; false where that is not possible.
bool make_dense(Nest& nest) {
  const Ints& strides = nest.stores[0].strides;
  if (std::ranges::any_of(nest.stores, [&](const Store& s) {
        return s.scatter || s.strides != strides || (!strides.empty() && s.offset != 0);
      }))
    return false;
  if (strides.empty()) return true;
  Ints order(static_cast<size_t>(nest.parallel));
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  const auto stride = [&](int64_t l) { return strides[static_cast<size_t>(l)]; };
  std::ranges::stable_sort(order, [&](int64_t a, int64_t b) { return stride(a) > stride(b); });
  const Ints sorted = permuted(strides, order);
  permute_loops(nest, order);
  const Ints dense = row_major(Shape(nest.extents.begin(), nest.extents.begin() + nest.parallel));
  for (size_t i = 0; i < dense.size(); ++i)
    if (nest.extents[i] != 1 && dense[i] != sorted[i]) return false;
  for (Store& s : nest.stores) s.strides.clear(), s.size = -1;
  return true;
}

}  // namespace

Nest with_operand_order(Nest nest, int slot, const Ints& order) {
  Type& type = nest.operands[static_cast<size_t>(slot)];
  type.shape = permuted(type.shape, order);
  for (Instruction& i : nest.body)
    if (i.kind == Kind::load && i.slot == slot) i.at = permuted(i.at, order);
  return nest;
}

std::optional<Nest> with_result_order(Nest nest, const Ints& order) {
  const bool scans = std::ranges::any_of(nest.body, [](const Instruction& i) { return i.kind == Kind::scan; });
  if (scans || static_cast<int>(order.size()) != nest.parallel || nest.stores.empty() || !make_dense(nest))
    return std::nullopt;
  permute_loops(nest, order);
  return nest;
}

}  // namespace viva::loops
