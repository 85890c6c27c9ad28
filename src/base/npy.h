// NumPy's file formats: .npy (one array; NEP 1, versions 1.0, 2.0 and 3.0) read and written, .npz (a zip file of them)
// read.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/array.h"
#include "base/bytes.h"
#include "base/file.h"

namespace viva {

bool is_npy(ByteSpan content);  // starts with the magic bytes
bool is_zip(ByteSpan content);

// The array in `content`; `name` names the file in errors. Every dtype that both sides have: bool, i1…i8, u1…u8, f2,
// f4, f8, c8, c16. Big-endian data are swapped, Fortran order is transposed, a bool byte other than 0 is true. Input
// errors: a malformed header, a dtype Viva lacks (objects, strings, times, records), a size other than the header
// promises. The array may share the storage of `content`.
Array parse_npy(const Bytes& content, const std::string& name);
Array read_npy(const std::string& path, uint64_t limit = default_file_limit);

// The array in little-endian C order, version 1.0 where its header fits. NumPy has no bfloat16: it is written as
// float32, which holds every value exactly.
Bytes npy_bytes(const Array& a);
void write_npy(const std::string& path, const Array& a);

// The arrays of a .npz file, decompressed on demand. For one thread at a time.
class Npz {
 public:
  // Input errors: no zip file, or one whose parts contradict each other.
  Npz(Bytes content, std::string name);
  ~Npz();
  Npz(Npz&&) noexcept;
  Npz& operator=(Npz&&) noexcept;

  // The names without ".npy", in the order of the file. Other members are passed over.
  const std::vector<std::string>& keys() const { return keys_; }
  bool has(const std::string& key) const;
  // Input errors: no such key, more than `limit` bytes, encrypted, packed by other means than deflate, wrong checksum,
  // and those of parse_npy.
  Array read(const std::string& key, uint64_t limit = default_file_limit) const;

 private:
  struct Archive;
  std::unique_ptr<Archive> archive_;
  std::string name_;
  std::vector<std::string> keys_;
};

}  // namespace viva
