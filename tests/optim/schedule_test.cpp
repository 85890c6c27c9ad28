#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "viva/viva.h"

namespace viva {
namespace {

double at(const Schedule& s, double t) { return s(scalar(t, Dtype::float64)).item(); }

TEST(Schedule, Constant) {
  EXPECT_EQ(at(schedule::constant(0.3), 0), 0.3);
  EXPECT_EQ(at(schedule::constant(0.3), 1e9), 0.3);
}

TEST(Schedule, Linear) {
  const Schedule s = schedule::linear(1, 3, 8);
  EXPECT_EQ(at(s, 0), 1);
  EXPECT_EQ(at(s, 2), 1.5);
  EXPECT_EQ(at(s, 8), 3);
  EXPECT_EQ(at(s, 100), 3);
}

TEST(Schedule, Cosine) {
  const Schedule s = schedule::cosine(2, 110, 10, 0.5);
  EXPECT_EQ(at(s, 0), 0);
  EXPECT_NEAR(at(s, 5), 1, 1e-15);
  EXPECT_NEAR(at(s, 10), 2, 1e-15);
  EXPECT_NEAR(at(s, 60), 1.25, 1e-15);
  EXPECT_NEAR(at(s, 35), 0.5 + 1.5 * (1 + std::sqrt(0.5)) / 2, 1e-15);
  EXPECT_NEAR(at(s, 110), 0.5, 1e-15);
  EXPECT_NEAR(at(s, 1000), 0.5, 1e-15);
  EXPECT_EQ(at(schedule::cosine(2, 110), 0), 2);
}

TEST(Schedule, ExponentialAndStep) {
  EXPECT_NEAR(at(schedule::exponential(3, 0.5, 10), 15), 3 * std::pow(0.5, 1.5), 1e-15);
  const Schedule s = schedule::step(3, 0.5, 10);
  EXPECT_EQ(at(s, 9), 3);
  EXPECT_EQ(at(s, 10), 1.5);
  EXPECT_EQ(at(s, 35), 0.375);
}

TEST(Schedule, OneCycle) {
  const Schedule s = schedule::one_cycle(1, 100);
  EXPECT_NEAR(at(s, 0), 0.04, 1e-15);
  EXPECT_NEAR(at(s, 15), 0.52, 1e-15);
  EXPECT_NEAR(at(s, 30), 1, 1e-15);
  EXPECT_NEAR(at(s, 65), (1 + 4e-6) / 2, 1e-15);
  EXPECT_NEAR(at(s, 100), 4e-6, 1e-15);
  EXPECT_NEAR(at(s, 200), 4e-6, 1e-15);
}

TEST(Schedule, Refusals) {
  const auto said = [](auto f) -> std::string {
    try {
      f();
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::usage);
      EXPECT_NE(std::string(e.where().file).find("schedule_test.cpp"), std::string::npos) << e.what();
      return e.message();
    }
    return "no error";
  };
  EXPECT_EQ(said([] { schedule::linear(1, 0, 0); }), "[schedule::linear] 0 steps: give 1 or more");
  EXPECT_EQ(said([] { schedule::exponential(1, .5, -1); }), "[schedule::exponential] -1 steps: give 1 or more");
  EXPECT_EQ(said([] { schedule::step(1, .5, 0); }), "[schedule::step] 0 steps: give 1 or more");
  EXPECT_EQ(said([] { schedule::cosine(1, 0); }), "[schedule::cosine] 0 steps: give 1 or more");
  for (const int64_t warm_up : {-1, 10, 11})
    EXPECT_EQ(said([&] { schedule::cosine(1, 10, warm_up); }),
              "[schedule::cosine] a warm-up of " + std::to_string(warm_up) +
                  " of 10 steps: give 0 or more, and fewer than the steps");
  EXPECT_EQ(said([] { schedule::one_cycle(1, 2); }),
            "[schedule::one_cycle] a rise over 0.3 of 2 steps: give a part that holds a step");
  EXPECT_EQ(said([] { schedule::one_cycle(1, 100, 1); }),
            "[schedule::one_cycle] a rise over 1 of 100 steps: give a part that holds a step");
  EXPECT_EQ(said([] { schedule::constant(std::nan("")); }), "[schedule::constant] nan is given: give numbers");
  EXPECT_EQ(said([] { schedule::linear(1, INFINITY, 3); }), "[schedule::linear] inf is given: give numbers");
}

// A schedule inside a compiled step reads the count of the state.
TEST(Schedule, StaysOneProgram) {
  const Sgd sgd{.rate = schedule::linear(1, 0, 4)};
  int traces = 0;
  const auto step = compile([&](const Tensor& w, const Sgd::State& s) {
    ++traces;
    return sgd.update(w, s, ones_like(w));
  });
  Tensor w = scalar(0.0);
  auto s = sgd.init(w);
  for (int i = 0; i < 6; ++i) std::tie(w, s) = step(std::move(w), std::move(s));
  EXPECT_EQ(w.item(), -(1 + 0.75 + 0.5 + 0.25));
  EXPECT_EQ(traces, 1);
}

}  // namespace
}  // namespace viva
