// Other readings of a row: the layouts and scales that a network may have been trained on instead.
#pragma once

#include <string>
#include <vector>

#include "examine/input_space.h"

namespace viva {

struct RowReading {
  std::string name, mend;
  InputMap map;
};

// Each of layout.h that the rows can be in, beside what --layout states: inversion for floats within a known range, the
// others for images.
std::vector<RowReading> layouts(const Context& x);
// For floats: multiplied or divided by 255, the range stretched to [-1, 1], standardised by the mean and the deviation
// of the rows given (each channel), or by ImageNet's. moved: what the rows go through before, where it is not empty.
std::vector<RowReading> scales(const Context& x, const std::vector<int64_t>& rows, const InputMap& moved = {});
// Each layout that moves elements together with each scale.
std::vector<RowReading> layouts_with_scales(const Context& x, const std::vector<int64_t>& rows);

// Rows [n, …] read otherwise.
Array mapped(const Array& rows, const InputMap& map);

}  // namespace viva
