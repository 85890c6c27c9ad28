#include "examine/digits.h"

#include <gtest/gtest.h>

#include <cmath>

namespace viva {
namespace {

TEST(Digits, TwoOfTheWidth) {
  const auto shown = [](double v, double low, double high) {
    const Digits d = digits_of(Interval{low, high, .95, "", Sided::two});
    return number(v, d) + " " + number(low, d, Rounding::down) + " " + number(high, d, Rounding::up);
  };
  EXPECT_EQ(shown(.9253, .91998, .93037), "0.925 0.919 0.931");
  EXPECT_EQ(shown(.5, .31, .69), "0.50 0.31 0.69");
  EXPECT_EQ(shown(12345, 11800, 12900), "12,300 11,800 12,900");
  EXPECT_EQ(shown(-.0019, -.00631, .00252), "−0.0019 −0.0064 0.0026");
  EXPECT_EQ(shown(2e-5, 1e-5, 3e-5), "2.0×10⁻⁵ 1.0×10⁻⁵ 3.0×10⁻⁵");
  EXPECT_EQ(shown(1.5e9, 1e9, 2e9), "1,500,000,000 1,000,000,000 2,000,000,000");
  EXPECT_EQ(shown(NAN, 0, 1), "– 0.0 1.0");
}

TEST(Digits, EndsThatDecideAClaimDoNotTouchItsValue) {
  const Interval i{.60431, .71978, .975, "", Sided::two};
  EXPECT_EQ(ends(i, .67), "[0.60, 0.72]");
  EXPECT_EQ(ends(i, .67, .6), "[0.604, 0.72]");
  EXPECT_EQ(ends(i, .67, .72), "[0.60, 0.7198]");
  EXPECT_EQ(ends(i, .67, .60431), "[0.60431, 0.72]");
  EXPECT_EQ(ends(i, .67, .604309), "[above 0.604309, 0.72]");
  EXPECT_EQ(ends(i, .67, .5), "[0.60, 0.72]");
  const Interval small{-3.04e-6, 2.96e-6, .95, "", Sided::two};
  EXPECT_EQ(ends(small, 0, 3e-6), "[−3.1×10⁻⁶, 2.96×10⁻⁶]");
}

TEST(Digits, OneSidedAndNone) {
  Interval upper{std::nullopt, 2.9953e-4, .95, "", Sided::upper};
  EXPECT_EQ(ends(upper, 0), "≤ 3.0×10⁻⁴");
  upper.high = .8785;
  EXPECT_EQ(ends(upper, .861), "≤ 0.879");
  EXPECT_EQ(number(.00827), "0.0083");
  EXPECT_EQ(number(.1), "0.1");
  EXPECT_EQ(number(5e-4), "5.0×10⁻⁴");
  EXPECT_EQ(number(10000), "10,000");
  EXPECT_EQ(number(2259.7), "2,260");
  EXPECT_EQ(number(-3.14159), "−3.14");
  EXPECT_EQ(number(INFINITY), "–");
  EXPECT_EQ(confidence(.99991), "> 0.999");
  EXPECT_EQ(confidence(1), "1.000");
}

// One formatter for tables, marks and sentences: the ends never look nearer to the estimate than they are.
TEST(Digits, EstimateAndEndsTogether) {
  const InDigits two = in_digits(.9253, .91998, .93037);
  EXPECT_EQ(two.estimate + " " + two.low + " " + two.high, "0.925 0.919 0.931");
  const InDigits padded = in_digits(.5, .4, .6);
  EXPECT_EQ(padded.estimate + " " + padded.low + " " + padded.high, "0.50 0.40 0.60");
  const InDigits upper = in_digits(.861, std::nullopt, .8785);
  EXPECT_EQ(upper.estimate + " " + upper.low + " " + upper.high, "0.861 – 0.879");
  const InDigits lower = in_digits(.0153, .01091, std::nullopt);
  EXPECT_EQ(lower.estimate + " " + lower.low, "0.0153 0.0109");
  EXPECT_EQ(in_digits(1, -INFINITY, std::nullopt).low, "–");
}

TEST(Digits, SentencesSpellPowersOfTen) {
  EXPECT_EQ(in_sentence(255), "255");
  EXPECT_EQ(in_sentence(-2.1179), "−2.118");
  EXPECT_EQ(in_sentence(7.9824e19), "7.982×10¹⁹");
  EXPECT_EQ(in_sentence(-8e-28), "−8×10⁻²⁸");
}

}  // namespace
}  // namespace viva
