// Special functions of double, total: a pole or a number outside the domain gives an infinity or NaN, nothing throws.
#pragma once

namespace viva::loops {

inline constexpr int most_polygamma = 100;  // the greatest order

double erf_inv(double x);    // ±∞ at ±1, NaN beyond
double log_gamma(double x);  // log|Γ(x)|: +∞ at the poles 0, -1, -2, … and at ±∞
// The derivative number `order` of ψ = Γ'/Γ, 0 <= order <= most_polygamma. At 0 the limit from the side of its sign; at
// the other poles +∞ for odd orders, whose two sides agree, and NaN for even ones. NaN at -∞.
double polygamma(int order, double x);

}  // namespace viva::loops
