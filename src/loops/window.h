// Windows that move along the dimensions of an array: their geometry, and kernels that find, fetch and put back one
// element of each.
#pragma once

#include <vector>

#include "base/dtype.h"
#include "base/shape.h"

namespace viva {
class ThreadPool;
}

namespace viva::loops {

// Element k of the window at position y lies at y·stride + k·dilation - low of the operand whose elements were spread
// base_dilation apart; between them and outside are holes.
struct WindowAxis {
  int64_t extent = 0, size = 1, stride = 1, low = 0, high = 0, base_dilation = 1, dilation = 1;

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
  bool has_holes() const {
    const int64_t last = (positions() - 1) * stride + (size - 1) * dilation - low;
    return base_dilation > 1 || low > 0 || last >= extent;
  }
  // Windows of one element, each over its own.
  bool plain() const { return size == 1 && stride == 1 && low == 0 && high == 0 && base_dilation == 1; }
};

// The kernels for arrays that lie in memory with these strides, one for each dimension, in elements. An offset is the
// row-major place inside the window, below 2^31. Bits do not depend on the pool.
class WindowKernel {
 public:
  struct Axis {
    WindowAxis window;
    int64_t operand_stride = 0, result_stride = 0, offset_stride = 0;
  };
  explicit WindowKernel(const std::vector<Axis>& axes);

  // offset = that of the first greatest element or the first NaN in each window; 0 where it has no element.
  void argmax(Dtype d, const void* operand, Dtype offset_dtype, void* offset, ThreadPool& pool) const;
  // result = the element at that offset; 0 where the window has no element.
  void max(Dtype d, const void* operand, void* result, ThreadPool& pool) const;
  // result = the element at the offset; 0 where that is a hole, or outside the window.
  void gather(Dtype d, const void* operand, Dtype offset_dtype, const void* offset, void* result,
              ThreadPool& pool) const;
  // operand = the sums of the results whose offsets lead to each element, rounded once; integers wrap.
  void scatter(Dtype d, const void* result, Dtype offset_dtype, const void* offset, void* operand,
               ThreadPool& pool) const;

 private:
  struct Windowed {     // an axis along which the window extends or may meet holes
    size_t axis = 0;    // of axes_
    int64_t count = 1;  // of offsets between two places along it
  };
  struct Run;
  template <class F> void each_run(bool exclusive, ThreadPool& pool, F&& f) const;
  template <class F> void each_place(const Run& r, F&& f) const;
  void set_places();
  int64_t step() const { return inner().window.stride * inner().operand_stride; }  // of a run, in the operand
  const Axis& inner() const { return axes_.back(); }

  std::vector<Axis> axes_;          // the outermost of the results first, the one of the runs last
  std::vector<Windowed> windowed_;  // in the order of the dimensions
  Ints places_;                     // elements from a window's first place to each, where windows hold no holes
  int64_t operand_elements_ = 1, places_in_window_ = 1;
  bool apart_ = true;   // no two windows share an element
  bool covers_ = true;  // every element is in a window
};

}  // namespace viva::loops
