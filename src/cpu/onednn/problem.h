// conv_general in the terms of a library: a convolution forward, or one of its two adjoints. Transposition expresses
// both as conv_general; here they are recognised again.
#pragma once

#include <optional>

#include "graph/dims.h"
#include "graph/graph.h"

namespace viva::cpu::onednn {

enum class Role : uint8_t { forward, toward_image, toward_kernel };

// The convolution forward: image [batch, in, image space] and kernel [out, in / groups, kernel space] give result
// [batch, out, result space]. A role computes one of the three from the other two.
struct Problem {
  Role role = Role::forward;
  // So many problems stand side by side: in the features of lhs, of rhs and of the result, outermost.
  int64_t repeats = 1;
  int64_t batch = 0, in = 0, out = 0, groups = 1;
  Ints image, kernel, result;  // extents in space
  Ints strides, dilation, low, high;
  double flops() const;  // 2 a multiply-add
};

// The problem of a conv_general node, or nullopt where it is none of these: holes in the operand and strides at once,
// negative padding, a window that runs backwards over the forward operand.
std::optional<Problem> problem_of(const Node& n);

}  // namespace viva::cpu::onednn
