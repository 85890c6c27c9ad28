// --layout: rows as stored are rearranged before the network, whose gradients and attacks are then in the data's
// layout.
#include "base/threefry.h"
#include "cli/examine_files.h"
#include "graph/build.h"
#include "onnx/export.h"

namespace viva {
namespace {

double uniform_at(int64_t i, int64_t j) {
  return (threefry2x32({5, static_cast<uint32_t>(j)}, words_of(static_cast<uint64_t>(i)))[0] + .5) * 0x1p-32;
}

// Where a layout or an inversion stores what the network takes as element (c, h, w).
using Place = std::function<int64_t(int64_t c, int64_t h, int64_t w)>;

class LayoutOption : public ExamineFiles {
 protected:
  static constexpr int64_t n = 600, side = 4;
  static double weight(int64_t k) { return std::sin(1.7 * static_cast<double>(k * k + k)); }

  // Scores [m, 0] with m = w · (x - .5) over rows of that shape.
  std::string network(const Shape& row, double sharp = 4) const {
    const int64_t elements = numel(row);
    std::vector<double> w;
    for (int64_t k = 0; k < elements; ++k) w.push_back(sharp * weight(k));
    const Array weights = Array::of(w, {elements, 1}).converted(Dtype::float32);
    ExportOptions o;
    o.symbol = "N";
    o.parameters = {{"x", std::nullopt, 0, false}, {"w", weights, -1, false}};
    o.output_names = {"scores"};
    o.metadata = {{"classes", "['up', 'down']"}, {"licence", "own"}, {"viva.leaf:other", "weight"}};
    const std::string path = dir_ / "net.onnx";
    write_onnx(
        path,
        [&](int64_t rows) {
          Build b("net");
          Shape all = row;
          all.insert(all.begin(), rows);
          const Value x = b.parameter({Dtype::float32, all}), v = b.parameter(weights.type());
          const Value flat = b.reshape(x, {rows, elements});
          const Value m = b.dot(b.sub(flat, b.full(flat.type(), .5)), v);
          return b.finish({b.concatenate({m, b.zero(m)}, 1)});
        },
        o);
    return path;
  }

  // Rows of uniform numbers stored in `shape`; the label is what the network says of the row that it should be given:
  // element k of it is the number stored at from(k), inverted or not.
  std::string data(const Shape& shape, const std::function<int64_t(int64_t k)>& from, bool inverted = false,
                   Dtype d = Dtype::float32, double noise = 0) const {
    const int64_t elements = numel(shape);
    std::vector<double> x;
    std::vector<int64_t> y;
    for (int64_t i = 0; i < n; ++i) {
      std::vector<double> row;
      for (int64_t k = 0; k < elements; ++k) row.push_back(std::round(255 * uniform_at(i, k)));
      double m = 0;
      for (int64_t k = 0; k < elements; ++k) {
        const double v = row[static_cast<size_t>(from(k))] / 255;
        m += weight(k) * ((inverted ? 1 - v : v) - .5);
      }
      const bool other = uniform_at(i, 1000) < noise;
      y.push_back((m > 0) != other ? 0 : 1);
      for (const double v : row) x.push_back(d == Dtype::uint8 ? v : v / 255);
    }
    Shape all = shape;
    all.insert(all.begin(), n);
    write_npy(dir_ / "x.npy", Array::of(x, all).converted(d));
    write_npy(dir_ / "y.npy", Array::of(y, {n}));
    return dir_ / "x.npy:" + (dir_ / "y.npy");
  }

