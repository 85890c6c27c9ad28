// Exact duplicates of rows: inside a data set, and between two (training rows among the test rows).
#pragma once

#include <vector>

#include "base/array.h"

namespace viva {

// Whether rows of a and b can be equal: the same dtype and the same number of elements a row.
bool comparable_rows(const Array& a, const Array& b);

// The groups of two or more rows of a [n, ...] with the same bytes (so 0 and -0 differ): rows ascending in each group,
// groups by their first row. O(n log n) time, 24 bytes a row; found by hash, confirmed by comparing.
std::vector<Ints> duplicate_rows(const Array& a);

struct SharedRows {
  Ints first, second;  // rows of a, and the rows of b equal to them; both ascending and not empty
};
// By the first row of a. Throws an input error unless the rows are comparable.
std::vector<SharedRows> shared_rows(const Array& a, const Array& b);

}  // namespace viva
