// Each rule against its formula written as a loop over doubles, on gradients of all sizes, with a leaf of integers, a
// leaf that is absent and a float leaf without gradient beside.
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "viva/viva.h"

namespace viva {
namespace {

struct Inner {
  Tensor weight, steps;  // steps: integers
};
struct Model {
  Inner inner;
  Tensor absent, bias, frozen;
};

constexpr int64_t n = 6;

double value(int64_t i) { return std::cos(3.0 * static_cast<double>(i) + 0.5); }
// Of sizes from 1e-4 to 1e2, both signs, and always 0 at element 5.
double gradient(int64_t t, int64_t i) {
  if (i == 5) return 0;
  return std::sin(1.7 * static_cast<double>(t) + static_cast<double>(i)) *
         std::pow(10.0, 1.5 * static_cast<double>(i) - 4);
}

Tensor make(Dtype d, const std::function<double(int64_t)>& f, int64_t from, const Shape& shape) {
  std::vector<double> v;
  for (int64_t i = from; i < from + numel(shape); ++i) v.push_back(f(i));
  return tensor(v, shape, d);
}

Model model(Dtype d) {
  return {{make(d, value, 0, {2, 2}), tensor({1, 2}, Dtype::int32)}, {}, make(d, value, 4, {2}), ones({1}, d)};
}
Model gradients(Dtype d, int64_t t) {
  const auto g = [&](int64_t i) { return gradient(t, i); };
  return {{make(d, g, 0, {2, 2}), {}}, {}, make(d, g, 4, {2}), {}};
}

std::vector<double> elements(const Model& m) {
  std::vector<double> v;
  for (const Tensor* t : {&m.inner.weight, &m.bias})
    for (int64_t i = 0; i < t->size(); ++i) v.push_back(t->array().at(i));
  return v;
}

// The parameters after `steps` of the rule, compiled with donated model and state, and eagerly.
template <class R> std::vector<double> run(const R& rule, int64_t steps, Dtype d, bool compiled) {
  const auto update = [&](const Model& m, const typename R::State& s, const Model& g) { return rule.update(m, s, g); };
  const auto step = compile(update);
  Model m = model(d);
  auto s = rule.init(m);
  for (int64_t t = 0; t < steps; ++t)
    std::tie(m, s) = compiled ? step(std::move(m), std::move(s), gradients(d, t)) : update(m, s, gradients(d, t));
  EXPECT_EQ(to_string(m.inner.steps), "i32[2] [1, 2]");
  EXPECT_TRUE(m.absent.empty());
  EXPECT_EQ(m.frozen.item(), 1);
  return elements(m);
}

// w after each step, by one(w, g, t) with t from 1; state is the closure's.
using Scalar = std::function<double(double w, double g, int64_t t)>;
std::vector<double> by_loop(const std::function<Scalar()>& rule, int64_t steps) {
  std::vector<double> w;
  for (int64_t i = 0; i < n; ++i) {
    const Scalar one = rule();
    double v = value(i);
    for (int64_t t = 0; t < steps; ++t) v = one(v, gradient(t, i), t + 1);
    w.push_back(v);
  }
  return w;
}

void expect_near(const std::vector<double>& got, const std::vector<double>& want, double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], want[i], tolerance * std::max(1.0, std::abs(want[i]))) << i;
}

template <class R> void expect_follows(const R& rule, const std::function<Scalar()>& formula, int64_t steps = 200) {
  const auto want = by_loop(formula, steps);
  expect_near(run(rule, steps, Dtype::float64, true), want, 1e-12);
  expect_near(run(rule, steps, Dtype::float64, false), want, 1e-12);
  expect_near(run(rule, steps, Dtype::float32, true), want, 2e-5);
}

TEST(Sgd, Plain) {
  expect_follows(Sgd{.rate = 0.01}, [] { return [](double w, double g, int64_t) { return w - 0.01 * g; }; });
}

TEST(Sgd, MomentumNesterovAndWeightDecay) {
  for (bool nesterov : {false, true})
    expect_follows(Sgd{.rate = 0.01, .momentum = 0.9, .nesterov = nesterov, .weight_decay = 0.1}, [=] {
      return [=, m = 0.0](double w, double g, int64_t) mutable {
        g += 0.1 * w;
        m = 0.9 * m + g;
        return w - 0.01 * (nesterov ? g + 0.9 * m : m);
      };
    });
}

