#include <array>

#include "ops/check_rules.h"

namespace viva::test {
namespace {

const OpDef& conv_general = op("conv_general");

// A configuration drawn at random; small, often with empty or negative parts.
Sample random_conv(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto draw = [&](int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
  };
  const int64_t n = draw(0, 2);
  ConvDims d = ConvDims::plain(n);
  const auto shuffle = [&](Ints& spec) {
    for (size_t i = spec.size(); i > 1; --i)
      std::swap(spec[i - 1], spec[static_cast<size_t>(draw(0, static_cast<int64_t>(i) - 1))]);
  };
  shuffle(d.lhs_spec), shuffle(d.rhs_spec), shuffle(d.out_spec);
  const int64_t kind = draw(0, 2);
  if (kind == 1) d.feature_groups = draw(2, 3);
  if (kind == 2) d.batch_groups = draw(2, 3);
  const int64_t batch = draw(1, 2) * d.batch_groups, in = draw(1, 2),
                out = draw(1, 2) * d.feature_groups * d.batch_groups;
  Shape lhs(static_cast<size_t>(n) + 2), rhs(lhs.size());
  const auto put = [](Shape& s, const Ints& spec, size_t i, int64_t e) { s[static_cast<size_t>(spec[i])] = e; };
  put(lhs, d.lhs_spec, 0, batch), put(lhs, d.lhs_spec, 1, in * d.feature_groups);
  put(rhs, d.rhs_spec, 0, out), put(rhs, d.rhs_spec, 1, in);
  for (size_t i = 0; i < d.spatial(); ++i) {
    put(lhs, d.lhs_spec, i + 2, draw(0, 6) ? draw(1, 6) : 0), put(rhs, d.rhs_spec, i + 2, draw(0, 9) ? draw(1, 3) : 0);
    d.strides[i] = draw(1, 3), d.lhs_dilation[i] = draw(1, 3), d.rhs_dilation[i] = draw(1, 3);
    d.pad_low[i] = draw(-2, 4), d.pad_high[i] = draw(-2, 4), d.reversal[i] = draw(0, 1);
  }
  Sample s{fmt::format("seed {}", seed),
           {random_array({Dtype::float64, lhs}, seed), random_array({Dtype::float64, rhs}, seed + 1)},
           {{"dtype", Dtype::float64}},
           {}};
  d.put(s.attrs);
  return s;
}

const std::array<Mask, 2> sides = {Mask{true, false}, Mask{false, true}};

// The only convolution of a function, as a sample of its own.
Sample convolution_in(const Body& f) {
  Sample s;
  int count = 0;
  for (const Node& n : f->nodes()) {
    if (n.op != &conv_general) continue;
    ++count, s.attrs = n.attrs;
    for (const Value& v : n.in) s.in.push_back(random_array(v.type(), 3));
  }
  EXPECT_EQ(count, 1);
  return s;
}

TEST(Convolution, TransposeIsOneConvolutionAtEveryOrder) {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const Sample s = random_conv(seed);
    for (const Mask& side : sides) {
      const Sample second = convolution_in(check_transpose(conv_general, s, side, s.label));
      for (const Mask& again : sides) {
        const Body f = check_transpose(conv_general, second, again, s.label + ", second");
        EXPECT_EQ(convolution_in(f).in.size(), 2u);
      }
    }
  }
}

TEST(Convolution, BatchEqualsLoop) {
  for (uint64_t seed = 1000; seed < 1200; ++seed) {
    const Sample s = random_conv(seed);
    check_batch(conv_general, s, shuffled(s), s.label);
    check_empty_batch(conv_general, s, s.label);
    check_lowered(conv_general, s, 1e-13, s.label);
  }
}

TEST(Convolution, Samples) {
  for (const Sample& s : conv_general.samples()) {
    for (const Mask& m : s.linear) check_transpose(conv_general, s, m, s.label), check_jvp(conv_general, s, m, s.label);
    if (!s.linear.empty()) check_jvp(conv_general, s, {true, true}, s.label);
    check_batch(conv_general, s, shuffled(s), s.label);
    check_lowered(conv_general, s, s.in[0].dtype() == Dtype::complex64 ? 1e-6 : 1e-13, s.label);
  }
}

TEST(Convolution, KnownNumbers) {
  const auto convolve = [](ConvDims d, std::vector<float> x, std::vector<float> w) {
    const auto nx = static_cast<int64_t>(x.size()), nw = static_cast<int64_t>(w.size());
    Sample s{"", {Array::of(x, {1, 1, nx}), Array::of(w, {1, 1, nw})}, {{"dtype", Dtype::float32}}, {}};
    d.put(s.attrs);
    const Array y = value_of(conv_general, s);
    return std::vector<float>(y.as<float>().begin(), y.as<float>().end());
  };
  using V = std::vector<float>;
  ConvDims d = ConvDims::plain(1);
  EXPECT_EQ(convolve(d, {1, 2, 3}, {10, 1}), (V{12, 23}));
  d.reversal = {1};
  EXPECT_EQ(convolve(d, {1, 2, 3}, {10, 1}), (V{21, 32}));
  d = ConvDims::plain(1), d.pad_low = {1}, d.pad_high = {-1};
  EXPECT_EQ(convolve(d, {1, 2, 3}, {10, 1}), (V{1, 12}));
  d = ConvDims::plain(1), d.lhs_dilation = {2};
  EXPECT_EQ(convolve(d, {1, 2, 3}, {10, 1}), (V{10, 2, 20, 3}));
  d = ConvDims::plain(1), d.rhs_dilation = {2};
  EXPECT_EQ(convolve(d, {1, 2, 3}, {10, 1}), (V{13}));
  d = ConvDims::plain(1), d.strides = {2}, d.pad_high = {1};
  EXPECT_EQ(convolve(d, {1, 2, 3}, {10, 1}), (V{12, 30}));
}

TEST(Convolution, SixteenBitsAccumulateInFloatAndIntegersWrap) {
  ConvDims d = ConvDims::plain(0);
  const auto of = [&](Dtype t, std::optional<Dtype> to, double x, int64_t count) {
    Sample s{"", {Array::full({t, {1, count}}, x), Array::full({t, {1, count}}, 1)}, {{"dtype", to.value_or(t)}}, {}};
    d.put(s.attrs);
    return value_of(conv_general, s).at(0);
  };
  EXPECT_EQ(of(Dtype::bfloat16, {}, 1, 300), 300);  // one by one a bf16 sum would stop at 256
  EXPECT_EQ(of(Dtype::bfloat16, Dtype::float32, 1, 301), 301);
  EXPECT_EQ(of(Dtype::int8, Dtype::int32, -128, 1000), -128000);
  EXPECT_EQ(of(Dtype::uint8, {}, 255, 2), 254);
}

TEST(Convolution, TransposeKeepsTheOperandsDtype) {
  Sample s{"",
           {Array::full({Dtype::bfloat16, {1, 2, 4}}, 1), Array::full({Dtype::bfloat16, {3, 2, 2}}, 1)},
           {{"dtype", Dtype::float32}},
           {}};
  ConvDims::plain(1).put(s.attrs);
  for (const Mask& side : sides) EXPECT_EQ(transposed(conv_general, s, side)->output_types()[0].dtype, Dtype::bfloat16);
}

TEST(Convolution, RefusesWhatDoesNotFit) {
  const auto refused = [](Shape lhs, Shape rhs, auto change, Dtype to = Dtype::float32) {
    ConvDims d = ConvDims::plain(1);
    change(d);
    Build b("f");
    const Value x = b.parameter({Dtype::float32, lhs}), w = b.parameter({Dtype::float32, rhs});
    EXPECT_THROW(b.conv_general(x, w, d, to), Error) << to_string(lhs) << to_string(rhs);
  };
  const auto keep = [](ConvDims&) {};
  refused({1, 2, 3}, {1, 3, 3}, keep);
  refused({1, 2}, {1, 2, 3}, keep);
  refused({1, 2, 3}, {1, 2, 3}, keep, Dtype::int32);
  refused({1, 2, 3}, {1, 2, 3}, [](ConvDims& d) { d.strides = {0}; });
  refused({1, 2, 3}, {1, 2, 3}, [](ConvDims& d) { d.lhs_dilation = {-1}; });
  refused({1, 2, 3}, {1, 2, 3}, [](ConvDims& d) { d.rhs_dilation = {int64_t{1} << 62}; });
  refused({1, 2, 3}, {1, 2, 3}, [](ConvDims& d) { d.pad_low = {int64_t{1} << 62}; });
  refused({1, 2, 3}, {1, 2, 3}, [](ConvDims& d) { d.pad_low = {0, 0}; });
  refused({1, 2, 3}, {1, 2, 3}, [](ConvDims& d) { d.reversal = {2}; });
  refused({1, 2, 3}, {1, 2, 3}, [](ConvDims& d) { d.lhs_spec = {0, 0, 1}; });
  refused({1, 2, 3}, {1, 2, 3}, [](ConvDims& d) { d.out_spec = {0, 1}; });
  refused({1, 4, 3}, {3, 2, 3}, [](ConvDims& d) { d.feature_groups = 2; });
  refused({3, 2, 3}, {2, 2, 3}, [](ConvDims& d) { d.batch_groups = 2; });
  refused({2, 4, 3}, {4, 2, 3}, [](ConvDims& d) { d.batch_groups = d.feature_groups = 2; });
  refused({1, 2, 3}, {1, 2, 3}, [](ConvDims& d) { d.feature_groups = 0; });
}

}  // namespace
}  // namespace viva::test
