// Random programs with control flow: derivatives of orders 1 to 3, each by differences of the one before it, plans
// against the interpreter, and the text form there and back. --long: 20,000 of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "base/error.h"
#include "cpu/executable.h"
#include "graph/prune.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "interpret/interpret.h"
#include "support/random_program.h"
#include "transform/transform.h"

namespace viva {
namespace {

using namespace laws;

std::vector<double> floats_of(const Arrays& all) {
  std::vector<double> r;
  for (const Array& a : all)
    if (is_float(a.dtype()))
      for (int64_t i = 0; i < a.size(); ++i) r.push_back(a.at(i));
  return r;
}
double largest(const std::vector<double>& v) {
  return std::accumulate(v.begin(), v.end(), 1.0, [](double m, double x) { return std::max(m, std::abs(x)); });
}

// Of every float result along v, at steps h, h/2 and h/4: central differences, extrapolated twice. The error is what
// the last extrapolation changed, and rounding. Where the differences to both sides do not come together, as they do in
// proportion to the step where a function is smooth, there is a kink: their distance is part of the error.
struct Difference {
  std::vector<double> value, error;
};
Difference difference(const Case& c, const Mask& active, const Arrays& v, double h) {
  const std::vector<double> here = floats_of(interpret(*c.f, c.args));
  std::array<std::vector<double>, 3> central, sides;
  for (size_t level = 0; level < 3; ++level, h /= 2) {
    const std::vector<double> up = floats_of(interpret(*c.f, moved(c.args, active, v, h))),
                              down = floats_of(interpret(*c.f, moved(c.args, active, v, -h)));
    for (size_t i = 0; i < here.size(); ++i) {
      central[level].push_back((up[i] - down[i]) / (2 * h));
      sides[level].push_back(std::abs(up[i] - 2 * here[i] + down[i]) / h);
    }
  }
  const double rounding = 0x1p-47 * largest(here) / h;
  Difference d;
  for (size_t i = 0; i < here.size(); ++i) {
    const double once = (4 * central[1][i] - central[0][i]) / 3, again = (4 * central[2][i] - central[1][i]) / 3;
    d.value.push_back((16 * again - once) / 15);
    d.error.push_back(std::abs(again - once) + rounding);
    if (sides[2][i] > sides[0][i] / 2 + rounding) d.error.back() += sides[2][i];
  }
  return d;
}

// The next derivative of a program, in either mode: along directions of the parameters marked, or of the results'
// products with weights.
struct Step {
  Case from, to;
  Mask active;
  Arrays weights;  // reverse mode
  bool reverse = false;
};
Step next(const Case& c, size_t wrt, bool reverse, uint32_t seed) {
  Mask active(c.args.size(), false);
  std::fill_n(active.begin(), wrt, true);
  Step s{.from = c, .to = {}, .active = active, .weights = {}, .reverse = reverse};
  const Body f = reverse ? vjp(c.f, active) : jvp(c.f, active);
  Mask used(f->outputs().size(), true);
  std::fill_n(used.begin(), c.f->outputs().size(), false);
  s.to = {prune(*f, used).body, c.args};
  const std::vector<Type> types = f->param_types();
  for (size_t i = c.args.size(); i < types.size(); ++i)
    s.to.args.push_back(direction(types[i], seed + static_cast<uint32_t>(i)));
  if (reverse) s.weights.assign(s.to.args.begin() + static_cast<int64_t>(c.args.size()), s.to.args.end());
  return s;
}

Case in_float64(const Case& c) { return {retype(c.f, Dtype::float64), c.args}; }

enum class Verdict : uint8_t { right, kink, wrong };

// The exact derivative against differences, at three steps until one is small enough to tell.
Verdict judged(const Step& s, uint32_t seed, double factor, std::string& why) {
  const Case from = in_float64(s.from), to = in_float64(s.to);
  const std::vector<double> exact = floats_of(interpret(*to.f, to.args));
  Arrays v = s.reverse ? directions(from.f->param_types(), s.active, seed)
                       : Arrays(to.args.begin() + static_cast<int64_t>(from.args.size()), to.args.end());
  const std::vector<double> along = floats_of(v), weights = floats_of(s.weights);
  for (const double h : {0x1p-9, 0x1p-13, 0x1p-17}) {
    const Difference d = difference(from, s.active, v, h);
    std::vector<double> value = d.value, error = d.error, given = exact;
    if (s.reverse) {
      value = {std::inner_product(value.begin(), value.end(), weights.begin(), 0.0)};
      error = {std::transform_reduce(error.begin(), error.end(), weights.begin(), 0.0, std::plus<>(),
                                     [](double e, double w) { return e * std::abs(w); })};
      given = {std::inner_product(exact.begin(), exact.end(), along.begin(), 0.0)};
    }
    const double size = largest(value);
    if (!std::ranges::all_of(error, [&](double e) { return e <= 1e-6 * size; })) continue;
    for (size_t i = 0; i < value.size(); ++i)
      if (!(std::abs(factor * given[i] - value[i]) <= 2 * error[i])) {
        why = fmt::format("{} of {}: {}, by differences {} ± {}", i, value.size(), given[i], value[i], error[i]);
        return Verdict::wrong;
      }
    return Verdict::right;
  }
  return Verdict::kink;
}

// What an engine may be off by where a program computes in so narrow a dtype, of results of size 1.
double tolerance_of(const std::string& text) {
  const auto has = [&](const char* dtype) { return text.find(dtype) != std::string::npos; };
  return has(": bf16") ? 0.1 : has(": f16") ? 1e-2 : has(": f32") || has(": c64") ? 1e-4 : 1e-9;
}

void expect_plan_is_interpreter(const Case& c, double tolerance, ThreadPool& pool) {
  const Arrays expected = interpret(*c.f, c.args), got = compile(c.f).call(c.args, pool).take();
  const double size = largest(floats_of(expected));
  EXPECT_EQ(close(expected, got, tolerance * size), "");
}

// The text of a program is that of what it parses to, which computes the same bits.
void expect_text_is_program(const Case& c) {
  const std::string text = print(c.f);
  const Body again = parse(text);
  EXPECT_EQ(print(again), text);
  const Arrays expected = interpret(*c.f, c.args), got = interpret(*again, c.args);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(same_bits(got[i], expected[i])) << "output " << i;
}

constexpr uint32_t orders = 3;

// How the derivatives of each order were judged; those above a kink are not.
struct Counts {
  std::array<int, orders> right{}, kinks{};
};

void check(uint32_t seed, Counts& counts, ThreadPool& pool) {
  Case c{RandomProgram(seed, Dtype::float64, false, Mix::control).body(), {}};
  c.args = random_arguments(*c.f, seed);
  const size_t reals = 3;
  expect_text_is_program(c);
  expect_plan_is_interpreter(c, tolerance_of(print(c.f)), pool);
  for (uint32_t order = 1; order <= orders; ++order) {
    SCOPED_TRACE(fmt::format("order {}", order));
    const Step s = next(c, reals, (seed >> (order - 1)) & 1, seed * 8 + order);
    verify(*s.to.f);
    std::string why;
    const Verdict verdict = judged(s, seed, 1, why);
    EXPECT_NE(verdict, Verdict::wrong) << why;
    counts.right[order - 1] += verdict == Verdict::right, counts.kinks[order - 1] += verdict == Verdict::kink;
    if (verdict != Verdict::right) return;
    expect_plan_is_interpreter(in_float64(s.to), 1e-9, pool);
    if (order == 1 + seed % orders) expect_text_is_program(s.to);
    c = s.to;
  }
}

class RandomControl : public testing::TestWithParam<uint32_t> {
 protected:
  static uint32_t programs() { return std::getenv("VIVA_LONG") ? 5000 : 40; }  // of each part
};

TEST_P(RandomControl, DerivativesAreDifferencesAndPlansTheInterpreter) {
  Counts counts;
  ThreadPool pool(1);
  const auto each = static_cast<int>(programs());
  for (uint32_t seed = GetParam() * programs() + 1; seed <= (GetParam() + 1) * programs(); ++seed) {
    SCOPED_TRACE(seed);
    try {
      check(seed, counts, pool);
    } catch (const Error& e) { ADD_FAILURE() << e.what(); }
  }
  for (size_t k = 0; k < orders; ++k) {
    fmt::print("order {}: {} of {} equal differences, {} at kinks\n", k + 1, counts.right[k], each, counts.kinks[k]);
    EXPECT_LE(counts.kinks[k], 2 + each / 100) << "order " << k + 1;
  }
  EXPECT_GE(counts.right[2], each * 97 / 100 - 3);
}

INSTANTIATE_TEST_SUITE_P(Parts, RandomControl, testing::Range(0U, 4U));

// What is off by a thousandth is seen wherever the derivative is not 0.
TEST(RandomControlCheck, SeesAThousandth) {
  int seen = 0, moving = 0;
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    Case c{RandomProgram(seed, Dtype::float64, false, Mix::control).body(), {}};
    c.args = random_arguments(*c.f, seed);
    const Step s = next(c, 3, seed & 1, seed);
    std::string why;
    const Case exact = in_float64(s.to);
    double size = 0;
    for (const double x : floats_of(interpret(*exact.f, exact.args))) size = std::max(size, std::abs(x));
    moving += size > 0.01;
    seen += size > 0.01 && judged(s, seed, 1.001, why) == Verdict::wrong;
  }
  EXPECT_GE(moving, 30);
  EXPECT_GE(seen, moving - 1);
}

// Where a function has a kink at the very point, and differences are the same at every step, both sides tell.
TEST(RandomControlCheck, TellsAKink) {
  Build b("f");
  const Value x = b.parameter({Dtype::float64, {}});
  const Body f = b.finish({b.add(b.abs(x), b.scale(x, 0.5))});
  std::string why;
  EXPECT_EQ(judged(next({f, {Array::scalar(0.0)}}, 1, false, 1), 1, 1, why), Verdict::kink);
  EXPECT_EQ(judged(next({f, {Array::scalar(0.5)}}, 1, false, 1), 1, 1, why), Verdict::right) << why;
}

}  // namespace
}  // namespace viva
