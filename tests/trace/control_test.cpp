// Control flow in C++ functions: values, derivatives with closed forms, batches of examples that differ, messages.
#include "viva/control.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "graph/graph.h"
#include "graph/opdef.h"
#include "trace/values.h"

namespace viva {
namespace {

using testing::f64;
using testing::message_of;

TEST(Control, ScanGivesTheLastCarryAndAllResults) {
  const Tensor xs = tensor({1, 2, 3, 4}, f64);
  const auto running = [](const Tensor& c, const Tensor& x) {
    const Tensor next = c * x;
    return std::pair(next, next + 1);
  };
  const auto [last, ys] = scan(running, scalar(1, f64), xs);
  EXPECT_EQ(last.item(), 24);
  EXPECT_EQ(to_string(ys), "f64[4] [2, 3, 7, 25]");
  const auto [back, seen] = scan(running, scalar(1, f64), xs, {.reverse = true});
  EXPECT_EQ(to_string(seen), "f64[4] [25, 25, 13, 5]");
  EXPECT_EQ(scan(running, scalar(7, f64), zeros({0}, f64)).first.item(), 7);
}

// h' = a·h + x is the polynomial Σ x_k a^(n-1-k) at a, with h = 0 before.
TEST(Control, ScanDifferentiatesWhatItCaptures) {
  const Tensor xs = tensor({1, -2, 3, 5}, f64);
  const auto horner = [&](const Tensor& a) {
    return scan([&](const Tensor& h, const Tensor& x) { return std::pair(a * h + x, std::tuple<>()); }, scalar(0, f64),
                xs)
        .first;
  };
  const double a = 1.5;
  EXPECT_DOUBLE_EQ(horner(scalar(a, f64)).item(), a * a * a - 2 * a * a + 3 * a + 5);
  EXPECT_DOUBLE_EQ(grad(horner)(scalar(a, f64)).item(), 3 * a * a - 4 * a + 3);
  EXPECT_DOUBLE_EQ(grad(grad(horner))(scalar(a, f64)).item(), 6 * a - 4);
  EXPECT_DOUBLE_EQ(grad(grad(grad(horner)))(scalar(a, f64)).item(), 6);
  const auto [value, tangent] = jvp(grad(horner))(scalar(a, f64), scalar(2, f64));
  EXPECT_DOUBLE_EQ(tangent.item(), 2 * (6 * a - 4));
  const Tensor all = vmap(grad(horner))(tensor({0, 1, a}, f64));
  EXPECT_EQ(all(0).item(), 3);
  EXPECT_EQ(all(1).item(), 2);
  EXPECT_DOUBLE_EQ(all(2).item(), 3 * a * a - 4 * a + 3);
}

// Values to the bit, derivatives to rounding: what steps share is summed block by block.
TEST(Control, NestedScansAreTheScan) {
  for (const int64_t n : {0, 1, 2, 3, 17, 100, 1000})
    for (const int levels : {2, 3})
      for (const bool reverse : {false, true}) {
        const Tensor xs = sin(arange(n, f64));
        const auto run = [&](int d) {
          return [=](const Tensor& a, const Tensor& x) {
            const auto step = [&](const Tensor& c, const Tensor& e) {
              const Tensor next = sin(a * c + e);
              return std::pair(next, next * e);
            };
            const auto [last, ys] = scan(step, a, x, {.reverse = reverse, .levels = d});
            return last + sum(ys * ys);
          };
        };
        const auto near = [&](const Tensor& x, const Tensor& y) {
          return max(abs(x - y)).item() <= 1e-12 * (1 + max(abs(y)).item());
        };
        const Tensor a = scalar(0.7, f64);
        EXPECT_EQ(run(levels)(a, xs).item(), run(1)(a, xs).item()) << n;
        const auto [da, dx] = grad(run(levels), wrt<0, 1>)(a, xs);
        const auto [ea, ex] = grad(run(1), wrt<0, 1>)(a, xs);
        EXPECT_TRUE(near(da, ea)) << n << ' ' << levels;
        if (n > 0) { EXPECT_TRUE(near(dx, ex)) << n << ' ' << levels; }
        EXPECT_TRUE(near(hvp(run(levels))(a, xs, a), hvp(run(1))(a, xs, a))) << n;
      }
}

// Elements that scans stack, each function counted once: what reverse mode keeps, since a block's are gone with it.
int64_t stacked(const Function& f, std::set<const Function*>& seen) {
  int64_t n = 0;
  if (!seen.insert(&f).second) return n;
  for (const Node& node : f.nodes()) {
    for (const Body& b : node.bodies) n += stacked(*b, seen);
    if (!node.op || node.op->name != "scan") continue;
    const auto carries = static_cast<size_t>(node.attrs.integer("carries"));
    for (size_t i = carries; i < node.types.size(); ++i) n += numel(node.types[i].shape);
  }
  return n;
}

TEST(Control, NestedScansKeepRootsOfTheSteps) {
  constexpr int64_t n = 4096;
  const auto kept = [&](int levels) {
    const auto f = [=](const Tensor& a) {
      const auto step = [&](const Tensor& c, std::tuple<>) { return std::pair(sin(a * c), std::tuple<>()); };
      return scan(step, a, std::tuple<>(), {.length = n, .levels = levels}).first;
    };
    std::set<const Function*> seen;
    return stacked(*trace(grad(f), scalar(0.7, f64)), seen);
  };
  const int64_t once = kept(1), squared = kept(2), cubed = kept(3);
  EXPECT_GE(once, n);
  const int64_t step = once / n;
  EXPECT_LE(squared, 64 + 64 * step);
  EXPECT_LE(cubed, 16 + 16 + 16 * step);
}

const auto newton = [](const Tensor& a) {
  return while_loop([&](const Tensor& x) { return abs(x * x - a) > 1e-12 * a; },
                    [&](const Tensor& x) { return (x + a / x) / 2; }, a);
};

TEST(Control, ReverseThroughAWhile) {
  EXPECT_NEAR(newton(scalar(2, f64)).item(), std::sqrt(2.0), 1e-12);
  EXPECT_NEAR(grad(newton)(scalar(2, f64)).item(), 0.5 / std::sqrt(2.0), 1e-9);
  const auto [value, tangent] = jvp(newton)(scalar(2, f64), scalar(1, f64));
  EXPECT_DOUBLE_EQ(tangent.item(), grad(newton)(scalar(2, f64)).item());
  EXPECT_NEAR(grad(grad(newton))(scalar(2, f64)).item(), -0.25 * std::pow(2.0, -1.5), 1e-6);
  EXPECT_DOUBLE_EQ(compile(grad(newton))(scalar(2, f64)).item(), grad(newton)(scalar(2, f64)).item());
}

// Each example takes as many steps as it takes alone.
TEST(Control, ExamplesOfAWhileEndApart) {
  const Tensor as = tensor({1, 2, 1e6, 1e-6}, f64), each = vmap(grad(newton))(as), values = vmap(newton)(as);
  for (int i = 0; i < 4; ++i) {
    EXPECT_DOUBLE_EQ(values(i).item(), newton(as(i)).item()) << i;
    EXPECT_DOUBLE_EQ(each(i).item(), grad(newton)(as(i)).item()) << i;
  }
}

// x ← x/2 while x > 1, n steps: the derivative is 2^-n. The slope of log at 0 must not come in after the end.
TEST(Control, EndedExamplesSpoilNothing) {
  const auto f = [](const Tensor& x) {
    return while_loop([](const Tensor& v) { return v > 0; }, [](const Tensor& v) { return log(v); }, x);
  };
  const Tensor xs = tensor({1, 5, 20}, f64);  // log 1 = 0 ends there, where log' is infinite
  const Tensor g = vmap(grad(f))(xs);
  for (int i = 0; i < 3; ++i) EXPECT_DOUBLE_EQ(g(i).item(), grad(f)(xs(i)).item()) << i;
  const Tensor w = scalar(2, f64);
  const auto total = [&](const Tensor& weight) {
    return sum(vmap([&](const Tensor& x) { return weight * f(x); })(xs));
  };
  EXPECT_TRUE(std::isfinite(grad(total)(w).item()));
}

TEST(Control, CondTakesOneFunction) {
  const auto f = [](const Tensor& w, const Tensor& x) {
    return cond(x > 0, [&](const Tensor& v) { return w * log(v); }, [](const Tensor& v) { return v * v; }, x);
  };
  const Tensor w = scalar(3, f64);
  EXPECT_EQ(f(w, scalar(-2, f64)).item(), 4);
  EXPECT_EQ(grad(f, wrt<1>)(w, scalar(-2, f64)).item(), -4);
  EXPECT_EQ(grad(f, wrt<0>)(w, scalar(-2, f64)).item(), 0);
  EXPECT_EQ(grad(f, wrt<1>)(w, scalar(2, f64)).item(), 1.5);
  EXPECT_DOUBLE_EQ(grad(grad(f, wrt<1>), wrt<1>)(w, scalar(2, f64)).item(), -0.75);
}

// log of what is not positive would give NaN in the gradient of a weight that all examples share.
TEST(Control, BranchesThatExamplesDoNotTakeSpoilNothing) {
  const auto f = [](const Tensor& w, const Tensor& x) {
    return cond(x > 0, [&](const Tensor& v) { return w * log(v); }, [&](const Tensor& v) { return w * v; }, x);
  };
  const Tensor xs = tensor({-1, 0, 2}, f64);
  const auto total = [&](const Tensor& w) { return sum(vmap(f, in_axes(none, 0))(w, xs)); };
  EXPECT_DOUBLE_EQ(grad(total)(scalar(1, f64)).item(), -1 + 0 + std::log(2.0));
  const Tensor each = vmap(grad(f, wrt<1>), in_axes(none, 0))(scalar(1, f64), xs);
  EXPECT_EQ(to_string(each), "f64[3] [1, 1, 0.5]");
  EXPECT_EQ(to_string(vmap(grad(f, wrt<1>), in_axes(none, 0))(scalar(1, f64), tensor({-1, 0}, f64))), "f64[2] [1, 1]");
}

TEST(Control, LoopsOverTrees) {
  struct State {
    Tensor sum, count;
  };
  const State s = fori_loop(
      5, [](const Tensor& i, const State& c) { return State{c.sum + convert(i, f64), c.count + 1}; },
      State{scalar(0, f64), scalar(0, Dtype::int32)});
  EXPECT_EQ(s.sum.item(), 10);
  EXPECT_EQ(s.count.item(), 5);
  EXPECT_EQ(fori_loop(0, [](const Tensor&, const Tensor& c) { return c + 1; }, scalar(2, f64)).item(), 2);
}

TEST(Control, MessagesNameTheLine) {
  const Tensor x = scalar(1, f64);
  const auto widens = [&] {
    return scan([](const Tensor& c, const Tensor& v) { return std::pair(convert(c, Dtype::float32), v); }, x,
                zeros({2}, f64));
  };
  EXPECT_NE(message_of(widens).find("leaf 0 of the carry goes in as f64[] and comes out as f32[]"), std::string::npos);
  EXPECT_NE(message_of(widens).find("control_test.cpp"), std::string::npos);
  const auto vector = [&] {
    return cond(tensor({1, 2}, f64) > 0, [] { return zeros({}, f64); }, [] { return ones({}, f64); });
  };
  EXPECT_NE(message_of(vector).find("is bool[2], not bool[]"), std::string::npos);
  const auto apart = [&] { return cond(true, [] { return zeros({}, f64); }, [] { return ones({2}, f64); }); };
  EXPECT_NE(message_of(apart).find("gives f64[], the other f64[2]"), std::string::npos);
  const auto endless = [&] {
    return while_loop([](const Tensor& v) { return v; }, [](const Tensor& v) { return v; }, x);
  };
  EXPECT_NE(message_of(endless).find("the predicate gives f64[], not one bool[]"), std::string::npos);
  const auto uneven = [&] {
    const auto f = [](const Tensor& c, const std::pair<Tensor, Tensor>&) { return std::pair(c, c); };
    return scan(f, x, std::pair(zeros({2}, f64), zeros({3}, f64)));
  };
  EXPECT_NE(message_of(uneven).find("one array has 2 elements, another 3"), std::string::npos);
}

}  // namespace
}  // namespace viva
