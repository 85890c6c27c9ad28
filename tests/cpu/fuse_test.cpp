// Which kernels are joined: programs whose values have several readers mean the same fused and unfused.
#include <gtest/gtest.h>

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
    CompileOptions options;
    for (const Pass& p : passes()) options.passes.disabled.emplace(p.name);
    const auto got = compile(f, options).call(args, pool).take(), expected = interpret(*f, args);
    for (size_t o = 0; o < got.size(); ++o)
      for (int64_t i = 0; i < got[o].size(); ++i) EXPECT_NEAR(got[o].at(i), expected[o].at(i), 1e-5) << o << ", " << i;
  }
}

}  // namespace
}  // namespace viva
