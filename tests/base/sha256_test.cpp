#include "base/sha256.h"

#include <gtest/gtest.h>

namespace viva {
namespace {

// FIPS 180-4 example values and the NIST long-message vector.
TEST(Sha256, KnownAnswers) {
  EXPECT_EQ(sha256_hex({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex(as_bytes("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(as_bytes(std::string(1000000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesGiveTheSameAndFinishStartsAfresh) {
  const std::string text(1000, 'q');
  Sha256 h;
  for (size_t i = 0; i < text.size(); i += 7) h.update(as_bytes(std::string_view(text).substr(i, 7)));
  EXPECT_EQ(h.finish(), sha256_hex(as_bytes(text)));
  EXPECT_EQ(h.update(as_bytes("abc")).finish(), sha256_hex(as_bytes("abc")));
  Sha256 moved = std::move(h);
  EXPECT_EQ(moved.finish(), sha256_hex({}));
}

}  // namespace
}  // namespace viva
