// Arithmetic of coefficients, with and without directions, and the jet rules that several operations share.
#pragma once

#include "ops/record.h"

namespace viva {

// c with the axis of the directions in front, where it has none.
Value spread_over(Build& b, const Coefficient& c, int64_t directions);
// f(build, x, y) of one shape for a pointwise f; with directions where one of them has.
template <class F> Coefficient together(JetSite& s, const Coefficient& x, const Coefficient& y, F&& f) {
  if (x.directional == y.directional) return {f(s.b, x.value, y.value), x.directional};
  const int64_t d = s.series.directions;
  return {f(s.b, spread_over(s.b, x, d), spread_over(s.b, y, d)), true};
}

// A node with one output over coefficients, those of known operands included.
Coefficient apply(Build& b, const Node& n, std::span<const Coefficient> in, int64_t directions, Transforms& tf);

// The sum of the terms of one coefficient; over the directions where those are summed.
class Terms {
 public:
  Terms(Build& b, int64_t directions, bool summed) : b_(b), directions_(directions), summed_(summed) {}
  explicit Terms(JetSite& s) : Terms(s.b, s.series.directions, s.summed) {}
  void add(const Coefficient& c) { put(c, false); }
  void subtract(const Coefficient& c) { put(c, true); }
  Coefficient total();  // null where nothing was added

 private:
  void put(const Coefficient& c, bool negative);
  Build& b_;
  int64_t directions_;
  bool summed_;
  Value plain_, along_;
};

// Of operations linear in each of two operands: Σ x_i y_j over i + j = k, each pair once where the operands are one and
// may be swapped.
bool product_jet(JetSite& s);
bool square_jet(JetSite& s);    // of x·x
bool quotient_jet(JetSite& s);  // of x / y
bool power_jet(JetSite& s);     // of x^y; along one direction only

// Which coefficients an operand has, for operations that hold functions: operand i to order k at i · order + k - 1.
Mask present_coefficients(JetSite& s);

}  // namespace viva
