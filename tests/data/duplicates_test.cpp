#include "data/duplicates.h"

#include <gtest/gtest.h>

#include <map>

#include "support/temp_dir.h"

namespace viva {
namespace {

Array bytes_of(const std::vector<uint8_t>& v, int64_t n) {
  return Array::of(v, {n, static_cast<int64_t>(v.size()) / n});
}

TEST(Duplicates, Inside) {
  EXPECT_EQ(duplicate_rows(bytes_of({1, 2, 3, 4, 1, 2, 5, 6, 3, 4, 1, 2}, 6)), (std::vector<Ints>{{0, 2, 5}, {1, 4}}));
  EXPECT_TRUE(duplicate_rows(bytes_of({1, 2, 2, 1}, 2)).empty());
  EXPECT_TRUE(duplicate_rows(Array::zeros({Dtype::float32, {0, 3}})).empty());
  EXPECT_EQ(duplicate_rows(Array::zeros({Dtype::float32, {2, 0}})), (std::vector<Ints>{{0, 1}}));
}

TEST(Duplicates, BytesDecide) {
  EXPECT_TRUE(duplicate_rows(Array::of(std::vector<float>{0.f, -0.f}, {2})).empty());
  EXPECT_EQ(duplicate_rows(Array::of(std::vector<float>{NAN, NAN}, {2})).size(), 1u);
}

TEST(Duplicates, Between) {
  const auto shared = shared_rows(bytes_of({1, 1, 2, 2, 1, 1, 3, 3}, 4), bytes_of({2, 2, 9, 9, 1, 1, 2, 2, 9, 9}, 5));
  ASSERT_EQ(shared.size(), 2u);
  EXPECT_EQ(shared[0].first, (Ints{0, 2}));
  EXPECT_EQ(shared[0].second, (Ints{2}));
  EXPECT_EQ(shared[1].first, (Ints{1}));
  EXPECT_EQ(shared[1].second, (Ints{0, 3}));
  EXPECT_TRUE(shared_rows(bytes_of({1}, 1), bytes_of({2}, 1)).empty());
}

TEST(Duplicates, RowsMustBeComparable) {
  const Array a = Array::zeros({Dtype::uint8, {2, 4, 4}});
  EXPECT_TRUE(comparable_rows(a, Array::zeros({Dtype::uint8, {3, 16}})));
  EXPECT_FALSE(comparable_rows(a, Array::zeros({Dtype::uint8, {2, 4}})));
  EXPECT_FALSE(comparable_rows(a, Array::zeros({Dtype::float32, {2, 4}})));
  VIVA_EXPECT_HAS(error_of([&] { shared_rows(a, Array::zeros({Dtype::int8, {2, 4, 4}})); }), "cannot be compared");
  VIVA_EXPECT_HAS(error_of([&] { duplicate_rows(Array::scalar(1)); }), "no rows");
}

// Against a map from content to rows.
TEST(Duplicates, AgreesWithAMap) {
  uint32_t state = 1;
  std::vector<uint8_t> v;
  for (int i = 0; i < 3000 * 2; ++i) v.push_back(static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 27));
  std::map<std::pair<uint8_t, uint8_t>, Ints> rows;
  for (size_t i = 0; i < 3000; ++i) rows[{v[2 * i], v[2 * i + 1]}].push_back(static_cast<int64_t>(i));
  std::map<int64_t, Ints> expected;
  for (const auto& [content, group] : rows)
    if (group.size() > 1) expected[group[0]] = group;
  const auto found = duplicate_rows(bytes_of(v, 3000));
  ASSERT_EQ(found.size(), expected.size());
  size_t i = 0;
  for (const auto& [first, group] : expected) EXPECT_EQ(found[i++], group);
}

}  // namespace
}  // namespace viva
