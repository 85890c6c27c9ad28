// Convolutions by the library against the interpreter: every form that differentiation and batching give them, on
// operands in every order, with values that are not finite, the same bits on any number of threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "cpu/executable.h"
#include "cpu/library.h"
#include "graph/build.h"
#include "interpret/interpret.h"
#include "laws/laws.h"
#include "transform/transform.h"

namespace viva {
namespace {

using namespace laws;

struct Conv {
  std::string name;
  Shape lhs, rhs;
  ConvDims dims;
};

ConvDims plain(int64_t space, Ints strides, Ints low, Ints high) {
  ConvDims d = ConvDims::plain(space);
  d.strides = std::move(strides), d.pad_low = std::move(low), d.pad_high = std::move(high);
  return d;
}

std::vector<Conv> convolutions() {
  std::vector<Conv> all = {{"dense", {4, 3, 9, 8}, {5, 3, 3, 3}, plain(2, {1, 1}, {1, 1}, {1, 1})},
                           {"colours", {1, 3, 32, 32}, {64, 3, 7, 7}, plain(2, {2, 2}, {3, 3}, {3, 3})},
                           {"strided", {3, 8, 11, 10}, {16, 8, 3, 3}, plain(2, {2, 2}, {1, 1}, {1, 1})},
                           {"uneven", {2, 4, 10, 7}, {6, 4, 4, 2}, plain(2, {3, 2}, {2, 0}, {0, 1})},
                           {"line", {5, 8, 30}, {8, 8, 5}, plain(1, {1}, {2}, {2})},
                           {"volume", {2, 2, 5, 6, 4}, {3, 2, 3, 2, 2}, plain(3, {1, 1, 1}, {1, 0, 0}, {1, 0, 1})},
                           {"pointwise", {2, 16, 6, 6}, {24, 16, 1, 1}, plain(2, {1, 1}, {0, 0}, {0, 0})},
                           {"one example", {1, 8, 16, 16}, {8, 8, 3, 3}, plain(2, {1, 1}, {1, 1}, {1, 1})}};
  Conv dilated{"dilated", {2, 8, 12, 12}, {8, 8, 3, 3}, plain(2, {1, 1}, {2, 2}, {2, 2})};
  dilated.dims.rhs_dilation = {2, 2};
  all.push_back(dilated);
  Conv depthwise{"depthwise", {3, 16, 8, 8}, {16, 1, 3, 3}, plain(2, {2, 2}, {1, 1}, {1, 1})};
  depthwise.dims.feature_groups = 16;
  all.push_back(depthwise);
  Conv grouped{"grouped", {2, 16, 8, 8}, {32, 8, 3, 3}, plain(2, {1, 1}, {1, 1}, {1, 1})};
  grouped.dims.feature_groups = 2;
  all.push_back(grouped);
  Conv last{"channels last", {3, 8, 7, 8}, {3, 3, 8, 8}, plain(2, {1, 1}, {1, 1}, {1, 1})};
  last.dims.lhs_spec = {0, 3, 1, 2}, last.dims.rhs_spec = {3, 2, 0, 1}, last.dims.out_spec = {0, 3, 1, 2};
  all.push_back(last);
  return all;
}

Array values(const Shape& s, uint32_t seed) { return direction({Dtype::float32, s}, seed); }

Case case_of(const Conv& c) {
  Build b(c.name);
  const Value x = b.parameter({Dtype::float32, c.lhs}), w = b.parameter({Dtype::float32, c.rhs});
  const Value y = b.conv_general(x, w, c.dims);
  return {b.finish({b.max(y, b.full_like(y, 0))}), {values(c.lhs, 1), values(c.rhs, 2)}};
}

Arrays compiled(const Case& c, int threads, double library_flops) {
  PlanOptions options;
  options.library_flops = library_flops;
  ThreadPool pool(threads);
  return compile(c.f, options).call(c.args, pool).take();
}

int64_t library_kernels(const Body& f) {
  PlanOptions options;
  options.library_flops = 0;
  const PlanSummary s = compile(f, options).summary();
  return std::ranges::count_if(s.lines, [](const std::string& l) { return l.find("onednn") != std::string::npos; });
}

void expect_interpreted(const Case& c) {
  SCOPED_TRACE(c.f->name());
  const Arrays expected = interpret(*c.f, c.args), one = compiled(c, 1, 0);
  EXPECT_EQ(close(expected, one, 2e-5), "");
  for (const int threads : {2, 3}) {
    const Arrays more = compiled(c, threads, 0);
    for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(same_bits(one[i], more[i])) << "output " << i;
  }
}

// The transformed function, with further arguments drawn as it needs them.
Case with(Body f, Arrays args, uint32_t seed) {
  for (size_t i = args.size(); i < f->params().size(); ++i)
    args.push_back(direction(f->params()[i].type(), seed + static_cast<uint32_t>(i)));
  return {std::move(f), std::move(args)};
}
Case pushed(const Case& c) { return with(jvp(c.f, Mask(c.args.size(), true)), c.args, 11); }
Case pulled(const Case& c) { return with(vjp(c.f, Mask(c.args.size(), true)), c.args, 21); }
// Those arguments batched that are marked in the bits of which.
Case batched(const Case& c, unsigned which) {
  std::vector<int> axes;
  Arrays args;
  for (size_t i = 0; i < c.args.size(); ++i) {
    const bool each = which >> i & 1;
    axes.push_back(each ? 0 : -1);
    args.push_back(each ? batch_of(c.args[i], 0, 2, static_cast<uint32_t>(i)) : c.args[i]);
  }
  return {vmap(c.f, axes, 2), args};
}

class Library : public testing::TestWithParam<Conv> {};

TEST_P(Library, TakesTheConvolutionAndItsAdjoints) {
  const Case c = case_of(GetParam());
  EXPECT_EQ(library_kernels(c.f), 1);
  EXPECT_GE(library_kernels(pulled(c).f), 2);  // of some it has one adjoint only
}

TEST_P(Library, IsInterpreted) {
  const Case c = case_of(GetParam());
  for (const Case& d : {c, pushed(c), pulled(c), pushed(pulled(c)), pulled(pulled(c))}) expect_interpreted(d);
  for (const unsigned which : {1U, 2U, 3U}) expect_interpreted(batched(c, which));
  for (const unsigned which : {1U, 5U, 4U, 7U}) expect_interpreted(batched(pulled(c), which));
}

// What stands outside the operand is no operand: infinite weights over padding give no NaN, NaN reaches what it
// touches.
TEST_P(Library, ValuesThatAreNotFinite) {
  Case c = case_of(GetParam());
  c.args[1].as_mutable<float>()[0] = std::numeric_limits<float>::infinity();
  c.args[0].as_mutable<float>()[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(close(interpret(*c.f, c.args), compiled(c, 1, 0), 2e-5), "");
}

// The library copies the image of such kernels in whole vectors of channels, and beyond its copy where these do not
// come out even: it must not be asked then.
TEST(LibraryLimits, StridedKernelsOfOneElement) {
  for (const int64_t in : {1, 3, 4, 7, 8, 12, 16, 17})
    for (const int64_t out : {4, 8, 16}) {
      const Conv c{
          fmt::format("{} to {}", in, out), {4, in, 12, 12}, {out, in, 1, 1}, plain(2, {2, 2}, {0, 0}, {0, 0})};
      const Case forward = case_of(c);
      PlanOptions options;
      options.library_flops = 0;
      const Executable compiled = compile(pulled(forward).f, options);
      for (const std::string& l : compiled.summary().lines)
        EXPECT_TRUE((in % 8 == 0 && out % 8 == 0) || l.find("onednn convolution") == std::string::npos) << c.name;
      expect_interpreted(forward), expect_interpreted(pulled(forward));
    }
}

// It counts in 32 bits.
TEST(LibraryLimits, HugeStepsAndPadding) {
  ConvDims d = plain(1, {1}, {int64_t{1} << 32}, {0});
  d.rhs_dilation = {int64_t{1} << 31};
  Build b("f");
  const Value x = b.parameter({Dtype::float32, {2, 8, 3}}), w = b.parameter({Dtype::float32, {8, 8, 3}});
  const Body f = b.finish({b.conv_general(x, w, d)});
  EXPECT_EQ(library_kernels(f), 0);
  expect_interpreted({f, {values({2, 8, 3}, 1), values({8, 8, 3}, 2)}});
}

INSTANTIATE_TEST_SUITE_P(Forms, Library, testing::ValuesIn(convolutions()), [](const auto& info) {
  std::string name = info.param.name;
  std::ranges::replace(name, ' ', '_');
  return name;
});

}  // namespace
}  // namespace viva
