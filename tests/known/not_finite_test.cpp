// Networks whose outputs are NaN, in every row or in some: no examiner gives a wrong reason.
#include <gtest/gtest.h>

#include <set>

#include "examine/graph_subject.h"

namespace viva {
namespace {

using testing::examined;
using testing::get;
using testing::GraphSubject;
using testing::source;

// Scores (sqrt(limit - x), .5): NaN for rows above the limit.
GraphSubject with_limit(double limit) {
  return {1, 2, [limit](Build& b, Value x) {
            const Value half = b.full(x.type(), .5);
            return b.concatenate({b.sqrt(b.sub(b.full(x.type(), limit), x)), half}, 1);
          }};
}

RowSource rows() {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 400; ++i) labels.push_back(i < 200 ? 0 : 1);
  return source(labels, 1, [](int64_t i, int64_t) { return static_cast<float>(i) / 400; });
}

std::string examiner_of(const Finding& f) { return f.id.substr(0, f.id.find('.')); }

TEST(NotFinite, EveryRow) {
  GraphSubject net = with_limit(-1);
  const std::string why = "no finite output exists: 400 rows, all of which give NaN";
  const Report r = examined(net, rows(), {"numerics.flips <= 0", "robustness.accuracy[.01] >= 0"});
  std::set<std::string> left_out;
  for (const Finding& f : r.findings) {
    const std::string e = examiner_of(f);
    if (e == "identity" || e == "risk" || e == "baseline" || e == "diagnosis") continue;
    EXPECT_EQ(f.status, Status::not_run) << f.id;
    EXPECT_EQ(f.why, why) << f.id;
    EXPECT_FALSE(f.estimate) << f.id;
    left_out.insert(e);
  }
  EXPECT_EQ(left_out, (std::set<std::string>{"calibration", "numerics", "sensitivity", "robustness", "curvature"}));
  EXPECT_EQ(get(r, "risk.accuracy").estimate, 0);
  EXPECT_EQ(get(r, "risk.accuracy").limits.at(0), why + "; all of them count as wrong");
  for (const char* id : {"risk.log_loss", "risk.brier", "risk.infinite_rows"}) EXPECT_EQ(get(r, id).why, why) << id;
  ASSERT_EQ(r.diagnosis.size(), 1u);
  EXPECT_EQ(r.diagnosis[0].text, why +
                                     ". Therefore not measured: risk.log_loss, risk.brier, risk.infinite_rows, "
                                     "calibration, numerics, sensitivity, robustness, curvature");
  const Finding& told = get(r, "diagnosis.told");
  EXPECT_EQ(told.estimate, 0);
  for (const auto& row : told.evidence.tables[0].rows) {
    const auto& kind = std::get<std::string>(row[0]);
    if (kind == "leakage" || kind == "duplicates") continue;
    EXPECT_EQ(std::get<std::string>(row[2]), "not looked into: " + why) << kind;
  }
  for (const Claim& c : r.claims) EXPECT_EQ(c.ruling, Verdict::undecided);
}

TEST(NotFinite, SomeRows) {
  GraphSubject net = with_limit(.95);
  const Report r = examined(net, rows());
  const int64_t nan = 19;  // of 381 / 400 and more
  EXPECT_EQ(get(r, "risk.nan_rows").estimate, nan);
  EXPECT_NE(get(r, "calibration.gap").why.find("19 rows give NaN (row 381, 382, 383, 384, 385, …)"), std::string::npos);
  EXPECT_EQ(get(r, "numerics.flips").status, Status::run);
  EXPECT_NE(get(r, "numerics.flips").limits.back().find("19 rows give NaN"), std::string::npos);
  EXPECT_EQ(get(r, "sensitivity.zero_gradients").status, Status::withheld);
  EXPECT_NE(get(r, "robustness.masking").limits.back().find("19 rows give NaN"), std::string::npos);
  EXPECT_NE(get(r, "diagnosis.told").limits.back().find("19 rows give NaN"), std::string::npos);
  EXPECT_EQ(r.diagnosis.front().id, "diagnosis.nan_rows");
}

// Softmax regression on rows of which some give NaN.
class Regression : public GraphSubject {
 public:
  Regression() : GraphSubject(1, 2, [](Build& b, Value x) { return scores(b, x, b.constant(weights())); }) {}
  NetworkFunction network(int64_t n) override {
    Build b("scores");
    const Value x = b.parameter({Dtype::float32, {n, 1}}), w = b.parameter({Dtype::float32, {1, 2}});
    return {b.finish({scores(b, x, w)}), {weights()}, n};
  }

 private:
  static Value scores(Build& b, Value x, Value w) { return b.dot(b.sqrt(b.sub(b.full(x.type(), .95), x)), w); }
  static Array weights() { return Array::of(std::vector<double>{1, -1}, {1, 2}).converted(Dtype::float32); }
};

TEST(NotFinite, RowsOfTheCurvature) {
  Regression net;
  const Finding f = get(examined(net, rows()), "curvature.lambda_max");
  EXPECT_EQ(f.status, Status::withheld);
  EXPECT_NE(f.why.find("outputs are"), 0u);
  const RowSource train = source(
                      std::vector<int64_t>(400, 0), 1, [](int64_t i, int64_t) { return static_cast<float>(i) / 400; },
                      "train"),
                  fine = source(std::vector<int64_t>(300, 0), 1,
                                [](int64_t i, int64_t) { return static_cast<float>(i) / 400; });
  EXPECT_EQ(get(examined(net, fine, {}, &train), "curvature.trace").why,
            "19 of the 400 rows taken have no finite loss");
}

}  // namespace
}  // namespace viva
