// Threefry-2x32 with 20 rounds: a counter-based generator, a pure function from key and counter to 64 random bits.
// Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace viva {

using Words2 = std::array<uint32_t, 2>;

constexpr Words2 threefry2x32(Words2 key, Words2 counter) {
  constexpr int rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
  const uint32_t schedule[3] = {key[0], key[1], 0x1BD11BDAu ^ key[0] ^ key[1]};
  uint32_t x = counter[0] + schedule[0], y = counter[1] + schedule[1];
  for (uint32_t four = 0; four < 5; ++four) {
    for (int r = 0; r < 4; ++r) {
      x += y;
      y = std::rotl(y, rotations[4 * (four % 2) + static_cast<uint32_t>(r)]) ^ x;
    }
    x += schedule[(four + 1) % 3];
    y += schedule[(four + 2) % 3] + four + 1;
  }
  return {x, y};
}

constexpr Words2 words_of(uint64_t v) { return {static_cast<uint32_t>(v), static_cast<uint32_t>(v >> 32)}; }

// The key of an independent stream: distinct tags under one key never share a counter sequence.
constexpr Words2 fold_key(Words2 key, uint64_t tag) { return threefry2x32(key, words_of(tag)); }

}  // namespace viva
