// The examiner curvature on softmax regression, whose Hessian is the mean of (diag(p) - p p') x x'.
#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "examine/graph_subject.h"
#include "examine/lanczos.h"
#include "examine/loss_programs.h"
#include "examine/statistics.h"
#include "examine/streams.h"

namespace viva {
namespace {

using testing::examined;
using testing::GraphSubject;
using testing::source;
using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

constexpr int64_t width = 5, classes = 3;

double entry(int64_t i, int64_t j) { return std::sin(static_cast<double>(i * 7 + j * 3 + 1)); }

// Scores x · W, with W a weight of the file.
class Regression : public GraphSubject {
 public:
  explicit Regression(Dtype d) : GraphSubject(width, classes, scores, d), dtype_(d) {}
  static Value scores(Build& b, Value x) { return b.dot(x, b.constant(weights(x.dtype()))); }
  static Array weights(Dtype d) {
    std::vector<double> w;
    for (int64_t j = 0; j < width; ++j)
      for (int64_t c = 0; c < classes; ++c) w.push_back(entry(j, c + 11));
    return Array::of(w, {width, classes}).converted(d);
  }
  NetworkFunction network(int64_t rows) override {
    Build b("scores");
    const Value x = b.parameter({dtype_, {rows, width}}), w = b.parameter({dtype_, {width, classes}});
    return {b.finish({b.dot(x, w)}), {weights(dtype_)}, rows};
  }

 private:
  Dtype dtype_;
};

Vector row(int64_t i) {
  Vector x(width);
  for (int64_t j = 0; j < width; ++j) x[j] = entry(i, j);
  return x;
}
Vector probabilities(const Vector& x) {
  const Array w = Regression::weights(Dtype::float64);
  Vector z = Vector::Zero(classes);
  for (int64_t j = 0; j < width; ++j)
    for (int64_t c = 0; c < classes; ++c) z[c] += x[j] * w.at(j * classes + c);
  const Vector e = (z.array() - z.maxCoeff()).exp();
  return e / e.sum();
}
// Of one row's loss; weight (j, c) is number j · classes + c.
Matrix hessian(int64_t i) {
  const Vector x = row(i), p = probabilities(x);
  const Matrix s = Matrix(p.asDiagonal()) - p * p.transpose();
  Matrix h(width * classes, width * classes);
  for (int64_t a = 0; a < width; ++a)
    for (int64_t b = 0; b < width; ++b) h.block(a * classes, b * classes, classes, classes) = x[a] * x[b] * s;
  return h;
}
Vector gradient(int64_t i, int64_t label) {
  const Vector x = row(i);
  Vector d = probabilities(x);
  d[label] -= 1;
  Vector g(width * classes);
  for (int64_t a = 0; a < width; ++a) g.segment(a * classes, classes) = x[a] * d;
  return g;
}

LabelledRows rows_of_test(int64_t n, Dtype d) {
  std::vector<double> x;
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < width; ++j) x.push_back(entry(i, j));
    labels.push_back(i % classes);
  }
  return {Array::of(x, {n, width}).converted(d), Array::of(labels, {n})};
}

TEST(Curvature, ProgramsAgreeWithTheClosedForm) {
  const Cancel go{false};
  ThreadPool one(1), three(3);
  for (const Dtype d : {Dtype::float64, Dtype::float32}) {
    const double tolerance = d == Dtype::float64 ? 1e-12 : 2e-6;
    Regression net(d);
    const LossPrograms programs(net, net.network(program_rows));
    ASSERT_EQ(programs.parameters(), width * classes);
    for (const int64_t n : {1, 63, 64, 150}) {
      const LabelledRows rows = rows_of_test(n, d);
      Matrix h = Matrix::Zero(width * classes, width * classes);
      Vector g = Vector::Zero(width * classes);
      std::vector<double> v;
      for (int64_t k = 0; k < width * classes; ++k) v.push_back(entry(k, 5));
      const Vector direction = Eigen::Map<const Vector>(v.data(), width * classes);
      const std::vector<double> along = programs.curvatures(rows, v, three, go);
      for (int64_t i = 0; i < n; ++i) {
        h += hessian(i) / static_cast<double>(n), g += gradient(i, i % classes) / static_cast<double>(n);
        EXPECT_NEAR(along[static_cast<size_t>(i)], direction.dot(hessian(i) * direction), 10 * tolerance);
      }
      const std::vector<double> product = programs.hessian_product(rows, v, three, go),
                                slope = programs.gradient(rows, three, go);
      EXPECT_EQ(product, programs.hessian_product(rows, v, one, go));
      for (int64_t k = 0; k < width * classes; ++k) {
        EXPECT_NEAR(product[static_cast<size_t>(k)], (h * direction)[k], tolerance);
        EXPECT_NEAR(slope[static_cast<size_t>(k)], g[k], tolerance);
      }
    }
  }
}

