// Enclosures against intervals known by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "base/error.h"
#include "graph/build.h"
#include "graph/verify.h"
#include "interpret/interpret.h"
#include "transform/transform.h"

namespace viva {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
const Type f64{Dtype::float64, {}};

struct Interval {
  double lower, upper;
};

using Make = std::function<Value(Build&, Value)>;

Body of_one(const Make& make, const Type& t = f64) {
  Build b("f");
  const Value x = b.parameter(t, "x");
  return b.finish({make(b, x)});
}

Interval at(const Make& make, Interval x) {
  const Body g = bound(of_one(make), {true});
  verify(*g);
  const auto out = interpret(*g, std::vector{Array::scalar(x.lower), Array::scalar(x.upper)});
  return {out[0].at(0), out[1].at(0)};
}

// The interval, and no more around it than rounding needs.
void expect_tight(Interval got, Interval exact, double slack = 1e-14) {
  EXPECT_LE(got.lower, exact.lower);
  EXPECT_GE(got.upper, exact.upper);
  EXPECT_GE(got.lower, exact.lower - slack);
  EXPECT_LE(got.upper, exact.upper + slack);
}

Value square_of(Build& b, Value x) { return b.mul(x, x); }

TEST(Bound, PointwiseFunctionsAreTight) {
  expect_tight(at([](Build& b, Value x) { return b.exp(x); }, {-1, 2}), {std::exp(-1), std::exp(2)}, 1e-13);
  expect_tight(at([](Build& b, Value x) { return b.square(x); }, {-1, 2}), {0, 4});
  expect_tight(at(square_of, {-3, 2}), {0, 9});
  expect_tight(at([](Build& b, Value x) { return b.abs(x); }, {-3, 2}), {0, 3});
  expect_tight(at([](Build& b, Value x) { return b.relu(x); }, {-3, 2}), {0, 2});
  expect_tight(at([](Build& b, Value x) { return b.recip(x); }, {2, 4}), {0.25, 0.5});
  expect_tight(at([](Build& b, Value x) { return b.sin(x); }, {0, 2}), {0, 1});
  expect_tight(at([](Build& b, Value x) { return b.sin(x); }, {2, 4}), {std::sin(4), std::sin(2)});
  expect_tight(at([](Build& b, Value x) { return b.cos(x); }, {1, 7}), {-1, 1});
  expect_tight(at([](Build& b, Value x) { return b.pow(x, b.full_like(x, 2)); }, {-3, 2}), {0, 9}, 1e-13);
  expect_tight(at([](Build& b, Value x) { return b.pow(x, b.full_like(x, 3)); }, {-3, 2}), {-27, 8}, 1e-12);
  expect_tight(at([](Build& b, Value x) { return b.sub(b.scale(x, -2), b.one(x)); }, {-3, 2}), {-5, 5});
}

// What may be NaN, or lies beside a pole, has no bound, and nothing that follows claims one.
TEST(Bound, NothingIsKnownBesideADomain) {
  for (const Make& make :
       {Make([](Build& b, Value x) { return b.log(x); }), Make([](Build& b, Value x) { return b.sqrt(x); }),
        Make([](Build& b, Value x) { return b.recip(x); }), Make([](Build& b, Value x) { return b.tanh(b.log(x)); }),
        Make([](Build& b, Value x) { return b.max(b.sqrt(x), b.zero(x)); })}) {
    const Interval y = at(make, {-1, 1});
    EXPECT_EQ(y.lower, -inf);
    EXPECT_EQ(y.upper, inf);
  }
  // x·x - x·x where the square overflows is NaN.
  const Interval y = at([](Build& b, Value x) { return b.tanh(b.sub(square_of(b, x), square_of(b, x))); }, {1, 1e200});
  EXPECT_EQ(y.lower, -inf);
  EXPECT_EQ(y.upper, inf);
}

// Half-bounded boxes keep the end that is known.
TEST(Bound, OneEndMayBeKnown) {
  EXPECT_EQ(at([](Build& b, Value x) { return b.exp(x); }, {-inf, 0}).lower, 0);
  expect_tight(at([](Build& b, Value x) { return b.tanh(x); }, {0, inf}), {0, 1}, 1e-12);
  expect_tight(at([](Build& b, Value x) { return b.relu(x); }, {-inf, 3}), {0, 3});
}

// Between two neighbours beyond 2^53 lie whole periods.
TEST(Bound, PeriodsAreNotMissedFarOut) {
  for (const Make& make :
       {Make([](Build& b, Value x) { return b.sin(x); }), Make([](Build& b, Value x) { return b.cos(x); })})
    for (const double x : {1e17, 1e22, -1e300}) {
      const Interval y = at(make, {x, std::nextafter(x, inf)});
      EXPECT_LE(y.lower, -1);
      EXPECT_GE(y.upper, 1);
    }
}

TEST(Bound, IntegersAreExact) {
  Build b("f");
  const Type t{Dtype::int32, {}};
  const Value x = b.parameter(t), y = b.parameter(t);
  const Body f = b.finish({b.add(b.mul(x, y), b.one(x)), b.div(x, y), b.mul(x, b.full_like(x, 1 << 20))});
  const auto out = interpret(*bound(f, {true, true}),
                             std::vector{Array::scalar(-7), Array::scalar(2), Array::scalar(9000), Array::scalar(3)});
  EXPECT_EQ(out[0].at(0), -20);
  EXPECT_EQ(out[3].at(0), 27001);
  EXPECT_EQ(out[1].at(0), -3);
  EXPECT_EQ(out[4].at(0), 4500);
  // The last one may wrap.
  EXPECT_EQ(out[2].at(0), INT32_MIN);
  EXPECT_EQ(out[5].at(0), INT32_MAX);
}

TEST(Bound, AffineMapsAreExactUpToRounding) {
  Build b("f");
  const Value x = b.parameter({Dtype::float64, {2}}), w = b.parameter({Dtype::float64, {2, 2}});
  const Body f = b.finish({b.dot(w, x)});
  const auto out = interpret(*bound(f, {true, false}),
                             std::vector{Array::of<double>({-1, 0}, {2}), Array::of<double>({1, 2, -3, 1}, {2, 2}),
                                         Array::of<double>({1, 0.5}, {2})});
  expect_tight({out[0].at(0), out[1].at(0)}, {-1, 2});
  expect_tight({out[0].at(1), out[1].at(1)}, {-3, 3.5});
}

// A loop that ends when x is above 10, doubling: it ends at 10 to 20, from 1 to 3.
TEST(Bound, LoopsThatEndByData) {
  const auto doubling = [](int64_t most) {
    Build p("goes_on"), f("step"), b("f");
    const Value px = p.parameter(f64), fx = f.parameter(f64), x = b.parameter(f64);
    const Body goes_on = p.finish({p.compare(Direction::lt, px, p.scalar(Dtype::float64, 10))}),
               step = f.finish({f.add(fx, fx)});
    return b.finish(b.emit("while", {x}, {{"consts", int64_t{0}}, {"max_steps", most}}, {goes_on, step}));
  };
  for (const int64_t most : {0, 100}) {
    const Body g = bound(doubling(most), {true});
    verify(*g);
    const auto out = interpret(*g, std::vector{Array::scalar(1.0), Array::scalar(3.0)});
    EXPECT_LE(out[0].at(0), 10);
    EXPECT_GE(out[1].at(0), 20);
    EXPECT_GE(out[0].at(0), 3.99);
    EXPECT_LE(out[1].at(0), 48.01);
  }
  // From -1 it never ends: nothing is known, and the bound does end.
  const auto out = interpret(*bound(doubling(0), {true}), std::vector{Array::scalar(-1.0), Array::scalar(3.0)});
  EXPECT_EQ(out[0].at(0), -inf);
  EXPECT_EQ(out[1].at(0), inf);
}

// [2 ± .1, 1 ± .1] on and beside the diagonal: 1 ± .2 and 3 ± .2.
TEST(Bound, EigenvaluesMoveByTheNorm) {
  const Type matrix{Dtype::float64, {2, 2}};
  Build b("f");
  const Value x = b.parameter(matrix);
  const Body g = bound(b.finish({b.eigh(x)[0], b.svd(x)[1]}), {true});
  const auto out = interpret(*g, std::vector{Array::of<double>({1.9, 0.9, 0.9, 1.9}, {2, 2}),
                                             Array::of<double>({2.1, 1.1, 1.1, 2.1}, {2, 2})});
  expect_tight({out[0].at(0), out[2].at(0)}, {0.8, 1.2}, 1e-12);
  expect_tight({out[0].at(1), out[2].at(1)}, {2.8, 3.2}, 1e-12);
  expect_tight({out[1].at(0), out[3].at(0)}, {2.8, 3.2}, 1e-12);
}

// x = b / a for a in [2, 4] and b in [1, 2], then (b₂ - c·x) / a₂.
TEST(Bound, TriangularSystems) {
  Build b("f");
  const Value a = b.parameter({Dtype::float64, {2, 2}}), rhs = b.parameter({Dtype::float64, {2, 1}});
  const Body g = bound(b.finish({b.triangular_solve(a, rhs, {})}), {true, true});
  const auto low = Array::of<double>({2, 0, 1, 1}, {2, 2}), high = Array::of<double>({2.2, 0, 1.1, 1.1}, {2, 2});
  const auto out =
      interpret(*g, std::vector{low, Array::of<double>({1, 2}, {2, 1}), high, Array::of<double>({1.1, 2}, {2, 1})});
  EXPECT_LE(out[0].at(0), 1 / 2.2);
  EXPECT_GE(out[1].at(0), 1.1 / 2);
  EXPECT_LT(out[1].at(0) - out[0].at(0), 0.2);
  EXPECT_LE(out[0].at(1), (2 - 1.1 * 1.1 / 2) / 1.1);
  EXPECT_GE(out[1].at(1), 2 - 1 / 2.2);
  EXPECT_LT(out[1].at(1) - out[0].at(1), 0.6);
}

// A network's gradient by an end of its own bound: for w > 0 and x >= 0 the upper end of relu(w·x) is w·x.upper.
TEST(Bound, IsDifferentiable) {
  Build b("f");
  const Value x = b.parameter(f64), w = b.parameter(f64);
  const Body f = b.finish({b.relu(b.mul(w, x))});
  const Body g = bound(f, {true, false});
  Build up("upper");
  Values args;
  for (const Value& p : g->params()) args.push_back(up.parameter_like(p));
  const Body upper = up.finish({up.inline_call(*g, args)[1]});
  const auto out = interpret(*grad(upper, {true, true, true}),
                             std::vector{Array::scalar(1.0), Array::scalar(2.0), Array::scalar(3.0)});
  EXPECT_EQ(out[0].at(0), 0);
  EXPECT_EQ(out[1].at(0), 3);
  EXPECT_EQ(out[2].at(0), 2);
}

TEST(Bound, EqualCallsAreBoundedOnce) {
  Build g("layer");
  const Value u = g.parameter(f64);
  const Body layer = g.finish({g.tanh(u)});
  Build b("f");
  Value x = b.parameter(f64);
  for (int i = 0; i < 12; ++i) x = b.call(layer, {x})[0];
  EXPECT_EQ(Program(bound(b.finish({x}), {true})).functions().size(), 2U);
}

TEST(Bound, RefusesMarksThatDoNotFit) { EXPECT_THROW(bound(of_one(square_of), {true, false}), Error); }

}  // namespace
}  // namespace viva
