// What outputs are taken as, and which output is examined: networks that pass rows of four numbers on.
#include <cmath>

#include "cli/examine_files.h"

namespace viva {
namespace {

class Outputs : public ExamineFiles {
 protected:
  using Value = std::function<double(int64_t, int64_t)>;
  std::string kind(const std::string& model, const Value& value, int64_t n = 300) const {
    const Outcome o = examine(model, rows_of(n, {4}, 4, value));
    EXPECT_EQ(o.code, 0) << o.err;
    const auto j = report();
    const std::string title = finding(j, "identity.output_kind")["title"], head = "Outputs are taken as ";
    EXPECT_TRUE(title.starts_with(head)) << title;
    return title.substr(head.size());
  }
  nlohmann::json estimate(const std::string& id) const {
    const auto j = report();
    return finding(j, id)["estimate"];
  }
};

double wave(int64_t i, int64_t k) { return 3 * std::sin(static_cast<double>(7 * i + 13 * k)); }
double one_hot(int64_t i, int64_t k) { return i % 4 == k ? 1 : 0; }

TEST_F(Outputs, ASoftmaxUnderACastADropoutAndAReshape) {
  EXPECT_EQ(kind("end_softmax", wave), "softmax");
  const auto j = report();
  EXPECT_EQ(j["models"][0]["softmax_axis"], 1);
  EXPECT_EQ(finding(j, "identity.output_kind")["estimate"], 1);  // sums are one in float16
  // Logits 100 apart: the probability is 0 in float16, the loss is not infinite.
  EXPECT_EQ(kind("end_softmax", [](int64_t i, int64_t k) { return 100 * one_hot(i, (k + 1) % 4); }), "softmax");
  EXPECT_EQ(estimate("risk.log_loss"), 100);
  EXPECT_EQ(kind("end_softmax_old", wave), "softmax");
}

TEST_F(Outputs, ASoftmaxOverAnotherAxisIsNone) {
  for (const char* model : {"end_softmax_columns", "end_softmax_one"}) {
    EXPECT_EQ(kind(model, wave), "logits") << model;  // all outputs are 1
    EXPECT_TRUE(report()["models"][0]["softmax_axis"].is_null());
  }
}

TEST_F(Outputs, ZeroLogitsAreLogits) {
  EXPECT_EQ(kind("end_scores", [](auto...) { return 0; }), "logits");
  EXPECT_NEAR(estimate("risk.log_loss"), std::log(4.), 1e-12);
  EXPECT_NEAR(estimate("risk.brier"), .75, 1e-12);
  EXPECT_EQ(kind("end_scores", [](int64_t i, int64_t k) { return .2 * one_hot(i, k); }), "logits");
}

TEST_F(Outputs, FractionsComeOfASigmoid) {
  EXPECT_EQ(kind("end_sigmoid", wave), "fractions");
  EXPECT_EQ(kind("end_clip", wave), "fractions");
  const auto j = report();
  EXPECT_EQ(finding(j, "risk.log_loss")["status"], "withheld");
  VIVA_EXPECT_HAS(finding(j, "identity.output_kind")["why"].get<std::string>(), "Clip");
  EXPECT_EQ(kind("end_clip", one_hot), "probabilities");
}

TEST_F(Outputs, RoundingDoesNotChangeTheKind) {
  for (const double noise : {1e-7, -1e-8}) {
    EXPECT_EQ(kind("end_scores", [&](int64_t i, int64_t k) { return one_hot(i, k) + (i == 7 && k == 2 ? noise : 0); }),
              "probabilities");
    EXPECT_EQ(finding(report(), "risk.log_loss")["status"], "run");
  }
  // Below zero on the label is probability 0.
  EXPECT_EQ(
      kind("end_scores", [](int64_t i, int64_t k) { return i == 7 ? (k == 0) - 1e-8 * (k == 3) : one_hot(i, k); }),
      "probabilities");
  EXPECT_EQ(finding(report(), "risk.log_loss")["evidence"]["counts"]["infinite_rows"], 1);
  // In bfloat16 a sum may be off by a hundredth; in float32 it may not.
  const auto off = [](int64_t i, int64_t k) { return i % 4 == k ? .98828125 : .001953125; };
  EXPECT_EQ(kind("end_bfloat16", off), "probabilities");
  EXPECT_EQ(kind("end_scores", off), "one-hot regression");
}

TEST_F(Outputs, LabelledOutputs) {
  const Outcome o = examine("labelled", rows(30));
  EXPECT_EQ(o.code, 0) << o.err;
  VIVA_EXPECT_HAS(o.err, "has 2 outputs: scores is examined");
  EXPECT_EQ(report()["models"][0]["output"]["id"], "scores");
  EXPECT_EQ(report()["models"][0]["other_outputs"], nlohmann::json{"label"});
  EXPECT_TRUE(limits_say(report(), "only scores is examined"));
}

TEST_F(Outputs, TheOutputIsChosen) {
  EXPECT_EQ(examine("two_heads", rows(30)).code, 0);
  EXPECT_EQ(report()["models"][0]["output"]["id"], "coarse");
  EXPECT_EQ(report()["command"].get<std::string>().find("--output-name"), std::string::npos);
  const Outcome o = examine("two_heads", rows(30), {"--output-name", "fine"});
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(report()["models"][0]["output"]["id"], "fine");
  VIVA_EXPECT_HAS(report()["command"].get<std::string>(), " --output-name fine ");
  const Outcome none = examine("two_heads", rows(30), {"--output-name", "other"});
  EXPECT_EQ(none.code, 2);
  VIVA_EXPECT_HAS(none.err, "it has \"coarse\", \"fine\", \"label\"");
  EXPECT_EQ(examine("two_heads", rows(30), {"--output-name", "label"}).code, 4);
}

TEST_F(Outputs, OneNumberIsNoClassifier) {
  for (const std::string& data : {rows(30), rows_of(30, {2}, 2, wave)}) {
    const Outcome o = examine("one_number", data);
    EXPECT_EQ(o.code, 4) << o.err;
    VIVA_EXPECT_HAS(o.err, "has no classification output: ");
    VIVA_EXPECT_HAS(o.err, "such as two columns [1 - p, p] or [0, logit]");
    EXPECT_FALSE(written());
  }
}

}  // namespace
}  // namespace viva
