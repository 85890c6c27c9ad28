// Dense layers, embeddings, dropout and recurrent cells against plain loops and closed forms.
#include "nn/check.h"
#include "viva/nn.h"

namespace viva {
namespace {

using check::counted;
using check::drawn;
using check::expect_gradient;
using check::expect_near;

constexpr Dtype f64 = Dtype::float64;

TEST(Dense, IsAProductAndASum) {
  const Dense d{counted({2, 3}), counted({3})};
  expect_near(d(tensor({{1, 2}, {0, -1}}, f64)), {2, 3}, {1.0, 1.4, 1.8, -.3, -.3, -.3});
  expect_near(d(tensor({1, 2}, f64)), {3}, {1.0, 1.4, 1.8});
  EXPECT_EQ(d(zeros({0, 2}, f64)).shape(), (Shape{0, 3}));
  EXPECT_EQ(d(zeros({4, 5, 2}, f64)).shape(), (Shape{4, 5, 3}));
  expect_gradient([](const auto& t) { return tanh(t.first(t.second)); }, std::pair(d, drawn(1, {4, 2})));
}

TEST(Dense, MakeFollowsTheOptions) {
  const Dense d = Dense::make(key(1), 3, 4);
  EXPECT_EQ(tree::paths(d), (std::vector<std::string>{"weight", "bias"}));
  EXPECT_EQ(d.weight.type(), (Type{Dtype::float32, {3, 4}}));
  expect_near(d.bias, zeros({4}), 0);
  EXPECT_EQ(to_string(d.weight), to_string(Dense::make(key(1), 3, 4).weight));
  EXPECT_NE(to_string(d.weight), to_string(Dense::make(key(2), 3, 4).weight));
  const Dense plain = Dense::make(key(1), 3, 4, {.bias = false, .dtype = f64});
  EXPECT_TRUE(plain.bias.empty());
  EXPECT_EQ(plain(zeros({2, 3}, f64)).type(), (Type{f64, {2, 4}}));
  const Dense odd = Dense::make(key(1), 1, 2, {.weight = init::constant(2), .bias_init = init::constant(-1)});
  expect_near(odd(tensor({3})), {2}, {5, 5}, 0);
}

TEST(Dense, ErrorsNameTheLine) {
  const Dense d = Dense::make(key(1), 3, 4);
  const auto at = [&](const auto& f, int line) { return check::error_at(line, __FILE__, f); };
  EXPECT_TRUE(check::holds(at([&] { d(zeros({2, 4})); }, __LINE__), "[dense] f32[2,4] into a layer of 3 inputs"));
  EXPECT_TRUE(check::holds(at([&] { d(scalar(1)); }, __LINE__), "[dense] f32[] into a layer of 3 inputs"));
  EXPECT_TRUE(check::holds(at([&] { Dense::make(key(1), 0, 4); }, __LINE__), "[dense] 0 inputs: at least 1"));
  EXPECT_TRUE(check::holds(at([&] { Dense()(zeros({2})); }, __LINE__), "an empty tensor is used"));
  const Initializer wrong = [](const Key&, const Shape&, Fans, Dtype) { return zeros({1}); };
  const DenseOptions odd{.weight = wrong}, whole{.dtype = Dtype::int32};
  EXPECT_TRUE(check::holds(at([&] { Dense::make(key(1), 3, 4, odd); }, __LINE__), "gives f32[1], not f32[3,4]"));
  EXPECT_TRUE(check::holds(at([&] { Dense::make(key(1), 3, 4, whole); }, __LINE__), "i32 is no float dtype"));
}

TEST(Embedding, RowsAndTiedOutput) {
  const Embedding e{counted({4, 2}, 1)};
  expect_near(e(tensor({{3, 0}, {1, 1}}, Dtype::int32)), {2, 2, 2}, {7, 8, 1, 2, 3, 4, 3, 4});
  expect_near(e(tensor({-1, 9}, Dtype::int32)), {2, 2}, {7, 8, 7, 8});
  expect_near(e.attend(tensor({1, -1}, f64)), {4}, {-1, -1, -1, -1});
  EXPECT_EQ(e(zeros({0}, Dtype::int32)).shape(), (Shape{0, 2}));
  const Tensor indices = tensor({1, 1, 3}, Dtype::int32);
  const Tensor g = grad([&](const Embedding& m) { return sum(m(indices)); })(e).weight;
  expect_near(g, {4, 2}, {0, 0, 2, 2, 0, 0, 1, 1});
  expect_gradient([&](const Embedding& m) { return m.attend(tanh(m(indices))); }, e);
  EXPECT_TRUE(check::holds(check::error_at(__LINE__, __FILE__, [&] { e(tensor({1, 2})); }), "not integers"));
  EXPECT_NEAR(variance(Embedding::make(key(3), 500, 64).weight).item(), 1 / 64.0, 4e-4);
}

TEST(Dropout, ScalesWhatItKeeps) {
  const Tensor x = ones({100, 100});
  const std::vector<double> y = check::numbers(dropout(key(5), x, .3));
  const auto kept = static_cast<double>(std::count_if(y.begin(), y.end(), [](double v) { return v != 0; }));
  EXPECT_NEAR(kept, 7000, 5 * std::sqrt(10000 * .3 * .7));
  for (double v : y) EXPECT_TRUE(v == 0 || std::abs(v - 1 / .7) < 1e-6);
  EXPECT_EQ(y, check::numbers(Dropout{.3}(key(5), x)));
  EXPECT_NE(y, check::numbers(dropout(key(6), x, .3)));
  EXPECT_EQ(y, check::numbers(compile([](const Key& k, const Tensor& t) { return dropout(k, t, .3); })(key(5), x)));
}

TEST(Dropout, RatesOfZeroAndOne) {
  const Tensor x = tensor({1, NAN, INFINITY});
  expect_near(dropout(key(1), x, 0), {3}, {1, check::nan, check::inf}, 0);
  expect_near(dropout(key(1), x, 1), {3}, {0, 0, 0}, 0);
  EXPECT_TRUE(check::holds(check::error_at(__LINE__, __FILE__, [&] { dropout(key(1), x, 1.5); }), "rate 1.5"));
  EXPECT_TRUE(check::holds(check::error_of([&] { dropout(key(1), x, NAN); }), "between 0 and 1"));
}

TEST(Dropout, DropsTheSameInTheGradient) {
  const Tensor x = drawn(1, {50});
  const Tensor g = grad([&](const Tensor& t) { return sum(dropout(key(8), t, .5)); })(x);
  expect_near(g * x, dropout(key(8), x, .5));
}

// The cells against the equations in the documentation of torch, gate by gate.
TEST(Cells, Gru) {
  const GruCell cell{{drawn(1, {2, 9}), drawn(2, {9})}, {drawn(3, {3, 9}), drawn(4, {9})}};
  const Tensor x = drawn(5, {4, 2}), h = drawn(6, {4, 3});
  const auto gate = [&](const Dense& d, const Tensor& v, int64_t i) {
    return matmul(v, d.weight(range(), range(3 * i, 3 * i + 3))) + d.bias(range(3 * i, 3 * i + 3));
  };
  const Tensor r = sigmoid(gate(cell.input, x, 0) + gate(cell.hidden, h, 0));
  const Tensor z = sigmoid(gate(cell.input, x, 1) + gate(cell.hidden, h, 1));
  const Tensor n = tanh(gate(cell.input, x, 2) + r * gate(cell.hidden, h, 2));
  expect_near(cell(h, x), (1 - z) * n + z * h);
  expect_gradient([&](const GruCell& c) { return c(c(h, x), x); }, cell, 1e-6);
}

TEST(Cells, Lstm) {
  const LstmCell cell{{drawn(1, {2, 12}), drawn(2, {12})}, {drawn(3, {3, 12}), drawn(4, {12})}};
  const Tensor x = drawn(5, {4, 2}), h = drawn(6, {4, 3}), c = drawn(7, {4, 3});
  const auto gate = [&](int64_t i) {
    const auto cut = range(3 * i, 3 * i + 3);
    return matmul(x, cell.input.weight(range(), cut)) + cell.input.bias(cut) +
           matmul(h, cell.hidden.weight(range(), cut)) + cell.hidden.bias(cut);
  };
  const Tensor next = sigmoid(gate(1)) * c + sigmoid(gate(0)) * tanh(gate(2));
  const LstmCell::State s = cell({h, c}, x);
  expect_near(s.cell, next);
  expect_near(s.output, sigmoid(gate(3)) * tanh(next));
  expect_gradient([&](const LstmCell& m) { return m(m({h, c}, x), x).output; }, cell, 1e-6);
}

TEST(Cells, MakeAndErrors) {
  const GruCell g = GruCell::make(key(1), 5, 4);
  EXPECT_EQ(g.input.weight.shape(), (Shape{5, 12}));
  const Tensor block = g.hidden.weight(range(), range(4, 8));
  expect_near(matmul(transpose(block), block), eye(4), 1e-6);
  const LstmCell l = LstmCell::make(key(1), 5, 2);
  expect_near(l.input.bias, {8}, {0, 0, 1, 1, 0, 0, 0, 0}, 0);
  EXPECT_TRUE(check::holds(check::error_at(__LINE__, __FILE__, [&] { g(zeros({3, 5}), zeros({3, 5})); }),
                           "[cell] a state of f32[3,5] for inputs f32[3,5] and a width of 4"));
  EXPECT_TRUE(check::holds(check::error_of([&] { g(zeros({2, 4}), zeros({3, 5})); }), "[cell] a state of f32[2,4]"));
}

TEST(Buffers, HaveNoGradientAndStayInTheTree) {
  struct Model {
    Tensor weight;
    Buffer seen;
  };
  const Model m{tensor({2}), {tensor({5})}};
  EXPECT_EQ(tree::paths(m), (std::vector<std::string>{"weight", "seen"}));
  const auto loss = [](const Model& v) { return sum(v.weight * v.seen.value); };
  const Model g = grad(loss)(m);
  EXPECT_EQ(g.weight(0).item(), 5);
  EXPECT_TRUE(g.seen.value.empty());
  const Model moved = tree::map([](const Tensor& v, const Tensor& d) { return v - d; }, m, g);
  EXPECT_EQ(moved.seen.value(0).item(), 5);
  EXPECT_EQ(moved.weight(0).item(), -3);
  EXPECT_EQ(compile(grad(loss))(m).weight(0).item(), 5);
}

TEST(Layers, AKernelLargerThanTheImageIsRefused) {
  EXPECT_TRUE(check::holds(check::error_of([] { Conv::make(key(1), 3, 4, {9, 9})(ones({1, 3, 4, 8})); }),
                           "[conv] f32[1,3,4,8] is smaller than a kernel of f32[4,3,9,9]: pad it, or give a smaller"));
  EXPECT_EQ(Conv::make(key(1), 3, 4, {9, 9})(ones({0, 3, 9, 9})).shape(), (Shape{0, 4, 1, 1}));
}

// Raw pixels and labels are not taken for numbers.
TEST(Layers, TakeFloats) {
  const Tensor pixels = ones({2, 3}, Dtype::uint8), image = ones({2, 3, 8, 8}, Dtype::uint8);
  const auto refused = [](std::string_view layer, std::string_view type, const auto& f) {
    EXPECT_TRUE(check::holds(check::error_of(f),
                             fmt::format("[{}] {} is no float: use convert(x, Dtype::float32)", layer, type)));
  };
  refused("dense", "u8[2,3]", [&] { Dense::make(key(1), 3, 4)(pixels); });
  refused("layer_norm", "u8[2,3]", [&] { LayerNorm::make(3)(pixels); });
  refused("rms_norm", "u8[2,3]", [&] { RmsNorm::make(3)(pixels); });
  refused("conv", "u8[2,3,8,8]", [&] { Conv::make(key(1), 3, 4, {3, 3})(image); });
  refused("conv", "u8[2,3,8,8]", [&] { ConvTranspose::make(key(1), 3, 4, {3, 3})(image); });
  refused("batch_norm", "u8[2,3,8,8]", [&] { BatchNorm::make(3)(image); });
  refused("batch_norm", "u8[2,3,8,8]", [&] { BatchNorm::make(3).train(image); });
  refused("group_norm", "u8[2,3,8,8]", [&] { GroupNorm::make(1, 3)(image); });
  refused("instance_norm", "u8[2,3,8,8]", [&] { InstanceNorm::make(3)(image); });
}

}  // namespace
}  // namespace viva
