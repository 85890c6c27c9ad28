// The contract of Tensor: scopes, captures, values, and what is refused.
#include <gtest/gtest.h>

#include <thread>

#include "viva/viva.h"

namespace viva {
namespace {

Tensor number(double v) { return scalar(v, Dtype::float64); }

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) { return e.what(); }
  return "no error";
}

#define EXPECT_ERROR(expression, text)                                 \
  do {                                                                 \
    const std::string message = error_of([&] { (void)(expression); }); \
    EXPECT_NE(message.find(text), std::string::npos) << message;       \
  } while (false)

TEST(Contract, EagerOperationsRunAtOnce) {
  const Tensor x = tensor({1, 2, 3}), y = x * 2 + 1;
  EXPECT_EQ(to_string(y), "f32[3] [3, 5, 7]");
  EXPECT_EQ(sum(y).item(), 15);
  EXPECT_TRUE(sum(y) > 14);
}

TEST(Contract, PerturbationsAreNotConfused) {
  // d/dx (x · d/dy (x + y)) at 1 = 1
  const auto outer = [](const Tensor& x) {
    const auto inner = [&](const Tensor& y) { return x + y; };
    return x * grad(inner)(number(1));
  };
  EXPECT_EQ(grad(outer)(number(1)).item(), 1);
  // The same in forward mode.
  const auto forward = [](const Tensor& x) {
    return x * jvp([&](const Tensor& y) { return x + y; })(number(1), number(1)).second;
  };
  EXPECT_EQ(jvp(forward)(number(1), number(1)).second.item(), 1);
  // d/dx (x · d/dy (x · y)) = 2 x
  EXPECT_EQ(grad([](const Tensor& x) { return x * grad([&](const Tensor& y) { return x * y; })(number(5)); })(number(3))
                .item(),
            6);
}

TEST(Contract, CapturesPassThroughTwoLevels) {
  const Tensor c = number(7);
  const auto f = [&](const Tensor& x) {
    return grad([&](const Tensor& y) { return grad([&](const Tensor& z) { return c * x * y * z * z; })(y) * y; })(x);
  };
  // d/dz is 2 c x y z, at z = y and times y 2 c x y³; d/dy is 6 c x y², at y = x 6 c x³; d/dx is 18 c x².
  EXPECT_DOUBLE_EQ(f(number(2)).item(), 6 * 7 * 8);
  EXPECT_DOUBLE_EQ(grad(f)(number(2)).item(), 18 * 7 * 4);
  EXPECT_DOUBLE_EQ(compile(grad(f))(number(2)).item(), 18 * 7 * 4);
}

TEST(Contract, GradientsNest) {
  const auto f = [](const Tensor& x) { return x * x * x * x; };
  EXPECT_DOUBLE_EQ(grad(grad(grad(f)))(number(2)).item(), 48);
  EXPECT_DOUBLE_EQ(compile(grad(grad(grad(grad(f)))))(number(2)).item(), 24);
}

TEST(Contract, ATensorOfAClosedScopeIsAnError) {
  Tensor kept;
  const int line = __LINE__ + 1;
  const auto f = [&](const Tensor& x) { return kept = x * x; };
  grad(f)(number(2));
  EXPECT_ERROR(kept + 1, "contract_test.cpp:" + std::to_string(line) + " inside grad at");
  EXPECT_ERROR(kept.item(), "is used after it has returned");
  EXPECT_ERROR(grad([&](const Tensor& x) { return x * kept; })(number(1)), "is used after it has returned");
  EXPECT_EQ(kept.shape(), Shape{});  // types stay known
}

TEST(Contract, ScopesCloseAfterAnException) {
  EXPECT_THROW(grad([](const Tensor&) -> Tensor { throw std::runtime_error("user"); })(number(1)), std::runtime_error);
  EXPECT_EQ((number(1) + 1).item(), 2);
}

