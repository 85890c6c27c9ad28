// Attention against its formula, row by row; masks, groups of heads, rotary positions.
#include "graph/text.h"
#include "nn/check.h"
#include "viva/nn.h"

namespace viva {
namespace {

using check::drawn;
using check::expect_gradient;
using check::expect_near;

constexpr Dtype f64 = Dtype::float64;
const Tensor q = drawn(1, {2, 3, 4, 6}), k = drawn(2, {2, 3, 5, 6}), v = drawn(3, {2, 3, 5, 2});

TEST(Attention, EqualsTheFormulaRowByRow) {
  const Tensor y = attention(q, k, v);
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t h = 0; h < 3; ++h)
      for (int64_t t = 0; t < 4; ++t) {
        const Tensor scores = matmul(k(b, h), q(b, h, t)) / std::sqrt(6.0);
        const Tensor p = exp(scores) / sum(exp(scores));
        expect_near(y(b, h, t), matmul(p, v(b, h)));
      }
}

TEST(Attention, Gradient) {
  const std::array<Tensor, 3> operands{drawn(1, {1, 2, 3, 4}), drawn(2, {1, 1, 4, 4}), drawn(3, {1, 1, 4, 2})};
  expect_gradient([](const auto& o) { return attention(o[0], o[1], o[2], {.causal = true}); }, operands);
}

TEST(Attention, CausalSeesNothingLater) {
  const Tensor y = attention(q, k, v, {.causal = true});
  expect_near(y(ellipsis, 0, range()), v(ellipsis, 0, range()));
  const auto first_two = [&](const Tensor& key_and_value) {
    const Tensor kk = k.at(ellipsis, range(2), range()).add(expand_dims(key_and_value, -1));
    return attention(q, kk, v, {.causal = true})(ellipsis, range(0, 2), range());
  };
  expect_near(first_two(drawn(4, {2, 3, 3})), y(ellipsis, range(0, 2), range()), 0);
}

// Engines find these whole, by name.
TEST(Attention, IsANamedFunctionOfTheGraph) {
  const auto f = [](const LayerNorm& n, const Tensor& a, const Tensor& b, const Tensor& c) {
    return attention(n(a), b, c);
  };
  const std::string text = print(trace(f, LayerNorm::make(6, {.dtype = f64}), q, k, v));
  EXPECT_TRUE(check::holds(text, "layer_norm")) << text;
  EXPECT_TRUE(check::holds(text, "attention")) << text;
  const auto loss = [&](const Tensor& t) { return sum(square(attention(t, k, v, {.causal = true}))); };
  expect_near(compile(grad(loss))(q), grad(loss)(q));
  const Tensor each =
      vmap(grad([](const Tensor& a, const Tensor& b) { return sum(square(attention(a, b, b))); }))(q, k);
  expect_near(each, grad([](const Tensor& a, const Tensor& b) { return sum(square(attention(a, b, b))); })(q, k));
}

TEST(Attention, Masks) {
  const Tensor m = tensor({{1, 0, 1, 1, 0}, {0, 0, 0, 0, 1}, {1, 1, 1, 1, 1}, {0, 0, 0, 0, 0}}, Dtype::boolean);
  const Tensor y = attention(q, k, v, {.mask = m});
  expect_near(y(ellipsis, 1, range()), v(ellipsis, 4, range()));
  expect_near(y(ellipsis, 2, range()), attention(q, k, v)(ellipsis, 2, range()));
  expect_near(y(ellipsis, 3, range()), zeros({2, 3, 2}, f64), 0);
  const Tensor added = where(m, 0.0, -INFINITY);
  expect_near(attention(q, k, v, {.mask = convert(added, f64)}), y);
  const Tensor low = tril(ones({4, 5}, Dtype::boolean));
  expect_near(attention(q, k, v, {.mask = low}), attention(q, k, v, {.causal = true}));
  const Tensor g = grad([&](const Tensor& t) { return sum(attention(t, k, v, {.mask = m})); })(q);
  for (double d : check::numbers(g)) EXPECT_TRUE(std::isfinite(d));
  expect_near(g(ellipsis, 3, range()), zeros({2, 3, 6}, f64), 0);
}

TEST(Attention, GroupedQueriesShareTheirKeys) {
  const Tensor many = drawn(5, {2, 6, 4, 6});
  const Tensor twice = take(k, tensor({0, 0, 1, 1, 2, 2}, Dtype::int32), 1),
               values = take(v, tensor({0, 0, 1, 1, 2, 2}, Dtype::int32), 1);
  expect_near(attention(many, k, v, {.causal = true}), attention(many, twice, values, {.causal = true}));
}

TEST(Attention, HugeScoresAndNan) {
  const Tensor big = attention(q * 1e200, k * 1e100, v);
  for (double d : check::numbers(big)) EXPECT_TRUE(std::isfinite(d));
  const Tensor y = attention(q, k, v.at(0, 0, 0, 0).set(NAN));
  EXPECT_TRUE(std::isnan(y(0, 0, 0, 0).item()));
  EXPECT_TRUE(std::isfinite(y(0, 1, 0, 0).item()));
  EXPECT_TRUE(std::isnan(attention(q.at(0, 0, 1, 0).set(NAN), k, v)(0, 0, 1, 0).item()));
}

TEST(Attention, EmptyBatchAndNoKeys) {
  EXPECT_EQ(attention(zeros({0, 3, 4, 6}), zeros({0, 3, 5, 6}), zeros({0, 3, 5, 2})).shape(), (Shape{0, 3, 4, 2}));
  expect_near(attention(q, zeros({2, 3, 0, 6}, f64), zeros({2, 3, 0, 2}, f64)), zeros({2, 3, 4, 2}, f64), 0);
}

TEST(Attention, ErrorsNameTheLine) {
  const auto at = [](const auto& f, int line) { return check::error_at(line, __FILE__, f); };
  EXPECT_TRUE(check::holds(at([&] { attention(q, v, v); }, __LINE__), "queries and keys differ in width"));
  EXPECT_TRUE(check::holds(at([&] { attention(q, k, q); }, __LINE__), "keys and values differ"));
  EXPECT_TRUE(check::holds(at([&] { attention(q, k(range(0, 1)), v); }, __LINE__), "batches differ"));
  EXPECT_TRUE(check::holds(at([&] { attention(q(0, 0), k(0, 0), v(0, 0)); }, __LINE__), "takes [batch…, heads"));
  const AttentionOptions wide{.mask = ones({7, 4, 5}, Dtype::boolean)}, more{.mask = ones({2, 2, 3, 4, 5}, f64)};
  const AttentionOptions whole{.mask = ones({4, 5}, Dtype::int32)};
  EXPECT_TRUE(check::holds(at([&] { attention(q, k, v, whole); }, __LINE__), "the mask is i32[4,5]: takes bool"));
  EXPECT_TRUE(check::holds(at([&] { attention(q, k, v, wide); }, __LINE__), "do not broadcast"));
  EXPECT_TRUE(check::holds(at([&] { attention(q, k, v, more); }, __LINE__), "does not fit scores"));
}

// Scores of rotated vectors depend on the difference of their positions alone.
TEST(Rotary, IsARotationByPosition) {
  const Tensor x = drawn(1, {1, 6}), y = drawn(2, {1, 6});
  const auto score = [&](int64_t i, int64_t j) { return sum(rotary(x, 100, i) * rotary(y, 100, j)).item(); };
  EXPECT_NEAR(score(7, 4), score(3, 0), 1e-12);
  EXPECT_GT(std::abs(score(7, 4) - score(4, 7)), 1e-3);
  expect_near(rotary(x, 100, 0), x, 0);
  const Tensor turned = rotary(tensor({1, 0}, {1, 2}, f64), 10000, 2);
  expect_near(turned, {1, 2}, {std::cos(2), std::sin(2)});
  const Tensor all = rotary(drawn(3, {2, 5, 6}));
  expect_near(all(range(), range(3, 4), range()), rotary(drawn(3, {2, 5, 6})(range(), range(3, 4), range()), 10000, 3));
  EXPECT_TRUE(check::holds(check::error_at(__LINE__, __FILE__, [] { rotary(zeros({2, 3})); }), "an even width"));
}

TEST(MultiHead, IsHeadsOfAttention) {
  const MultiHeadAttention a =
      MultiHeadAttention::make(key(1), 8, 4, {.causal = true, .kv_heads = 2, .rotary_base = 100, .dtype = f64});
  EXPECT_EQ(a.key.weight.shape(), (Shape{8, 4}));
  const Tensor x = drawn(2, {3, 5, 8});
  const auto heads = [](const Tensor& t, int64_t n) { return move_axis(reshape(t, {3, 5, n, 2}), 2, 1); };
  const Tensor y = attention(rotary(heads(a.query(x), 4), 100), rotary(heads(a.key(x), 2), 100), heads(a.value(x), 2),
                             {.causal = true});
  expect_near(a(x), a.out(reshape(move_axis(y, 1, 2), {3, 5, 8})));
  expect_near(a(x(0)), a(x)(0));
  expect_near(compile([](const auto& m, const Tensor& t) { return m(t); })(a, x), a(x));
}

TEST(MultiHead, ContextAndMask) {
  const MultiHeadAttention a = MultiHeadAttention::make(key(1), 8, 2, {.dtype = f64});
  const Tensor x = drawn(2, {3, 5, 8}), context = drawn(3, {3, 7, 8}), first = iota({1, 7}, 1) < 1;
  EXPECT_EQ(a(x, context, {}).shape(), (Shape{3, 5, 8}));
  expect_near(a(x, context, first)(range(), range(0, 1), range()),
              a.out(a.value(context(range(), range(0, 1), range()))));
  expect_gradient([&](const MultiHeadAttention& m) { return m(x(range(0, 1)), context(range(0, 1)), {}); }, a);
  EXPECT_TRUE(check::holds(check::error_at(__LINE__, __FILE__, [&] { a(zeros({8}, f64)); }),
                           "[attention] takes [batch…, time"));
  EXPECT_TRUE(check::holds(check::error_of([] { MultiHeadAttention::make(key(1), 8, 3); }), "3 heads do not divide"));
  EXPECT_TRUE(check::holds(check::error_of([] { MultiHeadAttention::make(key(1), 8, 4, {.kv_heads = 3}); }),
                           "3 heads of keys"));
}

}  // namespace
}  // namespace viva
