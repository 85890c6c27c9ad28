// Options of viva examine that are written as numbers, and what they do to a network of four numbers that passes them
// on.
#include "cli/examine_options.h"

#include <cmath>

#include "cli/examine_files.h"

namespace viva {
namespace {

TEST(ExamineOptions, Numbers) {
  EXPECT_EQ(number_of("--eps", "8/255"), 8. / 255);
  EXPECT_EQ(number_of("--eps", "-.5"), -.5);
  for (const char* bad : {"", "/", "1/", "1/0", "1/2/3", "x", "1e999", "nan", "inf", "1 "})
    EXPECT_THROW(number_of("--eps", bad), Error) << bad;
  EXPECT_EQ(range_of("-1,1").low, -1);
  for (const char* bad : {"", "0", "1,0", "0,0", "0,1,2", "a,b"}) EXPECT_THROW(range_of(bad), Error) << bad;
  EXPECT_EQ(row_count("12"), 12);
  for (const char* bad : {"", "0", "-1", "1.5", "1e3", "99999999999999999999"})
    EXPECT_THROW(row_count(bad), Error) << bad;
  EXPECT_EQ(output_choice("scores"), OutputChoice::scores);
  EXPECT_THROW(output_choice("Scores"), Error);
}

TEST(ExamineOptions, RadiiAscendAndAreNotRepeated) {
  const auto r = radii_from("8/255,.01,1/255,0.01");
  ASSERT_EQ(r.size(), 3u);
  EXPECT_EQ(r[0].text, "1/255");
  EXPECT_EQ(r[1].text, ".01");
  EXPECT_EQ(r[2].value, 8. / 255);
  for (const char* bad : {"", "0", "-1", "1,,2", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"})
    EXPECT_THROW(radii_from(bad), Error) << bad;
}

TEST(ExamineOptions, Normalizations) {
  const Normalization n = normalization_of("--normalize", "0.5:0.4,1/2:.25");
  EXPECT_EQ(n.mean, (std::vector<double>{.5, .4}));
  EXPECT_EQ(n.deviation, (std::vector<double>{.5, .25}));
  EXPECT_EQ(canonical("--normalize", n), " --normalize 0.5:0.4,0.5:0.25");
  EXPECT_EQ(in_words(n), "(x - 0.5) / 0.5, (x - 0.4) / 0.25");
  for (const char* bad : {"", ".5", ".5,0", ".5,-1", ".5:.5,1", "a,b", ".5,.5,.5"})
    EXPECT_THROW(normalization_of("--normalize", bad), Error) << bad;
}

class ExamineOptionsFiles : public ExamineFiles {
 protected:
  nlohmann::json estimate(const std::string& id) const {
    const auto j = report();
    return finding(j, id)["estimate"];
  }
};

double raw(int64_t i, int64_t k) { return .5 + .5 * std::sin(static_cast<double>(7 * i + 13 * k)); }

TEST_F(ExamineOptionsFiles, NormalisedByTheGraphOrBefore) {
  ASSERT_EQ(examine("end_scores", rows_of(300, {4}, 4, raw)).code, 0);
  EXPECT_NEAR(estimate("sensitivity.gradient[0.5]").get<double>(), 2, 1e-6);
  const Outcome o = examine("end_scores", rows_of(300, {4}, 4, raw), {"--normalize", "0.5,0.25", "--rows", "50"});
  ASSERT_EQ(o.code, 0) << o.err;
  const double loss = estimate("risk.log_loss").get<double>();
  EXPECT_NEAR(estimate("sensitivity.gradient[0.5]").get<double>(), 8, 1e-5);
  EXPECT_TRUE(limits_say(report(), "(x - 0.5) / 0.25"));
  EXPECT_NE(report()["command"].get<std::string>().find("--normalize 0.5,0.25 --rows 50"), std::string::npos);
  const auto inside = estimate("robustness.accuracy[4/255]");
  const auto before = rows_of(300, {4}, 4, [](int64_t i, int64_t k) { return (raw(i, k) - .5) / .25; });
  ASSERT_EQ(examine("end_scores", before, {"--data-normalized", "0.5,0.25", "--rows", "50"}).code, 0);
  EXPECT_NEAR(estimate("risk.log_loss").get<double>(), loss, 1e-6);
  EXPECT_NEAR(estimate("sensitivity.gradient[0.5]").get<double>(), 8, 1e-5);
  EXPECT_EQ(estimate("robustness.accuracy[4/255]"), inside);
}

TEST_F(ExamineOptionsFiles, ChannelsAreTheFirstOrLastExtent) {
  const auto data = rows_of(60, {4}, 4, raw);
  ASSERT_EQ(examine("end_scores", data, {"--normalize", "0:0:0:0,1:1:1:2"}).code, 0);
  EXPECT_EQ(examine("end_scores", data, {"--normalize", "0:0:0,1:1:1"}).code, 2);
  EXPECT_EQ(examine("end_scores", data, {"--normalize", "0,1", "--data-normalized", "0,1"}).code, 2);
  EXPECT_EQ(examine("end_scores", data, {"--range", ".4,.6"}).code, 3);
}

TEST_F(ExamineOptionsFiles, WhatIsWrongIsSaidInWords) {
  const auto error = [&](const std::vector<std::string>& more) {
    const Outcome o = examine("end_scores", rows(30), more);
    EXPECT_EQ(o.code, 2) << o.err;
    return o.err;
  };
  for (const char* bad : {"nan", "inf", "-1", "0", "3s"})
    VIVA_EXPECT_HAS(error({"--budget", bad}), "write seconds above 0, as in --budget 300");
  VIVA_EXPECT_HAS(error({"--budget", "3", "--budget", "4"}), "--budget stands more than once: give it once");
  VIVA_EXPECT_HAS(error({"--seed"}), "--seed has no value: give one");
  VIVA_EXPECT_HAS(error({"--claim", "risk.brier <= 2", "--claim", "risk.brier<=2.0"}),
                  "claim 'risk.brier <= 2' is stated twice, as claim.1 and claim.2");
  VIVA_EXPECT_HAS(error({"--claim", "robustness.accuracy[1/4] >= .5", "--claim", "robustness.accuracy[.25] >= .5"}),
                  "is stated twice, as claim.1 and claim.2");
  VIVA_EXPECT_HAS(error({"--eps", ",1"}), "--eps: a number is missing beside a comma");
  VIVA_EXPECT_HAS(error({"--eps", "1x"}), "--eps '1x': '1x' is no number");
  VIVA_EXPECT_HAS(error({"--normalize", "0,1e-320"}), "a standard deviation of 1e-320 is none of data");
  VIVA_EXPECT_HAS(error({"--normalize", "1e40,1"}), "a mean of 1e+40 is none of data");
  VIVA_EXPECT_HAS(error({"--claim", "risk.detectable_above <= .1"}),
                  "risk.detectable_above cannot be claimed: it follows from the number of rows");
  VIVA_EXPECT_HAS(error({"--claim", "robustness.curve <= .1"}), "claim robustness.accuracy[EPS]");
  VIVA_EXPECT_HAS(error({"--claim", "identity.output_kind >= 1"}), "state it with --output-kind");
}

TEST_F(ExamineOptionsFiles, TheKindOfOutputs) {
  const auto data =
      rows_of(300, {4}, 4, [](int64_t i, int64_t k) { return 3 * std::sin(static_cast<double>(7 * i + 13 * k)); });
  ASSERT_EQ(examine("end_scores", data, {"--output-kind", "scores"}).code, 0);
  EXPECT_EQ(finding(report(), "risk.log_loss")["status"], "withheld");
  EXPECT_EQ(finding(report(), "calibration.gap")["status"], "withheld");
  ASSERT_EQ(examine("end_scores", data, {"--output-kind", "logits"}).code, 0);
  EXPECT_EQ(finding(report(), "calibration.gap")["status"], "run");
  const Outcome o = examine("end_scores", data, {"--output-kind", "probabilities"});
  EXPECT_EQ(o.code, 3);
  EXPECT_NE(o.err.find("row 0"), std::string::npos) << o.err;
  EXPECT_EQ(examine("end_softmax", data, {"--output-kind", "logits"}).code, 2);
}

}  // namespace
}  // namespace viva
