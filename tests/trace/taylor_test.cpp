// jet, laplacian and collapsed_jet of C++ functions.
#include "viva/taylor.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "viva/viva.h"

namespace viva {
namespace {

constexpr Dtype f64 = Dtype::float64;
const auto norm = [](const Tensor& x) { return sum(square(x)); };
const auto cube = [](const Tensor& x) { return x * x * x; };
struct Pair {
  Tensor a, b;
};

TEST(Taylor, JetGivesDerivatives) {
  const Tensor one = scalar(1, f64);
  const auto [value, d] = jet(cube)(scalar(2, f64), {one, Tensor(), Tensor()});
  EXPECT_EQ(value.item(), 8);
  ASSERT_EQ(d.size(), 3u);
  EXPECT_EQ(d[0].item(), 12);
  EXPECT_EQ(d[1].item(), 12);
  EXPECT_EQ(d[2].item(), 6);
  // Along x = 2 + t²/2: x³ = 8 + 6t² + …
  const auto along = jet(cube)(scalar(2, f64), {Tensor(), one}).second;
  EXPECT_EQ(along[0].item(), 0);
  EXPECT_EQ(along[1].item(), 12);
}

TEST(Taylor, JetTakesTreesAndSelections) {
  const auto f = [](const Pair& p, const Tensor& w) { return Pair{p.a * p.b, w * p.a}; };
  const Pair p{scalar(2, f64), scalar(3, f64)}, v{scalar(1, f64), scalar(10, f64)};
  const auto [value, d] = jet(f)(p, scalar(5, f64), std::vector{v, Pair{}});
  EXPECT_EQ(value.a.item(), 6);
  EXPECT_EQ(d[0].a.item(), 23);
  EXPECT_EQ(d[1].a.item(), 20);
  EXPECT_EQ(d[0].b.item(), 5);
  const auto both = jet(f, wrt<0, 1>)(p, scalar(5, f64), std::vector{v, Pair{}}, std::vector{scalar(4, f64)}).second;
  EXPECT_EQ(both[0].b.item(), 13);
  EXPECT_EQ(both[1].b.item(), 8);
}

TEST(Taylor, LaplacianAndItsDerivatives) {
  const Tensor x = tensor({1, 2, 3}, f64);
  EXPECT_EQ(laplacian(norm)(x).item(), 6);
  EXPECT_EQ(value_and_laplacian(norm)(x).first.item(), 14);
  const auto quartic = [](const Tensor& v) {
    return sum(square(square(v)));
  };  // Δ = 12·|x|², of that the gradient 24·x
  EXPECT_EQ(laplacian(quartic)(x).item(), 168);
  EXPECT_EQ(to_string(grad(laplacian(quartic))(x)), "f64[3] [24, 48, 72]");
  EXPECT_EQ(laplacian(laplacian(quartic))(x).item(), 72);  // the biharmonic operator
  const Tensor rows = reshape(tensor({1, 2, 3, 4}, f64), {2, 2});
  EXPECT_EQ(to_string(vmap(laplacian(quartic))(rows)), "f64[2] [60, 300]");
  EXPECT_EQ(compile(vmap(laplacian(quartic)))(rows)(1).item(), 300);
}

TEST(Taylor, LaplacianGoesThroughLoops) {
  const auto f = [](const Tensor& x) {
    return sum(fori_loop(3, [&](const Tensor&, const Tensor& c) { return c * x; }, x));  // x⁴
  };
  EXPECT_EQ(laplacian(f)(tensor({1, 2}, f64)).item(), 60);
  EXPECT_EQ(to_string(grad(laplacian(f))(tensor({1, 2}, f64))), "f64[2] [24, 48]");
  const auto inside = [](const Tensor& x) {
    return fori_loop(2, [](const Tensor&, const Tensor& c) { return laplacian(norm)(c) * c; }, x);  // c ↦ 4c, twice
  };
  EXPECT_EQ(to_string(inside(tensor({1, 2}, f64))), "f64[2] [16, 32]");
}

TEST(Taylor, CollapsedSums) {
  const Tensor x = tensor({1, 2}, f64), along = reshape(tensor({1, 0, 0, 1, 1, 1}, f64), {3, 2});
  const auto f = [](const Tensor& v) { return sum(v * v * v); };
  EXPECT_EQ(collapsed_jet(f, 2)(x, along).second.item(), 6 + 12 + 18);
  EXPECT_EQ(collapsed_jet(f, 3)(x, along).second.item(), 6 + 6 + 12);
  EXPECT_EQ(collapsed_jet(f, 1)(x, along).first.item(), 9);
}

template <class F> std::string message(F&& f) {
  try {
    f();
  } catch (const Error& e) { return e.message(); }
  return "";
}

TEST(Taylor, SaysWhatIsWrong) {
  const Tensor x = tensor({1, 2}, f64);
  EXPECT_NE(message([&] { jet(norm)(x, std::vector<Tensor>{}); }).find("every series is empty"), std::string::npos);
  EXPECT_NE(message([&] { jet(norm)(x, {scalar(1, f64)}); }).find("derivative 1 is f64[], and must be f64[2]"),
            std::string::npos);
  EXPECT_NE(message([&] { collapsed_jet(norm, 2)(x, x); }).find("must be f64[2] with a leading axis"),
            std::string::npos);
  EXPECT_NE(message([&] { laplacian(norm)(tensor({1, 2}, Dtype::int32)); }).find("no float"), std::string::npos);
}

}  // namespace
}  // namespace viva
