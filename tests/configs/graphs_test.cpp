// Random graphs of convolutions, products and windows, and their gradients: plans give what the interpreter gives, with
// the library or without, with arguments given away, held on to or bound, on any number of threads and called at once.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "cpu/executable.h"
#include "graph/text.h"
#include "interpret/interpret.h"
#include "support/random_graph.h"
#include "transform/transform.h"

namespace viva {
namespace {

using Arrays = std::vector<Array>;

Array copy_of(const Array& a) {
  Array c = Array::make(a.type());
  if (a.bytes() > 0) std::memcpy(c.mutable_data(), a.data(), static_cast<size_t>(a.bytes()));
  return c;
}
Arrays copies_of(const Arrays& all) {
  Arrays copies;
  for (const Array& a : all) copies.push_back(copy_of(a));
  return copies;
}
bool same_bits(const Arrays& a, const Arrays& b) {
  return std::ranges::equal(a, b, [](const Array& x, const Array& y) { return viva::same_bits(x, y); });
}

// The greatest magnitude to which sums of integers are exact in any order, and what is allowed beyond.
std::pair<double, double> exact_to(Dtype d) {
  return d == Dtype::float16    ? std::pair(0x1p9, 4e-3)
         : d == Dtype::bfloat16 ? std::pair(0x1p6, 3e-2)
         : d == Dtype::float32  ? std::pair(0x1p23, 1e-4)
                                : std::pair(0x1p52, 1e-10);
}

// rounded: gradients divide by the number of equal maxima.
std::string difference(const Arrays& wanted, const Arrays& given, bool rounded) {
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].type() != given[i].type()) return fmt::format("output {} is {}", i, to_string(given[i].type()));
    const auto [exact, beyond] = exact_to(wanted[i].dtype());
    for (int64_t k = 0; k < wanted[i].size(); ++k) {
      const double x = wanted[i].at(k), y = given[i].at(k);
      if (x == y || (std::isnan(x) && std::isnan(y))) continue;
      const double size = std::max(std::abs(x), std::abs(y));
      if (!((rounded || size > exact) && std::abs(x - y) <= beyond * std::max(1.0, size)))
        return fmt::format("output {} at {}: {}, not {}", i, k, y, x);
    }
  }
  return "";
}

// A graph with arguments, perhaps its gradient.
struct Drawn {
  Body f;
  Arrays args;
  bool gradient = false;
};
Drawn drawn(uint32_t seed, Dice& dice) {
  const bool finite = seed % 5 != 4;
  const RandomGraph g(seed, finite);
  Drawn d{.f = g.body(), .args = g.arguments()};
  if (!finite || dice.below(4) != 0) return d;
  Mask active;
  for (const Type& t : d.f->param_types()) active.push_back(is_float(t.dtype));
  d.f = vjp(d.f, active), d.gradient = true;
  const std::vector<Type> types = d.f->param_types();
  for (size_t i = d.args.size(); i < types.size(); ++i) d.args.push_back(RandomGraph::numbers(types[i], dice, true));
  return d;
}
bool is_small(const Function& f) {
  return std::ranges::all_of(f.nodes(), [](const Node& n) {
    return std::ranges::all_of(n.types, [](const Type& t) { return numel(t.shape) <= 60000; });
  });
}

// Options drawn; arguments that they bind leave `args`.
PlanOptions options_for(const Drawn& d, Dice& dice, Arrays& args) {
  PlanOptions o;
  o.passes.verify = true;
  o.fuse = dice.below(8) != 0;
  constexpr double library[] = {0, 0, 1e3, std::numeric_limits<double>::infinity()};
  o.library_flops = library[dice.below(4)];
  const auto all = passes();
  if (dice.below(4) == 0)
    o.passes.disabled.emplace(all[static_cast<size_t>(dice.below(static_cast<int64_t>(all.size())))].name);
  for (size_t i = 0; i < d.args.size(); ++i) {
    if (dice.below(6) == 0) {
      o.constants.emplace_back(static_cast<int64_t>(i), d.args[i]);
      continue;
    }
    args.push_back(d.args[i]);
    o.donated.push_back(dice.below(2) == 0);
  }
  return o;
}

void run(uint32_t seed, ThreadPool& one, ThreadPool& three) {
  Dice dice(seed ^ 0x9e3779b9u);
  const Drawn d = drawn(seed, dice);
  if (!is_small(*d.f)) return;
  const Arrays wanted = interpret(*d.f, d.args);
  Arrays args;
  const Executable e = compile(d.f, options_for(d, dice, args));
  const auto given_away = [&](ThreadPool& pool) { return e.call(copies_of(args), pool).take(); };
  const Arrays first = given_away(one);
  ASSERT_EQ(difference(wanted, first, d.gradient), "") << print(d.f);

  // Held on to, nothing of an argument may change; nor may results that somebody holds, by later calls.
  const Arrays before = copies_of(args), kept = copies_of(first);
  EXPECT_TRUE(same_bits(e.call(args, three).take(), first)) << "threads\n" << print(d.f);
  EXPECT_TRUE(same_bits(args, before)) << "an argument changed\n" << print(d.f);
  EXPECT_TRUE(same_bits(given_away(three), first)) << "donation\n" << print(d.f);
  EXPECT_TRUE(same_bits(first, kept)) << "an earlier result changed\n" << print(d.f);
  if (seed % 8 != 0) return;
  Arrays x, y;
  std::thread other([&] {
    ThreadPool pool(2);
    for (int i = 0; i < 3; ++i) x = given_away(pool);
  });
  for (int i = 0; i < 3; ++i) y = given_away(one);
  other.join();
  EXPECT_TRUE(same_bits(x, first) && same_bits(y, first)) << "calls at once\n" << print(d.f);
}

TEST(Graphs, PlansAreTheInterpreter) {
  const uint32_t graphs = std::getenv("VIVA_LONG") ? 20000 : 200;
  ThreadPool one(1), three(3);
  for (uint32_t seed = 0; seed < graphs; ++seed) {
    SCOPED_TRACE(seed);
    run(seed, one, three);
  }
}

}  // namespace
}  // namespace viva
