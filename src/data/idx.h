// The IDX format of the MNIST family: a magic number with dtype and rank, big-endian extents, big-endian data.
#pragma once

#include <string>

#include "base/array.h"
#include "base/bytes.h"

namespace viva {

// Starts as an IDX file does: two zero bytes, a known type code, a rank of at least 1.
bool is_idx(ByteSpan content);

// The array in `content` (uint8, int8, int16, int32, float32 or float64); `name` names the file in errors. Input
// errors: no IDX file, or a size other than the extents promise. An array of bytes shares the storage of `content`.
Array parse_idx(const Bytes& content, const std::string& name);

}  // namespace viva
