// Checks that hold for every function: what the laws fold over the catalogue.
#pragma once

#include <span>
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

// |a - b| <= tolerance · max(1, |a|, |b|) for every float and part of a complex number; other elements equal. NaN
// equals NaN.
Report close(const Arrays& a, const Arrays& b, double tolerance);
// Numbers in [-1, 1] of a type, a function of the seed.
Array direction(const Type& t, uint32_t seed);
// A complex array as one of pairs of floats, and back; others as they are.
Array reals(const Array& a);
Array packed(const Type& t, const Array& numbers);
bool is_double(Dtype d);  // float64 or complex128
Arrays directions(const std::vector<Type>& types, const Mask& which, uint32_t seed);
// args + h · tangents at the inputs marked, of doubles.
Arrays moved(const Arrays& args, const Mask& active, const Arrays& tangents, double h);
// n examples near x along the axis, the first x itself, so that it stays where the function is smooth.
Array batch_of(const Array& x, int64_t axis, int64_t n, uint32_t seed);

// jvp along random directions equals central differences in float64.
Report jvp_is_difference(const Case& c, const Mask& active, uint32_t seed);
// ⟨J t, c⟩ = ⟨t, Jᵀ c⟩ with J from jvp and Jᵀ from vjp; ⟨x, y⟩ is Σ Re(x·y).
Report vjp_is_adjoint(const Case& c, const Mask& active, uint32_t seed);
// For a function linear in the inputs marked: ⟨A x, y⟩ = ⟨x, Aᵀ y⟩.
Report transpose_is_adjoint(const Case& c, const Mask& linear, uint32_t seed);
// vmap over the inputs marked, with the batch axis at the front or at the end, equals one call an example.
Report vmap_is_loop(const Case& c, const Mask& batched, bool at_end, uint32_t seed);
// The simplified function gives the same bits.
Report simplify_keeps_bits(const Case& c);

// Forward and reverse Jacobians of output 0 in the first float parameter agree, and with jvp along random directions.
Report jacobians_are_jvp(const Case& c, uint32_t seed);
// hvp of a scalar function equals central differences of its gradient.
Report hvp_is_difference(const Case& c, uint32_t seed);
// Every law above that applies to the function.
Report all_laws(const Case& c, uint32_t seed);

// What differentiates and is differentiated in float64 and complex128 alone, and has a parameter of theirs.
bool only_float64(const Case& c);

// A transformation of a function together with its arguments: tangents, cotangents or a batch drawn from the seed.
// Gives the case back where there is nothing to transform.
struct Transformation {
  const char* name;
  Case (*apply)(const Case& c, uint32_t seed);
};
std::span<const Transformation> transformations();

Case jvp_case(const Case& c, uint32_t seed);
Case vjp_case(const Case& c, uint32_t seed);
Case vmap_case(const Case& c, uint32_t seed);

}  // namespace viva::laws
