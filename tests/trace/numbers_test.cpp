// C++ numbers become elements exactly, at the ends of every integer dtype.
#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "viva/viva.h"

namespace viva {
namespace {

constexpr int64_t lowest = std::numeric_limits<int64_t>::min(), greatest = std::numeric_limits<int64_t>::max();
constexpr int64_t odd = (int64_t{1} << 53) + 1;  // no double
constexpr uint64_t top = std::numeric_limits<uint64_t>::max();

template <class T> std::vector<T> elements(const Tensor& t) {
  const Array a = t.array();
  return {a.as<T>().begin(), a.as<T>().end()};
}

// Eagerly and compiled.
template <class T, class F> void expect(std::vector<T> want, const F& f, const Tensor& x) {
  EXPECT_EQ(elements<T>(f(x)), want);
  EXPECT_EQ(elements<T>(compile(f)(x)), want);
}

template <class F> std::string message_of(const F& f) {
  try {
    f();
  } catch (const Error& e) { return std::string(e.what()); }
  return "no error";
}

TEST(Numbers, IntegersBesideATensorAreExact) {
  using I = std::vector<int64_t>;
  const Tensor x = zeros({1}, Dtype::int64), u = zeros({1}, Dtype::uint64);
  expect<int64_t>(I{odd}, [](const Tensor& a) { return a + odd; }, x);
  expect<int64_t>(I{-odd}, [](const Tensor& a) { return a - odd; }, x);
  expect<int64_t>(I{lowest}, [](const Tensor& a) { return lowest + a; }, x);
  expect<uint64_t>({top}, [](const Tensor& a) { return a | top; }, u);
  expect<uint64_t>({top - 1}, [](const Tensor& a) { return where(a == 0, top - 1, a); }, u);
  expect<bool>({false}, [](const Tensor& a) { return a + odd == odd - 1; }, x);
  expect<bool>({true}, [](const Tensor& a) { return a + odd > odd - 1; }, x);
  expect<int64_t>(I{greatest}, [](const Tensor& a) { return a.at(0).set(greatest); }, x);
  expect<int64_t>(I{0, odd}, [](const Tensor& a) { return pad(a, {0}, {1}, odd); }, x);
  expect<int64_t>(I{odd}, [](const Tensor& a) { return full_like(a, odd); }, x);
}

TEST(Numbers, AShapeInBracesIsNoDtype) {
  EXPECT_EQ(tensor({2.5}, {}).type(), (Type{Dtype::float32, {}}));
  EXPECT_EQ(tensor({2.5}, {}).item(), 2.5);
  EXPECT_EQ(tensor({1, 2, 3, 4}, {2, 2}).type(), (Type{Dtype::float32, {2, 2}}));
  EXPECT_EQ(tensor({1, 2}, Dtype::int8).type(), (Type{Dtype::int8, {2}}));
  EXPECT_EQ(elements<double>(tensor({{.1, .2}, {.3, .4}}, Dtype::float64)), (std::vector<double>{.1, .2, .3, .4}));
}

TEST(Numbers, ListsThatDoNotFitNameTheLine) {
  const std::string line = "numbers_test.cpp:" + std::to_string(__LINE__ + 1);
  EXPECT_NE(message_of([] { tensor({{1, 2}, {3}}); }).find(line), std::string::npos);
  EXPECT_NE(message_of([] { tensor({1, 2}, {3}); }).find("numbers_test.cpp"), std::string::npos);
}

TEST(Numbers, IntegersAloneAreExact) {
  EXPECT_EQ(elements<int64_t>(scalar(odd, Dtype::int64)), std::vector<int64_t>{odd});
  EXPECT_EQ(elements<uint64_t>(full({2}, top, Dtype::uint64)), (std::vector<uint64_t>{top, top}));
  EXPECT_EQ(to_string(full({1}, lowest, Dtype::int64)), "i64[1] [-9223372036854775808]");
  EXPECT_EQ(to_string(scalar(true, Dtype::uint8)), "u8[] 1");
  EXPECT_EQ(to_string(scalar(2.9, Dtype::uint8)), "u8[] 2");
  EXPECT_EQ(to_string(scalar(1e9, Dtype::int8)), "i8[] 127");  // floating numbers saturate
}

TEST(Numbers, AnIntegerOutsideItsDtypeIsAnError) {
  const Tensor u = ones({2}, Dtype::uint8);
  EXPECT_NE(message_of([&] { return u + 300; }).find("300 is no u8"), std::string::npos);
  EXPECT_NE(message_of([&] { return u > -1; }).find("-1 is no u8"), std::string::npos);
  EXPECT_THROW(scalar(top, Dtype::int64), Error);
  EXPECT_THROW(ones({1}, Dtype::int32) * odd, Error);
  EXPECT_THROW(abs(odd), Error);  // a number alone is int32
  EXPECT_EQ(to_string(u + 254), "u8[2] [255, 255]");
  EXPECT_EQ(to_string(ones({1}, Dtype::int8) + -128), "i8[1] [-127]");
  EXPECT_THROW(ones({1}, Dtype::int8) - 128, Error);
  EXPECT_EQ((ones({1}) + odd).dtype(), Dtype::float32);
  EXPECT_EQ(to_string(tensor({3, 4}, Dtype::uint8)(tensor({-1, 0}, Dtype::int8))), "u8[2] [4, 3]");
}

TEST(Numbers, ArangeAtTheEnds) {
  const auto range64 = [](int64_t a, int64_t b, int64_t by) {
    return elements<int64_t>(arange(a, b, by, Dtype::int64));
  };
  using I = std::vector<int64_t>;
  EXPECT_EQ(range64(0, 10, greatest), I{0});
  EXPECT_EQ(range64(lowest, greatest, greatest), (I{lowest, -1, greatest - 1}));
  EXPECT_EQ(range64(greatest, lowest, lowest), (I{greatest, -1}));
  EXPECT_EQ(range64(greatest, lowest, -greatest), (I{greatest, 0, -greatest}));
  EXPECT_EQ(range64(greatest - 2, greatest, 1), (I{greatest - 2, greatest - 1}));
  EXPECT_EQ(range64(lowest, lowest, 1), I{});
  EXPECT_EQ(range64(5, lowest, 1), I{});
  EXPECT_THROW(arange(lowest, greatest), Error);
  EXPECT_THROW(arange(greatest, lowest, -1), Error);
  EXPECT_EQ(to_string(arange(5, 0, -2, Dtype::uint8)), "u8[3] [5, 3, 1]");
  EXPECT_EQ(to_string(arange(-128, 128, 255, Dtype::int8)), "i8[2] [-128, 127]");
  EXPECT_NE(message_of([] { return arange(300, Dtype::uint8); }).find("[arange] u8 does not hold 0 to 299"),
            std::string::npos);
  EXPECT_THROW(arange(0, 3, 0), Error);
  // Rounded once: 16777219 lies between two float32, of which 16777220 is even.
  EXPECT_EQ(arange(16777217, 16777220, 2, Dtype::float32).array().at(1), 16777220);
}

TEST(Numbers, LinspaceIsOfFloats) {
  EXPECT_NE(message_of([] { return linspace(0, 1, 3, Dtype::int32); }).find("[linspace] i32 is no float dtype"),
            std::string::npos);
  EXPECT_EQ(to_string(linspace(2, 1, 1, Dtype::float64)), "f64[1] [2]");
}

TEST(Numbers, DiagonalsAndStepsBeyondTheTensor) {
  const Tensor x = ones({2, 3});
  for (const int64_t k : {int64_t{3}, int64_t{1} << 31, greatest}) {
    EXPECT_EQ(sum(tril(x, k)).item(), 6) << k;
    EXPECT_EQ(sum(triu(x, k)).item(), 0) << k;
    EXPECT_EQ(sum(tril(x, -k)).item(), 0) << k;
    EXPECT_EQ(sum(triu(x, -k)).item(), 6) << k;
  }
  EXPECT_EQ(sum(tril(x, lowest)).item(), 0);
  EXPECT_EQ(sum(triu(x, lowest)).item(), 6);
  EXPECT_EQ(to_string(arange(3)(range(1, end, greatest))), "i32[1] [1]");
  EXPECT_THROW(arange(3)(top), Error);
}

}  // namespace
}  // namespace viva
