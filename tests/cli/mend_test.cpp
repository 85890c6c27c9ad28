// --mend: the network with its mend folded in is written, ruled on again on half B, and stands beside the first ruling.
#include <cmath>

#include "base/threefry.h"
#include "cli/examine_files.h"
#include "graph/build.h"
#include "onnx/export.h"

namespace viva {
namespace {

double uniform_at(int64_t i, int64_t j) {
  return (threefry2x32({9, static_cast<uint32_t>(j)}, words_of(static_cast<uint64_t>(i)))[0] + .5) * 0x1p-32;
}

class Mending : public ExamineFiles {
 protected:
  // Scores [m, 0] with m = w · x, or their softmax: as one node, or in parts that nobody takes for one.
  enum class End { scores, softmax, parts };
  std::string network(const std::vector<double>& w, End end = End::scores) const {
    const auto n = static_cast<int64_t>(w.size());
    const Array weights = Array::of(w, {n, 1}).converted(Dtype::float32);
    ExportOptions o;
    o.symbol = "N";
    o.parameters = {{"x", std::nullopt, 0, false}, {"w", weights, -1, false}};
    o.output_names = {"scores"};
    const std::string path = dir_ / "net.onnx";
    write_onnx(
        path,
        [&](int64_t rows) {
          Build b("net");
          const Value x = b.parameter({Dtype::float32, {rows, n}}), v = b.parameter(weights.type());
          const Value m = b.dot(x, v);
          Value z = b.concatenate({m, b.zero(m)}, 1);
          if (end != End::scores) {
            Value top = b.reduce_max(z, {1});
            if (end == End::softmax) top = b.select(b.is_finite(top), top, b.zero(top));
            const Value e = b.exp(b.sub(z, b.broadcast(top, z.shape(), {0})));
            z = b.div(e, b.broadcast(b.reduce_sum(e, {1}), z.shape(), {0}));
          }
          return b.finish({z});
        },
        o);
    return path;
  }
  // n rows of uniform numbers, named 0 where says_first(row).
  std::string labelled(int64_t n, int64_t width, double scale,
                       const std::function<bool(int64_t i, const std::vector<double>&)>& says_first) const {
    std::vector<double> x;
    std::vector<int64_t> y;
    for (int64_t i = 0; i < n; ++i) {
      std::vector<double> row;
      for (int64_t j = 0; j < width; ++j) row.push_back(scale * uniform_at(i, j));
      x.insert(x.end(), row.begin(), row.end());
      y.push_back(says_first(i, row) ? 0 : 1);
    }
    write_npy(dir_ / "x.npy", Array::of(x, {n, width}).converted(Dtype::float32));
    write_npy(dir_ / "y.npy", Array::of(y, {n}));
    return dir_ / "x.npy:" + (dir_ / "y.npy");
  }
  Outcome mend(const std::string& net, const std::string& data, std::vector<std::string> more,
               const std::string& only = "identity,risk,calibration,diagnosis") const {
    std::vector<std::string> words = {"examine",    net,      "--data", data,     "--out",
                                      dir_ / "out", "--mend", out(),    "--only", only};
    words.insert(words.end(), more.begin(), more.end());
    return call(words);
  }
  std::string out() const { return dir_ / "mended.onnx"; }
  nlohmann::json second() const { return nlohmann::json::parse(get(out() + ".viva/report.json")); }
};

TEST_F(Mending, LayoutIsFoldedIn) {
  std::vector<double> w(16, 0);
  w[1] = 1, w[2] = .5, w[4] = -.5, w[8] = -1;
  const std::string net = network(w), data = labelled(800, 16, 1, [&](int64_t, const auto& x) {
                                        double m = 0;
                                        for (size_t k = 0; k < 16; ++k) m += w[k] * x[k % 4 * 4 + k / 4];
                                        return m > 0;
                                      });
  const Outcome o = mend(net, data, {"--claim", "risk.accuracy >= 0.9"});
  EXPECT_EQ(o.code, 1) << o.err;
  VIVA_EXPECT_HAS(o.out, "mended     ");
  const auto first = report(), again = second();
  EXPECT_EQ(first["claims"][0]["ruling"], "refuted");
  EXPECT_EQ(again["claims"][0]["ruling"], "supported");
  const auto& f = finding(first, "mend.rulings");
  EXPECT_EQ(f["evidence"]["tables"][0]["rows"][0][1], "refuted");
  EXPECT_EQ(f["evidence"]["tables"][0]["rows"][0][2], "supported");
  EXPECT_EQ(finding(again, "risk.accuracy")["estimate"], 1);
  EXPECT_LT(again["data"][0]["rows"], 800);
  for (const auto& d : again["diagnosis"]) EXPECT_NE(d["id"], "diagnosis.layout");
}

// y ~ sigma(a), predicted sigma(4 a): three quarters of the confidence are too much. The mended file is examined as the
// given one was: it ends in the same way.
TEST_F(Mending, TemperatureIsFoldedIn) {
  for (const End end : {End::scores, End::softmax, End::parts}) {
    const std::string net = network({4, 0}, end), data = labelled(3000, 2, 1, [](int64_t i, const auto& x) {
                                                    return uniform_at(i, 77) < 1 / (1 + std::exp(-x[0]));
                                                  });
    const Outcome o = mend(net, data, {"--claim", "calibration.gap <= 0.05"},
                           "identity,risk,calibration,sensitivity,curvature,diagnosis");
    EXPECT_EQ(o.code, 1) << o.err;
    const auto given = report(), mended = second();
    EXPECT_EQ(given["claims"][0]["ruling"], "refuted");
    EXPECT_NE(mended["claims"][0]["ruling"], "refuted");
    EXPECT_LT(std::abs(finding(mended, "calibration.gap")["estimate"].get<double>()), .05);
    EXPECT_EQ(given["models"][0]["softmax_axis"].is_null(), end != End::softmax);
    EXPECT_EQ(mended["models"][0]["softmax_axis"], given["models"][0]["softmax_axis"]);
    EXPECT_EQ(finding(given, "curvature.lambda_max")["status"], end == End::parts ? "not run" : "run");
    for (const auto& f : given["findings"])
      if (f["id"] == "identity.output_kind" || f["id"].get<std::string>().starts_with("curvature.")) {
        EXPECT_EQ(finding(mended, f["id"])["title"], f["title"]);
        EXPECT_EQ(finding(mended, f["id"])["status"], f["status"]) << f["id"];
      }
    std::filesystem::remove_all(out() + ".viva");
  }
}

TEST_F(Mending, NothingToMendWritesNothing) {
  const std::string net = network({1, -1}),
                    data = labelled(300, 2, 1, [](int64_t, const auto& x) { return x[0] > x[1]; });
  const Outcome o = mend(net, data, {});
  EXPECT_EQ(o.code, 0) << o.err;
  VIVA_EXPECT_HAS(o.out, "mended     nothing");
  EXPECT_FALSE(std::filesystem::exists(out()));
  const Outcome self = call({"examine", net, "--data", data, "--mend", net});
  EXPECT_EQ(self.code, 2);
  VIVA_EXPECT_HAS(self.err, "are one place");
  // What somebody else wrote stays.
  put(dir_ / "thesis.tex", "mine");
  const Outcome other = call({"examine", net, "--data", data, "--mend", dir_ / "thesis.tex"});
  EXPECT_EQ(other.code, 2);
  VIVA_EXPECT_HAS(other.err, "what stands there is none that Viva wrote");
  EXPECT_EQ(get(dir_ / "thesis.tex"), "mine");
}

}  // namespace
}  // namespace viva
