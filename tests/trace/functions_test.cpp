// The functions of tensors against closed forms and plain loops; each eager result against the compiled one.
#include "viva/functions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "viva/viva.h"

namespace viva {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

// The same text eagerly and compiled.
template <class F, class... A> std::string both(const F& f, const A&... args) {
  const std::string eager = to_string(f(args...));
  EXPECT_EQ(to_string(compile(f)(args...)), eager);
  return eager;
}

std::string fmt_scalar(Dtype d, const std::string& value) { return std::string(name(d)) + "[] " + value; }

Tensor counted(const Shape& shape, Dtype d = Dtype::float32) { return reshape(arange(numel(shape), d), shape); }

TEST(Functions, NumbersFollowTheTensor) {
  const Tensor h = ones({2}, Dtype::float16), i = arange(2), b = tensor({1, 0}, Dtype::boolean);
  EXPECT_EQ((h * 2.5).dtype(), Dtype::float16);
  EXPECT_EQ((1 + h).dtype(), Dtype::float16);
  EXPECT_EQ((i * 2).dtype(), Dtype::int32);
  EXPECT_EQ((i * 2.0).dtype(), Dtype::float32);
  EXPECT_EQ((b + 1).dtype(), Dtype::int32);
  EXPECT_EQ(exp(i).dtype(), Dtype::float32);
  EXPECT_EQ(where(b, 1, 0).dtype(), Dtype::int32);
  EXPECT_EQ(where(b, 1, 0.5).dtype(), Dtype::float32);
}

TEST(Functions, Promotion) {
  EXPECT_EQ(promote(Dtype::float16, Dtype::bfloat16), Dtype::float32);
  EXPECT_EQ(promote(Dtype::float32, Dtype::float64), Dtype::float64);
  EXPECT_EQ(promote(Dtype::int64, Dtype::float16), Dtype::float16);
  EXPECT_EQ(promote(Dtype::uint8, Dtype::int8), Dtype::int16);
  EXPECT_EQ(promote(Dtype::uint8, Dtype::int64), Dtype::int64);
  EXPECT_EQ(promote(Dtype::uint32, Dtype::int32), Dtype::int64);
  EXPECT_EQ(promote(Dtype::boolean, Dtype::uint8), Dtype::uint8);
  EXPECT_EQ(promote(Dtype::float64, Dtype::complex64), Dtype::complex128);
  EXPECT_THROW(promote(Dtype::uint64, Dtype::int8), Error);
  for (int a = 0; a < dtype_count; ++a)
    for (int b = 0; b < dtype_count; ++b) {
      const auto x = static_cast<Dtype>(a), y = static_cast<Dtype>(b);
      if ((x == Dtype::uint64 && is_signed_integer(y)) || (y == Dtype::uint64 && is_signed_integer(x))) continue;
      EXPECT_EQ(promote(x, y), promote(y, x));
      EXPECT_EQ(promote(promote(x, y), y), promote(x, y));
    }
}

TEST(Functions, ArithmeticBroadcasts) {
  const Tensor x = counted({2, 1}), y = counted({3});
  EXPECT_EQ(both([](const Tensor& a, const Tensor& b) { return a * 10 + b; }, x, y),
            "f32[2,3] [[0, 1, 2], [10, 11, 12]]");
  EXPECT_EQ(both([](const Tensor& a) { return (7 - a) / 2 % 3; }, tensor({1, 2, 9}, Dtype::int32)),
            "i32[3] [0, 2, -1]");
  EXPECT_EQ(both([](const Tensor& a) { return (a == 1) | (~(a < 2) ^ (a >= 2)); }, arange(4)),
            "bool[4] [false, true, false, false]");
  EXPECT_EQ(both([](const Tensor& a) { return 5 / a; }, tensor({0, 2}, Dtype::int32)), "i32[2] [0, 2]");
  EXPECT_EQ(both([](const Tensor& a) { return clip(a, -1, 1.5); }, tensor({-3, 0, 2})), "f32[3] [-1, 0, 1.5]");
  EXPECT_EQ(both([](const Tensor& a) { return pow(a, 3); }, tensor({-2, 3})), "f32[2] [-8, 27]");
  Tensor z = x;
  z += 1, z *= z, z -= 0.5, z /= 2;
  EXPECT_EQ(to_string(z), "f32[2,1] [[0.25], [1.75]]");
}

TEST(Functions, Pointwise) {
  EXPECT_NEAR(gelu(scalar(1, Dtype::float64)).item(), 0.8413447460685429, 1e-15);
  EXPECT_NEAR(silu(scalar(2, Dtype::float64)).item(), 2 / (1 + std::exp(-2)), 1e-15);
  EXPECT_EQ(both([](const Tensor& a) { return relu(a); }, tensor({-1, 0, 2})), "f32[3] [0, 0, 2]");
  EXPECT_EQ(both([](const Tensor& a) { return round(a) + floor(a) + ceil(a); }, tensor({2.5, -0.5})), "f32[2] [7, -1]");
  EXPECT_EQ(both([](const Tensor& a) { return floor(a); }, arange(2)), "i32[2] [0, 1]");
  EXPECT_EQ(both([](const Tensor& a) { return is_nan(a) | ~is_finite(a); }, tensor({NAN, 1, inf})),
            "bool[3] [true, false, true]");
  EXPECT_EQ(grad([](const Tensor& a) { return a * stop_gradient(a * a); })(scalar(3)).item(), 9);
  for (const Dtype d : {Dtype::float16, Dtype::bfloat16, Dtype::float64})
    EXPECT_EQ(stop_gradient(tensor({1.5, -2}, d)).array().at(1), -2);
}

TEST(Functions, Reductions) {
  const Tensor x = counted({2, 3});
  EXPECT_EQ(both([](const Tensor& a) { return sum(a); }, x), "f32[] 15");
  EXPECT_EQ(both([](const Tensor& a) { return sum(a, 0); }, x), "f32[3] [3, 5, 7]");
  EXPECT_EQ(both([](const Tensor& a) { return mean(a, -1, true); }, x), "f32[2,1] [[1], [4]]");
  EXPECT_EQ(both([](const Tensor& a) { return max(a, {0, 1}); }, x), "f32[] 5");
  EXPECT_EQ(both([](const Tensor& a) { return min(a, 1); }, x), "f32[2] [0, 3]");
  EXPECT_EQ(both([](const Tensor& a) { return min(a); }, tensor({3, 1, 2}, Dtype::uint8)), "u8[] 1");
  EXPECT_EQ(both([](const Tensor& a) { return prod(a + 1, 1); }, x), "f32[2] [6, 120]");
  EXPECT_EQ(both([](const Tensor& a) { return sum(a > 2); }, x), "i32[] 3");
  EXPECT_EQ(both([](const Tensor& a) { return all(a > 0, 1); }, x), "bool[2] [false, true]");
  EXPECT_EQ(both([](const Tensor& a) { return any(a > 4, 0); }, x), "bool[3] [false, false, true]");
  EXPECT_EQ(both([](const Tensor& a) { return argmax(a, 1) + argmin(a, 1) * 10; }, x), "i32[2] [2, 2]");
  EXPECT_EQ(both([](const Tensor& a) { return cumsum(a, 1, true); }, x), "f32[2,3] [[3, 3, 2], [12, 9, 5]]");
  EXPECT_NEAR(variance(counted({4}), {}, false, 1).item(), 5.0 / 3, 1e-6);
  EXPECT_TRUE(std::isnan(mean(ones({0})).item()));
  EXPECT_EQ(sum(ones({0, 3}), 0).shape(), Shape{3});
}

// Among infinities the greatest share the tangent, as the limit of softmax has it; then nothing bends.
TEST(Functions, LogsumexpOfInfinities) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  const auto f = [](const Tensor& a) { return logsumexp(a); };
  const auto at = [](std::vector<double> v) { return tensor(v, {static_cast<int64_t>(v.size())}, Dtype::float64); };
  const auto is = [](const Tensor& t, const std::vector<double>& want) {
    const Array a = t.array();
    for (size_t i = 0; i < want.size(); ++i) EXPECT_DOUBLE_EQ(a.at(static_cast<int64_t>(i)), want[i]) << i;
  };
  EXPECT_EQ(f(at({-inf, -inf})).item(), -inf);
  is(grad(f)(at({-inf, -inf})), {0.5, 0.5});
  EXPECT_EQ(f(at({1, inf, 2})).item(), inf);
  is(grad(f)(at({1, inf, 2})), {0, 1, 0});
  is(grad(f)(at({-inf, 0, 0})), {0, 0.5, 0.5});
  is(hessian(f)(at({-inf, inf})), {0, 0, 0, 0});
  is(hessian(f)(at({-inf, 0, 0})), {0, 0, 0, 0, 0.25, -0.25, 0, -0.25, 0.25});
  is(jvp(f)(at({-inf, -inf}), at({1, 3})).second, {2});
}

