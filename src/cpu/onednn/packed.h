// Products with a matrix that is known when the plan is made, packed once.
#pragma once

#include <map>
#include <optional>

#include "cpu/onednn/engine.h"

namespace viva::cpu::onednn {

// rows × k times k × n, both row-major and dense. To the library it is a convolution of an image of `rows` points and k
// channels by a kernel of one element: the only form in which it keeps packed matrices of float32 without AVX-512.
class PackedMatrix {
 public:
  // The matrix lies at `data` with these strides. row_counts: of the products to come. Nothing where the library has no
  // fast kernel.
  static std::optional<PackedMatrix> of(const float* data, int64_t k, int64_t n, int64_t k_stride, int64_t n_stride,
                                        std::span<const int64_t> row_counts);
  void multiply(const float* x, float* result, int64_t rows) const;

 private:
  struct Variant {
    dnnl::primitive run;
    dnnl::memory::desc x, result, scratch;
  };
  std::map<int64_t, Variant> variants_;  // by rows
  dnnl::memory::desc layout_;
  Array packed_;
};

}  // namespace viva::cpu::onednn
