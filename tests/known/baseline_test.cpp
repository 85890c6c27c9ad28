// Baselines against closed forms.
#include <gtest/gtest.h>

#include <random>

#include "examine/graph_subject.h"
#include "report/html.h"

namespace viva {
namespace {

using testing::get;
using testing::GraphSubject;
using testing::linear;
using testing::source;

// Two Gaussian classes of variance 1 at -mu and mu in the first of three dimensions.
RowSource gaussians(int64_t n, double mu, uint64_t seed, const std::string& id) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<int64_t> labels;
  std::vector<float> x;
  for (int64_t i = 0; i < n; ++i) {
    labels.push_back(i % 2);
    for (int64_t k = 0; k < 3; ++k) x.push_back(static_cast<float>(normal(random) + (k == 0 ? (i % 2 ? mu : -mu) : 0)));
  }
  return source(labels, 3, [x](int64_t i, int64_t k) { return x[static_cast<size_t>(3 * i + k)]; }, id);
}

TEST(Baseline, TwoGaussians) {
  GraphSubject net(3, 2, linear({1, 0, 0}, 0));
  const RowSource data = gaussians(3000, 1, 1, "data"), train = gaussians(4000, 1, 2, "train");
  const Report r = testing::examined(net, data, {"baseline.logistic >= .5"}, &train);
  // The best rule has accuracy Phi(1) = .8413; a nearest neighbour about E[2 p (1 - p)] less than one: .775.
  EXPECT_NEAR(*get(r, "baseline.logistic").estimate, .8413, .025);
  EXPECT_NEAR(*get(r, "baseline.nearest").estimate, .775, .035);
  EXPECT_EQ(get(r, "baseline.nearest").n, 3000);
  EXPECT_EQ(r.claims[0].ruling, Verdict::supported);
}

TEST(Baseline, TheFittedRowsThemselves) {
  GraphSubject net(3, 2, linear({1, 0, 0}, 0));
  const RowSource data = gaussians(300, .1, 3, "data");
  const Report r = testing::examined(net, data, {"baseline.nearest >= .5"}, &data);
  EXPECT_EQ(r.claims[0].ruling, Verdict::undecided);
  for (const char* id : {"baseline.nearest", "baseline.logistic"}) {
    EXPECT_EQ(get(r, id).status, Status::withheld);
    EXPECT_FALSE(get(r, id).estimate || get(r, id).interval);
    EXPECT_NE(get(r, id).why.find("all of the 300 rows asked about stand in --train"), std::string::npos);
  }
  EXPECT_NE(report_html(r, {}).find("no measure of new rows where the neighbour is the row itself"), std::string::npos);
  const RowSource train = gaussians(300, .1, 4, "train");
  EXPECT_EQ(get(testing::examined(net, data, {}, &train), "baseline.nearest").why, "");
}

TEST(Baseline, SameBitsForAnyThreads) {
  GraphSubject net(3, 2, linear({1, 0, 0}, 0));
  const RowSource data = gaussians(500, 1, 4, "data"), train = gaussians(500, 1, 5, "train");
  const Report one = testing::examined(net, data, {}, &train, 1), three = testing::examined(net, data, {}, &train, 3);
  for (const char* id : {"baseline.logistic", "baseline.nearest"})
    EXPECT_EQ(get(one, id).estimate, get(three, id).estimate);
}

TEST(Baseline, NeedsTrainingRows) {
  GraphSubject net(3, 2, linear({1, 0, 0}, 0));
  const Report r = testing::examined(net, gaussians(50, 1, 6, "data"));
  EXPECT_EQ(get(r, "baseline.logistic").status, Status::not_run);
  EXPECT_NE(get(r, "baseline.logistic").why.find("--train"), std::string::npos);
  const RowSource few = gaussians(3, 1, 7, "train");
  EXPECT_EQ(get(testing::examined(net, gaussians(50, 1, 6, "data"), {}, &few), "baseline.nearest").status,
            Status::not_run);
}

// A feature that never changes, and rows that are all alike.
TEST(Baseline, NoSpread) {
  GraphSubject net(3, 2, linear({1, 0, 0}, 0));
  const auto flat = [](float value, const char* id) {
    return source(std::vector<int64_t>(100, 1), 3, [value](int64_t, int64_t) { return value; }, id);
  };
  const RowSource train = flat(5, "train");
  const Report r = testing::examined(net, flat(4, "data"), {}, &train);
  EXPECT_EQ(get(r, "baseline.nearest").estimate, 1);
  EXPECT_EQ(get(r, "baseline.logistic").estimate, 1);
}

// A proportion over groups, as the network's accuracy is.
TEST(Baseline, HasIntervalsOverGroups) {
  GraphSubject net(3, 2, linear({1, 0, 0}, 0));
  RowSource data = gaussians(300, 1, 1, "data");
  for (int64_t i = 0; i < 300; ++i) data.groups.push_back(i / 3);
  data.record.groups = 100;
  const RowSource train = gaussians(200, 1, 2, "train");
  const Report r = testing::examined(net, data, {}, &train);
  for (const char* id : {"baseline.logistic", "baseline.nearest"}) {
    const Finding& f = get(r, id);
    EXPECT_EQ(f.unit, "group");
    EXPECT_EQ(f.n, 100);
    ASSERT_TRUE(f.interval) << id;
    EXPECT_LT(*f.interval->low, *f.estimate);
    EXPECT_GT(*f.interval->high, *f.estimate);
  }
}

}  // namespace
}  // namespace viva
