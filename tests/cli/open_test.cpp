// Files to subjects and rows, from end to end: what examine says of real models and data sets.
#include "cli/examine_files.h"

namespace viva {
namespace {

TEST_F(ExamineFiles, OneRow) {
  const Outcome o = examine("small", rows(1), {"--claim", "risk.accuracy >= .5", "--claim", "risk.log_loss <= 9"});
  EXPECT_EQ(o.code, 0) << o.err;
  const auto j = report();
  EXPECT_EQ(j["claims"][0]["ruling"], "undecided");
  EXPECT_EQ(j["claims"][1]["ruling"], "undecided");
}

TEST_F(ExamineFiles, UnsignedBytesAreDividedAndThisIsSaid) {
  const Outcome o = examine("small", rows(30, Dtype::uint8));
  EXPECT_EQ(o.code, 0) << o.err;
  VIVA_EXPECT_HAS(o.err, "uint8 divided by 255\n");
  EXPECT_EQ(report()["data"][0]["scaling"], "uint8 divided by 255");
}

TEST_F(ExamineFiles, AFixedBatchIsFedInChunksAndThisIsSaid) {
  const Outcome o = examine("fixed_batch", rows(30));
  EXPECT_EQ(o.code, 0) << o.err;
  VIVA_EXPECT_HAS(o.err, "fixes its batch at 4: 30 rows go in padded chunks");
  const auto fixed = report();
  EXPECT_TRUE(limits_say(fixed, "the file fixes the batch at 4"));
  EXPECT_EQ(examine("training", rows(2)).code, 4);
}

TEST_F(ExamineFiles, EveryFindingStatesItsCost) {
  ASSERT_EQ(examine("small", rows(30)).code, 0);
  const auto j = report();
  for (const auto& f : j["findings"]) {
    EXPECT_GT(f["cost"]["seconds"], 0) << f["id"];
    EXPECT_GE(f["cost"]["shared_by"], 1) << f["id"];
    const std::string id = f["id"];
    if (!id.starts_with("identity.") && !id.starts_with("risk.")) continue;
    const bool from_outputs = f["id"] == "identity.output_kind" ||
                              (f["id"].get<std::string>().starts_with("risk.") && f["id"] != "risk.baseline");
    EXPECT_EQ(f["cost"]["evaluations"], from_outputs ? 30 : 0) << f["id"];
  }
  EXPECT_EQ(finding(j, "numerics.flips")["cost"]["evaluations"], 60);  // in both precisions
}

TEST_F(ExamineFiles, ClaimedSizesAndOddOutputs) {
  for (const char* model : {"huge_input", "huge_value"}) EXPECT_EQ(examine(model, rows(3)).code, 3) << model;
  EXPECT_EQ(examine("fixed_sum", rows(3)).code, 4);
  EXPECT_FALSE(written());
}

TEST_F(ExamineFiles, BadDataIsOneLine) {
  const std::string good = rows(6);
  const auto refused = [&](const std::string& data) {
    const Outcome o = examine("small", data);
    EXPECT_EQ(o.code, 3) << o.err;
    EXPECT_EQ(std::ranges::count(o.err, '\n'), 1) << o.err;
    EXPECT_FALSE(written());
    return o.err;
  };
  const std::string x = dir_ / "x.npy", y = dir_ / "labels.npy";
  write_npy(y, Array::of(std::vector<int64_t>{1, 2, 3, 1, 2, 3}, {6}));
  VIVA_EXPECT_HAS(refused(x + ":" + y), "row 2 (counting from 0) has label 3");
  VIVA_EXPECT_HAS(refused(x + ":" + y), "labels from 1?");
  write_npy(y, Array::of(std::vector<int64_t>{0, 1, -1, 0, 0, 0}, {6}));
  VIVA_EXPECT_HAS(refused(x + ":" + y), "row 2 (counting from 0) has label -1");
  VIVA_EXPECT_HAS(refused(dir_ / "x.npy:/dev/null"), "not a regular file");
  VIVA_EXPECT_HAS(refused(dir_.path()), "is a directory");
  VIVA_EXPECT_HAS(refused(dir_ / "none.npz"), "no file");
}

}  // namespace
}  // namespace viva
