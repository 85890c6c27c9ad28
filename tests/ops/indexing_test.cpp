#include <limits>

#include "ops/check_rules.h"

namespace viva::test {
namespace {

const OpDef& dynamic_slice = op("dynamic_slice");
const OpDef& dynamic_update_slice = op("dynamic_update_slice");

TEST(Indexing, Samples) {
  for (const OpDef* op : {&dynamic_slice, &dynamic_update_slice})
    for (const Sample& s : op->samples()) {
      const std::string what = fmt::format("{} {}", op->name, s.label);
      for (const Mask& m : s.linear) check_transpose(*op, s, m, what), check_jvp(*op, s, m, what);
      // Starts of their own for each example, of different dtypes and far outside.
      const auto varied = [&](size_t i, size_t k) {
        const size_t arrays = op == &dynamic_slice ? 1 : 2;
        if (i < arrays) return shuffled(s)(i, k);
        if (s.in[i].dtype() == Dtype::uint64)
          return Array::scalar<uint64_t>(k == 0 ? std::numeric_limits<uint64_t>::max() : k);
        return Array::full(s.in[i].type(), static_cast<double>(k * 7) - 5);
      };
      check_batch(*op, s, varied, what);
      check_empty_batch(*op, s, what);
      check_lowered(*op, s, 0, what);
    }
}

TEST(Indexing, StartsAreMovedInside) {
  const auto of = [](auto start) {
    Sample s{"", {Array::of<int32_t>({1, 2, 3, 4}, {4}), Array::scalar(start)}, {{"sizes", Ints{2}}}, {}};
    return value_of(dynamic_slice, s).as<int32_t>()[0];
  };
  EXPECT_EQ(of(int32_t{1}), 2);
  EXPECT_EQ(of(int8_t{-3}), 1);
  EXPECT_EQ(of(std::numeric_limits<int64_t>::max()), 3);
  EXPECT_EQ(of(std::numeric_limits<int64_t>::min()), 1);
  EXPECT_EQ(of(std::numeric_limits<uint64_t>::max()), 3);
  Sample s{
      "", {Array::of<int32_t>({1, 2, 3}, {3}), Array::of<int32_t>({8, 9}, {2}), Array::scalar<uint8_t>(255)}, {}, {}};
  const Array y = value_of(dynamic_update_slice, s);
  EXPECT_EQ(std::vector<int32_t>(y.as<int32_t>().begin(), y.as<int32_t>().end()), (std::vector<int32_t>{1, 8, 9}));
}

TEST(Indexing, SimplifiesToTheSameBits) {
  for (double start : {-4.0, 1.0, 9.0}) {
    Build b("f");
    const Value x = b.parameter({Dtype::float32, {4, 2}});
    const Value y = b.dynamic_slice(x, {b.scalar(Dtype::int64, start), b.scalar(Dtype::int64, 5)}, {2, 2});
    const Values simple = (*dynamic_slice.simplify)(b, *y.node(), y.node()->in);
    ASSERT_EQ(simple.size(), 1u);
    const Array in = random_array(x.type(), 1);
    const auto both = run(b.finish({y, simple[0]}), {in});
    EXPECT_TRUE(same_bits(both[0], both[1]));
  }
}

TEST(Indexing, RefusesWhatDoesNotFit) {
  Build b("f");
  const Value x = b.parameter({Dtype::float32, {4, 2}}), u = b.parameter({Dtype::float32, {5, 2}}),
              i = b.parameter({Dtype::int32, {}}), v = b.parameter({Dtype::int32, {1}}),
              r = b.parameter({Dtype::float32, {}}), w = b.parameter({Dtype::float64, {1, 1}});
  EXPECT_THROW(b.dynamic_slice(x, {i}, {1, 1}), Error);
  EXPECT_THROW(b.dynamic_slice(x, {i, v}, {1, 1}), Error);
  EXPECT_THROW(b.dynamic_slice(x, {i, r}, {1, 1}), Error);
  EXPECT_THROW(b.dynamic_slice(x, {i, i}, {1, 3}), Error);
  EXPECT_THROW(b.dynamic_slice(x, {i, i}, {-1, 1}), Error);
  EXPECT_THROW(b.dynamic_slice(x, {i, i}, {1}), Error);
  EXPECT_THROW(b.dynamic_update_slice(x, u, {i, i}), Error);
  EXPECT_THROW(b.dynamic_update_slice(x, w, {i, i}), Error);
  EXPECT_THROW(b.emit(dynamic_update_slice, {x}), Error);
}

}  // namespace
}  // namespace viva::test
