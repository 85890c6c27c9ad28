// The questions of viva bench on networks small enough for a closed form.
#include "cli/questions.h"

#include <gtest/gtest.h>

#include <cmath>

#include "graph/build.h"
#include "interpret/interpret.h"
#include "support/temp_dir.h"

namespace viva {
namespace {

constexpr int64_t classes = 4, features = 3;

// y = x · w, with a scale of one element that is no weight to be trained.
Network linear(int64_t batch, float w = 0) {
  Build b("linear");
  const Value x = b.parameter({Dtype::float32, {batch, features}}, "x");
  const Value weight = b.parameter({Dtype::float32, {features, classes}}, "w");
  const Value scale = b.parameter({Dtype::float32, {1}}, "s");
  const Value y = b.dot(x, weight);
  return {b.finish({b.mul(y, b.broadcast(b.reshape(scale, {}), y.shape(), {}))}, {"y"}),
          {Array::full({Dtype::float32, {features, classes}}, w), Array::full({Dtype::float32, {1}}, 1)}};
}

std::vector<Array> answer(const AskedQuestion& a) {
  std::vector<Array> args(a.function->params().size());
  for (const auto& [i, value] : a.constants) args[static_cast<size_t>(i)] = value;
  size_t next = 0;
  for (Array& x : args)
    if (x.empty()) x = a.arguments.at(next++);
  EXPECT_EQ(next, a.arguments.size());
  EXPECT_EQ(a.donated.size(), a.arguments.size());
  return interpret(*a.function, args);
}

Array rows(int64_t batch) { return example_input({Dtype::float32, {batch, features}}); }

// d loss / d w at w = 0: the mean over examples of x · (1/K − [k is the label]).
double gradient_at_zero(const Array& x, int64_t f, int64_t k, int64_t from, int64_t to, bool label_zero) {
  double g = 0;
  for (int64_t i = from; i < to; ++i)
    g += x.at(i * features + f) * (1. / classes - (k == (label_zero ? 0 : i % classes) ? 1 : 0));
  return g / static_cast<double>(to - from);
}

TEST(Questions, NamesAreInverse) {
  const std::string all = "forward,grad,hvp,jvp,per-example-grad,input-grad,input-jacobian,adam-step";
  const auto questions = questions_from(all);
  ASSERT_EQ(questions.size(), 8u);
  std::vector<std::string_view> names;
  for (const Question q : questions) names.push_back(to_string(q));
  EXPECT_EQ(fmt::format("{}", fmt::join(names, ",")), all);
  VIVA_EXPECT_HAS(error_of([] { questions_from("grad,hessian"); }, ErrorKind::usage), "no question 'hessian'");
  VIVA_EXPECT_HAS(error_of([] { questions_from("grad,"); }, ErrorKind::usage), "no question ''");
}

TEST(Questions, LossOfUniformScoresIsLogK) {
  const Body loss = mean_cross_entropy(linear(6).function);
  const Network n = linear(6);
  EXPECT_NEAR(interpret(*loss, std::vector{rows(6), n.weights[0], n.weights[1]})[0].at(0), std::log(4.), 1e-6);
}

TEST(Questions, LossIsStable) {
  Build b("scores");
  const Value y = b.parameter({Dtype::float32, {2, 2}});
  const Body loss = mean_cross_entropy(b.finish({y}, {"y"}));
  const auto at = [&](std::vector<float> scores) {
    return interpret(*loss, std::vector{Array::of(scores, {2, 2})})[0].at(0);
  };
  // Labels 0 and 1: no loss in the first row, 1000 in the second.
  EXPECT_EQ(at({1000, 0, 1000, 0}), 500);
  EXPECT_EQ(at({1e30F, 0, 0, 1e30F}), 0);
  EXPECT_EQ(at({0, -INFINITY, -INFINITY, 0}), 0);
  EXPECT_TRUE(std::isnan(at({0, NAN, 0, 0})));
}

TEST(Questions, LabelsCountPositions) {
  Build b("scores");
  const Value y = b.parameter({Dtype::float64, {2, 2, 3}});
  const Body loss = mean_cross_entropy(b.finish({y}, {"y"}));
  // Positions 0, 1, 2, 3 have the labels 0, 1, 2, 0; a score of 50 there leaves next to no loss.
  Array scores = Array::zeros({Dtype::float64, {2, 2, 3}});
  for (size_t i = 0; i < 4; ++i) scores.as_mutable<double>()[i * 3 + i % 3] = 50;
  EXPECT_NEAR(interpret(*loss, std::vector{scores})[0].at(0), 0, 1e-15);
}

TEST(Questions, GradientsInClosedForm) {
  const Array x = rows(6);
  const auto g = answer(ask(Question::grad, linear(6), x));
  ASSERT_EQ(g.size(), 1u);  // the scale is a setting
  for (int64_t f = 0; f < features; ++f)
    for (int64_t k = 0; k < classes; ++k)
      EXPECT_NEAR(g[0].at(f * classes + k), gradient_at_zero(x, f, k, 0, 6, false), 1e-6);
  const auto each = answer(ask(Question::per_example_grad, linear(1), x));
  ASSERT_EQ(each.size(), 1u);
  EXPECT_EQ(each[0].shape(), (Shape{6, features, classes}));
  for (int64_t i = 0; i < 6; ++i)
    for (int64_t f = 0; f < features; ++f)
      for (int64_t k = 0; k < classes; ++k)
        EXPECT_NEAR(each[0].at((i * features + f) * classes + k), gradient_at_zero(x, f, k, i, i + 1, true), 1e-6);
}

// The direction 1 adds the same number to all scores of a row, which no softmax sees.
TEST(Questions, DirectionOfOnes) {
  const auto h = answer(ask(Question::hvp, linear(6, .3F), rows(6)));
  ASSERT_EQ(h.size(), 1u);
  EXPECT_NEAR(mean_absolute(h), 0, 1e-6);
  const auto j = answer(ask(Question::jvp, linear(6), rows(6)));
  ASSERT_EQ(j.size(), 2u);
  EXPECT_NEAR(j[0].at(0), std::log(4.), 1e-6);
  EXPECT_NEAR(j[1].at(0), 0, 1e-6);
}

TEST(Questions, OfTheInput) {
  Network n = linear(5), one = linear(1);
  n.weights[0] = one.weights[0] = example_input({Dtype::float32, {features, classes}});
  const Array& w = n.weights[0];
  const auto jacobian = answer(ask(Question::input_jacobian, one, rows(5)));
  ASSERT_EQ(jacobian.size(), 1u);
  EXPECT_EQ(jacobian[0].shape(), (Shape{5, classes, features}));
  for (int64_t i = 0; i < 5; ++i)
    for (int64_t k = 0; k < classes; ++k)
      for (int64_t f = 0; f < features; ++f)
        EXPECT_EQ(jacobian[0].at((i * classes + k) * features + f), w.at(f * classes + k));
  // At x = 0: the mean weight less the label's, over the batch.
  const Array zero = Array::zeros({Dtype::float32, {5, features}});
  const auto g = answer(ask(Question::input_grad, n, zero));
  for (int64_t i = 0; i < 5; ++i)
    for (int64_t f = 0; f < features; ++f) {
      double mean = 0;
      for (int64_t k = 0; k < classes; ++k) mean += w.at(f * classes + k) / classes;
      EXPECT_NEAR(g[0].at(i * features + f), (mean - w.at(f * classes + i % classes)) / 5, 1e-6);
    }
}

// The first step moves each weight by the rate against the sign of its gradient.
TEST(Questions, FirstStepOfAdam) {
  const Array x = rows(6);
  const AskedQuestion a = ask(Question::adam_step, linear(6), x);
  EXPECT_EQ(a.state, 4u);
  EXPECT_EQ(a.donated, (Mask{false, true, true, true, true}));
  const auto s = answer(a);
  ASSERT_EQ(s.size(), 4u);
  for (int64_t f = 0; f < features; ++f)
    for (int64_t k = 0; k < classes; ++k) {
      const double g = gradient_at_zero(x, f, k, 0, 6, false);
      const int64_t i = f * classes + k;
      EXPECT_NEAR(s[0].at(i), -1e-3 * g / (std::abs(g) + 1e-8), 1e-8);
      EXPECT_NEAR(s[1].at(i), .1 * g, 1e-7);
      EXPECT_NEAR(s[2].at(i), .001 * g * g, 1e-8);
    }
  EXPECT_EQ(s[3].at(0), 1);
}

TEST(Questions, Refusals) {
  Build b("tokens");
  const Value x = b.parameter({Dtype::int64, {2, 3}});
  const Network tokens{b.finish({b.convert(x, Dtype::float32)}, {"y"}), {}};
  const Array ids = example_input({Dtype::int64, {2, 3}});
  EXPECT_EQ(ids.at(5), 35);
  VIVA_EXPECT_HAS(error_of([&] { ask(Question::input_grad, tokens, ids); }, ErrorKind::unsupported), "input-grad");
  VIVA_EXPECT_HAS(error_of([&] { ask(Question::grad, tokens, ids); }, ErrorKind::unsupported), "no float weight");
  VIVA_EXPECT_HAS(error_of([&] { ask(Question::forward, tokens, rows(2)); }, ErrorKind::usage),
                  "f32[2,3], not i64[2,3]");
  Build c("integers");
  const Value y = c.parameter({Dtype::int64, {2, 3}});
  const Network integers{c.finish({y}, {"y"}), {}};
  VIVA_EXPECT_HAS(error_of([&] { mean_cross_entropy(integers.function); }, ErrorKind::usage), "float scores");
}

TEST(Questions, Check) {
  const std::vector<Array> a = {Array::of(std::vector<float>{-1, 3}, {2}), Array::scalar(4.0)};
  EXPECT_EQ(mean_absolute(a), 3);
}

}  // namespace
}  // namespace viva
