// Random numbers: pure functions of the key, with the moments that they should have.
#include "viva/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/error.h"
#include "viva/viva.h"

namespace viva {
namespace {

TEST(Random, APureFunctionOfTheKey) {
  const Key k = key(1);
  EXPECT_EQ(to_string(uniform(k, {4})), to_string(uniform(k, {4})));
  EXPECT_NE(to_string(uniform(k, {4})), to_string(uniform(k.fold(0), {4})));
  const auto f = [](const Key& at, const Tensor& step) { return normal(at.fold(step), {5}); };
  const Tensor step = scalar(3, Dtype::int64);
  EXPECT_EQ(to_string(compile(f)(k, step)), to_string(f(k, step)));
  EXPECT_EQ(to_string(f(k, step)), to_string(normal(k.fold(3), {5})));
}

TEST(Random, DerivedKeysDiffer) {
  std::set<std::string> seen;
  for (int seed = 0; seed < 4; ++seed) {
    const Key k = key(static_cast<uint64_t>(seed));
    seen.insert(to_string(k.bits));
    for (int64_t tag = -4; tag < 60; ++tag) seen.insert(to_string(k.fold(tag).bits));
    for (const Key& s : k.split(60)) seen.insert(to_string(s.bits));
  }
  EXPECT_EQ(seen.size(), 4u * (1 + 64 + 60));
}

TEST(Random, EveryBitOfATagCounts) {
  const Key k = key(1);
  std::set<std::string> seen;
  for (const uint64_t base : {uint64_t{1} << 53, uint64_t{1} << 63, ~uint64_t{0} - 40})
    for (uint64_t i = 0; i < 20; ++i) seen.insert(to_string(k.fold(base + i).bits));
  EXPECT_EQ(seen.size(), 60u);
  const int64_t odd = (int64_t{1} << 53) + 1;
  EXPECT_EQ(to_string(k.fold(odd).bits), to_string(k.fold(scalar(odd, Dtype::int64)).bits));
  EXPECT_EQ(to_string(k.fold(-odd).bits), to_string(k.fold(scalar(-odd, Dtype::int64)).bits));
}

TEST(Random, Moments) {
  const Tensor u = uniform(key(2), {100000}, 0, 1, Dtype::float64), z = normal(key(3), {100001}, Dtype::float64);
  EXPECT_NEAR(mean(u).item(), 0.5, 4 * std::sqrt(1 / 12.0 / 1e5));
  EXPECT_NEAR(variance(u).item(), 1 / 12.0, 0.002);
  EXPECT_GE(min(u).item(), 0);
  EXPECT_LT(max(u).item(), 1);
  EXPECT_NEAR(mean(z).item(), 0, 4 / std::sqrt(1e5));
  EXPECT_NEAR(variance(z).item(), 1, 4 * std::sqrt(2 / 1e5));
  EXPECT_NEAR(mean(z * z * z * z).item(), 3, 4 * std::sqrt(96 / 1e5));
  EXPECT_NEAR(mean(convert(z < 1, Dtype::float64)).item(), 0.841345, 4 * std::sqrt(.84 * .16 / 1e5));
  EXPECT_NEAR(mean(convert(bernoulli(key(4), 0.3, {100000}), Dtype::float64)).item(), 0.3, 4 * std::sqrt(.21 / 1e5));
}

TEST(Random, DtypesAndEdges) {
  for (const Dtype d : {Dtype::float16, Dtype::bfloat16, Dtype::float32, Dtype::float64}) {
    EXPECT_EQ(uniform(key(5), {7}, -1, 1, d).dtype(), d);
    EXPECT_EQ(normal(key(5), {7}, d).dtype(), d);
    EXPECT_LT(max(convert(uniform(key(6), {5000}, 0, 1, d), Dtype::float64)).item(), 1);
  }
  EXPECT_EQ(normal(key(1), {0}).size(), 0);
  EXPECT_EQ(normal(key(1), {}).rank(), 0);
  EXPECT_THROW(uniform(key(1), {2}, 0, 1, Dtype::int32), Error);
  EXPECT_THROW(uniform(Key{ones({2})}, {2}), Error);
  EXPECT_THROW(key(1).fold(0.5), Error);
}

TEST(Random, UniformNeverReachesItsEnd) {
  for (const auto& [low, high] : {std::pair(1.0, 2.0), {-1.0, 1.0}, {-3.0, 0.1}, {0.1, 0.2}, {-1.0, 0.0}})
    for (const Dtype d : {Dtype::float16, Dtype::bfloat16, Dtype::float32, Dtype::float64}) {
      const Tensor x = convert(uniform(key(1), {200000}, low, high, d), Dtype::float64);
      EXPECT_GE(min(x).item(), low) << name(d);
      EXPECT_LT(max(x).item(), high) << name(d);
      EXPECT_NEAR(mean(x).item(), (low + high) / 2, (high - low) * 0.01) << name(d);
    }
}

TEST(Random, UniformOfOneNumber) {
  const double above = std::nextafter(1.0, 2.0);
  EXPECT_EQ(to_string(uniform(key(1), {3}, 1, above, Dtype::float64)), "f64[3] [1, 1, 1]");
  const double tiny = std::ldexp(1, -149);
  EXPECT_EQ(min(uniform(key(1), {9}, -tiny, 0)).item(), -tiny);
  EXPECT_EQ(max(uniform(key(1), {9}, -tiny, 0)).item(), -tiny);
}

TEST(Random, UniformRefusesWhatADtypeCannotHold) {
  EXPECT_THROW(uniform(key(1), {2}, 1 + 1e-12, 1 + 2e-12), Error);  // no float32 between them
  EXPECT_THROW(uniform(key(1), {2}, 1, 1), Error);
  EXPECT_THROW(uniform(key(1), {2}, 2, 1), Error);
  EXPECT_THROW(uniform(key(1), {2}, 0, 1e5, Dtype::float16), Error);
  EXPECT_THROW(uniform(key(1), {2}, -1e308, 1e308, Dtype::float64), Error);
  EXPECT_THROW(uniform(key(1), {2}, 0, INFINITY), Error);
  EXPECT_THROW(uniform(key(1), {2}, NAN, 1), Error);
}

TEST(Random, ProbabilitiesBroadcastToTheShape) {
  EXPECT_EQ(bernoulli(key(1), full({3, 1}, 0.5), {3, 2}).shape(), (Shape{3, 2}));
  EXPECT_EQ(to_string(bernoulli(key(1), tensor({0, 1}), {2, 2})), "bool[2,2] [[false, true], [false, true]]");
  EXPECT_THROW(bernoulli(key(1), full({3, 2}, 0.5), {2}), Error);
  EXPECT_THROW(bernoulli(key(1), full({1}, 0.5), {}), Error);
  EXPECT_THROW(bernoulli(key(1), full({3}, 0.5), {2}), Error);
}

TEST(Random, IntegersStayInTheirDtype) {
  const auto message = [](int64_t low, int64_t high, Dtype d) -> std::string {
    try {
      randint(key(1), {4}, low, high, d);
    } catch (const Error& e) { return e.message(); }
    return "";
  };
  EXPECT_EQ(message(0, 256, Dtype::int8), "[randint] i8 does not hold all of [0, 256)");
  EXPECT_EQ(message(-1, 3, Dtype::uint64), "[randint] u64 does not hold all of [-1, 3)");
  EXPECT_EQ(message(INT64_MIN, INT64_MAX, Dtype::int32),
            "[randint] i32 does not hold all of [-9223372036854775808, 9223372036854775807)");
  EXPECT_EQ(message(-128, 128, Dtype::int8), "");
  EXPECT_EQ(message(0, 256, Dtype::uint8), "");
  const Tensor all = randint(key(1), {10000}, -128, 128, Dtype::int8);
  EXPECT_EQ(min(all).item(), -128);
  EXPECT_EQ(max(all).item(), 127);
}

TEST(Random, IntegersAndCategories) {
  const Tensor i = randint(key(7), {30000}, -1, 2);
  for (int v = -1; v < 2; ++v) EXPECT_NEAR(sum(i == v).item(), 10000, 4 * std::sqrt(30000 * 2 / 9.0));
  const Tensor logits = log(tensor({0.5, 0.2, 0.3, 0}));
  const Tensor c = categorical(key(8), broadcast_to(logits, {30000, 4}));
  EXPECT_NEAR(sum(c == 0).item(), 15000, 4 * std::sqrt(30000 * .25));
  EXPECT_NEAR(sum(c == 1).item(), 6000, 4 * std::sqrt(30000 * .16));
  EXPECT_EQ(sum(c == 3).item(), 0);
}

TEST(Random, BatchesOfKeys) {
  const std::vector<Key> keys = key(9).split(3);
  const Key all{stack({keys[0].bits, keys[1].bits, keys[2].bits})};
  const Tensor each = vmap([](const Key& k) { return uniform(k, {4}); })(all);
  EXPECT_EQ(to_string(each(1)), to_string(uniform(keys[1], {4})));
}

}  // namespace
}  // namespace viva
