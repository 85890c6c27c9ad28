// Which kernels are joined: programs whose values have several readers mean the same fused and unfused.
#include <gtest/gtest.h>

#include <set>

#include "cpu/executable.h"
#include "graph/build.h"
#include "interpret/interpret.h"

namespace viva {
namespace {

using Program = std::function<Values(Build&, Value)>;

// The program of a sum over the last axis, (2, 2), and of what it was summed from.
Body of_sum(const Program& program) {
  Build b("f");
  const Value x = b.parameter({Dtype::float32, {2, 2, 5}}, "x");
  return b.finish(program(b, b.reduce_sum(x, {2})));
}

TEST(Fusion, AReductionReadThroughCopiesOfItIsKept) {
  const std::vector<std::pair<std::string, Program>> programs = {
      {"transposed, read twice",
       [](Build& b, Value sum) {
         const Value t = b.transpose(sum, {1, 0});
         return Values{b.tanh(t), b.exp(t)};
       }},
      {"joined with others and cut out again",
       [](Build& b, Value sum) {
         const Value joined = b.concatenate({sum, b.full_like(sum, 2)}, 0);
         return Values{b.exp(joined), b.tanh(b.slice(joined, {0, 0}, {2, 2}, {1, 1}))};
       }},
      {"cut out first",
       [](Build& b, Value sum) {
         const Value joined = b.concatenate({sum, b.full_like(sum, 2)}, 0);
         return Values{b.tanh(b.slice(joined, {0, 0}, {2, 2}, {1, 1})), b.exp(joined)};
       }},
      {"cut out of two copies", [](Build& b, Value sum) {
         const Value joined = b.concatenate({sum, sum}, 0);
         const Value part = b.slice(joined, {2, 0}, {4, 2}, {1, 1});
         return Values{b.tanh(part), b.exp(b.reverse(joined, {0})), b.sin(part)};
       }}};
  ThreadPool pool(1);
  std::vector<float> numbers(20);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i % 7) / 8;
  const std::vector<Array> args = {Array::of<float>(numbers, {2, 2, 5})};
  for (const auto& [name, program] : programs) {
    SCOPED_TRACE(name);
    const Body f = of_sum(program);
    PlanOptions options;
    for (const Pass& p : passes()) options.passes.disabled.emplace(p.name);
    const auto got = compile(f, options).call(args, pool).take(), expected = interpret(*f, args);
    for (size_t o = 0; o < got.size(); ++o)
      for (int64_t i = 0; i < got[o].size(); ++i) EXPECT_NEAR(got[o].at(i), expected[o].at(i), 1e-5) << o << ", " << i;
  }
}

// Two moments and a weight, as an optimiser moves them: one pass, in the memory of what it replaces.
TEST(Fusion, AnOptimisersStepIsOneKernelInPlace) {
  const Type type{Dtype::float32, {64}};
  Build b("step");
  const Value w = b.parameter(type), m = b.parameter(type), v = b.parameter(type), g = b.parameter(type);
  const Value first = b.add(b.scale(m, .9), b.scale(g, .1)), second = b.add(b.scale(v, .99), b.scale(b.square(g), .01));
  const Value moved = b.sub(w, b.div(first, b.add(b.sqrt(second), b.one(w))));
  const Body f = b.finish({moved, first, second});
  PlanOptions options;
  options.donated = {true, true, true, false};
  const Executable compiled = compile(f, options);
  EXPECT_EQ(compiled.summary().kernels, 1);
  std::vector<Array> args;
  for (size_t i = 0; i < 4; ++i) {
    args.push_back(Array::make(type));
    for (size_t k = 0; k < 64; ++k) args[i].as_mutable<float>()[k] = static_cast<float>((k + 1) * (i + 2)) / 100;
  }
  const auto expected = interpret(*f, args);
  const std::set<const std::byte*> given{args[0].data(), args[1].data(), args[2].data()};
  ThreadPool pool(1);
  const auto got = compiled.call(std::move(args), pool).take();
  for (size_t o = 0; o < got.size(); ++o)
    for (int64_t i = 0; i < 64; ++i) EXPECT_NEAR(got[o].at(i), expected[o].at(i), 1e-6) << o << ", " << i;
  EXPECT_EQ((std::set<const std::byte*>{got[0].data(), got[1].data(), got[2].data()}), given);
}

// A value that is stored as it came in keeps its own place beside one that could go there.
TEST(Fusion, AStoredOperandIsNotOverwritten) {
  const Type type{Dtype::float32, {16}};
  Build b("f");
  const Value x = b.parameter(type), y = b.parameter(type);
  const Value sum = b.add(x, y), twice = b.mul(sum, b.add(sum, x));
  const Body f = b.finish({sum, twice, b.neg(twice)});
  PlanOptions options;
  options.donated = {true, true};
  std::vector<Array> args{Array::full(type, 2), Array::full(type, 3)};
  const auto expected = interpret(*f, args);
  ThreadPool pool(1);
  const auto got = compile(f, options).call(std::move(args), pool).take();
  for (size_t o = 0; o < got.size(); ++o) EXPECT_TRUE(same_bits(got[o], expected[o])) << o;
}

}  // namespace
}  // namespace viva
