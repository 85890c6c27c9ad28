// User rules: that they are used, in every order of transformations, and that all else follows from them or from the
// body.
#include <gtest/gtest.h>

#include <cmath>

#include "cpu/executable.h"
#include "trace/custom_functions.h"
#include "transform/transform.h"

namespace viva {
namespace {

// Derivatives in one variable, of a function of vectors that works element by element.
struct Mode {
  const char* name;
  Fn (*derivative)(Fn);
};
Fn by_reverse(Fn f) {
  return [f](const Tensor& x) { return grad([f](const Tensor& v) { return sum(f(v)); })(x); };
}
Fn by_forward(Fn f) {
  return [f](const Tensor& x) { return jvp(f)(x, ones(x.shape(), f64)).second; };
}
Fn by_pullback(Fn f) {
  return [f](const Tensor& x) { return vjp(f)(x).second(ones(x.shape(), f64)); };
}
Fn by_linearize(Fn f) {
  return [f](const Tensor& x) { return linearize(f)(x).second(ones(x.shape(), f64)); };
}
constexpr Mode modes[] = {{"grad", by_reverse}, {"jvp", by_forward}, {"vjp", by_pullback}, {"linearize", by_linearize}};

Fn same(Fn f) { return f; }
Fn mapped(Fn f) {
  return [f](const Tensor& x) { return vmap(f)(stack({x, x + 0.25}, 0))(0); };
}
Fn compiled(Fn f) { return compile(f); }
Fn in_scan(Fn f) {  // one step, so that f is taken once
  return [f](const Tensor& x) {
    return scan([f](const Tensor& c, const Tensor&) { return std::pair(f(c), std::tuple<>()); }, x, zeros({1}, f64))
        .first;
  };
}
Fn in_cond(Fn f) {
  return [f](const Tensor& x) { return cond(sum(x) > -1e9, f, [](const Tensor& v) { return v; }, x); };
}
Fn in_while(Fn f) {
  return [f](const Tensor& x) {
    return while_loop([](const std::pair<Tensor, Tensor>& s) { return s.second < 1; },
                      [f](const std::pair<Tensor, Tensor>& s) { return std::pair(f(s.first), s.second + 1); },
                      std::pair(x, scalar(0, Dtype::int32)))
        .first;
  };
}
Fn checkpointed(Fn f) { return checkpoint(f); }
constexpr Mode contexts[] = {{"", same},        {"vmap", mapped},    {"compile", compiled},       {"scan", in_scan},
                             {"cond", in_cond}, {"while", in_while}, {"checkpoint", checkpointed}};

// A rule is used in each context, by each kind of derivative, under each context again.
TEST(Custom, RulesAreKeptInPairsAndTriples) {
  const Tensor x = tensor({2, -0.5}, f64);
  for (const Mode& inner : contexts)
    for (const Mode& d : modes)
      for (const Mode& outer : contexts) {
        SCOPED_TRACE(std::string(outer.name) + " of " + d.name + " of " + inner.name);
        const auto derived = [&](const Fn& f) { return outer.derivative(d.derivative(inner.derivative(f)))(x); };
        EXPECT_EQ(to_string(derived(three)), "f64[2] [3, 3]");
        EXPECT_EQ(to_string(derived(five)), "f64[2] [5, 5]");
      }
}

// Third order of rules that use themselves, in all mixed orders: d³ exp = exp.
TEST(Custom, RulesThatUseThemselvesHaveEveryOrder) {
  const double e = std::exp(0.7);
  for (const Fn& f : {Fn(own_exp), Fn(fresh_exp)}) {
    EXPECT_DOUBLE_EQ(value(f, 0.7), e);
    for (const Mode& a : modes)
      for (const Mode& b : modes) {
        EXPECT_NEAR(value(b.derivative(a.derivative(f)), 0.7), e, 1e-14) << b.name << " of " << a.name;
        for (const Mode& c : modes) {
          if (&c == &modes[2] || &b == &modes[3]) continue;  // grad and jvp stand for their like
          EXPECT_NEAR(value(c.derivative(b.derivative(a.derivative(f))), 0.7), e, 1e-14)
              << c.name << " of " << b.name << " of " << a.name;
        }
      }
    EXPECT_NEAR(value(compile(by_reverse(by_forward(by_reverse(f)))), 0.7), e, 1e-14);
    EXPECT_NEAR(value(mapped(by_reverse(mapped(by_reverse(f)))), 0.7), e, 1e-14);
    EXPECT_NEAR(value(in_scan(by_reverse(in_cond(by_reverse(f)))), 0.7), e, 1e-14);
    EXPECT_NEAR(value(by_reverse(in_while(by_reverse(f))), 0.7), e, 1e-12);
  }
}

// jax#16049, #7401: a custom reverse rule loses forward mode, and so Hessians.
TEST(Custom, AVjpRuleHasForwardModeAndHessians) {
  const auto norm =
      custom_vjp([](const Tensor& w, const Tensor& x) { return sum(w * sin(x)); },
                 [](const Tensor& w, const Tensor& x) { return std::pair(sum(w * sin(x)), std::pair(w, x)); },
                 [](const std::pair<Tensor, Tensor>& r, const Tensor& c) {
                   return std::tuple(c * sin(r.second), c * r.first * cos(r.second));
                 });
  const auto plain = [](const Tensor& w, const Tensor& x) { return sum(w * sin(x)); };
  const Tensor w = tensor({0.3, -2, 1.5}, f64), x = tensor({0.1, 0.9, -1.2}, f64), d = tensor({1, -1, 0.5}, f64);
  const auto near = [](const Tensor& a, const Tensor& b) {
    ASSERT_EQ(a.type(), b.type());
    EXPECT_LT(max(abs(a - b)).item(), 1e-14);
  };
  near(jvp(norm, wrt<0, 1>)(w, x, d, d).second, jvp(plain, wrt<0, 1>)(w, x, d, d).second);
  near(hvp(norm, wrt<1>)(w, x, d), hvp(plain, wrt<1>)(w, x, d));
  near(hessian(norm, wrt<1>)(w, x), hessian(plain, wrt<1>)(w, x));
  near(jacfwd(grad(norm, wrt<1>), wrt<1>)(w, x), jacrev(grad(plain, wrt<1>), wrt<1>)(w, x));
  near(jacrev(grad(norm, wrt<1>), wrt<1>)(w, x), hessian(plain, wrt<1>)(w, x));
  near(jacfwd(jacfwd(norm, wrt<1>), wrt<1>)(w, x), hessian(plain, wrt<1>)(w, x));
  const auto [a, b] = hvp(norm, wrt<0, 1>)(w, x, d, d);
  const auto [p, q] = hvp(plain, wrt<0, 1>)(w, x, d, d);
  near(a, p), near(b, q);
  near(compile(hessian(norm, wrt<1>))(w, x), hessian(plain, wrt<1>)(w, x));
  const Tensor xs = stack({x, 2 * x}, 0);
  near(vmap(hessian(norm, wrt<1>), in_axes(none, 0))(w, xs)(1), hessian(plain, wrt<1>)(w, 2 * x));
}

// Per-example gradients, and those of a weight that all share: the sum.
TEST(Custom, SharedArgumentsGetTheSum) {
  struct Model {
    Tensor weight, bias;
  };
  const auto scores =
      custom_vjp([](const Model& m, const Tensor& x) { return dot(m.weight, x) + m.bias; },
                 [](const Model& m, const Tensor& x) { return std::pair(dot(m.weight, x) + m.bias, std::pair(m, x)); },
                 [](const std::pair<Model, Tensor>& r, const Tensor& c) {
                   const auto& [m, x] = r;
                   return std::tuple(Model{7 * outer(c, x), c}, dot(transpose(m.weight), c));
                 });
  const Model m{tensor({{1, 2, 0.5}, {-1, 0.25, 3}}, f64), tensor({0.5, -0.5}, f64)};
  const Tensor xs = tensor({{1, 2, 3}, {-1, 0.5, 2}}, f64), ones2 = ones({2}, f64);
  const auto loss = [&](const Model& w, const Tensor& x) { return sum(scores(w, x)); };
  const Model each = vmap(grad(loss), in_axes(none, 0))(m, xs);
  EXPECT_EQ(each.weight.shape(), (Shape{2, 2, 3}));
  const auto total = [&](const Model& w) { return sum(vmap(loss, in_axes(none, 0))(w, xs)); };
  const Model all = grad(total)(m);
  EXPECT_EQ(to_string(all.weight), to_string(sum(each.weight, 0)));
  EXPECT_EQ(to_string(all.weight), to_string(7 * outer(ones2, sum(xs, 0))));
  EXPECT_EQ(to_string(all.bias), "f64[2] [2, 2]");
  const Model fast = compile(grad(total))(m);
  EXPECT_EQ(to_string(fast.weight), to_string(all.weight));
  const auto moved = jvp(total)(m, Model{ones({2, 3}, f64), zeros({2}, f64)}).second;
  EXPECT_DOUBLE_EQ(moved.item(), sum(all.weight).item());
}

// What a function or a rule captures is an operand, also of functions around it; through it the body is differentiated.
TEST(Custom, CapturesAreLifted) {
  const auto f = [](const Tensor& a, const Tensor& x) {
    const auto scaled =
        custom_jvp([a](const Tensor& v) { return a * v * v; },
                   [a](const Tensor& v, const Tensor& dv) { return std::pair(a * v * v, 10 * a * dv); });
    return scaled(x);
  };
  EXPECT_EQ(grad(f, wrt<1>)(at(2), at(3)).item(), 20);
  EXPECT_EQ(grad(f, wrt<0>)(at(2), at(3)).item(), 9);
  EXPECT_EQ(grad(grad(f, wrt<1>), wrt<0>)(at(2), at(3)).item(), 10);
  EXPECT_EQ(jvp(grad(f, wrt<1>), wrt<0>)(at(2), at(3), at(1)).second.item(), 10);
  EXPECT_EQ(to_string(vmap(grad(f, wrt<1>), in_axes(0, none))(tensor({1, 2}, f64), at(3))), "f64[2] [10, 20]");
  EXPECT_EQ(compile(grad(f, wrt<1>))(at(2), at(3)).item(), 20);
  const auto both = grad(f, wrt<0, 1>)(at(2), at(3));
  EXPECT_EQ(std::get<0>(both).item(), 9);
  EXPECT_EQ(std::get<1>(both).item(), 20);
}

// Only the rule captures, in a function that uses itself: the rule is traced when the scope that it captures is closed.
TEST(Custom, RulesThatUseThemselvesCapture) {
  const Tensor outside = at(0.5);
  // own lives while the graph is traced and transformed.
  std::function<Tensor(const Tensor&)> own;
  const auto g = [&](const Tensor& a, const Tensor& x) {
    own = custom_jvp([](const Tensor& v) { return exp(v); },
                     [a, &outside, &own](const Tensor& v, const Tensor& dv) {
                       const Tensor y = own(v);
                       return std::pair(y, 2 * a * outside * y * dv);
                     });
    return own(x);
  };
  const double e = std::exp(0.3);
  EXPECT_DOUBLE_EQ(grad(g, wrt<1>)(at(3), at(0.3)).item(), 3 * e);
  EXPECT_DOUBLE_EQ(grad(grad(g, wrt<1>), wrt<1>)(at(3), at(0.3)).item(), 9 * e);
  EXPECT_DOUBLE_EQ(grad(grad(g, wrt<1>), wrt<0>)(at(3), at(0.3)).item(), e);
  EXPECT_DOUBLE_EQ(grad(grad(grad(g, wrt<1>), wrt<1>), wrt<1>)(at(3), at(0.3)).item(), 27 * e);
  EXPECT_DOUBLE_EQ(jvp(grad(grad(g, wrt<1>), wrt<1>), wrt<0>)(at(3), at(0.3), at(1)).second.item(), 6 * e);
  EXPECT_DOUBLE_EQ(compile(grad(grad(g, wrt<1>), wrt<1>))(at(3), at(0.3)).item(), 9 * e);
  EXPECT_DOUBLE_EQ(vmap(grad(g, wrt<1>), in_axes(0, none))(tensor({1, 3}, f64), at(0.3))(1).item(), 3 * e);
}

int64_t count(const Function& f, std::string_view op) {
  int64_t n = 0;
  for (const Node& node : f.nodes()) {
    n += node.op && node.op->name == op;
    for (const Body& b : node.bodies) n += count(*b, op);
  }
  return n;
}

// A product whose operands both may move: where one does not, its half of the rule costs nothing.
TEST(Custom, DeadTangentsArePruned) {
  const auto product = [](const Tensor& x, const Tensor& w) { return sum(dot(x, w)); };
  const auto forward = custom_jvp(product, [](const Tensor& x, const Tensor& w, const Tensor& dx, const Tensor& dw) {
    return std::pair(sum(dot(x, w)), sum(dot(dx, w)) + sum(dot(x, dw)));
  });
  const auto backward = custom_vjp(
      product, [](const Tensor& x, const Tensor& w) { return std::pair(sum(dot(x, w)), std::pair(x, w)); },
      [](const std::pair<Tensor, Tensor>& r, const Tensor& c) {
        const Tensor wide = c * ones({2, 2}, f64);
        return std::tuple(dot(wide, transpose(r.second)), dot(transpose(r.first), wide));
      });
  const Tensor x = ones({2, 3}, f64), w = ones({3, 2}, f64);
  for (const auto& graph : {trace(forward, x, w), trace(backward, x, w)}) {
    EXPECT_EQ(count(*simplify(run_pass(inline_all_pass, jvp(graph, {true, false}), {})), "dot_general"), 2);
    EXPECT_EQ(count(*simplify(run_pass(inline_all_pass, grad(graph, {true, false}), {})), "dot_general"), 1);
    EXPECT_EQ(count(*simplify(run_pass(inline_all_pass, grad(graph, {true, true}), {})), "dot_general"), 2);
  }
}

TEST(Custom, IntegersAndEmptyTensors) {
  const auto pick = custom_vjp(
      [](const Tensor& x, const Tensor& i) { return std::pair(sum(x * convert(i, f64)), i + 1); },
      [](const Tensor& x, const Tensor& i) { return std::pair(std::pair(sum(x * convert(i, f64)), i + 1), i); },
      [](const Tensor& i, const std::pair<Tensor, Tensor>& c) {
        EXPECT_TRUE(c.second.empty());
        return std::tuple(4 * c.first * convert(i, f64), Tensor());
      });
  const Tensor x = tensor({1, 2}, f64), i = tensor({3, 5}, Dtype::int32);
  const auto loss = [&](const Tensor& v) { return pick(v, i).first; };
  EXPECT_EQ(to_string(grad(loss)(x)), "f64[2] [12, 20]");
  EXPECT_EQ(to_string(jvp(loss)(x, ones({2}, f64)).second), "f64[] 32");
  EXPECT_EQ(to_string(vmap(grad(loss))(stack({x, x}, 0))(1)), "f64[2] [12, 20]");
  const auto zero = custom_jvp([](const Tensor& v) { return v * v; },
                               [](const Tensor& v, const Tensor&) { return std::pair(v * v, Tensor()); });
  EXPECT_EQ(value(by_reverse(zero), 3), 0);
  EXPECT_EQ(value(by_forward(zero), 3), 0);
}

TEST(Custom, LinearCall) {
  const auto f = [](const Tensor& x) {
    return linear_call([](const Tensor& r, const Tensor& v) { return r * v; },
                       [](const Tensor& r, const Tensor& c) { return 2 * r * c; }, sin(x), x);
  };
  // d/dx sin(x)·x: in reverse the linear part is doubled, the residual's is the body's.
  const double s = std::sin(0.4), c = std::cos(0.4);
  EXPECT_DOUBLE_EQ(value(f, 0.4), 0.4 * s);
  EXPECT_DOUBLE_EQ(value(by_forward(f), 0.4), s + 0.4 * c);
  EXPECT_DOUBLE_EQ(value(by_reverse(f), 0.4), 2 * s + 0.4 * c);
  EXPECT_DOUBLE_EQ(value(mapped(by_reverse(f)), 0.4), 2 * s + 0.4 * c);
  EXPECT_DOUBLE_EQ(value(by_reverse(mapped(f)), 0.4), 2 * s + 0.4 * c);
  EXPECT_DOUBLE_EQ(value(compile(by_reverse(in_scan(f))), 0.4), 2 * s + 0.4 * c);
  EXPECT_DOUBLE_EQ(value(by_reverse(in_cond(f)), 0.4), 2 * s + 0.4 * c);
  EXPECT_DOUBLE_EQ(value(by_forward(by_reverse(f)), 0.4), value(by_reverse(by_reverse(f)), 0.4) + 0 * s);
  // Turned around twice it is itself.
  const auto twice = [](const Tensor& v) {
    return linear_call([](const std::tuple<>&, const Tensor& u) { return 3 * u; },
                       [](const std::tuple<>&, const Tensor& u) { return 5 * u; }, std::tuple<>(), v);
  };
  const auto back = [&](const Tensor& u) { return vjp(twice)(zeros({}, f64)).second(u); };
  EXPECT_EQ(value(back, 1), 5);
  EXPECT_EQ(value(by_reverse(back), 1), 3);
}

// The rule says what the examples share, and may use the function itself for all of them at once.
TEST(Custom, BatchRules) {
  Fn f;
  std::vector<std::string> seen;
  const auto made = custom_batch([](const Tensor& x) { return sum(x * x); },
                                 [&](const MappedAxis& axis, const Tensor& x) {
                                   seen.push_back(std::to_string(axis.size) + " " + to_string(x.type()));
                                   return 100 + sum(x * x, -1);
                                 });
  const Tensor xs = tensor({{1, 2}, {3, 4}, {0, 1}}, f64);
  EXPECT_EQ(made(xs(0)).item(), 5);
  EXPECT_EQ(to_string(vmap(made)(xs)), "f64[3] [105, 125, 101]");
  EXPECT_EQ(seen.back(), "3 f64[3,2]");
  EXPECT_EQ(to_string(compile(vmap(made))(xs)), "f64[3] [105, 125, 101]");
  EXPECT_EQ(to_string(vmap(vmap(made))(stack({xs, xs}, 0))(1)), "f64[3] [105, 125, 101]");
  EXPECT_EQ(to_string(vmap(grad(made))(xs)), "f64[3,2] [[2, 4], [6, 8], [0, 2]]");
  EXPECT_EQ(to_string(grad([&](const Tensor& x) { return sum(vmap(made)(x)); })(xs)),
            "f64[3,2] [[2, 4], [6, 8], [0, 2]]");
  // An argument that is shared, and a result that is.
  const auto shared = custom_batch([](const Tensor& w, const Tensor& x) { return std::pair(w * x, w + 0.); },
                                   [](const MappedAxis& axis, const Tensor& w, const Tensor& x) {
                                     EXPECT_EQ(axis.mapped.size(), 2u);
                                     return std::pair(axis.mapped[0] ? w * x : 2 * w * x, w);
                                   });
  const auto [a, b] = vmap(shared, in_axes(none, 0))(at(3), tensor({1, 2}, f64));
  EXPECT_EQ(to_string(a), "f64[2] [6, 12]");
  EXPECT_EQ(to_string(b), "f64[2] [3, 3]");
}

TEST(Custom, KnownUsers) {
  const Tensor x = tensor({-1.4, 0.3, 2.6}, f64);
  const auto rounded = straight_through([](const Tensor& v) { return round(v); });
  EXPECT_EQ(to_string(rounded(x)), "f64[3] [-1, 0, 3]");
  EXPECT_EQ(to_string(grad([&](const Tensor& v) { return sum(v * rounded(v)); })(x)), to_string(x + round(x)));
  const auto reversed = [](const Tensor& v) { return sum(gradient_reversal(v, 0.5) * v); };
  EXPECT_EQ(to_string(grad(reversed)(x)), to_string(0.5 * x));
  EXPECT_EQ(to_string(jvp([](const Tensor& v) { return gradient_reversal(v); })(x, x).second), to_string(-x));
  const auto stopped = custom_jvp([](const Tensor& v) { return v; },
                                  [](const Tensor& v, const Tensor&) { return std::pair(v, Tensor()); });
  EXPECT_EQ(to_string(grad([&](const Tensor& v) { return sum(v * stopped(v)); })(x)),
            to_string(grad([&](const Tensor& v) { return sum(v * stop_gradient(v)); })(x)));
}

// Reverse mode takes a backward rule that is not linear, as clipping is; it has no forward mode, which is said so.
TEST(Custom, ClippedCotangents) {
  const auto clipped =
      custom_vjp([](const Tensor& v) { return v; }, [](const Tensor& v) { return std::pair(v, std::tuple<>()); },
                 [](const std::tuple<>&, const Tensor& c) { return clip(c, -1, 1); });
  const auto f = [&](const Tensor& v) { return sum(tensor({0.5, 7, -9}, f64) * clipped(v)); };
  const Tensor x = ones({3}, f64);
  EXPECT_EQ(to_string(grad(f)(x)), "f64[3] [0.5, 1, -1]");
  EXPECT_EQ(to_string(compile(grad(f))(x)), "f64[3] [0.5, 1, -1]");
  EXPECT_EQ(to_string(vmap(grad(f))(stack({x, x}, 0))(1)), "f64[3] [0.5, 1, -1]");
  EXPECT_SAYS(jvp(f)(x, x), "must be linear in the cotangent");
}

}  // namespace
}  // namespace viva
