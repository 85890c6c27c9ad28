// Any number of rows through a function of a fixed batch.
#pragma once

#include <functional>
#include <vector>

#include "base/array.h"
#include "graph/graph.h"

namespace viva {

struct FixedBatch {
  int64_t batch = 1;
  Mask batched;  // one for each argument: it leads with the batch. The others are passed whole
  // Batched arguments have `batch` rows; so have all results.
  std::function<std::vector<Array>(std::vector<Array> arguments)> call;
};

// Batched arguments of n >= 1 rows go in chunks; the last is filled up with copies of its last row, whose results are
// dropped.
std::vector<Array> in_chunks(const FixedBatch& f, const std::vector<Array>& arguments, int64_t n);

// How far results of a row move with the rows beside it.
struct Company {
  int64_t rows = 0;     // tried
  double largest = 0;   // difference; infinite where one side is NaN or infinite and the other is not
  double scale = 0;     // largest finite magnitude of a result
  std::string measure;  // what was compared, in words
  // Rounding apart, rows do not influence one another.
  bool independent() const { return largest <= 1e-5 * scale; }
};
int64_t company_calls(int64_t rows);  // of f, for that many rows tried
// Compares the first rows, at most one batch, in order, in reverse, and some each among copies of itself and among
// zeros.
Company in_other_company(const FixedBatch& f, const std::vector<Array>& arguments, int64_t n);

}  // namespace viva
