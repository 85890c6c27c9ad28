// Rows in groups: intervals over groups against the closed form and their coverage, and what is withheld.
#include "examine/groups.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "examine/graph_subject.h"

namespace viva {
namespace {

using testing::GraphSubject;
using testing::linear;

// With groups of one row each it is Student's interval.
TEST(Groups, OneRowEach) {
  std::vector<double> rows;
  std::vector<int64_t> group;
  for (int64_t i = 0; i < 50; ++i) rows.push_back(std::sin(static_cast<double>(i))), group.push_back(49 - i);
  const auto grouped = grouped_student_t(rows, group, .05), plain = student_t(rows, .05);
  ASSERT_TRUE(grouped && plain);
  EXPECT_NEAR(grouped->low, plain->low, 1e-12);
  EXPECT_NEAR(grouped->high, plain->high, 1e-12);
}

// Every row five times: as wide as for the rows once.
TEST(Groups, CopiesTellNothing) {
  std::vector<double> once, rows;
  std::vector<int64_t> group;
  for (int64_t i = 0; i < 40; ++i) {
    once.push_back(std::cos(static_cast<double>(i)));
    for (int k = 0; k < 5; ++k) rows.push_back(once.back()), group.push_back(i);
  }
  const auto grouped = grouped_student_t(rows, group, .05), plain = student_t(once, .05);
  EXPECT_NEAR(grouped->low, plain->low, 1e-12);
  EXPECT_NEAR(grouped->high, plain->high, 1e-12);
  EXPECT_LT(student_t(rows, .05)->high, grouped->high);
}

TEST(Groups, TooFewOrAlike) {
  std::vector<double> rows(100, 1);
  std::vector<int64_t> group;
  for (int64_t i = 0; i < 100; ++i) group.push_back(i % 19);
  rows[0] = 0;
  EXPECT_FALSE(grouped_student_t(rows, group, .05));
  for (int64_t i = 0; i < 100; ++i) group[static_cast<size_t>(i)] = i % 25;
  EXPECT_TRUE(grouped_student_t(rows, group, .05));
  rows[0] = 1;
  EXPECT_FALSE(grouped_student_t(rows, group, .05));
  rows[0] = NAN;
  EXPECT_FALSE(grouped_student_t(rows, group, .05));
}

// Groups of 1 to 20 rows whose rate is drawn uniformly from .5 to 1: the truth is .75.
double coverage(int64_t groups, int repetitions) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> uniform;
  int covered = 0;
  for (int r = 0; r < repetitions; ++r) {
    std::vector<double> rows;
    std::vector<int64_t> group;
    for (int64_t g = 0; g < groups; ++g) {
      const auto size = 1 + static_cast<int64_t>(20 * uniform(random));
      const double rate = .5 + .5 * uniform(random);
      for (int64_t i = 0; i < size; ++i) rows.push_back(uniform(random) < rate), group.push_back(g);
    }
    const auto i = grouped_student_t(rows, group, .05);
    covered += i && i->low <= .75 && i->high >= .75;
  }
  return static_cast<double>(covered) / repetitions;
}

TEST(Groups, Coverage) {
  const int repetitions = std::getenv("VIVA_LONG") ? 10000 : 2000;
  const double few = coverage(20, repetitions), many = coverage(100, repetitions);
  RecordProperty("twenty", std::to_string(few));
  RecordProperty("hundred", std::to_string(many));
  EXPECT_GE(few, .925) << few;
  EXPECT_GE(many, .938) << many;
  EXPECT_LE(many, .965) << many;
}

// Every group of one row: Clopper and Pearson's.
TEST(Groups, ProportionOfSingleRows) {
  std::vector<double> rows;
  std::vector<int64_t> group;
  for (int64_t i = 0; i < 50; ++i) rows.push_back(i % 5 > 0), group.push_back(i);
  const auto grouped = grouped_proportion(rows, group, .05);
  const Range plain = clopper_pearson(40, 50, .05);
  ASSERT_TRUE(grouped);
  EXPECT_NEAR(grouped->low, plain.low, 1e-9);
  EXPECT_NEAR(grouped->high, plain.high, 1e-9);
}

// All rows right: what 25 rows right would say, but for Student's factor.
TEST(Groups, ProportionWithoutSpread) {
  const std::vector<double> rows(100, 1);
  std::vector<int64_t> group;
  for (int64_t i = 0; i < 100; ++i) group.push_back(i % 25);
  const auto grouped = grouped_proportion(rows, group, .05);
  ASSERT_TRUE(grouped);
  EXPECT_EQ(grouped->high, 1);
  EXPECT_NEAR(grouped->low, std::pow(.025, 1 / (25 * .9242759)), 1e-5);  // (t(99) / t(24))^2
}

// Groups of 1 to 2 size - 1 rows, or of size rows each, whose rate is drawn from a beta law of mean `rate`.
double coverage_of_proportion(int64_t groups, int64_t size, double rate, double correlation, bool unequal, int times) {
  std::mt19937_64 random(static_cast<uint64_t>(groups * size));
  std::uniform_real_distribution<double> uniform;
  const double both = (1 - correlation) / correlation;
  std::gamma_distribution<double> right(rate * both), wrong((1 - rate) * both);
  int covered = 0;
  for (int r = 0; r < times; ++r) {
    std::vector<double> rows;
    std::vector<int64_t> group;
    for (int64_t g = 0; g < groups; ++g) {
      const double a = right(random), b = wrong(random);
      const int64_t n = unequal ? 1 + static_cast<int64_t>(static_cast<double>(2 * size - 1) * uniform(random)) : size;
      for (int64_t i = 0; i < n; ++i) rows.push_back(uniform(random) * (a + b) < a), group.push_back(g);
    }
    const auto i = grouped_proportion(rows, group, .05);
    covered += i && i->low <= rate && i->high >= rate;
  }
  return static_cast<double>(covered) / times;
}

TEST(Groups, CoverageOfProportions) {
  const bool is_long = std::getenv("VIVA_LONG") != nullptr;
  const int times = is_long ? 10000 : 500;
  const double least = .94 - (is_long ? 0 : 3.5 * std::sqrt(.06 * .94 / times));
  struct Scenario {
    int64_t groups, size;
    double rate, correlation;
    bool unequal = false;
  };
  for (const Scenario& s : {Scenario{20, 50, .99, .1},
                            {30, 30, .97, .3},
                            {20, 10, .95, .1},
                            {100, 20, .98, .2},
                            {100, 5, .99, .1},
                            {50, 20, .75, .2},
                            {20, 100, .9, .3},
                            {20, 100, .5, .1},
                            {20, 50, .99, .1, true},
                            {30, 30, .9, .5, true},
                            {200, 40, .985, .5}}) {
    const double c = coverage_of_proportion(s.groups, s.size, s.rate, s.correlation, s.unequal, times);
    std::printf("%lld groups of %lld rows, rate %g, correlation %g: covered %.4f\n", static_cast<long long>(s.groups),
                static_cast<long long>(s.size), s.rate, s.correlation, c);
    EXPECT_GE(c, least) << s.groups << " " << s.rate;
  }
}

TEST(Groups, OfAReport) {
  GraphSubject net(3, 2, linear({1, 0, 0}, 0));
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 400; ++i) labels.push_back(i % 2);
  // Group g is wrong in as many rows as its number says.
  RowSource data = testing::source(labels, 3, [](int64_t i, int64_t k) {
    const bool wrong = i % 10 < (i / 10) % 4;
    return k == 0 ? ((i % 2 == 0) != wrong ? 1.F : -1.F) : 0.F;
  });
  for (int64_t i = 0; i < 400; ++i) data.groups.push_back(i / 10);
  data.record.groups = 40;
  const Report r = testing::examined(net, data, {"risk.accuracy >= .5", "calibration.ece <= 1"});
  const Finding& accuracy = *r.find("risk.accuracy");
  EXPECT_NEAR(*accuracy.estimate, .85, 1e-12);
  EXPECT_EQ(accuracy.unit, "group");
  EXPECT_EQ(accuracy.n, 40);
  ASSERT_TRUE(accuracy.interval);
  // By scipy: design effect 1.0055, its upper limit 1.6999, 222.285 independent rows.
  EXPECT_NEAR(accuracy.interval->low.value(), .796157, 1e-6);
  EXPECT_NEAR(accuracy.interval->high.value(), .894230, 1e-6);
  EXPECT_EQ(accuracy.assumptions[0],
            "assumes independent, held-out groups of rows; not checkable from the files; data role unknown");
  EXPECT_EQ(r.claims[0].ruling, Verdict::supported);
  EXPECT_EQ(r.claims[1].ruling, Verdict::undecided);
  for (const Finding& f : r.findings) {
    if (f.target != Target::rows_drawn_like_these || f.id.starts_with("claim.")) continue;
    EXPECT_EQ(f.unit, f.n ? "group" : "") << f.id;
    if (f.interval) { EXPECT_NE(f.interval->method.find("over groups"), std::string::npos) << f.id; }
    for (const Series& s : f.evidence.series)
      for (const Point& p : s.points) EXPECT_FALSE(p.low || p.high) << f.id;
  }
}

