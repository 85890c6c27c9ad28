// The examiner diagnosis on planted faults: each is told where it is material, and only it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "examine/graph_subject.h"
#include "examine/readings.h"
#include "examine/streams.h"

namespace viva {
namespace {

using testing::examined;
using testing::FakeSubject;
using testing::GraphSubject;
using testing::linear;
using testing::place_in;
using testing::source;

double uniform_at(int64_t i, int64_t j) {
  return (threefry2x32({0xd1a6, static_cast<uint32_t>(j)}, words_of(static_cast<uint64_t>(i)))[0] + .5) * 0x1p-32;
}

Report diagnosed(Subject& net, const RowSource& data, const RowSource* train = nullptr, int threads = 1,
                 std::vector<std::string> only = {"diagnosis"}) {
  ExamineOptions options;
  options.only = std::move(only);
  ThreadPool pool(threads);
  const Cancel go{false};
  return examine(options, net, data, train, pool, go, {});
}

std::vector<std::string> told(const Report& r) {
  std::vector<std::string> ids;
  for (const Diagnosis& d : r.diagnosis) ids.push_back(d.id);
  return ids;
}
using Ids = std::vector<std::string>;

const Diagnosis& diagnosis(const Report& r, std::string_view id) {
  return *std::ranges::find(r.diagnosis, id, &Diagnosis::id);
}

// Rows of `width` uniform numbers, labelled 0 where score(row) > 0.
RowSource labelled(int64_t n, int64_t width, const std::function<double(const std::vector<double>&)>& score) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < n; ++i) {
    std::vector<double> row;
    for (int64_t j = 0; j < width; ++j) row.push_back(static_cast<double>(static_cast<float>(uniform_at(i, j))));
    labels.push_back(score(row) > 0 ? 0 : 1);
  }
  return source(labels, width, [](int64_t i, int64_t j) { return static_cast<float>(uniform_at(i, j)); });
}

// A linear network of 4 by 4 images that weighs pixel (0, 1) against pixel (2, 0), more than (0, 2) against (1, 0).
std::vector<double> weights_of_images() {
  std::vector<double> w(16, 0);
  w[1] = 1, w[2] = .5, w[4] = -.5, w[8] = -1;
  return w;
}

TEST(Diagnosis, LayoutIsToldAndNothingThatFollowsFromIt) {
  const std::vector<double> w = weights_of_images();
  GraphSubject net(16, 2, linear(w, 0));
  const auto transposed = [&](const std::vector<double>& x) {
    double m = 0;
    for (size_t k = 0; k < 16; ++k) m += w[k] * x[k % 4 * 4 + k / 4];
    return m;
  };
  const Report r = diagnosed(net, labelled(1000, 16, transposed));
  EXPECT_EQ(told(r), Ids{"diagnosis.layout"});
  EXPECT_NE(diagnosis(r, "diagnosis.layout").text.find("accuracy 1.000 on half B"), std::string::npos)
      << diagnosis(r, "diagnosis.layout").text;
  ASSERT_EQ(r.mends.size(), 1u);
  for (size_t k = 0; k < 16; ++k) EXPECT_EQ(r.mends[0].map.from[k], static_cast<int64_t>(k % 4 * 4 + k / 4));
  const auto given = [&](const std::vector<double>& x) {
    double m = 0;
    for (size_t k = 0; k < 16; ++k) m += w[k] * x[k];
    return m;
  };
  EXPECT_EQ(told(diagnosed(net, labelled(1000, 16, given))), Ids{});
}

TEST(Diagnosis, InvertedValues) {
  GraphSubject net(3, 2, linear({1, 1, 1}, -1));
  const Report r = diagnosed(net, labelled(600, 3, [](const auto& x) { return 2 - x[0] - x[1] - x[2]; }));
  EXPECT_EQ(told(r), Ids{"diagnosis.layout"});
  ASSERT_EQ(r.mends.size(), 1u);
  EXPECT_EQ(r.mends[0].map.slope, (std::vector<double>(3, -1)));
  EXPECT_EQ(r.mends[0].map.offset, (std::vector<double>(3, 1)));
}

