// bound of C++ functions.
#include "viva/bound.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "viva/viva.h"

namespace viva {
namespace {

constexpr Dtype f64 = Dtype::float64;

struct Net {
  Tensor w, v;
  Tensor operator()(const Tensor& x) const { return sum(v * relu(matmul(w, x))); }
};
Net some_net() { return {reshape(tensor({1, -2, 3, 1}, f64), {2, 2}), tensor({1, -1}, f64)}; }
const auto apply_net = [](const Net& n, const Tensor& x) { return n(x); };

// Moved outward by no more than rounding asks for.
void expect_end(const Tensor& got, double exact, bool upper) {
  EXPECT_NEAR(got.item(), exact, 1e-13);
  if (upper) EXPECT_GE(got.item(), exact);
  else EXPECT_LE(got.item(), exact);
}

// By hand with interval arithmetic.
TEST(Bound, OfANetworkOverABox) {
  const Tensor low = tensor({0, 1}, f64), high = tensor({2, 2}, f64);
  // w·x: [0, 2] - 2·[1, 2] = [-4, 0], 3·[0, 2] + [1, 2] = [1, 8]; relu: [0, 0], [1, 8].
  const auto [l, u] = bound(apply_net, wrt<1>)(some_net(), low, high);
  expect_end(l, -8, false);
  expect_end(u, -1, true);
}

TEST(Bound, NestsWithEveryTransformation) {
  const Tensor low = tensor({0, 1}, f64), high = tensor({2, 2}, f64);
  const auto certified = [](const Net& n, const Tensor& a, const Tensor& b) {
    return bound(apply_net, wrt<1>)(n, a, b).first;
  };
  // The lower end is -(3·2 + 2): its gradient by the weights that give it.
  const Net g = grad(certified)(some_net(), low, high);
  EXPECT_EQ(to_string(g.w), "f64[2,2] [[0, 0], [-2, -2]]");
  EXPECT_NEAR(g.v(1).item(), 8, 1e-12);
  EXPECT_EQ(compile(certified)(some_net(), low, high).item(), certified(some_net(), low, high).item());
  const Tensor lows = reshape(tensor({0, 1, 0, 1}, f64), {2, 2}), highs = reshape(tensor({2, 2, 1, 1}, f64), {2, 2});
  const Tensor each = vmap(certified, in_axes(none, 0, 0))(some_net(), lows, highs);
  EXPECT_NEAR(each(0).item(), -8, 1e-12);
  EXPECT_NEAR(each(1).item(), -4, 1e-12);
  // A bound of a gradient: 3x² for x in [1, 2].
  const auto slope = grad([](const Tensor& x) { return x * x * x; });
  const auto [l, u] = bound(slope)(scalar(1, f64), scalar(2, f64));
  EXPECT_LE(l.item(), 3);
  EXPECT_GE(u.item(), 12);
  EXPECT_NEAR(l.item(), 3, 1e-12);
  EXPECT_NEAR(u.item(), 12, 1e-12);
}

TEST(Bound, GoesThroughControlFlow) {
  // x ↦ x/2 + 1 four times, from [0, 16].
  const auto loops = [](const Tensor& x) {
    return fori_loop(4, [](const Tensor&, const Tensor& c) { return c * 0.5 + 1; }, x);
  };
  const auto [l, u] = bound(loops)(scalar(0, f64), scalar(16, f64));
  expect_end(l, 1.875, false);
  expect_end(u, 2.875, true);
  // Either branch.
  const auto branch = [](const Tensor& x) {
    return cond(x > 1, [](const Tensor& y) { return y + 10; }, [](const Tensor& y) { return -y; }, x);
  };
  const auto both = bound(branch)(scalar(0, f64), scalar(2, f64));
  EXPECT_LE(both.first.item(), -1);
  EXPECT_GE(both.second.item(), 12);
  const auto one = bound(branch)(scalar(2, f64), scalar(3, f64));
  expect_end(one.first, 12, false);
  expect_end(one.second, 13, true);
}

TEST(Bound, EmptyUpperEndsAreTheArgumentItself) {
  const auto f = [](const Net& n) { return n.w + n.v; };
  const Net low{scalar(1, f64), scalar(5, f64)}, high{scalar(2, f64), Tensor()};
  const auto [l, u] = bound(f)(low, high);
  expect_end(l, 6, false);
  expect_end(u, 7, true);
}

TEST(Bound, OfIntegersAndTruthValues) {
  const auto f = [](const Tensor& i) { return std::pair(i * 2, i > 3); };
  const auto [l, u] = bound(f)(scalar(1, Dtype::int32), scalar(4, Dtype::int32));
  EXPECT_EQ(l.first.item(), 2);
  EXPECT_EQ(u.first.item(), 8);
  EXPECT_EQ(l.second.item(), 0);
  EXPECT_EQ(u.second.item(), 1);
}

// x - x is 0, which no interval arithmetic sees.
TEST(Bound, ByARuleOfTheUsersOwn) {
  const auto slack = [](const Tensor& low, const Tensor& high) {
    const Tensor none = low * 0;
    return std::pair(none + high * 0, none);
  };
  const auto zero = custom_bound([](const Tensor& x) { return x - x; }, slack);
  const Tensor low = tensor({1, 2}, f64), high = tensor({2, 5}, f64);
  const auto [l, u] = bound([&](const Tensor& x) { return zero(x) + 1; })(low, high);
  for (int i = 0; i < 2; ++i) {
    expect_end(l(i), 1, false);
    expect_end(u(i), 1, true);
  }
  // Values, derivatives and batches are those of the body; a bound of a batch is by the rule.
  EXPECT_EQ(to_string(zero(low)), "f64[2] [0, 0]");
  EXPECT_EQ(grad([&](const Tensor& x) { return sum(zero(x) + x); })(low)(0).item(), 1);
  const Tensor lows = reshape(tensor({1, 2, 3, 4}, f64), {2, 2}), highs = lows + 1;
  const auto [ls, us] = bound(vmap(zero))(lows, highs);
  EXPECT_EQ(to_string(ls), "f64[2,2] [[0, 0], [0, 0]]");
  EXPECT_EQ(to_string(vmap([&](const Tensor& a, const Tensor& b) { return bound(zero)(a, b).second; })(lows, highs)),
            to_string(us));
  EXPECT_EQ(to_string(compile([&](const Tensor& a, const Tensor& b) { return bound(zero)(a, b).first; })(low, high)),
            "f64[2] [0, 0]");
}

// What is captured has no ends in the rule: where it lies in a box the body is bounded.
TEST(Bound, ARuleSpeaksOfArgumentsAlone) {
  const auto f = [](const Tensor& x, const Tensor& w) {
    const auto rule = [w](const Tensor& a, const Tensor& b) { return std::pair(a * w - 100, b * w + 100); };
    return custom_bound([w](const Tensor& v) { return v * w; }, rule)(x);
  };
  const auto by_rule = bound(f)(scalar(1, f64), scalar(3, f64), scalar(2, f64));
  expect_end(by_rule.first, -97, false);
  const auto by_body = bound(f, wrt<0, 1>)(scalar(1, f64), scalar(3, f64), scalar(2, f64), scalar(4, f64));
  expect_end(by_body.first, 3, false);
  expect_end(by_body.second, 8, true);
}

template <class F> std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& e) { return e.what(); }
  return "";
}

TEST(Bound, SaysWhatIsWrong) {
  const auto id = [](const Tensor& x) { return x; };
  EXPECT_NE(message_of([&] {
              bound(id)(tensor({1, 2}, f64), scalar(1, f64));
            }).find("an upper end is f64[], and must be f64[2]"),
            std::string::npos);
  const auto asks = [](const Tensor& x) { return x.item() > 0 ? x : -x; };
  EXPECT_NE(message_of([&] { bound(asks)(scalar(1, f64), scalar(2, f64)); }).find("cond"), std::string::npos);
}

}  // namespace
}  // namespace viva
