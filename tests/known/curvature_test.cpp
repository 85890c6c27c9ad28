// The examiner curvature on softmax regression, whose Hessian is the mean of (diag(p) - p p') x x'.
#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>

#include "examine/graph_subject.h"
#include "examine/lanczos.h"
#include "examine/loss_programs.h"
#include "examine/statistics.h"
#include "examine/streams.h"
#include "examine/traces.h"

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
               {"curvature.lambda_max_population > 0", "curvature.lambda_max > 0", "curvature.gradient_square >= 0"});
  const double truth = Eigen::SelfAdjointEigenSolver<Matrix>(h).eigenvalues().maxCoeff();
  const Finding& top = *r.find("curvature.lambda_max");
  EXPECT_NEAR(*top.estimate, truth, 2e-3 * truth);
  EXPECT_TRUE(top.check->passed);
  const Finding& below = *r.find("curvature.lambda_max_population");
  EXPECT_FALSE(below.interval->high);
  EXPECT_LT(*below.interval->low, *below.estimate);
  EXPECT_LT(*below.estimate, 1.1 * truth);
  EXPECT_GT(*below.estimate, .8 * truth);
  const Finding &t = *r.find("curvature.trace"), &u = *r.find("curvature.trace_population");
  EXPECT_EQ(t.target, Target::these_rows);
  EXPECT_EQ(t.n, 1600);
  EXPECT_EQ(t.evidence.counts.at(0).count, 100);
  EXPECT_LT(*t.interval->low, h.trace());
  EXPECT_GT(*t.interval->high, h.trace());
  EXPECT_EQ(u.target, Target::rows_drawn_like_these);
  EXPECT_EQ(u.estimate, t.estimate);
  EXPECT_LT(*u.interval->low, *t.interval->low);
  EXPECT_GT(*u.interval->high, *t.interval->high);
  EXPECT_NEAR(*r.find("curvature.gradient_square")->estimate, g.squaredNorm(), .05 * g.squaredNorm() + 2e-3);
  EXPECT_EQ(r.claims[0].ruling, Verdict::supported);
  // Estimates of which no interval is known decide nothing.
  EXPECT_EQ(r.claims[2].ruling, Verdict::undecided);
  EXPECT_EQ(r.claims[2].would_decide, "an interval; none is known for this estimate");
}

// A Ritz value lies below the largest eigenvalue: claims on that side are ruled, on the other side none is.
TEST(Curvature, ARitzValueIsALowerEnd) {
  constexpr int64_t n = 200;
  std::vector<int64_t> labels;
  Matrix h = Matrix::Zero(width * classes, width * classes);
  for (int64_t i = 0; i < n; ++i) labels.push_back(i % classes), h += hessian(i) / n;
  const double truth = Eigen::SelfAdjointEigenSolver<Matrix>(h).eigenvalues().maxCoeff();
  for (const Dtype d : {Dtype::float32, Dtype::float64}) {
    Regression net(d);
    RowSource data = source(labels, width, [](int64_t i, int64_t j) { return static_cast<float>(entry(i, j)); });
    data.rows = [rows = data.rows, d](int64_t first, int64_t count) { return rows(first, count).converted(d); };
    std::vector<std::string> claims;
    for (const char* op : {">=", "<="})
      for (const double c : {.9 * truth, 1.1 * truth})
        claims.push_back(fmt::format("curvature.lambda_max {} {}", op, c));
    const Report r = examined(net, data, claims);
    const Finding& f = *r.find("curvature.lambda_max");
    ASSERT_TRUE(f.interval && f.interval->low && !f.interval->high);
    EXPECT_EQ(f.interval->level, 1);
    EXPECT_LE(*f.interval->low, *f.estimate);
    EXPECT_GT(*f.interval->low, .99 * truth);
    EXPECT_LT(*f.interval->low, truth * (1 + 1e-6));  // the rows are float32 here, not in the closed form
    using enum Verdict;
    const Verdict expected[] = {supported, undecided, refuted, undecided};
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(r.claims[i].ruling, expected[i]) << r.claims[i].statement;
      EXPECT_EQ(r.claims[i].finding, "curvature.lambda_max");
    }
    EXPECT_NE(r.claims[1].would_decide.find("what lies beyond it is not excluded"), std::string::npos);
    EXPECT_NE(r.claims[3].would_decide.find("an upper end"), std::string::npos);
  }
}

