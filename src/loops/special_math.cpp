// By Boost.Math, in double throughout, and glibc's lgamma_r, which is accurate beside the roots below zero too.
#include "loops/special_math.h"

#include <boost/math/special_functions/digamma.hpp>
#include <boost/math/special_functions/erf.hpp>
#include <boost/math/special_functions/polygamma.hpp>
#include <boost/math/special_functions/trigamma.hpp>
#include <cmath>
#include <limits>

namespace viva::loops {
namespace {

namespace policies = boost::math::policies;
using Quiet =
    policies::policy<policies::promote_double<false>, policies::domain_error<policies::ignore_error>,
                     policies::pole_error<policies::ignore_error>, policies::overflow_error<policies::ignore_error>,
                     policies::underflow_error<policies::ignore_error>, policies::denorm_error<policies::ignore_error>,
                     policies::rounding_error<policies::ignore_error>,
                     policies::evaluation_error<policies::ignore_error>>;
constexpr double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();

// (-1)^(n+1) ψ⁽ⁿ⁾(x) = (n-1)!/xⁿ · (1 + n/2x + Σ B₂ₖ n…(n+2k-1)/((2k)! x²ᵏ)) where xⁿ is no double though ψ⁽ⁿ⁾(x) may
// be one; x is far above n <= 100 there, so five terms of the sum are enough.
double far_polygamma(int n, double x) {
  double leading = 1 / x;
  for (int k = 1; k < n; ++k) leading *= k / x;
  constexpr double factors[] = {1.0 / 12, -1.0 / 720, 1.0 / 30240, -1.0 / 1209600, 1.0 / 47900160};  // B₂ₖ / (2k)!
  double sum = 1 + n / (2 * x), term = 1;
  for (int k = 0; k < 5; ++k) {
    term *= (n + 2 * k) / x * ((n + 2 * k + 1) / x);
    sum += factors[k] * term;
  }
  return leading * sum;
}

}  // namespace

double erf_inv(double x) {
  if (!(std::abs(x) < 1)) return std::abs(x) == 1 ? std::copysign(infinity, x) : nan;
  return x == 0 ? x : boost::math::erf_inv(x, Quiet());
}

double log_gamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

namespace {

constexpr double farthest_boost = 1e9;  // below -2³¹ it overflows an int

// ψ⁽ⁿ⁾(x) - (-1)ⁿ ψ⁽ⁿ⁾(1 - x) has period 1 (DLMF 5.15.6), and is 0 in the middle for even n.
double reflected_polygamma(int n, double x) {
  const double part = x - std::floor(x), sign = n % 2 ? -1 : 1;
  const double periodic = n % 2 == 0 && part == .5 ? 0 : polygamma(n, part) - sign * polygamma(n, 1 - part);
  return periodic + sign * polygamma(n, 1 - x);
}

}  // namespace

double polygamma(int order, double x) {
  const bool odd = order % 2 != 0;
  if (std::isnan(x) || x == -infinity) return nan;
  if (x == infinity) return order == 0 ? infinity : std::copysign(0.0, odd ? 1 : -1);
  if (x == 0) return odd ? infinity : std::copysign(infinity, -x);
  if (x < 0 && x == std::floor(x)) return odd ? infinity : nan;
  switch (order) {
    case 0:
      return boost::math::digamma(x, Quiet());
    case 1:
      return boost::math::trigamma(x, Quiet());
    default:
      break;
  }
  if (x < -farthest_boost) return reflected_polygamma(order, x);
  if (x < 0) return boost::math::polygamma(order, x, Quiet());
  const bool far = order * std::log(x) > 640;
  // Boost loses the sign where it overflows.
  return std::copysign(far ? far_polygamma(order, x) : boost::math::polygamma(order, x, Quiet()), odd ? 1 : -1);
}

}  // namespace viva::loops
