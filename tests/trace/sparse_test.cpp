// Sparse derivatives of programs whose patterns are known: patterns, colours, products and values.
#include "viva/sparse.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/error.h"
#include "transform/sparsity.h"
#include "viva/viva.h"

namespace viva {
namespace {

constexpr Dtype f64 = Dtype::float64;
void near(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.type(), b.type());
  EXPECT_LT(max(abs(a - b)).item(), 1e-12) << to_string(a) << " " << to_string(b);
}
Tensor numbers(int64_t n) { return sin(arange(1, n + 1, 1, Dtype::int32) * 1.7 + zeros({n}, f64)); }
std::string shown(const SparseMatrix& m) {
  std::string s;
  const Tensor d = dense(m);
  for (int64_t i = 0; i < m.rows; ++i) {
    for (int64_t j = 0; j < m.columns; ++j) s += d(i, j).item() != 0 ? 'x' : '.';
    s += ' ';
  }
  return s;
}

// y[i] of x[i - 1], x[i], x[i + 1]
Tensor tridiagonal(const Tensor& x) {
  const Tensor wide = pad(x, {1}, {1});
  const int64_t n = x.size();
  return sin(wide(range(0, n)) * x) + exp(wide(range(2, n + 2)));
}

TEST(Sparse, Patterns) {
  const Tensor x = numbers(4);
  EXPECT_EQ(shown(sparsity(tridiagonal)(x)), "xx.. xxx. .xxx ..xx ");
  EXPECT_EQ(shown(sparsity([](const Tensor& v) { return flip(v, {0}); })(x)), "...x ..x. .x.. x... ");
  EXPECT_EQ(shown(sparsity([](const Tensor& v) { return cumsum(v, 0); })(x)), "x... xx.. xxx. xxxx ");
  EXPECT_EQ(shown(sparsity([](const Tensor& v) { return where(v > 0, 1.0, 2.0); })(x)), "x... .x.. ..x. ...x ");
  EXPECT_EQ(shown(sparse_jacobian([](const Tensor& v) { return where(v > 0, v, 2.0 * flip(v, {0})); })(x)).size(), 20u);
  // What is captured is taken as it is: positions, and zeros of a matrix.
  const Tensor at = tensor({2, 0, 2}, Dtype::int32), a = tensor({{1, 0, 0, 0}, {0, 2, 0, 3}}, f64);
  EXPECT_EQ(shown(sparsity([&](const Tensor& v) { return take(v, at, 0); })(x)), "..x. x... ..x. ");
  EXPECT_EQ(shown(sparsity([&](const Tensor& v) { return dot(a, v); })(x)), "x... .x.x ");
  EXPECT_EQ(shown(sparsity([](const Tensor& v, const Tensor& i) { return take(v, i, 0); })(x, at)), "xxxx xxxx xxxx ");
  // Functions inside.
  EXPECT_EQ(shown(sparsity(checkpoint(tridiagonal))(x)), "xx.. xxx. .xxx ..xx ");
  const auto carried = [](const Tensor& v) {
    return scan([](const Tensor& c, const Tensor& e) { return std::pair(e, c * e); }, zeros({}, f64), v).second;
  };
  EXPECT_EQ(shown(sparsity(carried)(x)), ".... xx.. .xx. ..xx ");  // the first product is with a zero
  const auto moved = [](const Tensor& v) {                         // one place a step, for as many steps as it takes
    return while_loop([](const Tensor& u) { return u(0) > 5; }, [](const Tensor& u) { return roll(u, 1, 0) / 2; }, v);
  };
  EXPECT_EQ(shown(sparsity(moved)(x)), "xxxx xxxx xxxx xxxx ");
  const auto half = [](const Tensor& v) {
    return fori_loop(
        3,
        [](const Tensor&, const Tensor& u) {
          return concatenate({u(range(0, 2)) * 2, tridiagonal(u(range(2, 4)))}, 0);
        },
        v);
  };
  EXPECT_EQ(shown(sparsity(half)(x)), "x... .x.. ..xx ..xx ");
  const auto chosen = [](const Tensor& v) {
    return cond(
        stop_gradient(sum(v)) > 0, [](const Tensor& u) { return u * u; }, [](const Tensor& u) { return flip(u, {0}); },
        v);
  };
  EXPECT_EQ(sparse_jacobian(chosen)(x).row.size(), 8);  // either branch
}

TEST(Sparse, JacobiansWithAsManyProductsAsColours) {
  const Tensor x = numbers(40);
  const auto check = [&](auto f, int64_t products, bool forward) {
    const SparseMatrix m = sparse_jacobian(f)(x);
    EXPECT_EQ(m.products, products);
    EXPECT_EQ(m.forward, forward);
    near(dense(m), jacobian(f)(x));
    near(dense(compile(sparse_jacobian(f))(x)), jacobian(f)(x));
  };
  check(tridiagonal, 3, true);
  check([](const Tensor& v) { return v * (pad(v, {1}, {-1}) - pad(v, {-1}, {1})); }, 3,
        true);  // docs/reference/sparse.md
  check([](const Tensor& v) { return tridiagonal(tridiagonal(v)); }, 5, true);
  check([](const Tensor& v) { return exp(v); }, 1, true);
  // A full row costs one product backwards, a full column one forwards.
  check([](const Tensor& v) { return concatenate({reshape(sum(v * v), {1})}, 0); }, 1, false);
  check([](const Tensor& v) { return v(0) * sin(v); }, 2, true);
  check([](const Tensor& v) { return concatenate({v * v, reshape(sum(cos(v)), {1})}, 0); }, 2, false);
  const Tensor image = reshape(numbers(36), {1, 1, 6, 6}), kernel = reshape(numbers(9), {1, 1, 3, 3});
  const auto convolved = [&](const Tensor& v) { return tanh(conv(v, kernel)); };
  const SparseMatrix m = sparse_jacobian(convolved)(image);
  EXPECT_EQ(m.products, 9);  // the kernel's elements
  EXPECT_EQ(m.row.size(), 16 * 9);
  near(dense(m), reshape(jacobian(convolved)(image), {16, 36}));
}

// A pattern that holds for every input: any element of a window may be its greatest.
TEST(Sparse, PooledNetworks) {
  const Tensor image = reshape(numbers(64), {1, 1, 8, 8}), kernel = reshape(numbers(9), {1, 1, 3, 3});
  const auto net = [&](const Tensor& v) {
    return max_pool(tanh(conv(v, kernel, {.low = {1, 1}, .high = {1, 1}})), {.size = {2, 2}});
  };
  const SparseMatrix m = sparse_jacobian(net)(image);
  near(dense(m), reshape(jacobian(net)(image), {16, 64}));
  EXPECT_EQ(m.row.size(),
            4 * (4 * 16) + 8 * (-4) * 2 + 4);  // 16 inputs each, but for what lies outside: 4·4 edges of 4
  EXPECT_LE(m.products, 16);
  const auto loss = [&](const Tensor& v) { return sum(square(net(v))); };
  const SparseMatrix h = sparse_hessian(loss)(image);
  near(dense(h), reshape(hessian(loss)(image), {64, 64}));
  EXPECT_LT(h.products, 64);
}

TEST(Sparse, ProductsAreCountedInTheProgram) {
  const auto f = [](const Tensor& x) { return tridiagonal(tap(x * x, "square")); };
  const auto values = [&](const Tensor& x) { return sparse_jacobian(f)(x).values; };
  const Tensor x = numbers(40);
  EXPECT_EQ(probe(values, {"square.tangent"})(x).second("square.tangent").shape(), (Shape{3, 40}));
}

Tensor arrow(const Tensor& x) { return sum(x(0) * sin(x)) + sum(x * x * x); }
Tensor chain(const Tensor& x) { return sum(square(x(range(1, x.size())) - square(x(range(0, -1))))); }

TEST(Sparse, HessiansByStarColouring) {
  const Tensor x = numbers(30);
  const auto check = [&](auto f, int64_t products) {
    const SparseMatrix m = sparse_hessian(f)(x);
    EXPECT_EQ(m.products, products);
    near(dense(m), hessian(f)(x));
    return m;
  };
  EXPECT_EQ(check(arrow, 2).row.size(), 30 + 2 * 29);
  EXPECT_EQ(check(chain, 3).row.size(), 30 + 2 * 29);
  check([](const Tensor& v) { return sum(exp(v)); }, 1);
  check([](const Tensor& v) { return square(sum(v)); }, 30);
  const SparseMatrix none = check([](const Tensor& v) { return sum(v); }, 1);
  EXPECT_EQ(none.row.size(), 0);
}

TEST(Sparse, NestsWithOtherTransformations) {
  const Tensor x = numbers(8), rows = stack({x, x * 0.5, cos(x)}, 0);
  const auto values = [](const Tensor& v) { return sum(square(sparse_jacobian(tridiagonal)(v).values)); };
  const auto by_hand = [](const Tensor& v) { return sum(square(jacobian(tridiagonal)(v))); };
  near(grad(values)(x), grad(by_hand)(x));
  near(compile(vmap(grad(values)))(rows), vmap(grad(by_hand))(rows));
  const SparseMatrix second = sparse_jacobian(grad(chain))(x);
  near(dense(second), hessian(chain)(x));
  EXPECT_EQ(second.products, 3);
}

TEST(Sparse, Refusals) {
  const auto message = [](const std::function<void()>& f) -> std::string {
    try {
      f();
    } catch (const Error& e) { return e.what(); }
    return "";
  };
  const Tensor x = numbers(3);
  const std::string integers =
      message([&] { sparse_jacobian([](const Tensor& v) { return convert(v, Dtype::int32); })(x); });
  EXPECT_TRUE(integers.find("only floats have sparse derivatives") != std::string::npos &&
              integers.find("sparse_test.cpp") != std::string::npos)
      << integers;
  EXPECT_NE(message([&] { sparse_hessian(tridiagonal)(x); }), "");
}

// Colours for their own sake: no product mixes two elements.
TEST(Coloring, RandomPatterns) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    const int64_t n = 3 + seed % 20;
    Pattern p{n, n, std::vector<Ints>(static_cast<size_t>(n))};
    const Array dice = normal(key(seed), {n, n}).array();
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j)
        if (dice.at(std::min(i, j) * n + std::max(i, j)) > 1.2 - 0.01 * seed / 4)
          p.of_row[static_cast<size_t>(i)].push_back(j);
    const Coloring c = color_columns(p), s = color_star(p);
    const auto count = [&](int64_t row, int64_t color, const Coloring& by) {
      return std::ranges::count_if(p.of_row[static_cast<size_t>(row)],
                                   [&](int64_t k) { return by.color[static_cast<size_t>(k)] == color; });
    };
    for (int64_t i = 0; i < n; ++i)
      for (const int64_t j : p.of_row[static_cast<size_t>(i)]) {
        EXPECT_EQ(count(i, c.color[static_cast<size_t>(j)], c), 1);
        EXPECT_TRUE(count(i, s.color[static_cast<size_t>(j)], s) == 1 ||
                    count(j, s.color[static_cast<size_t>(i)], s) == 1);
      }
    EXPECT_LE(s.colors, color_columns(p).colors + 1);
  }
}

}  // namespace
}  // namespace viva
