#include "base/bytes.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace viva {
namespace {

TEST(Bytes, SharesItsStorage) {
  std::shared_ptr<const std::byte> tail;
  {
    Bytes b = Bytes::of("hello");
    EXPECT_EQ(reinterpret_cast<uintptr_t>(b.data()) % 64, 0u);
    tail = b.share(4);
    b.truncate(4);
    EXPECT_EQ(b.text(), "hell");
    b.truncate(9);
    EXPECT_EQ(b.size(), 4u);
  }
  EXPECT_EQ(*tail, std::byte{'o'});
  EXPECT_EQ(Bytes().size(), 0u);
  EXPECT_EQ(Bytes::of("").text(), "");
}

TEST(Bytes, TooMuchIsAnError) {
  VIVA_EXPECT_HAS(error_of([] { Bytes::make(SIZE_MAX); }), "no memory");
}

TEST(Bytes, ByteOrder) {
  const Bytes b = Bytes::of("\x01\x02\x03\x04\x05\x06\x07\xf8");
  EXPECT_EQ(read_little<uint8_t>(b.data()), 1);
  EXPECT_EQ(read_little<uint16_t>(b.data() + 6), 0xf807);
  EXPECT_EQ(read_little<uint32_t>(b.data() + 1), 0x05040302u);
  EXPECT_EQ(read_little<uint64_t>(b.data()), 0xf807060504030201u);
  EXPECT_EQ(read_big<uint16_t>(b.data() + 6), 0x07f8);
  EXPECT_EQ(read_big<uint64_t>(b.data()), 0x01020304050607f8u);
  for (size_t width : {1, 2, 4, 8}) {
    Bytes c = Bytes::of(b.text());
    swap_bytes(c.mutable_data(), 8 / width, width);
    for (size_t i = 0; i < 8; ++i) EXPECT_EQ(c.data()[i], b.data()[i / width * width + width - 1 - i % width]);
  }
}

TEST(Bytes, Printable) {
  EXPECT_EQ(printable("plain: ä € 😀"), "plain: ä € 😀");
  EXPECT_EQ(printable(std::string_view("a\0\n\x7f", 4)), "a\\x00\\x0a\\x7f");
  EXPECT_EQ(printable("a\u202eb\u2066c\u200f\u200d\ufeff\u3164\u00ad\U000e0041"),
            "a\\u202eb\\u2066c\\u200f\\u200d\\ufeff\\u3164\\u00ad\\U000e0041");
  EXPECT_EQ(printable("Zürich مدل 猫 🐈"), "Zürich مدل 猫 🐈");
  EXPECT_EQ(printable("\xc2\x85"), "\\xc2\\x85");           // a C1 control
  EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3");           // no UTF-8, cut off
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");           // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
}

}  // namespace
}  // namespace viva