TEST(Functions, LogSumExp) {
  const auto at = [](double a, double b) { return logsumexp(tensor({a, b}, Dtype::float64)).item(); };
  EXPECT_NEAR(at(0, 0), std::log(2), 1e-15);
  EXPECT_NEAR(at(1000, 1000), 1000 + std::log(2), 1e-12);
  EXPECT_EQ(at(-inf, -inf), -inf);
  EXPECT_EQ(at(inf, 0), inf);
  const Tensor x = tensor({{1, 2, 3}, {-1000, 0, 1000}}, Dtype::float64);
  EXPECT_NEAR(sum(softmax(x)).item(), 2, 1e-14);
  EXPECT_NEAR(log_softmax(x)(1, 0).item(), -2000, 1e-9);
  // d logsumexp = softmax, twice differentiable.
  const Tensor g = grad([](const Tensor& a) { return sum(logsumexp(a, 1)); })(x);
  EXPECT_LT(max(abs(g - softmax(x))).item(), 1e-15);
  const Tensor v = tensor({0.2, -1, 0.7}, Dtype::float64), p = softmax(v);
  const Tensor h = hessian([](const Tensor& a) { return logsumexp(a); })(v);
  EXPECT_LT(max(abs(h - (where(eye(3) > 0, p, 0) - outer(p, p)))).item(), 1e-15);
}

