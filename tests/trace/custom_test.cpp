// User rules: that they are used, in every order of transformations, and that all else follows from them or from the
// body.
#include "viva/custom.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/error.h"
#include "cpu/executable.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "interpret/interpret.h"
#include "transform/transform.h"
#include "viva/viva.h"

namespace viva {
namespace {

constexpr Dtype f64 = Dtype::float64;
using Fn = std::function<Tensor(const Tensor&)>;

Tensor at(double x) { return scalar(x, f64); }
double value(const Fn& f, double x) { return f(at(x)).item(); }

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) { return e.what(); }
  return "";
}
#define EXPECT_SAYS(expression, part)                                              \
  EXPECT_NE(message_of([&] { (void)(expression); }).find(part), std::string::npos) \
      << message_of([&] { (void)(expression); })

// exp with the right rule, by itself.
Tensor own_exp(const Tensor& x) {
  static const auto f = custom_jvp([](const Tensor& v) { return exp(v); },
                                   [](const Tensor& v, const Tensor& dv) {
                                     const Tensor y = own_exp(v);
                                     return std::pair(y, y * dv);
                                   });
  return f(x);
}
// The same made again in each call, and by a vjp rule.
Tensor fresh_exp(const Tensor& x) {
  return custom_vjp([](const Tensor& v) { return exp(v); },
                    [](const Tensor& v) {
                      const Tensor y = fresh_exp(v);
                      return std::pair(y, y);
                    },
                    [](const Tensor& y, const Tensor& c) { return y * c; })(x);
}
// x², with derivatives that are wrong by design: 3·dx by a jvp rule, 5·c by a vjp rule, so that a rule that is lost
// shows.
const auto three = custom_jvp([](const Tensor& x) { return x * x; },
                              [](const Tensor& x, const Tensor& dx) { return std::pair(x * x, 3 * dx); });
const auto five =
    custom_vjp([](const Tensor& x) { return x * x; }, [](const Tensor& x) { return std::pair(x * x, std::tuple<>()); },
               [](const std::tuple<>&, const Tensor& c) { return 5 * c; });

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

// Rules that are graphs are part of the text; those that need code are refused there.
TEST(Custom, Text) {
  const Body whole = vmap(trace([](const Tensor& x) { return three(x) + five(x); }, zeros({2}, f64)), {0}, 3);
  verify(Program(whole));
  const std::string text = print(whole);
  const Body again = parse(text, "text");
  EXPECT_EQ(print(again), text);
  const std::vector<Array> in{Array::of<double>({1, 2, 3, 4, 5, 6}, {3, 2})};
  const Body first = jvp(whole, {true}), second = jvp(again, {true});
  EXPECT_EQ(print(parse(print(first), "text")), print(first));
  const std::vector<Array> both{in[0], in[0]};
  EXPECT_EQ(to_string(Tensor(interpret(*first, both)[1])),
            to_string(Tensor(interpret(*parse(print(first), "text"), both)[1])));
  EXPECT_EQ(to_string(Tensor(interpret(*first, both)[1])), to_string(Tensor(interpret(*second, both)[1])));
  const Body own = trace(own_exp, zeros({2}, f64));
  verify(Program(own));
  EXPECT_SAYS(parse(print(own), "text"), "is C++ code that text does not hold");
  const Body plain = run_pass(inline_all_pass, own, {});
  EXPECT_EQ(print(parse(print(plain), "text")), print(plain));
}

