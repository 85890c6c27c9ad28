// probe and intervene on every operation, and on random programs.
#include <gtest/gtest.h>

#include "graph/verify.h"
#include "interpret/interpret.h"
#include "laws/taps.h"
#include "ops/reference.h"
#include "support/random_program.h"
#include "transform/probe.h"
#include "transform/transform.h"

namespace viva {
namespace {

using namespace laws;

// Reading changes nothing, and an edit gives the bits of the function that was written with it.
void holds(const Case& c, uint32_t seed, int& readings) {
  const Case read = probe_case(c, seed), edit = scaled_case(c, seed, 1.125);
  verify(*read.f), verify(*edit.f);
  const Arrays plain = interpret(*c.f, c.args), with = interpret(*read.f, read.args);
  ASSERT_GE(with.size(), plain.size());
  for (size_t i = 0; i < plain.size(); ++i) EXPECT_TRUE(same_bits(plain[i], with[i])) << "output " << i;
  readings += static_cast<int>(with.size() - plain.size());
  const Arrays expected = interpret(*edited(c.f, seed, 1.125), c.args), got = interpret(*edit.f, edit.args);
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(same_bits(got[i], expected[i])) << "edited output " << i;
}

TEST(ProbeLaws, EveryOperation) {
  int readings = 0, cases = 0;
  for (const OpDef* op : catalog())
    for (const Sample& s : op->samples()) {
      SCOPED_TRACE(std::string(op->name) + " " + s.label);
      const Case c = case_of(*op, s);
      for (uint32_t seed = 0; seed < 3; ++seed, ++cases) holds(c, seed, readings);
      if (!only_float64(c)) continue;
      holds(vjp_case(c, 1), 2, readings);
      holds(vmap_case(c, 1), 2, readings);
    }
  EXPECT_GT(cases, 1000);
  EXPECT_GT(readings, 3000);
}

TEST(ProbeLaws, RandomPrograms) {
  int readings = 0;
  for (uint32_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    Case c{RandomProgram(seed, Dtype::float64, true).body(), {}};
    for (const Value& p : c.f->params())
      c.args.push_back(is_float(p.dtype()) ? direction(p.type(), seed + 3 * static_cast<uint32_t>(c.args.size()))
                                           : Array::full(p.type(), static_cast<double>(c.args.size() % 3)));
    holds(c, seed, readings);
  }
  EXPECT_GT(readings, 400);
}

}  // namespace
}  // namespace viva
