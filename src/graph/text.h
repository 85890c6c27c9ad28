// The text form of programs. print and parse are inverse: parse gives back what was printed, bit for bit, but for the
// user's source lines, which the text leaves out; printing what a printed text parses to gives the same text.
//
//   func "main"(%0 "x": f32[2,3]) -> ("y") {
//     %1 "y": f32[2] = reduce_sum(%0) {dims=[1], dtype=f32}
//     return %1
//   }
//
// A program is its functions, callees before callers, the entry last. A node is its results (name where it has one, and
// type), the operation, the operands, the attributes, and the functions that it holds: `call(%0) {policy="save"}
// [@"f"]`; a node without results begins with (). `//` opens a comment. Attributes are true, 3, 0.5 (always with a
// point, an exponent or a name: inf, nan, nan(0x7ff8000000000001)), "text", f32, [1,2] or an array: f32[2,2](1, 2, 3,
// 4), f32[64](splat 0.5), or f32[99](hex "…") with the bytes of the elements in order, little-endian. Complex elements
// are (re, im). In quotes \xHH is a byte; \" \\ \n \r \t are what they are in C++.
#pragma once

#include <limits>
#include <string>
#include <string_view>

#include "graph/graph.h"

namespace viva {

struct PrintOptions {
  // Arrays of more elements are cut to `f32[512,512](...)`, for people; parse refuses such text.
  int64_t most_elements = std::numeric_limits<int64_t>::max();
};
std::string print(const Program& program, const PrintOptions& options = {});
std::string print(const Body& entry, const PrintOptions& options = {});

std::string to_string(const Attr& a, const PrintOptions& options = {});
// s in quotes; control characters, what turns the direction of text, and what is not UTF-8 as \xHH.
std::string double_quoted(std::string_view s);

// The entry of the program in text. The text may be hostile. Throws an input error "file:line:column: problem" (columns
// count bytes from 1): malformed text, types that differ from what the operations infer, functions that the entry does
// not reach, calls nested deeper than 1000, ranks above 64, splats of more than 1 GiB in all.
Body parse(std::string_view text, std::string_view file = "");

}  // namespace viva
