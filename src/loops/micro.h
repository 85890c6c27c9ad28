// Register-tiled kernels of contractions. Internal to loops/.
#pragma once

#include <array>

#include "base/dtype.h"

namespace viva::loops {

// c[r][j] (+)= Σ_k a[k][r] · b[k][j] for r < rows, j < nr: a in panels of mr rows, b in panels of nr lanes, k in order.
// Floats use fused multiply-add, integers wrap.
struct Micro {
  using Fn = void (*)(int64_t k, const void* a, const void* b, void* c, int64_t c_row, bool add);
  int64_t mr = 0, nr = 0, element = 0;
  std::array<Fn, 7> rows{};  // by the number of rows, 1 to mr
};

// For float32, float64, int32, int64, complex64, complex128.
Micro micro(Dtype accumulator);

}  // namespace viva::loops
