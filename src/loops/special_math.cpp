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

}  // namespace

double erf_inv(double x) {
  if (!(std::abs(x) < 1)) return std::abs(x) == 1 ? std::copysign(infinity, x) : nan;
  return x == 0 ? x : boost::math::erf_inv(x, Quiet());
}

double log_gamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

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
      return boost::math::polygamma(order, x, Quiet());
  }
}

}  // namespace viva::loops
