// Large blocks of memory that are used again, because the first touch of a fresh page costs more than its use.
#pragma once

#include <cstddef>

namespace viva {

// The least multiple of 64 from n on: what fills whole cache lines.
constexpr size_t whole_lines(size_t n) { return (n + 63) / 64 * 64; }

// At least so many bytes, aligned to 64; null where memory cannot be had. Any thread may take and give back.
std::byte* take_block(size_t bytes);
void give_block(std::byte* block, size_t bytes);  // the same number of bytes

}  // namespace viva
