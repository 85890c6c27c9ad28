// 32-byte vectors of float and double with explicit fused multiply-add. Internal to loops/.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace viva::loops {

template <class T> inline constexpr bool has_vector = std::is_same_v<T, float> || std::is_same_v<T, double>;

template <class T> struct VectorOf;
template <> struct VectorOf<float> {
  typedef float type __attribute__((vector_size(32)));
};
template <> struct VectorOf<double> {
  typedef double type __attribute__((vector_size(32)));
};
template <> struct VectorOf<int32_t> {
  typedef uint32_t type __attribute__((vector_size(32)));
};
template <> struct VectorOf<int64_t> {
  typedef uint64_t type __attribute__((vector_size(32)));
};
template <class T> using Vector = typename VectorOf<T>::type;
template <class T> inline constexpr int64_t width = 32 / static_cast<int64_t>(sizeof(T));

// a·b + c, rounded once; the same bits in vectors and scalars.
inline float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double fused(double a, double b, double c) { return __builtin_fma(a, b, c); }
#if defined(__FMA__)
inline Vector<float> fused(Vector<float> a, Vector<float> b, Vector<float> c) { return _mm256_fmadd_ps(a, b, c); }
inline Vector<double> fused(Vector<double> a, Vector<double> b, Vector<double> c) { return _mm256_fmadd_pd(a, b, c); }
#else
template <class V>
V fused(V a, V b, V c)
  requires(sizeof(V) == 32)
{
  for (unsigned i = 0; i < sizeof(V) / sizeof(a[0]); ++i) c[i] = fused(a[i], b[i], c[i]);
  return c;
}
#endif

inline float square_root(float x) { return std::sqrt(x); }
inline double square_root(double x) { return std::sqrt(x); }
#if defined(__AVX__)
inline Vector<float> square_root(Vector<float> x) { return _mm256_sqrt_ps(x); }
inline Vector<double> square_root(Vector<double> x) { return _mm256_sqrt_pd(x); }
#else
template <class V>
V square_root(V x)
  requires(sizeof(V) == 32)
{
  for (unsigned i = 0; i < sizeof(V) / sizeof(x[0]); ++i) x[i] = std::sqrt(x[i]);
  return x;
}
#endif

template <class V, class T> V load_vector(const T* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class V, class T> void store_vector(T* p, V v) { std::memcpy(p, &v, sizeof v); }
// v in every lane. Subtracting 0 keeps -0, so it costs nothing.
template <class T> Vector<T> broadcast(T v) { return v - Vector<T>{}; }

// f(first, n) for at most 1024 elements; longer rows are cut in two, at a multiple of 128, and the halves added.
template <class T, class F, class Add> T halved(int64_t first, int64_t n, F&& f, Add&& add) {
  if (n <= 1024) return f(first, n);
  const int64_t half = (n / 2 + 127) / 128 * 128;
  const T left = halved<T>(first, half, f, add);
  return add(left, halved<T>(first + half, n - half, f, add));
}

// Lane j of 128 / sizeof(T) takes elements j, j + lanes, …; then the lanes are added by halving.
template <class T, class Step> T vector_fold(int64_t n, Step step) {
  using V = Vector<T>;
  constexpr int64_t w = width<T>, lanes = 4 * w;
  const auto piece = [&](int64_t k, int64_t count) {
    const int64_t end = k + count;
    V acc[4] = {};
    for (; k + lanes <= end; k += lanes)
      for (int64_t j = 0; j < 4; ++j) acc[j] = step.vector(acc[j], k + j * w);
    T lane[lanes];
    std::memcpy(lane, acc, sizeof acc);
    for (int64_t j = 0; k < end; ++k, ++j) lane[j] = step.scalar(lane[j], k);
    for (int64_t half = lanes / 2; half > 0; half /= 2)
      for (int64_t j = 0; j < half; ++j) lane[j] += lane[j + half];
    return lane[0];
  };
  return halved<T>(0, n, piece, [](T a, T b) { return a + b; });
}

template <class T> T vector_sum(const T* x, int64_t n) {
  struct Step {
    const T* x;
    Vector<T> vector(Vector<T> a, int64_t k) const { return a + load_vector<Vector<T>>(x + k); }
    T scalar(T a, int64_t k) const { return a + x[k]; }
  };
  return vector_fold<T>(n, Step{x});
}

template <class T> T vector_dot(const T* x, const T* y, int64_t n) {
  struct Step {
    const T *x, *y;
    Vector<T> vector(Vector<T> a, int64_t k) const {
      return fused(load_vector<Vector<T>>(x + k), load_vector<Vector<T>>(y + k), a);
    }
    T scalar(T a, int64_t k) const { return fused(x[k], y[k], a); }
  };
  return vector_fold<T>(n, Step{x, y});
}

}  // namespace viva::loops
