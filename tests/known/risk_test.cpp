// The examiner risk on networks in closed form.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/threefry.h"
#include "examine/fake_subject.h"
#include "examine/statistics.h"

namespace viva {
namespace {

using testing::examined;
using testing::FakeSubject;
using testing::get;
using testing::names_class;
using testing::place_in;
using testing::planted;
using testing::source;

int64_t count(const Finding& f, std::string_view id) {
  for (const Count& c : f.evidence.counts) {
    if (c.id == id) return c.count;
  }
  return -1;
}

TEST(Risk, AccuracyOfPlantedErrors) {
  FakeSubject net(2, 10, names_class(10, 5));
  const Report r = examined(net, planted(10000, 10, 973), {"risk.accuracy >= 0.90"});
  const Finding& f = get(r, "risk.accuracy");
  EXPECT_EQ(f.estimate, .9027);
  EXPECT_NEAR(*f.interval->low, .896723, 5e-7);
  EXPECT_NEAR(*f.interval->high, .908441, 5e-7);
  EXPECT_EQ(f.interval->level, .95);
  EXPECT_EQ(f.target, Target::rows_drawn_like_these);
  EXPECT_EQ(f.n, 10000);
  EXPECT_TRUE(f.check->passed);
  EXPECT_EQ(r.claims[0].ruling, Verdict::undecided);
  EXPECT_TRUE(r.claims[0].would_decide.starts_with("9,059 correct would support it, 9,027 are; "));
  EXPECT_NEAR(*get(r, "risk.detectable_above").estimate, .0083, 5e-5);
  EXPECT_NEAR(*get(r, "risk.detectable_below").estimate, -.0086, 5e-5);
  EXPECT_NEAR(*get(r, "risk.detectable_paired[0.05]").estimate, 2.802 * std::sqrt(.05 / 10000), 1e-12);
  EXPECT_NEAR(*get(r, "risk.detectable_paired[0.1]").estimate, 2.802 * std::sqrt(.1 / 10000), 1e-12);
  EXPECT_EQ(get(r, "risk.baseline").estimate, .1);
  // What is read off the outputs shares one pass.
  FakeSubject once(2, 10, names_class(10, 5));
  ExamineOptions options;
  options.only = {"risk", "calibration"};
  ThreadPool pool(1);
  const Cancel go{false};
  examine(options, once, planted(10000, 10, 973), nullptr, pool, go, {});
  EXPECT_EQ(once.evaluated, 10000);
}

// With logit s on the named class, right rows lose log(1 + 9 e^-s) and wrong ones s more; every Brier term is closed.
TEST(Risk, ScoresInClosedForm) {
  const double s = 3, z = std::exp(s) + 9, right = std::log(z) - s, wrong = std::log(z);
  const double p = std::exp(s) / z, q = 1 / z;
  for (const bool softmax : {false, true}) {
    FakeSubject net(2, 10, names_class(10, s), softmax);
    const Report r = examined(net, planted(1000, 10, 266));
    EXPECT_NEAR(*get(r, "risk.log_loss").estimate, .734 * right + .266 * wrong, 1e-12);
    const double brier_right = (1 - p) * (1 - p) + 9 * q * q, brier_wrong = p * p + (1 - q) * (1 - q) + 8 * q * q;
    EXPECT_NEAR(*get(r, "risk.brier").estimate, .734 * brier_right + .266 * brier_wrong, 1e-12);
    EXPECT_EQ(get(r, "risk.log_loss").interval->method, "Student t over rows");
    const double sd = s * std::sqrt(.734 * .266 * 1000 / 999.);
    EXPECT_NEAR(*get(r, "risk.log_loss").interval->high - *get(r, "risk.log_loss").estimate,
                1.96234146 * sd / std::sqrt(1000), 1e-7);
  }
}

TEST(Risk, UniformProbabilities) {
  FakeSubject net(2, 10, [](auto) { return std::vector<double>(10, .1); });
  const Report r = examined(net, planted(500, 10, 0));
  EXPECT_NE(get(r, "identity.output_kind").title.find("probabilities"), std::string::npos);
  EXPECT_NEAR(*get(r, "risk.log_loss").estimate, 2.302585, 5e-7);
  EXPECT_NEAR(*get(r, "risk.brier").estimate, .9, 1e-12);
  EXPECT_FALSE(get(r, "risk.brier").check->passed);
  EXPECT_EQ(get(r, "risk.accuracy").estimate, .1);  // ties go to the first class
  EXPECT_EQ(count(get(r, "risk.accuracy"), "ties"), 500);
}

TEST(Risk, LossIsNeverClipped) {
  FakeSubject net(2, 2, [](auto) { return std::vector<double>{1000, 0}; }, true);
  const Report r = examined(net, source({1, 1, 1}, 2, [](auto...) { return 0.f; }));
  EXPECT_EQ(get(r, "risk.log_loss").estimate, 1000);
  EXPECT_EQ(get(r, "risk.infinite_rows").estimate, 0);
}

// Rows that all score alike, and two or five rows, decide no claim on a mean.
TEST(Risk, WithoutSpreadOrRowsNoInterval) {
  FakeSubject sure(2, 10, names_class(10, 60));
  for (const int64_t n : {2, 300}) {
    const Report r = examined(sure, planted(n, 10, 0), {"risk.log_loss <= 1e-9", "risk.brier >= .5"});
    for (const char* id : {"risk.log_loss", "risk.brier"}) {
      EXPECT_TRUE(get(r, id).estimate);
      EXPECT_FALSE(get(r, id).interval);
      EXPECT_NE(get(r, id).why.find("without spread"), std::string::npos) << get(r, id).why;
      EXPECT_EQ(get(r, id).limits.size(), 0u);
    }
    for (const Claim& c : r.claims) {
      EXPECT_EQ(c.ruling, Verdict::undecided);
      EXPECT_NE(c.would_decide.find("without spread"), std::string::npos) << c.would_decide;
    }
  }
  FakeSubject net(2, 10, names_class(10, 3));
  for (const int64_t n : {2, 5, 6}) {
    const Report r = examined(net, planted(n, 10, 1), {"risk.log_loss <= 9"});
    EXPECT_EQ(get(r, "risk.log_loss").interval.has_value(), n == 6);
    EXPECT_EQ(r.claims[0].ruling, n == 6 ? Verdict::supported : Verdict::undecided);
    if (n < 6) { EXPECT_NE(get(r, "risk.log_loss").why.find("too few"), std::string::npos); }
  }
  // Two claims: six rows do not suffice at 97.5 %.
  const Report two = examined(net, planted(6, 10, 1), {"risk.log_loss <= 9", "risk.brier <= 2"});
  EXPECT_EQ(two.claims[0].ruling, Verdict::undecided);
  EXPECT_NE(two.claims[0].would_decide.find("too few"), std::string::npos) << two.claims[0].would_decide;
}

TEST(Risk, ZeroProbabilityOnTheLabel) {
  FakeSubject net(2, 2, [](auto) { return std::vector<double>{1, 0}; });
  const Report r = examined(net, source({0, 1, 1}, 2, [](auto...) { return 0.f; }), {"risk.log_loss <= 1"});
  const Finding& f = get(r, "risk.log_loss");
  EXPECT_FALSE(f.estimate);
  EXPECT_FALSE(f.interval);
  EXPECT_EQ(count(f, "infinite_rows"), 2);
  EXPECT_EQ(get(r, "risk.infinite_rows").estimate, 2);
  EXPECT_EQ(r.claims[0].ruling, Verdict::undecided);
  EXPECT_NE(r.claims[0].would_decide.find("2 rows give probability 0"), std::string::npos) << r.claims[0].would_decide;
  EXPECT_NEAR(*get(r, "risk.brier").estimate, 4. / 3, 1e-15);
}

TEST(Risk, RecallAtSidaksLevel) {
  FakeSubject net(2, 10, names_class(10, 5));
  RowSource data = planted(10000, 10, 0);
  const auto rows = data.rows;
  data.rows = [rows](int64_t first, int64_t n) {  // of class 6 the first 266 rows are named 0
    Array a = rows(first, n);
    const auto v = a.as_mutable<float>();
    for (int64_t i = 0; i < n; ++i) {
      if ((first + i) % 10 == 6 && (first + i) / 10 < 266) v[static_cast<size_t>(2 * i + 1)] = 0;
    }
    return a;
  };
  data.record.classes = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                         "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle \"boot\""};
  const Report r = examined(net, data, {"risk.recall[\"Shirt\"] >= .7", "risk.recall[6] >= .71"});
  const Finding& f = get(r, "risk.recall[\"Shirt\"]");
  EXPECT_EQ(f.estimate, .734);
  EXPECT_NEAR(*f.interval->low, .693138, 5e-7);
  EXPECT_NEAR(*f.interval->high, .772222, 5e-7);
  EXPECT_EQ(f.family->size, 10);
  EXPECT_TRUE(r.find("risk.recall[\"Ankle \\\"boot\\\"\"]"));
  EXPECT_EQ(get(r, "claim.1").interval->level, 1 - .025);
  EXPECT_EQ(get(r, "claim.1").interval->low, get(r, "claim.2").interval->low);
  EXPECT_THROW(examined(net, data, {"risk.recall[\"Hat\"] >= .7"}), Error);
  EXPECT_THROW(examined(net, data, {"risk.recall[\"Shirt\"] >= .7", "risk.recall[6] >= .7"}), Error);
  EXPECT_THROW(examined(net, data, {"risk.recall[10] >= .7"}), Error);
  EXPECT_THROW(examined(net, data, {"risk.recall[1.5] >= .7"}), Error);
}

TEST(Risk, ClassWithoutRows) {
  FakeSubject net(2, 3, names_class(3, 5));
  const Report r = examined(net, planted(100, 2, 0), {"risk.recall[2] >= .5"});
  EXPECT_EQ(get(r, "risk.recall[2]").status, Status::withheld);
  EXPECT_EQ(r.claims[0].ruling, Verdict::undecided);
  EXPECT_NE(r.claims[0].would_decide.find("no such rows"), std::string::npos);
}

TEST(Risk, NanRowsCountAsWrong) {
  FakeSubject net(2, 2, [](std::span<const float> row) {
    return row[0] == 3 ? std::vector<double>{0, std::nan("")}
                       : std::vector<double>{row[1] == 0 ? 4. : 0., row[1] == 0 ? 0. : 4.};
  });
  const Report r = examined(net, planted(10, 2, 0), {"risk.log_loss < 5", "risk.nan_rows <= 0"});
  EXPECT_EQ(get(r, "risk.accuracy").estimate, .9);
  EXPECT_EQ(get(r, "risk.nan_rows").estimate, 1);
  EXPECT_FALSE(get(r, "risk.nan_rows").check->passed);
  EXPECT_EQ(get(r, "risk.log_loss").status, Status::withheld);
  EXPECT_EQ(get(r, "risk.brier").status, Status::withheld);
  EXPECT_NE(get(r, "risk.log_loss").why.find("1 row gives NaN (row 3)"), std::string::npos);
  EXPECT_EQ(r.claims[0].ruling, Verdict::undecided);
  EXPECT_EQ(r.claims[1].ruling, Verdict::refuted);
}

TEST(Risk, AllRowsNan) {
  FakeSubject net(2, 2, [](auto) { return std::vector<double>(2, std::nan("")); });
  const Report r = examined(net, planted(10, 2, 0));
  EXPECT_EQ(get(r, "risk.accuracy").estimate, 0);
  EXPECT_EQ(get(r, "risk.log_loss").status, Status::withheld);
  EXPECT_EQ(get(r, "identity.output_kind").status, Status::withheld);
}

TEST(Risk, InfiniteLogits) {
  const double inf = std::numeric_limits<double>::infinity();
  FakeSubject up(2, 2, [inf](std::span<const float> row) { return std::vector<double>{row[0] == 2 ? inf : 3., 0}; });
  const Report r = examined(up, planted(10, 2, 0));
  EXPECT_EQ(get(r, "risk.log_loss").status, Status::withheld);
  EXPECT_NE(get(r, "risk.log_loss").why.find("infinite output (row 2)"), std::string::npos);
  FakeSubject down(2, 2, [inf](std::span<const float> row) { return std::vector<double>{3., row[0] == 1 ? -inf : 0}; });
  const Report d = examined(down, planted(10, 2, 0));
  EXPECT_EQ(count(get(d, "risk.log_loss"), "infinite_rows"), 1);
}

TEST(Risk, OneHotRegressionHasNoScores) {
  FakeSubject net(2, 4, [](std::span<const float> row) {
    std::vector<double> y(4, .02 * (static_cast<int>(row[0]) % 5 - 2));
    y[place_in(y, row[1])] += .95;
    return y;
  });
  const Report r = examined(net, planted(400, 4, 0), {"risk.brier <= 1"});
  EXPECT_EQ(get(r, "risk.accuracy").estimate, 1);
  EXPECT_EQ(get(r, "risk.log_loss").status, Status::withheld);
  EXPECT_NE(get(r, "risk.brier").why.find("one-hot regression"), std::string::npos);
  EXPECT_EQ(r.claims[0].ruling, Verdict::undecided);
}

// One-hot targets with independent errors of a tenth an entry, whatever the number of classes.
TEST(Risk, OneHotRegressionOfManyClasses) {
  for (const int64_t classes : {2, 10, 100, 1000}) {
    FakeSubject net(2, classes, [classes](std::span<const float> row) {
      std::vector<double> y(static_cast<size_t>(classes));
      for (size_t k = 0; k < y.size(); ++k) {
        // Box and Muller's normal numbers.
        const Words2 u =
            threefry2x32({1, 2}, {static_cast<uint32_t>(static_cast<int64_t>(row[0])), static_cast<uint32_t>(k)});
        y[k] = .1 * std::sqrt(-2 * std::log((u[0] + .5) / 0x1p32)) * std::cos(2 * M_PI * u[1] / 0x1p32);
      }
      y[place_in(y, row[1])] += 1;
      return y;
    });
    for (const int64_t n : {20, 250}) {
      const Report r = examined(net, planted(n, classes, 0));
      EXPECT_NE(get(r, "identity.output_kind").title.find("one-hot regression"), std::string::npos)
          << classes << " classes, " << n << " rows";
    }
  }
}

TEST(Risk, SigmoidsHaveNoScores) {
  FakeSubject net(2, 3, [](std::span<const float> row) {
    std::vector<double> y(3, .9);
    y[place_in(y, row[1])] = .99;
    return y;
  });
  EXPECT_EQ(get(examined(net, planted(300, 3, 0)), "risk.log_loss").status, Status::run);  // logits, as it seems
  net.model.unit_end = "Sigmoid";
  EXPECT_NE(get(examined(net, planted(300, 3, 0)), "risk.log_loss").why.find("do not sum to one"), std::string::npos);
}

TEST(Risk, LogProbabilitiesAreLogits) {
  FakeSubject net(2, 4, [](auto) { return std::vector<double>(4, std::log(.25)); });
  const Report r = examined(net, planted(300, 4, 0));
  EXPECT_NEAR(*get(r, "risk.log_loss").estimate, std::log(4), 1e-14);
  EXPECT_NE(get(r, "identity.output_kind").title.find("log-probabilities"), std::string::npos);
}

TEST(Risk, RegressionIsWithheld) {
  FakeSubject net(2, 1, [](auto) { return std::vector<double>{7}; });
  const Report r =
      examined(net, planted(30, 2, 0), {"risk.accuracy >= .5", "risk.recall[0] >= .5", "risk.recall[1] >= .5"});
  EXPECT_EQ(get(r, "risk.accuracy").status, Status::withheld);
  EXPECT_NE(get(r, "risk.accuracy").why.find("[1]"), std::string::npos);
  for (const Claim& c : r.claims) EXPECT_EQ(c.ruling, Verdict::undecided);
  FakeSubject map(2, 4, [](auto) { return std::vector<double>(4); });
  map.shape = Shape{2, 2};
  EXPECT_EQ(get(examined(map, planted(30, 2, 0)), "risk.accuracy").status, Status::withheld);
  map.shape = Shape{1, 4, 1};
  EXPECT_EQ(get(examined(map, planted(30, 2, 0)), "risk.accuracy").status, Status::run);
}

TEST(Risk, FewRowsUseTheBootstrapAndSaySo) {
  FakeSubject net(2, 10, names_class(10, 3));
  const Report one = examined(net, planted(150, 10, 30), {}, nullptr, 1),
               four = examined(net, planted(150, 10, 30), {}, nullptr, 4);
  const Finding& f = get(one, "risk.log_loss");
  EXPECT_NE(f.interval->method.find("BCa"), std::string::npos);
  EXPECT_EQ(f.limits.size(), 1u);
  EXPECT_EQ(f.interval->low, get(four, "risk.log_loss").interval->low);
  EXPECT_EQ(f.interval->high, get(four, "risk.log_loss").interval->high);
  EXPECT_NE(f.interval->low,
            get(examined(net, planted(150, 10, 30), {}, nullptr, 1, 7), "risk.log_loss").interval->low);
  const Report single = examined(net, planted(1, 10, 0));
  EXPECT_FALSE(get(single, "risk.log_loss").interval);
  EXPECT_NE(get(single, "risk.log_loss").why, "");
}

std::string message(Subject& s, const RowSource& d, ErrorKind kind) {
  try {
    examined(s, d);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), kind);
    return e.message();
  }
  return "";
}

