#include "base/bytes.h"
#include "base/recycler.h"

#include <algorithm>
#include <cstdlib>

#include "base/error.h"

namespace viva {

Bytes Bytes::make(size_t size) {
  constexpr size_t limit = size_t{1} << 47;
  Bytes b;
  auto* p = size < limit ? static_cast<std::byte*>(std::aligned_alloc(64, whole_lines(size) + 64)) : nullptr;
  if (!p) throw input_error("no memory for {} bytes", size);
  b.storage_ = std::shared_ptr<const std::byte>(p, [](const std::byte* q) { std::free(const_cast<std::byte*>(q)); });
  b.size_ = size;
  return b;
}

Bytes Bytes::of(std::string_view text) {
  Bytes b = make(text.size());
  std::ranges::copy(as_bytes(text), b.mutable_data());
  return b;
}

Bytes Bytes::view(std::shared_ptr<const std::byte> owner, size_t size) {
  Bytes b;
  b.storage_ = std::move(owner);
  b.size_ = size;
  return b;
}

void swap_bytes(std::byte* data, size_t count, size_t width) {
  if (width == 1) return;
  for (size_t i = 0; i < count; ++i) std::reverse(data + i * width, data + (i + 1) * width);
}

size_t utf8_length(std::string_view text) {
  const auto at = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto tail = [&](size_t i) { return at(i) >= 0x80 && at(i) <= 0xbf; };
  const unsigned a = at(0), b = at(1);
  if (a < 0x80) return 1;
  if (a >= 0xc2 && a <= 0xdf) return tail(1) ? 2 : 0;
  if (a >= 0xe0 && a <= 0xef) {
    const bool overlong = a == 0xe0 && b < 0xa0, surrogate = a == 0xed && b > 0x9f;
    return tail(1) && tail(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (a >= 0xf0 && a <= 0xf4) {
    const bool overlong = a == 0xf0 && b < 0x90, too_large = a == 0xf4 && b > 0x8f;
    return tail(1) && tail(2) && tail(3) && !overlong && !too_large ? 4 : 0;
  }
  return 0;
}

namespace {

bool is_control(std::string_view c) {
  const auto u = static_cast<unsigned char>(c[0]);
  if (c.size() == 2) return u == 0xc2 && static_cast<unsigned char>(c[1]) < 0xa0;
  return c.size() == 1 && (u < 0x20 || u == 0x7f);
}

struct CodePoints {
  uint32_t first, last;
};
// Unicode 15: format characters (Cf) but the visible ones of single scripts, separators of lines and paragraphs, blanks
// without width, fillers.
constexpr CodePoints unseen[] = {
    {0xad, 0xad},     {0x34f, 0x34f},   {0x61c, 0x61c},     {0x115f, 0x1160},   {0x17b4, 0x17b5},  {0x180e, 0x180e},
    {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},   {0x2800, 0x2800},   {0x3164, 0x3164},  {0xfeff, 0xfeff},
    {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}};

uint32_t code_point(std::string_view c) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(c[i])); };
  if (c.size() == 1) return byte(0);
  uint32_t v = byte(0) & (0xffu >> (c.size() + 1));
  for (size_t i = 1; i < c.size(); ++i) v = v << 6 | (byte(i) & 0x3f);
  return v;
}

bool is_unseen(uint32_t v) {
  return std::ranges::any_of(unseen, [&](const CodePoints& r) { return r.first <= v && v <= r.last; });
}

}  // namespace

std::string printable(std::string_view text) {
  std::string r;
  while (!text.empty()) {
    const size_t n = utf8_length(text);
    const std::string_view c = text.substr(0, n ? n : 1);
    if (n == 0 || is_control(c))
      for (char x : c) r += fmt::format("\\x{:02x}", static_cast<unsigned char>(x));
    else if (const uint32_t v = code_point(c); v >= 0x80 && is_unseen(v))
      r += v < 0x10000 ? fmt::format("\\u{:04x}", v) : fmt::format("\\U{:08x}", v);
    else r += c;
    text.remove_prefix(c.size());
  }
  return r;
}

}  // namespace viva
