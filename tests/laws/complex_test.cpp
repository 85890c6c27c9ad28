// Complex numbers: known values, edges after C99's Annex G where the conventions say so, and the convention of
// gradients.
#include <complex>

#include "laws/both.h"
#include "transform/transform.h"

namespace viva {
namespace {

using C = std::complex<double>;
using laws::Arrays;

Array complex_of(const std::vector<C>& v) { return Array::of<C>(v, {static_cast<int64_t>(v.size())}); }

void expect_complex(const Array& got, const std::vector<C>& want, double tolerance = 0) {
  ASSERT_EQ(got.dtype(), Dtype::complex128);
  std::vector<double> numbers;
  for (const C& c : want) numbers.push_back(c.real()), numbers.push_back(c.imag());
  expect(laws::reals(got), numbers, tolerance);
}

Array applied(const char* op, const std::vector<C>& x) {
  return both({complex_of(x)}, [op](Build& b, const Values& v) { return b.emit(op, {v[0]}).front(); });
}
Array applied(const char* op, const std::vector<C>& x, const std::vector<C>& y) {
  return both({complex_of(x), complex_of(y)},
              [op](Build& b, const Values& v) { return b.emit(op, {v[0], v[1]}).front(); });
}

Array compared(Direction d, const std::vector<C>& x, const std::vector<C>& y) {
  return both({complex_of(x), complex_of(y)}, [d](Build& b, const Values& v) { return b.compare(d, v[0], v[1]); });
}

TEST(Complex, PartsAndConversions) {
  const Array re = vec<double>({1, -0.0, inf}), im = vec<double>({2, nan, -3});
  expect_complex(both({re, im}, [](Build& b, const Values& v) { return b.complex(v[0], v[1]); }),
                 {{1, 2}, {-0.0, nan}, {inf, -3}});
  expect(applied("real", {{1, 2}, {-3, nan}}), {1, -3});
  expect(applied("imag", {{1, 2}, {-3, nan}}), {2, nan});
  expect_complex(applied("conj", {{1, 2}, {-3, -0.0}}), {{1, -2}, {-3, 0.0}});
  expect_complex(
      both({vec<int32_t>({-7, 3})}, [](Build& b, const Values& v) { return b.convert(v[0], Dtype::complex128); }),
      {{-7, 0}, {3, 0}});
  try {
    both({complex_of({1})}, [](Build& b, const Values& v) { return b.convert(v[0], Dtype::float64); });
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(e.message().find("take its real part, real(x)"), std::string::npos) << e.message();
  }
  try {
    both({complex_of({1})}, [](Build& b, const Values& v) { return b.compare(Direction::lt, v[0], v[0]); });
    FAIL();
  } catch (const Error& e) { EXPECT_NE(e.message().find("no order"), std::string::npos) << e.message(); }
}

// By mpmath 1.3 with 40 digits.
TEST(Complex, KnownValues) {
  const std::vector<C> z{{0.5, -1.25}, {-2, 0.75}};
  expect_complex(applied("exp", z),
                 {{0.519878686008493657, -1.56461112749881953}, {0.0990233203101153138, 0.092249774652811398}}, 4e-15);
  expect_complex(applied("log", z),
                 {{0.297353553873346395, -1.19028994968253173}, {0.758935359454304946, 2.78282198331922102}}, 4e-15);
  expect_complex(applied("sqrt", z),
                 {{0.96080466323379853, -0.650496426501954739}, {0.260768993871379187, 1.4380544037569272}}, 4e-15);
  expect_complex(applied("mul", z, {{3, 4}, {0.5, -1}}), {{6.5, -1.75}, {-0.25, 2.375}});
  expect_complex(applied("div", z, {{3, 4}, {0.5, -1}}), {{-0.14, -0.23}, {-1.4, -1.3}}, 4e-16);
  expect_complex(applied("square", z), {{-1.3125, -1.25}, {3.4375, -3}});
  expect(applied("abs", {{3, -4}, {0, 0}, {-5, 12}}), {5, 0, 13});
  expect_complex(applied("sign", {{3, -4}, {0, 0}, {0, 2}}), {{0.6, -0.8}, {0, 0}, {0, 1}}, 1e-16);
  expect(compared(Direction::eq, {{1, 2}, {1, 2}, {nan, 0}}, {{1, 2}, {1, -2}, {nan, 0}}), {1, 0, 0});
  expect(compared(Direction::ne, {{1, 2}, {1, 2}, {nan, 0}}, {{1, 2}, {1, -2}, {nan, 0}}), {0, 1, 1});
}

TEST(Complex, AccurateNearZero) {
  const C tiny{1e-12, -2e-12};
  expect_complex(applied("expm1", {tiny}), {{9.9999999999850000e-13, -2.0000000000020000e-12}}, 1e-13);
  expect_complex(applied("log1p", {tiny}), {{1.0000000000015000e-12, -1.9999999999980000e-12}}, 1e-13);
  expect_complex(applied("expm1", {{1, 2}, {-inf, 0}}), {{-2.13120438375681364, 2.47172667200481893}, {-1, 0}}, 4e-15);
}

TEST(Complex, WithoutOverflow) {
  const double big = 1e308, small = 1e-308;
  expect(applied("abs", {{big, big}, {small, small}, {inf, nan}}), {std::sqrt(2.0) * big, std::sqrt(2.0) * small, inf},
         1e-15);
  expect_complex(applied("div", {{big, big}, {small, small}}, {{big, big}, {small, small}}), {1, 1}, 1e-15);
  expect_complex(applied("sqrt", {{big, big}}), {{1.09868411346780997e154, 4.55089860562227344e153}}, 1e-14);
  expect_complex(applied("sign", {{big, big}, {small, -small}}), {{M_SQRT1_2, M_SQRT1_2}, {M_SQRT1_2, -M_SQRT1_2}},
                 1e-15);
  expect_complex(applied("logistic", {{1000, 1}, {-1000, 1}}), {{1, 0}, {0, 0}});
  expect_complex(applied("tanh", {{1000, 1}, {-1000, 1}}), {{1, 0}, {-1, 0}});
}

TEST(Complex, EdgesOfAnnexG) {
  expect_complex(applied("sqrt", {{-4, 0.0}, {-4, -0.0}, {0, 0}}), {{0, 2}, {0, -2}, {0, 0}});
  expect_complex(applied("log", {{-1, 0.0}, {-1, -0.0}, {0, 0}}), {{0, M_PI}, {0, -M_PI}, {-inf, 0}}, 1e-15);
  expect_complex(applied("exp", {{-inf, 0}, {0, 0}}), {{0, 0}, {1, 0}});
  const Array q = applied("div", {{1, 1}, {0, 0}}, {{0, 0}, {0, 0}});
  EXPECT_TRUE(std::isinf(laws::reals(q).at(0)) && std::isnan(laws::reals(q).at(2)));
  expect_complex(applied("pow", {{0, 0}, {0, 0}, {2, 0}}, {{0, 0}, {2, 1}, {0, 0}}), {1, 0, 1});
  // Products are sums of products, so an infinite factor may give NaN.
  expect_complex(applied("mul", {{inf, 0}}, {{1, 0}}), {{inf, nan}});
}

TEST(Complex, SumsAndContractions) {
  const Array z = complex_of({{1, 2}, {3, -1}, {-2, 0.5}});
  expect_complex(both({z}, [](Build& b, const Values& v) { return b.reduce_sum(v[0], {0}); }), {{2, 1.5}});
  expect_complex(both({z}, [](Build& b, const Values& v) { return b.reduce_prod(v[0], {0}); }), {{-12.5, -7.5}});
  expect_complex(both({z}, [](Build& b, const Values& v) { return b.cumsum(v[0], 0); }), {{1, 2}, {4, 1}, {2, 1.5}});
  expect_complex(both({z, z}, [](Build& b, const Values& v) { return b.dot(v[0], b.conj(v[1])); }), {{19.25, 0}});
}

Body real_function(const std::vector<C>& at, const std::function<Value(Build&, Value)>& f) {
  return function_of({complex_of(at)}, [&](Build& b, const Values& v) {
    const Value y = f(b, v[0]);
    return b.reduce_sum(y, iota_ints(y.rank()));
  });
}
Array gradient(const std::vector<C>& at, const std::function<Value(Build&, Value)>& f) {
  const Body g = grad(real_function(at, f), {true});
  ThreadPool pool(1);
  const Array slow = interpret(*g, Arrays{complex_of(at)})[0];
  EXPECT_EQ(laws::close({slow}, compile(g).call({complex_of(at)}, pool).take(), 1e-14), "");
  return slow;
}

// g with df = Re(g · dz): the conjugate of the direction of steepest ascent.
TEST(Complex, GradientsOfRealFunctions) {
  const std::vector<C> z{{1, 2}, {-0.5, 3}};
  expect_complex(gradient(z, [](Build& b, Value x) { return b.real(b.mul(x, b.conj(x))); }), {{2, -4}, {-1, -6}},
                 1e-15);
  expect_complex(gradient(z, [](Build& b, Value x) { return b.real(x); }), {1, 1});
  expect_complex(gradient(z, [](Build& b, Value x) { return b.imag(x); }), {{0, -1}, {0, -1}});
  expect_complex(gradient(z, [](Build& b, Value x) { return b.square(b.abs(x)); }), {{2, -4}, {-1, -6}}, 1e-15);
  // Re z³: g = 3 z².
  expect_complex(gradient(z, [](Build& b, Value x) { return b.real(b.mul(x, b.square(x))); }), {{-9, 12}, {-26.25, -9}},
                 1e-15);
  // A step against the conjugate lessens the function.
  const auto f = [](Build& b, Value x) { return b.square(b.abs(b.sub(b.exp(x), b.one(x)))); };
  const Array g = gradient({{1, 2}}, f);
  const C step = std::conj(g.as<C>()[0]) * 1e-5;
  const auto at = [&](C c) { return interpret(*real_function({c}, f), Arrays{complex_of({c})})[0].at(0); };
  EXPECT_NEAR(at(C(1, 2)) - at(C(1, 2) - step), 1e-5 * std::norm(g.as<C>()[0]), 1e-8 * std::norm(g.as<C>()[0]));
}

TEST(Complex, AtTheOrigin) {
  expect_complex(gradient({{0, 0}, {0, -2}}, [](Build& b, Value x) { return b.abs(x); }), {{0, 0}, {0, 1}});
  expect_complex(gradient({0}, [](Build& b, Value x) { return b.real(b.sign(x)); }), {0});
}

// hvp of Re z³ along t: 6 z t.
TEST(Complex, SecondDerivatives) {
  const std::vector<C> z{{1, 2}};
  const Body h = hvp(real_function(z, [](Build& b, Value x) { return b.real(b.mul(x, b.square(x))); }), {true});
  expect_complex(interpret(*h, Arrays{complex_of(z), complex_of({{0.5, -1}})})[0], {C(6) * C(1, 2) * C(0.5, -1)},
                 1e-15);
  const Body twice = jvp(
      jvp(function_of({complex_of(z)}, [](Build& b, const Values& v) { return b.exp(v[0]); }), {true}), {true, true});
  const Array t = complex_of({{0, 1}}), none = complex_of({0});
  const Arrays all = interpret(*twice, Arrays{complex_of(z), t, t, none});
  expect_complex(all.back(), {-std::exp(C(1, 2))}, 1e-15);
}

}  // namespace
}  // namespace viva
