// The shape of a scan, and the rules that take it apart.
#pragma once

#include <functional>

#include "ops/structure.h"

namespace viva {

// Operands: constants, carries, then arrays whose leading dimension is walked. The function takes the constants, the
// carries and an element of each array; it gives the next carries and an element of each stacked result.
struct Scan {
  size_t consts = 0, carries = 0, xs = 0, ys = 0;
  int64_t length = 0;
  bool reverse = false;

  static Scan of(const Node& n);
  Attrs attrs() const;
  size_t inputs() const { return consts + carries + xs; }
  size_t outputs() const { return carries + ys; }

  // The scan with a second value beside some of its values: a tangent, or the upper end of an enclosure. second: null
  // where an operand has none; fill: the second value of a carry that gets one on the way. doubled: the function, its
  // second values last, those of the outputs that the mask it returns marks, and of all that the mask given marks.
  struct Pairs {
    Values firsts, seconds;  // of the outputs; null: none
  };
  using Doubled = std::function<std::pair<Body, Mask>(const Mask& active, const Mask& force)>;
  static Pairs pairs(Build& b, const Node& n, Ins in, Ins second, const std::function<Value(Value)>& fill,
                     const Doubled& doubled);
  bool is_carry(size_t input) const { return input >= consts && input < consts + carries; }
};

// A scan of these operands; the counts of constants and carries are theirs.
Values emit_scan(Build& b, Scan s, Ins consts, Ins carries, Ins xs, const Body& f);

void split_scan(SplitSite& site, const Node& n, std::span<Value> out_known, std::span<Value> out_unknown, Transforms&);
void transpose_scan(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> r, Transforms& tf);

}  // namespace viva