TEST(Risk, BadInput) {
  FakeSubject net(2, 2, names_class(2, 3));
  EXPECT_NE(message(net, source({}, 2, [](auto...) { return 0.f; }), ErrorKind::input).find("no rows"),
            std::string::npos);
  EXPECT_NE(message(net, source({1, 2, 1}, 2, [](auto...) { return 0.f; }), ErrorKind::input).find("row 1 has label 2"),
            std::string::npos);
  EXPECT_NE(message(net, source({1, 2, 1}, 2, [](auto...) { return 0.f; }), ErrorKind::input).find("labels from 1?"),
            std::string::npos);
  EXPECT_EQ(message(net, source({0, 2, 1}, 2, [](auto...) { return 0.f; }), ErrorKind::input).find("labels from 1?"),
            std::string::npos);
  EXPECT_NE(message(net, source({0, -1}, 2, [](auto...) { return 0.f; }), ErrorKind::input).find("row 1 has label -1"),
            std::string::npos);
  const auto nan_at = [](float bad) {
    return source({0, 1, 0}, 2, [bad](int64_t i, int64_t c) { return i == 2 && c == 1 ? bad : 0.f; });
  };
  EXPECT_NE(message(net, nan_at(NAN), ErrorKind::input).find("row 2 holds NaN"), std::string::npos);
  EXPECT_NE(message(net, nan_at(INFINITY), ErrorKind::input).find("row 2 holds an infinity"), std::string::npos);
  net.independent = false;
  EXPECT_NE(message(net, planted(10, 2, 0), ErrorKind::unsupported).find("influence one another"), std::string::npos);
}

TEST(Risk, Interruption) {
  FakeSubject net(2, 2, names_class(2, 3));
  ThreadPool pool(1);
  const Cancel stop{true};
  try {
    examine({}, net, planted(10, 2, 0), nullptr, pool, stop, {});
    ADD_FAILURE();
  } catch (const Error& e) { EXPECT_EQ(e.kind(), ErrorKind::cancelled); }
}

}  // namespace
}  // namespace viva
