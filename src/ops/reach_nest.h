// Element sets through one loop nest.
#pragma once

#include "loops/nest.h"
#include "ops/reach.h"

namespace viva {

// One output for each store; sizes: their numbers of elements. Nothing where the nest has too many points to walk.
std::optional<std::vector<Reached>> reach_nest(const loops::Nest& nest, std::span<const Reached* const> operands,
                                               const std::vector<Type>& outputs, ElementSets& sets);

}  // namespace viva
