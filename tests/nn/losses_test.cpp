// Losses against closed forms, finite differences, and their limits at infinite logits.
#include "viva/losses.h"

#include "nn/check.h"

namespace viva {
namespace {

using check::counted;
using check::drawn;
using check::expect_gradient;
using check::expect_near;
using check::inf;
using check::nan;

Tensor labels(std::initializer_list<double> v) { return tensor(v, Dtype::int32); }
Tensor doubles(std::initializer_list<double> v) { return tensor(v, Dtype::float64); }
Tensor rows(std::initializer_list<std::initializer_list<double>> v) { return tensor(v, Dtype::float64); }

// logits = [[.5, -1, 2], [0, 0, 0]]; -log softmax at 2 and 1 by numpy.
TEST(CrossEntropy, Labels) {
  const Tensor x = rows({{.5, -1, 2}, {0, 0, 0}});
  expect_near(cross_entropy(x, labels({2, 1})), {2}, {0.24131129665715737, std::log(3)}, 1e-15);
  expect_near(cross_entropy(x, tensor({2, 1}, Dtype::uint8)), {2}, {0.24131129665715737, std::log(3)}, 1e-15);
  expect_near(cross_entropy(x(0), tensor({2}, Dtype::int64)(0)), {}, {0.24131129665715737}, 1e-15);
  expect_near(nll(log_softmax(x), labels({2, 1})), {2}, {0.24131129665715737, std::log(3)}, 1e-15);
}

TEST(CrossEntropy, LabelsOfFewBitsAmongManyClasses) {
  const Tensor x = drawn(1, {2, 300}), y = tensor({3, 200}, Dtype::uint8);
  expect_near(cross_entropy(x, y), cross_entropy(x, convert(y, Dtype::int64)), 0);
}

TEST(CrossEntropy, Probabilities) {
  const Tensor x = drawn(2, {4, 5}), p = softmax(drawn(3, {4, 5}));
  expect_near(cross_entropy(x, p), -sum(p * log_softmax(x), -1));
  const Tensor y = labels({4, 0, 2, 2});
  expect_near(cross_entropy(x, one_hot(y, 5, Dtype::float64)), cross_entropy(x, y));
}

TEST(CrossEntropy, Smoothing) {
  const Tensor x = drawn(4, {3, 4}), y = labels({1, 3, 0});
  const Tensor smooth = one_hot(y, 4, Dtype::float64) * .8 + .2 / 4;
  expect_near(cross_entropy(x, y, {.smoothing = .2}), -sum(smooth * log_softmax(x), -1));
  expect_near(cross_entropy(x, one_hot(y, 4, Dtype::float64), {.smoothing = .2}), -sum(smooth * log_softmax(x), -1));
}

TEST(CrossEntropy, IgnoredLabels) {
  const Tensor x = drawn(5, {3, 4}), y = labels({1, -100, 0});
  const Tensor l = cross_entropy(x, y, {.ignore = -100});
  EXPECT_EQ(l(1).item(), 0);
  EXPECT_EQ(l(0).item(), cross_entropy(x, y)(0).item());
  expect_near(masked_mean(l, y != -100), Shape{}, {(l(0).item() + l(2).item()) / 2});
  const Tensor g = grad([&](const Tensor& t) { return sum(cross_entropy(t, y, {.ignore = -100})); })(x);
  expect_near(g(1), zeros({4}), 0);
}

TEST(CrossEntropy, LabelsOutside) {
  const Tensor l = cross_entropy(drawn(5, {3, 4}), labels({4, -1, 3}));
  EXPECT_TRUE(std::isnan(l(0).item()));
  EXPECT_TRUE(std::isnan(l(1).item()));
  EXPECT_TRUE(std::isfinite(l(2).item()));
}

TEST(CrossEntropy, Gradient) {
  const Tensor x = drawn(6, {3, 4}), y = labels({0, 3, 1}), p = softmax(drawn(7, {3, 4}));
  expect_gradient([&](const Tensor& t) { return cross_entropy(t, y); }, x);
  expect_gradient([&](const Tensor& t) { return cross_entropy(t, y, {.smoothing = .1}); }, x);
  expect_gradient([&](const Tensor& t) { return cross_entropy(t, p); }, x);
  expect_gradient([&](const Tensor& t) { return cross_entropy(x, softmax(t)); }, x);
  expect_near(grad([&](const Tensor& t) { return sum(cross_entropy(t, y)); })(x),
              softmax(x) - one_hot(y, 4, Dtype::float64));
}

// The Hessian of one example is diag(p) - p pᵀ.
TEST(CrossEntropy, Curvature) {
  const Tensor x = drawn(8, {4}), p = softmax(x);
  const auto loss = [](const Tensor& t) { return cross_entropy(t, tensor({2}, Dtype::int32)(0)); };
  expect_near(hessian(loss)(x), eye(4, Dtype::float64) * p - outer(p, p));
}

TEST(CrossEntropy, PerExample) {
  const Tensor x = drawn(9, {3, 4}), y = labels({0, 3, 1});
  const auto one = [](const Tensor& t, const Tensor& l) { return cross_entropy(t, l); };
  expect_near(vmap(one)(x, y), cross_entropy(x, y), 1e-15);
  expect_near(compile(vmap(grad(one)))(x, y), softmax(x) - one_hot(y, 4, Dtype::float64));
}

TEST(CrossEntropy, HugeAndTinyLosses) {
  const Tensor x = tensor({{1000, 980}, {-3e38, 0}, {0, 40}});
  const Tensor l = cross_entropy(x, labels({0, 0, 1}));
  EXPECT_NEAR(l(0).item(), std::exp(-20), 1e-15);  // not rounded away beside 1000
  EXPECT_EQ(l(1).item(), static_cast<double>(3e38f));
  EXPECT_NEAR(l(2).item(), std::exp(-40), 1e-23);
}

TEST(CrossEntropy, LimitsAtInfinity) {
  const Tensor x = rows({{inf, 0, 1},
                         {0, inf, 1},
                         {0, -inf, 0},
                         {-inf, 0, 0},
                         {-inf, 0, -inf},
                         {0, -inf, -inf},
                         {inf, inf, 0},
                         {-inf, -inf, -inf},
                         {nan, 0, 0},
                         {0, nan, 0}});
  const Tensor y = labels({0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  expect_near(cross_entropy(x, y), {10}, {0, inf, std::log(2), inf, inf, 0, nan, nan, nan, nan});
  const Tensor g = grad([&](const Tensor& t) { return sum(cross_entropy(t, y)); })(x);
  expect_near(g(0), {3}, {0, 0, 0});
  expect_near(g(2), {3}, {-.5, 0, .5});
  expect_near(g(5), {3}, {0, 0, 0});
}

TEST(CrossEntropy, OneClassCostsNothing) {
  const Tensor x = rows({{3}, {-2}}), y = labels({0, 0});
  expect_near(cross_entropy(x, y), {2}, {0, 0}, 0);
  expect_near(grad([&](const Tensor& t) { return sum(cross_entropy(t, y)); })(x), {2, 1}, {0, 0}, 0);
}

TEST(CrossEntropy, EmptyBatch) {
  EXPECT_EQ(cross_entropy(zeros({0, 3}), zeros({0}, Dtype::int32)).shape(), Shape{0});
  EXPECT_EQ(cross_entropy(zeros({0, 3}), zeros({0, 3})).shape(), Shape{0});
}

TEST(CrossEntropy, HalfPrecisionIsRoundedOnce) {
  const Tensor x = convert(drawn(10, {5, 300}), Dtype::bfloat16), y = labels({0, 9, 99, 199, 299});
  const Tensor l = cross_entropy(x, y);
  EXPECT_EQ(l.dtype(), Dtype::bfloat16);
  expect_near(convert(l, Dtype::float64), convert(cross_entropy(convert(x, Dtype::float64), y), Dtype::float64), .04);
}

TEST(CrossEntropy, WrongShapesNameTheLine) {
  const Tensor x = zeros({2, 3});
  const auto wrong = [&](const Tensor& y) { return check::error_at(__LINE__, __FILE__, [&] { cross_entropy(x, y); }); };
  EXPECT_TRUE(
      check::holds(wrong(zeros({3}, Dtype::int32)), "[cross_entropy] f32[2,3] against labels i32[3]: batches differ"));
  EXPECT_TRUE(check::holds(wrong(zeros({2, 1}, Dtype::int32)), "takes [batch…, classes] and [batch…]"));
  EXPECT_TRUE(check::holds(wrong(zeros({2})), "[cross_entropy] f32[2,3] against probabilities f32[2]"));
  EXPECT_TRUE(check::holds(wrong(zeros({2}, Dtype::boolean)), "labels are integers"));
  EXPECT_TRUE(
      check::holds(check::error_of([&] { cross_entropy(x, labels({0, 0}), {.smoothing = 2}); }), "smoothing 2"));
  EXPECT_TRUE(
      check::holds(check::error_of([&] { cross_entropy(zeros({2, 0}), labels({0, 0})); }), "there are no classes"));
}

TEST(BinaryCrossEntropy, ClosedFormAndGradient) {
  const Tensor x = doubles({-2, 0, .5, 3}), t = doubles({0, 1, .25, 1});
  const Tensor p = sigmoid(x);
  expect_near(binary_cross_entropy_with_logits(x, t), -(t * log(p) + (1 - t) * log(1 - p)));
  expect_near(binary_cross_entropy_with_logits(x, t, 3), -(3 * t * log(p) + (1 - t) * log(1 - p)));
  expect_gradient([&](const Tensor& v) { return binary_cross_entropy_with_logits(v, t); }, x);
  expect_gradient([&](const Tensor& v) { return binary_cross_entropy_with_logits(x, v, 2); }, t);
}

TEST(BinaryCrossEntropy, LimitsAtInfinity) {
  const Tensor x = doubles({inf, inf, -inf, -inf, inf, 800, -800, nan}), t = doubles({1, 0, 0, 1, .5, 1, 1, 0});
  expect_near(binary_cross_entropy_with_logits(x, t), {8}, {0, inf, 0, inf, inf, 0, 800, nan});
  const Tensor g = grad([&](const Tensor& v) { return sum(binary_cross_entropy_with_logits(v, t)); })(x);
  expect_near(g(range(0, 7)), {7}, {0, 1, 0, -1, .5, 0, -1});
}

TEST(KlDivergence, ClosedForm) {
  const Tensor q = log(doubles({.5, .25, .25})), p = doubles({.5, .5, 0});
  expect_near(kl_divergence(q, p), {}, {.5 * std::log(2)}, 1e-15);
  expect_near(kl_divergence(log_softmax(drawn(1, {2, 3})), softmax(drawn(1, {2, 3}))), {2}, {0, 0}, 1e-15);
  expect_near(kl_divergence(doubles({0, -inf}), doubles({1, 0})), {}, {0}, 0);
  expect_near(kl_divergence(doubles({-inf, 0}), doubles({.5, .5})), {}, {inf}, 0);
  expect_gradient([&](const Tensor& v) { return kl_divergence(v, softmax(drawn(4, {2, 3}))); }, drawn(5, {2, 3}));
  expect_gradient([&](const Tensor& v) { return kl_divergence(drawn(5, {2, 3}), softmax(v)); }, drawn(4, {2, 3}));
}

TEST(Errors, ClosedForms) {
  const Tensor x = doubles({0, 1, -3, 5}), y = doubles({0, 0, 1, 4.5});
  expect_near(squared_error(x, y), {4}, {0, 1, 16, .25});
  expect_near(absolute_error(x, y), {4}, {0, 1, 4, .5});
  expect_near(huber(x, y), {4}, {0, .5, 3.5, .125});
  expect_near(huber(x, y, 2), {4}, {0, .5, 6, .125});
  expect_near(smooth_l1(x, y, 2), {4}, {0, .25, 3, .0625});
  expect_near(smooth_l1(x, y, 0), {4}, {0, 1, 4, .5});
  expect_near(hinge(doubles({.5, -1, 2, 1}), doubles({1, 1, -1, 1})), {4}, {.5, 2, 3, 0});
}

TEST(Errors, Gradients) {
  const Tensor x = doubles({.1, 1, -3, 5, 2}), y = doubles({0, 0, 1, 4.5, 2.2});
  expect_gradient([&](const Tensor& t) { return squared_error(t, y); }, x);
  expect_gradient([&](const Tensor& t) { return absolute_error(t, y); }, x);
  expect_gradient([&](const Tensor& t) { return huber(t, y, .7); }, x);
  expect_gradient([&](const Tensor& t) { return smooth_l1(t, y, .7); }, x);
  expect_gradient([&](const Tensor& t) { return hinge(t, doubles({1, -1, 1, -1, 1})); }, x);
}

TEST(Errors, SlopesAtCorners) {
  const auto slope = [](auto f, double x) { return grad(f)(scalar(x, Dtype::float64)).item(); };
  const Tensor zero = scalar(0, Dtype::float64), one = scalar(1, Dtype::float64);
  EXPECT_EQ(slope([&](const Tensor& t) { return absolute_error(t, zero); }, 0), 0);
  EXPECT_EQ(slope([&](const Tensor& t) { return hinge(t, one); }, 1), 0);
  EXPECT_EQ(slope([&](const Tensor& t) { return huber(t, zero); }, 1), 1);
  EXPECT_EQ(slope([&](const Tensor& t) { return huber(t, zero); }, -1), -1);
}

// Where the square would overflow the gradient is still ±delta.
TEST(Errors, HuberOfHugeDifferences) {
  const Tensor x = tensor({3e38, -3e30, INFINITY});
  const Tensor g = grad([](const Tensor& t) { return sum(huber(t, zeros({3}))); })(x);
  expect_near(g, {3}, {1, -1, 1}, 0);
}

TEST(Errors, NanGoesThrough) {
  const Tensor x = doubles({nan}), y = doubles({1});
  for (const Tensor& t : {squared_error(x, y), absolute_error(x, y), huber(x, y), smooth_l1(x, y), hinge(x, y),
                          binary_cross_entropy_with_logits(x, y), expand_dims(kl_divergence(x, y), 0),
                          expand_dims(cosine_similarity(x, y), 0)})
    EXPECT_TRUE(std::isnan(t(0).item()));
}

// An empty batch has no losses; the mean of none is NaN, as in NumPy and torch, and without a sign.
TEST(Errors, TheMeanOfAnEmptyBatchIsNan) {
  const Tensor none = zeros({0, 3}), labels = zeros({0}, Dtype::int32);
  for (const Tensor& t : {cross_entropy(none, labels), cross_entropy(none, none), nll(none, labels)})
    EXPECT_EQ(t.shape(), Shape{0});
  for (const Tensor& t :
       {mean(cross_entropy(none, labels)), mean(squared_error(none, none)), accuracy(none, labels), mean(none)}) {
    EXPECT_TRUE(std::isnan(t.item()));
    EXPECT_FALSE(std::signbit(t.item()));
  }
  EXPECT_EQ(masked_mean(zeros({0}), zeros({0}, Dtype::boolean)).item(), 0);
}

TEST(Errors, ShapesAreNotBroadcast) {
  const Tensor x = zeros({3}), y = zeros({3, 1});
  const auto refuses = [&](const auto& f) {
    EXPECT_TRUE(check::holds(check::error_of([&] { f(x, y); }), "shapes differ"));
  };
  refuses([](const Tensor& a, const Tensor& b) { return squared_error(a, b); });
  refuses([](const Tensor& a, const Tensor& b) { return absolute_error(a, b); });
  refuses([](const Tensor& a, const Tensor& b) { return huber(a, b); });
  refuses([](const Tensor& a, const Tensor& b) { return smooth_l1(a, b); });
  refuses([](const Tensor& a, const Tensor& b) { return hinge(a, b); });
  refuses([](const Tensor& a, const Tensor& b) { return binary_cross_entropy_with_logits(a, b); });
  refuses([](const Tensor& a, const Tensor& b) { return cosine_similarity(a, b); });
  EXPECT_TRUE(check::holds(check::error_at(__LINE__, __FILE__, [&] { squared_error(x, y); }),
                           "[squared_error] f32[3] against f32[3,1]: shapes differ"));
}

TEST(Cosine, Similarity) {
  const Tensor x = rows({{3, 4}, {1, 0}, {0, 0}}), y = rows({{4, 3}, {0, 2}, {1, 1}});
  expect_near(cosine_similarity(x, y), {3}, {24.0 / 25, 0, 0});
  expect_near(cosine_distance(x, y), {3}, {1.0 / 25, 1, 1});
  expect_near(cosine_similarity(transpose(x), transpose(y), 0), {3}, {24.0 / 25, 0, 0});
  expect_gradient([&](const Tensor& t) { return cosine_similarity(t, drawn(2, {3, 4})); }, drawn(1, {3, 4}));
  const Tensor g = grad([&](const Tensor& t) { return sum(cosine_similarity(t, y)); })(x);
  EXPECT_TRUE(std::isfinite(g(2, 0).item()));
}

TEST(Accuracy, CountsTheHighest) {
  const Tensor x = rows({{1, 3, 2}, {5, 5, 1}, {5, 5, 1}, {nan, 0, 0}, {0, nan, 0}, {0, 1, 2}});
  const Tensor y = labels({1, 0, 1, 0, 0, 7});
  EXPECT_EQ(check::numbers(correct(x, y)), (std::vector<double>{1, 1, 0, 0, 0, 0}));
  EXPECT_EQ(check::numbers(correct(x, y, 2)), (std::vector<double>{1, 1, 1, 0, 1, 0}));
  EXPECT_NEAR(accuracy(x, y).item(), 2.0 / 6, 1e-7);
  EXPECT_EQ(check::numbers(correct(x(0), tensor({2}, Dtype::int32)(0), 2)), std::vector<double>{1});
  const Tensor random = drawn(3, {50, 10}), guess = randint(key(4), {50}, 0, 10);
  EXPECT_EQ(check::numbers(correct(random, guess)), check::numbers(argmax(random, -1) == guess));
}

TEST(MaskedMean, OfNothingIsZero) {
  const Tensor v = doubles({1, nan, 3});
  expect_near(masked_mean(v, tensor({1, 0, 1}, Dtype::boolean)), Shape{}, {2});
  expect_near(masked_mean(v, tensor({0, 0, 0}, Dtype::boolean)), Shape{}, {0});
  EXPECT_TRUE(
      check::holds(check::error_of([&] { masked_mean(v, doubles({1, 0, 1})); }), "takes bool of the same shape"));
}

}  // namespace
}  // namespace viva
