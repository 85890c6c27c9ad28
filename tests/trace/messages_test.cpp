// The error messages that docs/reference/front-end.md shows are the ones that users get.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "viva/viva.h"

namespace viva {
namespace {

std::string page() {
  const std::ifstream in(VIVA_SOURCE_DIR "/docs/reference/front-end.md");
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

template <class F> void expect_shown(F&& f) {
  try {
    f();
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_NE(page().find("\n" + std::string(e.what()) + "\n"), std::string::npos) << "not on the page: " << e.what();
  }
}

// Each case stands at its line of a file model.cpp, as on the page.
// clang-format off
TEST(Messages, StandOnThePage) {
  const Tensor x = ones({2, 3}), bias = ones({4});
  expect_shown([&] {
#line 12 "model.cpp"
    const Tensor y = x + bias;
  });
  expect_shown([&] {
#line 15 "model.cpp"
    const Tensor y = matmul(x, bias);
  });
  expect_shown([&] {
    Tensor kept;
#line 20 "model.cpp"
    const auto loss = [&](const Tensor& w) { kept = w * w; return sum(kept); };
    grad(loss)(x);
    const Tensor y = kept + 1;
  });
  expect_shown([&] {
#line 30 "model.cpp"
    const auto f = compile([](const Tensor& w) {
      return w.item() > 0 ? w : -w;
    });
    f(scalar(1));
  });
  expect_shown([&] {
#line 40 "model.cpp"
    grad([](const Tensor& w) { return w * w; })(x);
  });
  expect_shown([&] {
    struct Settings { Tensor w; double rate; };
#line 50 "model.cpp"
    const auto step = compile([](const Settings& s) { return s.w * s.rate; });
    for (int i = 0; i < 10; ++i) step(Settings{x, 0.5 * i});
  });
  expect_shown([&] {
#line 60 "model.cpp"
    vmap([](const Tensor& a, const Tensor& b) { return a * b; })(ones({8}), ones({9}));
  });
  expect_shown([&] {
#line 65 "model.cpp"
    const Tensor y = x(range(), 3);
  });
  expect_shown([&] {
    const Tensor counts = zeros({2}, Dtype::uint64), steps = zeros({2}, Dtype::int32);
#line 70 "model.cpp"
    const Tensor y = counts + steps;
  });
  expect_shown([&] {
    setenv("VIVA_CHECK_TRACES", "1", 1);
    Tensor scale = scalar(2);
#line 80 "model.cpp"
    const auto f = compile([&](const Tensor& w) { return w * scale; });
    unsetenv("VIVA_CHECK_TRACES");
    f(x);
    scale = scalar(3);
    f(x);
  });
  expect_shown([&] {
#line 90 "model.cpp"
    const auto f = compile([](const Tensor& w) { return sum(log(w)); }, {.check_nan = true});
    f(tensor({1, -1}));
  });
  expect_shown([&] {
#line 95 "model.cpp"
    conv(ones({1, 3, 8, 8}), ones({16, 4, 3, 3}));
  });
  expect_shown([&] {
    const auto loss = [](const Tensor& w, const Tensor& a) {
#line 101 "model.cpp"
      return sum(matmul(w, a));
    };
    const auto gradient = [&](const Tensor& a) {
#line 104 "model.cpp"
      return grad(loss)(ones({2, 3}), a);
    };
#line 106 "model.cpp"
    vmap(gradient)(ones({8, 4}));
  });
  expect_shown([&] {
    const auto slopes = [](const Tensor& a) {
#line 111 "model.cpp"
      return grad([](const Tensor& w) { return w * w; })(a);
    };
#line 113 "model.cpp"
    vmap(slopes)(ones({8, 4}));
  });
}

}  // namespace
}  // namespace viva
