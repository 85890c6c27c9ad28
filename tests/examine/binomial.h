#pragma once

#include <cmath>
#include <cstdint>

namespace viva {

// P(X <= k) summed term by term: shares nothing with the incomplete beta function.
inline double binomial_cdf(int64_t k, int64_t n, double p) {
  double sum = 0;
  for (int64_t i = 0; i <= k; ++i) {
    const double a = static_cast<double>(i), b = static_cast<double>(n);
    sum += std::exp(std::lgamma(b + 1) - std::lgamma(a + 1) - std::lgamma(b - a + 1) + a * std::log(p) +
                    (b - a) * std::log1p(-p));
  }
  return sum;
}

}  // namespace viva