TEST(Functions, MatmulLikeNumPy) {
  const Tensor m = counted({2, 3}), n = counted({3, 2}), v = counted({3});
  EXPECT_EQ(both([](const Tensor& a, const Tensor& b) { return matmul(a, b); }, m, n), "f32[2,2] [[10, 13], [28, 40]]");
  EXPECT_EQ(both([](const Tensor& a, const Tensor& b) { return matmul(a, b); }, m, v), "f32[2] [5, 14]");
  EXPECT_EQ(both([](const Tensor& a, const Tensor& b) { return matmul(a, b); }, v, n), "f32[2] [10, 13]");
  EXPECT_EQ(matmul(v, v).item(), 5);
  // Batches broadcast: compare with einsum.
  const Tensor x = counted({2, 1, 2, 3}), y = counted({4, 3, 2});
  const Tensor z = matmul(x, y);
  EXPECT_EQ(z.shape(), (Shape{2, 4, 2, 2}));
  EXPECT_EQ(max(abs(z - einsum("abij,cjk->acik", {x, y}))).item(), 0);
  EXPECT_EQ(max(abs(matmul(m, y) - einsum("ij,bjk->bik", {m, y}))).item(), 0);
  EXPECT_EQ(max(abs(matmul(v, y) - einsum("j,bjk->bk", {v, y}))).item(), 0);
  EXPECT_EQ(max(abs(matmul(x, v) - einsum("abij,j->abi", {x, v}))).item(), 0);
  EXPECT_EQ(matmul(counted({2, 2}, Dtype::int8), counted({2, 2}, Dtype::int8), Dtype::int32).dtype(), Dtype::int32);
  EXPECT_THROW(matmul(m, m), Error);
}

