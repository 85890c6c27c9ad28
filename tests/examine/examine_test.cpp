// The driver: which examiners run, what a plan counts, what is declared.
#include <gtest/gtest.h>

#include "examine/fake_subject.h"

namespace viva {
namespace {

using testing::examined;
using testing::FakeSubject;
using testing::names_class;
using testing::planted;

TEST(Examine, OnlyChosenExaminersRun) {
  ExamineOptions o;
  o.only = {"risk"};
  ASSERT_EQ(chosen_examiners(o).size(), 1u);
  EXPECT_EQ(chosen_examiners(o)[0]->name, "risk");
  o.only = {"rsk"};
  EXPECT_THROW(chosen_examiners(o), Error);
  o.only = {"identity"};
  o.claims = {parse_claim("risk.accuracy > .5")};
  EXPECT_THROW(chosen_examiners(o), Error);
}

TEST(Examine, PlanRunsNothing) {
  FakeSubject net(2, 2, names_class(2, 3));
  const auto steps = plan_examination({}, net, planted(5000, 2, 0), nullptr);
  EXPECT_EQ(net.evaluated, 0);
  ASSERT_GE(steps.size(), 3u);
  EXPECT_EQ(steps[1].count, 5000);
  EXPECT_EQ(steps[1].flops, 5000e6);
}

TEST(Examine, DeclaresHowRowsWereFed) {
  FakeSubject net(2, 2, names_class(2, 3));
  net.model.batch = BatchMode::padded;
  net.model.batch_size = 16;
  RowSource data = planted(10, 2, 0);
  data.record.scaling = "uint8 divided by 255";
  const Report r = examined(net, data);
  EXPECT_EQ(r.limits[0].id, "limit.padded");
  EXPECT_NE(r.limits[0].text.find("16"), std::string::npos);
  EXPECT_EQ(r.limits[1].id, "limit.scaling.data");
}

}  // namespace
}  // namespace viva
