#include <limits>

#include "ops/check_rules.h"
#include "ops/random_indexing.h"

namespace viva::test {
namespace {

const OpDef& gather = op("gather");

TEST(Gather, Samples) {
  for (const Sample& s : gather.samples()) {
    for (const Mask& m : s.linear) check_transpose(gather, s, m, s.label), check_jvp(gather, s, m, s.label);
    check_batch(gather, s, shuffled(s), s.label);
    check_empty_batch(gather, s, s.label);
    check_lowered(gather, s, 0, s.label);
  }
}

TEST(Gather, RandomNumbers) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Sample s = random_indexing(seed);
    s.in[2] = Array::scalar(0.75);
    for (const Mask& m : {Mask{true, false, true}, Mask{true, false, false}, Mask{false, false, true}})
      check_transpose(gather, s, m, s.label);
    check_jvp(gather, s, {true, false, true}, s.label);
    check_batch(gather, s, shuffled(s), s.label);
    check_lowered(gather, s, 0, s.label);
  }
}

TEST(Gather, KnownNumbers) {
  const auto rows = [](Array indices, OutOfBounds mode) {
    GatherDims d{{1}, {0}, {}, {}, {0}, {1, 2}, mode};
    Sample s{
        "", {Array::of<int32_t>({1, 2, 3, 4, 5, 6}, {3, 2}), std::move(indices), Array::scalar<int32_t>(9)}, {}, {}};
    d.put(s.attrs);
    const Array y = value_of(gather, s);
    return std::vector<int32_t>(y.as<int32_t>().begin(), y.as<int32_t>().end());
  };
  using V = std::vector<int32_t>;
  const Array indices = Array::of<int8_t>({2, -1, 3}, {3, 1});
  EXPECT_EQ(rows(indices, OutOfBounds::fill), (V{5, 6, 9, 9, 9, 9}));
  EXPECT_EQ(rows(indices, OutOfBounds::clip), (V{5, 6, 1, 2, 5, 6}));
  const Array large = Array::of<uint64_t>({1, std::numeric_limits<uint64_t>::max()}, {2, 1});
  EXPECT_EQ(rows(large, OutOfBounds::fill), (V{3, 4, 9, 9}));
  EXPECT_EQ(rows(large, OutOfBounds::clip), (V{3, 4, 5, 6}));
  const Array far =
      Array::of<int64_t>({std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()}, {2, 1});
  EXPECT_EQ(rows(far, OutOfBounds::clip), (V{1, 2, 5, 6}));
}

TEST(Gather, RefusesWhatDoesNotFit) {
  const auto refused = [](auto change, Shape indices = {5, 1}, Dtype index = Dtype::int32,
                          Dtype fill = Dtype::float32) {
    GatherDims d{{1}, {0}, {}, {}, {0}, {1, 3}, OutOfBounds::fill};
    change(d);
    Build b("f");
    const Value x = b.parameter({Dtype::float32, {4, 3}}), i = b.parameter({index, std::move(indices)}),
                v = b.parameter({fill, {}});
    EXPECT_THROW(b.gather(x, i, v, d), Error);
  };
  const auto keep = [](GatherDims&) {};
  refused(keep, {5, 2});
  refused(keep, {});
  refused(keep, {5, 1}, Dtype::float32);
  refused(keep, {5, 1}, Dtype::int32, Dtype::float64);
  refused([](GatherDims& d) { d.slice_sizes = {1, 4}; });
  refused([](GatherDims& d) { d.slice_sizes = {1, -1}; });
  refused([](GatherDims& d) { d.slice_sizes = {2, 3}; });
  refused([](GatherDims& d) { d.slice_sizes = {1}; });
  refused([](GatherDims& d) { d.collapsed = {2}; });
  refused([](GatherDims& d) { d.offset_dims = {0, 1}; });
  refused([](GatherDims& d) { d.offset_dims = {2}; });
  refused([](GatherDims& d) { d.start_map = {7}; });
  refused([](GatherDims& d) { d.operand_batch = {1}; });
  refused([](GatherDims& d) { d.operand_batch = {0}, d.indices_batch = {0}, d.collapsed = {}; });
  refused(
      [](GatherDims& d) { d.operand_batch = {1}, d.indices_batch = {0}, d.offset_dims = {}, d.slice_sizes = {1, 1}; });
}

}  // namespace
}  // namespace viva::test
