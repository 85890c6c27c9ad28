#include "base/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "base/file.h"
#include "support/temp_dir.h"

namespace viva {
namespace {

std::string deflated(std::string_view text, int window_bits) {
  z_stream z{};
  EXPECT_EQ(deflateInit2(&z, 9, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&z, text.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}
std::string gzipped(std::string_view text) { return deflated(text, 31); }
std::string some_text() {
  std::string text;
  for (int i = 0; i < 500; ++i) text += std::to_string(i * i);
  return text;
}
Bytes unzip(const std::string& content, uint64_t limit = 1 << 20) { return gunzip(as_bytes(content), "f.gz", limit); }

TEST(Gzip, RoundTrip) {
  for (const std::string& text : {std::string(), std::string("x"), some_text(), std::string(1 << 20, 'z')})
    EXPECT_EQ(unzip(gzipped(text)).text(), text);
}

TEST(Gzip, MembersAreJoined) {
  EXPECT_EQ(unzip(gzipped("one ") + gzipped("") + gzipped(some_text())).text(), "one " + some_text());
  EXPECT_EQ(unzip(gzipped(some_text()) + gzipped("end")).text(), some_text() + "end");
}

TEST(Gzip, FilesAreDecompressedUnderTheLimit) {
  TempDir dir;
  const std::string bomb = gzipped(std::string(1 << 20, '\0'));
  put(dir / "bomb.gz", bomb);
  EXPECT_EQ(read_file(dir / "bomb.gz").size(), 1u << 20);
  EXPECT_EQ(read_stored(dir / "bomb.gz").text(), bomb);
  EXPECT_EQ(read_file(dir / "bomb.gz", 1 << 20).size(), 1u << 20);
  VIVA_EXPECT_HAS(error_of([&] { read_file(dir / "bomb.gz", (1 << 20) - 1); }),
                  "bomb.gz: more than 1048575 bytes when decompressed");
}

TEST(Gzip, EveryTruncationIsAnError) {
  const std::string whole = gzipped(some_text());
  for (size_t n = 0; n < whole.size(); ++n) {
    SCOPED_TRACE(n);
    VIVA_EXPECT_HAS(error_of([&] { unzip(whole.substr(0, n)); }), "f.gz: ");
  }
}

TEST(Gzip, DamageIsAnError) {
  const std::string whole = gzipped("a few words, a few words, and some more");
  int kept = 0;
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    try {
      EXPECT_EQ(unzip(damaged).text(), "a few words, a few words, and some more");
      ++kept;  // the bit was in the header's time or system, which no checksum covers
    } catch (const Error& e) { EXPECT_EQ(e.kind(), ErrorKind::input); }
  }
  EXPECT_LE(kept, 8 * 7);
  VIVA_EXPECT_HAS(error_of([&] { unzip(whole + "tail"); }), "4 bytes follow");
}

TEST(Gzip, RawDeflateMustFitExactly) {
  const std::string text = some_text(), raw = deflated(text, -15);
  EXPECT_EQ(inflate_raw(as_bytes(raw), "m", text.size()).text(), text);
  EXPECT_EQ(inflate_raw(as_bytes(deflated("", -15)), "m", 0).size(), 0u);
  for (size_t wrong : {size_t{0}, text.size() - 1, text.size() + 1})
    VIVA_EXPECT_HAS(error_of([&] { inflate_raw(as_bytes(raw), "m", wrong); }), "do not give");
  VIVA_EXPECT_HAS(error_of([&] { inflate_raw(as_bytes(raw), "m", uint64_t{1} << 40); }), "cannot hold");
  VIVA_EXPECT_HAS(error_of([&] { inflate_raw(as_bytes(raw + "x"), "m", text.size()); }), "do not give");
  VIVA_EXPECT_HAS(error_of([&] { inflate_raw(as_bytes(raw).first(raw.size() / 2), "m", text.size()); }), "too early");
}

TEST(Gzip, Crc32KnownAnswer) { EXPECT_EQ(crc32_of(as_bytes("123456789")), 0xcbf43926u); }

}  // namespace
}  // namespace viva
