// Compiled equals interpreted: every operation, its derivatives, and random programs; the same bits for 1, 2 and 3
// threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/threefry.h"
#include "cpu/executable.h"
#include "graph/build.h"
#include "graph/text.h"
#include "interpret/interpret.h"
#include "laws/laws.h"

namespace viva {
namespace {

using namespace laws;

Arrays compiled(const Body& f, const Arrays& args, int threads, bool fused) {
  PlanOptions options;
  options.fuse = fused;
  if (!fused) options.passes.disabled = {"algebra", "constants", "common_subexpressions", "dead_code"};
  ThreadPool pool(threads);
  return compile(f, options).call(args, pool).take();
}

// Integers, bool and moved data equal in bits; floats within a few roundings of the largest intermediate.
Report compiled_is_interpreted(const Case& c, double tolerance) {
  const Arrays expected = interpret(*c.f, c.args), one = compiled(c.f, c.args, 1, true);
  if (Report r = close(expected, one, tolerance); !r.empty()) return r;
  for (const int threads : {2, 3}) {
    const Arrays more = compiled(c.f, c.args, threads, true);
    for (size_t i = 0; i < one.size(); ++i)
      if (!same_bits(one[i], more[i])) return fmt::format("output {} differs between 1 and {} threads", i, threads);
  }
  return close(expected, compiled(c.f, c.args, 1, false), tolerance);
}

class Compiled : public testing::TestWithParam<const OpDef*> {};

TEST_P(Compiled, IsInterpreted) {
  for (const Sample& s : GetParam()->samples()) {
    SCOPED_TRACE(s.label);
    const Case c = case_of(*GetParam(), s);
    const bool single =
        std::ranges::any_of(c.f->output_types(), [](const Type& t) { return t.dtype == Dtype::complex64; });
    EXPECT_EQ(compiled_is_interpreted(c, single ? 2e-6 : 1e-14), "");
    if (!has(float_params(*c.f)) || std::ranges::any_of(c.f->output_types(), [](const Type& t) {
          return has_tangent(t.dtype) && !is_double(t.dtype);
        }))
      continue;
    EXPECT_EQ(compiled_is_interpreted(jvp_case(c, 1), 1e-12), "");
    EXPECT_EQ(compiled_is_interpreted(vjp_case(c, 2), 1e-12), "");
    EXPECT_EQ(compiled_is_interpreted(vmap_case(vjp_case(c, 3), 4), 1e-12), "");
  }
}

INSTANTIATE_TEST_SUITE_P(Catalog, Compiled, testing::ValuesIn(catalog().begin(), catalog().end()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace viva
