#include "base/threefry.h"

#include <gtest/gtest.h>

#include <set>

namespace viva {
namespace {

// The known answers published with Random123 (kat_vectors, threefry2x32 with 20 rounds).
TEST(Threefry, KnownAnswers) {
  EXPECT_EQ(threefry2x32({0, 0}, {0, 0}), (Words2{0x6b200159, 0x99ba4efe}));
  EXPECT_EQ(threefry2x32({~0u, ~0u}, {~0u, ~0u}), (Words2{0x1cb996fc, 0xbb002be7}));
  EXPECT_EQ(threefry2x32({0x13198a2e, 0x03707344}, {0x243f6a88, 0x85a308d3}), (Words2{0xc4923a9c, 0x483df7a0}));
}

// A block cipher: for one key the map from counter to output is one to one.
TEST(Threefry, IsOneToOne) {
  std::set<Words2> seen;
  for (uint32_t i = 0; i < 4096; ++i) seen.insert(threefry2x32({1, 2}, {i, i * 7}));
  EXPECT_EQ(seen.size(), 4096u);
}

TEST(Threefry, FoldSeparatesStreams) {
  const Words2 key = words_of(0x0123456789abcdef);
  EXPECT_EQ(key, (Words2{0x89abcdef, 0x01234567}));
  EXPECT_NE(fold_key(key, 0), fold_key(key, 1));
  EXPECT_EQ(fold_key(key, 1), threefry2x32(key, {1, 0}));
}

}  // namespace
}  // namespace viva
