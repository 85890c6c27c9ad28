// Extents that a file leaves open besides its batch, settled by the shape of a row.
#pragma once

#include "cli/model.h"

namespace viva {

// Whether the first input leaves more open than its leading extent.
bool leaves_rows_open(const OpenModel& m);

// The first input bound to `batch` rows of that shape. Extents of 1 come and go where the ranks differ. An input error
// where the row does not fit what the file fixes; an unsupported error where an extent of the row is tied to the batch.
Binding bound_to_rows(const OpenModel& m, const Shape& row, int64_t batch);

}  // namespace viva