TEST(Contract, EagerGradientsSeeValues) {
  const auto f = [](const Tensor& x) {
    Tensor y = x;
    while (y.item() < 100) y = y * 2;
    return y > 150 ? y * y : y;
  };
  EXPECT_EQ(grad(f)(number(3)).item(), 2 * 192 * 64);  // 192² by x
  EXPECT_EQ(grad(f)(number(7)).item(), 16);            // 112 = 16 x
  // Through a capture and two levels.
  const auto g = [&](const Tensor& x) {
    return grad([&](const Tensor& y) { return (x * y).item() > 0 ? x * y : 3 * x * y; })(x);
  };
  EXPECT_EQ(grad(g)(number(-2)).item(), 1);
}

TEST(Contract, StagedValuesAreRefused) {
  const auto f = [](const Tensor& x) { return x.item() > 0 ? x : -x; };
  EXPECT_ERROR(compile(f)(number(1)), "[item] a tensor has no value under compile");
  EXPECT_ERROR(vmap(f)(tensor({1, 2})), "under vmap");
  EXPECT_ERROR(compile(f)(number(1)), "cond");
  EXPECT_ERROR(compile(f)(number(1)), "while");
  EXPECT_ERROR(compile(grad(f))(number(1)), "under compile");
  EXPECT_ERROR(grad([&](const Tensor& x) { return sum(vmap(f)(x)); })(tensor({1, 2})), "under vmap");
}

TEST(Contract, VmapOfGradAndGradOfVmap) {
  const auto f = [](const Tensor& w, const Tensor& x) { return square(sum(w * x)); };
  const Tensor w = tensor({1, 2}, Dtype::float64), xs = tensor({{1, 1}, {2, -1}, {0, 3}}, Dtype::float64);
  const Tensor each = vmap(grad(f), in_axes(none, 0))(w, xs);
  EXPECT_EQ(to_string(each), "f64[3,2] [[6, 6], [0, -0], [0, 36]]");
  const auto total = [&](const Tensor& v) { return sum(vmap(f, in_axes(none, 0))(v, xs)); };
  EXPECT_EQ(to_string(grad(total)(w)), "f64[2] [6, 42]");
  EXPECT_EQ(to_string(compile(vmap(grad(f), in_axes(none, 0)))(w, xs)), to_string(each));
  // A batch of one level captured by the next.
  const auto pairs =
      vmap([&](const Tensor& a) { return vmap([&](const Tensor& b) { return a * b; })(tensor({1, 2})); });
  EXPECT_EQ(to_string(pairs(tensor({10, 20, 30}))), "f32[3,2] [[10, 20], [20, 40], [30, 60]]");
}

TEST(Contract, CapturesOfCompileAreFrozen) {
  Tensor c = number(2);
  const auto f = compile([&](const Tensor& x) { return c * x; });
  EXPECT_EQ(f(number(3)).item(), 6);
  c = number(5);
  EXPECT_EQ(f(number(3)).item(), 6);
  setenv("VIVA_CHECK_TRACES", "1", 1);
  const int line = __LINE__ + 1;
  const auto checked = compile([&](const Tensor& x) { return c * x; });
  unsetenv("VIVA_CHECK_TRACES");
  EXPECT_EQ(checked(number(3)).item(), 15);
  EXPECT_EQ(checked(number(4)).item(), 20);
  c = number(6);
  EXPECT_ERROR(checked(number(3)),
               "the function compiled at contract_test.cpp:" + std::to_string(line) + " has changed");
}

TEST(Contract, CompileInsideAnotherTransformation) {
  const auto f = compile([](const Tensor& x) { return x * x * x; });
  EXPECT_EQ(grad(f)(number(2)).item(), 12);
  EXPECT_EQ(grad(grad(f))(number(2)).item(), 12);
  EXPECT_EQ(to_string(vmap(f)(tensor({1, 2}))), "f32[2] [1, 8]");
  EXPECT_EQ(f(number(3)).item(), 27);
  // A compiled function that captures a tensor of the enclosing scope is traced for that scope alone.
  const auto g = [](const Tensor& x) { return compile([&](const Tensor& y) { return x * y; })(x); };
  EXPECT_EQ(grad(g)(number(3)).item(), 6);
}

