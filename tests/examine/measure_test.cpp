#include "examine/measure.h"

#include <gtest/gtest.h>

namespace viva {
namespace {

TEST(Measure, TrainingRowsAreNoSampleOfNewOnes) {
  const auto assumed = [](const char* role) {
    DataRecord d;
    d.role = role;
    return population_assumption(d);
  };
  EXPECT_EQ(assumed("test"), "assumes independent, held-out rows; not checkable from the files; data role test");
  EXPECT_TRUE(
      assumed("train").starts_with("assumes independent, held-out rows; not checkable from the files; data role train: "
                                   "rows that training has used"));
}

}  // namespace
}  // namespace viva
