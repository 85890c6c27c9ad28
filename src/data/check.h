// The checks a data set passes before use. Each failure is one input error that names file, row and mend; rows count
// from 0.
#pragma once

#include <string>

#include "base/array.h"

namespace viva {

struct NamedArray {
  Array array;
  std::string name;  // for errors: the file, and the array in it where it holds several
};

// At least one row and one element a row, and no NaN or infinity.
void check_inputs(const NamedArray& inputs);

// Labels are [n] or [n, 1], with as many rows as the inputs.
void check_rows(const NamedArray& inputs, const NamedArray& labels);

// The labels as int64 [n]; they must be whole, not negative and within int64.
Array whole_labels(const NamedArray& labels);

}  // namespace viva
