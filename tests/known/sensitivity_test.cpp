// The examiner sensitivity on linear networks, whose gradients are known.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "examine/graph_subject.h"
#include "examine/input_space.h"

namespace viva {
namespace {

using testing::examined;
using testing::get;
using testing::GraphSubject;
using testing::linear;
using testing::source;

float value(int64_t i, int64_t j) {
  return static_cast<float>(.5 + .5 * std::sin(static_cast<double>(i * 3 + j) * 1.3));
}

// m = w · x + b; rows of label 0 have margin m, rows of label 1 have -m; the gradient's l1 norm is 6.
TEST(Sensitivity, OfALinearNetwork) {
  GraphSubject net(3, 2, linear({1, -2, 3}, -.5));
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 1001; ++i) labels.push_back(i % 2);
  const Report r =
      examined(net, source(labels, 3, value), {"sensitivity.radius[0.25] <= 1", "sensitivity.margin[.05] > 9"});
  std::vector<double> radius;
  for (int64_t i = 0; i < 1001; ++i) {
    const double m = value(i, 0) - 2. * value(i, 1) + 3. * value(i, 2) - .5;
    radius.push_back((i % 2 ? -m : m) / 6);
  }
  std::ranges::sort(radius);
  EXPECT_NEAR(*get(r, "sensitivity.radius[0.5]").estimate, radius[500], 1e-6);
  EXPECT_NEAR(*get(r, "sensitivity.radius[0.05]").estimate, radius[50], 1e-6);
  EXPECT_NEAR(*get(r, "sensitivity.radius[0.25]").estimate, radius[250], 1e-6);
  EXPECT_NEAR(*get(r, "sensitivity.margin[0.05]").estimate, 6 * radius[50], 6e-6);
  EXPECT_NEAR(*get(r, "sensitivity.gradient[0.5]").estimate, 6, 1e-6);
  EXPECT_EQ(get(r, "sensitivity.zero_gradients").estimate, 0);
  // Ranks 470 and 532 of 1,001: P(Bin(1001, 1/2) <= 469) = .0246 and P(>= 532) = .0246.
  EXPECT_NEAR(*get(r, "sensitivity.radius[0.5]").interval->low, radius[469], 1e-6);
  EXPECT_NEAR(*get(r, "sensitivity.radius[0.5]").interval->high, radius[531], 1e-6);
  EXPECT_EQ(r.claims[0].ruling, Verdict::supported);
  EXPECT_EQ(r.claims[1].ruling, Verdict::refuted);
}

// Rows are (raw - mean) / deviation: a raw unit is 1 / deviation of a row's.
TEST(Sensitivity, InUnitsOfTheRawData) {
  ExamineOptions o;
  o.data_normalized = Normalization{{.1, .2}, {.5, .25}};
  EXPECT_EQ(raw_units({2, 2}, o), (std::vector<double>{2, 2, 4, 4}));
  EXPECT_EQ(raw_units({3, 2}, o), (std::vector<double>{2, 4, 2, 4, 2, 4}));
  EXPECT_THROW(raw_units({3, 3}, o), Error);
  GraphSubject net(2, 2, linear({1, -2}, 0));
  ThreadPool pool(1);
  const Cancel go{false};
  const RowSource rows =
      source({0, 0, 0, 0, 0, 0, 0}, 2, [](int64_t i, int64_t j) { return static_cast<float>(i + j); });
  const Report r = examine(o, net, rows, nullptr, pool, go, {});
  EXPECT_NEAR(*get(r, "sensitivity.gradient[0.5]").estimate, 2 * 1 + 4 * 2, 1e-6);
}

// A margin that nothing moves: no distance is seen, and the report says for how many rows.
TEST(Sensitivity, WithoutAGradient) {
  GraphSubject net(1, 2, [](Build& b, Value x) {
    const Value y = b.relu(b.sub(x, b.full_like(x, .75)));
    return b.concatenate({b.add(y, b.one(y)), b.zero(y)}, 1);
  });
  std::vector<int64_t> labels(100, 0);
  const Report r = examined(net, source(labels, 1, [](int64_t i, int64_t) { return static_cast<float>(i) / 100; }));
  EXPECT_EQ(get(r, "sensitivity.zero_gradients").estimate, .76);
  EXPECT_FALSE(get(r, "sensitivity.zero_gradients").check->passed);
  EXPECT_TRUE(std::isinf(*get(r, "sensitivity.radius[0.5]").estimate));
}

TEST(Sensitivity, KeysAreQuantiles) {
  GraphSubject net(1, 2, linear({1}, 0));
  const RowSource rows = source({0, 0}, 1, [](auto...) { return .3f; });
  EXPECT_THROW(examined(net, rows, {"sensitivity.radius[1.5] > 0"}), Error);
  EXPECT_THROW(examined(net, rows, {"sensitivity.radius > 0"}), Error);
}

}  // namespace
}  // namespace viva
