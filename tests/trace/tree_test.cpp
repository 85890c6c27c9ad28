#include "viva/tree.h"

#include <gtest/gtest.h>

#include "viva/viva.h"

namespace viva {
namespace {

struct Dense {
  Tensor weight, bias;
  double rate = 0.5;
};
struct Model {
  Dense hidden;
  std::vector<Dense> layers;
  std::optional<Tensor> scale;
  std::pair<Tensor, int> pair;
  std::tuple<Tensor, Dense> tuple;
  std::array<Tensor, 2> array;
  std::map<std::string, Tensor> named;
  std::string kind = "plain";
  Tensor (*activation)(const Arg&) = relu;
};

Model make() {
  Model m;
  const auto dense = [](double v) { return Dense{full({2}, v), full({1}, v + .5), .5}; };
  m.hidden = dense(1);
  m.layers = {dense(2), dense(3)};
  m.scale = scalar(4);
  m.pair = {scalar(5), 6};
  m.tuple = {scalar(7), dense(8)};
  m.array = {scalar(9), scalar(10)};
  m.named = {{"a", scalar(11)}, {"b", scalar(12)}};
  return m;
}

TEST(Tree, PathsFollowTheFields) {
  const std::vector<std::string> expected{"hidden.weight",   "hidden.bias",    "layers.0.weight", "layers.0.bias",
                                          "layers.1.weight", "layers.1.bias",  "scale",           "pair.0",
                                          "tuple.0",         "tuple.1.weight", "tuple.1.bias",    "array.0",
                                          "array.1",         "named.a",        "named.b"};
  EXPECT_EQ(tree::paths(make()), expected);
}

TEST(Tree, FlattenAndUnflattenAreInverse) {
  const Model m = make();
  std::vector<Tensor> leaves = tree::flatten(m);
  for (Tensor& t : leaves) t = t + 1;
  const Model n = tree::unflatten(m, leaves);
  EXPECT_EQ(n.layers[1].bias.item(), 4.5);
  EXPECT_EQ(m.layers[1].bias.item(), 3.5);
  EXPECT_EQ(n.named.at("b").item(), 13);
  EXPECT_EQ(n.kind, "plain");
  EXPECT_THROW(tree::unflatten(m, {}), Error);
}

TEST(Tree, MapSkipsWhatHasNoTangent) {
  struct Counted {
    Tensor w, steps;
  };
  const Counted m{ones({2}), arange(3)};
  const Counted g = grad([](const Counted& c) { return sum(c.w * 3) + sum(convert(c.steps, Dtype::float32)); })(m);
  EXPECT_TRUE(g.steps.empty());
  const Counted next = tree::map([](const Tensor& p, const Tensor& d) { return p - 0.1 * d; }, m, g);
  EXPECT_FLOAT_EQ(static_cast<float>(next.w(0).item()), 0.7f);
  EXPECT_EQ(to_string(next.steps), "i32[3] [0, 1, 2]");
  EXPECT_THROW(tree::map([](const Tensor& a, const Tensor&) { return a; }, m, ones({1})), Error);
}

TEST(Tree, TheGradientIsATreeLikeTheArgument) {
  const Model m = make();
  const auto total = [](const Model& x) {
    Tensor t = sum(x.hidden.weight) * *x.scale * x.hidden.rate;
    for (const Dense& d : x.layers) t = t + sum(x.activation(d.weight)) * x.named.at("a");
    return t;
  };
  const Model g = grad(total)(m);
  EXPECT_EQ(g.scale->item(), 1);
  EXPECT_EQ(g.hidden.weight(1).item(), 2);
  EXPECT_EQ(g.layers[1].weight(0).item(), 11);
  EXPECT_EQ(g.named.at("a").item(), 10);
  EXPECT_EQ(g.pair.first.item(), 0);
  EXPECT_EQ(g.pair.second, 6);
  EXPECT_EQ(g.kind, "plain");
  const Model c = compile(grad(total))(m);
  EXPECT_EQ(c.named.at("a").item(), 10);
  EXPECT_EQ(c.activation, m.activation);
}

struct Base {
  Tensor a;
};
struct Derived : Base {
  Tensor b;
  double skipped = 0;
  Derived() = default;
  static constexpr auto fields() { return std::tuple{tree::field("a", &Derived::a), tree::field("b", &Derived::b)}; }
};

TEST(Tree, FieldsAreTheWayOut) {
  Derived d;
  d.a = scalar(1), d.b = scalar(2), d.skipped = 3;
  EXPECT_EQ(tree::paths(d), (std::vector<std::string>{"a", "b"}));
  const Derived g = grad([](const Derived& x) { return x.a * x.b; })(d);
  EXPECT_EQ(g.a.item(), 2);
  EXPECT_EQ(g.b.item(), 1);
}

struct Wide {
  Tensor f01, f02, f03, f04, f05, f06, f07, f08, f09, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22,
      f23, f24, f25, f26, f27, f28, f29, f30, f31, f32;
};
TEST(Tree, ThirtyTwoFields) {
  const std::vector<std::string> p = tree::paths(Wide{});
  ASSERT_EQ(p.size(), 32u);
  EXPECT_EQ(p[31], "f32");
}

TEST(Tree, RavelAndUnravel) {
  const Dense d{tensor({1, 2}), tensor({3}), 1};
  const Tensor flat = ravel(d);
  EXPECT_EQ(to_string(flat), "f32[3] [1, 2, 3]");
  EXPECT_EQ(to_string(unravel(d, flat * 2).bias), "f32[1] [6]");
  EXPECT_THROW(unravel(d, ones({4})), Error);
  const Tensor h = hessian([&](const Tensor& v) {
    const Dense at = unravel(d, v);
    return sum(at.weight * at.weight) * at.bias(0);
  })(flat);
  EXPECT_EQ(to_string(h), "f32[3,3] [[6, 0, 2], [0, 6, 4], [2, 4, 0]]");
}

}  // namespace
}  // namespace viva
