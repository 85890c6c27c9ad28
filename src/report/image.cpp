#include "report/image.h"

#include <zlib.h>

#include <vector>

#include "base/error.h"

namespace viva {
namespace {

void put32(std::string& s, uint32_t v) {
  for (const int shift : {24, 16, 8, 0}) s += static_cast<char>(v >> shift & 0xff);
}

// Length, type, content and checksum (PNG, third edition, section 5.3).
void add_chunk(std::string& png, const std::string& type, const std::string& content) {
  put32(png, static_cast<uint32_t>(content.size()));
  const std::string checked = type + content;
  png += checked;
  put32(png, static_cast<uint32_t>(
                 crc32(0, reinterpret_cast<const Bytef*>(checked.data()), static_cast<uInt>(checked.size()))));
}

std::string deflated(const std::string& raw) {
  uLongf size = compressBound(raw.size());
  std::vector<Bytef> out(size);
  if (compress2(out.data(), &size, reinterpret_cast<const Bytef*>(raw.data()), raw.size(), 9) != Z_OK)
    throw internal_error("image_of: deflate failed");
  return {out.begin(), out.begin() + static_cast<ptrdiff_t>(size)};
}

}  // namespace

std::string base64(ByteSpan bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string s;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t three = 0;
    for (size_t k = 0; k < 3; ++k)
      three = three << 8 | (i + k < bytes.size() ? std::to_integer<uint32_t>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) s += i + k > bytes.size() ? '=' : digits[three >> (18 - 6 * k) & 63];
  }
  return s;
}

std::string image_of(const ShownRow& row) {
  const auto pixels = static_cast<size_t>(row.height * row.width * row.channels);
  if (row.pixels.empty() || row.pixels.size() != pixels || (row.channels != 1 && row.channels != 3)) return "";
  std::string header, raw, png = "\x89PNG\r\n\x1a\n";
  put32(header, static_cast<uint32_t>(row.width)), put32(header, static_cast<uint32_t>(row.height));
  header += std::string{8, static_cast<char>(row.channels == 3 ? 2 : 0), 0, 0, 0};
  const auto line = static_cast<size_t>(row.width * row.channels);
  for (size_t h = 0; h < static_cast<size_t>(row.height); ++h) {
    raw += '\0';  // no filter
    for (size_t k = 0; k < line; ++k) raw += static_cast<char>(row.pixels[h * line + k]);
  }
  add_chunk(png, "IHDR", header);
  add_chunk(png, "IDAT", deflated(raw));
  add_chunk(png, "IEND", "");
  return "data:image/png;base64," + base64(as_bytes(png));
}

}  // namespace viva
