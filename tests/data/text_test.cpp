#include <gtest/gtest.h>

#include "support/temp_dir.h"
#include "viva/viva.h"

namespace viva {
namespace {

TEST(Vocabulary, CharactersAscendAndRoundTrip) {
  const Vocabulary v("banana épée\n€");
  EXPECT_EQ(v.characters(), (std::vector<std::string>{"\n", " ", "a", "b", "e", "n", "p", "é", "€"}));
  EXPECT_EQ(to_string(v.encode("aé€b")), "i32[4] [2, 7, 8, 3]");
  EXPECT_EQ(v.decode(v.encode("née\n")), "née\n");
  EXPECT_EQ(v.decode(tensor({2, 3}, Dtype::int64)), "ab");
  EXPECT_EQ(to_string(v.encode("")), "i32[0] []");
  EXPECT_EQ(Vocabulary("").size(), 0);
}

TEST(Vocabulary, Refusals) {
  EXPECT_EQ(error_of([] { Vocabulary("ab\xff"); }),
            "[Vocabulary] byte 2 of the text begins no character of UTF-8: convert it");
  EXPECT_EQ(error_of([] { Vocabulary("a\xe2\x82"); }),
            "[Vocabulary] byte 1 of the text begins no character of UTF-8: convert it");
  const Vocabulary v("ab");
  EXPECT_EQ(error_of([&] { v.encode("abc"); }),
            "[Vocabulary] the text has the character c, which the vocabulary does not");
  EXPECT_EQ(error_of([&] { v.encode("a\x01"); }),
            "[Vocabulary] the text has the character \\x01, which the vocabulary does not");
  for (int bad : {-1, 2})
    EXPECT_EQ(error_of([&] { v.decode(scalar(bad, Dtype::int32)); }, ErrorKind::usage),
              "[Vocabulary] " + std::to_string(bad) + " is no number of its 2 characters");
}

TEST(TakeWindows, InputsAndTargets) {
  const Tensor t = arange(10);
  EXPECT_EQ(to_string(take_windows(t, {0, 6}, 3)), "i32[2,3] [[0, 1, 2], [6, 7, 8]]");
  EXPECT_EQ(to_string(take_windows(t, {0, 6}, 3, 1)), "i32[2,3] [[1, 2, 3], [7, 8, 9]]");
  // With Batches(tokens - length) every start fits.
  const Batches b(10 - 3, {.size = 7});
  EXPECT_EQ(take_windows(t, b.at(0), 3, 1).shape(), (Shape{7, 3}));
  EXPECT_EQ(error_of([&] { take_windows(t, {7}, 3, 1); }, ErrorKind::usage),
            "[take_windows] 3 from 7 + 1 on lie outside 10 tokens");
  EXPECT_EQ(error_of([&] { take_windows(t, {INT64_MAX}, INT64_MAX, 1); }, ErrorKind::usage),
            "[take_windows] 9223372036854775807 from 9223372036854775807 + 1 on lie outside 10 tokens");
  EXPECT_EQ(error_of([&] { take_windows(ones({2, 2}), {0}, 1); }, ErrorKind::usage),
            "[take_windows] windows of 1 of f32[2,2]: give a vector");
}

TEST(LoadText, IsTheFile) {
  const TempDir dir;
  put(dir / "t.txt", "ab\n");
  EXPECT_EQ(load_text(dir / "t.txt"), "ab\n");
}

// Another encoding, and characters cut off, overlong or outside Unicode.
TEST(LoadText, RefusesWhatIsNoUtf8) {
  const TempDir dir;
  put(dir / "good.txt", "é€\U0001F600\n");
  EXPECT_EQ(load_text(dir / "good.txt"), "é€\U0001F600\n");
  const std::string file = dir / "bad.txt";
  for (const std::string bad : {"caf\xe9", "caf\xc0\x80", "caf\xe2\x82", "caf\xed\xa0\x80", "caf\xf4\x90\x80\x80"}) {
    put(file, bad);
    EXPECT_EQ(error_of([&] { load_text(file); }),
              file + ": byte 3 begins no character of UTF-8: convert the file, with iconv say");
  }
}

}  // namespace
}  // namespace viva
