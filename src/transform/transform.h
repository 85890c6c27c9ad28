// Transformations of functions: from function to function, so that they nest in any order and to any depth.
#pragma once

#include "graph/opdef.h"

namespace viva {

// Parameters: f's, then a tangent for each active one. Outputs: f's, then a tangent for each float output.
// Throws an unsupported error that names every operation on the way that has no rule, and why.
Body jvp(const Body& f, const Mask& active);

// primal: f's parameters to f's outputs, then the residuals. linear: the residuals, then a tangent for each active
// parameter, to a tangent for each float output.
struct Linearized {
  Body primal, linear;
  int64_t residuals = 0;
};
Linearized linearize(const Body& f, const Mask& active);

// A function that is linear in the inputs marked. Parameters: the others, then a cotangent for each output. Outputs: a
// cotangent for each marked input.
Body transpose(const Body& f, const Mask& linear);

// f for each of `size` examples. axes: where the batch axis goes in each parameter, -1 where all examples share it.
// out_axes: where it goes in each output, -1 for one that is the same for all examples; empty: 0 everywhere.
Body vmap(const Body& f, const std::vector<int>& axes, int64_t size, const std::vector<int>& out_axes = {});

// Derivatives along curves: series of `order` derivatives d^k x / dt^k at t = 0, k from 1. given[i · order + k - 1]
// marks the derivatives of parameter i that are not zero. Parameters: f's, then those derivatives. Outputs: f's, then
// all `order` derivatives of each float output. Throws a usage error where the order is not 1 to 170.
Body jet(const Body& f, const Mask& given, int64_t order);
// The derivatives of that order of t ↦ f(x + t·v), summed over `directions` directions v; what depends on the
// directions one by one goes no higher than order - 1. Parameters: f's, then directions of shape [directions,
// parameter…] for each active one. Outputs: f's, then the sum for each float output.
Body collapsed_jet(const Body& f, const Mask& active, int64_t order, int64_t directions);
// Outputs: f's, then for each float output the sum of its second derivatives with respect to each element of the active
// parameters, which are floats.
Body laplacian(const Body& f, const Mask& active);

// Enclosures of what f gives for all parameters in a box. active: the parameters, of any dtype, that lie in an
// interval; the others are finite numbers, given as they are. Parameters: f's, of which the active ones are lower ends,
// then the upper ends of those. Outputs: the lower ends of f's outputs, then the upper ends. What holds: graph/bound.h.
Body bound(const Body& f, const Mask& active);

// From these:

// Parameters: f's, then a cotangent for each float output. Outputs: f's, then the cotangents of the active parameters.
Body vjp(const Body& f, const Mask& active);
// Gradients of f's first output, a float scalar. Parameters: f's. grad gives the gradients with respect to the active
// parameters; value_and_grad gives f's outputs before them.
Body grad(const Body& f, const Mask& active);
Body value_and_grad(const Body& f, const Mask& active);
// Hessian-vector product of the first output, forward over reverse. Parameters: f's, then a vector for each active one.
Body hvp(const Body& f, const Mask& active);
// d output 0 / d parameter, both floats: shape [output…, parameter…]. Forward: one tangent a parameter element;
// reverse: one cotangent an output element.
Body jacobian_forward(const Body& f, int64_t parameter);
Body jacobian_reverse(const Body& f, int64_t parameter);
// Second derivatives of the first output, a scalar, with respect to one parameter: shape [parameter…, parameter…].
Body hessian(const Body& f, int64_t parameter);
// The gradients of each of `size` examples: f takes one example; axes as for vmap. Outputs: batched at axis 0.
Body per_example_grad(const Body& f, const Mask& active, const std::vector<int>& axes, int64_t size);

// The same function with every float dtype, those of constants and parameters too, made `to`, and complex numbers those
// with parts of `to`. Throws an unsupported error at the line of a bitcast from or to a float, and of a complex number
// that would have parts of 16 bits.
Body retype(const Body& f, Dtype to);

// The same function under another name.
Body renamed(const Body& f, std::string name);

}  // namespace viva
