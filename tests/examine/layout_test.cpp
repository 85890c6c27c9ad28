// Layouts against index arithmetic written out.
#include "examine/layout.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/error.h"

namespace viva {
namespace {

std::vector<int64_t> elements(const Layouts& all, const Shape& row) {
  const auto steps = rearrangements(all, row);
  EXPECT_TRUE(steps);
  return elements_of(*steps, numel(row));
}

Shape given(const Layouts& all, const Shape& row) { return rearrangements(all, row)->front().given; }

TEST(Layout, EachAsIndexArithmetic) {
  constexpr int64_t c_ = 3, h_ = 4, w_ = 5;
  const Shape chw = {c_, h_, w_}, hwc = {h_, w_, c_};
  const auto at_chw = [](int64_t c, int64_t h, int64_t w) { return (c * h_ + h) * w_ + w; };
  const auto at_hwc = [](int64_t c, int64_t h, int64_t w) { return (h * w_ + w) * c_ + c; };
  const auto check = [&](const Layouts& all, const Shape& row, auto&& taken, auto&& stored) {
    const std::vector<int64_t> from = elements(all, row);
    for (int64_t c = 0; c < c_; ++c)
      for (int64_t h = 0; h < h_; ++h)
        for (int64_t w = 0; w < w_; ++w)
          EXPECT_EQ(from[static_cast<size_t>(taken(c, h, w))], stored(c, h, w)) << to_string(all) << to_string(row);
  };
  const auto cwh = [](int64_t c, int64_t h, int64_t w) { return (c * w_ + w) * h_ + h; };
  const auto whc = [](int64_t c, int64_t h, int64_t w) { return (w * h_ + h) * c_ + c; };
  check({Layout::transpose}, chw, at_chw, cwh);
  check({Layout::transpose}, hwc, at_hwc, whc);
  check({Layout::channels_last}, chw, at_chw, at_hwc);
  check({Layout::channels_first}, hwc, at_hwc, at_chw);
  check({Layout::reverse_channels}, chw, at_chw, [&](auto c, auto h, auto w) { return at_chw(c_ - 1 - c, h, w); });
  check({Layout::reverse_channels}, hwc, at_hwc, [&](auto c, auto h, auto w) { return at_hwc(c_ - 1 - c, h, w); });
  check({Layout::transpose, Layout::channels_last, Layout::reverse_channels}, chw, at_chw,
        [&](auto c, auto h, auto w) { return whc(c_ - 1 - c, h, w); });
  EXPECT_EQ(given({Layout::transpose}, chw), (Shape{c_, w_, h_}));
  EXPECT_EQ(given({Layout::channels_last}, chw), hwc);
  EXPECT_EQ(given({Layout::channels_first}, hwc), chw);
  EXPECT_EQ(given({Layout::transpose, Layout::channels_last}, chw), (Shape{w_, h_, c_}));
}

TEST(Layout, FlatRowsAndExtentsOfOne) {
  EXPECT_EQ(elements({Layout::transpose}, {4}), (Ints{0, 2, 1, 3}));
  EXPECT_EQ(given({Layout::transpose}, {1, 4, 5}), (Shape{1, 5, 4}));
  EXPECT_EQ(given({Layout::transpose}, {4, 5, 1}), (Shape{5, 4, 1}));
  // A flat row of colour: the layout says where its channels are stored, and so where the network has them.
  EXPECT_EQ(elements({Layout::channels_last}, {12}), (Ints{0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11}));
  EXPECT_EQ(elements({Layout::channels_first}, {12}), (Ints{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}));
}

TEST(Layout, OpenExtentsComeOfTheRowsAsGiven) {
  for (const Shape& row : {Shape{3, 4, 5}, Shape{1, 4, 5}, Shape{12}})
    for (const Layouts& all : {Layouts{Layout::transpose},
                               {Layout::invert},
                               {Layout::channels_last},
                               {Layout::transpose, Layout::channels_last, Layout::reverse_channels}})
      if (const auto steps = rearrangements(all, row); steps && !steps->empty()) {
        EXPECT_EQ(row_after(all, steps->front().given), row) << to_string(all);
      }
}

TEST(Layout, WhatIsNoImageHasNone) {
  EXPECT_FALSE(rearrangements({Layout::transpose}, {5}));
  EXPECT_FALSE(rearrangements({Layout::transpose}, {5, 6, 7}));
  EXPECT_FALSE(rearrangements({Layout::transpose}, {}));
  EXPECT_FALSE(rearrangements({Layout::reverse_channels}, {4, 5}));
  EXPECT_FALSE(rearrangements({Layout::channels_last}, {1, 4, 5}));
  EXPECT_FALSE(rearrangements({Layout::channels_last}, {4, 5, 3}));
  EXPECT_FALSE(rearrangements({Layout::channels_first}, {3, 4, 5}));
  EXPECT_TRUE(rearrangements({Layout::invert}, {5})->empty());
}

TEST(Layout, OneSpelling) {
  EXPECT_EQ(to_string(layouts_from("invert,transpose")), "transpose,invert");
  for (const LayoutName& n : layout_names()) {
    EXPECT_EQ(name_of(n.layout), n.name);
    EXPECT_EQ(to_string(layouts_from(std::string(n.name))), n.name);
  }
  for (const char* bad : {"", "Transpose", "transpose,", "invert,invert", "channels-first,channels-last"})
    EXPECT_THROW(layouts_from(bad), Error) << bad;
}

TEST(Layout, OneMoreOrOneLess) {
  EXPECT_EQ(toggled({}, Layout::transpose), Layouts{Layout::transpose});
  EXPECT_EQ(toggled({Layout::transpose}, Layout::transpose), Layouts{});
  EXPECT_EQ(toggled({Layout::invert}, Layout::transpose), (Layouts{Layout::transpose, Layout::invert}));
  EXPECT_FALSE(toggled({Layout::channels_last}, Layout::channels_first));
}

}  // namespace
}  // namespace viva
