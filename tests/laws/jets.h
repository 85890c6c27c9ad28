// The laws of series, for every function.
#pragma once

#include "laws/laws.h"

namespace viva::laws {

// Something floats in and a float comes out.
bool differentiable_case(const Case& c);
// The derivatives that jet gives to this order, along random series whose terms marked are not zero (empty: all), equal
// those of jvp nested so many times in the number t of f(x + t·v₁ + t²/2!·v₂ + …).
Report jet_is_nested_jvp(const Case& c, int64_t order, uint32_t seed, const Mask& terms = {});
// Collapsed derivatives along three random directions are the sum of those that jet gives along each.
Report collapsed_is_sum(const Case& c, int64_t order, uint32_t seed);
// The Laplacian by the first small float parameter is the trace of the Hessian, by jvp of jvp over the basis.
Report laplacian_is_trace(const Case& c);

// The function inside an operation that holds functions: run once by each, in the last step of two by scan and while.
std::vector<std::pair<std::string, Case>> inside_structures(const Case& c);

Case jet_case(const Case& c, uint32_t seed);        // order 2, along random series
Case laplacian_case(const Case& c, uint32_t seed);  // by the small float64 parameters

// What a function costs after simplify: products (mul, mul_no_nan, square and div of every element), and floating
// operations, of which a contraction has two for each product of elements (none for padding and holes).
int64_t products_of(const Body& f);
double flops_of(const Body& f);
// The part of contractions, in functions too: a scan's as often as it has steps, of branches the dearer.
double contractions_of(const Body& f);

}  // namespace viva::laws
