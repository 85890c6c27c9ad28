// What custom_rule and linear_call share.
#pragma once

#include "graph/deferred.h"
#include "ops/catalog.h"
#include "ops/structure.h"

namespace viva {

namespace ops {
extern const OpList custom, linear_calling;
}

// The running transformations anew, for functions that are made after a request has ended. Defined in transform/.
std::unique_ptr<Transforms> fresh_transforms();

// f in place of a call, linear in the parameters marked together; a null argument is zero, and a null result is too.
// Nodes of which every linear operand is zero are left out.
Values inline_linear(Build& b, const Function& f, Ins args, const Mask& linear);
// Throws a usage error where the function that stands for a rule written in C++ was read from text.
void require_rule(const Function& f, const Function& of);
// Throws a usage error where f does not give these types; what: "the jvp rule".
void require_outputs(const Function& f, std::span<const Type> out, std::string_view what);
// The operands with their batch axes, where they have some, in front.
Values with_axes_in_front(Build& b, Ins in, std::span<const int> axis);
std::vector<int> front_axes(std::span<const int> axis);  // 0 where there is one, else -1
// The linear function that f is in all parameters from `known` on, the other way; what: "custom_vjp", for errors.
Body transposed_later(const Body& f, size_t known);

}  // namespace viva
