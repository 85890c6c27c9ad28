// The greater or the lesser of two numbers as IEEE 754-2019 `maximum` and `minimum` have it: NaN propagates and -0 lies
// below +0, so that the result is the same in any order of the operands. Written so that compilers make vectors of it.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

namespace viva::loops {

template <bool greatest, class T> T extreme(T a, T b) {
  const bool beyond = greatest ? b > a : b < a;
  if constexpr (std::is_floating_point_v<T>) {
    using Bits = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
    // Equal numbers differ in their bits where they are zeros of both signs: the sign is theirs in common, or of
    // either.
    const auto x = std::bit_cast<Bits>(a), y = std::bit_cast<Bits>(b);
    const Bits equal = greatest ? x & y : x | y;
    const Bits other = (beyond | (b != b)) ? y : x;
    return std::bit_cast<T>(a == b ? equal : other);
  } else {
    return beyond ? b : a;
  }
}

}  // namespace viva::loops