// Scores x · U · V: a product of weights curves both ways.
class Deep : public GraphSubject {
 public:
  Deep() : GraphSubject(width, 2, nullptr) {}
  NetworkFunction network(int64_t rows) override {
    Build b("scores");
    const Value x = b.parameter({Dtype::float32, {rows, width}}), u = b.parameter({Dtype::float32, {width, 1}}),
                v = b.parameter({Dtype::float32, {1, 2}});
    const Array first = Array::of(std::vector<double>{.1, -.2, .05, .3, -.1}, {width, 1}).converted(Dtype::float32);
    return {b.finish({b.dot(b.dot(x, u), v)}), {first, Array::of(std::vector<float>{.2F, -.1F}, {1, 2})}, rows};
  }
};

TEST(Curvature, ASmallestRitzValueIsAnUpperEnd) {
  Deep net;
  constexpr int64_t n = 60;
  const auto value = [](int64_t i, int64_t j) { return static_cast<float>(entry(i, j)); };
  std::vector<int64_t> labels;
  std::vector<float> x;
  for (int64_t i = 0; i < n; ++i) {
    labels.push_back(entry(i, 0) > 0 ? 0 : 1);
    for (int64_t j = 0; j < width; ++j) x.push_back(value(i, j));
  }
  // The Hessian, a column at a time.
  const LossPrograms programs(net, net.network(program_rows));
  const LabelledRows rows{Array::of(x, {n, width}), Array::of(labels, {n})};
  ThreadPool one(1);
  const Cancel go{false};
  const auto d = static_cast<Eigen::Index>(programs.parameters());
  Matrix h(d, d);
  for (Eigen::Index k = 0; k < d; ++k) {
    std::vector<double> v(static_cast<size_t>(d), 0);
    v[static_cast<size_t>(k)] = 1;
    h.col(k) = Eigen::Map<const Vector>(programs.hessian_product(rows, v, one, go).data(), d);
  }
  const double truth = Eigen::SelfAdjointEigenSolver<Matrix>(h).eigenvalues().minCoeff();
  ASSERT_LT(truth, -.1);
  const Report r = examined(
      net, source(labels, width, value),
      {fmt::format("curvature.lambda_min <= {}", .9 * truth), fmt::format("curvature.lambda_min >= {}", .9 * truth),
       fmt::format("curvature.lambda_min >= {}", 1.1 * truth)});
  const Finding& f = *r.find("curvature.lambda_min");
  ASSERT_TRUE(f.interval && f.interval->high && !f.interval->low) << f.why;
  EXPECT_GE(*f.interval->high, truth - 1e-6);
  EXPECT_LT(*f.interval->high, .99 * truth);
  EXPECT_EQ(r.claims[0].ruling, Verdict::supported);
  EXPECT_EQ(r.claims[1].ruling, Verdict::refuted);
  EXPECT_EQ(r.claims[2].ruling, Verdict::undecided);
}

