#pragma once

#include <span>

namespace viva::loops {

// Whether no element is infinite or NaN.
bool all_finite(std::span<const float> x);

}  // namespace viva::loops
