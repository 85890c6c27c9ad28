// Initialisers: fans, moments and distributions from fixed keys, orthogonality.
#include <algorithm>

#include "nn/check.h"
#include "viva/nn.h"

namespace viva {
namespace {

using check::expect_near;
using check::numbers;

constexpr Dtype f64 = Dtype::float64;

double normal_cdf(double x) { return .5 * std::erfc(-x / std::sqrt(2)); }

// The largest distance between the distribution of the numbers and its law; sqrt(n) times it exceeds 1.95 once in
// 1,000.
template <class F> double distance(std::vector<double> v, const F& cdf) {
  std::ranges::sort(v);
  double most = 0;
  const auto n = static_cast<double>(v.size());
  for (size_t i = 0; i < v.size(); ++i)
    most = std::max(
        {most, std::abs(cdf(v[i]) - static_cast<double>(i) / n), std::abs(cdf(v[i]) - static_cast<double>(i + 1) / n)});
  return most * std::sqrt(n);
}

TEST(Fans, OfDenseAndConvolution) {
  EXPECT_EQ(fans_of({3, 4}).in, 3);
  EXPECT_EQ(fans_of({3, 4}).out, 4);
  EXPECT_EQ(fans_of({8, 3, 5, 2}).in, 30);
  EXPECT_EQ(fans_of({8, 3, 5, 2}).out, 80);
  EXPECT_TRUE(check::holds(check::error_at(__LINE__, __FILE__, [] { fans_of({3}); }), "[init] [3] has no fans"));
}

TEST(Initialisers, Constants) {
  expect_near(init::zeros()(key(1), {2}, {}, f64), {2}, {0, 0}, 0);
  expect_near(init::constant(2.5)(key(1), {2}, {}, f64), {2}, {2.5, 2.5}, 0);
}

TEST(Initialisers, FollowTheirLaws) {
  const Shape shape{100, 200};
  const auto values = [&](const Initializer& f) { return numbers(f(key(7), shape, {100, 200}, f64)); };
  EXPECT_LT(distance(values(init::normal(2, 1)), [](double x) { return normal_cdf((x - 1) / 2); }), 1.95);
  EXPECT_LT(distance(values(init::uniform(-1, 3)), [](double x) { return (x + 1) / 4; }), 1.95);
  const double low = normal_cdf(-2), mass = 1 - 2 * low;
  EXPECT_LT(
      distance(values(init::truncated_normal(2, 1)), [&](double x) { return (normal_cdf((x - 1) / 2) - low) / mass; }),
      1.95);
  const auto [least, most] = std::ranges::minmax(values(init::truncated_normal(2, 1)));
  EXPECT_GE(least, -3);
  EXPECT_LE(most, 5);
  EXPECT_LT(least, -2.9);
  EXPECT_GT(most, 4.9);
}

// Each names its variance; of n values its estimate is off by a factor of about 1 ± sqrt(2 / n).
TEST(Initialisers, VarianceFollowsTheFans) {
  struct Want {
    Initializer f;
    double variance;
  };
  const double in = 100, out = 200;
  for (const auto& [f, want] :
       {Want{init::glorot_normal(), 2 / (in + out)}, Want{init::glorot_uniform(), 2 / (in + out)},
        Want{init::he_normal(), 2 / in}, Want{init::he_uniform(init::Fan::out), 2 / out},
        Want{init::lecun_normal(), 1 / in}, Want{init::lecun_uniform(), 1 / in},
        Want{init::variance_scaling(3, init::Fan::mean, init::Law::truncated_normal), 3 / 150.0}}) {
    const Tensor t = f(key(3), {100, 200}, {100, 200}, Dtype::float32);
    EXPECT_NEAR(variance(t).item() / want, 1, 5 * std::sqrt(2 / 20000.0));
    EXPECT_NEAR(mean(t).item(), 0, 5 * std::sqrt(want / 20000));
  }
  const Tensor u = init::he_uniform()(key(3), {100, 200}, {100, 200}, Dtype::float32);
  EXPECT_LE(max(abs(u)).item(), std::sqrt(6 / in));
  EXPECT_GT(max(abs(u)).item(), std::sqrt(6 / in) * .999);
}

TEST(Initialisers, HalfPrecisionAndCompile) {
  const auto make = [](const Key& k) { return init::lecun_normal()(k, {50, 50}, {50, 50}, Dtype::bfloat16); };
  const Tensor t = make(key(1));
  EXPECT_EQ(t.dtype(), Dtype::bfloat16);
  EXPECT_EQ(numbers(compile(make)(key(1))), numbers(t));
  for (double v : numbers(t)) EXPECT_TRUE(std::isfinite(v));
}

TEST(Initialisers, Orthogonal) {
  for (const Shape& shape : {Shape{20, 8}, Shape{8, 20}, Shape{8, 8}, Shape{6, 2, 5}}) {
    const Tensor q = reshape(init::orthogonal(2)(key(4), shape, {}, f64), {shape[0], -1});
    const bool wide = q.dim(1) > q.dim(0);
    expect_near(wide ? matmul(q, transpose(q)) : matmul(transpose(q), q), 4 * eye(std::min(q.dim(0), q.dim(1)), f64),
                1e-13);
  }
  // Uniform among rotations: the first entry of one of dimension 3 is uniform on [-1, 1].
  std::vector<double> first;
  for (int i = 0; i < 1000; ++i) first.push_back(init::orthogonal()(key(5).fold(i), {3, 3}, {}, f64)(0, 0).item());
  EXPECT_LT(distance(first, [](double x) { return (x + 1) / 2; }), 1.95);
  EXPECT_EQ(init::orthogonal()(key(1), {0, 3}, {}, f64).shape(), (Shape{0, 3}));
}

TEST(Initialisers, OrthogonalNeedsAKeyWithAValue) {
  const auto make = compile([](const Key& k) { return Dense::make(k, 3, 3, {.weight = init::orthogonal()}).weight; });
  EXPECT_TRUE(check::holds(check::error_of([&] { make(key(1)); }), "[orthogonal] the key is traced"));
}

TEST(Initialisers, RefuseWhatIsNoScale) {
  EXPECT_TRUE(check::holds(check::error_of([] { init::normal(-1); }), "the deviation is -1"));
  EXPECT_TRUE(check::holds(check::error_of([] { init::truncated_normal(-1); }), "initialize_test.cpp:"));
  EXPECT_TRUE(check::holds(check::error_of([] { init::variance_scaling(NAN, init::Fan::in, init::Law::normal); }),
                           "the scale is nan"));
}

}  // namespace
}  // namespace viva