TEST(Functions, Einsum) {
  const Tensor m = counted({3, 3}), v = counted({3});
  EXPECT_EQ(einsum("ii", {m}).item(), 12);
  EXPECT_EQ(to_string(einsum("ii->i", {m})), "f32[3] [0, 4, 8]");
  EXPECT_EQ(to_string(einsum("ij->j", {m})), "f32[3] [9, 12, 15]");
  EXPECT_EQ(to_string(einsum("ba", {m})), to_string(transpose(m)));
  EXPECT_EQ(einsum("i,ij,j->", {v, m, v}).item(), matmul(v, matmul(m, v)).item());
  EXPECT_EQ(to_string(einsum("i,j->ij", {v, v})), to_string(outer(v, v)));
  EXPECT_EQ(to_string(einsum("i,i->i", {v, v})), "f32[3] [0, 1, 4]");
  EXPECT_THROW(einsum("ij,jk", {m}), Error);
  EXPECT_THROW(einsum("i->ii", {v}), Error);
  EXPECT_THROW(einsum("i,ij->j", {ones({2}), m}), Error);
  EXPECT_THROW(einsum("i...", {v}), Error);
}

TEST(Functions, Movement) {
  const Tensor x = counted({2, 3});
  EXPECT_EQ(reshape(x, {3, -1}).shape(), (Shape{3, 2}));
  EXPECT_THROW(reshape(x, {4, -1}), Error);
  EXPECT_EQ(both([](const Tensor& a) { return transpose(a); }, x), "f32[3,2] [[0, 3], [1, 4], [2, 5]]");
  EXPECT_EQ(transpose(counted({2, 3, 4}), {2, 0, 1}).shape(), (Shape{4, 2, 3}));
  EXPECT_EQ(move_axis(counted({2, 3, 4}), 0, -1).shape(), (Shape{3, 4, 2}));
  EXPECT_EQ(swap_axes(counted({2, 3, 4}), 0, -1).shape(), (Shape{4, 3, 2}));
  EXPECT_EQ(squeeze(expand_dims(x, -1)).shape(), x.shape());
  EXPECT_EQ(both([](const Tensor& a) { return flip(a, 1); }, x), "f32[2,3] [[2, 1, 0], [5, 4, 3]]");
  EXPECT_EQ(both([](const Tensor& a) { return roll(a, -1, 1); }, x), "f32[2,3] [[1, 2, 0], [4, 5, 3]]");
  EXPECT_EQ(both([](const Tensor& a) { return pad(a, {0, 1}, {0, -1}, 9); }, x), "f32[2,3] [[9, 0, 1], [9, 3, 4]]");
  EXPECT_EQ(both([](const Tensor& a) { return stack({a, a * 2}, -1); }, counted({2})), "f32[2,2] [[0, 0], [1, 2]]");
  EXPECT_EQ(both([](const Tensor& a) { return concatenate({a, a(range(0, 1))}); }, x),
            "f32[3,3] [[0, 1, 2], [3, 4, 5], [0, 1, 2]]");
  const std::vector<Tensor> parts = split(x, 3, 1);
  EXPECT_EQ(to_string(parts[2]), "f32[2,1] [[2], [5]]");
  EXPECT_THROW(split(x, 2, 1), Error);
  EXPECT_EQ(both([](const Tensor& a) { return tril(a) + triu(a, 1) * 10; }, x), "f32[2,3] [[0, 10, 20], [3, 4, 50]]");
  EXPECT_EQ(to_string(tril(ones({2, 2}, Dtype::boolean))), "bool[2,2] [[true, false], [true, true]]");
  EXPECT_EQ(to_string(broadcast_to(arange(2), {2, 2})), "i32[2,2] [[0, 1], [0, 1]]");
  EXPECT_THROW(broadcast_to(x, {3}), Error);
  EXPECT_EQ(to_string(linspace(0, 1, 3)), "f32[3] [0, 0.5, 1]");
  EXPECT_EQ(to_string(arange(5, 0, -2)), "i32[3] [5, 3, 1]");
}