// A transposed image whose values the network takes times 255: neither mends it alone.
TEST(Diagnosis, LayoutAndScaleTogether) {
  const std::vector<double> w = weights_of_images();
  GraphSubject net(16, 2, linear(w, -255 * .1));
  const auto transposed = [&](double limit) {
    return [&w, limit](const std::vector<double>& x) {
      double m = -limit;
      for (size_t k = 0; k < 16; ++k) m += w[k] * x[k % 4 * 4 + k / 4];
      return m;
    };
  };
  const Report r = diagnosed(net, labelled(1000, 16, transposed(.1)));
  EXPECT_EQ(told(r), Ids{"diagnosis.layout_and_scale"});
  EXPECT_NE(diagnosis(r, "diagnosis.layout_and_scale").text.find("accuracy 1.000 on half B"), std::string::npos);
  ASSERT_EQ(r.mends.size(), 1u);
  EXPECT_EQ(r.mends[0].map.slope, (std::vector<double>(16, 255)));
  for (size_t k = 0; k < 16; ++k) EXPECT_EQ(r.mends[0].map.from[k], static_cast<int64_t>(k % 4 * 4 + k / 4));
  GraphSubject own(16, 2, linear(w, 0));  // of the layout alone: at any scale the combination names the same labels
  EXPECT_EQ(told(diagnosed(own, labelled(1000, 16, transposed(0)))), Ids{"diagnosis.layout"});
}

// A threshold of 127.5 for rows of [0, 1] is a scale that shows; a network without offsets shows none.
TEST(Diagnosis, ScaleWhereItShowsInTheLabels) {
  GraphSubject shows(2, 2, linear({1, 0}, -127.5)), silent(2, 2, linear({1, -1}, 0));
  const Report r = diagnosed(shows, labelled(600, 2, [](const auto& x) { return x[0] - .5; }));
  EXPECT_EQ(told(r), Ids{"diagnosis.scale"});
  ASSERT_EQ(r.mends.size(), 1u);
  EXPECT_EQ(r.mends[0].map.slope, (std::vector<double>(2, 255)));
  const Report none = diagnosed(silent, labelled(600, 2, [](const auto& x) { return x[0] - x[1]; }));
  EXPECT_EQ(std::ranges::count(told(none), "diagnosis.scale"), 0);
  const auto& looked = none.find("diagnosis.told")->evidence.tables[0].rows;
  EXPECT_NE(std::get<std::string>(looked[2][2]).find("not identifiable from accuracy"), std::string::npos);
}

// Column 0 is the class that is named, with logits of a calibrated network.
FakeSubject names_column(int64_t classes, double sure) {
  return {1, classes, [classes, sure](std::span<const float> row) {
            std::vector<double> y(static_cast<size_t>(classes), 0);
            y[place_in(y, row[0])] = sure;
            return y;
          }};
}

// Four classes of 400 rows; of the first two `out` and `in` rows are named as the other.
Report of_confusions(int64_t out, int64_t in) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 1600; ++i) labels.push_back(i % 4);
  const RowSource data = source(labels, 1, [out, in](int64_t i, int64_t) {
    const int64_t label = i % 4, place = i / 4;
    if (label == 0 && place < out) return 1.F;
    if (label == 1 && place < in) return 0.F;
    return static_cast<float>(label);
  });
  FakeSubject net = names_column(4, 1);
  return diagnosed(net, data, nullptr, 1, {"diagnosis"});
}