std::function<Scalar()> adam_formula(double rate, double b1, double b2, double eps, double decay) {
  return [=] {
    return [=, m = 0.0, v = 0.0](double w, double g, int64_t t) mutable {
      const auto e = static_cast<double>(t);
      m = b1 * m + (1 - b1) * g;
      v = b2 * v + (1 - b2) * g * g;
      return w - rate * (m / (1 - std::pow(b1, e)) / (std::sqrt(v / (1 - std::pow(b2, e))) + eps) + decay * w);
    };
  };
}

TEST(Adam, FollowsItsFormula) {
  expect_follows(Adam{.rate = 0.02}, adam_formula(0.02, 0.9, 0.999, 1e-8, 0));
  expect_follows(Adam{.rate = 0.02, .beta1 = 0.5, .beta2 = 0.8, .epsilon = 0.1}, adam_formula(0.02, 0.5, 0.8, 0.1, 0));
}

TEST(Adam, FirstStepIsTheRate) {  // whatever the size of the gradient: the corrections cancel
  Model m = model(Dtype::float64);
  const Adam adam{.rate = 0.25};
  const auto [next, state] = adam.update(m, adam.init(m), gradients(Dtype::float64, 0));
  const auto before = elements(m), after = elements(next);
  for (size_t i = 1; i < 5; ++i) EXPECT_NEAR(std::abs(after[i] - before[i]), 0.25, 1e-4);
  EXPECT_EQ(after[5], before[5]);
  EXPECT_EQ(state.count.item(), 1);
}

TEST(AdamW, DecaysBesideTheStep) {
  expect_follows(AdamW{.rate = 0.02, .weight_decay = 0.3}, adam_formula(0.02, 0.9, 0.999, 1e-8, 0.3));
}

TEST(AdamW, DecayOfChosenParameters) {
  const auto matrices = run(AdamW{.rate = 0.02, .weight_decay = 0.3, .decays = is_matrix}, 50, Dtype::float64, true);
  const auto all = by_loop(adam_formula(0.02, 0.9, 0.999, 1e-8, 0.3), 50),
             none = by_loop(adam_formula(0.02, 0.9, 0.999, 1e-8, 0), 50);
  expect_near(matrices, {all[0], all[1], all[2], all[3], none[4], none[5]}, 1e-12);
}

TEST(Lion, FollowsItsFormula) {
  expect_follows(Lion{.rate = 0.003, .weight_decay = 0.1}, [] {
    return [m = 0.0](double w, double g, int64_t) mutable {
      const double c = 0.9 * m + 0.1 * g;
      m = 0.99 * m + 0.01 * g;
      return w - 0.003 * ((c > 0) - (c < 0) + 0.1 * w);
    };
  });
}

TEST(RmsProp, FollowsItsFormula) {
  for (bool inside : {false, true})
    for (bool centered : {false, true})
      for (double momentum : {0.0, 0.7})
        expect_follows(
            RmsProp{
                .rate = 0.01, .epsilon = 1e-3, .epsilon_inside = inside, .centered = centered, .momentum = momentum},
            [=] {
              return [=, v = 0.0, m = 0.0, b = 0.0](double w, double g, int64_t) mutable {
                v = 0.9 * v + 0.1 * g * g;
                m = 0.9 * m + 0.1 * g;
                const double spread = centered ? v - m * m : v;
                b = momentum * b + 0.01 * g / (inside ? std::sqrt(spread + 1e-3) : std::sqrt(spread) + 1e-3);
                return w - b;
              };
            });
}

TEST(Adagrad, FollowsItsFormula) {
  for (double initial : {0.1, 0.0})
    expect_follows(Adagrad{.rate = 0.05, .initial = initial, .epsilon = 0}, [=] {
      return [=, a = initial](double w, double g, int64_t) mutable {
        a += g * g;
        return a > 0 ? w - 0.05 * g / std::sqrt(a) : w;
      };
    });
}

