// Derivatives where a plain product of slopes would give NaN though a value exists: in forward and reverse mode, of
// first and second order.
#include "laws/both.h"
#include "transform/transform.h"

namespace viva {
namespace {

using laws::Arrays;
using Function1 = std::function<Value(Build&, Value)>;

Body total(const Array& at, const Function1& f) {
  return function_of({at}, [&](Build& b, const Values& v) {
    const Value y = f(b, v[0]);
    return b.reduce_sum(y, iota_ints(y.rank()));
  });
}

Arrays run(const Body& f, const Arrays& args) {
  ThreadPool pool(1);
  const Arrays slow = interpret(*f, args);
  EXPECT_EQ(laws::close(slow, compile(f).call(args, pool).take(), 1e-15), "");
  return slow;
}

// The gradient, which forward mode must give too, and the diagonal of the Hessian, forward over reverse and reverse
// over forward.
void derivatives(const std::vector<double>& x, const Function1& f, const std::vector<double>& first,
                 const std::vector<double>& second) {
  const Array at = vec(x);
  const Body sum = total(at, f), slope = grad(sum, {true});
  expect(run(slope, {at})[0], first, 1e-14);
  for (size_t i = 0; i < x.size(); ++i) {
    std::vector<double> unit(x.size(), 0);
    unit[i] = 1;
    const Array t = vec(unit);
    const auto k = static_cast<int64_t>(i);
    expect(Array::of<double>({run(jvp(sum, {true}), {at, t})[1].at(0)}, {1}), {first[i]}, 1e-14);
    if (second.empty()) continue;
    expect(Array::of<double>({run(hvp(sum, {true}), {at, t})[0].at(k)}, {1}), {second[i]}, 1e-14);
    const Body along = jvp(sum, {true});
    Build b("tangent");
    Values in;
    for (const Value& p : along->params()) in.push_back(b.parameter(p.type()));
    const Body tangent = b.finish({b.inline_call(*along, in)[1]});
    expect(Array::of<double>({run(grad(tangent, {true, false}), {at, t})[0].at(k)}, {1}), {second[i]}, 1e-14);
  }
}

Value positive(Build& b, Value x) { return b.compare(Direction::gt, x, b.zero(x)); }

TEST(Safe, RootsAndLogarithmsUnderSelect) {
  const auto under = [](Value (Build::*op)(Value, Build::Loc)) {
    return [op](Build& b, Value x) { return b.select(positive(b, x), (b.*op)(x, Build::Loc::current()), b.zero(x)); };
  };
  derivatives({0, 4, -1}, under(&Build::sqrt), {0, 0.25, 0}, {0, -1.0 / 32, 0});
  derivatives({0, 2, -1}, under(&Build::log), {0, 0.5, 0}, {0, -0.25, 0});
  derivatives({0, 4, -1}, under(&Build::rsqrt), {0, -1.0 / 16, 0}, {0, 3.0 / 128, 0});
  const auto shifted = [](Build& b, Value x) {
    return b.select(positive(b, b.add(x, b.one(x))), b.log1p(x), b.zero(x));
  };
  derivatives({-1, 1, -3}, shifted, {0, 0.5, 0}, {0, -0.25, 0});
  // Without a mask the slope is what it is.
  derivatives({0}, [](Build& b, Value x) { return b.sqrt(x); }, {inf}, {});
}

// As asin is made: the angle of (√(1 - x²), x), whose slopes meet the infinite one of the root.
TEST(Safe, AnglesUnderSelect) {
  const auto arcsine = [](Build& b, Value x) {
    const Value inside = b.compare(Direction::lt, b.abs(x), b.one(x));
    return b.select(inside, b.atan2(x, b.sqrt(b.sub(b.one(x), b.square(x)))), b.zero(x));
  };
  const Array at = vec<double>({-1, 0.6, 1, 3});
  derivatives({-1, 0.6, 1, 3}, arcsine, {0, 1.25, 0, 0}, {});
  expect(run(hvp(total(at, arcsine), {true}), {at, vec<double>({1, 1, 1, 1})})[0], {0, 0.6 / 0.512, 0, 0}, 1e-14);
}

TEST(Safe, QuotientsUnderSelect) {
  derivatives({0, 2},
              [](Build& b, Value x) {
                const Value there = b.compare(Direction::ne, x, b.zero(x));
                return b.select(there, b.recip(x), b.zero(x));
              },
              {0, -0.25}, {0, 0.25});
  // x / |x| of a vector, which is 0 at 0.
  derivatives({0, 0},
              [](Build& b, Value x) {
                const Value squares = b.broadcast(b.reduce_sum(b.square(x), {0}), {2}, {});
                return b.select(positive(b, squares), b.div(x, b.sqrt(squares)), b.zero(x));
              },
              {0, 0}, {0, 0});
}

TEST(Safe, NormsUnderSelect) {
  const auto norm = [](Build& b, Value x) {
    const Value squares = b.reduce_sum(b.square(x), {0}), any = positive(b, squares);
    return b.select(any, b.sqrt(squares), b.zero(squares));
  };
  derivatives({0, 0}, norm, {0, 0}, {0, 0});
  derivatives({3, 4}, norm, {0.6, 0.8}, {16.0 / 125, 9.0 / 125});
}

Function1 power(double y) {
  return [y](Build& b, Value x) { return b.pow(x, b.full_like(x, y)); };
}

TEST(Safe, Powers) {
  derivatives({0}, power(0), {0}, {0});
  derivatives({0}, power(1), {1}, {0});
  derivatives({0}, power(2), {0}, {2});
  derivatives({0}, power(3), {0}, {0});
  derivatives({0}, power(1.5), {0}, {inf});
  derivatives({0}, power(0.5), {inf}, {});
  derivatives({-2, -0.5}, power(3), {12, 0.75}, {-12, -3});
  derivatives({-2}, power(-1), {-0.25}, {-0.25});
  derivatives({-2}, power(0), {0}, {0});
  derivatives({0, 4, -1},
              [](Build& b, Value x) { return b.select(positive(b, x), b.pow(x, b.full_like(x, 0.5)), b.zero(x)); },
              {0, 0.25, 0}, {0, -1.0 / 32, 0});
  // In the exponent: 0^y is flat for y >= 0.
  derivatives({0, 0.5, 2}, [](Build& b, Value y) { return b.pow(b.zero(y), y); }, {0, 0, 0}, {0, 0, 0});
}

TEST(Safe, ProductsWithZeros) {
  const auto product = [](Build& b, Value x) { return b.reduce_prod(x, {0}); };
  derivatives({2, 0, 3}, product, {0, 6, 0}, {0, 0, 0});
  derivatives({0, 0, 3}, product, {0, 0, 0}, {0, 0, 0});
  derivatives({0, 0, 0}, product, {0, 0, 0}, {0, 0, 0});
  // Off the diagonal, d²/dx₀dx₁ of x₀x₁x₂ at (0, 0, 3) is 3.
  const Array at = vec<double>({0, 0, 3});
  expect(run(hvp(total(at, product), {true}), {at, vec<double>({1, 0, 0})})[0], {0, 3, 0});
  // Squares of the product of (0, 2): d² = 2·2².
  derivatives({0, 2}, [&](Build& b, Value x) { return b.square(product(b, x)); }, {0, 0}, {8, 0});
}

TEST(Safe, TiesAndRelu) {
  derivatives({1, 1, 0}, [](Build& b, Value x) { return b.reduce_max(x, {0}); }, {0.5, 0.5, 0}, {0, 0, 0});
  derivatives({-1, 0, 2}, [](Build& b, Value x) { return b.relu(x); }, {0, 0, 1}, {0, 0, 0});
  derivatives({0, -3}, [](Build& b, Value x) { return b.abs(x); }, {0, -1}, {0, 0});
  derivatives({0, 1}, [](Build& b, Value x) { return b.max(x, b.zero(x)); }, {0.5, 1}, {0, 0});
}

TEST(Safe, TheProductThatKnowsNoNan) {
  expect(both({vec<double>({0, -0.0, 0, 2, inf, nan}), vec<double>({inf, nan, 3, 5, 0, 1})},
              [](Build& b, const Values& v) { return b.mul_no_nan(v[0], v[1]); }),
         {0, 0, 0, 10, nan, nan});
}

}  // namespace
}  // namespace viva