TEST(Diagnosis, WeakClassWithItsRivalExplanation) {
  const Report both = of_confusions(100, 90);
  const auto ids = told(both);
  for (const char* id : {"diagnosis.weak_class[0]", "diagnosis.weak_class[1]"})
    EXPECT_EQ(std::ranges::count(ids, id), 1) << id;
  EXPECT_EQ(std::ranges::count(ids, "diagnosis.weak_class[2]"), 0);
  EXPECT_NE(diagnosis(both, "diagnosis.weak_class[0]").text.find("Rival explanation"), std::string::npos);
  EXPECT_NE(diagnosis(both, "diagnosis.weak_class[0]").text.find("as one class its recall is 1"), std::string::npos);
  const Report one = of_confusions(100, 0);
  EXPECT_EQ(std::ranges::count(told(one), "diagnosis.weak_class[0]"), 1);
  EXPECT_EQ(diagnosis(one, "diagnosis.weak_class[0]").text.find("Rival explanation"), std::string::npos);
  // 6 of 100 below the others: not more than .05 below, with any certainty.
  EXPECT_EQ(std::ranges::count(told(of_confusions(24, 0)), "diagnosis.weak_class[0]"), 0);
}

// Two classes: the first is known in `first` of 10, the second in nine of 10 rows.
Report of_two_classes(int64_t first) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 1000; ++i) labels.push_back(i % 2);
  const RowSource data = source(labels, 1, [first](int64_t i, int64_t) {
    const int64_t label = i % 2;
    return static_cast<float>(i / 2 % 10 < (label == 0 ? first : 9) ? label : 1 - label);
  });
  FakeSubject net = names_column(2, 1);
  return diagnosed(net, data, nullptr, 1, {"diagnosis"});
}

TEST(Diagnosis, WeakClassOfTwo) {
  const Report weak = of_two_classes(7);
  EXPECT_EQ(std::ranges::count(told(weak), "diagnosis.weak_class[0]"), 1);
  EXPECT_NE(diagnosis(weak, "diagnosis.weak_class[0]").text.find("the threshold between two classes"),
            std::string::npos);
  EXPECT_EQ(std::ranges::count(told(weak), "diagnosis.weak_class[1]"), 0);
  EXPECT_EQ(std::ranges::count(told(of_two_classes(9)), "diagnosis.weak_class[0]"), 0);
}

// y ~ sigma(a), predicted sigma(factor a), a ~ N(0, 1): the gap is .1031 at factor 2.
RowSource of_logits(int64_t n) {
  const auto a = [](int64_t i) {
    return static_cast<float>(std::sqrt(-2 * std::log(uniform_at(i, 0))) * std::cos(2 * M_PI * uniform_at(i, 1)));
  };
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < n; ++i)
    labels.push_back(uniform_at(i, 2) < 1 / (1 + std::exp(-static_cast<double>(a(i)))) ? 0 : 1);
  return source(labels, 1, [a](int64_t i, int64_t) { return a(i); });
}

TEST(Diagnosis, OverConfidenceAndItsTemperature) {
  GraphSubject sure(1, 2, linear({2}, 0)), calibrated(1, 2, linear({1}, 0));
  const RowSource data = of_logits(4000);
  ExamineOptions options;
  options.only = {"diagnosis"};
  ThreadPool pool(1);
  const Cancel go{false};
  const Report r = examine(options, sure, data, nullptr, pool, go, {});
  EXPECT_EQ(told(r), Ids{"diagnosis.over_confidence"});
  ASSERT_EQ(r.mends.size(), 1u);
  EXPECT_NEAR(*r.mends[0].temperature, 2, .25);
  EXPECT_EQ(told(examine(options, calibrated, data, nullptr, pool, go, {})), Ids{});
}

