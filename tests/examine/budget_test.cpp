// A budget becomes counts by the cost model alone.
#include "examine/budget.h"

#include <gtest/gtest.h>

#include "examine/fake_subject.h"

namespace viva {
namespace {

double cost(const ExamineOptions& o, Subject& s, const RowSource& d) {
  double flops = 0;
  for (const PlanStep& p : plan_examination(o, s, d, nullptr)) flops += p.flops;
  return flops / budget_flops_a_second;
}

ExamineOptions ranged() {
  ExamineOptions o;
  o.range = ValueRange{-1e6, 1e6};
  return o;
}

TEST(Budget, RowsInProportion) {
  testing::FakeSubject net(2, 10, testing::names_class(10, 3));
  net.model.flops = 1e9;
  const RowSource data = testing::planted(5000, 10, 12);
  const double all = cost(ranged(), net, data);
  const ExamineOptions half = within_budget(ranged(), all / 2, false, net, data, nullptr);
  ASSERT_TRUE(half.rows);
  EXPECT_GT(*half.rows, 100);
  EXPECT_LT(*half.rows, 600);
  EXPECT_LE(cost(half, net, data), all / 2 * 1.001);
  EXPECT_EQ(within_budget(ranged(), 2 * all, false, net, data, nullptr).rows, std::nullopt);
  const ExamineOptions more = within_budget(ranged(), 2 * all, true, net, data, nullptr);
  EXPECT_GT(more.rows.value_or(0), 1000);
  EXPECT_LE(cost(more, net, data), 2 * all);
  EXPECT_EQ(within_budget(ranged(), 1e6 * all, true, net, data, nullptr).rows, 5000);
}

// Without a range of values nothing is attacked, and nothing of the budget is kept for it.
TEST(Budget, NoAttacksWithoutARange) {
  testing::FakeSubject net(2, 10, testing::names_class(10, 3));
  net.model.flops = 1e9;
  const RowSource data = testing::planted(5000, 10, 12);
  EXPECT_LT(cost({}, net, data), .5 * cost(ranged(), net, data));
  const double all = cost({}, net, data);
  const ExamineOptions half = within_budget({}, all / 2, false, net, data, nullptr);
  EXPECT_FALSE(half.rows);
  EXPECT_LT(half.curvature_rows.value_or(2000), 2000);
}

TEST(Budget, NoneBelowTheLeastAndWhatTheUserSetStays) {
  testing::FakeSubject net(2, 10, testing::names_class(10, 3));
  net.model.flops = 1e9;
  const RowSource data = testing::planted(5000, 10, 12);
  EXPECT_EQ(within_budget(ranged(), 1e-9, false, net, data, nullptr).rows, 0);
  ExamineOptions set = ranged();
  set.rows = 77;
  EXPECT_EQ(within_budget(set, 1e-9, false, net, data, nullptr).rows, 77);
}

}  // namespace
}  // namespace viva
