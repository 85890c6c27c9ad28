// Total semantics and the conventions at points that are not smooth, in both engines.
#include <gtest/gtest.h>

#include <tuple>

#include "laws/both.h"
#include "transform/transform.h"

namespace viva {
namespace {

using laws::Arrays;

// Indices [n, 1] into a vector, each for one element; outside they are clipped.
GatherDims single_elements() {
  return {.offset_dims = {},
          .collapsed = {0},
          .operand_batch = {},
          .indices_batch = {},
          .start_map = {0},
          .slice_sizes = {1},
          .mode = OutOfBounds::clip};
}

TEST(Semantics, IntegersDivideWithoutTraps) {
  const Array x = vec<int32_t>({7, -7, INT32_MIN, 5, INT32_MIN}), y = vec<int32_t>({0, 2, -1, -3, 0});
  expect(both({x, y}, [](Build& b, const Values& v) { return b.div(v[0], v[1]); }), {0, -3, INT32_MIN, -1, 0});
  expect(both({x, y}, [](Build& b, const Values& v) { return b.rem(v[0], v[1]); }), {7, -1, 0, 2, INT32_MIN});
  expect(both({x}, [](Build& b, const Values& v) { return b.neg(v[0]); }), {-7, 7, INT32_MIN, -5, INT32_MIN});
  expect(both({x}, [](Build& b, const Values& v) { return b.abs(v[0]); }), {7, 7, INT32_MIN, 5, INT32_MIN});
}

TEST(Semantics, IntegersWrapAndShiftOut) {
  expect(both({vec<int8_t>({127, -128, 100}), vec<int8_t>({1, -1, 3})},
              [](Build& b, const Values& v) { return b.add(v[0], v[1]); }),
         {-128, 127, 103});
  expect(both({vec<int8_t>({127, 16, -3}), vec<int8_t>({2, 16, 100})},
              [](Build& b, const Values& v) { return b.mul(v[0], v[1]); }),
         {-2, 0, -44});
  expect(both({vec<int32_t>({1, -8, -8, 1}), vec<int32_t>({31, 1, 32, -1})},
              [](Build& b, const Values& v) { return b.shift_right(v[0], v[1]); }),
         {0, -4, 0, 0});
  expect(both({vec<uint8_t>({1, 1, 255}), vec<uint8_t>({7, 8, 4})},
              [](Build& b, const Values& v) { return b.shift_left(v[0], v[1]); }),
         {128, 0, 240});
  expect(both({vec<int32_t>({2, -1, 0, 1, 3}), vec<int32_t>({-1, -3, -2, -9, 4})},
              [](Build& b, const Values& v) { return b.pow(v[0], v[1]); }),
         {0, -1, 0, 1, 81});
}

TEST(Semantics, ConversionsSaturate) {
  const Array x = vec<double>({nan, inf, -inf, 300, -1.9, 2.5});
  expect(both({x}, [](Build& b, const Values& v) { return b.convert(v[0], Dtype::int8); }), {0, 127, -128, 127, -1, 2});
  expect(both({x}, [](Build& b, const Values& v) { return b.convert(v[0], Dtype::uint64); }),
         {0, 18446744073709551615.0, 0, 300, 0, 2});
  expect(both({x}, [](Build& b, const Values& v) { return b.convert(v[0], Dtype::boolean); }), {1, 1, 1, 1, 1, 1});
}

TEST(Semantics, NanPropagatesAndSignedZerosAreOrdered) {
  const Array x = vec<double>({nan, 1, -0.0, 0.0, -inf}), y = vec<double>({1, nan, 0.0, -0.0, inf});
  expect(both({x, y}, [](Build& b, const Values& v) { return b.max(v[0], v[1]); }), {nan, nan, 0, 0, inf});
  expect(both({x, y}, [](Build& b, const Values& v) { return b.min(v[0], v[1]); }), {nan, nan, 0, 0, -inf});
  expect(both({x}, [](Build& b, const Values& v) { return b.reduce_max(v[0], {0}); }), {nan});
  expect(both({vec<double>({3, nan, 5, nan})}, [](Build& b, const Values& v) { return b.argmax(v[0], 0); }), {1});
  expect(both({vec<double>({3, 5, 5, 1})}, [](Build& b, const Values& v) { return b.argmax(v[0], 0); }), {1});
  expect(both({vec<double>({.5, 1.5, 2.5, -.5, nan})}, [](Build& b, const Values& v) { return b.round(v[0]); }),
         {0, 2, 2, -0.0, nan});
}

TEST(Semantics, NothingReducesToTheNeutralElement) {
  const Array empty = Array::zeros({Dtype::float64, {2, 0}});
  expect(both({empty}, [](Build& b, const Values& v) { return b.reduce_sum(v[0], {1}); }), {0, 0});
  expect(both({empty}, [](Build& b, const Values& v) { return b.reduce_prod(v[0], {1}); }), {1, 1});
  expect(both({empty}, [](Build& b, const Values& v) { return b.reduce_max(v[0], {1}); }), {-inf, -inf});
  expect(
      both({Array::zeros({Dtype::uint8, {1, 0}})}, [](Build& b, const Values& v) { return b.reduce_min(v[0], {1}); }),
      {255});
}

// max and min are IEEE 754-2019 maximum and minimum wherever they are taken: -0 lies below +0, in any order.
TEST(Semantics, ZerosAreOrderedInEveryReduction) {
  for (const auto& pair : {std::vector<double>{-0.0, 0.0}, {0.0, -0.0}}) {
    const auto sign = [](const Array& a) { return std::signbit(a.at(0)); };
    for (const int64_t n : {2, 3, 64, 5000})
      for (const bool columns : {false, true}) {
        std::vector<double> x(static_cast<size_t>(n), pair[0]);
        x[static_cast<size_t>(n) / 2] = pair[1];
        const Array a = Array::of<double>(x, columns ? Shape{n, 1} : Shape{1, n});
        const int64_t dim = columns ? 0 : 1;
        for (const Dtype d : {Dtype::float64, Dtype::float32, Dtype::bfloat16}) {
          const Array v = a.converted(d);
          EXPECT_FALSE(sign(both({v}, [&](Build& b, const Values& in) { return b.reduce_max(in[0], {dim}); }))) << n;
          EXPECT_TRUE(sign(both({v}, [&](Build& b, const Values& in) { return b.reduce_min(in[0], {dim}); }))) << n;
        }
      }
    const Array x = vec<double>({pair[0]}), u = vec<double>({pair[1]}), at = Array::zeros({Dtype::int32, {1, 1}});
    const GatherDims d = single_elements();
    const auto combined = [&](Combine how) {
      return both({x, at, u}, [&](Build& b, const Values& v) { return b.scatter(v[0], v[1], v[2], how, d); });
    };
    EXPECT_FALSE(sign(combined(Combine::max)));
    EXPECT_TRUE(sign(combined(Combine::min)));
    EXPECT_FALSE(sign(both({x, u}, [](Build& b, const Values& v) { return b.max(v[0], v[1]); })));
    EXPECT_TRUE(sign(both({x, u}, [](Build& b, const Values& v) { return b.min(v[0], v[1]); })));
  }
}

TEST(Semantics, NanAndTiesInWindowsAndScatters) {
  const auto places = [](const Array& x) {
    return both({x}, [](Build& b, const Values& v) { return b.window_argmax(v[0], WindowDims::plain({2})); });
  };
  expect(places(vec<double>({1, nan, nan, 2, 2, -0.0, 0.0})), {1, 0, 0, 0, 0, 0});
  expect(both({vec<double>({3, 5, 3})}, [](Build& b, const Values& v) { return b.reduce_min(v[0], {0}); }), {3});
  expect(both({vec<double>({3, nan, 3})}, [](Build& b, const Values& v) { return b.reduce_min(v[0], {0}); }), {nan});
  expect(both({vec<double>({3, nan})}, [](Build& b, const Values& v) { return b.relu(v[0]); }), {3, 0});
  const GatherDims d = single_elements();
  for (const Combine how : {Combine::max, Combine::min})
    expect(both({vec<double>({1, nan}), Array::of<int32_t>({0, 1}, {2, 1}), vec<double>({nan, 1})},
                [&](Build& b, const Values& v) { return b.scatter(v[0], v[1], v[2], how, d); }),
           {nan, nan});
}

TEST(Semantics, IndicesFromDataAreClippedOrFilled) {
  const Array x = vec<double>({1, 2, 3}), u = vec<double>({10, 20, 30, 40});
  const Array at = Array::of<int64_t>({-5, 1, 3, INT64_MAX}, {4, 1});
  GatherDims d = single_elements();
  const auto gathered = [&] {
    return both({x, at},
                [&](Build& b, const Values& v) { return b.gather(v[0], v[1], b.scalar(Dtype::float64, -1), d); });
  };
  const auto scattered = [&] {
    return both({x, at, u}, [&](Build& b, const Values& v) { return b.scatter(v[0], v[1], v[2], Combine::set, d); });
  };
  expect(gathered(), {1, 2, 3, 3});
  expect(scattered(), {10, 20, 40});
  d.mode = OutOfBounds::fill;
  expect(gathered(), {-1, 2, -1, -1});
  expect(scattered(), {1, 20, 3});
  for (const auto& [start, slice, updated] : std::vector<std::tuple<int64_t, std::vector<double>, std::vector<double>>>{
           {-9, {1, 2}, {8, 9, 3}}, {1, {2, 3}, {1, 8, 9}}, {2, {2, 3}, {1, 8, 9}}, {INT64_MAX, {2, 3}, {1, 8, 9}}}) {
    Array s = Array::make({Dtype::int64, {}});
    s.as_mutable<int64_t>()[0] = start;
    expect(both({x, s}, [](Build& b, const Values& v) { return b.dynamic_slice(v[0], {v[1]}, {2}); }), slice);
    expect(both({x, vec<double>({8, 9}), s},
                [](Build& b, const Values& v) { return b.dynamic_update_slice(v[0], v[1], {v[2]}); }),
           updated);
  }
}

// The gradient of the sum of f at x.
Array slopes(const Array& x, const std::function<Value(Build&, Value)>& f) {
  const Body body = function_of({x}, [&](Build& b, const Values& v) {
    const Value y = f(b, v[0]);
    return b.reduce_sum(y, iota_ints(y.rank()));
  });
  const Body g = grad(body, {true});
  ThreadPool pool(1);
  const Array slow = interpret(*g, std::vector{x})[0];
  EXPECT_EQ(laws::close({slow}, compile(g).call({x}, pool).take(), 0), "");
  return slow;
}

TEST(Conventions, AtPointsThatAreNotSmooth) {
  expect(slopes(vec<double>({0, 2, -2}), [](Build& b, Value x) { return b.relu(x); }), {0, 1, 0});
  expect(slopes(vec<double>({0, 2, -2}), [](Build& b, Value x) { return b.abs(x); }), {0, 1, -1});
  expect(slopes(vec<double>({3, 5, 5, 1}), [](Build& b, Value x) { return b.reduce_max(x, {0}); }), {0, .5, .5, 0});
  expect(slopes(vec<double>({3, 1, 1, 4}), [](Build& b, Value x) { return b.reduce_min(x, {0}); }), {0, .5, .5, 0});
  const auto against_two = [](Value (Build::*op)(Value, Value, Build::Loc)) {
    return [op](Build& b, Value x) { return (b.*op)(x, b.full_like(x, 2), Build::Loc::current()); };
  };
  expect(slopes(vec<double>({2, 3, 1}), against_two(&Build::max)), {.5, 1, 0});
  expect(slopes(vec<double>({2, 3, 1}), against_two(&Build::min)), {.5, 0, 1});
  // 0 to the power 0 is 1 with slope 0; 0 to a positive power has slope 0 in the exponent.
  expect(slopes(vec<double>({0}), [](Build& b, Value x) { return b.pow(x, b.zero(x)); }), {0});
  expect(slopes(vec<double>({2}), [](Build& b, Value y) { return b.pow(b.zero(y), y); }), {0});
}

TEST(Semantics, PaddingAndHolesAreZerosInProducts) {
  const auto conv = [](int64_t low, int64_t base_dilation) {
    return [=](Build& b, const Values& v) {
      ConvDims d = ConvDims::plain(1);
      d.pad_low = {low}, d.lhs_dilation = {base_dilation};
      return b.reshape(b.conv_general(v[0], v[1], d), {3});
    };
  };
  const Array kernel = Array::of<double>({inf, 1}, {1, 1, 2});
  expect(both({Array::of<double>({1, 1, 1}, {1, 1, 3}), kernel}, conv(1, 1)), {nan, inf, inf});
  expect(both({Array::of<double>({1, 1}, {1, 1, 2}), kernel}, conv(1, 2)), {nan, inf, nan});
}

TEST(Semantics, ASumOverNoDimensionIsItsOperand) {
  const Array zeros = vec<double>({-0.0, 0});
  const Array got = both({zeros}, [](Build& b, const Values& v) { return b.reduce_sum(v[0], {}); });
  EXPECT_TRUE(std::signbit(got.at(0)));
  EXPECT_FALSE(std::signbit(got.at(1)));
}

TEST(Semantics, TheGreatestOfNothingHasNoTangent) {
  const Body f = function_of({Array::zeros({Dtype::float64, {2, 0}})},
                             [](Build& b, const Values& v) { return b.reduce_max(v[0], {1}); });
  const Array none = Array::zeros({Dtype::float64, {2, 0}});
  expect(interpret(*jvp(f, {true}), Arrays{none, none})[1], {0, 0});
}

TEST(Semantics, AnInfiniteTangentOfALesserElementIsNotSeen) {
  const Body f = function_of({vec<double>({1, 2})}, [](Build& b, const Values& v) { return b.reduce_max(v[0], {0}); });
  EXPECT_EQ(interpret(*jvp(f, {true}), Arrays{vec<double>({1, 2}), vec<double>({inf, 3})})[1].at(0), 3);
}

}  // namespace
}  // namespace viva