TEST(Functions, Indexing) {
  const Tensor x = counted({3, 4});
  EXPECT_EQ(x(1, 2).item(), 6);
  EXPECT_EQ(x(-1, -1).item(), 11);
  EXPECT_EQ(both([](const Tensor& a) { return a(1); }, x), "f32[4] [4, 5, 6, 7]");
  EXPECT_EQ(both([](const Tensor& a) { return a(range(), 0); }, x), "f32[3] [0, 4, 8]");
  EXPECT_EQ(both([](const Tensor& a) { return a(ellipsis, range(1, -1)); }, x), "f32[3,2] [[1, 2], [5, 6], [9, 10]]");
  EXPECT_EQ(both([](const Tensor& a) { return a(range(0, end, 2), range(3, 9)); }, x), "f32[2,1] [[3], [11]]");
  EXPECT_EQ(x(newaxis, 0, newaxis).shape(), (Shape{1, 1, 4}));
  EXPECT_EQ(x(range(5, 2)).shape(), (Shape{0, 4}));
  const Tensor i = tensor({2, -3, 9}, Dtype::int32);  // the last is clipped
  EXPECT_EQ(both([](const Tensor& a, const Tensor& k) { return a(k, 1); }, x, i), "f32[3] [9, 1, 9]");
  EXPECT_EQ(both([](const Tensor& a, const Tensor& k) { return a(range(0, 2), k); }, x, i),
            "f32[2,3] [[2, 1, 3], [6, 5, 7]]");
  EXPECT_EQ(both([](const Tensor& a, const Tensor& k) { return a(k, k); }, x, tensor({0, 2}, Dtype::int64)),
            "f32[2] [0, 10]");
  EXPECT_EQ(counted({2, 3, 4})(newaxis, range(), tensor({{0, 1}, {2, 2}}, Dtype::int32), 1).shape(),
            (Shape{1, 2, 2, 2}));
  EXPECT_THROW(x(3), Error);
  EXPECT_THROW(x(0, 0, 0), Error);
  EXPECT_THROW(x(tensor({1, 0, 1}, Dtype::boolean)), Error);
  EXPECT_THROW(x(range(0, 2, -1)), Error);
  EXPECT_THROW(x(ellipsis, ellipsis), Error);
}

TEST(Functions, UpdatesByPlace) {
  const Tensor x = zeros({2, 3});
  EXPECT_EQ(both([](const Tensor& a) { return a.at(1, range(0, 2)).set(7); }, x), "f32[2,3] [[0, 0, 0], [7, 7, 0]]");
  EXPECT_EQ(both([](const Tensor& a) { return a.at(range(), range(0, end, 2)).add(1); }, x),
            "f32[2,3] [[1, 0, 1], [1, 0, 1]]");
  const Tensor i = tensor({1, 1, 5, -2}, Dtype::int32);  // 5 is dropped, -2 is 0
  EXPECT_EQ(both([](const Tensor& a, const Tensor& k) { return a.at(k).add(1); }, zeros({2}), i), "f32[2] [1, 2]");
  EXPECT_EQ(both([](const Tensor& a, const Tensor& k) { return a.at(range(), k).max(tensor({1, 2, 3, 4})); }, x, i),
            "f32[2,3] [[0, 4, 0], [0, 4, 0]]");
  EXPECT_EQ(ones({3}).at(0).mul(4).at(1).min(-1)(range(0, 2)).shape(), Shape{2});
  EXPECT_EQ(scalar(2).at(ellipsis).add(1).item(), 3);
  // The update is differentiable in both.
  const Tensor g =
      grad([](const Tensor& v) { return sum(square(ones({3}).at(range(1, 3)).set(v * 2))); })(tensor({1, 2}));
  EXPECT_EQ(to_string(g), "f32[2] [8, 16]");
  EXPECT_THROW(x.at(0).set(ones({2})), Error);
}

