// What tests of programs compare.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "base/error.h"
#include "viva/viva.h"

namespace viva::testing {

inline constexpr Dtype f64 = Dtype::float64;

inline std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) { return e.what(); }
  return "";
}

inline void near(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.type(), b.type());
  EXPECT_LT(max(abs(a - b)).item(), 1e-13) << to_string(a) << " " << to_string(b);
}

}  // namespace viva::testing