  Outcome ask(const std::string& rows, std::vector<std::string> more) const {
    std::vector<std::string> words = {"examine", dir_ / "net.onnx", "--data", rows, "--out", dir_ / "out"};
    words.insert(words.end(), more.begin(), more.end());
    return call(words);
  }
  double estimate(const std::string& id) const { return finding(report(), id)["estimate"]; }
  std::vector<std::string> told() const {
    std::vector<std::string> ids;
    const auto r = report();
    for (const auto& d : r["diagnosis"]) ids.push_back(d["id"]);
    return ids;
  }
  static std::string diagnosed(const Outcome& o) {
    const size_t at = o.out.find("Mend: ");
    if (at == std::string::npos) return "";
    const std::string line = o.out.substr(at + 6, o.out.find('\n', at) - at - 6);
    return line.substr(0, line.find(". Rival explanation, "));
  }
  // What is diagnosed is mended by the option that the diagnosis names.
  void expect_mended(const std::string& rows, const std::string& option, std::vector<std::string> more = {}) const {
    more.insert(more.end(), {"--only", "risk,diagnosis"});
    const Outcome before = ask(rows, more);
    EXPECT_EQ(before.code, 0) << before.err;
    EXPECT_LT(estimate("risk.accuracy"), .9);
    EXPECT_EQ(diagnosed(before), "--layout " + option);
    more.insert(more.end(), {"--layout", option});
    const Outcome after = ask(rows, more);
    EXPECT_EQ(after.code, 0) << after.err;
    EXPECT_GT(estimate("risk.accuracy"), .99) << option;
    EXPECT_EQ(told(), std::vector<std::string>{}) << option;
    EXPECT_NE(report()["command"].get<std::string>().find(" --layout " + option), std::string::npos);
    VIVA_EXPECT_HAS(report()["models"][0]["prepended"].get<std::string>(), "(--layout " + option + ")");
    EXPECT_TRUE(limits_say(report(), "(--layout " + option + ")"));
  }
};

int64_t transposed(int64_t k) { return k % 4 * 4 + k / 4; }
constexpr int64_t area = 16;
int64_t stored_last(int64_t k) { return k % area * 3 + k / area; }
int64_t stored_first(int64_t k) { return k % 3 * area + k / 3; }

TEST_F(LayoutOption, TheDiagnosisNamesTheOptionThatMends) {
  network({1, side, side});
  expect_mended(data({side, side}, transposed), "transpose");
  expect_mended(data({side * side}, transposed, false, Dtype::uint8), "transpose");
  expect_mended(data({1, side, side}, [](int64_t k) { return k; }, true), "invert");
  network({side * side});
  expect_mended(data({side, side}, transposed), "transpose");
  network({3, side, side});
  expect_mended(data({3, side, side}, stored_last), "channels-last");
  expect_mended(data({3, side, side}, [](int64_t k) { return (2 - k / area) * area + k % area; }), "reverse-channels");
  network({side, side, 3});
  expect_mended(data({side, side, 3}, stored_first, false, Dtype::uint8), "channels-first");
  expect_mended(data({side, side, 3}, [](int64_t k) { return k / 3 * 3 + 2 - k % 3; }), "reverse-channels");
  network({3 * area});
  expect_mended(data({side, side, 3}, stored_last), "channels-last");
  expect_mended(data({3, side, side}, stored_first), "channels-first");
}

TEST_F(LayoutOption, SeveralOneAfterTheOther) {
  network({3, side, side});
  const std::string rows =
      data({3, side, side}, [](int64_t k) { return k / area * area + transposed(k % area); }, true);
  const std::vector<std::string> only = {"--only", "risk,diagnosis"};
  std::vector<std::string> with = only;
  with.insert(with.end(), {"--layout", "invert"});
  EXPECT_EQ(diagnosed(ask(rows, with)), "--layout transpose,invert");
  with.back() = "transpose";
  EXPECT_EQ(diagnosed(ask(rows, with)), "--layout transpose,invert");
  with.back() = "transpose,reverse-channels,invert";
  EXPECT_EQ(diagnosed(ask(rows, with)), "--layout transpose,invert");
  with.back() = "invert,transpose";
  EXPECT_EQ(ask(rows, with).code, 0);
  EXPECT_GT(estimate("risk.accuracy"), .99);
  EXPECT_EQ(told(), std::vector<std::string>{});
  // One that should not be there.
  const std::string plain = data({3, side, side}, [](int64_t k) { return k; });
  with.back() = "reverse-channels";
  EXPECT_EQ(diagnosed(ask(plain, with)), "leave --layout out");
}

// The same as rearranging the file, but for the order in which random starts fall on the elements.
TEST_F(LayoutOption, EqualsRowsStoredAnew) {
  network({3, side, side});
  const std::vector<std::string> common = {"--only",
                                           "risk,calibration,sensitivity,curvature,robustness",
                                           "--data-normalized",
                                           "0.1:0.2:0.3,0.5:0.6:0.7",
                                           "--range",
                                           "-2,2"};
  const std::vector<std::string> ids = {
      "risk.accuracy",           "risk.log_loss",        "calibration.gap",           "sensitivity.gradient[0.5]",
      "sensitivity.radius[0.5]", "curvature.lambda_max", "robustness.accuracy[1/255]"};
  std::vector<std::string> with = common;
  with.insert(with.end(), {"--layout", "channels-last", "--eps", "1/255"});
  const Outcome o = ask(data({side, side, 3}, stored_last), with);
  EXPECT_EQ(o.code, 0) << o.err;
  const nlohmann::json here = report();
  // The same numbers, stored channels first.
  const Array stored = read_npy(dir_ / "x.npy");
  std::vector<double> x;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < 3 * area; ++k) x.push_back(stored.at(i * 3 * area + stored_last(k)));
  write_npy(dir_ / "x.npy", Array::of(x, {n, 3, side, side}).converted(Dtype::float32));
  with = common;
  with.insert(with.end(), {"--eps", "1/255"});
  ASSERT_EQ(ask(dir_ / "x.npy:" + (dir_ / "y.npy"), with).code, 0);
  const nlohmann::json there = report();
  for (const std::string& id : ids)
    EXPECT_NEAR(finding(here, id)["estimate"], finding(there, id)["estimate"],
                1e-5 * std::abs(finding(there, id)["estimate"].get<double>()))
        << id;
  EXPECT_EQ(here["data"][0]["row_type"], "f32[4,4,3]");
}

// The mean is of the network's channels, behind the layout.
TEST_F(LayoutOption, NormalizationComesAfterIt) {
  network({3, side, side});
  const std::string rows = data({3, side, side}, [](int64_t k) { return (2 - k / area) * area + k % area; });
  const std::vector<std::string> at_once = {"--only",           "risk",        "--layout",
                                            "reverse-channels", "--normalize", "0.1:0.2:0.3,0.5:0.6:0.7"};
  ASSERT_EQ(ask(rows, at_once).code, 0);
  const double accuracy = estimate("risk.accuracy"), loss = estimate("risk.log_loss");
  VIVA_EXPECT_HAS(report()["models"][0]["prepended"].get<std::string>(),
                  "channels reversed (--layout reverse-channels), then (x - 0.1) / 0.5, ");
  const Array stored = read_npy(dir_ / "x.npy");
  constexpr double mean[] = {.1, .2, .3}, deviation[] = {.5, .6, .7};
  std::vector<double> x;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < 3 * area; ++k)
      x.push_back((stored.at(i * 3 * area + (2 - k / area) * area + k % area) - mean[k / area]) / deviation[k / area]);
  write_npy(dir_ / "x.npy", Array::of(x, {n, 3, side, side}).converted(Dtype::float32));
  ASSERT_EQ(ask(dir_ / "x.npy:" + (dir_ / "y.npy"), {"--only", "risk"}).code, 0);
  EXPECT_EQ(estimate("risk.accuracy"), accuracy);
  EXPECT_NEAR(estimate("risk.log_loss"), loss, 1e-5 * loss);
}

