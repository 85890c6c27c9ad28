#include "loops/finite.h"

#include <bit>
#include <cstdint>

namespace viva::loops {

bool all_finite(std::span<const float> x) {
  constexpr uint32_t exponent = 0x7f800000;
  uint32_t found = 0;
  for (const float v : x) found |= static_cast<uint32_t>((std::bit_cast<uint32_t>(v) & exponent) == exponent);
  return found == 0;
}

}  // namespace viva::loops