TEST(Diagnosis, LeakageAndDuplicates) {
  constexpr int64_t n = 1000;
  FakeSubject net = names_column(2, 1);
  const auto rows = [](int64_t known, const std::string& id) {
    std::vector<int64_t> labels(n);
    for (int64_t i = 0; i < n; ++i) labels[static_cast<size_t>(i)] = i % 2;
    // Column 1 is the row's number; the first `known` of the training rows are those of the data.
    return source(
        labels, 2,
        [known, id](int64_t i, int64_t j) {
          if (j == 0) return static_cast<float>(i % 2);
          return static_cast<float>(id == "data" || i < known ? i : n + i);
        },
        id);
  };
  FakeSubject two(2, 2, [](std::span<const float> row) {
    return row[0] > 0 ? std::vector<double>{0, 1} : std::vector<double>{1, 0};
  });
  const RowSource data = rows(0, "data"), many = rows(50, "train"), few = rows(5, "train");
  EXPECT_EQ(std::ranges::count(told(diagnosed(two, data, &many)), "diagnosis.leakage"), 1);
  EXPECT_EQ(std::ranges::count(told(diagnosed(two, data, &few)), "diagnosis.leakage"), 0);
  EXPECT_EQ(std::ranges::count(told(diagnosed(two, data)), "diagnosis.duplicates"), 0);
  std::vector<int64_t> labels(n);
  for (int64_t i = 0; i < n; ++i) labels[static_cast<size_t>(i)] = i % 2;
  EXPECT_EQ(std::ranges::count(
                told(diagnosed(net, source(labels, 1, [](int64_t i, int64_t) { return static_cast<float>(i % 2); }))),
                "diagnosis.duplicates"),
            1);
}

// Classes numbered otherwise are told as that, and as the rival where another layout does as much.
TEST(Diagnosis, LabelsInAnotherOrder) {
  GraphSubject two(16, 2, linear(weights_of_images(), 0));
  const auto score = [](const auto& x) { return x[1] + .5 * x[2] - .5 * x[4] - x[8]; };
  const Report r = diagnosed(two, labelled(1000, 16, [&](const auto& x) { return -score(x); }));
  // Inverted rows turn the sign of this score: nothing tells the two apart, and both are said.
  EXPECT_EQ(told(r), Ids{"diagnosis.layout"});
  EXPECT_NE(r.diagnosis[0].text.find(
                "Rival explanation, labels in another order than the network's classes: 0 as 1, 1 as 0: accuracy 1"),
            std::string::npos)
      << r.diagnosis[0].text;
  EXPECT_EQ(told(diagnosed(two, labelled(1000, 16, score))), Ids{});

  FakeSubject three = names_column(3, 1);
  const auto shifted = [](int64_t by) {
    std::vector<int64_t> labels;
    for (int64_t i = 0; i < 900; ++i) labels.push_back((i + by) % 3);
    return source(labels, 1, [](int64_t i, int64_t) { return static_cast<float>(i % 3); });
  };
  EXPECT_EQ(std::ranges::count(told(diagnosed(three, shifted(1))), "diagnosis.label_order"), 1);
  EXPECT_EQ(std::ranges::count(told(diagnosed(three, shifted(0))), "diagnosis.label_order"), 0);
}

TEST(Diagnosis, OutputsThatAreConstant) {
  GraphSubject dead(4, 2, [](Build& b, Value x) {
    const Value none = b.relu(b.sub(x, b.full(x.type(), 1e6)));  // at no scale tried is any active
    return b.slice(b.add(none, b.full(x.type(), .5)), {0, 0}, {x.type().shape[0], 2});
  });
  const RowSource data = labelled(400, 4, [](const auto& x) { return x[0] - x[1]; });
  const Report r = diagnosed(dead, data);
  ASSERT_FALSE(r.diagnosis.empty());
  EXPECT_EQ(r.diagnosis.front().id, "diagnosis.constant_outputs");
  EXPECT_NE(r.diagnosis.front().text.find("400 of 400 rows"), std::string::npos);
  // One row that differs is enough, and so is a single label.
  GraphSubject nearly(4, 2, linear({1, 0, 0, 0}, 0));
  EXPECT_EQ(std::ranges::count(told(diagnosed(nearly, data)), "diagnosis.constant_outputs"), 0);
  EXPECT_EQ(std::ranges::count(told(diagnosed(dead, labelled(400, 4, [](const auto&) { return 1.; }))),
                               "diagnosis.constant_outputs"),
            0);
}

