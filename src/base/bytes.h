// Bytes: a shared block of raw bytes, as read from a file; and the byte order helpers of the file formats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace viva {

using ByteSpan = std::span<const std::byte>;

class Bytes {
 public:
  Bytes() = default;
  // Uninitialised, 64-byte aligned. Throws an input error where memory cannot be had.
  static Bytes make(size_t size);
  static Bytes of(std::string_view text);
  // Wraps storage that somebody else keeps alive through owner; nobody may write to it.
  static Bytes view(std::shared_ptr<const std::byte> owner, size_t size);

  size_t size() const { return size_; }
  const std::byte* data() const { return storage_.get(); }
  // Only for the code that fills a fresh block; nobody else may hold a copy yet.
  std::byte* mutable_data() { return const_cast<std::byte*>(storage_.get()); }
  ByteSpan span() const { return {data(), size_}; }
  operator ByteSpan() const { return span(); }
  std::string_view text() const { return {reinterpret_cast<const char*>(data()), size_}; }
  // A pointer into the block that keeps all of it alive (for Array::view).
  std::shared_ptr<const std::byte> share(size_t offset) const { return {storage_, storage_.get() + offset}; }
  // Keeps the first `size` bytes.
  void truncate(size_t size) { size_ = size < size_ ? size : size_; }

 private:
  std::shared_ptr<const std::byte> storage_;
  size_t size_ = 0;
};

inline ByteSpan as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

// An unsigned integer at a place that need not be aligned; the caller has checked that it lies inside.
template <class T> T read_little(const std::byte* p) {
  T v = 0;
  for (size_t i = sizeof(T); i-- > 0;) v = static_cast<T>(v << (sizeof(T) > 1 ? 8 : 0) | std::to_integer<T>(p[i]));
  return v;
}
template <class T> T read_big(const std::byte* p) {
  T v = 0;
  for (size_t i = 0; i < sizeof(T); ++i) v = static_cast<T>(v << (sizeof(T) > 1 ? 8 : 0) | std::to_integer<T>(p[i]));
  return v;
}
// Reverses the bytes of each of the `count` elements of `width` bytes (1, 2, 4, 8), in place.
void swap_bytes(std::byte* data, size_t count, size_t width);

// The length of the UTF-8 sequence at the front of text, 0 where there is none (Unicode, table 3-7).
size_t utf8_length(std::string_view text);

// The text with control characters and what is no UTF-8 as \xNN, invisible ones (directions of writing, joiners) as
// \uNNNN: a name out of a file stays on one line of an error or report, looks like no other, and is valid in JSON.
std::string printable(std::string_view text);

}  // namespace viva
