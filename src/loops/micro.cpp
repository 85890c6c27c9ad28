#include "loops/micro.h"

#include "loops/simd.h"

namespace viva::loops {
namespace {

template <class V> V multiply_add(V a, V b, V c) {
  if constexpr (std::is_same_v<V, Vector<float>> || std::is_same_v<V, Vector<double>>) return fused(a, b, c);
  else return a * b + c;
}

constexpr int mr = 6;

// Two vectors wide: 12 accumulators, 2 vectors of b and 1 of a fill the 16 registers.
template <class T, int rows>
void vector_kernel(int64_t k, const void* a_, const void* b_, void* c_, int64_t c_row, bool add) {
  using V = Vector<T>;
  using E = std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, std::type_identity<T>>::type;
  constexpr int64_t w = width<T>;
  const auto* __restrict a = static_cast<const E*>(a_);
  const auto* __restrict b = static_cast<const E*>(b_);
  auto* __restrict c = static_cast<E*>(c_);
  V acc[rows][2] = {};
  for (int64_t i = 0; i < k; ++i) {
    const V b0 = load_vector<V>(b), b1 = load_vector<V>(b + w);
#pragma GCC unroll 6
    for (int r = 0; r < rows; ++r) {
      const V x = a[r] - V{};
      acc[r][0] = multiply_add(x, b0, acc[r][0]);
      acc[r][1] = multiply_add(x, b1, acc[r][1]);
    }
    a += mr;
    b += 2 * w;
  }
#pragma GCC unroll 6
  for (int r = 0; r < rows; ++r) {
    E* row = c + r * c_row;
    if (add) acc[r][0] += load_vector<V>(row), acc[r][1] += load_vector<V>(row + w);
    store_vector(row, acc[r][0]);
    store_vector(row + w, acc[r][1]);
  }
}

constexpr int complex_mr = 2;
constexpr int complex_nr = 4;

template <class T, int rows>
void complex_kernel(int64_t k, const void* a_, const void* b_, void* c_, int64_t c_row, bool add) {
  const auto* a = static_cast<const T*>(a_);
  const auto* b = static_cast<const T*>(b_);
  auto* c = static_cast<T*>(c_);
  T re[rows][complex_nr] = {}, im[rows][complex_nr] = {};
  for (int64_t i = 0; i < k; ++i, a += 2 * complex_mr, b += 2 * complex_nr) {
    for (int r = 0; r < rows; ++r) {
      for (int j = 0; j < complex_nr; ++j) {
        re[r][j] = fused(a[2 * r], b[2 * j], fused(-a[2 * r + 1], b[2 * j + 1], re[r][j]));
        im[r][j] = fused(a[2 * r], b[2 * j + 1], fused(a[2 * r + 1], b[2 * j], im[r][j]));
      }
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int j = 0; j < complex_nr; ++j) {
      T* at = c + 2 * (r * c_row + j);
      at[0] = add ? at[0] + re[r][j] : re[r][j];
      at[1] = add ? at[1] + im[r][j] : im[r][j];
    }
  }
}

template <class T> Micro vector_micro() {
  return {.mr = mr,
          .nr = 2 * width<T>,
          .element = sizeof(T),
          .rows = {nullptr, vector_kernel<T, 1>, vector_kernel<T, 2>, vector_kernel<T, 3>, vector_kernel<T, 4>,
                   vector_kernel<T, 5>, vector_kernel<T, 6>}};
}
template <class T> Micro complex_micro() {
  return {.mr = complex_mr,
          .nr = complex_nr,
          .element = 2 * sizeof(T),
          .rows = {nullptr, complex_kernel<T, 1>, complex_kernel<T, 2>}};
}

}  // namespace

Micro micro(Dtype accumulator) {
  switch (accumulator) {
    case Dtype::float32:
      return vector_micro<float>();
    case Dtype::float64:
      return vector_micro<double>();
    case Dtype::int32:
      return vector_micro<int32_t>();
    case Dtype::int64:
      return vector_micro<int64_t>();
    case Dtype::complex64:
      return complex_micro<float>();
    default:
      return complex_micro<double>();
  }
}

}  // namespace viva::loops
