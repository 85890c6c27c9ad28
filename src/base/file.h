// Files: whole reads with limits, and writes that appear whole or not at all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace viva {

inline constexpr uint64_t default_file_limit = uint64_t{8} << 30;

// The bytes of a regular file as they are stored. Input errors: missing, a directory or device, unreadable, more than
// `limit` bytes, changed while being read.
Bytes read_stored(const std::string& path, uint64_t limit = default_file_limit);

// The bytes of a regular file, read from the disk where they are looked at, so that it may be larger than memory.
// Reading is fatal (SIGBUS) where somebody shortens the file meanwhile. Input errors as above.
Bytes map_file(const std::string& path);

// The same as read_stored, but a file that starts with the gzip magic bytes is decompressed; `limit` holds before and
// after.
Bytes read_file(const std::string& path, uint64_t limit = default_file_limit);

// Puts `content` at path: a hidden file beside it is written, synchronised and renamed, so that other programs see the
// old content or the new and never a part. Symbolic links are followed; an existing file keeps its permissions. On
// failure (full disk, no permission, not a regular file) nothing is left behind and an input error is thrown.
void write_file(const std::string& path, ByteSpan content);
void write_file(const std::string& path, std::string_view content);

// The file named by `relative` inside the directory `base`, as a resolved path. Refuses (input error) absolute paths,
// "..", NUL, names that do not exist, and symbolic links that lead out of `base`: the name comes from a file that is
// not trusted, such as a model with external data.
std::string safe_join(const std::string& base, const std::string& relative);

}  // namespace viva