TEST_F(LayoutOption, OpenExtentsAreThoseOfTheRearrangedRow) {
  const std::string rows = rows_of(40, {4, 5, 3}, 3, [](int64_t i, int64_t k) { return (3 * i + k) % 7; });
  const Outcome o = examine("open_sides", rows, {"--layout", "channels-last", "--only", "risk"});
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(examine("open_sides", rows, {"--layout", "transpose", "--only", "risk"}).code, 3);
}

TEST_F(LayoutOption, ThePlanSaysIt) {
  network({1, side, side});
  const Outcome o = ask(data({side, side}, transposed), {"--layout", "transpose", "--plan"});
  EXPECT_EQ(o.code, 0) << o.err;
  VIVA_EXPECT_HAS(o.out, "before     height and width exchanged (--layout transpose)\n");
  EXPECT_FALSE(written());
}

TEST_F(LayoutOption, AMendedFileHoldsItAndTheMend) {
  network({1, side, side}, 60);
  const std::string rows = data({side, side}, transposed, false, Dtype::float32, .25);
  const std::string mended = dir_ / "mended.onnx";
  const Outcome o = ask(rows, {"--layout", "transpose", "--mend", mended, "--only", "risk,calibration,diagnosis",
                               "--claim", "calibration.gap <= 0.1", "--claim", "risk.recall[\"up\"] > 0.1"});
  EXPECT_EQ(o.code, 1) << o.err;
  VIVA_EXPECT_HAS(o.out, "height and width exchanged (--layout transpose); divide the logits by ");
  const auto again =
      call({"examine", mended, "--data", rows, "--out", dir_ / "out", "--only", "risk,calibration,diagnosis", "--claim",
            "calibration.gap <= 0.1", "--claim", "risk.recall[\"up\"] > 0.1"});
  EXPECT_NE(again.code, 2) << again.err;
  EXPECT_GT(estimate("risk.accuracy"), .7);
  EXPECT_LT(estimate("calibration.gap"), .1);
  EXPECT_EQ(told(), std::vector<std::string>{});
  EXPECT_EQ(report()["models"][0]["prepended"], "");
  // The names of the classes came along, and so did the rest.
  EXPECT_EQ(report()["data"][0]["classes"], (nlohmann::json{"up", "down"}));
  const std::string bytes = get(mended);
  EXPECT_NE(bytes.find("licence"), std::string::npos);
  EXPECT_EQ(bytes.find("viva.leaf:other"), std::string::npos);
}

