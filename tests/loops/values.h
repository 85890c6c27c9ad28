// Random arrays, and scalar functions as operations would give them.
#pragma once

#include <cmath>
#include <random>

#include "base/array.h"
#include "loops/nest.h"

namespace viva::loops::test {

// Small whole numbers for exact sums, or normal numbers.
inline Array random_array(Type type, std::mt19937_64& rng, bool small = false) {
  Array a = Array::make(type);
  dispatch(type.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::normal_distribution<double> normal;
    for (T& v : a.as_mutable<T>()) {
      const double x = small ? static_cast<double>(static_cast<int64_t>(rng() % 9) - 4) : normal(rng);
      if constexpr (std::is_same_v<T, bool>) v = (rng() & 1) != 0;
      else if constexpr (is_std_complex<T>)
        v = T(static_cast<typename T::value_type>(x), static_cast<typename T::value_type>(small ? -x : normal(rng)));
      else if constexpr (std::is_integral_v<T>)
        v = small ? static_cast<T>(static_cast<int64_t>(x)) : static_cast<T>(rng());
      else v = convert_element<T>(x);
    }
  });
  return a;
}

// Scalar functions as an operation would give them.
template <class T, T (*f)(T, T)> void binary_tile(void* out, const void* const* in, int64_t n) {
  for (int64_t i = 0; i < n; ++i)
    static_cast<T*>(out)[i] = f(static_cast<const T*>(in[0])[i], static_cast<const T*>(in[1])[i]);
}
template <class T> T add(T a, T b) { return a + b; }
template <class T> T mul(T a, T b) { return a * b; }
template <class T> T sub(T a, T b) { return a - b; }
template <class T> void exp_tile(void* out, const void* const* in, int64_t n) {
  for (int64_t i = 0; i < n; ++i) static_cast<T*>(out)[i] = std::exp(static_cast<const T*>(in[0])[i]);
}
inline Register add_f32(Nest& n, Register a, Register b) {
  return n.apply(binary_tile<float, add<float>>, Dtype::float32, {a, b}, "add");
}
inline Register mul_f32(Nest& n, Register a, Register b) {
  return n.apply(binary_tile<float, mul<float>>, Dtype::float32, {a, b}, "mul");
}
inline Register sub_f32(Nest& n, Register a, Register b) {
  return n.apply(binary_tile<float, sub<float>>, Dtype::float32, {a, b}, "sub");
}

}  // namespace viva::loops::test
