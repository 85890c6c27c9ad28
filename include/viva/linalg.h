// Linear algebra and Fourier transforms, by NumPy's names. Matrices are the last two axes of float32, float64,
// complex64 or complex128 (integers become float32); axes before are a batch. What cannot be factored gives NaN, never
// an error. Every function throws a usage error, with the line of the call, where shapes or dtypes do not fit.
#pragma once

#include "viva/functions.h"

namespace viva {

// L, lower, with L·Lᴴ = (x + xᴴ)/2, so that gradients are Hermitian too; NaN where x is not positive definite.
Tensor cholesky(const Arg& x);
enum class Op : uint8_t { none, transpose, adjoint };
// op(a)⁻¹·b, of the lower or upper half of a; unit: as if the diagonal held 1. b is a matrix or, with a's rank less 1,
// a vector.
Tensor solve_triangular(const Arg& a, const Arg& b, bool lower = false, Op op = Op::none, bool unit = false);
struct Lu {
  Tensor lu, pivots, permutation;  // x(permutation) = L·U, in one matrix; int32
};
Lu lu_factor(const Arg& x);
struct Qr {
  Tensor q, r;  // as many columns as the lesser extent; the diagonal of r is real and not negative
};
Qr qr(const Arg& x);
struct Eigh {
  Tensor values, vectors;  // ascending; in columns, the greatest element of each real and positive
};
Eigh eigh(const Arg& x);  // of (x + xᴴ)/2
struct Svd {
  Tensor u, s,
      vh;  // as many as the lesser extent, descending; the greatest element of each column of u real and positive
};
Svd svd(const Arg& x);

Tensor solve(const Arg& a, const Arg& b);  // a⁻¹·b by lu_factor; b as in solve_triangular
Tensor inv(const Arg& x);
Tensor det(const Arg& x);
struct SignLogDet {
  Tensor sign, log;  // det = sign·e^log
};
SignLogDet slogdet(const Arg& x);

// Σ x_k e^(-2πi jk/n) along an axis; the inverse divides by n. Of real input complex64 or complex128.
Tensor fft(const Arg& x, int64_t axis = -1);
Tensor ifft(const Arg& x, int64_t axis = -1);
Tensor rfft(const Arg& x, int64_t axis = -1);              // of real x: the first n/2 + 1 of fft
Tensor irfft(const Arg& x, int64_t n, int64_t axis = -1);  // n real numbers from n/2 + 1 complex ones

// zero + x / scale, rounded to even and saturated, in zero's dtype (int8 or uint8); and (q - zero)·scale in scale's.
Tensor quantize(const Arg& x, const Arg& scale, const Tensor& zero);
Tensor dequantize(const Tensor& q, const Arg& scale, const Tensor& zero);

}  // namespace viva
