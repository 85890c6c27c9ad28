// What is read as an array is written to what reads to the same. An array may be a view of its file, so that this looks
// at its elements too.
#pragma once

#include <cstdint>
#include <cstdlib>

#include "base/npy.h"
#include "fuzz/refuse.h"

constexpr uint64_t most_bytes = 1 << 24;  // of what is unpacked

inline void write_and_read(const viva::Array& a) {
  if (!viva::same_bits(viva::parse_npy(viva::npy_bytes(a), "written"), a)) std::abort();
}

inline viva::Bytes fuzzed(const uint8_t* data, size_t size) {
  return viva::Bytes::of({reinterpret_cast<const char*>(data), size});
}