TEST(Curvature, OfSoftmaxRegression) {
  Regression net(Dtype::float32);
  std::vector<int64_t> labels;
  constexpr int64_t n = 1600;
  Matrix h = Matrix::Zero(width * classes, width * classes);
  Vector g = Vector::Zero(width * classes);
  for (int64_t i = 0; i < n; ++i) {
    labels.push_back(i % classes);
    h += hessian(i) / n, g += gradient(i, i % classes) / n;
  }
  const Report r =
      examined(net, source(labels, width, [](int64_t i, int64_t j) { return static_cast<float>(entry(i, j)); }),
               {"curvature.lambda_max_population > 0"});
  const double truth = Eigen::SelfAdjointEigenSolver<Matrix>(h).eigenvalues().maxCoeff();
  const Finding& top = *r.find("curvature.lambda_max");
  EXPECT_NEAR(*top.estimate, truth, 2e-3 * truth);
  EXPECT_TRUE(top.check->passed);
  const Finding& below = *r.find("curvature.lambda_max_population");
  EXPECT_FALSE(below.interval->high);
  EXPECT_LT(*below.interval->low, *below.estimate);
  EXPECT_LT(*below.estimate, 1.1 * truth);
  EXPECT_GT(*below.estimate, .8 * truth);
  const Finding& t = *r.find("curvature.trace");
  EXPECT_LT(*t.interval->low, h.trace());
  EXPECT_GT(*t.interval->high, h.trace());
  EXPECT_NEAR(*r.find("curvature.gradient_square")->estimate, g.squaredNorm(), .05 * g.squaredNorm() + 2e-3);
  EXPECT_EQ(r.claims[0].ruling, Verdict::supported);
}

// Probes of random signs on the matrix of ones: each has mean 50, the trace, and variance 2 (2,500 - 50) = 4,900.
TEST(Curvature, AProbeHasTheTraceAsItsMean) {
  constexpr int64_t n = 50, probes = 20000;
  std::vector<double> values;
  for (uint64_t p = 0; p < probes; ++p) {
    double sum = 0;
    for (const double s : random_signs(9, Stream::probes, p, n)) sum += s;
    values.push_back(sum * sum);
  }
  const double mean = mean_of(values);
  double variance = 0;
  for (const double v : values) variance += (v - mean) * (v - mean) / (probes - 1);
  EXPECT_NEAR(mean, 50, 4 * 70 / std::sqrt(probes));
  EXPECT_NEAR(variance, 4900, .1 * 4900);
}

// Draw number `draw` of n rows of d independent standard normal numbers: by Box and Muller, two a block.
std::vector<float> normal_rows(uint32_t draw, int64_t n, int64_t d) {
  std::vector<float> x(static_cast<size_t>(n * d));
  for (size_t k = 0; k < x.size(); k += 2) {
    const Words2 w = threefry2x32({0x5eed, draw}, words_of(k));
    const float r = std::sqrt(-2 * std::log((static_cast<float>(w[0]) + .5f) * 0x1p-32f)),
                t = static_cast<float>(w[1]) * static_cast<float>(2 * M_PI * 0x1p-32);
    x[k] = r * std::cos(t), x[k + 1] = r * std::sin(t);
  }
  return x;
}

using Rows = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

