// What a bound rule sees: enclosures of a node's operands.
#pragma once

#include <span>
#include <vector>

#include "graph/graph.h"

namespace viva {

class Build;
class Transforms;

// Two values of one type between which another lies, element by element and, of complex numbers, part by part. A float
// enclosure [-inf, inf] says that nothing is known: it holds NaN too, every other one holds numbers alone. A lower end
// is never inf, an upper end never -inf. Of bool, false lies below true.
struct Enclosure {
  Value lower, upper;
  bool point() const { return lower == upper; }  // one value, known exactly
  explicit operator bool() const { return bool(lower); }
};

class BoundSite {
 public:
  Build& b;
  const Node& node;  // of the function that is bounded
  std::span<const Enclosure> in;
  Transforms& transforms;

  // Of a value of that function that stands before the node.
  virtual Enclosure of(Value v) = 0;

 protected:
  BoundSite(Build& build, const Node& n, std::span<const Enclosure> operands, Transforms& t)
      : b(build), node(n), in(operands), transforms(t) {}
  ~BoundSite() = default;
};

}  // namespace viva
