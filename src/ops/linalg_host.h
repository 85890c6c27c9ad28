// The algorithms on single matrices, row-major and dense, by Eigen. What cannot be computed (elements that are not
// finite, a factorisation that fails or does not converge) gives NaN everywhere.
#pragma once

#include <complex>
#include <cstdint>

#include "base/dtype.h"

namespace viva::host {

struct Call {
  Dtype dtype = Dtype::float64;
  int64_t m = 0, n = 0;  // of operand 0
  int64_t k = 0;         // columns of the last operand
  bool lower = false, transpose = false, conjugate = false, unit = false;
};
using Function = void (*)(const Call& c, const void* const* in, void* const* out);

void cholesky(const Call& c, const void* const* in, void* const* out);          // a -> L
void triangular_solve(const Call& c, const void* const* in, void* const* out);  // a, b -> x
void lu(const Call& c, const void* const* in, void* const* out);                // a -> LU, pivots, permutation
void qr(const Call& c, const void* const* in, void* const* out);                // a -> Q, R
void eigh(const Call& c, const void* const* in, void* const* out);              // a -> w, V
void svd(const Call& c, const void* const* in, void* const* out);               // a -> U, s, Vᴴ

// n complex numbers in place.
class Fourier {
 public:
  Fourier();
  ~Fourier();
  void run(std::complex<double>* x, int64_t n, bool inverse);

 private:
  struct Plans;
  Plans* plans_;
};

}  // namespace viva::host