// ((x + 1e8) - 1e8, .1): in float32 the first score is 0 at x = .3, in float64 it is .3.
TEST(Diagnosis, LabelsThatRoundingDecides) {
  GraphSubject net(1, 2, [](Build& b, Value x) {
    const Value large = b.full(x.type(), 1e8);
    return b.concatenate({b.sub(b.add(x, large), large), b.full(x.type(), .1)}, 1);
  });
  std::vector<int64_t> labels(500, 1);
  const RowSource data = source(labels, 1, [](int64_t i, int64_t) { return .3F + 1e-5F * static_cast<float>(i); });
  const Report r = diagnosed(net, data, nullptr, 1, {"numerics", "diagnosis"});
  EXPECT_EQ(std::ranges::count(told(r), "diagnosis.numerical_fragility"), 1);
}

// Steps have no gradient: the attack starts at random and stays there.
TEST(Diagnosis, GradientsThatAreHidden) {
  const testing::Scores steps = [](Build& b, Value x) {
    const Value s = b.floor(b.mul(x, b.full(x.type(), 4)));
    return b.concatenate({s, b.full(x.type(), 1.5)}, 1);
  };
  GraphSubject net(1, 2, steps);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 400; ++i) labels.push_back(uniform_at(i, 0) * 4 >= 2 ? 0 : 1);
  const RowSource data = source(labels, 1, [](int64_t i, int64_t) { return static_cast<float>(uniform_at(i, 0)); });
  const Report r = diagnosed(net, data, nullptr, 1, {"robustness", "diagnosis"});
  EXPECT_EQ(std::ranges::count(told(r), "diagnosis.masked_gradients[\"flat\"]"), 1);
}

// Softmax regression with the weights w · factor, of rows whose labels follow w = (3, -3).
class Slope : public GraphSubject {
 public:
  explicit Slope(double slope)
      : GraphSubject(1, 2, [slope](Build& b, Value x) { return scores(b, x, b.constant(weights(slope))); }),
        slope_(slope) {}
  NetworkFunction network(int64_t rows) override {
    Build b("scores");
    const Value x = b.parameter({Dtype::float32, {rows, 1}}), w = b.parameter({Dtype::float32, {1, 2}});
    return {b.finish({scores(b, x, w)}), {weights(slope_)}, rows};
  }

 private:
  static Value scores(Build& b, Value x, Value w) { return b.dot(x, w); }
  static Array weights(double s) { return Array::of(std::vector<double>{s, -s}, {1, 2}).converted(Dtype::float32); }
  double slope_;
};

TEST(Diagnosis, TrainingThatStoppedEarly) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 2000; ++i) labels.push_back(uniform_at(i, 0) > .5 ? 0 : 1);
  const auto value = [](int64_t i, int64_t) { return static_cast<float>(2 * uniform_at(i, 0) - 1); };
  const RowSource train = source(labels, 1, value, "train"), data = source(labels, 1, value);
  Slope begun(0.01), done(300);
  const Ids early = told(diagnosed(begun, data, &train)), late = told(diagnosed(done, data, &train));
  EXPECT_EQ(std::ranges::count(early, "diagnosis.unfinished_training"), 1);
  EXPECT_EQ(std::ranges::count(late, "diagnosis.unfinished_training"), 0);
}

TEST(Diagnosis, NoneFoundSaysWhatCouldHaveBeenSeen) {
  GraphSubject net(16, 2, linear(weights_of_images(), 0));
  const RowSource data = labelled(1000, 16, [](const auto& x) { return x[1] + .5 * x[2] - .5 * x[4] - x[8]; });
  const Report r = diagnosed(net, data, nullptr, 1, {}), again = diagnosed(net, data, nullptr, 3, {});
  EXPECT_EQ(told(r), Ids{});
  const Finding& f = *r.find("diagnosis.told");
  EXPECT_NE(f.why.find("none found"), std::string::npos);
  for (const auto& row : f.evidence.tables[0].rows) EXPECT_FALSE(std::get<std::string>(row[2]).empty());
  const Finding& g = *again.find("diagnosis.told");
  EXPECT_EQ(f.evidence.tables[1].rows, g.evidence.tables[1].rows);
}

}  // namespace
}  // namespace viva
