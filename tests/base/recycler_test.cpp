#include "base/recycler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <thread>
#include <vector>

namespace viva {
namespace {

TEST(Recycler, BlocksAreAlignedAndWritable) {
  for (const size_t bytes : {size_t{1}, size_t{63}, size_t{4096}, size_t{65536}, size_t{1000003}}) {
    std::byte* block = take_block(bytes);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 64, 0);
    std::memset(block, 1, bytes);
    give_block(block, bytes);
  }
}

TEST(Recycler, TooMuchIsNull) {
  EXPECT_EQ(take_block(std::numeric_limits<size_t>::max()), nullptr);
  EXPECT_EQ(take_block(std::numeric_limits<size_t>::max() - 64), nullptr);
  EXPECT_EQ(take_block(size_t{1} << 62), nullptr);
}

// Two blocks in use are never the same memory, from however many threads they are taken.
TEST(Recycler, BlocksInUseAreApart) {
  const auto work = [](int seed) {
    std::vector<std::pair<std::byte*, size_t>> mine;
    uint32_t state = static_cast<uint32_t>(seed) + 1;
    for (int i = 0; i < 2000; ++i) {
      state = state * 1664525 + 1013904223;
      const size_t bytes = (state >> 12) % 400000 + 1;
      std::byte* block = take_block(bytes);
      ASSERT_NE(block, nullptr);
      std::memcpy(block, &block, std::min(bytes, sizeof block));
      block[bytes - 1] = std::byte{static_cast<unsigned char>(seed)};
      mine.emplace_back(block, bytes);
      if (mine.size() < 8) continue;
      const auto [old, size] = mine[state % mine.size()];
      EXPECT_EQ(old[size - 1], std::byte{static_cast<unsigned char>(seed)});
      give_block(old, size);
      mine.erase(mine.begin() + state % mine.size());
    }
    for (const auto& [block, bytes] : mine) give_block(block, bytes);
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) threads.emplace_back(work, t);
  for (std::thread& t : threads) t.join();
}

}  // namespace
}  // namespace viva