// 40 groups of ten rows; every tenth row repeats the one before it.
RowSource in_groups() {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 400; ++i) labels.push_back(i % 2);
  RowSource data = testing::source(labels, 3, [](int64_t i, int64_t k) {
    const int64_t row = i % 10 == 9 ? i - 2 : i;
    return k == 0 ? (i % 2 == 0 ? .75F : .25F) : static_cast<float>(row) / 400;
  });
  for (int64_t i = 0; i < 400; ++i) data.groups.push_back(i / 10);
  data.record.groups = 40;
  return data;
}

TEST(Groups, WithheldIsWithoutANumber) {
  GraphSubject net(3, 2, linear({1, 0, 0}, -.5));
  const Report r = testing::examined(net, in_groups());
  int64_t withheld = 0;
  for (const Finding& f : r.findings) {
    if (f.status == Status::run) continue;
    ++withheld;
    EXPECT_FALSE(f.why.empty()) << f.id;
    EXPECT_FALSE(f.estimate || f.interval) << f.id;
    EXPECT_TRUE(f.evidence.series.empty()) << f.id;
    for (const Table& t : f.evidence.tables) EXPECT_EQ(std::ranges::count(t.columns, "band up to"), 0) << f.id;
  }
  EXPECT_GE(withheld, 5);
  for (const char* id : {"risk.detectable_above", "risk.detectable_paired[0.05]", "robustness.curve"})
    EXPECT_EQ(r.find(id)->status, Status::withheld) << id;
}

TEST(Groups, DiagnosesThatTakeNoRowAsIndependent) {
  GraphSubject net(3, 2, linear({1, 0, 0}, -.5));
  const RowSource data = in_groups();
  RowSource train = data;
  train.record.id = "train", train.groups.clear(), train.record.groups.reset();
  const Report r = testing::examined(net, data, {}, &train);
  std::vector<std::string> told;
  for (const Diagnosis& d : r.diagnosis) told.push_back(d.id);
  EXPECT_EQ(told, (std::vector<std::string>{"diagnosis.leakage", "diagnosis.duplicates"}));
  const Table& looked = r.find("diagnosis.told")->evidence.tables[0];
  ASSERT_EQ(looked.rows.size(), 12u);
  int64_t left_out = 0;
  for (const auto& row : looked.rows)
    left_out += std::get<std::string>(row[2]) ==
                "not looked into: its test takes rows as independent, and these come in groups";
  EXPECT_EQ(left_out, 8);
}

}  // namespace
}  // namespace viva
