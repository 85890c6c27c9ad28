#include "examine/claims.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "examine/statistics.h"

namespace viva {
namespace {

const Quantity risk[] = {{.name = "accuracy", .fraction = true},
                         {.name = "recall", .key = KeyKind::either, .fraction = true},
                         {.name = "log_loss"}};
const Quantity robustness[] = {{.name = "accuracy", .key = KeyKind::number, .fraction = true}};
const QuantitySet known[] = {{"risk", risk}, {"robustness", robustness}};

std::string error_of(const std::string& text) {
  try {
    parse_claims(std::vector<std::string>{text}, known);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    return e.message();
  }
  ADD_FAILURE() << "accepted: " << text;
  return "";
}

TEST(Claims, Grammar) {
  const Claim plain = parse_claim("risk.accuracy >= 0.90");
  EXPECT_EQ(plain.examiner, "risk");
  EXPECT_EQ(plain.quantity, "risk.accuracy");
  EXPECT_TRUE(plain.key.none());
  EXPECT_EQ(plain.op, Comparison::at_least);
  EXPECT_EQ(plain.value, .9);
  EXPECT_EQ(plain.statement, "risk.accuracy >= 0.9");

  const Claim shirt = parse_claim("  risk.recall [ \"T-\\\"shirt\\\\]\" ]>.7 ");
  EXPECT_EQ(std::get<std::string>(shirt.key.value), "T-\"shirt\\]");
  EXPECT_EQ(shirt.op, Comparison::above);
  EXPECT_EQ(shirt.value, .7);
  EXPECT_EQ(shirt.statement, "risk.recall[\"T-\\\"shirt\\\\]\"] > 0.7");

  const Claim robust = parse_claim("robustness.accuracy[8/255]<=5e-1");
  EXPECT_EQ(std::get<double>(robust.key.value), 8. / 255);
  EXPECT_EQ(robust.key.text, "8/255");
  EXPECT_EQ(robust.op, Comparison::at_most);
  EXPECT_EQ(robust.value, .5);
  EXPECT_EQ(parse_claim("a.b < -1.5E+2").value, -150);
  // One statement, whatever the spelling.
  for (const char* same : {"a.b[3]<=.5", " a.b [ 3.0 ] <= 0.50", "a.b[+3]  <=  5e-1 "})
    EXPECT_EQ(parse_claim(same).statement, "a.b[3] <= 0.5");
  EXPECT_EQ(parse_claim("a.b[8.0/255]>.5").statement, "a.b[8/255] > 0.5");
  EXPECT_EQ(parse_claim("a.b < 9/10").value, .9);
  EXPECT_EQ(parse_claim("a.b < +.5").value, .5);
}

TEST(Claims, ErrorsNameThePlace) {
  EXPECT_NE(error_of("risk.accuracy => 0.9").find("column 15: >=, <=, > or < is expected here"), std::string::npos);
  EXPECT_NE(error_of("risk.accuracy >= 90%").find("write a fraction"), std::string::npos);
  EXPECT_NE(error_of("risk.accuracy >= 90").find("fraction between 0 and 1"), std::string::npos);
  EXPECT_NE(error_of("risk.recall[Shirt] >= .7").find("double quotes"), std::string::npos);
  EXPECT_NE(
      error_of("risk.precision >= .7").find("known are risk.accuracy, risk.recall[\"NAME\" or INDEX], risk.log_loss"),
      std::string::npos);
  EXPECT_NE(error_of("risk.accuracy[3] >= .7").find("takes no key"), std::string::npos);
  EXPECT_NE(error_of("risk.recall >= .7").find("needs a key"), std::string::npos);
  EXPECT_NE(error_of("robustness.accuracy[\"x\"] >= .7").find("wrong kind"), std::string::npos);
  for (const char* bad : {"",
                          "risk",
                          "risk.",
                          ".accuracy >= 1",
                          "risk.accuracy",
                          "risk.accuracy >=",
                          "risk.accuracy >= x",
                          "risk.accuracy >= nan",
                          "risk.accuracy >= inf",
                          "risk.accuracy >= 1e999",
                          "risk.accuracy >= 1 2",
                          "risk.accuracy == 1",
                          "risk.recall[\"a] >= 1",
                          "risk.recall[\"a\\n\"] >= 1",
                          "risk.recall[1/0] >= 1",
                          "risk.recall[ >= 1",
                          "risk.recall[1e300/1e-300] >= 1",
                          "risk.log_loss <= 1e300/-1e-300",
                          "risk.accuracy >= 1e",
                          "risk.accuracy >= .",
                          "risk.recall[\"a\\"})
    error_of(bad);
}

TEST(Claims, ErrorsAreOneLine) {
  for (const char* bad : {"risk.accuracy >= .5\nx", "risk.recall[\"a\nb\"] >= 2", "risk.recall[\"a\nb\"] >=",
                          "x.y[\"\n\"] > 1", "risk.accuracy[\"\n\"] > 1", "robustness.accuracy[\"\n\"] > 1"})
    EXPECT_EQ(error_of(bad).find('\n'), std::string::npos) << bad;
}

TEST(Claims, RulingAtTheBoundary) {
  EXPECT_EQ(rule(Comparison::at_least, .9, .9, .95), Verdict::supported);
  EXPECT_EQ(rule(Comparison::above, .9, .9, .95), Verdict::undecided);
  EXPECT_EQ(rule(Comparison::above, .9, .85, .9), Verdict::refuted);
  EXPECT_EQ(rule(Comparison::at_least, .9, .85, .9), Verdict::undecided);
  EXPECT_EQ(rule(Comparison::at_most, .9, .85, .9), Verdict::supported);
  EXPECT_EQ(rule(Comparison::below, .9, .85, .9), Verdict::undecided);
  EXPECT_EQ(rule(Comparison::below, .9, .9, .95), Verdict::refuted);
  EXPECT_EQ(rule(Comparison::at_most, .9, .9, .95), Verdict::undecided);
  EXPECT_EQ(rule(Comparison::at_least, .9, std::nextafter(.9, 0), .95), Verdict::undecided);
  EXPECT_EQ(rule(Comparison::at_most, 5, 5, 5), Verdict::supported);
  EXPECT_EQ(rule(Comparison::above, 5, 5, 5), Verdict::refuted);
}

TEST(Claims, OneSidedIntervalsRuleTheirOwnSide) {
  EXPECT_EQ(rule(Comparison::at_least, .5, .6, std::nullopt), Verdict::supported);
  EXPECT_EQ(rule(Comparison::at_least, .7, .6, std::nullopt), Verdict::undecided);
  EXPECT_EQ(rule(Comparison::at_most, .5, .6, std::nullopt), Verdict::refuted);
  EXPECT_EQ(rule(Comparison::at_most, .7, std::nullopt, .6), Verdict::supported);
  EXPECT_EQ(rule(Comparison::at_least, .7, std::nullopt, .6), Verdict::refuted);
  EXPECT_EQ(rule(Comparison::at_least, .5, std::nullopt, std::nullopt), Verdict::undecided);
}

TEST(Claims, NanNeverDecides) {
  const double nan = std::nan("");
  for (const Comparison op : {Comparison::at_least, Comparison::at_most, Comparison::above, Comparison::below}) {
    EXPECT_EQ(rule(op, .5, nan, nan), Verdict::undecided);
    EXPECT_EQ(rule(op, .5, nan, .1), Verdict::undecided);
    EXPECT_EQ(rule(op, .5, .9, nan), Verdict::undecided);
    EXPECT_EQ(rule(op, nan, .1, .9), Verdict::undecided);
  }
}

TEST(Claims, AlphaIsSplit) {
  EXPECT_EQ(claim_alpha(1, Sided::two), .05);
  EXPECT_EQ(claim_alpha(4, Sided::two), .0125);
  EXPECT_EQ(claim_alpha(1, Sided::lower), .025);
  EXPECT_EQ(claim_alpha(5, Sided::upper), .005);
}

Measure proportion(std::string quantity, int64_t k, int64_t n) {
  Measure m;
  m.quantity = quantity;
  m.finding.id = quantity;
  m.finding.estimate = static_cast<double>(k) / static_cast<double>(n);
  m.interval = [k, n](double alpha) -> std::optional<Interval> {
    const Range r = clopper_pearson(k, n, alpha);
    return Interval{r.low, r.high, 1 - alpha, "Clopper-Pearson", Sided::two};
  };
  m.finding.interval = m.interval(.05);
  m.tally = {k, n, "correct"};
  return m;
}

Report ruled(std::vector<std::string> texts, std::vector<Measure> measures) {
  Report r;
  r.claims = parse_claims(texts, known);
  rule_claims(std::move(measures), r);
  return r;
}

TEST(Claims, OneClaimIsRuledOnTheFindingItself) {
  const Report r = ruled({"risk.accuracy >= 0.90"}, {proportion("risk.accuracy", 9059, 10000)});
  EXPECT_EQ(r.claims[0].id, "claim.1");
  EXPECT_EQ(r.claims[0].finding, "risk.accuracy");
  EXPECT_EQ(r.claims[0].ruling, Verdict::supported);
  EXPECT_EQ(r.claims[0].would_decide, "");
  ASSERT_EQ(r.findings.size(), 1u);
  EXPECT_EQ(r.findings[0].verdict, Verdict::supported);
  EXPECT_EQ(ruled({"risk.accuracy >= 0.90"}, {proportion("risk.accuracy", 8940, 10000)}).claims[0].ruling,
            Verdict::refuted);
  EXPECT_EQ(ruled({"risk.accuracy >= 0.90"}, {proportion("risk.accuracy", 9058, 10000)}).claims[0].ruling,
            Verdict::undecided);
  EXPECT_EQ(ruled({"risk.accuracy >= 0.90"}, {proportion("risk.accuracy", 8941, 10000)}).claims[0].ruling,
            Verdict::undecided);
}

TEST(Claims, UndecidedSaysWhatWouldDecide) {
  const Report r = ruled({"risk.accuracy >= 0.90"}, {proportion("risk.accuracy", 9027, 10000)});
  EXPECT_EQ(r.claims[0].ruling, Verdict::undecided);
  EXPECT_TRUE(r.claims[0].would_decide.starts_with(
      "9,059 correct would support it, 9,027 are; 8,940 or fewer would refute it;"));
  const Report less = ruled({"risk.accuracy <= 0.90"}, {proportion("risk.accuracy", 9027, 10000)});
  EXPECT_TRUE(less.claims[0].would_decide.starts_with(
      "8,940 correct would support it, 9,027 are; 9,059 or more would refute it"));
  const Report few = ruled({"risk.accuracy >= 0.90"}, {proportion("risk.accuracy", 10, 10)});
  EXPECT_NE(few.claims[0].would_decide.find("no count of 10 rows could support it"), std::string::npos);
}

// The number of rows named really decides at the same rate, and 1 % fewer do not.
TEST(Claims, RowsAtThisRate) {
  const Report r = ruled({"risk.accuracy >= 0.90"}, {proportion("risk.accuracy", 902, 1000)});
  EXPECT_NE(r.claims[0].would_decide.find("or about 86,600 rows"), std::string::npos) << r.claims[0].would_decide;
  const auto low = [](double n) { return clopper_pearson(std::llround(.902 * n), std::llround(n), .05).low; };
  EXPECT_GE(low(86600 * 1.01), .9);
  EXPECT_LT(low(86600 * .99), .9);
}

TEST(Claims, SeveralClaimsGetFindingsAtTheirOwnLevel) {
  const Report r = ruled({"risk.accuracy >= 0.90", "risk.accuracy <= 0.95", "risk.log_loss < 1"},
                         {proportion("risk.accuracy", 9200, 10000), [] {
                            Measure m;
                            m.quantity = m.finding.id = "risk.log_loss";
                            m.finding.status = Status::withheld;
                            m.finding.why = "3 rows give NaN";
                            return m;
                          }()});
  ASSERT_EQ(r.findings.size(), 4u);
  EXPECT_EQ(r.findings[0].interval->level, .95);
  EXPECT_EQ(r.findings[0].verdict, Verdict::none);
  EXPECT_EQ(r.claims[1].finding, "claim.2");
  const Finding* f = r.find("claim.2");
  EXPECT_NEAR(f->interval->level, 1 - .05 / 3, 1e-15);
  EXPECT_EQ(f->family->size, 3);
  EXPECT_EQ(f->verdict, Verdict::supported);
  EXPECT_EQ(r.claims[2].ruling, Verdict::undecided);
  EXPECT_EQ(r.claims[2].finding, "risk.log_loss");
  EXPECT_EQ(r.claims[2].would_decide, "the quantity itself, which is withheld: 3 rows give NaN");
}

TEST(Claims, KeysMatchNamesAndIndexes) {
  Measure m = proportion("risk.recall", 700, 1000);
  m.finding.id = "risk.recall[\"Shirt\"]";
  m.name = "Shirt";
  m.number = 6;
  m.finding.family = Family{"risk.recall", 10, "Sidak"};
  EXPECT_EQ(ruled({"risk.recall[\"Shirt\"] > .5"}, {m}).claims[0].finding, "claim.1");
  EXPECT_EQ(ruled({"risk.recall[6] > .5"}, {m}).claims[0].ruling, Verdict::supported);
  EXPECT_THROW(ruled({"risk.recall[\"shirt\"] > .5"}, {m}), Error);
  EXPECT_THROW(ruled({"risk.recall[5] > .5"}, {m}), Error);
}

TEST(Claims, ExactQuantitiesAreRuledAtOnce) {
  Measure m;
  m.quantity = m.finding.id = "risk.log_loss";
  m.finding.estimate = 5;
  const Report r = ruled({"risk.log_loss <= 5", "risk.log_loss < 5"}, {m});
  EXPECT_EQ(r.claims[0].ruling, Verdict::supported);
  EXPECT_EQ(r.claims[1].ruling, Verdict::refuted);
  EXPECT_EQ(r.findings.size(), 1u);
  EXPECT_EQ(r.findings[0].verdict, Verdict::refuted);
}

TEST(Claims, MeansSayHowFarTheyAre) {
  Measure m;
  m.quantity = m.finding.id = "risk.log_loss";
  m.finding.estimate = .29;
  m.interval = [](double alpha) -> std::optional<Interval> {
    return Interval{.28, .30, 1 - alpha, "Student t", Sided::two};
  };
  m.finding.interval = m.interval(.05);
  EXPECT_EQ(
      ruled({"risk.log_loss <= .295"}, {m}).claims[0].would_decide,
      "a value of 0.285 or less would support it, 0.290 is measured; a value of 0.305 or more would refute it; or "
      "about 4 times as many rows of the same spread");
  m.finding.estimate = .2974;
  m.interval = [](double alpha) -> std::optional<Interval> {
    return Interval{.2913, std::nullopt, 1 - alpha, "Student t", Sided::lower};
  };
  EXPECT_EQ(
      ruled({"risk.log_loss <= .295"}, {m}).claims[0].would_decide,
      "an upper end of the interval, which this method does not state, to support it, 0.2974 is measured; a value "
      "of 0.3011 or more would refute it; or about 6.5 times as many rows of the same spread");
}

}  // namespace
}  // namespace viva