TEST(Custom, InterpretedIsCompiled) {
  const auto f = [](const Tensor& x) { return sum(three(x) * own_exp(five(x)) + fresh_exp(x)); };
  const Tensor x = tensor({0.5, -0.25}, f64);
  const Body g = trace(f, x);
  const auto run = [](const Body& body, const std::vector<Array>& in) {
    ThreadPool pool(2);
    const std::vector<Array> slow = interpret(*body, in), fast = viva::compile(body).call(in, pool).take();
    PlanOptions options;  // calls stay, and are run as functions
    options.passes.disabled = {"inline_all", "inline_calls"};
    const std::vector<Array> kept = viva::compile(body, options).call(in, pool).take();
    for (size_t i = 0; i < slow.size(); ++i)
      for (int64_t k = 0; k < slow[i].size(); ++k) {
        const double tolerance = slow[i].dtype() == f64 ? 1e-12 : 1e-6;
        EXPECT_NEAR(slow[i].at(k), fast[i].at(k), tolerance);
        EXPECT_NEAR(slow[i].at(k), kept[i].at(k), tolerance);
      }
  };
  const Array at = x.array();
  run(g, {at});
  run(grad(g, {true}), {at});
  run(jvp(grad(g, {true}), {true}), {at, at});
  run(vmap(grad(g, {true}), {0}, 2), {stack({x, 2 * x}, 0).array()});
  run(retype(jvp(g, {true}), Dtype::float32), {at.converted(Dtype::float32), at.converted(Dtype::float32)});
  EXPECT_EQ(retype(jvp(g, {true}), Dtype::float32)->output_types()[1].dtype, Dtype::float32);
  const Body narrow = jvp(retype(g, Dtype::float32), {true});
  EXPECT_EQ(interpret(*narrow, std::vector{at.converted(Dtype::float32), at.converted(Dtype::float32)})[1].dtype(),
            Dtype::float32);
}

TEST(Custom, RulesAreChecked) {
  const Tensor x = ones({2}, f64);
  const auto square = [](const Tensor& v) { return v * v; };
  const auto longer =
      custom_jvp(square, [](const Tensor& v, const Tensor& dv) { return std::pair(v * v, concatenate({dv, dv}, 0)); });
  EXPECT_EQ(to_string(compile(longer)(x)), "f64[2] [1, 1]");  // no derivative asks for the rule
  EXPECT_SAYS(grad([&](const Tensor& v) { return sum(longer(v)); })(x),
              "[custom_jvp] leaf 0 of the tangent that the rule gives is f64[4], and must be f64[2] as the result");
  EXPECT_SAYS(jvp(longer)(x, x), "custom_test.cpp");
  const auto other = custom_jvp(square, [](const Tensor& v, const Tensor& dv) { return std::pair(sum(v), dv); });
  EXPECT_SAYS(jvp(other)(x, x), "leaf 0 of the result that the rule gives is f64[], and must be f64[2]");
  const auto narrow = custom_vjp(
      square, [](const Tensor& v) { return std::pair(v * v, v); },
      [](const Tensor& v, const Tensor& c) { return convert(v * c, Dtype::float32); });
  EXPECT_SAYS(grad([&](const Tensor& v) { return sum(narrow(v)); })(x),
              "leaf 0 of the cotangent that the rule gives is f32[2], and must be f64[2] as the argument");
  using List = std::vector<Tensor>;
  const auto list =
      custom_vjp([](const List& v) { return v[0] * v[1]; }, [](const List& v) { return std::pair(v[0] * v[1], v); },
                 [](const List& v, const Tensor& c) { return List{c * v[1]}; });
  EXPECT_SAYS(grad([&](const List& v) { return sum(list(v)); })(List{x, x}),
              "a cotangent of 1 leaves for a argument of 2");
  const auto short_batch = custom_batch(square, [](const MappedAxis&, const Tensor& v) { return v(range(0, 1)); });
  EXPECT_SAYS(vmap(short_batch)(ones({3, 2}, f64)),
              "leaf 0 of the result that the rule gives is f64[1,2], and must be f64[3,2]");
  EXPECT_SAYS(jvp([](const Tensor& v) {
                return linear_call([](const Tensor& r, const Tensor& i) { return convert(i, f64) * r; },
                                   [](const Tensor&, const Tensor& c) { return c; }, v, ones({2}, Dtype::int32));
              })(x, x),
              "a linear argument is i32[2]");
  const auto endless = custom_jvp(square, [&](const Tensor& v, const Tensor& dv) {
    const auto again = custom_jvp([](const Tensor& u) { return u * u; },
                                  [](const Tensor&, const Tensor&) -> std::pair<Tensor, Tensor> {
                                    throw Error(ErrorKind::usage, "no derivative of this");
                                  });
    return std::pair(again(v), grad([&](const Tensor& u) { return sum(again(u)); })(v) * dv);
  });
  EXPECT_SAYS(grad([&](const Tensor& v) { return sum(endless(v)); })(x), "no derivative of this");
}

}  // namespace
}  // namespace viva