TEST(Functions, TakeAndOneHot) {
  const Tensor x = counted({2, 3}), i = tensor({2, 0}, Dtype::int32);
  EXPECT_EQ(both([](const Tensor& a, const Tensor& k) { return take(a, k, 1); }, x, i), "f32[2,2] [[2, 0], [5, 3]]");
  EXPECT_EQ(both([](const Tensor& a, const Tensor& k) { return take_along(a, expand_dims(k, 1), 1); }, x, i),
            "f32[2,1] [[2], [3]]");
  EXPECT_EQ(to_string(one_hot(tensor({1, 3, -1}, Dtype::int32), 3)), "f32[3,3] [[0, 1, 0], [0, 0, 0], [0, 0, 0]]");
  EXPECT_EQ(to_string(vmap([](const Tensor& a, const Tensor& k) { return a(k); })(x, i)), "f32[2] [2, 3]");
}

TEST(Functions, ConvolutionAndPools) {
  const Tensor x = counted({1, 1, 4, 4}), w = ones({1, 1, 2, 2});
  EXPECT_EQ(both([](const Tensor& a, const Tensor& k) { return conv(a, k, {.strides = {2, 2}}); }, x, w),
            "f32[1,1,2,2] [[[[10, 18], [42, 50]]]]");
  EXPECT_EQ(both([](const Tensor& a) { return max_pool(a, {.size = {2, 2}}); }, x),
            "f32[1,1,2,2] [[[[5, 7], [13, 15]]]]");
  EXPECT_EQ(both([](const Tensor& a) { return mean_pool(a, {.size = {2, 2}}); }, x),
            "f32[1,1,2,2] [[[[2.5, 4.5], [10.5, 12.5]]]]");
  // Padding is neither chosen nor counted.
  const WindowOptions padded{.size = {3, 3}, .strides = {3, 3}, .low = {1, 1}, .high = {1, 1}};
  EXPECT_EQ(to_string(max_pool(-x - 1, padded)), "f32[1,1,2,2] [[[[-1, -3], [-9, -11]]]]");
  EXPECT_EQ(to_string(mean_pool(ones({1, 1, 4, 4}), padded)), "f32[1,1,2,2] [[[[1, 1], [1, 1]]]]");
  const Tensor g = grad([](const Tensor& a) { return sum(max_pool(a, {.size = {2, 2}})); })(x);
  EXPECT_EQ(sum(g).item(), 4);
  EXPECT_EQ(g(0, 0, 1, 1).item(), 1);
  EXPECT_THROW(conv(x, ones({1, 2, 2, 2})), Error);
}

TEST(Functions, PoolsOfEverySize) {
  // A window beyond the input has no place, as in conv.
  const Tensor small = ones({1, 1, 2});
  for (const auto& pool : {max_pool, mean_pool}) {
    EXPECT_EQ(pool(small, {.size = {5}}).shape(), (Shape{1, 1, 0}));
    EXPECT_EQ(pool(ones({2, 3, 4, 5}), {.size = {2, 6}}).shape(), (Shape{2, 3, 2, 0}));
    EXPECT_EQ(to_string(grad([&](const Tensor& a) { return sum(pool(a, {.size = {5}})); })(small)),
              "f32[1,1,2] [[[0, 0]]]");
  }
  EXPECT_EQ(conv(small, ones({1, 1, 5})).shape(), (Shape{1, 1, 0}));
  // Of a global pool of 289 places.
  const Tensor x = sin(counted({2, 3, 17, 17}));
  const auto global = [](const Tensor& a) { return max_pool(a, {.size = {17, 17}}); };
  EXPECT_EQ(both(global, x), to_string(max(x, {2, 3}, true)));
  const Tensor g = grad([&](const Tensor& a) { return sum(square(global(a))); })(x);
  EXPECT_EQ(max(abs(g - where(x == max(x, {2, 3}, true), 2 * x, 0))).item(), 0);
}

