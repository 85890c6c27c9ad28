// One function in both engines: what tests of conventions and of known values are written with.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "cpu/executable.h"
#include "graph/build.h"
#include "interpret/interpret.h"
#include "laws/laws.h"

namespace viva {

inline constexpr double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();

inline Body function_of(const laws::Arrays& args, const std::function<Value(Build&, const Values&)>& make) {
  Build b("f");
  Values in;
  for (const Array& a : args) in.push_back(b.parameter(a.type()));
  return b.finish({make(b, in)});
}

// The interpreter's result, after checking that the plan gives the same bits (any NaN for a NaN).
inline Array both(const laws::Arrays& args, const std::function<Value(Build&, const Values&)>& make) {
  const Body f = function_of(args, make);
  ThreadPool pool(2);
  const Array slow = interpret(*f, args)[0], fast = compile(f).call(args, pool).take()[0];
  EXPECT_EQ(laws::close({slow}, {fast}, 0), "");
  for (int64_t i = 0; i < slow.size(); ++i) EXPECT_EQ(std::signbit(slow.at(i)), std::signbit(fast.at(i)));
  return slow;
}

template <class T> Array vec(const std::vector<T>& v) { return Array::of<T>(v, {static_cast<int64_t>(v.size())}); }

// Each element the number given, within a relative tolerance; NaN where NaN is given.
inline void expect(const Array& got, const std::vector<double>& expected, double tolerance = 0) {
  ASSERT_EQ(got.size(), static_cast<int64_t>(expected.size()));
  for (int64_t i = 0; i < got.size(); ++i) {
    const double e = expected[static_cast<size_t>(i)];
    if (std::isnan(e)) EXPECT_TRUE(std::isnan(got.at(i))) << i;
    else if (std::isinf(e) || tolerance == 0) EXPECT_EQ(got.at(i), e) << i;
    else EXPECT_NEAR(got.at(i), e, tolerance * std::abs(e)) << i;
  }
}

}  // namespace viva
