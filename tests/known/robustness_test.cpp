// The examiner robustness where the distance to another label is known.
#include <gtest/gtest.h>

#include <cmath>

#include "base/threefry.h"
#include "examine/graph_subject.h"
#include "report/json.h"

namespace viva {
namespace {

using testing::FakeSubject;
using testing::get;
using testing::GraphSubject;
using testing::linear;
using testing::names_class;
using testing::planted;
using testing::source;

int64_t count(const Finding& f, std::string_view id) {
  return std::ranges::find(f.evidence.counts, id, &Count::id)->count;
}

ExamineOptions attacks(const std::vector<double>& eps) {
  ExamineOptions o;
  o.only = {"robustness"};
  for (const double e : eps) o.eps.push_back({e, fmt::format("{}", e)});
  return o;
}

Report attacked(Subject& net, const RowSource& rows, const ExamineOptions& o, int threads = 1) {
  ThreadPool pool(threads);
  const Cancel go{false};
  return examine(o, net, rows, nullptr, pool, go, {});
}

double accuracy(const Report& r, double eps) { return *get(r, fmt::format("robustness.accuracy[{}]", eps)).estimate; }

RowSource one_row() {
  return source({0}, 3, [](int64_t, int64_t j) { return j == 0 ? .1f : j == 1 ? .9f : .5f; });
}

// m = w · x + b at x = (.1, .9, .5) in [0, 1]^3, w = (1, -2, 3): the box stops the first two elements after .1.
TEST(Robustness, RadiusOfALinearNetwork) {
  struct Case {
    double b, radius;
  };
  for (const Case& c : {Case{.5, .05}, {1.5, 1. / 3}}) {
    GraphSubject net(3, 2, linear({1, -2, 3}, c.b));
    const Report r = attacked(net, one_row(), attacks({c.radius - 1e-4, c.radius + 1e-4}));
    EXPECT_EQ(accuracy(r, c.radius - 1e-4), 1) << c.b;
    EXPECT_EQ(accuracy(r, c.radius + 1e-4), 0) << c.b;
  }
  GraphSubject free(3, 2, linear({1, -2, 3}, 1.5));
  ExamineOptions wide = attacks({.2165, .2168});
  wide.range = ValueRange{-10, 10};
  const Report r = attacked(free, one_row(), wide);
  EXPECT_EQ(accuracy(r, .2165), 1);
  EXPECT_EQ(accuracy(r, .2168), 0);
  GraphSubject none(3, 2, linear({1, -2, 3}, 2.1));
  EXPECT_EQ(accuracy(attacked(none, one_row(), attacks({1})), 1), 1);
}

// Rows in [0, 1] under a range of bytes: no error, for a network may be examined beyond its rows, but said.
TEST(Robustness, RangeFarBeyondTheRows) {
  GraphSubject net(3, 2, linear({1, -2, 3}, .5));
  const auto limit = [&](ValueRange range) {
    ExamineOptions o = attacks({.01});
    o.range = range;
    return get(attacked(net, one_row(), o), "robustness.accuracy[0.01]").limits.front();
  };
  EXPECT_NE(limit({0, 255}).find("the rows lie between 0.1 and 0.9, in less than a tenth of the range"),
            std::string::npos);
  EXPECT_EQ(limit({0, 1}).find("less than a tenth"), std::string::npos);
}

// Scores so far apart that the gradient of their cross-entropy is 0 in float32.
TEST(Robustness, SaturatedScores) {
  GraphSubject net(3, 2, linear({1000, -2000, 3000}, 500));
  const Report r = attacked(net, one_row(), attacks({.0499, .0501}));
  EXPECT_EQ(accuracy(r, .0499), 1);
  EXPECT_EQ(accuracy(r, .0501), 0);
  const Finding& f = get(r, "robustness.masking");
  EXPECT_EQ(count(f, "flat_cross_entropy"), 1);
  EXPECT_EQ(count(f, "flat_margin"), 0);
}

// One row in 16 is tried with gradients in float64 too, at the least and the greatest radius.
TEST(Robustness, RowsTriedInFloat64) {
  GraphSubject net(3, 2, linear({1, -2, 3}, .5));
  const RowSource rows = source(std::vector<int64_t>(330, 0), 3, [](auto...) { return .5f; });
  ExamineOptions o = attacks({.001, .002, .003});
  o.rows = 330;
  const Report r = attacked(net, rows, o);
  const Finding& f = get(r, "robustness.masking");
  EXPECT_EQ(count(f, "float64_tried"), 21);
  const Table& radii = get(r, "robustness.curve").evidence.tables[0];
  ASSERT_EQ(radii.columns.back(), "float64 tried");
  for (const size_t k : {0, 1, 2}) EXPECT_EQ(std::get<int64_t>(radii.rows[k].back()), k == 1 ? 0 : 21);
  EXPECT_NE(std::get<std::string>(f.evidence.tables[0].rows[4][0]).find("first 21 left"), std::string::npos);
}

// Two Gaussians at ±(1.5, .5), w = mu: the row (x, y) is safe within eps just if y w · x > eps |w|_1.
RowSource gaussians(int64_t n) {
  std::vector<int64_t> y;
  std::vector<float> x;
  for (int64_t i = 0; i < n; ++i) {
    const Words2 w = threefry2x32({1, 2}, words_of(static_cast<uint64_t>(i)));
    const double radius = std::sqrt(-2 * std::log((w[0] + .5) * 0x1p-32)), angle = 2 * M_PI * w[1] * 0x1p-32;
    const double side = i % 2 == 0 ? 1 : -1;
    y.push_back(i % 2);
    x.push_back(static_cast<float>(1.5 * side + radius * std::cos(angle)));
    x.push_back(static_cast<float>(.5 * side + radius * std::sin(angle)));
  }
  return source(y, 2, [x](int64_t i, int64_t j) { return x[static_cast<size_t>(2 * i + j)]; });
}

TEST(Robustness, TwoGaussians) {
  const int64_t n = 3000;
  const RowSource rows = gaussians(n);
  GraphSubject net(2, 2, linear({1.5, .5}, 0));
  ExamineOptions o = attacks({.25, .5, 1});
  o.range = ValueRange{-20, 20};
  o.rows = n;
  o.claims = parse_claims(std::vector<std::string>{"robustness.accuracy[.5] >= .9", "robustness.accuracy[.75] <= .9"},
                          known_quantities());
  const Report r = attacked(net, rows, o);
  const double expected[] = {.9431, .8970, .8286, .6241}, eps[] = {0, .25, .5, 1};
  for (int k = 0; k < 4; ++k) {
    int64_t safe = 0;
    for (int64_t i = 0; i < n; ++i) {
      const Array x = rows.rows(i, 1);
      const double m = (1.5 * x.at(0) + .5 * x.at(1)) * (i % 2 == 0 ? 1 : -1);
      safe += m > 2 * eps[k];
    }
    EXPECT_NEAR(accuracy(r, eps[k]) * n, static_cast<double>(safe), 1.5) << eps[k];  // a row on the edge may round
    EXPECT_NEAR(accuracy(r, eps[k]), expected[k], 4 * std::sqrt(.25 / n));
    const Interval& i = *get(r, fmt::format("robustness.accuracy[{}]", eps[k])).interval;
    EXPECT_FALSE(i.low);
    EXPECT_GT(*i.high, accuracy(r, eps[k]));
  }
  EXPECT_EQ(r.claims[0].ruling, Verdict::refuted);
  EXPECT_EQ(r.claims[1].ruling, Verdict::supported);
  EXPECT_NEAR(*get(r, "robustness.curve").estimate, std::sqrt(std::log(20.) / (2. * n)), 1e-12);
  EXPECT_TRUE(get(r, "robustness.masking").check->passed);
  EXPECT_EQ(get(r, "robustness.masking").estimate, 0);
}

// A staircase has gradient zero: the attack is its random start, and the checks say that it means nothing. All rows lie
// .75 above the step, which one corner in four passes at eps .2, and few random starts.
TEST(Robustness, MaskedGradients) {
  GraphSubject net(3, 2, [](Build& b, Value x) {
    const Value y = linear({1, -2, 3}, -.75)(b, x);
    return b.floor(y);
  });
  std::vector<int64_t> labels(200, 0);
  const RowSource rows = source(labels, 3, [](int64_t, int64_t j) { return j == 0 ? .5f : j == 1 ? .25f : .5f; });
  const Report r = attacked(net, rows, attacks({.2}));
  const Finding& f = get(r, "robustness.masking");
  EXPECT_FALSE(f.check->passed);
  EXPECT_GT(*f.estimate, 0);  // corners at random break rows that the attack leaves
  EXPECT_EQ(std::get<int64_t>(f.evidence.tables[0].rows[0][1]), 200);
  EXPECT_FALSE(f.limits.empty());
}

// Wrong in shells about the radii .1 and .3 of the middle (root mean square): no gradient leads there and random starts
// fall short of them, but corners lie in them, so that the check breaks every row at both radii.
TEST(Robustness, RowsThatAreBrokenTwiceCountOnce) {
  GraphSubject net(64, 2, [](Build& b, Value x) {
    const Value away = b.sub(x, b.full_like(x, .5)), d = b.reduce_sum(b.mul(away, away), {1});
    const auto beyond = [&](double square) {
      return b.min(b.floor(b.mul(d, b.full_like(d, 1 / (64 * square)))), b.full_like(d, 1));
    };
    Value m = b.full_like(d, .5);
    for (const double r : {.1, .3}) m = b.add(m, b.sub(beyond(1.1 * r * r), beyond(.7 * r * r)));
    m = b.reshape(m, {x.dim(0), 1});
    return b.concatenate({m, b.zero(m)}, 1);
  });
  const int64_t n = 100;
  const Report r =
      attacked(net, source(std::vector<int64_t>(n, 0), 64, [](auto...) { return .5f; }), attacks({.1, .3}));
  EXPECT_EQ(accuracy(r, .3), 1);
  const Finding& f = get(r, "robustness.masking");
  EXPECT_EQ(count(f, "random_signs"), n);
  EXPECT_LE(count(f, "float64"), count(f, "float64_tried"));
  EXPECT_EQ(f.estimate, n);
  EXPECT_FALSE(f.check->passed);
}

// Label 1 where all elements are at least .5: no gradient leads there, and random starts do not find it, though the
// constant row in mid-range lies there.
TEST(Robustness, TheConstantRowProvesThatAnAttackFails) {
  GraphSubject net(8, 2, [](Build& b, Value x) {
    const Value far = b.floor(b.reduce_max(x, {1}));                                              // 1 at 1 alone
    const Value low = b.floor(b.add(b.reduce_min(x, {1}), b.full({x.dtype(), {x.dim(0)}}, .5)));  // 1 from .5 on
    const Value m = b.reshape(b.sub(b.full_like(low, .5), b.max(low, far)), {x.dim(0), 1});
    return b.concatenate({m, b.zero(m)}, 1);
  });
  std::vector<int64_t> labels(100, 0);
  const Report r = attacked(net, source(labels, 8, [](auto...) { return .1f; }), attacks({.2}));
  const Finding& f = get(r, "robustness.masking");
  EXPECT_FALSE(f.check->passed);
  EXPECT_GT(std::get<int64_t>(f.evidence.tables[0].rows[5][1]), 50);  // left at half the range
  EXPECT_EQ(std::get<int64_t>(f.evidence.tables[0].rows[6][1]), 0);   // of the class that the constant row is given
  EXPECT_EQ(f.limits.size(), 3u);
}

TEST(Robustness, RowsAreDrawnWithoutReplacementAndWrongOnesKept) {
  GraphSubject net(3, 2, linear({1, -2, 3}, .5));
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 500; ++i) labels.push_back(i % 5 == 0);
  ExamineOptions o = attacks({.01});
  o.rows = 500;
  const Report all = attacked(net, source(labels, 3, [](auto...) { return .5f; }), o);
  EXPECT_EQ(accuracy(all, 0), .8);
  o.rows = 100;
  EXPECT_EQ(get(attacked(net, source(labels, 3, [](auto...) { return .5f; }), o), "robustness.accuracy[0]").n, 100);
}

TEST(Robustness, LeftOutWhereNobodySaysWhatIsValid) {
  GraphSubject net(3, 2, linear({1, -2, 3}, .5));
  const RowSource rows = source({0, 0}, 3, [](auto...) { return 1.5f; });
  ExamineOptions o = attacks({.01});
  o.claims = parse_claims(std::vector<std::string>{"robustness.accuracy[.01] >= .5"}, known_quantities());
  const Report r = attacked(net, rows, o);
  EXPECT_EQ(get(r, "robustness.accuracy[0.01]").status, Status::not_run);
  EXPECT_NE(get(r, "robustness.accuracy[0.01]").why.find("give --range"), std::string::npos);
  EXPECT_EQ(r.claims[0].ruling, Verdict::undecided);
  o.range = ValueRange{0, 1};
  EXPECT_THROW(attacked(net, rows, o), Error);
  FakeSubject fake(2, 3, names_class(3, 5));
  ExamineOptions any = attacks({.01});
  any.range = ValueRange{0, 100};
  EXPECT_EQ(get(attacked(fake, planted(30, 3, 0), any), "robustness.masking").status, Status::not_run);
}

// eps and the range are in raw units where the data say how they were normalised.
TEST(Robustness, NormalisedData) {
  GraphSubject net(3, 2, linear({.5, -1, 1.5}, 1.25));  // of (raw - .5) / .5: m = raw · (1, -2, 3) + .5 - .25
  const RowSource rows = source({0}, 3, [](int64_t, int64_t j) { return j == 0 ? -.8f : j == 1 ? .8f : 0.f; });
  // raw = (.1, .9, .5); m = -.4 - .8 + 0 + 1.25 = .05; the radius is .05 / 6 in raw units.
  ExamineOptions o = attacks({.00828, .00838});
  o.data_normalized = Normalization{{.5}, {.5}};
  const Report r = attacked(net, rows, o);
  EXPECT_EQ(accuracy(r, .00828), 1);
  EXPECT_EQ(accuracy(r, .00838), 0);
}

TEST(Robustness, SameBitsForAnyThreads) {
  const RowSource rows = gaussians(700);
  std::string texts[2];
  for (const int threads : {1, 3}) {
    GraphSubject net(2, 2, [](Build& b, Value x) {
      const Value h = b.tanh(linear({1.5, .5}, .1)(b, x));
      return b.scale(h, 3);
    });
    ExamineOptions o = attacks({.1, .3});
    o.range = ValueRange{-20, 20};
    o.rows = 500;
    texts[threads == 3] = report_json_text(attacked(net, rows, o, threads), {.cost = false});
  }
  EXPECT_EQ(texts[0], texts[1]);
}

}  // namespace
}  // namespace viva
