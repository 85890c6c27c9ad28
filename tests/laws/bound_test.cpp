// bound holds all samples, on every operation and sample, over boxes of every width.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/error.h"
#include "interpret/interpret.h"
#include "laws/bounds.h"
#include "laws/jets.h"
#include "support/wild_program.h"
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

// Derivatives of bounds and bounds of derivatives.
TEST_P(Bounds, HoldDerivatives) {
  each([&](const Case& c, const Sample&) {
    if (!only_float64(c)) return;
    for (const auto& derive : {jvp_case, vjp_case, vmap_case}) {
      const Case d = derive(c, 3);
      const Mask all(d.args.size(), true);
      for (const double width : {1e-3, 0.5})
        EXPECT_EQ(bound_contains(d, all, box_around(d.args, all, width, Ends::finite, 7), 12), "");
    }
  });
}

TEST_P(Bounds, HoldInsideStructures) {
  each([&](const Case& c, const Sample& s) {
    if (!s.bodies.empty()) return;
    for (const auto& [name, inside] : inside_structures(c)) {
      SCOPED_TRACE(name);
      const Mask all(inside.args.size(), true);
      EXPECT_EQ(bound_contains(inside, all, box_around(inside.args, all, 0.2, Ends::finite, 9), 8), "");
    }
  });
}

TEST_P(Bounds, ObeyTheLaws) {
  each([&](const Case& c, const Sample&) {
    if (!only_float64(c)) return;
    const Case bounds = bound_case(c, 11);
    for (const Array& end : interpret(*bounds.f, bounds.args))
      for (int64_t i = 0; i < reals(end).size(); ++i)
        if (std::isinf(reals(end).at(i))) return;  // has no differences
    EXPECT_EQ(all_laws(bounds, 12), "");
  });
}

// At points of their domain the ends are as near as rounding allows, but for these, and for some functions of complex
// numbers. sort: where a point is no constant of the program, equal keys are not known to be, nor which of equal
// elements is first.
constexpr std::string_view loose[] = {"cholesky", "lu", "qr", "eigh", "svd", "sort", "argmax", "window_argmax"};

TEST_P(Bounds, AreTightAtPoints) {
  if (std::ranges::find(loose, op().name) != std::end(loose)) return;
  each([&](const Case& c, const Sample&) {
    if (!only_float64(c)) return;
    const Mask floats = float_params(*c.f);
    const Arrays ends = interpret(*bound(c.f, floats), ends_of({c.args, c.args}, floats));
    const Arrays low(ends.begin(), ends.begin() + static_cast<int64_t>(ends.size() / 2)),
        high(ends.begin() + static_cast<int64_t>(ends.size() / 2), ends.end());
    EXPECT_EQ(close(low, high, 1e-12), "");
  });
}

Arrays in_dtype(const Arrays& arrays, Dtype d) {
  Arrays r;
  for (const Array& a : arrays) r.push_back(is_float(a.dtype()) ? a.converted(d) : a);
  return r;
}

// What bounds of a program in single precision hold of the same program in double, whose errors are nothing beside
// theirs: the exact results. Floats alone: an exact result need not round to the same integer.
Report bound_contains_exact(const Case& c, double width, uint32_t seed, uint32_t samples) {
  const Body f = retype(c.f, Dtype::float32), exact = retype(f, Dtype::float64);
  const Arrays args = in_dtype(c.args, Dtype::float32);
  const Mask all(args.size(), true);
  const Box box = box_around(args, all, width, Ends::finite, seed);
  const Arrays ends = in_dtype(interpret(*bound(f, all), ends_of(box, all)), Dtype::float64);
  const size_t outputs = f->outputs().size();
  for (uint32_t i = 0; i < samples; ++i) {
    const Arrays values = interpret(*exact, in_dtype(drawn(box, i), Dtype::float64));
    for (size_t k = 0; k < outputs; ++k)
      if (const Report r = is_float(values[k].dtype()) ? enclosed({ends[k], ends[k + outputs]}, {values[k]}) : "";
          !r.empty())
        return fmt::format("sample {}, result {}: {}", i, k, r);
  }
  return "";
}

