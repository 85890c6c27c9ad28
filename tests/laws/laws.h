// Checks that hold for every function: what the laws fold over the catalogue.
#pragma once

#include <string>

#include "graph/opdef.h"

namespace viva::laws {

// "" where the law holds, else what broke it.
using Report = std::string;
using Arrays = std::vector<Array>;

// A function and arguments at which it is smooth.
struct Case {
  Body f;
  Arrays args;
};

Case case_of(const OpDef& op, const Sample& s);  // one node over parameters
Mask float_params(const Function& f);
bool has(const Mask& m);

// |a - b| <= tolerance · max(1, |a|, |b|) for every float element; other elements equal. NaN equals NaN.
Report close(const Arrays& a, const Arrays& b, double tolerance);
// Numbers in [-1, 1] of a type, a function of the seed.
Array direction(const Type& t, uint32_t seed);
Arrays directions(const std::vector<Type>& types, const Mask& which, uint32_t seed);

// jvp along random directions equals central differences in float64.
Report jvp_is_difference(const Case& c, const Mask& active, uint32_t seed);
// ⟨J t, c⟩ = ⟨t, Jᵀ c⟩ with J from jvp and Jᵀ from vjp.
Report vjp_is_adjoint(const Case& c, const Mask& active, uint32_t seed);
// For a function linear in the inputs marked: ⟨A x, y⟩ = ⟨x, Aᵀ y⟩.
Report transpose_is_adjoint(const Case& c, const Mask& linear, uint32_t seed);
// vmap over the inputs marked, with the batch axis at the front or at the end, equals one call an example.
Report vmap_is_loop(const Case& c, const Mask& batched, bool at_end, uint32_t seed);
// The simplified function gives the same bits.
Report simplify_keeps_bits(const Case& c);

// The transformed function with arguments of its own: tangents, cotangents or a batch drawn from the seed.
Case jvp_case(const Case& c, uint32_t seed);
Case vjp_case(const Case& c, uint32_t seed);
Case vmap_case(const Case& c, uint32_t seed);

}  // namespace viva::laws
