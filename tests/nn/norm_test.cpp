// Normalisations against their formulas, numbers from numpy, finite differences; the statistics of batch normalisation.
#include "nn/check.h"
#include "viva/nn.h"

namespace viva {
namespace {

using check::drawn;
using check::expect_gradient;
using check::expect_near;

constexpr Dtype f64 = Dtype::float64;

// x = [1, 2, 4]; (x - x.mean()) / np.sqrt(x.var() + 1e-5)
TEST(Norms, NumbersOfNumpy) {
  const Tensor x = tensor({1, 2, 4}, f64);
  const std::vector<double> want{-1.0690415314502977, -.26726038286257453, 1.3363019143128718};
  expect_near(standardize(x, 0), {3}, want, 1e-12);
  expect_near(LayerNorm::make(3, {.dtype = f64})(x), {3}, want, 1e-12);
  expect_near(GroupNorm::make(1, 3, {.dtype = f64})(reshape(x, {1, 3})), {1, 3}, want, 1e-12);
  expect_near(InstanceNorm::make(1, {.weight = false, .bias = false, .dtype = f64})(reshape(x, {1, 1, 3})), {1, 1, 3},
              want, 1e-12);
  expect_near(BatchNorm::make(1, {.dtype = f64}).train(reshape(x, {3, 1})).first, {3, 1}, want, 1e-12);
  // x / np.sqrt(np.mean(x * x) + 1e-6)
  expect_near(RmsNorm::make(3, 1e-6, f64)(x), {3}, {.3779644460117677, .7559288920235354, 1.5118577840470708});
}

TEST(Norms, LayerNormOfSeveralAxes) {
  const LayerNorm n{drawn(1, {3, 4}), drawn(2, {3, 4}), 1e-3};
  const Tensor x = drawn(3, {2, 5, 3, 4}), centred = x - mean(x, {2, 3}, true);
  expect_near(n(x), centred / sqrt(mean(centred * centred, {2, 3}, true) + 1e-3) * n.weight + n.bias);
  expect_gradient([](const auto& t) { return t.first(t.second); }, std::pair(n, drawn(4, {2, 3, 4})));
  EXPECT_EQ(n(zeros({0, 3, 4}, f64)).shape(), (Shape{0, 3, 4}));
}

TEST(Norms, RmsNorm) {
  const RmsNorm n{drawn(1, {4}), 1e-3};
  const Tensor x = drawn(2, {3, 4});
  expect_near(n(x), x / sqrt(mean(x * x, 1, true) + 1e-3) * n.weight);
  expect_gradient([](const auto& t) { return t.first(t.second); }, std::pair(n, x));
}

TEST(Norms, GroupsOfOneChannelAreInstances) {
  const Tensor w = drawn(1, {4}), b = drawn(2, {4}), x = drawn(3, {2, 4, 3, 5});
  expect_near(GroupNorm{w, b, 4}(x), InstanceNorm{w, b}(x));
  const Tensor parts = reshape(x, {2, 2, 2, 3, 5});
  const Tensor by_hand = reshape(standardize(parts, {2, 3, 4}), x.shape());
  expect_near(GroupNorm{w, b, 2}(x), by_hand * reshape(w, {4, 1, 1}) + reshape(b, {4, 1, 1}));
  expect_gradient([](const auto& t) { return t.first(t.second); }, std::pair(GroupNorm{w, b, 2}, drawn(4, {2, 4, 3})));
  EXPECT_EQ((GroupNorm{w, b, 2}(zeros({0, 4, 3}, f64)).shape()), (Shape{0, 4, 3}));
}

TEST(Norms, HalfPrecisionStatisticsDoNotOverflow) {
  const Tensor x = tensor({60000, -60000, 30000, 0}, Dtype::float16);
  const Tensor y = LayerNorm::make(4, {.dtype = Dtype::float16})(x);
  EXPECT_EQ(y.dtype(), Dtype::float16);
  expect_near(convert(y, f64), standardize(convert(x, f64), 0), 1e-3);
}

TEST(Norms, NanAndConstants) {
  expect_near(standardize(tensor({1, NAN}, f64), 0), {2}, {check::nan, check::nan});
  expect_near(standardize(full({3}, 7, f64), 0), {3}, {0, 0, 0}, 0);
  const Tensor g =
      grad([](const Tensor& t) { return sum(standardize(t, 0) * tensor({1, 2, 4}, f64)); })(full({3}, 7, f64));
  for (double v : check::numbers(g)) EXPECT_TRUE(std::isfinite(v));
}

TEST(Norms, ErrorsNameTheLine) {
  const auto at = [](const auto& f, int line) { return check::error_at(line, __FILE__, f); };
  const LayerNorm n = LayerNorm::make(4);
  EXPECT_TRUE(check::holds(at([&] { n(zeros({2, 3})); }, __LINE__), "[layer_norm] f32[2,3] into a layer of f32[4]"));
  EXPECT_TRUE(check::holds(at([&] { RmsNorm::make(4)(scalar(1)); }, __LINE__), "[rms_norm] f32[] into a layer of"));
  EXPECT_TRUE(check::holds(at([&] { GroupNorm::make(3, 4); }, __LINE__), "3 groups do not divide 4 channels"));
  EXPECT_TRUE(check::holds(at([&] { GroupNorm::make(2, 4)(zeros({2, 6})); }, __LINE__), "into a layer of 4 channels"));
  EXPECT_TRUE(
      check::holds(at([&] { BatchNorm::make(4)(zeros({4})); }, __LINE__), "[batch_norm] takes [batch, channels"));
  const BatchNorm b = BatchNorm::make(4);
  EXPECT_TRUE(check::holds(at([&] { b.train(zeros({1, 4})); }, __LINE__), "takes two values a channel"));
  EXPECT_TRUE(check::holds(at([&] { b.train(zeros({0, 4})); }, __LINE__), "takes two values a channel"));
}

TEST(BatchNorm, TrainsOnTheBatchAndMovesItsStatistics) {
  BatchNorm n{drawn(1, {2}), drawn(2, {2}), {tensor({1, -1}, f64)}, {tensor({2, 3}, f64)}};
  const Tensor x = drawn(3, {4, 2, 3}) * 2 + 1;
  const auto [y, next] = n.train(x);
  const auto wide = [](const Tensor& t) { return reshape(t, {2, 1}); };
  const Tensor centre = mean(x, {0, 2}), spread = variance(x, {0, 2});
  expect_near(y, (x - wide(centre)) / sqrt(wide(spread) + 1e-5) * wide(n.weight) + wide(n.bias));
  expect_near(next.running_mean.value, .9 * n.running_mean.value + .1 * centre);
  expect_near(next.running_variance.value, .9 * n.running_variance.value + .1 * variance(x, {0, 2}, false, 1));
  expect_near(next.weight, n.weight, 0);
  expect_near(next(x),
              (x - wide(next.running_mean.value)) / sqrt(wide(next.running_variance.value) + 1e-5) * wide(n.weight) +
                  wide(n.bias));
}

TEST(BatchNorm, Gradients) {
  const BatchNorm n{drawn(1, {2}), drawn(2, {2}), {tensor({1, -1}, f64)}, {tensor({2, 3}, f64)}};
  struct Free {  // what is differentiated
    Tensor weight, bias, x;
  };
  const Free at{n.weight, n.bias, drawn(3, {4, 2, 3})};
  const auto with = [&](const Free& f) { return BatchNorm{f.weight, f.bias, n.running_mean, n.running_variance}; };
  expect_gradient([&](const Free& f) { return with(f).train(f.x).first; }, at);
  expect_gradient([&](const Free& f) { return with(f)(f.x); }, at);
  const BatchNorm g = grad([&](const BatchNorm& m) { return sum(m(at.x)); })(n);
  EXPECT_TRUE(g.running_mean.value.empty());
  EXPECT_FALSE(g.weight.empty());
}

// The layer that train gives carries the statistics; a step moves the rest and leaves them, weight decay or not.
TEST(BatchNorm, InACompiledStep) {
  const AdamW rule{.rate = .1, .weight_decay = .5};
  BatchNorm m = BatchNorm::make(2, {.dtype = f64});
  auto state = rule.init(m);
  const Tensor x = drawn(3, {50, 2}) * 3 + 5;
  const auto step = compile([&](const BatchNorm& n, AdamW::State s, const Tensor& batch) {
    const auto loss = [](const BatchNorm& b, const Tensor& v) {
      const auto [y, next] = b.train(v);
      return std::pair(mean(square(y)), next);
    };
    const auto [gradient, next] = grad(loss, has_aux)(n, batch);
    return rule.update(next, std::move(s), gradient);
  });
  for (int i = 0; i < 200; ++i) std::tie(m, state) = step(m, std::move(state), x);
  expect_near(m.running_mean.value, mean(x, 0), 1e-7);
  expect_near(m.running_variance.value, variance(x, 0, false, 1), 1e-7);
  EXPECT_LT(max(abs(m.weight)).item(), .2);
  EXPECT_EQ(tree::paths(m), (std::vector<std::string>{"weight", "bias", "running_mean", "running_variance"}));
}

}  // namespace
}  // namespace viva
