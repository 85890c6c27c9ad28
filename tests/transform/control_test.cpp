// Loops under transformations: what they cost, and what they keep.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "graph/build.h"
#include "graph/opdef.h"
#include "graph/verify.h"
#include "interpret/interpret.h"
#include "transform/pipeline.h"
#include "transform/transform.h"

namespace viva {
namespace {

const Type scalar{Dtype::float64, {}};

int64_t size_of_all(const Function& f) {
  int64_t n = static_cast<int64_t>(f.nodes().size());
  for (const Node& node : f.nodes())
    for (const Body& b : node.bodies) n += size_of_all(*b);
  return n;
}

// x ← sin(w)·x + w, n times, through scan.
Body recurrence(int64_t n) {
  Build s("step"), b("f");
  const Value w = s.parameter(scalar, "w"), x = s.parameter(scalar, "x");
  const Body step = s.finish({s.add(s.mul(s.sin(w), x), w)});
  const Value ww = b.parameter(scalar, "w"), xx = b.parameter(scalar, "x");
  return b.finish(
      {b.emit("scan", {ww, xx}, {{"consts", int64_t{1}}, {"carries", int64_t{1}}, {"length", n}, {"reverse", false}},
              {step})[0]});
}

TEST(Loops, GraphsDoNotGrowWithTheSteps) {
  for (const bool second : {false, true}) {
    const auto derived = [&](int64_t n) {
      const Body f = recurrence(n);
      return second ? hvp(f, {true, true}) : grad(f, {true, true});
    };
    EXPECT_EQ(size_of_all(*derived(10)), size_of_all(*derived(1000)));
    verify(*derived(10));
  }
}

// Of a step only x is kept: sin(w) and cos(w) are the same for all steps.
TEST(Loops, WhatIsTheSameForAllStepsIsKeptOnce) {
  const Linearized l = linearize(recurrence(100), {true, true});
  int64_t stacked = 0;
  for (const Type& t : l.primal->output_types()) stacked += numel(t.shape) >= 100;
  EXPECT_EQ(stacked, 1);
}

// Runs functions by their eval rules and counts the calls of those named.
class Counting final : public Evaluator {
 public:
  explicit Counting(std::string name) : name_(std::move(name)) {}
  std::vector<Array> call(const Function& f, std::span<const Array> args) override {
    calls += f.name().starts_with(name_);
    std::unordered_map<Value, Array, ValueHash> at;
    for (size_t i = 0; i < args.size(); ++i) at[f.params()[i]] = args[i];
    for (const Node& n : f.nodes()) {
      if (!n.op) continue;
      std::vector<Array> in;
      for (const Value& v : n.in) in.push_back(at.at(v));
      const std::vector<Array> out = (*n.op->eval)(n, in, *this);
      for (int i = 0; i < n.outputs(); ++i) at[n.out(i)] = out[static_cast<size_t>(i)];
      if (n.op->name == "dynamic_slice" && n.types[0] == Type{Dtype::int64, {1}})
        deepest = std::max(deepest, static_cast<int64_t>(in[1].at(0)) + 1);
    }
    std::vector<Array> out;
    for (const Value& v : f.outputs()) out.push_back(at.at(v));
    return out;
  }
  int64_t calls = 0, deepest = 0;  // deepest: snapshots at once

 private:
  std::string name_;
};

// x ← cos(x), n times, through while.
Body cosines() {
  Build p("more"), s("advance"), b("f");
  const Type integer{Dtype::int64, {}};
  const Value limit = p.parameter(integer), count = p.parameter(integer);
  p.parameter(scalar);
  const Body more = p.finish({p.compare(Direction::lt, count, limit)});
  s.parameter(integer);
  const Value i = s.parameter(integer), x = s.parameter(scalar);
  const Body advance = s.finish({s.add(i, s.one(i)), s.cos(x)});
  const Value n = b.parameter(integer, "n"), start = b.parameter(scalar, "x");
  return b.finish({b.emit("while", {n, b.scalar(Dtype::int64, 0), start},
                          {{"consts", int64_t{1}}, {"max_steps", int64_t{0}}}, {more, advance})[1]});
}

// x ← sort(x) / 2 as long as |x|² >= 1: the tangents are sorted beside x, which they do not change, so the predicate
// stays known. From (3, 1) in two steps to (1, 3) / 4.
TEST(Loops, WhatIsSortedBesideTangentsStillSteers) {
  const Type two{Dtype::float64, {2}};
  Build p("large"), s("step"), b("f");
  const Value v = p.parameter(two), size = p.reduce_sum(p.square(v), {0});
  const Body large = p.finish({p.compare(Direction::ge, size, p.one(size))});
  const Value w = s.parameter(two);
  const Body step = s.finish({s.scale(s.sort({w}, 0)[0], 0.5)});
  const Value x = b.parameter(two);
  const Value last = b.emit("while", {x}, {{"consts", int64_t{0}}, {"max_steps", int64_t{0}}}, {large, step})[0];
  const Value weights = b.add(b.iota(two, 0), b.one(last));
  const Body g = grad(b.finish({b.dot(last, weights)}), {true});
  Array at = Array::make(two);
  at.as_mutable<double>()[0] = 3, at.as_mutable<double>()[1] = 1;
  const Array got = interpret(*g, std::vector{at})[0];
  EXPECT_EQ(got.at(0), 0.5);
  EXPECT_EQ(got.at(1), 0.25);
}

// At most n·(log2 n / 2 + 2) evaluations of the step beside those of the loop itself, with 2·log2 n + 4 snapshots.
TEST(Loops, ReversingAWhileCostsLogarithmicallyMore) {
  const Body g = grad(cosines(), {false, true});
  for (const int64_t n : {0, 1, 2, 3, 7, 64, 1000}) {
    Counting run("advance");
    const double got = run.call(*g, std::vector{Array::scalar(n), Array::scalar(0.3)})[0].at(0);
    double x = 0.3, slope = 1;
    for (int64_t k = 0; k < n; ++k) slope *= -std::sin(x), x = std::cos(x);
    EXPECT_NEAR(got, slope, 1e-12) << n;
    const double log = n > 1 ? std::log2(static_cast<double>(n)) : 0, steps = static_cast<double>(n);
    EXPECT_LE(static_cast<double>(run.calls) - steps, steps * (log / 2 + 2)) << n;
    EXPECT_LE(static_cast<double>(run.deepest), 2 * log + 4) << n;
  }
}

}  // namespace
}  // namespace viva
