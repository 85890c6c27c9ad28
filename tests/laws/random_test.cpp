// Random programs: the plan against the interpreter, and the text form there and back.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "cpu/executable.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "interpret/interpret.h"
#include "laws/laws.h"
#include "support/random_program.h"
#include "transform/transform.h"

namespace viva {
namespace {

double largest_error(const Array& a, const Array& exact) {
  double e = 0;
  for (int64_t i = 0; i < a.size(); ++i) {
    const double off = std::abs(a.at(i) - exact.at(i));
    const bool equal = a.at(i) == exact.at(i) || (std::isnan(a.at(i)) && std::isnan(exact.at(i)));
    if (!equal) e = std::max(e, std::isnan(off) ? std::numeric_limits<double>::infinity() : off);
  }
  return e;
}

class Random : public testing::TestWithParam<uint32_t> {};

std::vector<Array> widened(const std::vector<Array>& args) {
  std::vector<Array> wide;
  for (const Array& a : args) wide.push_back(is_float(a.dtype()) ? a.converted(Dtype::float64) : a);
  return wide;
}

double largest_of(const std::vector<Array>& arrays) {
  double largest = 1;
  for (const Array& a : arrays)
    if (is_float(a.dtype()))
      for (int64_t i = 0; i < a.size(); ++i)
        if (std::isfinite(a.at(i))) largest = std::max(largest, std::abs(a.at(i)));
  return largest;
}

// The plan's error against float64 is at most 4 times the interpreter's own, and 4 roundings of the largest value;
// integers are equal in bits.
void expect_near(const std::vector<Array>& got, const std::vector<Array>& reference, const std::vector<Array>& exact,
                 double largest) {
  ASSERT_EQ(got.size(), reference.size());
  for (size_t i = 0; i < got.size(); ++i) {
    if (!is_float(got[i].dtype())) {
      EXPECT_TRUE(same_bits(got[i], reference[i])) << i;
      continue;
    }
    EXPECT_LE(largest_error(got[i], exact[i]), 4 * largest_error(reference[i], exact[i]) + 4 * 0x1p-23 * largest) << i;
  }
}

std::vector<Array> compiled(const Body& f, const std::vector<Array>& args, ThreadPool& pool) {
  return compile(f).call(args, pool).take();
}

TEST_P(Random, PlanIsInterpreter) {
  const uint32_t seed = GetParam();
  const Body f = RandomProgram(seed, Dtype::float32, false).body(),
             wide = RandomProgram(seed, Dtype::float64, false).body();
  verify(*f);
  const std::vector<Array> args = random_arguments(*f, seed), wide_args = widened(args);
  const double largest = largest_of(interpret(*RandomProgram(seed, Dtype::float64, true).body(), wide_args));
  ThreadPool one(1), three(3);
  const std::vector<Array> got = compiled(f, args, one), more = compiled(f, args, three);
  for (size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(same_bits(got[i], more[i])) << i;
  expect_near(got, interpret(*f, args), interpret(*wide, wide_args), largest);
}

// The same for the adjoint: random programs as derivatives make them.
TEST_P(Random, PlanOfTheAdjointIsInterpreter) {
  const uint32_t seed = GetParam();
  const auto adjoint = [&](Dtype real) {
    const Body f = RandomProgram(seed, real, false).body();
    Mask wanted;
    for (const Type& t : f->param_types()) wanted.push_back(is_float(t.dtype));
    return vjp(f, wanted);
  };
  const Body f = adjoint(Dtype::float32), wide = adjoint(Dtype::float64);
  const std::vector<Array> args = random_arguments(*f, seed), wide_args = widened(args);
  const std::vector<Array> exact = interpret(*wide, wide_args);
  ThreadPool one(1);
  expect_near(compiled(f, args, one), interpret(*f, args), exact, 64 * largest_of(exact));
}

TEST_P(Random, MovedDataKeepsItsBits) {
  const uint32_t seed = GetParam();
  const Body f = RandomProgram(seed, Dtype::float32, false, Mix::movement).body();
  std::vector<Array> args = random_arguments(*f, seed);
  args[0].as_mutable<float>()[1] = -0.0F;
  args[1].as_mutable<float>()[2] = std::numeric_limits<float>::quiet_NaN();
  ThreadPool one(1), three(3);
  const std::vector<Array> expected = interpret(*f, args), got = compiled(f, args, one),
                           more = compiled(f, args, three);
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_TRUE(same_bits(got[i], expected[i])) << i;
    EXPECT_TRUE(same_bits(more[i], expected[i])) << i;
  }
}

TEST_P(Random, PrintsAndParsesBack) {
  const Body f = RandomProgram(GetParam(), Dtype::float32, false).body();
  const std::string text = print(f);
  EXPECT_EQ(print(parse(text)), text);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Random, testing::Range(1U, 201U));

}  // namespace
}  // namespace viva