// Scores x · W + (offset - offset) with a large offset: what float32 rounds away is taken off the end.
TEST(Curvature, RoundingIsTakenOffTheEnd) {
  class Rounded : public Regression {
   public:
    Rounded() : Regression(Dtype::float32) {}
    NetworkFunction network(int64_t rows) override {
      const NetworkFunction n = Regression::network(rows);
      Build b("scores");
      Values args;
      for (const Value& p : n.function->params()) args.push_back(b.parameter_like(p));
      const Value z = b.inline_call(*n.function, args).front(), large = b.full_like(z, 3e5);
      return {b.finish({b.sub(b.add(z, large), large)}), n.weights, rows};
    }
  };
  Rounded net;
  std::vector<int64_t> labels;
  Matrix h = Matrix::Zero(width * classes, width * classes);
  for (int64_t i = 0; i < 150; ++i) labels.push_back(i % classes), h += hessian(i) / 150;
  const double truth = Eigen::SelfAdjointEigenSolver<Matrix>(h).eigenvalues().maxCoeff();
  const Report r =
      examined(net, source(labels, width, [](int64_t i, int64_t j) { return static_cast<float>(entry(i, j)); }));
  const Finding& f = *r.find("curvature.lambda_max");
  ASSERT_TRUE(f.interval && f.interval->low);
  EXPECT_GT(std::abs(*f.estimate - truth), 1e-5 * truth);  // float32 is that far off
  EXPECT_LT(*f.interval->low, truth);
  EXPECT_LT(*f.interval->low, *f.estimate);
}

// v' H v of the matrix of ones, for every row.
std::vector<double> of_ones(const std::vector<int64_t>& rows, std::span<const double> v) {
  const double sum = std::accumulate(v.begin(), v.end(), 0.);
  return std::vector<double>(rows.size(), sum * sum);
}

// Probes of random signs on the matrix of ones: each has mean 50, the trace, and variance 2 (2,500 - 50) = 4,900.
TEST(Curvature, AProbeHasTheTraceAsItsMean) {
  constexpr int64_t runs = 200;
  ThreadPool one(1);
  std::vector<double> values;
  for (uint64_t seed = 0; seed < runs; ++seed) {
    const Traces t = traces_of(of_ones, 5, 50, seed, one);
    values.insert(values.end(), t.of_probe.begin(), t.of_probe.end());
  }
  const auto n = static_cast<double>(values.size());
  EXPECT_EQ(values.size(), 20000u);
  EXPECT_NEAR(mean_of(values), 50, 4 * 70 / std::sqrt(n));
  EXPECT_NEAR(squares_about_mean(values) / (n - 1), 4900, .1 * 4900);
}

// Where H_i is i times the identity every probe gives i d for row i, exactly.
TEST(Curvature, ProbesMeetEveryRowEquallyOften) {
  ThreadPool one(1), three(3);
  for (const int64_t n : {1, 4, 5, 23, 200}) {
    std::vector<int64_t> met(static_cast<size_t>(n), 0);
    const auto identity = [](const std::vector<int64_t>& rows, std::span<const double> v) {
      std::vector<double> each;
      for (const int64_t r : rows) each.push_back(static_cast<double>(r) * static_cast<double>(v.size()));
      return each;
    };
    const auto counting = [&](const std::vector<int64_t>& rows, std::span<const double> v) {
      for (const int64_t r : rows) ++met[static_cast<size_t>(r)];
      return identity(rows, v);
    };
    const Traces t = traces_of(counting, n, 7, 3, one);
    ASSERT_EQ(t.of_probe.size(), 100u);
    EXPECT_EQ(trace_evaluations(n), std::accumulate(met.begin(), met.end(), int64_t{0}));
    for (int64_t r = 0; r < n; ++r) {
      EXPECT_EQ(met[static_cast<size_t>(r)], n < 5 ? 100 : 20);
      EXPECT_NEAR(t.of_row[static_cast<size_t>(r)], 7. * static_cast<double>(r), 1e-9);
    }
    EXPECT_EQ(t.of_probe, traces_of(identity, n, 7, 3, three).of_probe);
    if (n < 5) continue;
    EXPECT_GT(probe_variance(t), 0);  // of the rows that a probe did not meet
    EXPECT_NE(t.of_probe, traces_of(identity, n, 7, 4, one).of_probe);
  }
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
  const int64_t repetitions = std::getenv("VIVA_LONG") ? 10000 : 1000;
  // Five blocks of ones of ten places: five equal eigenvalues.
  const auto of_blocks = [](const std::vector<int64_t>& rows, std::span<const double> v) {
    double square = 0;
    for (size_t i = 0; i < v.size(); i += 10) {
      const double block =
          std::accumulate(v.begin() + static_cast<ptrdiff_t>(i), v.begin() + static_cast<ptrdiff_t>(i + 10), 0.);
      square += block * block;
    }
    return std::vector<double>(rows.size(), square);
  };
  ThreadPool one(1);
  int64_t ones = 0, spread = 0;
  const auto holds = [](const std::optional<Range>& i) { return i && i->low <= 50 && 50 <= i->high; };
  for (int64_t r = 0; r < repetitions; ++r) {
    ones += holds(trace_interval(traces_of(of_ones, 5, 50, static_cast<uint64_t>(r), one), .05));
    spread += holds(trace_interval(traces_of(of_blocks, 5, 50, static_cast<uint64_t>(r), one), .05));
  }
  const auto share = [&](int64_t k) { return static_cast<double>(k) / static_cast<double>(repetitions); };
  std::printf("trace, one eigenvalue: covered %.4f, five: %.4f\n", share(ones), share(spread));
  const double noise = 3.5 * std::sqrt(.94 * .06 / static_cast<double>(repetitions));
  EXPECT_GE(share(ones), .93 - noise);
  EXPECT_GE(share(spread), .943 - noise);
}

