// What holds of every finding, whoever measured it.
#include <gtest/gtest.h>

#include <cmath>

#include "examine/graph_subject.h"

namespace viva {
namespace {

using testing::examined;
using testing::GraphSubject;
using testing::source;

// Softmax regression on rows of three numbers in [0, 1].
class Regression : public GraphSubject {
 public:
  Regression() : GraphSubject(3, 3, [](Build& b, Value x) { return b.dot(x, b.constant(weights())); }) {}
  NetworkFunction network(int64_t n) override {
    Build b("scores");
    const Value x = b.parameter({Dtype::float32, {n, 3}}), w = b.parameter({Dtype::float32, {3, 3}});
    return {b.finish({b.dot(x, w)}), {weights()}, n};
  }

 private:
  static Array weights() {
    return Array::of(std::vector<double>{4, -1, 0, 0, 3, -1, -1, 0, 4}, {3, 3}).converted(Dtype::float32);
  }
};

RowSource rows(int64_t first, const std::string& id) {
  const auto value = [first](int64_t i, int64_t j) {
    return static_cast<float>(.5 + .5 * std::sin(static_cast<double>((first + i) * 3 + j) * 1.7));
  };
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 600; ++i) {
    int64_t best = 0;
    for (int64_t j = 1; j < 3; ++j)
      if (value(i, j) > value(i, best)) best = j;
    labels.push_back(i % 7 == 0 ? (best + 1) % 3 : best);
  }
  return source(labels, 3, value, id);
}

void check(const Report& r) {
  for (const Finding& f : r.findings) {
    const bool population = f.target == Target::rows_drawn_like_these;
    EXPECT_FALSE(population && f.kind == Kind::exact) << f.id;
    EXPECT_EQ(f.verdict, Verdict::none) << f.id;
    EXPECT_EQ(f.n.has_value(), f.unit == "row" || f.unit == "group") << f.id << ": " << f.unit;
    if (f.status == Status::run) {
      EXPECT_TRUE(f.estimate || !f.why.empty()) << f.id;
    } else {
      EXPECT_FALSE(f.why.empty()) << f.id;
      EXPECT_FALSE(f.estimate || f.interval) << f.id;
    }
    if (population && f.status == Status::run && !f.interval) { EXPECT_FALSE(f.why.empty()) << f.id; }
    if (!f.interval) continue;
    EXPECT_TRUE(f.interval->low || f.interval->high) << f.id;
    EXPECT_FALSE(f.interval->method.empty() || f.interval->coverage.empty()) << f.id;
    if (!population) continue;
    EXPECT_TRUE(std::ranges::any_of(f.assumptions, [](const std::string& a) {
      return a.starts_with("assumes independent, held-out ") &&
             a.find("; not checkable from the files; data role ") != std::string::npos;
    })) << f.id;
  }
}

TEST(Findings, AreWhatTheySay) {
  Regression net;
  const RowSource data = rows(0, "data"), train = rows(600, "train");
  check(examined(net, data));
  check(examined(net, data, {}, &train));
  RowSource grouped = data;
  for (int64_t i = 0; i < 600; ++i) grouped.groups.push_back(i / 12);
  grouped.record.groups = 50;
  check(examined(net, grouped, {}, &train));
}

// What is not run is described as where it is, but for its number and its rows.
TEST(Findings, AreTheSameWhereTheyAreNotRun) {
  Regression net;
  const RowSource data = rows(0, "data"), train = rows(600, "train");
  const std::vector<std::string> claims = {"robustness.accuracy[0.1] >= 0", "sensitivity.radius[0.25] >= 0"};
  const Report run = examined(net, data, claims, &train);
  // Every row gives NaN; without training rows nothing is fitted.
  GraphSubject broken(3, 3, [](Build& b, Value x) { return b.mul(x, b.full(x.type(), NAN)); });
  const Report not_run = examined(broken, data, claims);
  int64_t compared = 0;
  for (const Finding& f : not_run.findings) {
    const Finding* other = run.find(f.id);
    if (f.status != Status::not_run || !other || other->status != Status::run || f.id.starts_with("identity."))
      continue;
    ++compared;
    EXPECT_EQ(f.title, other->title) << f.id;
    EXPECT_EQ(f.target, other->target) << f.id;
    EXPECT_EQ(f.kind, other->kind) << f.id;
    EXPECT_EQ(f.unit_of_estimate, other->unit_of_estimate) << f.id;
    EXPECT_FALSE(f.n || f.rows_used) << f.id;
  }
  EXPECT_GE(compared, 20);
}

}  // namespace
}  // namespace viva
