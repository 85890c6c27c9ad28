// How stored rows become those of a network, and what is refused.
#include "cli/rows.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/temp_dir.h"

namespace viva {
namespace {

Dataset of(Array inputs) {
  Dataset d;
  d.spec = "d.npz";
  d.labels = Array::zeros({Dtype::int64, {inputs.shape()[0]}});
  d.inputs = std::move(inputs);
  return d;
}

RowConversion convert(Dtype stored, Shape row, Dtype wanted, Shape to) {
  row.insert(row.begin(), 2);
  return conversion_of(of(Array::zeros({stored, row})), {wanted, to});
}

TEST(Rows, ExtentsOfOneComeAndGo) {
  EXPECT_EQ(convert(Dtype::float32, {28, 28}, Dtype::float32, {1, 28, 28}).layout, "");
  EXPECT_EQ(convert(Dtype::float32, {28, 28, 1}, Dtype::float32, {1, 28, 28}).layout, "");
  EXPECT_EQ(convert(Dtype::float32, {5}, Dtype::float32, {1, 5, 1}).layout, "");
  EXPECT_EQ(convert(Dtype::float32, {}, Dtype::float32, {1}).layout, "");
}

TEST(Rows, VectorsAreCutAndSaid) {
  EXPECT_EQ(convert(Dtype::uint8, {28, 28}, Dtype::float32, {784}).layout,
            "u8[28,28] read as [784], last index fastest");
  EXPECT_EQ(convert(Dtype::float32, {12}, Dtype::float32, {3, 2, 2}).layout,
            "f32[12] read as [3,2,2], last index fastest");
}

TEST(Rows, AnotherOrderOfAxesIsNotGuessed) {
  const auto refused = [](Shape row, Shape to) {
    return error_of([&] { convert(Dtype::uint8, row, Dtype::float32, to); });
  };
  EXPECT_EQ(refused({32, 32, 3}, {3, 32, 32}),
            "d.npz: a row is u8[32,32,3], but the network takes f32[3,32,32]: another order of the axes? Then save "
            "x.transpose(0, 3, 1, 2), or give --layout channels-last");
  VIVA_EXPECT_HAS(refused({3, 32, 32}, {32, 32, 3}), "x.transpose(0, 2, 3, 1)");
  VIVA_EXPECT_HAS(refused({2, 3}, {3, 2}), "x.transpose(0, 2, 1)");
  VIVA_EXPECT_HAS(refused({4, 6}, {3, 8}), "give data of that shape");
  VIVA_EXPECT_HAS(refused({27, 28}, {28, 28}), "give data of that size");
}

TEST(Rows, ValuesAreNamed) {
  EXPECT_EQ(convert(Dtype::uint8, {4}, Dtype::float32, {4}).values, "uint8 divided by 255");
  EXPECT_EQ(convert(Dtype::uint8, {4}, Dtype::uint8, {4}).values, "");
  EXPECT_EQ(convert(Dtype::float32, {4}, Dtype::float32, {4}).values, "");
  EXPECT_EQ(convert(Dtype::float64, {4}, Dtype::float32, {4}).values, "f64 taken as f32, not scaled");
  EXPECT_EQ(convert(Dtype::int64, {4}, Dtype::float32, {4}).values, "i64 taken as f32, not scaled");
  VIVA_EXPECT_HAS(error_of([] { convert(Dtype::float32, {4}, Dtype::int64, {4}); }), "the network takes i64[4]");
}

TEST(Rows, UnsignedBytesAreDivided) {
  const Dataset d = of(Array::of(std::vector<uint8_t>{0, 51, 255, 1}, {2, 2}));
  const Array x = converted_rows(d, {Dtype::float32, {2}}, 0, 2);
  EXPECT_EQ(x.shape(), (Shape{2, 2}));
  EXPECT_EQ(x.as<float>()[1], 51.0F / 255.0F);
  EXPECT_EQ(x.as<float>()[2], 1.0F);
  EXPECT_EQ(converted_rows(d, {Dtype::float16, {2}}, 1, 1).at(0), 1);
  EXPECT_EQ(converted_rows(d, {Dtype::uint8, {2}}, 0, 1).at(1), 51);
}

TEST(Rows, WhatADtypeCannotHoldIsNamed) {
  const Dataset wide = of(Array::of(std::vector<double>{1, 2, 3, 1e300}, {2, 2}));
  EXPECT_EQ(
      error_of([&] { converted_rows(wide, {Dtype::float32, {2}}, 0, 2); }),
      "d.npz: row 1 (counting from 0) holds 1e+300, too large for the network's f32: scale the data as in training");
  EXPECT_EQ(converted_rows(wide, {Dtype::float32, {2}}, 0, 1).at(1), 2);
  const Dataset whole = of(Array::of(std::vector<int64_t>{1, 2, 3, int64_t{1} << 40}, {2, 2}));
  VIVA_EXPECT_HAS(error_of([&] { converted_rows(whole, {Dtype::int32, {2}}, 0, 2); }),
                  "row 1 (counting from 0) holds 1099511627776, which the network's i32 cannot hold");
  EXPECT_EQ(converted_rows(whole, {Dtype::int32, {2}}, 0, 1).at(1), 2);
}

TEST(ClassNames, OneALine) {
  const TempDir dir;
  DataFile file;
  put(dir / "names", "cat\r\nZürich\n<b>\n");
  EXPECT_EQ(read_class_names(dir / "names", 3, file), (std::vector<std::string>{"cat", "Zürich", "<b>"}));
  EXPECT_EQ(file.bytes, 17);
  EXPECT_EQ(file.sha256.size(), 64u);
  const auto refused = [&](const std::string& text, int64_t classes) {
    put(dir / "names", text);
    return error_of([&] { read_class_names(dir / "names", classes, file); });
  };
  VIVA_EXPECT_HAS(refused("a\nb\n", 3), "holds 2 names, but the network has 3 classes");
  VIVA_EXPECT_HAS(refused("a\n\nb\n", 3), "line 2 is empty");
  VIVA_EXPECT_HAS(refused("", 1), "line 1 is empty");
  VIVA_EXPECT_HAS(refused("a\nb\na\n", 3), "line 3 repeats the name of line 1");
  VIVA_EXPECT_HAS(refused("a\n" + std::string(201, 'b') + "\nc\n", 3),
                  "line 2 has 201 bytes: names of classes have at most 200");
}

}  // namespace
}  // namespace viva
