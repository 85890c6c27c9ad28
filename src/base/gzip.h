// Decompression of gzip files and of raw deflate streams (the members of zip files), with limits against bombs.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace viva {

bool is_gzip(ByteSpan content);  // starts with the magic bytes

// All members of a gzip file, joined. `name` names the file in errors. Fails on a truncated or corrupt stream, a wrong
// checksum, bytes after the end, or more than `limit` bytes of result. RFC 1952.
Bytes gunzip(ByteSpan content, const std::string& name, uint64_t limit);

// A raw deflate stream that must use all of `content` and give exactly `size` bytes. RFC 1951.
Bytes inflate_raw(ByteSpan content, const std::string& name, uint64_t size);

uint32_t crc32_of(ByteSpan content);

}  // namespace viva
