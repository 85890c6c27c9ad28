// The geometry of a window that moves along one dimension, shared by conv_general and the window operations.
#pragma once

#include "graph/dims.h"
#include "loops/nest.h"
#include "loops/window.h"
#include "ops/record.h"

namespace viva {

struct WindowAxis : loops::WindowAxis {
  // Throws a usage error on strides and dilations below 1 and on lengths beyond 2^50.
  void check() const;

  // The axis of a window that runs backwards over the results and gives, in `extent` positions, the sum of all that an
  // operand's element contributed to: y·stride = i·base_dilation - k·dilation + low, with k counted from the far end.
  WindowAxis toward_operand() const;
  // The axis that gives, in `size` positions, what each element of the window saw: the results are the window.
  WindowAxis toward_window() const;
};

std::vector<WindowAxis> axes_of(const WindowDims& d, const Shape& operand);
// How many positions a window has along each dimension. Throws a usage error on dims that do not fit the operand.
Shape window_positions(const WindowDims& d, const Type& operand);
// The same windows over operands with one more dimension, along which they do not extend.
WindowDims batched(WindowDims d, int64_t at);

// Whether some window may see padding and holes alone.
bool may_be_empty(const WindowDims& d, const Shape& operand);

// The dtype in which sums of `operand` that give `result` are accumulated, to be rounded once. Integers wrap at every
// width alike, so 64 unsigned bits serve them all.
inline Dtype accumulator_of(Dtype operand, Dtype result) {
  if (is_integer(result)) return Dtype::uint64;
  if (is_complex(result)) return size_of(operand) == 16 || size_of(result) == 16 ? Dtype::complex128 : Dtype::complex64;
  return operand == Dtype::float64 || result == Dtype::float64 ? Dtype::float64 : Dtype::float32;
}

// Calls f(Tag<A>{}) with the C++ type of an accumulator.
template <class F> void dispatch_accumulator(Dtype accumulator, F&& f) {
  if (accumulator == Dtype::uint64) return f(Tag<uint64_t>{});
  if (accumulator == Dtype::float64) return f(Tag<double>{});
  if (accumulator == Dtype::complex64) return f(Tag<std::complex<float>>{});
  if (accumulator == Dtype::complex128) return f(Tag<std::complex<double>>{});
  f(Tag<float>{});
}

}  // namespace viva
