// Functions of analysis over arrays of float or double: within 4 ulp, and the same bits wherever in an array an element
// stands. Each is a TileFn: out[i] = f(in[0][i], …).
#pragma once

#include <cstdint>

namespace viva::loops {

template <class T> struct VectorMath {
  static void exp(void* out, const void* const* in, int64_t n);
  static void expm1(void* out, const void* const* in, int64_t n);
  static void log(void* out, const void* const* in, int64_t n);
  static void log1p(void* out, const void* const* in, int64_t n);
  static void sin(void* out, const void* const* in, int64_t n);
  static void cos(void* out, const void* const* in, int64_t n);
  static void tanh(void* out, const void* const* in, int64_t n);
  static void erf(void* out, const void* const* in, int64_t n);
  static void logistic(void* out, const void* const* in, int64_t n);
  static void softplus(void* out, const void* const* in, int64_t n);
  static void pow(void* out, const void* const* in, int64_t n);
};
extern template struct VectorMath<float>;
extern template struct VectorMath<double>;

}  // namespace viva::loops