// Rows x s of 20 normal numbers x and a size s that is 1 or, for one row in ten, 3: the Hessian of half the square of
// x · w has the trace s^2 |x|^2, over new rows 20 · 1.8 on average.
TEST(Curvature, TraceIntervalsOfRowsTakenAndOfNewOnes) {
  constexpr int64_t n = 400;
  constexpr Eigen::Index d = 20;
  const int64_t repetitions = std::getenv("VIVA_LONG") ? 10000 : 300;
  std::vector<char> taken(static_cast<size_t>(repetitions)), fresh(taken);
  ThreadPool pool(2);
  pool.run(repetitions, [&](int64_t r) {
    std::vector<float> x = normal_rows(static_cast<uint32_t>(r) + 70000, n, d);
    for (int64_t i = 0; i < n; ++i)
      if (threefry2x32({0x77, static_cast<uint32_t>(r)}, words_of(static_cast<uint64_t>(i)))[0] < 0x1p32 / 10)
        for (int64_t j = 0; j < d; ++j) x[static_cast<size_t>(i * d + j)] *= 3;
    double trace = 0;
    for (const float v : x) trace += static_cast<double>(v) * v / n;
    ThreadPool alone(1);
    const Traces t = traces_of(
        [&](const std::vector<int64_t>& rows, std::span<const double> v) {
          std::vector<double> each;
          for (const int64_t i : rows) {
            double dot = 0;
            for (size_t j = 0; j < v.size(); ++j) dot += static_cast<double>(x[static_cast<size_t>(i * d) + j]) * v[j];
            each.push_back(dot * dot);
          }
          return each;
        },
        n, d, static_cast<uint64_t>(r), alone);
    const auto holds = [](const std::optional<Range>& i, double truth) {
      return i && i->low <= truth && truth <= i->high;
    };
    taken[static_cast<size_t>(r)] = holds(trace_interval(t, .05), trace);
    fresh[static_cast<size_t>(r)] = holds(trace_interval_of_new_rows(t, .05), 20 * 1.8);
  });
  const auto share = [&](const std::vector<char>& v) {
    return static_cast<double>(std::ranges::count(v, 1)) / static_cast<double>(repetitions);
  };
  std::printf("trace of rows taken: covered %.4f, of new rows: %.4f\n", share(taken), share(fresh));
  const double noise = 3.5 * std::sqrt(.95 * .05 / static_cast<double>(repetitions));
  EXPECT_GE(share(taken), .943 - noise);
  EXPECT_GE(share(fresh), .943 - noise);
}

}  // namespace
}  // namespace viva
