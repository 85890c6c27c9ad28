#include "base/dtype.h"

#include <gtest/gtest.h>

#include <cstring>

namespace viva {
namespace {

TEST(Dtype, NamesRoundTrip) {
  for (int i = 0; i < dtype_count; ++i) {
    const auto d = static_cast<Dtype>(i);
    EXPECT_EQ(dtype_from_name(name(d)), d);
    EXPECT_EQ(dispatch(d, [](auto tag) { return static_cast<int64_t>(sizeof(typename decltype(tag)::type)); }),
              size_of(d));
  }
  EXPECT_FALSE(dtype_from_name("float"));
}

// Every 16-bit pattern survives the way through float; halfway cases round to even.
TEST(Dtype, Float16) {
  for (uint32_t i = 0; i < 0x10000; ++i) {
    Float16 h;
    h.bits = static_cast<uint16_t>(i);
    const float f = static_cast<float>(h);
    if (std::isnan(f)) EXPECT_TRUE(std::isnan(static_cast<float>(Float16(f))));
    else EXPECT_EQ(Float16(f).bits, h.bits) << i;
  }
  EXPECT_EQ(Float16(1 + 0x1p-11f).bits, Float16(1).bits);
  EXPECT_EQ(static_cast<float>(Float16(1 + 3 * 0x1p-11f)), 1 + 0x1p-9f);
  EXPECT_EQ(static_cast<float>(Float16(65519)), 65504);
  EXPECT_TRUE(std::isinf(static_cast<float>(Float16(65520))));
  EXPECT_EQ(static_cast<float>(Float16(0x1p-25f)), 0);
  EXPECT_EQ(static_cast<float>(Float16(0x1.8p-25f)), 0x1p-24f);
}

TEST(Dtype, BFloat16) {
  for (uint32_t i = 0; i < 0x10000; ++i) {
    BFloat16 h;
    h.bits = static_cast<uint16_t>(i);
    const float f = static_cast<float>(h);
    if (std::isnan(f)) EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(f))));
    else EXPECT_EQ(BFloat16(f).bits, h.bits) << i;
  }
  EXPECT_EQ(static_cast<float>(BFloat16(1 + 0x1p-8f)), 1);
  EXPECT_EQ(static_cast<float>(BFloat16(1 + 3 * 0x1p-8f)), 1 + 0x1p-6f);
}

// What lies just beyond a tie rounds up, though float alone could not tell it from the tie.
TEST(Dtype, WiderTypesRoundOnceToHalves) {
  EXPECT_EQ(static_cast<float>(convert_element<Float16>(1 + 0x1p-11 + 0x1p-40)), 1 + 0x1p-10f);
  EXPECT_EQ(static_cast<float>(convert_element<Float16>(1 + 0x1p-11)), 1);
  EXPECT_EQ(static_cast<float>(convert_element<Float16>(1 + 3 * 0x1p-11 - 0x1p-40)), 1 + 0x1p-10f);
  EXPECT_EQ(static_cast<float>(convert_element<Float16>(-1 - 0x1p-11 - 0x1p-40)), -1 - 0x1p-10f);
  EXPECT_EQ(static_cast<float>(convert_element<Float16>(0x1p-25 + 0x1p-60)), 0x1p-24f);
  EXPECT_EQ(static_cast<float>(convert_element<Float16>(1e-300)), 0);
  EXPECT_EQ(static_cast<float>(convert_element<Float16>(65520 - 0x1p-30)), 65504);
  EXPECT_EQ(static_cast<float>(convert_element<BFloat16>(1 + 0x1p-8 + 0x1p-40)), 1 + 0x1p-7f);
  EXPECT_EQ(static_cast<float>(convert_element<BFloat16>((int64_t{1} << 40) + (int64_t{1} << 32) + 1)), 0x1.02p40f);
  EXPECT_EQ(static_cast<float>(convert_element<BFloat16>((uint64_t{1} << 63) + (uint64_t{1} << 55) + 1)), 0x1.02p63f);
  EXPECT_EQ(static_cast<float>(convert_element<BFloat16>(-(int64_t{1} << 40) - (int64_t{1} << 32) - 1)), -0x1.02p40f);
  EXPECT_TRUE(std::isinf(static_cast<float>(convert_element<BFloat16>(1e300))));
  EXPECT_TRUE(std::isnan(static_cast<float>(convert_element<BFloat16>(std::nan("")))));
}

TEST(Dtype, ConversionsAreTotal) {
  const double nan = std::nan(""), inf = INFINITY;
  EXPECT_EQ(convert_element<int32_t>(nan), 0);
  EXPECT_EQ(convert_element<int32_t>(inf), INT32_MAX);
  EXPECT_EQ(convert_element<int32_t>(-inf), INT32_MIN);
  EXPECT_EQ(convert_element<int32_t>(2147483647.5), INT32_MAX);
  EXPECT_EQ(convert_element<int64_t>(0x1p63), INT64_MAX);
  EXPECT_EQ(convert_element<uint8_t>(-3.0), 0);
  EXPECT_EQ(convert_element<uint8_t>(255.9), 255);
  EXPECT_EQ(convert_element<uint64_t>(1e30f), UINT64_MAX);
  EXPECT_EQ(convert_element<int8_t>(int32_t{300}), 44);
  EXPECT_EQ(convert_element<bool>(0.5), true);
  EXPECT_EQ(convert_element<bool>(Float16(0)), false);
  EXPECT_EQ(convert_element<int32_t>(-1.9), -1);
  EXPECT_EQ(convert_element<float>(std::complex<double>(2, 3)), 2);
}

}  // namespace
}  // namespace viva
