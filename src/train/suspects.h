// What in a batch can make a step give numbers that are not finite.
#pragma once

#include <optional>

#include "graph/graph.h"
#include "viva/tensor.h"

namespace viva::training {

struct Batch {
  Ints rows;
  std::vector<std::string> paths;
  std::vector<Tensor> leaves;
};

// "batch.x is nan at [3,17], in row 4052", or "".
std::string nan_in(const Batch& batch);
std::string infinity_in(const Batch& batch);

// An integer leaf with a label that a loss of the step takes for none of its classes, and the line of that loss.
struct BadLabel {
  std::string what;
  Where where;
};
std::optional<BadLabel> bad_label(const Body& step, const Batch& batch);

}  // namespace viva::training
