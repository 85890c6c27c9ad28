#include "peer/programs/programs.h"

namespace viva::peer {

// Operands are squared first, or multiplied by themselves moved, so that derivatives of higher order are not zero.
Programs movement_programs() {
  return {
      {"reshape", [](In x) { return square(reshape(x[0], {4, -1})); }},
      {"transpose", [](In x, const Ints& axes) { return square(transpose(x[0], axes)); }},
      {"transpose_all", [](In x) { return square(transpose(x[0])); }},
      {"swap_axes", [](In x, const Ints& s) { return exp(swap_axes(x[0], s[0], s[1])); }},
      {"move_axis", [](In x, const Ints& s) { return exp(move_axis(x[0], s[0], s[1])); }},
      {"broadcast_to", [](In x) { return square(broadcast_to(x[0], {2, 3, 4})); }},
      {"expand_dims", [](In x) { return square(expand_dims(x[0], 1)) * x[0]; }},
      {"squeeze", [](In x) { return exp(squeeze(x[0])); }},
      {"flip", [](In x, const Ints& axes) { return x[0] * flip(x[0], Axes(axes)); }},
      {"roll", [](In x, const Ints& s) { return x[0] * roll(x[0], s[0], s[1]); }},
      {"pad", [](In x, const Ints& s) { return exp(pad(x[0], {s[0], s[1]}, {s[2], s[3]}, .5)); }},
      {"pad_mode",
       [](In x, const Ints& mode) { return exp(pad(x[0], {2, 1}, {1, 2}, static_cast<PadMode>(mode[0]))); }},
      {"concatenate", [](In x, const Ints& axis) { return exp(concatenate({x[0], x[1], x[0]}, axis[0])); }},
      {"stack", [](In x, const Ints& axis) { return exp(stack({x[0], sin(x[0])}, axis[0])); }},
      {"split",
       [](In x) {
         const auto parts = split(x[0], 3, 1);
         return parts[0] * parts[1] + exp(parts[2]);
       }},
      {"split_at",
       [](In x) {
         const auto parts = split_at(x[0], {1, 3}, 0);
         return exp(parts[0]) * sum(parts[1] * parts[1], 0) + sum(parts[2] * parts[0], 0);
       }},
      {"tril", [](In x, const Ints& k) { return exp(tril(x[0], k[0])); }},
      {"triu", [](In x, const Ints& k) { return exp(triu(x[0], k[0])); }},
      {"tile", [](In x) { return exp(tile(x[0], {2, 3})); }},
      {"repeat", [](In x, const Ints& axis) { return exp(repeat(x[0], 3, axis[0])); }},
      {"meshgrid",
       [](In x, const Ints& matrix) {
         const auto grid = meshgrid({x[0], x[1]}, matrix[0] != 0);
         return grid[0] * grid[1] * grid[1];
       }},
      {"hstack", [](In x) { return exp(hstack({x[0], x[1]})); }},
      {"vstack", [](In x) { return exp(vstack({x[0], x[1]})); }},
      {"rot90", [](In x, const Ints& times) { return x[0] * rot90(x[0], times[0]); }},
      {"slice", [](In x) { return exp(x[0](range(1, 5, 2), range(0, -1))); }},
      {"slice_integer", [](In x) { return exp(x[0](-2)) * x[0](0); }},
      {"slice_newaxis", [](In x) { return x[0](ellipsis, newaxis) * x[0](newaxis, ellipsis); }},
      {"stencil", [](In x) { return x[0](range(2)) * x[0](range(0, -2)) - square(x[0](range(1, -1))); }},
      {"laplace_grid",
       [](In x) {
         const Tensor p = pad(x[0], {1, 1}, {1, 1});
         return sin(p(range(2), range(1, -1)) + p(range(0, -2), range(1, -1)) + p(range(1, -1), range(2)) - 3 * x[0]);
       }},
      {"one_hot", [](In x) { return one_hot(x[0], 5); }},
  };
}

}  // namespace viva::peer
