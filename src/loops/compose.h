// Fusing: nests become one nest. Every function returns nullopt where the fusion has no description; results are
// simplified (equal instructions shared, unused ones dropped). Whether a legal fusion pays is the planner's decision.
#pragma once

#include <optional>

#include "loops/nest.h"

namespace viva::loops {

// Substitutes store `output` of an elementwise producer (no reduction, scan or scatter; a dense store) into every load
// of operand `slot` of the consumer, through affine, guarded and indirect accesses; the fill of a guarded load still
// applies outside. The operands are the consumer's without `slot`, then the producer's.
std::optional<Nest> compose(const Nest& producer, const Nest& consumer, int slot, int output = 0);

// Continues store `output` of any producer with an elementwise consumer over the same points that loads `slot` only at
// the identity (up to a permutation of the loops): an epilogue of a reduction or contraction. The other stores of the
// producer stay. Operands: the producer's, then the consumer's without `slot`. Stores: the producer's without
// `output` (kept, in place, if keep), then the consumer's.
std::optional<Nest> append(const Nest& producer, const Nest& consumer, int slot, int output = 0, bool keep = false);

// Two nests over the same loops as one. Operands and stores: those of a, then those of b.
std::optional<Nest> join(const Nest& a, const Nest& b);

// Operand i becomes operand slots[i] of `operands` (which may repeat, to share an array that comes in twice).
Nest rename_operands(const Nest& nest, std::span<const int> slots, std::vector<Type> operands);

// The nest for an operand whose dimensions lie in memory in another order, outermost first. No scatter may start from
// it.
Nest with_operand_order(Nest nest, int slot, const Ints& order);

// The nest with its parallel loops, and so its dense outputs, in another order, outermost first. nullopt where a store
// is not dense over the loops in some order, or is a scatter, whose updates come in the order of the loops.
std::optional<Nest> with_result_order(Nest nest, const Ints& order);

// The copy of an array whose dimensions lie in the order `from` into one in the order `to`.
Nest reordering(const Type& type, const Ints& from, const Ints& to);

// Shares equal instructions and drops unused ones; the operand list stays.
Nest simplified(const Nest& nest);

}  // namespace viva::loops
