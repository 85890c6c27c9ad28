// What a convolution does to its sums before it stores them.
#pragma once

#include <optional>
#include <vector>

#include "loops/nest.h"

namespace viva::cpu::onednn {

struct Ending {
  enum class Kind : uint8_t {
    bias,  // one number for each channel is added; only as the first ending
    add,   // an array like the result is added
    relu,  // select(x > 0, x, 0)
  };
  Kind kind = Kind::relu;
  size_t operand = 0;  // of the kernel; bias and add
  bool operator==(const Ending&) const = default;
};

// The endings after `before` that the elementwise nest stands for, or nothing. It reads the result of a convolution as
// operand `slot`; its other operands follow the first `operands` ones of the kernel. channel: the loop of the channels.
std::optional<std::vector<Ending>> endings_of(const loops::Nest& nest, int slot, std::vector<Ending> before,
                                              size_t operands, size_t channel);

}  // namespace viva::cpu::onednn