TEST_F(LayoutOption, AMendWithNothingButTheLayout) {
  network({1, side, side});
  const std::string rows = data({side, side}, transposed), mended = dir_ / "mended.onnx";
  const Outcome o = ask(rows, {"--layout", "transpose", "--mend", mended, "--only", "risk,diagnosis"});
  EXPECT_EQ(o.code, 0) << o.err;
  ASSERT_EQ(call({"examine", mended, "--data", rows, "--out", dir_ / "out", "--only", "risk,diagnosis"}).code, 0);
  EXPECT_GT(estimate("risk.accuracy"), .99);
}

TEST_F(LayoutOption, InversionNeedsARange) {
  network({1, side, side});
  const std::string rows = rows_of(200, {side, side}, 2, [](int64_t i, int64_t k) { return (7 * i + k) % 11; });
  const Outcome o = ask(rows, {"--layout", "invert", "--plan"});
  EXPECT_EQ(o.code, 3);
  VIVA_EXPECT_HAS(o.err, "viva: --layout invert: give --range LO,HI: the values lie between 0 and 10");
  EXPECT_EQ(ask(rows, {"--layout", "invert", "--range", "0,10", "--only", "risk"}).code, 0);
  EXPECT_EQ(ask(rows, {"--layout", "invert", "--range", "0,9", "--only", "risk"}).code, 3);
  const Outcome bytes = examine("bytes", ExamineFiles::rows(30, Dtype::uint8), {"--layout", "invert"});
  EXPECT_EQ(bytes.code, 3);
  VIVA_EXPECT_HAS(bytes.err, "only floats are inverted: leave invert out");
}

TEST_F(LayoutOption, WhatIsNoImageIsRefused) {
  const auto refused = [&](const Shape& row, const std::string& option, const std::string& why) {
    network(row);
    const Outcome o = ask(data(row, [](int64_t k) { return k; }), {"--layout", option});
    EXPECT_EQ(o.code, 3) << option;
    VIVA_EXPECT_HAS(o.err, "viva: --layout " + option + ": the network takes rows of ");
    VIVA_EXPECT_HAS(o.err, why);
    EXPECT_EQ(std::ranges::count(o.err, '\n'), 1) << o.err;
    EXPECT_FALSE(written());
  };
  refused({5}, "transpose", "[5], which are no images: leave transpose out");
  refused({1, side, side}, "transpose,channels-last", "images of one channel: leave channels-last out");
  refused({side, side, 3}, "channels-last", "channels last themselves: leave channels-last out");
  refused({3, side, side}, "channels-first", "channels first themselves: leave channels-first out");
  EXPECT_EQ(ask("nothing", {"--layout", "sideways"}).code, 2);
}

TEST_F(LayoutOption, RowsOfAnotherShapeNameIt) {
  network({3, side, side});
  const Outcome o = ask(data({side, side, 3}, stored_last), {"--only", "risk"});
  EXPECT_EQ(o.code, 3);
  VIVA_EXPECT_HAS(o.err, "save x.transpose(0, 3, 1, 2), or give --layout channels-last");
}

}  // namespace
}  // namespace viva
