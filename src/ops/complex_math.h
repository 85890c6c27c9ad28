// Element functions of complex numbers that the standard library lacks, or has with other conventions; the real ones
// beside them, so that templates take both.
#pragma once

#include <cmath>
#include <complex>

#include "base/dtype.h"

namespace viva {

// v, never joined with what follows to a fused operation: GCC 12 makes vfmaddsub of complex products in loops, against
// -ffp-contract=off, and the tail of the loop then has other bits.
template <class R> R rounded(R v) {
#if defined(__GNUC__) && !defined(__clang__)
  return __builtin_assoc_barrier(v);
#else
  return v;
#endif
}

// (ac - bd) + (ad + bc)i, with no mending of infinities: as sums of products give it too.
template <class T> T product(T x, T y) {
  if constexpr (is_std_complex<T>)
    return T(rounded(x.real() * y.real()) - rounded(x.imag() * y.imag()),
             rounded(x.real() * y.imag()) + rounded(x.imag() * y.real()));
  else return x * y;
}

template <class T> auto real_part(T x) {
  if constexpr (is_std_complex<T>) return x.real();
  else return x;
}

// x / |x|, and x where it is 0. Scaled, so that |x| neither overflows nor vanishes.
template <class R> std::complex<R> complex_sign(std::complex<R> x) {
  const R size = std::fmax(std::abs(x.real()), std::abs(x.imag()));
  if (size == 0) return x;
  const std::complex<R> scaled(x.real() / size, x.imag() / size);
  return scaled / std::abs(scaled);
}

// e^x cos y - 1 = (e^x - 1) cos y - 2 sin²(y/2)
template <class R> std::complex<R> complex_expm1(std::complex<R> z) {
  const R e = std::expm1(z.real()), half = std::sin(z.imag() / 2);
  if (z.imag() == 0) return {e, z.imag()};
  if (!std::isfinite(e)) return std::exp(z) - R(1);
  return {e * std::cos(z.imag()) - 2 * half * half, (e + 1) * std::sin(z.imag())};
}

// log|1 + z|² = log1p(x (2 + x) + y²), for numbers whose squares are small.
template <class R> std::complex<R> complex_log1p(std::complex<R> z) {
  const R x = z.real(), y = z.imag();
  if (!(std::abs(x) < R(0.5) && std::abs(y) < R(0.5))) return std::log(std::complex<R>(1 + x, y));
  return {std::log1p(x * (2 + x) + y * y) / 2, std::atan2(y, 1 + x)};
}

// By e^(y log x); 1 for y = 0, also at x = 0, where other powers are 0 if Re y > 0.
template <class R> std::complex<R> complex_pow(std::complex<R> x, std::complex<R> y) {
  if (y == std::complex<R>()) return R(1);
  if (x == std::complex<R>() && y.real() > 0) return std::complex<R>();
  return std::pow(x, y);
}

}  // namespace viva
