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
