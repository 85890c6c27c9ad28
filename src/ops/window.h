// The geometry of a window that moves along one dimension, shared by conv_general and the window operations.
#pragma once

#include "loops/nest.h"
#include "ops/record.h"

namespace viva {

// Element k of the window at position y lies at y·stride + k·dilation - low of the operand whose elements were spread
// base_dilation apart; between them and outside are holes.
struct WindowAxis {
  int64_t extent = 0, size = 1, stride = 1, low = 0, high = 0, base_dilation = 1, dilation = 1;

  // Throws a usage error on strides and dilations below 1 and on lengths beyond 2^50.
  void check() const;
  static int64_t dilated(int64_t n, int64_t by) { return n == 0 ? 0 : (n - 1) * by + 1; }
  int64_t spread() const { return dilated(extent, base_dilation); }
  int64_t reach() const { return dilated(size, dilation); }
  int64_t positions() const {
    const int64_t room = low + spread() + high - reach();
    return room < 0 ? 0 : room / stride + 1;
  }
  // The operand's element under element k of window y, or -1 for a hole.
  int64_t source(int64_t y, int64_t k) const {
    const int64_t p = y * stride + k * dilation - low;
    return p < 0 || p % base_dilation != 0 || p / base_dilation >= extent ? -1 : p / base_dilation;
  }
  bool has_holes() const;

  // The axis of a window that runs backwards over the results and gives, in `extent` positions, the sum of all that an
  // operand's element contributed to: y·stride = i·base_dilation - k·dilation + low, with k counted from the far end.
  WindowAxis toward_operand() const;
  // The axis that gives, in `size` positions, what each element of the window saw: the results are the window.
  WindowAxis toward_window() const;
};

// The dtype in which sums of `operand` that give `result` are accumulated, to be rounded once. Integers wrap at every
// width alike, so 64 unsigned bits serve them all.
inline Dtype accumulator_of(Dtype operand, Dtype result) {
  if (is_integer(result)) return Dtype::uint64;
  return operand == Dtype::float64 || result == Dtype::float64 ? Dtype::float64 : Dtype::float32;
}

// Calls f(Tag<A>{}) with the C++ type of an accumulator.
template <class F> void dispatch_accumulator(Dtype accumulator, F&& f) {
  if (accumulator == Dtype::uint64) return f(Tag<uint64_t>{});
  if (accumulator == Dtype::float64) return f(Tag<double>{});
  f(Tag<float>{});
}

}  // namespace viva