TEST(Functions, LargeWindowsAreGathered) {
  // 5 × 4 places, with strides and padding, against the maximum of each window by hand.
  const Tensor x = cos(counted({2, 2, 9, 7}) * 1.7);
  const WindowOptions o{.size = {5, 4}, .strides = {2, 3}, .low = {1, 2}, .high = {3, 0}};
  const Tensor y = max_pool(x, o);
  ASSERT_EQ(y.shape(), (Shape{2, 2, 5, 2}));
  for (int64_t i = 0; i < 5; ++i)
    for (int64_t j = 0; j < 2; ++j) {
      const Tensor window = x(ellipsis, range(std::max<int64_t>(0, 2 * i - 1), 2 * i + 4),
                              range(std::max<int64_t>(0, 3 * j - 2), 3 * j + 2));
      EXPECT_EQ(max(abs(y(ellipsis, i, j) - max(window, {2, 3}))).item(), 0) << i << j;
    }
  const auto f = [&](const Tensor& a) { return max_pool(a, o); };
  EXPECT_EQ(both(f, x), to_string(vmap([&](const Tensor& a) { return f(a(newaxis))(0); })(x)));
  // A window of padding only has the neutral element, by slices and by gather.
  const Tensor one = ones({1, 1, 1});
  EXPECT_EQ(to_string(max_pool(one, {.size = {2}, .strides = {1}, .low = {2}})), "f32[1,1,2] [[[-inf, 1]]]");
  EXPECT_EQ(to_string(max_pool(one, {.size = {20}, .strides = {1}, .low = {20}})), "f32[1,1,2] [[[-inf, 1]]]");
}

TEST(Functions, HalvesAreSummedInFloat32) {
  for (const Dtype d : {Dtype::float16, Dtype::bfloat16}) {
    const Tensor x = full({4096}, 100, d), zero = zeros({4096}, d);
    EXPECT_EQ(both([](const Tensor& a) { return mean(a); }, x), fmt_scalar(d, "100"));
    EXPECT_EQ(both([](const Tensor& a) { return variance(a * 2); }, x), fmt_scalar(d, "0"));
    EXPECT_EQ(variance(concatenate({x, -x})).item(), convert(scalar(10000), d).item());
    EXPECT_EQ(softmax(zero).array().at(7), 1.0 / 4096);
    EXPECT_EQ(logsumexp(zero).item(), convert(scalar(std::log(4096)), d).item());
    EXPECT_EQ(log_softmax(zero).array().at(7), -convert(scalar(std::log(4096)), d).item());
    EXPECT_EQ(mean_pool(reshape(x, {1, 1, 4096}), {.size = {4096}}).item(), 100);
    EXPECT_EQ(grad([](const Tensor& a) { return mean(a * 1024); })(x).array().at(9), 0.25);
  }
}

TEST(Functions, CondChooses) {
  const auto f = [](const Tensor& x) {
    return cond(x > 0, [](const Tensor& v) { return v * v; }, [](const Tensor& v) { return -v; }, x);
  };
  EXPECT_EQ(f(scalar(3)).item(), 9);
  EXPECT_EQ(compile(f)(scalar(-3)).item(), 3);
  EXPECT_EQ(grad(f)(scalar(3)).item(), 6);
}

}  // namespace
}  // namespace viva
