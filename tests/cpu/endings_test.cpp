// What follows a convolution runs inside the library's kernel where it can, and means the same where it cannot.
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

constexpr Dtype f32 = Dtype::float32;

struct Net {
  Value x, y, bias, other;  // y: the convolution [2, 16, 6, 6] of x [2, 16, 6, 6]
};
struct Ending {
  std::string name;
  std::function<Values(Build&, const Net&)> follow;
  int64_t kernels;  // of the plan
};

Value relu(Build& b, Value v) { return b.select(b.compare(Direction::gt, v, b.zero(v)), v, b.zero(v)); }
Value biased(Build& b, const Net& n) { return b.add(n.y, b.broadcast(n.bias, n.y.shape(), {1})); }

std::vector<Ending> endings() {
  return {{"bias", [](Build& b, const Net& n) { return Values{biased(b, n)}; }, 1},
          {"relu", [](Build& b, const Net& n) { return Values{relu(b, n.y)}; }, 1},
          {"bias_relu", [](Build& b, const Net& n) { return Values{relu(b, biased(b, n))}; }, 1},
          {"bias_add_relu", [](Build& b, const Net& n) { return Values{relu(b, b.add(biased(b, n), n.other))}; }, 1},
          {"added_to", [](Build& b, const Net& n) { return Values{b.add(n.other, n.y)}; }, 1},
          {"residual", [](Build& b, const Net& n) { return Values{relu(b, b.add(n.x, biased(b, n)))}; }, 1},
          {"relu_add", [](Build& b, const Net& n) { return Values{b.add(relu(b, n.y), n.other)}; }, 1},
          {"relu_twice", [](Build& b, const Net& n) { return Values{relu(b, relu(b, n.y))}; }, 1},
          {"read_twice",
           [](Build& b, const Net& n) {
             const Value z = biased(b, n);
             return Values{relu(b, z), b.tanh(z)};
           },
           3},
          {"minus", [](Build& b, const Net& n) { return Values{b.sub(n.other, n.y)}; }, 2},
          {"another_bound",
           [](Build& b, const Net& n) {
             const Value one = b.one(n.y);
             return Values{b.select(b.compare(Direction::gt, n.y, one), n.y, b.zero(n.y))};
           },
           2},
          {"not_below",
           [](Build& b, const Net& n) {
             return Values{b.select(b.compare(Direction::ge, n.y, b.zero(n.y)), n.y, b.zero(n.y))};
           },
           2}};
}

Case case_of(const Ending& e, int64_t groups) {
  Build b(e.name);
  ConvDims d = ConvDims::plain(2);
  d.pad_low = d.pad_high = {1, 1}, d.feature_groups = groups;
  Net n;
  n.x = b.parameter({f32, {2, 16, 6, 6}});
  const Value w = b.parameter({f32, {16, 16 / groups, 3, 3}});
  n.bias = b.parameter({f32, {16}}), n.other = b.parameter({f32, {2, 16, 6, 6}});
  n.y = b.conv_general(n.x, w, d);
  Case c{b.finish(e.follow(b, n)), {}};
  for (const Value& p : c.f->params()) c.args.push_back(direction(p.type(), static_cast<uint32_t>(c.args.size() + 1)));
  return c;
}

Executable with_library(const Body& f) {
  PlanOptions options;
  options.library_flops = 0;
  return compile(f, options);
}

void expect_interpreted(const Case& c) {
  ThreadPool one(1), three(3);
  const Executable compiled = with_library(c.f);
  const Arrays got = compiled.call(c.args, one).take(), again = compiled.call(c.args, three).take();
  EXPECT_EQ(close(interpret(*c.f, c.args), got, 2e-5), "");
  for (size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(same_bits(got[i], again[i]));
}

class Endings : public testing::TestWithParam<Ending> {};

TEST_P(Endings, RunInTheKernel) {
  for (const int64_t groups : {1, 16}) {
    const Case c = case_of(GetParam(), groups);
    EXPECT_EQ(with_library(c.f).summary().kernels, GetParam().kernels) << groups << " groups";
    expect_interpreted(c);
    Case pulled{vjp(c.f, Mask(c.args.size(), true)), c.args};
    for (size_t i = c.args.size(); i < pulled.f->params().size(); ++i)
      pulled.args.push_back(direction(pulled.f->params()[i].type(), 9));
    expect_interpreted(pulled);
  }
}

// The kernel must not run on weights that are not finite; the nests that run instead do all that it did.
TEST_P(Endings, ValuesThatAreNotFinite) {
  for (const int64_t groups : {1, 16})
    for (const float odd : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()})
      for (size_t which = 0; which < 4; ++which) {
        Case c = case_of(GetParam(), groups);
        c.args[which].as_mutable<float>()[3] = odd;
        expect_interpreted(c);
      }
}

INSTANTIATE_TEST_SUITE_P(After, Endings, testing::ValuesIn(endings()),
                         [](const auto& info) { return info.param.name; });

// A gradient reads relu's mask from its result, so the sums before it need not be kept.
TEST(Endings, StayInTheKernelUnderAGradient) {
  const Case c = case_of(endings()[2], 1);
  const Body g = vjp(c.f, Mask(c.args.size(), true));
  const PlanSummary plan = with_library(g).summary();
  int64_t convolutions = 0, loops = 0;
  for (const std::string& l : plan.lines) (l.find("onednn") != std::string::npos ? convolutions : loops) += 1;
  EXPECT_EQ(convolutions, 3);  // forward with bias and relu, and the two adjoints
  EXPECT_LE(loops, 3);         // the masked cotangent, the bias's gradient, zeros of what is not read
}

}  // namespace
}  // namespace viva
