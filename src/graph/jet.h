// What a jet rule sees: the Taylor series of a node's operands and outputs, coefficient k being the derivative number k
// over k!.
#pragma once

#include <compare>

#include "graph/graph.h"

namespace viva {

class Build;
class Transforms;

// Taylor series to an order. directions > 0: along so many directions at once; a coefficient then has their axis in
// front, but for the last where summed: that is the sum over the directions.
struct Taylor {
  int64_t order = 1;
  int64_t directions = 0;
  bool summed = false;
  auto operator<=>(const Taylor&) const = default;
  bool directional(int64_t k) const { return k > 0 && directions > 0 && !(summed && k == order); }
};

// Null: zero.
struct Coefficient {
  Value value;
  bool directional = false;
  explicit operator bool() const { return bool(value); }
};

// The node is one of the series' own: its types, attributes and functions hold, its operands may be compared.
class JetSite {
 public:
  Build& b;
  const Node& node;
  Transforms& transforms;
  int64_t order;  // of the coefficient wanted, at least 1
  Taylor series;  // of the operands, to the highest order that can be wanted
  // Where directions are summed in coefficients of the order wanted.
  bool summed;

  // Of an operand; k up to series.order.
  virtual Coefficient in(size_t operand, int64_t k) = 0;
  // Of an output; k below the order wanted.
  virtual Coefficient out(size_t port, int64_t k) = 0;
  // Gives coefficient k of an output. A rule that computes all orders at once sets those from the order wanted up, and
  // the value itself (k = 0) where it computes that anew.
  virtual void set(size_t port, int64_t k, Coefficient c) = 0;
  virtual void finish() = 0;  // all orders are set

 protected:
  JetSite(Build& build, const Node& n, Transforms& t, int64_t k, const Taylor& s, bool sum)
      : b(build), node(n), transforms(t), order(k), series(s), summed(sum) {}
  ~JetSite() = default;
};

}  // namespace viva
