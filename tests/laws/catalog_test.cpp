// The laws over every operation of the catalogue, every sample, and pairs and triples of transformations.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <optional>

#include "base/error.h"
#include "base/threefry.h"
#include "interpret/interpret.h"
#include "laws/laws.h"
#include "transform/transform.h"

namespace viva {
namespace {

using namespace laws;

class Laws : public testing::TestWithParam<const OpDef*> {
 protected:
  const OpDef& op() const { return *GetParam(); }

  template <class F> void each(F&& f) {
    const std::vector<Sample> samples = op().samples();
    ASSERT_FALSE(samples.empty());
    for (const Sample& s : samples) {
      SCOPED_TRACE(s.label);
      ASSERT_NO_THROW({
        try {
          f(case_of(op(), s), s);
        } catch (const Error& e) { ADD_FAILURE() << e.what(); }
      });
    }
  }
  // Only where something can move: float64 inputs and outputs, and a rule or no need of one.
  static bool differentiable(const Case& c) {
    return has(float_params(*c.f)) && std::ranges::any_of(c.f->output_types(), [](const Type& t) {
             return has_tangent(t.dtype) && size_of(t.dtype) > 2;
           });
  }
  static void holds(const Report& r) { EXPECT_EQ(r, ""); }
  static bool long_run() { return std::getenv("VIVA_LONG") != nullptr; }

  // The laws of the transformations numbered, the first one applied first.
  static void holds_composed(Case c, const std::vector<size_t>& order, uint32_t seed) {
    std::string names;
    for (const size_t i : order) {
      const Transformation& t = transformations()[i];
      names = std::string(t.name) + (names.empty() ? "" : " of " + names);
      c = t.apply(c, seed++);
    }
    SCOPED_TRACE(names);
    holds(all_laws(c, seed));
  }

  // Calls f with so many samples and orders of `depth` transformations, drawn for the operation; 0: with all there are.
  template <class F> void for_drawn(size_t depth, size_t count, F&& f) {
    std::vector<std::pair<std::string, Case>> cases;
    each([&](const Case& c, const Sample& s) {
      if (only_float64(c)) cases.emplace_back(s.label, c);
    });
    const size_t kinds = transformations().size();
    size_t orders = 1;
    for (size_t i = 0; i < depth; ++i) orders *= kinds;
    const auto place = std::ranges::find(catalog(), &op()) - catalog().begin();
    for (size_t i = 0; i < (count ? count : cases.size() * orders) && !cases.empty(); ++i) {
      const Words2 word = threefry2x32({static_cast<uint32_t>(place), static_cast<uint32_t>(depth)}, words_of(i));
      size_t which = count ? word[0] : i % orders;
      std::vector<size_t> order;
      for (size_t k = 0; k < depth; ++k, which /= kinds) order.push_back(which % kinds);
      const auto& [label, c] = cases[count ? word[1] % cases.size() : i / orders];
      SCOPED_TRACE(label);
      f(c, order);
    }
  }

