// The laws of series: jet equals nested jvp on every operation and sample, and under the other transformations; closed
// forms; what a series costs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "graph/build.h"
#include "interpret/interpret.h"
#include "laws/jets.h"
#include "laws/laws.h"
#include "transform/pipeline.h"
#include "transform/transform.h"

namespace viva {
namespace {

using namespace laws;

class JetLaws : public testing::TestWithParam<const OpDef*> {
 protected:
  template <class F> void each(F&& f) {
    for (const Sample& s : GetParam()->samples()) {
      SCOPED_TRACE(s.label);
      const Case c = case_of(*GetParam(), s);
      if (!differentiable_case(c)) continue;
      ASSERT_NO_THROW({
        try {
          f(c);
        } catch (const Error& e) { ADD_FAILURE() << e.what(); }
      });
    }
  }
};

TEST_P(JetLaws, AreNestedTangents) {
  each([&](const Case& c) { EXPECT_EQ(jet_is_nested_jvp(c, 3, 60), ""); });
}

TEST_P(JetLaws, AreNestedTangentsOfSparseSeries) {
  each([&](const Case& c) {
    EXPECT_EQ(jet_is_nested_jvp(c, 2, 61, {true, false}), "");
    EXPECT_EQ(jet_is_nested_jvp(c, 3, 62, {false, true, false}), "");
  });
}

TEST_P(JetLaws, CollapsedAreSums) {
  each([&](const Case& c) {
    EXPECT_EQ(collapsed_is_sum(c, 1, 63), "");
    EXPECT_EQ(collapsed_is_sum(c, 2, 64), "");
    EXPECT_EQ(collapsed_is_sum(c, 3, 65), "");
  });
}

TEST_P(JetLaws, LaplacianIsTheTrace) {
  each([&](const Case& c) { EXPECT_EQ(laplacian_is_trace(c), ""); });
}

// A function that is held as the whole of another gives what it gives alone.
TEST_P(JetLaws, GoThroughFunctionsInside) {
  bool done = false;
  each([&](const Case& c) {
    if (done || !only_float64(c)) return;
    done = true;
    for (const auto& [name, held] : inside_structures(c)) {
      SCOPED_TRACE(name);
      EXPECT_EQ(jet_is_nested_jvp(held, 3, 70), "");
      EXPECT_EQ(collapsed_is_sum(held, 2, 71), "");
      const Case series = jet_case(held, 72);
      EXPECT_EQ(jvp_is_difference(series, float_params(*series.f), 73), "");
      EXPECT_EQ(vjp_is_adjoint(series, float_params(*series.f), 74), "");
      EXPECT_EQ(vmap_is_loop(series, float_params(*series.f), false, 75), "");
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Catalog, JetLaws, testing::ValuesIn(catalog().begin(), catalog().end()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace viva