TEST_P(Bounds, HoldExactResults) {
  each([&](const Case& c, const Sample&) {
    const bool complex = std::ranges::any_of(c.args, [](const Array& a) { return is_complex(a.dtype()); });
    if (!only_float64(c) || complex || op().name == "widen") return;  // a step is another in another format
    for (const double width : {0.0, 1e-6, 0.3})
      for (uint32_t seed = 1; seed < 4; ++seed) EXPECT_EQ(bound_contains_exact(c, width, seed, 20), "") << width;
  });
}

INSTANTIATE_TEST_SUITE_P(All, Bounds, testing::ValuesIn(catalog().begin(), catalog().end()),
                         [](const auto& info) { return std::string(info.param->name); });

// A law that cannot fail is worse than none.
TEST(BoundLaw, SeesWhatIsOutside) {
  const auto one = [](double v) { return Arrays{Array::scalar(v)}; };
  const auto ends = [](double l, double h) { return Arrays{Array::scalar(l), Array::scalar(h)}; };
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(enclosed(ends(1, 2), one(1)), "");
  EXPECT_NE(enclosed(ends(1, 2), one(std::nextafter(1, 0))), "");
  EXPECT_NE(enclosed(ends(1, 2), one(nan)), "");
  EXPECT_NE(enclosed(ends(-inf, 2), one(nan)), "");
  EXPECT_EQ(enclosed(ends(-inf, inf), one(nan)), "");
  EXPECT_NE(enclosed(ends(nan, nan), one(1)), "");
  EXPECT_NE(enclosed(ends(inf, inf), one(inf)), "");
}

// Of one random program: a box of random width, its corners and a thousand samples.
void expect_random(const Body& f, uint32_t seed, uint32_t samples) {
  const Arrays args = random_arguments(*f, seed);
  const Mask all(args.size(), true);
  constexpr double widths[] = {0, 1e-6, 1e-3, 0.1, 0.5, 2};
  const Box box = box_around(args, all, widths[seed % 6], seed % 11 == 0 ? Ends::infinite : Ends::finite, seed);
  EXPECT_EQ(bound_contains_many({f, args}, all, box, samples), "") << "seed " << seed;
}

constexpr Dtype reals_of(uint32_t seed) {
  constexpr Dtype all[] = {Dtype::float64, Dtype::float32, Dtype::bfloat16, Dtype::float16};
  return all[seed / 6 % 4];
}

// A thousand programs of either kind at a time in the long run.
class RandomBounds : public testing::TestWithParam<uint32_t> {};

TEST_P(RandomBounds, HoldSamples) {
  const uint32_t count = long_run() ? 1000 : 150, samples = long_run() ? 1000 : 100;
  for (uint32_t seed = GetParam() * count + 1; seed <= (GetParam() + 1) * count && !HasFailure(); ++seed) {
    expect_random(WildProgram(seed, reals_of(seed)).body(), seed, samples);
    expect_random(RandomProgram(seed, reals_of(seed), false).body(), seed, samples);
  }
}

TEST_P(RandomBounds, HoldExactResults) {
  const uint32_t count = long_run() ? 1000 : 150;
  for (uint32_t seed = GetParam() * count + 1; seed <= (GetParam() + 1) * count && !HasFailure(); ++seed) {
    const Body f = RandomProgram(seed, Dtype::float32, false).body();
    const Arrays args = random_arguments(*f, seed);
    for (const double width : {0.0, 1e-3}) EXPECT_EQ(bound_contains_exact({f, args}, width, seed, 10), "") << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomBounds, testing::Range(0U, long_run() ? 50U : 1U));

}  // namespace
}  // namespace viva
