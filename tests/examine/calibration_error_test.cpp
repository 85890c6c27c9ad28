#include "examine/calibration_error.h"

#include <gtest/gtest.h>

#include "examine/binomial.h"

namespace viva {
namespace {

// The quantiles found count by count.
TEST(CalibrationError, ConsistentAccuracyIsBetweenQuantiles) {
  for (const int64_t n : {1, 10, 37, 400})
    for (const double p : {.02, .35, .4, .9375, .999}) {
      int64_t low = 0, high = 0;
      while (binomial_cdf(low, n, p) < .025) ++low;
      while (binomial_cdf(high, n, p) < .975) ++high;
      const auto rows = static_cast<double>(n);
      const Range r = consistent_accuracy({.rows = n, .confidence = p * rows});
      EXPECT_DOUBLE_EQ(r.low * rows, static_cast<double>(low)) << n << ' ' << p;
      EXPECT_DOUBLE_EQ(r.high * rows, static_cast<double>(high)) << n << ' ' << p;
    }
  EXPECT_EQ(consistent_accuracy({.rows = 5, .confidence = 5}).low, 1);
  EXPECT_EQ(consistent_accuracy({.rows = 5, .confidence = 0}).high, 0);
}

}  // namespace
}  // namespace viva
