// By the vector functions of glibc (libmvec), which promise 4 ulp; elsewhere by the scalar ones.
#include "loops/vector_math.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#if defined(__AVX2__) && defined(__FMA__) && defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
#define VIVA_LIBMVEC 1
#include <immintrin.h>

// The names of the vector ABI: d for AVX2, N without a mask, the number of lanes, a v for each argument.
extern "C" {
__m256 _ZGVdN8v_expf(__m256);
__m256d _ZGVdN4v_exp(__m256d);
__m256 _ZGVdN8v_expm1f(__m256);
__m256d _ZGVdN4v_expm1(__m256d);
__m256 _ZGVdN8v_logf(__m256);
__m256d _ZGVdN4v_log(__m256d);
__m256 _ZGVdN8v_log1pf(__m256);
__m256d _ZGVdN4v_log1p(__m256d);
__m256 _ZGVdN8v_sinf(__m256);
__m256d _ZGVdN4v_sin(__m256d);
__m256 _ZGVdN8v_cosf(__m256);
__m256d _ZGVdN4v_cos(__m256d);
__m256 _ZGVdN8v_tanhf(__m256);
__m256d _ZGVdN4v_tanh(__m256d);
__m256 _ZGVdN8v_erff(__m256);
__m256d _ZGVdN4v_erf(__m256d);
__m256 _ZGVdN8vv_powf(__m256, __m256);
__m256d _ZGVdN4vv_pow(__m256d, __m256d);
}
#endif