TEST(Rules, HalvesKeepFloat32Moments) {
  const auto want = by_loop(adam_formula(0.02, 0.9, 0.999, 1e-8, 0), 20);
  for (Dtype d : {Dtype::bfloat16, Dtype::float16}) {
    const Model m = model(d);
    const auto s = Adam{}.init(m);
    EXPECT_EQ(s.second.at("bias").dtype(), Dtype::float32);
    expect_near(run(Adam{.rate = 0.02}, 20, d, true), want, d == Dtype::bfloat16 ? 0.08 : 0.01);
  }
}

TEST(Rules, ChangingRates) {
  const Schedule halving = [](const Tensor& count) { return 0.1 * pow(0.5, count); };
  expect_follows(Sgd{.rate = halving}, [] {
    return [](double w, double g, int64_t t) { return w - 0.1 * std::pow(0.5, static_cast<double>(t - 1)) * g; };
  });
  // A rate that is an argument: one compiled step serves all.
  int traces = 0;
  const auto step = compile([&](const Tensor& w, const Tensor& rate) {
    ++traces;
    const Sgd sgd{.rate = rate};
    return sgd.update(w, sgd.init(w), ones_like(w)).first;
  });
  EXPECT_EQ(step(scalar(1.0), scalar(0.5)).item(), 0.5);
  EXPECT_EQ(step(scalar(1.0), scalar(0.25)).item(), 0.75);
  EXPECT_EQ(traces, 1);
}

TEST(Rules, StatesAreNamedByTheModel) {
  const auto s = Adam{}.init(model(Dtype::float32));
  EXPECT_EQ(tree::paths(s), (std::vector<std::string>{"count", "first.bias", "first.frozen", "first.inner.weight",
                                                      "second.bias", "second.frozen", "second.inner.weight"}));
  EXPECT_EQ(tree::paths(chain(clip_by_value(1), Sgd{.momentum = 0.9}).init(scalar(1.0))),
            (std::vector<std::string>{"1.count", "1.momentum."}));
}

TEST(Rules, MomentsEndAtZero) {  // and not at a few times the smallest denormal number
  Tensor w = tensor({1, 1});
  const Adam adam;
  auto s = adam.init(w);
  for (int t = 0; t < 1200; ++t) std::tie(w, s) = adam.update(w, s, t == 0 ? tensor({1, 1e-30}) : zeros({2}));
  EXPECT_EQ(s.first.at("").array().at(0), 0);
  EXPECT_GT(s.second.at("").array().at(0), 1e-4);
  EXPECT_EQ(s.second.at("").array().at(1), 0);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  std::tie(w, s) = adam.update(w, s, tensor({nan, 0}));
  EXPECT_TRUE(std::isnan(w.array().at(0)));
  EXPECT_FALSE(std::isnan(w.array().at(1)));
}

TEST(Clip, ByGlobalNorm) {
  const Model m = model(Dtype::float64);
  Model g = gradients(Dtype::float64, 0);
  double total = 0;
  for (double v : elements(g)) total += v * v;
  const double norm = std::sqrt(total);
  EXPECT_NEAR(global_norm(g).item(), norm, 1e-12);
  for (double max : {norm * 2, norm / 3}) {
    const auto rule = chain(clip_by_global_norm(max), Sgd{.rate = 1.0});
    const auto after = elements(rule.update(m, rule.init(m), g).first);
    for (int64_t i = 0; i < n; ++i)
      EXPECT_NEAR(after[static_cast<size_t>(i)], value(i) - gradient(0, i) * std::min(1.0, max / norm), 1e-12);
  }
  const auto rule = chain(clip_by_global_norm(1), Sgd{});
  g.bias = tensor({std::numeric_limits<double>::quiet_NaN(), 0}, Dtype::float64);
  for (double v : elements(rule.update(m, rule.init(m), g).first)) EXPECT_TRUE(std::isnan(v));
}

TEST(Clip, ByValue) {
  const Model m = model(Dtype::float64);
  const auto rule = chain(clip_by_value(0.01), Sgd{.rate = 1.0});
  const auto after = elements(rule.update(m, rule.init(m), gradients(Dtype::float64, 0)).first);
  for (int64_t i = 0; i < n; ++i)
    EXPECT_NEAR(after[static_cast<size_t>(i)], value(i) - std::clamp(gradient(0, i), -0.01, 0.01), 1e-14);
}

