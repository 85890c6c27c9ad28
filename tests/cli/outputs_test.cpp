// What outputs are taken as, and which output is examined: networks that pass rows of four numbers on.
#include <cmath>

#include "cli/examine_files.h"
#include "cli/model_record.h"
#include "graph/build.h"
#include "onnx/export.h"

namespace viva {
namespace {

class Outputs : public ExamineFiles {
 protected:
  using Value = std::function<double(int64_t, int64_t)>;
  std::string kind(const std::string& model, const Value& value, int64_t n = 300,
                   const std::vector<std::string>& more = {}) const {
    const Outcome o = examine(model, rows_of(n, {4}, 4, value), more);
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

// A Softmax of what a Tanh gives is nobody's probability, unless the loss took it as such.
TEST_F(Outputs, OtherActivationsGiveScores) {
  for (const char* model : {"end_tanh", "end_clip_wide"}) {
    const auto wide = [](int64_t i, int64_t k) { return 3 * wave(i, k); };
    EXPECT_EQ(kind(model, wide), "scores") << model;
    const auto j = report();
    EXPECT_EQ(finding(j, "risk.log_loss")["status"], "withheld");
    EXPECT_EQ(finding(j, "risk.accuracy")["status"], "run");
    const std::string why = finding(j, "identity.output_kind")["why"];
    VIVA_EXPECT_HAS(why, std::string("the last node is a ") + (model[4] == 't' ? "Tanh" : "Clip"));
    VIVA_EXPECT_HAS(why, "--output-kind logits");
    EXPECT_EQ(kind(model, wide, 300, {"--output-kind", "logits"}), "logits") << model;
  }
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
  VIVA_EXPECT_HAS(o.err, "has 2 outputs (label, scores): only scores is examined, the only one of floats");
  const auto m = report()["models"][0];
  EXPECT_EQ(m["output"]["id"], "scores");
  EXPECT_EQ(m["output_why"], "the only one of floats with a column for each of at least two classes");
  EXPECT_EQ(m["outputs"], nlohmann::json::parse(R"([{"id": "label", "type": "i64[N,1]", "classes": null},
                                                    {"id": "scores", "type": "f32[N,3]", "classes": 3}])"));
  EXPECT_TRUE(limits_say(report(), "only scores is examined"));
}

// Features of five columns before scores of three: labels 0 to 2 say which are scores of classes.
TEST_F(Outputs, AsManyColumnsAsLabels) {
  const std::string path = dir_ / "heads.onnx";
  const auto weights = [](int64_t columns) {
    std::vector<double> w;
    for (int64_t k = 0; k < 2 * columns; ++k) w.push_back(wave(k, columns));
    return Array::of(w, {2, columns}).converted(Dtype::float32);
  };
  ExportOptions options;
  options.symbol = "N";
  options.parameters = {{"x", std::nullopt, 0, false}};
  options.output_names = {"features", "scores", "more"};
  write_onnx(
      path,
      [&](int64_t n) {
        Build b("net");
        const viva::Value x = b.parameter({Dtype::float32, {n, 2}});
        Values out;
        for (const int64_t columns : {5, 3, 7}) out.push_back(b.dot(x, b.constant(weights(columns))));
        return b.finish(out);
      },
      options);
  const std::string data = rows(30);
  const Outcome plan = call({"examine", path, "--data", data, "--plan"});
  EXPECT_EQ(plan.code, 0) << plan.err;
  VIVA_EXPECT_HAS(plan.out, "outputs    features f32[N,5], scores f32[N,3], more f32[N,7]");
  VIVA_EXPECT_HAS(plan.out,
                  "only scores is examined, the only one with 3 columns, as many as there are labels (0 to 2)");
  const Outcome o = call({"examine", path, "--data", data, "--out", dir_ / "out", "--only", "risk"});
  ASSERT_EQ(o.code, 0) << o.err;
  const auto m = report()["models"][0];
  EXPECT_EQ(m["output"]["id"], "scores");
  EXPECT_EQ(m["outputs"].size(), 3u);
  VIVA_EXPECT_HAS(m["output_why"].get<std::string>(), "3 columns, as many as there are labels");
  const std::string page = get(dir_ / "out/report.html"), first = page.substr(0, page.find("id=\"claims\""));
  VIVA_EXPECT_HAS(first, "only scores is examined, the only one with 3 columns");
}

TEST(TakenOutput, ByTheLabels) {
  const auto taken = [](std::vector<int64_t> classes, int64_t labels) {
    std::vector<OutputRecord> all;
    for (const int64_t k : classes) all.push_back({fmt::format("y{}", all.size()), "", k});
    return taken_output("net", all, "", [&] { return labels; });
  };
  EXPECT_EQ(taken({10}, 10).why, "");
  EXPECT_EQ(taken({0, 5, 0}, 10).index, 1u);
  EXPECT_EQ(taken({512, 10, 11}, 10).index, 1u);
  // Where no number of columns fits, wider ones do.
  EXPECT_EQ(taken({5, 100}, 99).index, 1u);
  EXPECT_EQ(taken({5, 100}, 99).why, "the only one with a column for each of the labels 0 to 98");
  EXPECT_EQ(taken({10, 0, 10}, 10).why, "the first of 2 with 10 columns, as many as there are labels (0 to 9)");
  EXPECT_EQ(taken({3, 4}, 10).index, 0u);  // refused once the labels are read
  EXPECT_EQ(error_of([&] { taken({512, 10, 10}, 10); }, ErrorKind::usage),
            "net: more than one output has 10 columns, as many as there are labels (0 to 9): name one of \"y1\", "
            "\"y2\" with --output-name");
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
