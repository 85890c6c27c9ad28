// Named axes of vmap: sums over examples, their places, derivatives inside and outside; Jacobians by the cheaper mode.
#include <gtest/gtest.h>

#include <cmath>

#include "graph/text.h"
#include "trace/values.h"

namespace viva {
namespace {

using testing::f64;
using testing::message_of;
using testing::near;

const Tensor xs = tensor({{0.5, -1, 2}, {1.5, 0.25, -0.5}, {-2, 1, 0.75}, {0.1, 0.2, -0.3}}, f64);
const VmapOptions batch{.axis_name = "batch"};

TEST(Axes, SumsAndPlaces) {
  EXPECT_EQ(to_string(vmap([](const Tensor& x) { return axis_sum(x, "batch"); }, batch)(tensor({1, 2, 4}, f64))),
            "f64[3] [7, 7, 7]");
  EXPECT_EQ(to_string(vmap([](const Tensor&) { return axis_index("batch"); }, batch)(xs)), "i64[4] [0, 1, 2, 3]");
  EXPECT_EQ(to_string(vmap([](const Tensor& x) { return axis_sum(x > 0, "batch"); }, batch)(xs)),
            "i32[4,3] [[3, 3, 2], [3, 3, 2], [3, 3, 2], [3, 3, 2]]");
  // What all examples share counts once for each.
  const Tensor w = scalar(3, f64);
  EXPECT_EQ(to_string(vmap([&](const Tensor&) { return axis_sum(w, "batch"); }, batch)(tensor({1, 2, 4}, f64))),
            "f64[3] [9, 9, 9]");
  const auto softmax_over_examples = [](const Tensor& x) { return exp(x) / axis_sum(exp(x), "batch"); };
  near(vmap(softmax_over_examples, batch)(xs), exp(xs) / sum(exp(xs), 0, true));
  near(compile(vmap(softmax_over_examples, batch))(xs), exp(xs) / sum(exp(xs), 0, true));
  near(vmap([](const Tensor& x) { return x - axis_mean(x, "batch"); }, batch)(xs), xs - mean(xs, 0, true));
  const Tensor half = convert(xs, Dtype::float16);
  EXPECT_EQ(vmap([](const Tensor& x) { return axis_mean(x, "batch"); }, batch)(half).dtype(), Dtype::float16);
  EXPECT_EQ(vmap([](const Tensor& x) { return x * static_cast<double>(axis_size("batch")); }, batch)(xs)(1, 0).item(),
            6);
  EXPECT_EQ(vmap([](const Tensor& x) { return axis_sum(x, "batch"); }, batch)(zeros({0, 2}, f64)).shape(),
            (Shape{0, 2}));
  // Along another axis, and with a result that all share.
  const auto total = [](const Tensor& x) { return axis_sum(x, "columns"); };
  near(vmap(total, {.in = in_axes(1), .out = out_axes(none), .axis_name = "columns"})(xs), sum(xs, 1));
}

TEST(Axes, NamesNest) {
  const auto f = [](const Tensor& x) { return x / axis_sum(x, "rows") + axis_sum(x, "columns"); };
  const auto inner = [&](const Tensor& row) { return vmap(f, {.axis_name = "columns"})(row); };
  near(vmap(inner, {.axis_name = "rows"})(xs), xs / sum(xs, 0, true) + sum(xs, 1, true));
  // Through a vmap without name, and the innermost of two of one name.
  near(vmap([](const Tensor& row) { return vmap([](const Tensor& x) { return axis_sum(x, "batch"); })(row); },
            batch)(xs),
       sum(xs, 0, true) + zeros({4, 3}, f64));
  near(vmap([](const Tensor& row) { return vmap([](const Tensor& x) { return axis_sum(x, "batch"); }, batch)(row); },
            batch)(xs),
       sum(xs, 1, true) + zeros({4, 3}, f64));
  near(vmap(
           [](const Tensor& row) {
             const Tensor place = axis_index("batch");
             return vmap([&](const Tensor& x) { return x * place + axis_index("inner"); }, {.axis_name = "inner"})(row);
           },
           batch)(xs),
       xs * reshape(arange(4), {4, 1}) + arange(3));
}

// The map of all examples together: y = tanh(x) · Σ x² + Σ sin(w x), with what all share inside.
const auto mixing = [](const Tensor& w, const Tensor& x) {
  return tanh(x) * axis_sum(x * x, "batch") + axis_sum(sin(w * x), "batch");
};
const auto mixed = [](const Tensor& w, const Tensor& x) {
  return tanh(x) * sum(x * x, 0, true) + sum(sin(w * x), 0, true);
};

TEST(Axes, DerivativesInsideAreThoseOfAllExamplesTogether) {
  const Tensor w = tensor({0.3, 1.5, -0.7}, f64), t = cos(xs), c = sin(3 * xs);
  const auto each = [&](const Tensor& x, const Tensor& d) {
    return jvp([&](const Tensor& v) { return mixing(w, v); })(x, d).second;
  };
  const auto all = [&](const Tensor& x) { return mixed(w, x); };
  near(vmap(each, batch)(xs, t), jvp(all)(xs, t).second);
  const auto back = [&](const Tensor& x, const Tensor& d) {
    return vjp([&](const Tensor& v) { return mixing(w, v); })(x).second(d);
  };
  near(vmap(back, batch)(xs, c), vjp(all)(xs).second(c));
  near(
      jvp([&](const Tensor& x) { return vmap([&](const Tensor& v) { return mixing(w, v); }, batch)(x); })(xs, t).second,
      jvp(all)(xs, t).second);
  const auto loss_outside = [&](const Tensor& v) {
    return sum(cos(vmap([&](const Tensor& x) { return mixing(v, x); }, batch)(xs)));
  };
  const auto loss = [&](const Tensor& v) { return sum(cos(mixed(v, xs))); };
  near(grad(loss_outside)(w), grad(loss)(w));
  near(hessian(loss_outside)(w), hessian(loss)(w));
  near(compile(hvp(loss_outside))(w, w), hvp(loss)(w, w));
  // Twice inside: the gradient of the gradient of all.
  const auto twice = [&](const Tensor& x, const Tensor& d) {
    const auto slope = [&](const Tensor& v) {
      return grad([&](const Tensor& u) { return sum(sin(mixing(w, u))); })(v);
    };
    return jvp(slope)(x, d).second;
  };
  near(vmap(twice, batch)(xs, t), hvp([&](const Tensor& x) { return sum(sin(mixed(w, x))); })(xs, t));
  // Each of n operands is in n results.
  EXPECT_EQ(to_string(vmap(grad([](const Tensor& x) { return axis_sum(x, "batch"); }), batch)(tensor({1, 2, 4}, f64))),
            "f64[3] [3, 3, 3]");
}

TEST(Axes, InsideLoopsBranchesAndRules) {
  const auto expected = xs + 3 * sum(xs, 0, true) + zeros({4, 3}, f64);
  const auto looped = [](const Tensor& x) {
    return fori_loop(3, [&](const Tensor&, const Tensor& c) { return c + axis_sum(x, "batch"); }, x);
  };
  near(vmap(looped, batch)(xs), expected);
  const auto until = [](const Tensor& x) {
    return while_loop([](const std::pair<Tensor, Tensor>& s) { return s.second < 3; },
                      [&](const std::pair<Tensor, Tensor>& s) {
                        return std::pair(s.first + axis_sum(x, "batch"), s.second + 1);
                      },
                      std::pair(x, scalar(0, Dtype::int32)))
        .first;
  };
  near(vmap(until, batch)(xs), expected);
  const Tensor yes = scalar(1, f64);
  const auto branched = [&](const Tensor& x) {
    return cond(
        yes > 0, [&](const Tensor& v) { return v + 3 * axis_sum(x, "batch"); }, [](const Tensor& v) { return v; }, x);
  };
  near(vmap(branched, batch)(xs), expected);
  const auto ruled = [](const Tensor& x) {
    return custom_jvp([](const Tensor& v) { return v + 3 * axis_sum(v, "batch"); },
                      [](const Tensor& v, const Tensor& dv) {
                        return std::pair(v + 3 * axis_sum(v, "batch"), 10 * axis_sum(dv, "batch"));
                      })(x);
  };
  near(vmap(ruled, batch)(xs), expected);
  near(vmap([&](const Tensor& x) { return grad([&](const Tensor& v) { return sum(ruled(v)); })(x); }, batch)(xs),
       40 + zeros({4, 3}, f64));
  near(vmap([&](const Tensor& x) { return checkpoint(looped)(x); }, batch)(xs), expected);
  const auto gradient = [&](const auto& f) {
    return grad([&](const Tensor& v) { return sum(sin(vmap(f, batch)(v))); })(xs);
  };
  near(gradient(looped), gradient(branched));
  near(gradient(until), gradient(branched));
}

// exp(x − Σ x / n) by a rule that uses itself, and so is traced when the vmap that it speaks of has ended.
Tensor own(const Tensor& x) {
  static const auto f = custom_jvp([](const Tensor& v) { return exp(v - axis_mean(v, "batch")); },
                                   [](const Tensor& v, const Tensor& dv) {
                                     const Tensor y = own(v);
                                     const double n = static_cast<double>(axis_size("batch"));
                                     return std::pair(y, y * (dv - axis_sum(dv, "batch") / n));
                                   });
  return f(x);
}

TEST(Axes, RulesThatUseThemselvesSpeakOfAxes) {
  const auto inside = [](const Tensor& x) { return sum(vmap(own, batch)(x)); };
  const auto plain = [](const Tensor& x) { return sum(exp(x - mean(x, 0, true))); };
  near(grad(inside)(xs), grad(plain)(xs));
  near(hvp(inside)(xs, cos(xs)), hvp(plain)(xs, cos(xs)));
  near(vmap(grad(inside), batch)(stack({xs, 2 * xs}, 0))(1), grad(plain)(2 * xs));
  near(vmap([](const Tensor& x) { return grad([](const Tensor& v) { return sum(own(v)); })(x); }, batch)(xs),
       grad(plain)(xs));
}

TEST(Axes, Messages) {
  const Tensor x = ones({3, 2}, f64);
  const auto unknown = message_of([&] {
    vmap(
        [](const Tensor& row) {
          return vmap([](const Tensor& v) { return axis_sum(v, "rows"); }, {.axis_name = "inner"})(row);
        },
        {.axis_name = "outer"})(x);
  });
  EXPECT_NE(unknown.find("[axis_sum] there is no axis \"rows\" here: in scope \"inner\", \"outer\""), std::string::npos)
      << unknown;
  EXPECT_NE(unknown.find("axes_test.cpp"), std::string::npos) << unknown;
  EXPECT_NE(message_of([&] { (void)axis_index("batch"); }).find("no vmap around it has an axis_name"),
            std::string::npos);
  EXPECT_NE(message_of([&] { vmap([](const Tensor& v) { return axis_mean(v, "batch"); })(x); }).find("[axis_mean]"),
            std::string::npos);
  const auto apart = message_of([&] {
    vmap(
        [](const Tensor& v) {
          return cond(
              sum(v) > 2, [](const Tensor& u) { return axis_sum(u, "batch"); }, [](const Tensor& u) { return u; }, v);
        },
        batch)(x);
  });
  EXPECT_NE(apart.find("axis_sum inside cond, of which examples go different ways"), std::string::npos) << apart;
}

// By the mode that takes fewer passes; both give the same.
TEST(Axes, JacobianTakesTheCheaperMode) {
  const auto wide = [](const Tensor& x) { return sin(dot(ones({5, 2}, f64), x)); };
  const auto tall = [](const Tensor& x) { return sin(dot(ones({2, 5}, f64), x)); };
  const Tensor two = tensor({0.2, 0.4}, f64), five = tensor({0.1, 0.2, 0.3, 0.4, 0.5}, f64);
  EXPECT_EQ(print(trace(jacobian(wide), two)), print(trace(jacfwd(wide), two)));
  EXPECT_EQ(print(trace(jacobian(tall), five)), print(trace(jacrev(tall), five)));
  EXPECT_NE(print(trace(jacobian(tall), five)), print(trace(jacfwd(tall), five)));
  near(jacobian(wide)(two), jacrev(wide)(two));
  near(jacobian(tall)(five), jacfwd(tall)(five));
  const auto both = [](const Tensor& x) { return std::pair(sum(x * x), outer(x, x)); };
  near(jacobian(both)(two).second, jacfwd(both)(two).second);
  near(vmap(jacobian(tall))(stack({five, 2 * five}, 0))(1), jacfwd(tall)(2 * five));
}

}  // namespace
}  // namespace viva