// Half the mean square of x · w has the Hessian X'X / n: its largest eigenvalue over the rows taken lies near
// (1 + sqrt(d / n))^2, where for new rows it is 1. The bound of half B knows the difference.
TEST(Curvature, OfRowsTakenAndOfNewOnes) {
  constexpr int64_t n = 1000;
  constexpr Eigen::Index d = 100;
  const int64_t draws = std::getenv("VIVA_LONG") ? 10000 : 200;
  std::vector<double> top(static_cast<size_t>(draws)), low(static_cast<size_t>(draws));
  ThreadPool pool(2);
  pool.run(draws, [&](int64_t draw) {
    const std::vector<float> drawn = normal_rows(static_cast<uint32_t>(draw), n, d);
    const Rows x(drawn.data(), n, d);
    const auto spectrum = [&](const auto& rows, const LanczosOptions& options) {
      return lanczos(
          [&](std::span<const double> v) {
            const Eigen::VectorXf u = Eigen::Map<const Vector>(v.data(), d).cast<float>();
            const Vector hv =
                (rows.transpose() * (rows * u)).template cast<double>() / static_cast<double>(rows.rows());
            return std::vector<double>(hv.data(), hv.data() + d);
          },
          random_signs(3, Stream::lanczos, 0, d), options);
    };
    top[static_cast<size_t>(draw)] = spectrum(x, {.most_steps = 60, .tolerance = 1e-3}).largest.value;
    const std::vector<double> v = spectrum(x.topRows(n / 2), {.most_steps = 20, .tolerance = 1e-2}).largest.vector;
    const Eigen::VectorXf of_b =
        (x.bottomRows(n / 2) * Eigen::Map<const Vector>(v.data(), d).cast<float>()).array().square();
    const std::vector<double> along(of_b.data(), of_b.data() + of_b.size());
    low[static_cast<size_t>(draw)] = *student_t_lower(along, .05);
  });
  const double mean = mean_of(top);
  double variance = 0;
  for (const double t : top) variance += (t - mean) * (t - mean) / static_cast<double>(draws - 1);
  const double held =
      static_cast<double>(std::ranges::count_if(low, [](double l) { return l <= 1; })) / static_cast<double>(draws);
  std::printf("largest eigenvalue %.4f, SD %.4f; bound at most 1 in %.4f of %lld\n", mean, std::sqrt(variance), held,
              static_cast<long long>(draws));
  EXPECT_NEAR(mean, 1.706, draws < 10000 ? .008 : .002);
  EXPECT_NEAR(std::sqrt(variance), .027, draws < 10000 ? .005 : .001);
  EXPECT_GE(held, draws < 10000 ? .943 - 3.5 * std::sqrt(.95 * .05 / static_cast<double>(draws)) : .943);
}

// Student's interval over 100 probes: the matrix of ones is the hardest, all of its trace is one eigenvalue; a spread
// spectrum makes the sums near normal.
TEST(Curvature, TraceIntervalsCoverAsStated) {
  constexpr int64_t n = 50, probes = 100;
  const int64_t repetitions = std::getenv("VIVA_LONG") ? 10000 : 1000;
  int64_t ones = 0, spread = 0;
  for (int64_t r = 0; r < repetitions; ++r) {
    std::vector<double> of_ones, of_spread;
    for (int64_t p = 0; p < probes; ++p) {
      const std::vector<double> s = random_signs(11, Stream::probes, static_cast<uint64_t>(r * probes + p), n);
      double sum = 0, square = 0;
      // Five blocks of ones of ten places: five equal eigenvalues.
      for (size_t i = 0; i < s.size(); i += 10) {
        double block = 0;
        for (size_t j = i; j < i + 10; ++j) block += s[j];
        sum += block, square += block * block;
      }
      of_ones.push_back(sum * sum), of_spread.push_back(square);
    }
    const auto holds = [](const std::optional<Range>& i) { return i && i->low <= 50 && 50 <= i->high; };
    ones += holds(student_t(of_ones, .05)), spread += holds(student_t(of_spread, .05));
  }
  const auto share = [&](int64_t k) { return static_cast<double>(k) / static_cast<double>(repetitions); };
  std::printf("trace, one eigenvalue: covered %.4f, five: %.4f\n", share(ones), share(spread));
  const double noise = 3.5 * std::sqrt(.94 * .06 / static_cast<double>(repetitions));
  EXPECT_GE(share(ones), .93 - noise);
  EXPECT_GE(share(spread), .943 - noise);
}

}  // namespace
}  // namespace viva
