// bound holds all samples, on every operation and sample, over boxes of every width.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/error.h"
#include "interpret/interpret.h"
#include "laws/bounds.h"
#include "laws/jets.h"
#include "support/random_program.h"
#include "transform/transform.h"

namespace viva {
namespace {

using namespace laws;

bool long_run() { return std::getenv("VIVA_LONG") != nullptr; }

class Bounds : public testing::TestWithParam<const OpDef*> {
 protected:
  const OpDef& op() const { return *GetParam(); }
  template <class F> void each(F&& f) {
    for (const Sample& s : op().samples()) {
      SCOPED_TRACE(s.label);
      try {
        f(case_of(op(), s), s);
      } catch (const Error& e) { ADD_FAILURE() << e.what(); }
    }
  }
};

// All parameters, then each alone.
std::vector<Mask> actives(size_t n) {
  std::vector<Mask> all{Mask(n, true)};
  for (size_t i = 0; n > 1 && i < n; ++i) all.emplace_back(n, false), all.back()[i] = true;
  return all;
}

TEST_P(Bounds, HoldSamples) {
  each([&](const Case& c, const Sample&) {
    for (const Mask& active : actives(c.args.size()))
      for (const double width : {0.0, 1e-3, 0.4, 5.0, 1e4})
        for (uint32_t seed = 1; seed <= (long_run() ? 20U : 2U); ++seed) {
          SCOPED_TRACE(width);
          const Box box = box_around(c.args, active, width, Ends::finite, seed);
          EXPECT_EQ(bound_contains(c, active, box, long_run() ? 200 : 24), "");
        }
  });
}

TEST_P(Bounds, HoldSamplesOfUnboundedBoxes) {
  each([&](const Case& c, const Sample&) {
    for (const Mask& active : actives(c.args.size()))
      for (uint32_t seed = 1; seed <= (long_run() ? 100U : 8U); ++seed)
        EXPECT_EQ(bound_contains(c, active, box_around(c.args, active, 2, Ends::infinite, seed), 24), "") << seed;
  });
}

TEST_P(Bounds, HoldWhatPlansGive) {
  each([&](const Case& c, const Sample&) {
    const Mask all(c.args.size(), true);
    for (const double width : {0.0, 0.3})
      EXPECT_EQ(bound_contains(c, all, box_around(c.args, all, width, Ends::finite, 5), 4, true), "");
  });
}

INSTANTIATE_TEST_SUITE_P(All, Bounds, testing::ValuesIn(catalog().begin(), catalog().end()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace viva
