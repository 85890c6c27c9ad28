// What the functions of tensors share: dtypes, broadcasting and axes of operands.
#pragma once

#include "base/error.h"
#include "trace/scope.h"
#include "viva/functions.h"

namespace viva::tracing {

Error usage_at(Where where, std::string message);

// The dtype of a result of these operands; a number follows the tensors.
Dtype common_dtype(std::initializer_list<const Arg*> args);
// The operand as a tensor of this dtype.
Tensor as_tensor(const Arg& a, Dtype d);
// The operand as a tensor: a number becomes float32, int32 or bool.
Tensor as_tensor(const Arg& a);
// The same, of a float dtype.
Tensor as_float(const Arg& a);
// What means and the like of a float dtype are summed in: float32 for the halves, whose sums overflow and lose digits.
inline Dtype summed_in(Dtype d) { return size_of(d) == 2 ? Dtype::float32 : d; }
Tensor converted(const Tensor& t, Dtype d, Where where);
// t stretched to a shape it broadcasts to.
Tensor stretched(const Tensor& t, const Shape& shape, Where where);
// Dimension i of t becomes dimension dims[i].
Tensor spread(const Tensor& t, const Shape& shape, const Ints& dims, Where where);
Tensor reshaped(const Tensor& t, const Shape& shape, Where where);
// Elements start, start + stride, … below stop along an axis.
Tensor part(const Tensor& t, int64_t axis, int64_t start, int64_t stop, Where where = {}, int64_t stride = 1);
Tensor permuted(const Tensor& t, const Ints& permutation, Where where);
bool holds(Dtype d, const Number& v);                  // true but for an integer outside an integer dtype
Tensor number(const Number& v, Dtype d, Where where);  // a scalar
// The leading extent that arrays from `first` on have in common with `extent`, where that is not negative; empty ones
// aside. Throws where one has another, or no dimension.
int64_t leading_extent(const std::vector<Tensor>& xs, size_t first, int64_t extent, std::string_view what, Where where);
Shape broadcast_shape(const Shape& a, const Shape& b, std::string_view what, Where where);

// axis in 0 … rank - 1; throws where it is outside.
int64_t axis_in(int64_t axis, int64_t rank, std::string_view what, Where where);
Ints axes_in(const Axes& axes, int64_t rank, std::string_view what, Where where);  // ascending

}  // namespace viva::tracing
