// Hard cases of the contract: deep nests, escapes, exceptions, aliases, recursion, threads.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

#include "viva/viva.h"

namespace viva {
namespace {

Tensor number(double v) { return scalar(v, Dtype::float64); }
Tensor vec(const std::vector<double>& v) { return tensor(v, {static_cast<int64_t>(v.size())}, Dtype::float64); }
std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) { return e.what(); }
  return "no error";
}
void expect_error(const std::function<void()>& f, const std::string& part) {
  const std::string message = error_of(f);
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(ContractEdges, ThreeLevelsInEveryMode) {
  // d/dz xyz² is 2xyz, at z = y and times y 2xy³; d/dy is 6xy², at y = x and times x 6x⁴.
  const auto f = [](const Tensor& x) {
    return x * grad([&](const Tensor& y) { return y * grad([&](const Tensor& z) { return x * y * z * z; })(y); })(x);
  };
  const auto mixed = [](const Tensor& x) {
    const auto inner = [&](const Tensor& y) { return y * grad([&](const Tensor& z) { return x * y * z * z; })(y); };
    return x * jvp(inner)(x, number(1)).second;
  };
  EXPECT_DOUBLE_EQ(f(number(2)).item(), 6 * 16);
  EXPECT_DOUBLE_EQ(grad(f)(number(2)).item(), 24 * 8);
  EXPECT_DOUBLE_EQ(jvp(mixed)(number(2), number(1)).second.item(), 24 * 8);
  EXPECT_DOUBLE_EQ(compile(grad(mixed))(number(2)).item(), 24 * 8);
  EXPECT_DOUBLE_EQ(grad(grad(mixed))(number(2)).item(), 72 * 4);
  // The Hessian of xy³ in y, times x, is 6x³ at y = x; its gradient 18x².
  const auto curved = [](const Tensor& x) { return hvp([&](const Tensor& y) { return x * y * y * y; })(x, x); };
  EXPECT_EQ(to_string(vmap(grad(curved))(vec({1, 2}))), "f64[2] [18, 72]");
}

TEST(ContractEdges, CapturesAtEachLevelOfJvpOfVmapOfGrad) {
  const Tensor a = number(3);
  // For each x: with b = 3s and c = bx the gradient of abcxs·y² at x is 2abcx²s = 54 s³x³; x³ sums to 9.
  const auto f = [&](const Tensor& s) {
    const Tensor b = s * a;
    return sum(vmap([&](const Tensor& x) {
      const Tensor c = b * x;
      return grad([&](const Tensor& y) { return a * b * c * y * y * x * s; })(x);
    })(vec({1, 2})));
  };
  EXPECT_DOUBLE_EQ(f(number(2)).item(), 486 * 8);
  EXPECT_DOUBLE_EQ(jvp(f)(number(2), number(1)).second.item(), 486 * 12);
  EXPECT_DOUBLE_EQ(grad(grad(f))(number(2)).item(), 486 * 12);
  EXPECT_DOUBLE_EQ(compile(jvp(f))(number(2), number(1)).second.item(), 486 * 12);
}

TEST(ContractEdges, EscapesThroughContainersFunctionsAndUpdates) {
  std::vector<Tensor> kept;
  std::function<Tensor()> late;
  Tensor total = number(0);
  vmap([&](const Tensor& x) {
    kept.push_back(x * 2);
    late = [x] { return x + 1; };
    return x;
  })(vec({1, 2}));
  grad([&](const Tensor& x) { return total += x; })(number(2));
  const std::string used = "is used after it has returned";
  expect_error([&] { kept[0] + 1; }, used), expect_error([&] { late(); }, used), expect_error([&] { total * 2; }, used);
  expect_error([&] { stack({number(1), kept[0]}); }, used);
  expect_error([&] { grad([](const Tensor& y) { return y * y; })(kept[0]); }, used);
  expect_error([&] { compile([](const Tensor& y) { return y * y; })(kept[0]); }, used);
  expect_error([&] { compile([&](const Tensor& y) { return y * kept[0]; })(number(1)); }, used);
  EXPECT_EQ(to_string(kept[0]), "f64[] (traced)");  // people may look at it
}

TEST(ContractEdges, ExceptionsLeaveTheEnclosingFunctionAsItWas) {
  const auto f = [](const Tensor& x) {
    try {
      grad([&](const Tensor& y) { return sum(concatenate({x, y, zeros({2, 2}, Dtype::float64)})); })(x);
    } catch (const Error&) { return sum(x * x); }
    return sum(x);
  };
  EXPECT_EQ(to_string(grad(f)(vec({3}))), "f64[1] [6]");
  EXPECT_EQ(to_string(compile(grad(f))(vec({3}))), "f64[1] [6]");
  EXPECT_EQ(to_string(vmap(grad(f))(reshape(vec({3, 4}), {2, 1}))), "f64[2,1] [[6], [8]]");
  int calls = 0;
  const auto c = compile([&](const Tensor& x) {
    if (calls++ == 0) throw std::runtime_error("the first time");
    return x * 2;
  });
  EXPECT_THROW(c(number(1)), std::runtime_error);
  EXPECT_EQ(c(number(1)).item(), 2);
  // The line of a function made of others is not left behind either.
  expect_error([] { softmax(zeros({2}), 5); }, "contract_edges_test.cpp:");
  const int line = __LINE__ + 1;
  expect_error([] { zeros({2}) + zeros({3}); }, "contract_edges_test.cpp:" + std::to_string(line));
}

TEST(ContractEdges, DonationOfWhatOthersHold) {
  const auto f = compile([](const Tensor& x, const Tensor& y) { return stack({x + y, x * y}); });
  Tensor x = vec({1, 2}), alias = x;
  EXPECT_EQ(to_string(f(std::move(x), alias)), "f64[2,2] [[2, 4], [1, 4]]");
  EXPECT_EQ(to_string(alias), "f64[2] [1, 2]");
  // One tensor moved into two arguments.
  Tensor twice = vec({1, 2});
  EXPECT_EQ(to_string(f(std::move(twice), std::move(twice))), "f64[2,2] [[2, 4], [1, 4]]");
  expect_error([&] { twice + 1; }, "an empty tensor is used");
  struct Tied {
    Tensor in, out;
  };
  Tied tied{vec({1}), {}};
  tied.out = tied.in;
  const auto step = compile([](const Tied& t) { return Tied{t.in + 1, t.out * 3}; });
  const Tied next = step(std::move(tied));
  EXPECT_EQ(next.in.item() * 10 + next.out.item(), 23);
  // What a compiled function captured is given to it as well.
  Tensor captured = vec({5});
  const auto scaled = compile([captured](const Tensor& t) { return t * captured; });
  EXPECT_EQ(scaled(std::move(captured)).item(), 25);
  EXPECT_EQ(scaled(vec({2})).item(), 10);
}

TEST(ContractEdges, FunctionsThatCallThemselves) {
  // Σ 3^(bits of i), by halves: each size is traced once, inside the one above.
  std::function<Tensor(const Tensor&)> f;
  f = compile([&](const Tensor& x) {
    if (x.size() == 1) return reshape(x, {});
    const std::vector<Tensor> halves = split(x, 2);
    return f(halves[0]) + 2 * f(halves[1]);
  });
  EXPECT_EQ(f(ones({8}, Dtype::float64)).item(), 27);
  EXPECT_EQ(to_string(grad(f)(ones({4}, Dtype::float64))), "f64[4] [1, 2, 2, 4]");
  std::function<Tensor(const Tensor&)> endless = compile([&](const Tensor& x) { return endless(x); });
  expect_error([&] { endless(number(1)); }, "one calls itself without end");
  std::function<Tensor(const Tensor&)> steeper = [&](const Tensor& x) {
    return grad([&](const Tensor& y) { return steeper(y); })(x);
  };
  expect_error([&] { steeper(number(1)); }, "contract_edges_test.cpp:");
  EXPECT_EQ(grad([](const Tensor& x) { return x * x; })(number(3)).item(), 6);  // nothing is left open
}

TEST(ContractEdges, ValuesUnderNestedDerivatives) {
  const auto f = [](const Tensor& x) {
    return grad([&](const Tensor& y) { return y.item() > x.item() ? y * y : x * y; })(x * 2);
  };
  EXPECT_EQ(f(number(3)).item(), 12);
  EXPECT_EQ(f(number(-3)).item(), -3);
  EXPECT_EQ(grad(f)(number(3)).item(), 4);
  EXPECT_EQ(grad(f)(number(-3)).item(), 1);
  EXPECT_EQ(grad(grad([&](const Tensor& x) { return x * f(x); }))(number(3)).item(), 8);
  const auto [value, map] = linearize([](const Tensor& x) { return x.item() > 0 ? x * x : x; })(number(2));
  EXPECT_EQ(map(number(1)).item(), 4);
  const auto inside = [](const Tensor& x) {
    return sum(vmap([&](const Tensor& y) { return y.item() > 0 ? y : x; })(vec({1, 2})));
  };
  expect_error([&] { grad(inside)(number(1)); }, "has no value under vmap");
}

TEST(ContractEdges, BatchesOfNothing) {
  EXPECT_EQ(vmap([](const Tensor& x) { return x * x; })(zeros({0, 3})).shape(), (Shape{0, 3}));
  EXPECT_EQ(vmap(grad([](const Tensor& x) { return sum(x * x); }))(zeros({0, 3})).shape(), (Shape{0, 3}));
  EXPECT_EQ(grad([](const Tensor& x) { return sum(x * x); })(zeros({0})).size(), 0);
}

TEST(ContractEdges, ManyThreadsOneFunction) {
  const auto f = compile([](const Tensor& x) { return grad([](const Tensor& y) { return sum(sin(y) * y); })(x); });
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 6; ++t)
    threads.emplace_back([&f, &wrong, t] {
      for (int i = 0; i < 10; ++i) {
        const Tensor y = f(full({1 + (i + t) % 5}, 0.5, Dtype::float64));
        wrong += y.size() != 1 + (i + t) % 5 || std::abs(y.array().at(0) - std::sin(.5) - .5 * std::cos(.5)) > 1e-12;
      }
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
}

TEST(ContractEdges, TreesOfEveryKind) {
  enum class Kind : uint8_t { plain, other };
  struct Unnamed {
    struct {
      Tensor w;
      double rate;
    } inner;
    std::optional<std::optional<Tensor>> maybe;
    std::map<std::string, std::vector<std::optional<Tensor>>> lists;
    std::map<int, Tensor> numbered;
    std::array<std::pair<Tensor, int>, 2> pairs;
    std::vector<bool> flags;
    Kind kind;
    Tensor (*activation)(const Arg&);
    std::tuple<> nothing;
  };
  const Unnamed m{{number(2), .1},
                  std::optional(std::optional(number(3))),
                  {{"x", {number(4), std::nullopt}}},
                  {{7, number(5)}},
                  {std::pair(number(6), 1), std::pair(number(7), 2)},
                  {true, false},
                  Kind::plain,
                  exp,
                  {}};
  EXPECT_EQ(tree::paths(m),
            (std::vector<std::string>{"inner.w", "maybe", "lists.x.0", "numbered.7", "pairs.0.0", "pairs.1.0"}));
  const auto loss = [](const Unnamed& t) {
    return t.inner.w * **t.maybe * *t.lists.at("x")[0] * t.numbered.at(7) * t.pairs[0].first * t.pairs[1].first;
  };
  const Unnamed g = grad(loss)(m), c = compile(grad(loss))(m);
  EXPECT_EQ(g.inner.w.item(), 2520);
  EXPECT_EQ((**g.maybe).item(), 1680);
  EXPECT_EQ(c.numbered.at(7).item(), 1008);
  EXPECT_FALSE(g.lists.at("x")[1].has_value());
}

}  // namespace
}  // namespace viva