namespace viva::loops {
namespace {

#ifdef VIVA_LIBMVEC

template <class T> struct Lanes;
template <> struct Lanes<float> {
  using Vector = __m256;
};
template <> struct Lanes<double> {
  using Vector = __m256d;
};
template <class T> using Vector = typename Lanes<T>::Vector;
template <class T> constexpr int64_t width = 32 / static_cast<int64_t>(sizeof(T));

template <class T> Vector<T> load(const T* p) {
  Vector<T> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

// f over all elements; those beyond the last whole vector go through one that is filled up with 1.
template <class T, class F, class... X> void each(void* out, int64_t n, F f, const X*... in) {
  auto* o = static_cast<T*>(out);
  int64_t i = 0;
  for (; i + width<T> <= n; i += width<T>) {
    const Vector<T> y = f(load(in + i)...);
    std::memcpy(o + i, &y, sizeof y);
  }
  if (i == n) return;
  const auto count = static_cast<size_t>(n - i) * sizeof(T);
  const auto filled = [&](const T* x) {
    T some[width<T>];
    std::fill_n(some, width<T>, T(1));
    std::memcpy(some, x + i, count);
    return load(some);
  };
  const Vector<T> y = f(filled(in)...);
  std::memcpy(o + i, &y, count);
}

template <auto narrow, auto wide> struct By {
  template <class... X> __m256 operator()(__m256 x, X... more) const { return narrow(x, more...); }
  template <class... X> __m256d operator()(__m256d x, X... more) const { return wide(x, more...); }
};
// Far below what e^x can show, where the library goes from lane to lane, the result is 0: masked scores are there.
struct exp_of {
  __m256 operator()(__m256 x) const {
    const __m256 none = _mm256_cmp_ps(x, _mm256_set1_ps(-104), _CMP_LT_OQ);  // log of half the least float: -103.97
    return _mm256_andnot_ps(none, _ZGVdN8v_expf(_mm256_andnot_ps(none, x)));
  }
  __m256d operator()(__m256d x) const {
    const __m256d none = _mm256_cmp_pd(x, _mm256_set1_pd(-746), _CMP_LT_OQ);  // of half the least double: -745.13
    return _mm256_andnot_pd(none, _ZGVdN4v_exp(_mm256_andnot_pd(none, x)));
  }
};
using expm1_of = By<_ZGVdN8v_expm1f, _ZGVdN4v_expm1>;
using log_of = By<_ZGVdN8v_logf, _ZGVdN4v_log>;
using log1p_of = By<_ZGVdN8v_log1pf, _ZGVdN4v_log1p>;
using sin_of = By<_ZGVdN8v_sinf, _ZGVdN4v_sin>;
using cos_of = By<_ZGVdN8v_cosf, _ZGVdN4v_cos>;
using tanh_of = By<_ZGVdN8v_tanhf, _ZGVdN4v_tanh>;
using erf_of = By<_ZGVdN8v_erff, _ZGVdN4v_erf>;
using pow_of = By<_ZGVdN8vv_powf, _ZGVdN4vv_pow>;

#else

template <class T, class F, class... X> void each(void* out, int64_t n, F f, const X*... in) {
  auto* o = static_cast<T*>(out);
  for (int64_t i = 0; i < n; ++i) o[i] = f(in[i]...);
}

template <auto f> struct By {
  template <class... T> auto operator()(T... x) const { return f(x...); }
};
using exp_of = By<[](auto x) { return std::exp(x); }>;
using expm1_of = By<[](auto x) { return std::expm1(x); }>;
using log_of = By<[](auto x) { return std::log(x); }>;
using log1p_of = By<[](auto x) { return std::log1p(x); }>;
using sin_of = By<[](auto x) { return std::sin(x); }>;
using cos_of = By<[](auto x) { return std::cos(x); }>;
using tanh_of = By<[](auto x) { return std::tanh(x); }>;
using erf_of = By<[](auto x) { return std::erf(x); }>;
using pow_of = By<[](auto x, auto y) { return std::pow(x, y); }>;

#endif

}  // namespace

template <class T> void VectorMath<T>::exp(void* out, const void* const* in, int64_t n) {
  each<T>(out, n, exp_of{}, static_cast<const T*>(in[0]));
}
template <class T> void VectorMath<T>::expm1(void* out, const void* const* in, int64_t n) {
  each<T>(out, n, expm1_of{}, static_cast<const T*>(in[0]));
}
template <class T> void VectorMath<T>::log(void* out, const void* const* in, int64_t n) {
  each<T>(out, n, log_of{}, static_cast<const T*>(in[0]));
}
template <class T> void VectorMath<T>::log1p(void* out, const void* const* in, int64_t n) {
  each<T>(out, n, log1p_of{}, static_cast<const T*>(in[0]));
}
template <class T> void VectorMath<T>::sin(void* out, const void* const* in, int64_t n) {
  each<T>(out, n, sin_of{}, static_cast<const T*>(in[0]));
}
template <class T> void VectorMath<T>::cos(void* out, const void* const* in, int64_t n) {
  each<T>(out, n, cos_of{}, static_cast<const T*>(in[0]));
}
template <class T> void VectorMath<T>::tanh(void* out, const void* const* in, int64_t n) {
  each<T>(out, n, tanh_of{}, static_cast<const T*>(in[0]));
}
template <class T> void VectorMath<T>::erf(void* out, const void* const* in, int64_t n) {
  each<T>(out, n, erf_of{}, static_cast<const T*>(in[0]));
}
template <class T> void VectorMath<T>::pow(void* out, const void* const* in, int64_t n) {
  each<T>(out, n, pow_of{}, static_cast<const T*>(in[0]), static_cast<const T*>(in[1]));
}

namespace {

// o = exp(-|x|), which never overflows.
template <class T> void falling(T* __restrict o, const T* __restrict x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) o[i] = -std::abs(x[i]);
  each<T>(o, n, exp_of{}, static_cast<const T*>(o));
}

}  // namespace

// With e = exp(-|x|): 1 / (1 + e) for x >= 0, else e / (1 + e), which keeps the tail.
template <class T> void VectorMath<T>::logistic(void* out, const void* const* in, int64_t n) {
  auto* __restrict o = static_cast<T*>(out);
  const auto* __restrict x = static_cast<const T*>(in[0]);
  falling(o, x, n);
  for (int64_t i = 0; i < n; ++i) o[i] = (x[i] >= 0 ? T(1) : o[i]) / (T(1) + o[i]);
}

// max(x, 0) + log(1 + exp(-|x|))
template <class T> void VectorMath<T>::softplus(void* out, const void* const* in, int64_t n) {
  auto* __restrict o = static_cast<T*>(out);
  const auto* __restrict x = static_cast<const T*>(in[0]);
  falling(o, x, n);
  each<T>(o, n, log1p_of{}, static_cast<const T*>(o));
  for (int64_t i = 0; i < n; ++i) o[i] = (x[i] < 0 ? T(0) : x[i]) + o[i];  // NaN is not below 0
}

template struct VectorMath<float>;
template struct VectorMath<double>;

}  // namespace viva::loops
