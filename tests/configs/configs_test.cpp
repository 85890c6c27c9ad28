// Whatever is switched off, programs mean the same: every operation, its derivatives, and random programs, with no
// pass, with each pass off in turn, and with no fusion, on one thread and on three.
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>

#include "cpu/executable.h"
#include "interpret/interpret.h"
#include "laws/laws.h"
#include "support/random_program.h"

namespace viva {
namespace {

using namespace laws;

struct Config {
  std::string name;
  std::set<std::string, std::less<>> off;
  bool fuse = true;
  double library_flops = PlanOptions().library_flops;
};

std::vector<Config> configs() {
  std::vector<Config> list = {{"unfused", {}, false},
                              {"library_for_all", {}, true, 0},
                              {"no_library", {}, true, std::numeric_limits<double>::infinity()}};
  Config none{"no_pass", {}};
  for (const Pass& p : passes()) {
    none.off.emplace(p.name);
    list.push_back({"without_" + std::string(p.name), {std::string(p.name)}});
  }
  list.push_back(none);
  none.name += "_unfused", none.fuse = false;
  list.push_back(none);
  return list;
}

class Configs : public testing::TestWithParam<Config> {
 protected:
  Arrays compiled(const Case& c, ThreadPool& pool) const {
    PlanOptions options;
    options.passes.disabled = GetParam().off;
    options.passes.verify = true;
    options.fuse = GetParam().fuse;
    options.library_flops = GetParam().library_flops;
    return compile(c.f, options).call(c.args, pool).take();
  }

  void expect_interpreted(const Case& c, double tolerance) {
    const Arrays expected = interpret(*c.f, c.args), one = compiled(c, one_), three = compiled(c, three_);
    EXPECT_EQ(close(expected, one, tolerance), "");
    for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(same_bits(one[i], three[i])) << "output " << i;
  }

  ThreadPool one_{1}, three_{3};
};

bool in_float64(const Case& c) {
  return std::ranges::all_of(c.f->output_types(),
                             [](const Type& t) { return !has_tangent(t.dtype) || t.dtype == Dtype::float64; });
}

// Sums of single precision are in another order than the interpreter's: a few units in the last place.
double tolerance_of(const Case& c) {
  return std::ranges::any_of(c.f->output_types(), [](const Type& t) { return t.dtype == Dtype::complex64; }) ? 1e-6
                                                                                                             : 1e-14;
}

TEST_P(Configs, Operations) {
  for (const OpDef* op : catalog()) {
    SCOPED_TRACE(op->name);
    for (const Sample& s : op->samples()) {
      SCOPED_TRACE(s.label);
      const Case c = case_of(*op, s);
      expect_interpreted(c, tolerance_of(c));
      if (has(float_params(*c.f)) && in_float64(c)) expect_interpreted(vmap_case(vjp_case(c, 3), 4), 1e-12);
    }
  }
}

TEST_P(Configs, RandomPrograms) {
  const uint32_t programs = std::getenv("VIVA_LONG") ? 2000 : 20;
  for (uint32_t seed = 1001; seed <= 1000 + programs; ++seed) {
    SCOPED_TRACE(seed);
    const Body f = RandomProgram(seed, Dtype::float64, false).body();
    const Case c{f, random_arguments(*f, seed)};
    expect_interpreted(c, 1e-11);
    expect_interpreted(vjp_case(c, seed), 1e-9);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Configs, testing::ValuesIn(configs()), [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace viva
