#include <array>
#include <limits>

#include "ops/check_rules.h"

namespace viva::test {
namespace {

const OpDef& window_argmax = op("window_argmax");
const OpDef& window_sum = op("window_sum");

Sample sample_of(Array x, const WindowDims& d, std::optional<Dtype> index = {}) {
  Sample s{"", {std::move(x)}, {}, {}};
  if (index) s.attrs.set("dtype", *index);
  d.put(s.attrs);
  return s;
}

Sample random_window(uint64_t seed, std::optional<Dtype> index = {}) {
  std::mt19937_64 random(seed);
  const auto draw = [&](int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
  };
  WindowDims d;
  Shape x;
  for (int64_t n = draw(0, 3); n > 0; --n) {
    x.push_back(draw(0, 6) ? draw(1, 5) : 0);
    d.size.push_back(draw(1, 3)), d.strides.push_back(draw(1, 3));
    d.pad_low.push_back(draw(-2, 3)), d.pad_high.push_back(draw(-2, 3));
    d.base_dilation.push_back(draw(1, 3)), d.dilation.push_back(draw(1, 3));
  }
  // Whole numbers, so that maxima are often equal and sums exact.
  Sample s = sample_of(random_array({Dtype::int32, x}, seed).converted(Dtype::float64), d, index);
  s.label = fmt::format("seed {}", seed);
  return s;
}

std::vector<int64_t> numbers(const Array& a) {
  const Array wide = a.converted(Dtype::int64);
  return {wide.as<int64_t>().begin(), wide.as<int64_t>().end()};
}

TEST(WindowSum, TransposeStaysAWindowSumAtEveryOrder) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const Sample s = random_window(seed);
    const Body f = check_transpose(window_sum, s, {true}, s.label);
    const Node& n = node_of(f);
    ASSERT_EQ(n.op, &window_sum);
    Sample second{s.label, {random_array(n.in[0].type(), 1)}, n.attrs, {}};
    check_transpose(window_sum, second, {true}, s.label + ", second");
  }
}

// A sum over windows is the convolution of each element's channel with ones.
TEST(WindowSum, EqualsConvolutionWithOnes) {
  for (uint64_t seed = 300; seed < 400; ++seed) {
    const Sample s = random_window(seed);
    const WindowDims w = WindowDims::from(s.attrs);
    ConvDims d = ConvDims::plain(static_cast<int64_t>(w.size.size()));
    d.strides = w.strides, d.pad_low = w.pad_low, d.pad_high = w.pad_high;
    d.lhs_dilation = w.base_dilation, d.rhs_dilation = w.dilation;
    Build b("f");
    const Value x = b.parameter(s.in[0].type());
    const Value ones = b.full({Dtype::float64, w.size}, 1);
    const Body f = b.finish({b.squeeze(b.conv_general(b.unsqueeze(x, {0, 1}), b.unsqueeze(ones, {0, 1}), d), {0, 1})});
    expect_near(value_of(window_sum, s), run(f, s.in)[0], 0, s.label);
  }
}

TEST(WindowSum, SamplesAndBatches) {
  std::vector<Sample> all = window_sum.samples();
  for (uint64_t seed = 400; seed < 500; ++seed) all.push_back(random_window(seed));
  for (const Sample& s : all) {
    for (const Mask& m : s.linear) check_transpose(window_sum, s, m, s.label), check_jvp(window_sum, s, m, s.label);
    check_batch(window_sum, s, shuffled(s), s.label);
    check_empty_batch(window_sum, s, s.label);
    check_lowered(window_sum, s, 1e-13, s.label);
  }
}

TEST(WindowSum, KnownNumbers) {
  WindowDims d = WindowDims::plain({2});
  d.pad_low = {1};
  EXPECT_EQ(numbers(value_of(window_sum, sample_of(Array::of<int32_t>({1, 2, 4}, {3}), d))),
            (std::vector<int64_t>{1, 3, 6}));
  EXPECT_EQ(numbers(value_of(window_sum, sample_of(Array::of<uint8_t>({200, 100}, {2}), WindowDims::plain({2})))),
            (std::vector<int64_t>{44}));
}

TEST(WindowArgmax, FirstOfEqualsFirstNaNNeverAHole) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const auto of = [](std::vector<double> x, const WindowDims& d) {
    const auto n = static_cast<int64_t>(x.size());
    return numbers(value_of(window_argmax, sample_of(Array::of(x, {n}), d, Dtype::int32)));
  };
  using V = std::vector<int64_t>;
  const WindowDims three = WindowDims::plain({3});
  EXPECT_EQ(of({1, 1, 0}, three), V{0});
  EXPECT_EQ(of({1, nan, nan}, three), V{1});
  EXPECT_EQ(of({nan, inf, 1}, three), V{0});
  EXPECT_EQ(of({-inf, -inf, -inf}, three), V{0});
  EXPECT_EQ(of({-0.0, 0.0, 0.0}, three), V{0});
  WindowDims padded = three;
  padded.pad_low = {2}, padded.pad_high = {5};
  EXPECT_EQ(of({-inf}, padded), (V{2, 1, 0, 0, 0, 0}));  // the last windows hold padding only
  WindowDims spread = three;
  spread.base_dilation = {2};
  EXPECT_EQ(of({-2, -1}, spread), V{2});
  Sample two = sample_of(Array::of<int8_t>({1, 5, 2, 5, 0, 0}, {2, 3}), WindowDims::plain({2, 2}), Dtype::uint16);
  EXPECT_EQ(numbers(value_of(window_argmax, two)), (V{1, 0}));
}

TEST(WindowArgmax, SamplesAndBatches) {
  std::vector<Sample> all = window_argmax.samples();
  for (uint64_t seed = 500; seed < 600; ++seed) all.push_back(random_window(seed, Dtype::int16));
  for (const Sample& s : all) {
    check_batch(window_argmax, s, shuffled(s), s.label);
    check_empty_batch(window_argmax, s, s.label);
    check_lowered(window_argmax, s, 0, s.label);
  }
}

TEST(Window, RefusesWhatDoesNotFit) {
  const auto refused = [](Shape shape, auto change, std::optional<Dtype> index = {}, Dtype x = Dtype::float32) {
    WindowDims d = WindowDims::plain({2, 200});
    change(d);
    Sample s = sample_of(Array::zeros({x, std::move(shape)}), d, index);
    EXPECT_THROW(alone(index ? window_argmax : window_sum, s), Error);
  };
  const auto keep = [](WindowDims&) {};
  refused({4}, keep);
  refused({4, 4}, [](WindowDims& d) { d.size = {0, 1}; });
  refused({4, 4}, [](WindowDims& d) { d.size = {int64_t{1} << 40, int64_t{1} << 40}; });
  refused({4, 4}, [](WindowDims& d) { d.strides = {1, 0}; });
  refused({4, 4}, [](WindowDims& d) { d.dilation = {1, int64_t{1} << 60}; });
  refused({4, 4}, [](WindowDims& d) { d.pad_high = {0}; });
  refused({4, 4}, keep, {}, Dtype::boolean);
  refused({4, 4}, keep, Dtype::float32);
  refused({4, 4}, keep, Dtype::uint8);  // 400 offsets
  refused({4, 4}, keep, Dtype::int32, Dtype::complex64);
}

}  // namespace
}  // namespace viva::test
