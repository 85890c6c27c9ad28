#include "loops/product.h"

#include <algorithm>

#include "loops/flat.h"

namespace viva::loops {
namespace {

bool is_plain_load(const FlatInstruction& i) {
  return i.in.kind == Kind::load && i.in.dtype == Dtype::float32 && i.access.plain();
}

}  // namespace

std::optional<Product> product_of(const Nest& nest) {
  const auto is_dot = [](const Instruction& i) { return i.kind == Kind::reduce && i.reduction == Reduction::dot; };
  if (nest.stores.size() != 1 || nest.stores[0].scatter || std::ranges::count_if(nest.body, is_dot) != 1)
    return std::nullopt;
  if (std::ranges::any_of(nest.extents, [](int64_t e) { return e == 0; })) return std::nullopt;
  const Flat flat = flatten(normalised(nest));
  if (flat.body.size() > 3 || flat.stores.size() != 1) return std::nullopt;
  const Instruction& dot = flat.body.back().in;
  if (!is_dot(dot) || dot.dtype != Dtype::float32 || dot.mask != no_register) return std::nullopt;
  if (flat.stores[0].reg != static_cast<Register>(flat.body.size()) - 1) return std::nullopt;
  Product p{.extents = flat.extents,
            .parallel = flat.parallel,
            .left = {},
            .right = {},
            .result = {0, flat.stores[0].offset, flat.stores[0].strides}};
  for (const auto& [reg, side] : {std::pair(dot.args[0], &p.left), std::pair(dot.args[1], &p.right)}) {
    const FlatInstruction& load = flat.body[static_cast<size_t>(reg)];
    if (!is_plain_load(load)) return std::nullopt;
    *side = {load.in.slot, load.access.base, load.access.strides};
  }
  return p;
}

}  // namespace viva::loops
