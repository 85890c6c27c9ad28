#include "data/idx.h"

#include <gtest/gtest.h>

#include "support/damage.h"
#include "support/temp_dir.h"

namespace viva {
namespace {

std::string idx(int code, const std::vector<int>& shape, const std::string& data) {
  std::string f = {'\0', '\0', static_cast<char>(code), static_cast<char>(shape.size())};
  for (int extent : shape)
    for (int shift : {24, 16, 8, 0}) f += static_cast<char>(extent >> shift & 255);
  return f + data;
}
Array parse(const std::string& content) { return parse_idx(Bytes::of(content), "f.idx"); }

TEST(Idx, ReadsEachType) {
  using namespace std::string_literals;
  EXPECT_TRUE(same_bits(parse(idx(0x08, {2, 1}, "\x01\xff"s)), Array::of(std::vector<uint8_t>{1, 255}, {2, 1})));
  EXPECT_TRUE(same_bits(parse(idx(0x09, {2}, "\x01\xff"s)), Array::of(std::vector<int8_t>{1, -1}, {2})));
  EXPECT_TRUE(same_bits(parse(idx(0x0b, {2}, "\x01\x02\xff\xfe"s)), Array::of(std::vector<int16_t>{258, -2}, {2})));
  EXPECT_TRUE(same_bits(parse(idx(0x0c, {1, 1, 1}, "\0\1\0\0"s)), Array::of(std::vector<int32_t>{65536}, {1, 1, 1})));
  EXPECT_TRUE(same_bits(parse(idx(0x0d, {1}, "\xbf\xc0\0\0"s)), Array::of(std::vector<float>{-1.5f}, {1})));
  EXPECT_TRUE(same_bits(parse(idx(0x0e, {1}, "\x40\x04\0\0\0\0\0\0"s)), Array::of(std::vector<double>{2.5}, {1})));
  EXPECT_EQ(to_string(parse(idx(0x08, {0, 28}, "")).type()), "u8[0,28]");
}

TEST(Idx, Refusals) {
  for (const char* text : {"", "abc", "text that is longer"})
    VIVA_EXPECT_HAS(error_of([&] { parse(text); }), "f.idx: is not an IDX file");
  VIVA_EXPECT_HAS(error_of([] { parse(idx(0x0a, {1}, "x")); }), "is not an IDX file");
  VIVA_EXPECT_HAS(error_of([] { parse(idx(0x08, {}, "")); }), "is not an IDX file");
  VIVA_EXPECT_HAS(error_of([] { parse(idx(0x08, std::vector<int>(17, 1), "x")); }), "a rank of 17");
  VIVA_EXPECT_HAS(error_of([] { parse(idx(0x08, {3}, "ab")); }),
                  "f.idx: holds 2 bytes of data, which is not what its shape u8[3] needs");
  VIVA_EXPECT_HAS(error_of([] { parse(idx(0x08, {3}, "abcd")); }), "holds 4 bytes");
  VIVA_EXPECT_HAS(error_of([] { parse(idx(0x0e, {-1, -1, -1, -1, -1, -1}, "x")); }), "holds 1 bytes");
  VIVA_EXPECT_HAS(error_of([] { parse(idx(0x08, {0, -1, -1, -1}, "x")); }), "holds 1 bytes");
}

TEST(Idx, DamagedFilesLoadOrAreRefused) {
  for (const std::string& whole :
       {idx(0x08, {3, 2, 2}, "abcdefghijkl"), idx(0x0d, {0, 4}, ""), idx(0x0b, {2, 0, 3}, "")}) {
    EXPECT_EQ(loads_truncated(parse, whole), 0);
    loads_damaged(parse, whole);
  }
}

// An extent of 0 does not excuse absurd ones beside it.
TEST(Idx, AnEmptyArrayWithAbsurdExtents) {
  VIVA_EXPECT_HAS(error_of([] { parse(idx(0x08, {0, -1, -1, -1, -1}, "")); }),
                  "f.idx: holds 0 bytes of data, which is not");
}

}  // namespace
}  // namespace viva
