// What layers share: parameters from initialisers, and checks.
#pragma once

#include "trace/graph.h"
#include "trace/operand.h"
#include "viva/nn.h"

namespace viva::tracing {

// A parameter from a user's initialiser, or from the layer's own where that is empty. Throws a usage error where it has
// another shape or dtype.
Tensor parameter(const Initializer& given, const Initializer& otherwise, const Key& k, const Shape& shape, Fans fans,
                 Dtype d, Where where);
// What a layer is applied to. Throws a usage error where it is no float: whoever passes raw pixels or labels should say
// how they become numbers.
Tensor floats(const Arg& x, std::string_view layer);
// n, which is at least 1.
int64_t positive(int64_t n, std::string_view layer, std::string_view what, Where where);
// Adds a vector along an axis; an empty one changes nothing.
Tensor with_bias(const Tensor& x, const Tensor& bias, int64_t axis, Where where);
Tensor with_scale(const Tensor& x, const Tensor& scale, int64_t axis, Where where);

}  // namespace viva::tracing
