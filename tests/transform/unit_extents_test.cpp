// Reshapes that only move extents of 1: they go, and no value changes.
#include <gtest/gtest.h>

#include <algorithm>

#include "graph/build.h"
#include "graph/opdef.h"
#include "graph/verify.h"
#include "interpret/interpret.h"
#include "ops/record.h"
#include "transform/pipeline.h"
#include "transform/transform.h"

namespace viva {
namespace {

int64_t count(const Body& f, std::string_view op) {
  return std::ranges::count_if(f->nodes(), [&](const Node& n) { return n.op && n.op->name == op; });
}

void expect_the_same(const Body& f, const Body& simple, const std::vector<Array>& args) {
  verify(*simple);
  const std::vector<Array> expected = interpret(*f, args), got = interpret(*simple, args);
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(same_bits(got[i], expected[i])) << i;
}

// Convolution, bias, relu, padded max-pool, residual convolution; for one example of shape [1, 2, 6, 6].
Body network() {
  Build b("network");
  const Value x = b.parameter({Dtype::float32, {1, 2, 6, 6}}, "x"),
              w = b.parameter({Dtype::float32, {2, 2, 3, 3}}, "w"), bias = b.parameter({Dtype::float32, {2}}, "b");
  ConvDims d = ConvDims::plain(2);
  d.pad_low = d.pad_high = {1, 1};
  const auto relu = [&](Value v) { return b.select(b.compare(Direction::gt, v, b.zero(v)), v, b.zero(v)); };
  const Value first = relu(b.add(b.conv_general(x, w, d), b.broadcast(bias, {1, 2, 6, 6}, {1})));
  WindowDims pool = WindowDims::plain({1, 1, 3, 3});
  pool.strides = {1, 1, 2, 2}, pool.pad_low = pool.pad_high = {0, 0, 1, 1};
  const Value pooled = b.window_gather(first, b.window_argmax(first, pool), pool);
  return b.finish({relu(b.add(b.conv_general(pooled, w, d), pooled))});
}

std::vector<Array> arguments(int64_t n) {
  return {sample_floats({n, 1, 2, 6, 6}, -2, 2, 1, Dtype::float32),
          sample_floats({2, 2, 3, 3}, -1, 1, 2, Dtype::float32), sample_floats({2}, -1, 1, 3, Dtype::float32)};
}

TEST(UnitExtents, BatchedNetworkKeepsOneReshapeAtEachEnd) {
  for (const int64_t n : {1, 3}) {
    const Body f = vmap(network(), {0, -1, -1}, n), simple = simplify(f);
    EXPECT_LE(count(simple, "reshape"), 2) << n;
    expect_the_same(f, simple, arguments(n));
  }
}

TEST(UnitExtents, GradientOfBatchedNetworkHasNoneBetween) {
  Build b("loss");
  const Body net = network();
  Values args;
  for (const Value& p : net->params()) args.push_back(b.parameter_like(p));
  const Value y = b.call(net, args)[0];
  const Body loss = b.finish({b.reduce_sum(b.square(y), {0, 1, 2, 3})});
  const Body f = vmap(grad(loss, {true, false, false}), {0, -1, -1}, 3), simple = simplify(f);
  EXPECT_LE(count(simple, "reshape"), 2);
  expect_the_same(f, simple, arguments(3));
}

TEST(UnitExtents, BroadcastsConstantsAndOtherReshapesFollow) {
  Build b("f");
  const Value x = b.parameter({Dtype::float32, {2, 3}}, "x"), row = b.parameter({Dtype::float32, {1, 3}}, "row");
  const Shape wide{2, 1, 3, 1};
  const Value y = b.add(b.reshape(x, wide), b.broadcast(row, wide, {1, 2}));
  const Value z = b.mul(y, b.constant(sample_floats(wide, -1, 1, 5, Dtype::float32)));
  const Body f = b.finish({b.reshape(b.sub(z, b.reshape(b.neg(x), wide)), {2, 3})}), simple = simplify(f);
  EXPECT_EQ(count(simple, "reshape"), 1);  // of the row
  expect_the_same(f, simple,
                  {sample_floats({2, 3}, -1, 1, 1, Dtype::float32), sample_floats({1, 3}, -1, 1, 2, Dtype::float32)});
}

// Windows that extend along an extent of 1 cannot be told apart from those beside them.
TEST(UnitExtents, AmbiguousWindowsStay) {
  Build b("f");
  const Value x = b.parameter({Dtype::float32, {4}}, "x");
  WindowDims w = WindowDims::plain({3, 1, 2});
  w.pad_low = {1, 0, 0}, w.pad_high = {1, 0, 1};
  const Body f = b.finish({b.window_sum(b.reshape(x, {1, 4, 1}), w)}), simple = simplify(f);
  EXPECT_EQ(count(simple, "reshape"), 1);
  expect_the_same(f, simple, {sample_floats({4}, -1, 1, 1, Dtype::float32)});
}

TEST(UnitExtents, EmptyArraysAreArrays) {
  Build b("f");
  const Value x = b.parameter({Dtype::float32, {0, 1, 3}}, "x");
  const Body f = b.finish({b.reshape(b.exp(b.reshape(x, {0, 3, 1})), {0, 1, 3})}), simple = simplify(f);
  EXPECT_EQ(count(simple, "reshape"), 0);
  expect_the_same(f, simple, {Array::zeros({Dtype::float32, {0, 1, 3}})});
}

}  // namespace
}  // namespace viva
