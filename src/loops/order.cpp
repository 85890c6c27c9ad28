// Nests over arrays whose dimensions lie in memory in other orders.
#include <algorithm>
#include <functional>

#include "loops/compose.h"

namespace viva::loops {
namespace {

// Loop order[i] becomes loop i.
void permute_loops(Nest& nest, const Ints& order) {
  Ints all = order;
  for (int l = nest.parallel; l < nest.loops(); ++l) all.push_back(l);
  nest.extents = permute(nest.extents, all);
  const auto move = [&](Index& x) {
    if (!x.coefficients.empty()) x.coefficients = permute(x.coefficients, all);
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
  Ints order = iota_ints(nest.parallel);
  std::ranges::stable_sort(order, std::greater{}, [&](int64_t l) { return strides[static_cast<size_t>(l)]; });
  const Ints sorted = permute(strides, order);
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
  type.shape = permute(type.shape, order);
  for (Instruction& i : nest.body) {
    if (i.kind != Kind::load || i.slot != slot) continue;
    std::vector<Index> at;
    for (const int64_t d : order) at.push_back(std::move(i.at[static_cast<size_t>(d)]));
    i.at = std::move(at);
  }
  return nest;
}

std::optional<Nest> with_result_order(Nest nest, const Ints& order) {
  const bool scans = std::ranges::any_of(nest.body, [](const Instruction& i) { return i.kind == Kind::scan; });
  if (scans || static_cast<int>(order.size()) != nest.parallel || nest.stores.empty() || !make_dense(nest))
    return std::nullopt;
  permute_loops(nest, order);
  return nest;
}

Nest reordering(const Type& type, const Ints& from, const Ints& to) {
  Nest copy = elementwise(type.shape, {type});
  copy.store(copy.load(0));
  return *with_result_order(with_operand_order(std::move(copy), 0, from), to);
}

}  // namespace viva::loops
