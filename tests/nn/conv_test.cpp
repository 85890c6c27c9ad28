// Convolutions against plain loops, their transposes against the adjoint, and pools.
#include "nn/check.h"
#include "viva/nn.h"

namespace viva {
namespace {

using check::counted;
using check::drawn;
using check::expect_gradient;
using check::expect_near;

constexpr Dtype f64 = Dtype::float64;

// One output channel and place at a time.
Tensor by_loops(const Tensor& x, const Tensor& w, const ConvWindowOptions& o) {
  const Array a = x.array(), k = w.array();
  const auto at = [](const Array& v, int64_t i, int64_t j, int64_t p, int64_t q) {
    const Shape& s = v.shape();
    return p < 0 || q < 0 || p >= s[2] || q >= s[3] ? 0.0 : v.at(((i * s[1] + j) * s[2] + p) * s[3] + q);
  };
  const auto places = [&](size_t i) {
    return (x.shape()[i + 2] + o.low[i] + o.high[i] - o.dilation[i] * (w.shape()[i + 2] - 1) - 1) / o.strides[i] + 1;
  };
  const int64_t rows = places(0), columns = places(1), out = w.dim(0), in = w.dim(1);
  std::vector<double> y;
  for (int64_t n = 0; n < x.dim(0); ++n)
    for (int64_t c = 0; c < out; ++c)
      for (int64_t p = 0; p < rows; ++p)
        for (int64_t q = 0; q < columns; ++q) {
          double total = 0;
          for (int64_t d = 0; d < in; ++d)
            for (int64_t u = 0; u < w.dim(2); ++u)
              for (int64_t v = 0; v < w.dim(3); ++v)
                total += at(k, c, d, u, v) * at(a, n, c / (out / o.groups) * in + d,
                                                p * o.strides[0] - o.low[0] + u * o.dilation[0],
                                                q * o.strides[1] - o.low[1] + v * o.dilation[1]);
          y.push_back(total);
        }
  return tensor(y, {x.dim(0), out, rows, columns}, f64);
}

TEST(Conv, EqualsLoops) {
  const Tensor x = drawn(1, {2, 4, 7, 6});
  for (const ConvWindowOptions& o :
       {ConvWindowOptions{{1, 1}, {0, 0}, {0, 0}, {1, 1}, 1}, ConvWindowOptions{{2, 1}, {1, 2}, {0, 1}, {1, 2}, 2},
        ConvWindowOptions{{1, 3}, {2, 0}, {2, 0}, {2, 1}, 4}}) {
    const Tensor w = drawn(2, {8, 4 / o.groups, 3, 2});
    const Conv layer{w, {}, o.strides, o.dilation, {.low = o.low, .high = o.high}, o.groups};
    expect_near(layer(x), by_loops(x, w, o));
  }
}

// ⌈extent / stride⌉ places, the odd zero after.
TEST(Conv, PadsToTheSameExtents) {
  const Tensor x = drawn(1, {1, 1, 7, 6}), w = drawn(2, {1, 1, 3, 2});
  const Conv same{w, {}, {2, 1}, {1, 2}, Padding::same()};
  expect_near(same(x), by_loops(x, w, {{2, 1}, {1, 1}, {1, 1}, {1, 2}, 1}));
  const Conv even{drawn(3, {1, 1, 2, 2}), {}, {}, {}, Padding::same()};
  expect_near(even(x), by_loops(x, even.weight, {{1, 1}, {0, 0}, {1, 1}, {1, 1}, 1}));
  EXPECT_EQ(same(x).shape(), (Shape{1, 1, 4, 6}));
}

TEST(Conv, OfOneAndThreeDimensions) {
  const Tensor x = drawn(1, {2, 3, 8}), w = drawn(2, {4, 3, 3});
  const Conv one{w, drawn(3, {4}), {2}, {1}, Padding::both({1})};
  const Conv two{expand_dims(w, 2), one.bias, {1, 2}, {1, 1}, Padding::both({0, 1})};
  const Conv three{expand_dims(two.weight, 2), one.bias, {1, 1, 2}, {1, 1, 1}, Padding::both({0, 0, 1})};
  const Tensor y = one(x);
  EXPECT_EQ(y.shape(), (Shape{2, 4, 4}));
  expect_near(squeeze(two(expand_dims(x, 2)), 2), y);
  expect_near(squeeze(three(expand_dims(expand_dims(x, 2), 2)), {2, 3}), y);
}

TEST(Conv, MakeFollowsTheSettings) {
  const Conv c = Conv::make(key(1), 4, 6, {3, 5}, {.strides = {2}, .padding = Padding::same(), .groups = 2});
  EXPECT_EQ(c.weight.shape(), (Shape{6, 2, 3, 5}));
  EXPECT_EQ(c.bias.shape(), Shape{6});
  EXPECT_EQ(c.strides, (Ints{2, 2}));
  EXPECT_EQ(c(zeros({1, 4, 9, 10})).shape(), (Shape{1, 6, 5, 5}));
  EXPECT_EQ(tree::paths(c), (std::vector<std::string>{"weight", "bias"}));
  const Conv large = Conv::make(key(1), 16, 64, {3, 3}, {.bias = false});
  EXPECT_TRUE(large.bias.empty());
  EXPECT_NEAR(variance(large.weight).item() * 144, 1, 5 * std::sqrt(2 / 9216.0));
}

TEST(Conv, WithoutABatch) {
  const Conv c = Conv::make(key(1), 2, 3, {3, 3}, {.dtype = f64});
  const Tensor x = drawn(1, {5, 2, 6, 6});
  expect_near(c(x(2)), c(x)(2));
  expect_near(vmap([&](const Tensor& one) { return c(one); })(x), c(x));
  EXPECT_EQ(c(zeros({0, 2, 6, 6}, f64)).shape(), (Shape{0, 3, 4, 4}));
}

TEST(Conv, Gradient) {
  const Conv c{drawn(1, {4, 1, 2, 2}), drawn(2, {4}), {2, 1}, {1, 2}, Padding::both({1, 0}), 2};
  expect_gradient([](const auto& t) { return tanh(t.first(t.second)); }, std::pair(c, drawn(3, {2, 2, 4, 5})));
}

TEST(Conv, ErrorsNameTheLine) {
  const Conv c = Conv::make(key(1), 2, 3, {3, 3});
  const auto at = [](const auto& f, int line) { return check::error_at(line, __FILE__, f); };
  const ConvOptions apart{.groups = 3}, still{.strides = {0}}, many{.strides = {1, 1, 1}};
  const ConvOptions both{.padding = {.to_same = true, .low = {1}}};
  EXPECT_TRUE(check::holds(at([&] { c(zeros({1, 3, 6, 6})); }, __LINE__), "3 features in 1 groups"));
  EXPECT_TRUE(check::holds(at([&] { c(zeros({6, 6})); }, __LINE__), "[conv] f32[6,6] into a layer with a kernel of"));
  EXPECT_TRUE(check::holds(at([&] { Conv::make(key(1), 2, 3, {3}, apart); }, __LINE__), "3 groups do not divide 2"));
  EXPECT_TRUE(check::holds(at([&] { Conv::make(key(1), 2, 3, {3}, still); }, __LINE__), "strides [0]: at least 1"));
  EXPECT_TRUE(check::holds(at([&] { Conv::make(key(1), 2, 3, {3}, many); }, __LINE__), "for 1 space dimensions"));
  EXPECT_TRUE(check::holds(at([&] { Conv::make(key(1), 2, 3, {3}, both); }, __LINE__), "and given as well"));
  EXPECT_TRUE(check::holds(at([&] { Conv::make(key(1), 2, 3, {}); }, __LINE__), "the kernel has no extents"));
  EXPECT_TRUE(check::holds(at([&] { Conv::make(key(1), 2, 3, {0}); }, __LINE__), "at least 1"));
}

// ⟨conv(x), y⟩ = ⟨x, transpose(y)⟩ with the same weight; extra rows that no window reads get zeros.
TEST(ConvTranspose, IsTheAdjoint) {
  struct Case {
    ConvWindowOptions o;
    Ints extra;
  };
  for (const auto& [o, extra] :
       {Case{{{1, 1}, {0, 0}, {0, 0}, {1, 1}, 1}, {0, 0}}, Case{{{2, 3}, {1, 0}, {1, 2}, {1, 2}, 2}, {0, 1}},
        Case{{{3, 2}, {2, 1}, {0, 1}, {2, 1}, 4}, {2, 0}}}) {
    const Tensor w = drawn(2, {8, 4 / o.groups, 3, 2}), y = drawn(3, {2, 8, 3, 4});
    const Tensor up = conv_transpose(y, w, o, extra), x = drawn(1, up.shape());
    expect_near(sum(conv(x, w, o) * y), sum(x * up));
    for (size_t i = 0; i < 2; ++i)
      EXPECT_EQ(up.dim(static_cast<int64_t>(i) + 2), (y.shape()[i + 2] - 1) * o.strides[i] - o.low[i] - o.high[i] +
                                                         o.dilation[i] * (w.shape()[i + 2] - 1) + 1 + extra[i]);
  }
}

TEST(ConvTranspose, LayerAndExtents) {
  const ConvTranspose c =
      ConvTranspose::make(key(1), 4, 6, {4, 3}, {.strides = {2}, .padding = Padding::same(), .groups = 2});
  EXPECT_EQ(c.weight.shape(), (Shape{4, 3, 4, 3}));
  EXPECT_EQ(c(zeros({1, 4, 5, 7})).shape(), (Shape{1, 6, 10, 14}));
  EXPECT_EQ(c(zeros({4, 5, 7})).shape(), (Shape{6, 10, 14}));
  const ConvTranspose gaps = ConvTranspose::make(key(1), 1, 1, {1}, {.strides = {3}, .padding = Padding::same()});
  EXPECT_EQ(gaps(zeros({1, 1, 4})).shape(), (Shape{1, 1, 12}));
  const ConvTranspose small{drawn(1, {2, 3, 3}), drawn(2, {3}), {2}, {1}, Padding::both({1}), {1}};
  expect_gradient([](const auto& t) { return tanh(t.first(t.second)); }, std::pair(small, drawn(3, {2, 2, 4})));
  EXPECT_TRUE(check::holds(check::error_at(__LINE__, __FILE__, [&] { c(zeros({1, 3, 5, 7})); }), "channels differ"));
  EXPECT_TRUE(check::holds(check::error_of([&] { conv_transpose(zeros({1, 2}), zeros({2, 1})); }), "[conv_transpose]"));
}

TEST(Pools, Global) {
  const Tensor x = counted({1, 2, 2, 3}, 1);
  expect_near(global_mean_pool(x), {1, 2}, {3.5, 9.5});
  expect_near(global_max_pool(x), {1, 2}, {6, 12});
  EXPECT_TRUE(
      check::holds(check::error_at(__LINE__, __FILE__, [] { global_max_pool(zeros({2, 3})); }), "[global_max_pool]"));
}

// Seven elements to three places: 0-2, 2-4, 4-6, as torch has them; and six to three.
TEST(Pools, Adaptive) {
  const Tensor x = tensor({{1, 9, 2, 4, 3, 8, 5}}, f64);
  expect_near(adaptive_mean_pool(expand_dims(x, 0), {3}), {1, 1, 3}, {4, 3, 16.0 / 3});
  expect_near(adaptive_max_pool(expand_dims(x, 0), {3}), {1, 1, 3}, {9, 4, 8});
  expect_near(adaptive_max_pool(expand_dims(x(range(), range(0, 6)), 0), {3}), {1, 1, 3}, {9, 4, 8});
  expect_near(adaptive_mean_pool(drawn(1, {2, 3, 4, 5}), {1, 1}), mean(drawn(1, {2, 3, 4, 5}), {2, 3}, true));
  expect_near(adaptive_mean_pool(drawn(1, {2, 3, 4, 5}), {4, 5}), drawn(1, {2, 3, 4, 5}), 0);
  EXPECT_EQ(adaptive_mean_pool(zeros({0, 3, 4, 5}), {3, 2}).shape(), (Shape{0, 3, 3, 2}));
  expect_gradient([](const Tensor& t) { return adaptive_mean_pool(t, {3, 2}); }, drawn(2, {1, 2, 5, 4}));
  expect_gradient([](const Tensor& t) { return adaptive_max_pool(t, {3, 2}); }, drawn(2, {1, 2, 5, 4}));
  EXPECT_TRUE(check::holds(check::error_at(__LINE__, __FILE__, [&] { adaptive_max_pool(x, {3}); }), "takes [batch"));
  EXPECT_TRUE(check::holds(check::error_of([&] { adaptive_max_pool(expand_dims(x, 0), {0}); }), "0 places"));
}

TEST(Pools, WithoutABatch) {
  const Tensor x = drawn(1, {4, 3, 6, 6});
  const WindowOptions w{.size = {3, 2}, .strides = {2, 2}, .low = {1, 0}, .high = {1, 0}};
  for (const auto& pool : {max_pool, mean_pool}) {
    expect_near(pool(x(1), w), pool(x, w)(1), 0);
    expect_near(vmap([&](const Tensor& one) { return pool(one, w); })(x), pool(x, w), 1e-15);
  }
  EXPECT_TRUE(check::holds(check::error_at(__LINE__, __FILE__, [&] { max_pool(x(0, 0), w); }), "[pool]"));
}

TEST(Pools, NanGoesThrough) {
  const Tensor x = tensor({1, NAN, 2, 3}, {1, 1, 4});
  expect_near(adaptive_max_pool(x, {2}), {1, 1, 2}, {check::nan, 3});
  expect_near(global_mean_pool(x), {1, 1}, {check::nan});
}

}  // namespace
}  // namespace viva
