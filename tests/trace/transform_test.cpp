// The transformations of C++ functions: shapes of results, selections, and known derivatives.
#include "viva/transform.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "graph/graph.h"
#include "viva/viva.h"

namespace viva {
namespace {

constexpr Dtype f64 = Dtype::float64;
struct Line {
  Tensor slope, offset;
};
const auto loss = [](const Line& m, const Tensor& x, const Tensor& y) {
  return sum(square(m.slope * x + m.offset - y));
};
const Line model{scalar(2, f64), scalar(1, f64)};
const Tensor x = tensor({1, 2}, f64), y = tensor({0, 1}, f64);  // residuals 3, 4

TEST(Transform, GradSelectsArguments) {
  const Line g = grad(loss)(model, x, y);
  EXPECT_EQ(g.slope.item(), 22);
  EXPECT_EQ(g.offset.item(), 14);
  EXPECT_EQ(to_string(grad(loss, wrt<2>)(model, x, y)), "f64[2] [-6, -8]");
  const auto [gx, gm] = grad(loss, wrt<1, 0>)(model, x, y);
  EXPECT_EQ(to_string(gx), "f64[2] [12, 16]");
  EXPECT_EQ(gm.offset.item(), 14);
  const auto [value, again] = value_and_grad(loss)(model, x, y);
  EXPECT_EQ(value.item(), 25);
  EXPECT_EQ(again.slope.item(), 22);
}

TEST(Transform, GradHandsOnOtherResults) {
  const auto f = [](const Line& m, const Tensor& at) {
    const Tensor p = m.slope * at;
    return std::pair(sum(p * p), std::tuple(p, 7));
  };
  const auto [g, others] = grad(f, has_aux)(model, x);
  EXPECT_EQ(g.slope.item(), 20);
  EXPECT_EQ(to_string(std::get<0>(others)), "f64[2] [2, 4]");
  EXPECT_EQ(std::get<1>(others), 7);
  const auto [result, gx] = value_and_grad(f, wrt<1> | has_aux)(model, x);
  EXPECT_EQ(result.first.item(), 20);
  EXPECT_EQ(to_string(gx), "f64[2] [8, 16]");
  EXPECT_EQ(grad(grad(f, has_aux | wrt<0>), has_aux).site.what, std::string("grad"));
}

TEST(Transform, JvpAndHvp) {
  const auto [value, tangent] = jvp(loss)(model, x, y, Line{scalar(1, f64), Tensor()});
  EXPECT_EQ(value.item(), 25);
  EXPECT_EQ(tangent.item(), 22);
  const auto [v2, t2] = jvp(loss, wrt<0, 1>)(model, x, y, Line{scalar(1, f64), scalar(1, f64)}, ones({2}, f64));
  EXPECT_EQ(t2.item(), 22 + 14 + 28);
  const Line h = hvp(loss)(model, x, y, Line{scalar(1, f64), scalar(0, f64)});  // 2 [Σx², Σx]
  EXPECT_EQ(h.slope.item(), 10);
  EXPECT_EQ(h.offset.item(), 6);
  EXPECT_THROW(jvp(loss)(model, x, y, Line{ones({2}, f64), Tensor()}), Error);
}

TEST(Transform, VjpAndLinearize) {
  const auto f = [](const Line& m, const Tensor& at) { return std::pair(m.slope * at, sum(at) > 0); };
  const auto [value, pull] = vjp(f)(model, x);
  EXPECT_EQ(to_string(value.first), "f64[2] [2, 4]");
  const Line g = pull(std::pair(tensor({1, 10}, f64), Tensor()));
  EXPECT_EQ(g.slope.item(), 21);
  EXPECT_EQ(g.offset.item(), 0);
  const auto [again, push] = linearize(f, wrt<1>)(model, x);
  EXPECT_EQ(to_string(push(tensor({1, 0}, f64)).first), "f64[2] [2, 0]");
  EXPECT_TRUE(push(tensor({1, 0}, f64)).second.empty());
  // The pullback inside another derivative: d/dx of (d f / d slope · 1) = 1.
  const auto outer = [&](const Tensor& at) {
    return vjp(f)(model, at).second(std::pair(ones({2}, f64), Tensor())).slope;
  };
  EXPECT_EQ(to_string(grad(outer)(x)), "f64[2] [1, 1]");
  EXPECT_EQ(to_string(compile(grad(outer))(x)), "f64[2] [1, 1]");
}

TEST(Transform, Jacobians) {
  const auto f = [](const Tensor& v) { return stack({v(0) * v(1), v(1) * v(1), v(0)}); };
  const std::string expected = "f64[3,2] [[2, 1], [0, 4], [1, 0]]";
  EXPECT_EQ(to_string(jacfwd(f)(x)), expected);
  EXPECT_EQ(to_string(jacrev(f)(x)), expected);
  EXPECT_EQ(to_string(compile(jacrev(f))(x)), expected);
  const Line j = jacrev([](const Line& m, const Tensor& at) { return m.slope * at + m.offset; })(model, x);
  EXPECT_EQ(to_string(j.slope), "f64[2] [1, 2]");
  EXPECT_EQ(to_string(j.offset), "f64[2] [1, 1]");
  const auto [a, b] = jacfwd([](const Tensor& v) { return std::pair(sum(v * v), v * 3); })(x);
  EXPECT_EQ(to_string(a), "f64[2] [2, 4]");
  EXPECT_EQ(to_string(b), "f64[2,2] [[3, 0], [0, 3]]");
  const auto cubic = [](const Tensor& v) { return v(0) * v(0) * v(1); };
  EXPECT_EQ(to_string(hessian(cubic)(x)), "f64[2,2] [[4, 2], [2, 0]]");
  EXPECT_EQ(to_string(jacfwd(grad(cubic))(x)), to_string(hessian(cubic)(x)));
}

TEST(Transform, VmapAxes) {
  const auto f = [](const Tensor& a, const Line& m) { return Line{a * m.slope, sum(a)}; };
  const Tensor m = tensor({{1, 2, 3}, {4, 5, 6}}, f64);
  const Line r = vmap(f, in_axes(1, none))(m, model);
  EXPECT_EQ(to_string(r.slope), "f64[3,2] [[2, 8], [4, 10], [6, 12]]");
  EXPECT_EQ(to_string(r.offset), "f64[3] [5, 7, 9]");
  const Tensor back = vmap([](const Tensor& a) { return a * 2; }, in_axes(-1), out_axes(-1))(m);
  EXPECT_EQ(to_string(back), to_string(m * 2));
  EXPECT_EQ(to_string(vmap([](const Tensor&) { return scalar(1); })(m)), "f32[2] [1, 1]");
  EXPECT_THROW(vmap(f)(m, Line{ones({3}), ones({3})}), Error);
  EXPECT_THROW(vmap(f, in_axes(0))(m, model), Error);
  EXPECT_THROW(vmap(f, in_axes(none, none))(m, model), Error);
}

int64_t nodes_of(const Body& b, std::string_view policy) {
  int64_t n = 0;
  for (const Node& node : b->nodes()) {
    const Attr* p = node.attrs.find("policy");
    n += p && std::get<std::string>(*p) == policy;
  }
  return n;
}

TEST(Transform, VmapResultsThatAllExamplesShare) {
  const auto f = [](const Tensor& x, const Tensor& w) { return std::pair(x + w, w * w); };
  const Tensor x = arange(3, Dtype::float32), w = tensor({2, 3});
  const auto [each, shared] = vmap(f, in_axes(0, none), out_axes(1, none))(x, w);
  EXPECT_EQ(each.shape(), (Shape{2, 3}));
  EXPECT_EQ(to_string(shared), "f32[2] [4, 9]");
  // Without an axis of its own it is repeated for each example.
  const auto both = vmap(f, in_axes(0, none))(x, w);
  EXPECT_EQ(to_string(both.second), "f32[3,2] [[4, 9], [4, 9], [4, 9]]");
  const auto constant = [](const Tensor&) { return ones({2}); };
  EXPECT_EQ(vmap(constant)(x).shape(), (Shape{3, 2}));
  EXPECT_EQ(vmap(constant, {}, out_axes(-1))(x).shape(), (Shape{2, 3}));
  EXPECT_EQ(compile(vmap(constant, {}, out_axes(none)))(x).shape(), Shape{2});
  // Of a captured tensor, and differentiated.
  EXPECT_EQ(to_string(vmap([&](const Tensor&) { return w; }, {}, out_axes(none))(x)), "f32[2] [2, 3]");
  const auto g = [&](const Tensor& v) { return sum(vmap(f, in_axes(0, none), out_axes(0, none))(x, v).second); };
  EXPECT_EQ(to_string(grad(g)(w)), "f32[2] [4, 6]");
  try {
    vmap(f, in_axes(0, none), out_axes(none))(x, w);
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_NE(e.message().find("differs from example to example: it needs an axis"), std::string::npos) << e.message();
  }
}

TEST(Transform, CheckpointKeepsTheCallWhole) {
  const auto inner = [](const Tensor& a) { return sin(cos(exp(a))); };
  const auto f = [&](const Tensor& a) { return sum(checkpoint(inner)(a)); };
  EXPECT_EQ(nodes_of(trace(f, x), "recompute"), 1);
  EXPECT_GE(nodes_of(trace(grad(f), x), "recompute"), 1);
  const auto plain = [&](const Tensor& a) { return sum(inner(a)); };
  EXPECT_EQ(to_string(grad(f)(x)), to_string(grad(plain)(x)));
  EXPECT_EQ(to_string(compile(grad(f))(x)), to_string(compile(grad(plain))(x)));
  EXPECT_EQ(to_string(checkpoint(inner)(x)), to_string(inner(x)));
  EXPECT_EQ(to_string(hessian(f)(x)), to_string(hessian(plain)(x)));
}

TEST(Transform, CheckpointKeepsWhatItIsTold) {
  const Tensor a = reshape(arange(6.) / 7., {2, 3}), w = reshape(arange(12.) / 5. - 1., {3, 4});
  const auto layer = [](const Tensor& p, const Tensor& q) {
    return exp(tap(tanh(sin(tap(matmul(p, q), "inner"))), "outer"));
  };
  const auto plain = [&](const Tensor& q) { return sum(layer(a, q)); };
  for (const Keep& keep : {Keep{}, Keep{Keep::everything}, Keep{Keep::contractions}, Keep{Keep::named, {"outer"}},
                           Keep{Keep::named, {"inner", "outer"}}, Keep{Keep::named, {"absent"}}}) {
    const auto kept = [&](const Tensor& q) { return sum(checkpoint(layer, keep)(a, q)); };
    EXPECT_EQ(to_string(grad(kept)(w)), to_string(grad(plain)(w)));
    EXPECT_EQ(to_string(compile(grad(kept))(w)), to_string(compile(grad(plain))(w)));
    EXPECT_EQ(to_string(hessian(kept)(w)), to_string(hessian(plain)(w)));
  }
  for (const Keep& wrong : {Keep{Keep::named}, Keep{Keep::contractions, {"inner"}}, Keep{Keep::named, {"a,b"}}})
    EXPECT_THROW(checkpoint(layer, wrong)(a, w), Error);
}

TEST(Transform, TracedParametersCarryTheirPaths) {
  const Body b = trace(loss, model, x, y);
  ASSERT_EQ(b->params().size(), 4u);
  EXPECT_EQ(b->params()[1].name(), "0.offset");
  EXPECT_EQ(b->params()[3].name(), "2");
}

// A matrix of complex numbers would be the derivative of some functions alone.
TEST(Transform, JacobiansAreOfRealNumbers) {
  const auto message = [](auto f, const Tensor& at) -> std::string {
    std::string said;
    for (const auto& j :
         {std::function<Tensor(const Tensor&)>(jacfwd(f)), std::function<Tensor(const Tensor&)>(jacrev(f))})
      try {
        j(at);
        return "";
      } catch (const Error& e) { said = e.what(); }
    return said;
  };
  const auto says = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  const Tensor z = complex(x, y);
  const std::string result = message([](const Tensor& v) { return complex(v, v * v); }, x),
                    argument = message([](const Tensor& v) { return real(v * v); }, z),
                    integers = message([](const Tensor& v) { return convert(v, Dtype::int32); }, x);
  EXPECT_TRUE(says(result, "a result is c128[2]: differentiate real(y) and imag(y)")) << result;
  EXPECT_TRUE(says(argument, "an argument is c128[2]: differentiate") && says(argument, "transform_test.cpp"))
      << argument;
  EXPECT_TRUE(says(integers, "only floats have derivatives, return integers apart")) << integers;
  // As it says: the square of a complex number by its parts.
  const auto part = [](const Tensor& v) { return real(square(complex(v(0), v(1)))); };
  EXPECT_EQ(to_string(jacobian(part)(tensor({3, 2}, f64))), "f64[2] [6, -4]");
}

}  // namespace
}  // namespace viva