  bool nonlinear_ = false, seen_ = false;
};

// Each float input alone, then all together.
std::vector<Mask> subsets(const Mask& floats) {
  std::vector<Mask> all;
  for (size_t i = 0; i < floats.size(); ++i)
    if (floats[i]) all.emplace_back(floats.size(), false), all.back()[i] = true;
  if (all.size() > 1) all.push_back(floats);
  return all;
}

Array scaled_by(double factor, const Array& x) {
  Array r = Array::make(x.type());
  std::ranges::transform(x.as<double>(), r.as_mutable<double>().begin(), [factor](double v) { return factor * v; });
  return r;
}

TEST_P(Laws, EvalGivesTheInferredTypes) {
  each([&](const Case& c, const Sample&) {
    const Arrays out = interpret(*c.f, c.args);
    for (size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i].type(), c.f->outputs()[i].type());
  });
}

TEST_P(Laws, JvpIsTheDifference) {
  each([&](const Case& c, const Sample&) {
    if (!differentiable(c)) return;
    for (const Mask& active : subsets(float_params(*c.f))) holds(jvp_is_difference(c, active, 1));
  });
}

TEST_P(Laws, VjpIsTheAdjoint) {
  each([&](const Case& c, const Sample&) {
    if (!differentiable(c)) return;
    for (const Mask& active : subsets(float_params(*c.f))) holds(vjp_is_adjoint(c, active, 2));
  });
}

TEST_P(Laws, TransposeIsTheAdjoint) {
  each([&](const Case& c, const Sample& s) {
    EXPECT_TRUE(op().transpose || s.linear.empty());
    for (const Mask& linear : s.linear) holds(transpose_is_adjoint(c, linear, 3));
  });
}

// The sample with complex numbers for its floats; nothing where the operation does not take them.
std::optional<std::pair<Case, std::vector<Mask>>> in_complex(const OpDef& op, Sample s) {
  if (!s.bodies.empty() || std::ranges::none_of(s.in, [](const Array& a) { return a.dtype() == Dtype::float64; }))
    return {};
  for (size_t i = 0; i < s.in.size(); ++i) {
    Array& a = s.in[i];
    if (a.dtype() != Dtype::float64) continue;
    const Array angle = direction(a.type(), 70 + static_cast<uint32_t>(i));
    Array z = Array::make({Dtype::complex128, a.shape()});
    for (int64_t k = 0; k < a.size(); ++k)
      z.as_mutable<std::complex<double>>()[static_cast<size_t>(k)] = {a.at(k), angle.at(k)};
    a = z;
  }
  if (const Attr* d = s.attrs.find("dtype"); d && std::get<Dtype>(*d) == Dtype::float64)
    s.attrs.set("dtype", Dtype::complex128);
  try {
    return {{case_of(op, s), s.linear}};
  } catch (const Error&) { return {}; }
}

TEST_P(Laws, HoldInComplexNumbers) {
  each([&](const Case&, const Sample& s) {
    const auto c = in_complex(op(), s);
    if (!c) return;
    const Mask floats = float_params(*c->first.f);
    if (differentiable(c->first)) {
      for (const Mask& active : subsets(floats)) {
        if (op().jvp) holds(jvp_is_difference(c->first, active, 51));
        holds(vjp_is_adjoint(c->first, active, 52));
      }
      holds(hvp_is_difference(c->first, 53));
    }
    for (const Mask& linear : c->second) holds(transpose_is_adjoint(c->first, linear, 54));
    holds(vmap_is_loop(c->first, Mask(c->first.args.size(), true), false, 55));
    holds(simplify_keeps_bits(c->first));
  });
}

TEST_P(Laws, VmapIsTheLoop) {
  each([&](const Case& c, const Sample&) {
    const size_t n = c.args.size();
    std::vector<Mask> masks = subsets(Mask(n, true));
    for (const Mask& batched : masks)
      for (const bool at_end : {false, true}) holds(vmap_is_loop(c, batched, at_end, 4));
  });
}

TEST_P(Laws, SimplifyKeepsTheBits) {
  each([&](const Case& c, const Sample&) { holds(simplify_keeps_bits(c)); });
}

// Transformations that know every operation; a new one may still say "not yet".
constexpr std::string_view complete[] = {"infer", "eval",  "jvp",   "split", "transpose",
                                         "batch", "lower", "prune", "jet",   "bound"};

// An absence says why, and the reason is true of the operation.
TEST_P(Laws, AbsencesAreTrue) {
  for_each_rule(op(), [&](std::string_view name, const auto& rule) {
    if (rule) return;
    EXPECT_FALSE(rule.absent().why.empty()) << name;
    EXPECT_TRUE(rule.absent().reason != Reason::not_yet || std::ranges::find(complete, name) == std::end(complete))
        << name;
  });
  each([&](const Case& c, const Sample&) {
    if (!op().jvp && op().jvp.absent().reason == Reason::integer_output) {
      for (const Type& t : c.f->output_types()) EXPECT_FALSE(has_tangent(t.dtype));
    }
    // jvp treats "no tangent" as zero: so must the differences be.
    if (!op().jvp && op().jvp.absent().reason == Reason::no_tangent && differentiable(c))
      holds(jvp_is_difference(c, float_params(*c.f), 5));
    if (op().transpose || !differentiable(c) || c.f->outputs()[0].dtype() != Dtype::float64 ||
        numel(c.f->outputs()[0].shape()) == 0)
      return;
    // Not linear in any float input alone: f(cx) differs from c f(x) for c = 2 or c = -1.
    for (size_t i = 0; i < c.args.size(); ++i) {
      if (c.args[i].dtype() != Dtype::float64 || c.args[i].size() == 0) continue;
      for (const double factor : {2.0, -1.0}) {
        Arrays scaled = c.args;
        scaled[i] = scaled_by(factor, c.args[i]);
        const Array expected = scaled_by(factor, interpret(*c.f, c.args)[0]);
        nonlinear_ |= !close({expected}, {interpret(*c.f, scaled)[0]}, 1e-12).empty();
      }
      seen_ = true;
    }
  });
  EXPECT_TRUE(nonlinear_ || !seen_) << op().name << " looks linear, so its transpose cannot be absent";
}

TEST_P(Laws, HoldForEachTransformed) {
  each([&](const Case& c, const Sample&) {
    if (!only_float64(c)) return;
    holds(hvp_is_difference(c, 13));
    for (const Transformation& t : transformations()) {
      SCOPED_TRACE(t.name);
      holds(all_laws(t.apply(c, 11), 12));
    }
  });
}

// The functions that two or three transformations give are checked against those before the last: differences for a
// derivative, the inner product for a transposition, the loop for vmap, the same bits for simplify. jvp, vjp and vmap
// in pairs on every sample; of all pairs and triples a few for each operation, and in the long run every one.
TEST_P(Laws, HoldForPairsTransformed) {
  each([&](const Case& c, const Sample&) {
    if (!only_float64(c)) return;
    for (size_t pair = 0; pair < 9; ++pair) holds_composed(c, {pair / 3, pair % 3}, 20);
  });
  for_drawn(2, long_run() ? 0 : 10,
            [&](const Case& c, const std::vector<size_t>& order) { holds_composed(c, order, 30); });
}

TEST_P(Laws, HoldForTriplesTransformed) {
  for_drawn(3, long_run() ? 0 : 5,
            [&](const Case& c, const std::vector<size_t>& order) { holds_composed(c, order, 40); });
}

INSTANTIATE_TEST_SUITE_P(Catalog, Laws, testing::ValuesIn(catalog().begin(), catalog().end()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace viva
