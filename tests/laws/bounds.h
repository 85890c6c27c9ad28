// The laws of enclosures, for every function.
#pragma once

#include "laws/laws.h"

namespace viva::laws {

// Which numbers a box holds beside those around the case's arguments.
enum class Ends : uint8_t { finite, infinite };

struct Box {
  Arrays lower, upper;
};
// Around arguments, so wide at most: of floats, parts of complex numbers and integers; of bool one value or both.
// Arguments that are not active stay points. infinite: some ends are infinite or the greatest number.
Box box_around(const Arrays& args, const Mask& active, double width, Ends ends, uint32_t seed);
// Each element an end or a number between; seed 0: all lower ends, 1: all upper ones.
Arrays drawn(const Box& box, uint32_t seed);
// The arguments of a bound program.
Arrays ends_of(const Box& box, const Mask& active);

// Values lie between the first and the second half of ends; NaN in the whole line only. Ends are numbers, the lower
// ones below inf, the upper ones above -inf.
Report enclosed(const Arrays& ends, const Arrays& values);
// bound of f over the box, by the interpreter, holds what the interpreter, and with compiled the plan, gives for so
// many arguments drawn from it.
Report bound_contains(const Case& c, const Mask& active, const Box& box, uint32_t samples, bool compiled = false);

// The same for many arguments at once, by the plan of vmap.
Report bound_contains_many(const Case& c, const Mask& active, const Box& box, uint32_t samples);

Case bound_case(const Case& c, uint32_t seed);  // over a box of width 0.1 around all float64 and complex128 parameters

}  // namespace viva::laws