TEST(Accumulate, StepsWithTheMeanOfSeveral) {
  const auto update = accumulate(Adam{.rate = 0.02}, 3);
  Model m = model(Dtype::float64), plain = m;
  auto s = update.init(m);
  const Adam adam{.rate = 0.02};
  auto t = adam.init(plain);
  for (int64_t i = 0; i < 12; ++i) {
    const auto before = elements(m);
    std::tie(m, s) = update.update(m, s, gradients(Dtype::float64, i));
    if (i % 3 != 2) {
      EXPECT_EQ(elements(m), before);
      continue;
    }
    const auto mean = [](const Tensor& a, const Tensor& b, const Tensor& c) { return (a + b + c) / 3; };
    const Model g = tree::map(mean, gradients(Dtype::float64, i - 2), gradients(Dtype::float64, i - 1),
                              gradients(Dtype::float64, i));
    std::tie(plain, t) = adam.update(plain, t, g);
    expect_near(elements(m), elements(plain), 1e-12);
  }
  EXPECT_EQ(s.rule.count.item(), 4);
}

TEST(Average, IsTheWeightedMean) {
  const Average average{.decay = 0.8};
  Model m = model(Dtype::float64);
  auto s = average.init(m);
  EXPECT_EQ(elements(average.model(m, s)), elements(m));
  std::vector<double> top(n), bottom(n);
  for (int64_t t = 0; t < 9; ++t) {
    m = gradients(Dtype::float64, t);
    m.inner.steps = tensor({3, 4}, Dtype::int32), m.frozen = ones({1}, Dtype::float64);
    s = average.update(m, s);
    for (int64_t i = 0; i < n; ++i) {
      const auto k = static_cast<size_t>(i);
      top[k] = 0.8 * top[k] + gradient(t, i), bottom[k] = 0.8 * bottom[k] + 1;
    }
  }
  const Model mean = average.model(m, s);
  for (size_t i = 0; i < n; ++i) EXPECT_NEAR(elements(mean)[i], top[i] / bottom[i], 1e-12);
  EXPECT_EQ(to_string(mean.inner.steps), "i32[2] [3, 4]");
}

template <class F> std::string error_of(F f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    return e.message();
  }
  return "no error";
}

TEST(Rules, RefuseAnotherModelsState) {
  const Adam adam;
  const Tensor w = ones({2});
  EXPECT_EQ(error_of([&] { adam.update(Inner{w, {}}, adam.init(w), Inner{w, {}}); }),
            "[optim] the state has no slot for weight: make it with init of this model");
  EXPECT_EQ(error_of([&] { adam.update(ones({3}), adam.init(w), ones({3})); }),
            "[optim] the state of the model is f32[2], the parameter f32[3]: make it with init of this model");
  EXPECT_EQ(error_of([&] { adam.update(w, adam.init(w), ones({3})); }),
            "[optim] the gradient of the model is f32[3], not f32[2]: give the gradient of this model");
  EXPECT_EQ(error_of([&] { accumulate(adam, 0); }), "[accumulate] every 0 gradients: give 1 or more");
}

TEST(Rules, RefuseTreesOfOtherLeaves) {
  const Adam adam;
  const std::vector<Tensor> two{ones({2}), ones({2})}, one{ones({2})};
  EXPECT_EQ(error_of([&] { adam.update(two, adam.init(two), one); }),
            "[optim] a gradient of 1 leaves for a model of 2: give the gradient of this model");
  EXPECT_EQ(error_of([&] { adam.update(two, adam.init(one), two); }),
            "[optim] the state has no slot for 1: make it with init of this model");
  EXPECT_EQ(error_of([&] { adam.update(two, Adam::State(), two); }),
            "[optim] the state is empty: make it with init of this model");
  EXPECT_EQ(error_of([&] { Average().update(two, {}); }),
            "[optim] the state is empty: make it with init of this model");
}

