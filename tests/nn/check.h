// What the tests of layers share: numbers of tensors, and gradients against central differences in float64.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "viva/viva.h"

namespace viva::check {

inline constexpr double inf = std::numeric_limits<double>::infinity();
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

inline std::vector<double> numbers(const Tensor& t) {
  const Array a = t.array();
  std::vector<double> r;
  for (int64_t i = 0; i < a.size(); ++i) r.push_back(a.at(i));
  return r;
}

// Shape, and each element to a tolerance; NaN and infinities are to be the same.
inline void expect_near(const Tensor& t, const Shape& shape, const std::vector<double>& want,
                        double tolerance = 1e-12) {
  ASSERT_EQ(t.shape(), shape);
  const std::vector<double> got = numbers(t);
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::isfinite(want[i])) EXPECT_NEAR(got[i], want[i], tolerance) << "at " << i;
    else EXPECT_TRUE(got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i]))) << got[i] << " at " << i;
  }
}
inline void expect_near(const Tensor& t, const Tensor& want, double tolerance = 1e-12) {
  expect_near(t, want.shape(), numbers(want), tolerance);
}

// 1, 2, 3, … over a scale, of float64: no two alike.
inline Tensor counted(const Shape& shape, double scale = 10) {
  return (reshape(arange(numel(shape), Dtype::float64), shape) + 1) / scale;
}
inline Tensor drawn(uint64_t seed, const Shape& shape) { return normal(key(seed), shape, Dtype::float64); }

// The gradient of Σ f(tree) · weights, fixed weights that differ, against central differences, in float64.
template <class F, class T> void expect_gradient(const F& f, const T& tree, double tolerance = 1e-7) {
  const auto scalar_of = [&](const T& t) {
    const Tensor y = f(t);
    return sum(y * cos(reshape(arange(y.size(), Dtype::float64), y.shape()) + 1));
  };
  const Tensor at = ravel(tree), found = ravel(grad(scalar_of)(tree));
  const auto value = compile([&](const Tensor& flat) { return scalar_of(unravel(tree, flat)); });
  ASSERT_EQ(at.dtype(), Dtype::float64);
  double largest = 0;
  for (int64_t i = 0; i < at.size(); ++i) {
    const double step = 1e-6;
    const Tensor up = at.at(i).add(step), down = at.at(i).add(-step);
    const double slope = (value(up).item() - value(down).item()) / (2 * step);
    EXPECT_NEAR(found(i).item(), slope, tolerance * (1 + std::abs(slope))) << "element " << i;
    largest = std::max(largest, std::abs(slope));
  }
  EXPECT_GT(largest, 0) << "nothing depends on the arguments";
}

// The message of the usage error that f throws.
template <class F> std::string error_of(const F& f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}
// The same, which is to begin with this file's name and about the line given (a statement may take two).
template <class F> std::string error_at(int line, const char* file, const F& f) {
  const std::string text = error_of(f), name = std::string(file).substr(std::string(file).rfind('/') + 1);
  bool named = false;
  for (int l = line - 1; l <= line + 1; ++l) named = named || text.starts_with(name + ":" + std::to_string(l) + ": ");
  EXPECT_TRUE(named) << text << " at line " << line;
  return text;
}

inline bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace viva::check
