// Files to subjects and rows, from end to end: what examine says of real models and data sets.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "base/npy.h"
#include "cli/verb.h"
#include "support/temp_dir.h"

namespace viva {
namespace {

struct Outcome {
  int code;
  std::string out, err;
};

Outcome call(std::vector<std::string> words) {
  words.insert(words.begin(), "viva");
  std::vector<const char*> argv;
  for (const std::string& w : words) argv.push_back(w.c_str());
  std::ostringstream out, err;
  const Cancel cancel{false};
  Session session{out, err, cancel, false, file_openers()};
  const int code = run_cli(static_cast<int>(argv.size()), argv.data(), session);
  return {code, out.str(), err.str()};
}

std::string fixture(const std::string& name) { return VIVA_SOURCE_DIR "/tests/onnx/fixtures/" + name + ".onnx"; }

class ExamineFiles : public ::testing::Test {
 protected:
  // n rows of two numbers, labels 0 to 2 in turn.
  std::string rows(int64_t n, Dtype d = Dtype::float32) const {
    std::vector<float> x;
    std::vector<int64_t> y;
    for (int64_t i = 0; i < n; ++i)
      x.insert(x.end(), {static_cast<float>(i), static_cast<float>(i % 3)}), y.push_back(i % 3);
    write_npy(dir_ / "x.npy", Array::of(x, {n, 2}).converted(d));
    write_npy(dir_ / "y.npy", Array::of(y, {n}));
    return dir_ / "x.npy:" + (dir_ / "y.npy");
  }
  Outcome examine(const std::string& model, const std::string& data, std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {"examine", fixture(model), "--data", data, "--out", dir_ / "out"};
    words.insert(words.end(), more.begin(), more.end());
    return call(words);
  }
  nlohmann::json report() const { return nlohmann::json::parse(get(dir_ / "out/report.json")); }
  bool written() const { return std::filesystem::exists(dir_ / "out"); }
  static bool limits_say(const nlohmann::json& report, const std::string& text) {
    for (const auto& l : report["limits"])
      if (l["text"].get<std::string>().find(text) != std::string::npos) return true;
    return false;
  }
  TempDir dir_;
};

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
    EXPECT_GT(f["cost"]["shared_by"], 1) << f["id"];
    const bool from_outputs = f["id"] == "identity.output_kind" ||
                              (f["id"].get<std::string>().starts_with("risk.") && f["id"] != "risk.baseline");
    EXPECT_EQ(f["cost"]["evaluations"], from_outputs ? 30 : 0) << f["id"];
  }
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
