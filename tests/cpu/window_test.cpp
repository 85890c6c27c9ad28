// Windows in plans: in the order of dimensions that convolutions give, with offsets read by one or by many.
#include <gtest/gtest.h>

#include <limits>

#include "cpu/executable.h"
#include "graph/build.h"
#include "interpret/interpret.h"
#include "laws/laws.h"
#include "transform/transform.h"

namespace viva {
namespace {

using namespace laws;

WindowDims windows(Ints size, Ints strides, Ints low, Ints high) {
  WindowDims d = WindowDims::plain(std::move(size));
  d.strides = std::move(strides), d.pad_low = std::move(low), d.pad_high = std::move(high);
  return d;
}

std::vector<WindowDims> forms() {
  std::vector<WindowDims> all = {windows({1, 1, 2, 2}, {1, 1, 2, 2}, {0, 0, 0, 0}, {0, 0, 0, 0}),
                                 windows({1, 1, 3, 3}, {1, 1, 2, 2}, {0, 0, 1, 1}, {0, 0, 1, 1}),
                                 windows({1, 1, 2, 3}, {1, 1, 3, 1}, {0, 0, 0, 2}, {0, 0, 1, 0}),
                                 windows({1, 2, 1, 2}, {1, 2, 1, 3}, {0, 0, 0, 0}, {0, 0, 0, 0})};
  all.push_back(all[1]);
  all.back().dilation = {1, 1, 2, 1};
  return all;
}

// The maxima of a convolution, or of its operand as it came in.
Case pool_of(const WindowDims& d, bool convolved, bool keep_offsets) {
  Build b("f");
  const Value x = b.parameter({Dtype::float32, {3, 8, 9, 10}}), w = b.parameter({Dtype::float32, {8, 8, 3, 3}});
  ConvDims c = ConvDims::plain(2);
  c.pad_low = c.pad_high = {1, 1};
  const Value y = convolved ? b.conv_general(x, w, c) : x, offset = b.window_argmax(y, d);
  Values out{b.window_gather(y, offset, d)};
  if (keep_offsets) out.push_back(offset);
  return {b.finish(out), {direction(x.type(), 1), direction(w.type(), 2)}};
}

void expect_interpreted(const Case& c, double tolerance) {
  PlanOptions options;
  options.library_flops = 0;
  ThreadPool one(1), three(3);
  const Executable compiled = compile(c.f, options);
  const Arrays got = compiled.call(c.args, one).take(), again = compiled.call(c.args, three).take();
  EXPECT_EQ(close(interpret(*c.f, c.args), got, tolerance), "");
  for (size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(same_bits(got[i], again[i]));
}

TEST(Windows, OfImagesInEitherOrder) {
  for (const WindowDims& d : forms())
    for (const bool convolved : {false, true})
      for (const bool keep : {false, true}) {
        SCOPED_TRACE(to_string(d.size) + (convolved ? ", channels innermost" : "") + (keep ? ", offsets kept" : ""));
        const Case c = pool_of(d, convolved, keep);
        expect_interpreted(c, 2e-5);
        if (keep) continue;
        Case pulled{vjp(c.f, {true, convolved}), c.args};
        pulled.args.push_back(direction(pulled.f->params().back().type(), 3));
        expect_interpreted(pulled, 2e-5);
        Case pushed{jvp(c.f, {true, convolved}), c.args};
        for (size_t i = 2; i < pushed.f->params().size(); ++i)
          pushed.args.push_back(direction(pushed.f->params()[i].type(), 4));
        expect_interpreted(pushed, 2e-5);
      }
}

// Memory that is used again is dirty; where there are no windows every element is 0 all the same.
TEST(Windows, LargerThanTheirOperand) {
  Build b("f");
  const Value y = b.parameter({Dtype::float32, {0, 40000}}), offset = b.parameter({Dtype::int32, {0, 40000}});
  WindowDims d = WindowDims::plain({3, 1});
  const Body f = b.finish({b.window_scatter(y, offset, {2, 40000}, d)});
  for (int i = 0; i < 3; ++i) {
    { const Array used = Array::full({Dtype::float32, {2, 40000}}, 7); }
    expect_interpreted({f, {Array::zeros(y.type()), Array::zeros(offset.type())}}, 0);
  }
}

TEST(Windows, TheMaximumAloneIsOneKernel) {
  const Case c = pool_of(forms()[0], false, false);
  EXPECT_EQ(compile(c.f).summary().kernels, 1);
  EXPECT_EQ(compile(pool_of(forms()[0], false, true).f).summary().kernels, 2);
}

TEST(Windows, NanAndZerosOfBothSigns) {
  for (const bool keep : {false, true}) {
    Case c = pool_of(forms()[1], false, keep);
    const auto x = c.args[0].as_mutable<float>();
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = i % 7 == 0 ? std::numeric_limits<float>::quiet_NaN() : i % 3 ? -0.f : 0.f;
    PlanOptions options;
    ThreadPool pool(1);
    const Arrays expected = interpret(*c.f, c.args), got = compile(c.f, options).call(c.args, pool).take();
    for (size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(same_bits(expected[i], got[i]));
  }
}

}  // namespace
}  // namespace viva
