// Turning 8 × 8 blocks of 4-byte elements in registers. Internal to loops/.
#pragma once

#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace viva::loops {

#if defined(__AVX2__)
inline constexpr bool turns_blocks = true;

// v[j][i] = v[i][j].
inline void turn(__m256 (&v)[8]) {
  __m256 t[8], u[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
    v[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
  }
}

// dst[j · dst_row + i] = src[i · src_row + j] for i < rows and j < 8. Each dst row gets 8 elements, those from `rows`
// on being 0; rows are written in rising order.
inline void turn_block(uint32_t* dst, int64_t dst_row, const uint32_t* src, int64_t src_row, int64_t rows = 8) {
  __m256 v[8];
  for (int i = 0; i < 8; ++i)
    v[i] = i < rows ? _mm256_loadu_ps(reinterpret_cast<const float*>(src + i * src_row)) : _mm256_setzero_ps();
  turn(v);
  for (int j = 0; j < 8; ++j) _mm256_storeu_ps(reinterpret_cast<float*>(dst + j * dst_row), v[j]);
}
#else
inline constexpr bool turns_blocks = false;
inline void turn_block(uint32_t*, int64_t, const uint32_t*, int64_t, int64_t = 8) {}
#endif

}  // namespace viva::loops