TEST(Contract, MovedArgumentsAreDonated) {
  const auto f = compile([](const Tensor& x) { return x + 1; });
  Tensor x = ones({1000});
  const Tensor kept = f(x);
  const std::byte* where = x.array().data();
  EXPECT_NE(kept.array().data(), where);
  EXPECT_EQ(x(0).item(), 1);
  const Tensor moved = f(std::move(x));
  EXPECT_EQ(moved.array().data(), where);
  EXPECT_EQ(moved(0).item(), 2);
  // A second reference forbids it.
  Tensor a = ones({1000});
  const Tensor b = a;
  EXPECT_NE(f(std::move(a)).array().data(), b.array().data());
  EXPECT_EQ(b(0).item(), 1);
}

struct Settings {
  Tensor w;
  double rate = 1;
  std::string kind = "a";
};

TEST(Contract, RecompilationsNameWhatChanged) {
  int traces = 0;
  const auto f = compile([&](const Settings& s, const Tensor& x) {
    ++traces;
    return s.w * x * s.rate;
  });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(f(Settings{number(2), 3}, number(1)).item(), 6);
  EXPECT_EQ(traces, 1);
  for (int i = 1; i <= 7; ++i) f(Settings{number(2), 3.0 + i}, number(1));
  EXPECT_EQ(traces, 8);
  EXPECT_ERROR(f(Settings{number(2), 0.5}, number(1)), "recompilation 8: argument 0.rate from 10 to 0.5 changed");
  EXPECT_ERROR(f(Settings{number(2), 10}, ones({3})), "argument 1 from f64[] to f32[3]");
  EXPECT_EQ(f(Settings{number(2), 3}, number(1)).item(), 6);  // known ones still run
}

TEST(Contract, TwoThreads) {
  const auto work = [](double at, double* out) {
    const auto f = [](const Tensor& x) { return x * grad([&](const Tensor& y) { return x * y * y; })(x); };
    for (int i = 0; i < 50; ++i) *out = grad(f)(number(at)).item();  // f = 2 x³
  };
  double a = 0, b = 0;
  std::thread one(work, 1.0, &a), two(work, 2.0, &b);
  one.join(), two.join();
  EXPECT_EQ(a, 6);
  EXPECT_EQ(b, 24);
  const auto f = compile([](const Tensor& x) { return sum(x * x); });
  double c = 0, d = 0;
  std::thread three([&] { c = f(ones({10})).item(); }), four([&] { d = f(ones({20})).item(); });
  three.join(), four.join();
  EXPECT_EQ(c, 10);
  EXPECT_EQ(d, 20);
  const auto other = [](const Tensor& x) {
    std::string message;
    std::thread([&] { message = error_of([&] { x + 1; }); }).join();
    EXPECT_NE(message.find("runs on another thread"), std::string::npos) << message;
    return x;
  };
  grad(other)(number(1));
}

TEST(Contract, ErrorsNameTheLine) {
  const Tensor x = ones({2, 3}), y = ones({4});
  const int line = __LINE__ + 1;
  EXPECT_ERROR(x + y, "contract_test.cpp:" + std::to_string(line) + ": [add] shapes [2,3] and [4] do not broadcast");
  EXPECT_ERROR(log_softmax(x, 5), "contract_test.cpp:" + std::to_string(line + 1));
  EXPECT_ERROR(grad([](const Tensor& t) { return t * 2; })(x),
               "[grad] the function gives f32[2,3], not a float scalar");
  EXPECT_ERROR(Tensor() + 1, "an empty tensor is used");
  EXPECT_ERROR(grad([](const Tensor& t) { return sum(t * 0.5); })(arange(3)), "no float tensor to differentiate by");
}

}  // namespace
}  // namespace viva