// Each setting that makes no sense, at init and at update, with the user's line.
TEST(Rules, RefuseSettingsThatMakeNoSense) {
  const Tensor w = ones({2});
  const auto refused = [&](const auto& rule, const std::string& message, const auto& good) {
    for (const bool update : {false, true}) try {
        if (update) rule.update(w, good.init(w), w);
        else rule.init(w);
        // A rate is looked at where it is used.
        if (update || message.find("rate") == message.npos) ADD_FAILURE() << "no error: " << message;
      } catch (const Error& e) {
        EXPECT_EQ(e.message(), message);
        EXPECT_NE(std::string(e.where().file).find("rules_test.cpp"), std::string::npos);
      }
  };
  const double nan = std::nan("");
  for (const double bad : {-1.0, nan, double(INFINITY)}) {
    const std::string rate = fmt::format("[optim] rate {}: give a number of 0 or more", bad);
    refused(Sgd{.rate = bad}, rate, Sgd());
    refused(Sgd{.rate = scalar(bad)}, rate, Sgd());
    refused(Sgd{.rate = [=](const Tensor& t) { return t * 0 + bad; }}, rate, Sgd());
    refused(Adam{.rate = bad}, rate, Adam());
    refused(Lion{.rate = bad}, rate, Lion());
    refused(RmsProp{.rate = bad}, rate, RmsProp());
    refused(Adagrad{.rate = bad}, rate, Adagrad());
    refused(chain(clip_by_global_norm(1), AdamW{.rate = bad}), rate, chain(clip_by_global_norm(1), AdamW()));
    refused(Sgd{.momentum = bad}, fmt::format("[Sgd] momentum {}: give a number of 0 or more", bad), Sgd());
    refused(AdamW{.weight_decay = bad}, fmt::format("[AdamW] weight_decay {}: give a number of 0 or more", bad),
            AdamW());
  }
  for (const double bad : {-.1, 1.0, nan}) {
    const std::string what = fmt::format("{}: give a number from 0 to below 1", bad);
    refused(Adam{.beta1 = bad}, "[Adam] beta1 " + what, Adam());
    refused(AdamW{.beta2 = bad}, "[AdamW] beta2 " + what, AdamW());
    refused(Lion{.beta2 = bad}, "[Lion] beta2 " + what, Lion());
    refused(RmsProp{.decay = bad}, "[RmsProp] decay " + what, RmsProp());
    EXPECT_EQ(error_of([&] { Average{bad}.init(w); }), "[Average] decay " + what);
  }
  for (const double bad : {0.0, -1e-8, nan}) {
    refused(Adam{.epsilon = bad}, fmt::format("[Adam] epsilon {}: give a number above 0", bad), Adam());
    refused(RmsProp{.epsilon = bad}, fmt::format("[RmsProp] epsilon {}: give a number above 0", bad), RmsProp());
    EXPECT_EQ(error_of([&] { clip_by_global_norm(bad); }),
              fmt::format("[clip_by_global_norm] a limit of {}: give a number above 0", bad));
    EXPECT_EQ(error_of([&] { ClipByValue{bad}.update(w, {}, w); }),
              fmt::format("[clip_by_value] a limit of {}: give a number above 0", bad));
  }
  refused(Adagrad{.epsilon = -1}, "[Adagrad] epsilon -1: give a number of 0 or more", Adagrad());
  refused(Sgd{.nesterov = true}, "[Sgd] nesterov without momentum: give a momentum, 0.9 say", Sgd());
  refused(Sgd{.rate = ones({2})}, "[optim] a rate that is f32[2]: give a scalar", Sgd());
  refused(Sgd{.rate = [](const Tensor&) { return Tensor(); }}, "[optim] a rate that is an empty tensor: give a scalar",
          Sgd());
}

TEST(Rules, ErrorsCarryTheLineOfTheUpdate) {
  const Adam adam{.rate = ones({2, 3})};
  const Tensor w = ones({2});
  uint32_t line = 0;
  try {
    line = __LINE__, adam.update(w, adam.init(w), w);
    FAIL();
  } catch (const Error& e) { EXPECT_EQ(e.where().line, line); }
}

}  // namespace
}  // namespace viva
