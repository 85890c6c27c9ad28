// Rows of the data that findings name, as a reader needs them.
#pragma once

#include "examine/examiner.h"

namespace viva {

// The confidence in the label named; nullopt where outputs are no scores, or the row has NaN or an infinity.
std::optional<double> confidence_of(const Evaluation& e, int64_t row);
// "Shirt, taken for Coat, confidence 0.98".
std::string row_note(const Context& x, const Evaluation& e, int64_t row);

// Every row in the examples of the findings once, by data set and number, at most `most`. Rows of two dimensions, or of
// three with 1, 3 or 4 channels, or square when laid flat, become images: the values of 0 to 1 (else of the row's least
// to greatest) in 256 steps, at most 64 pixels a side.
std::vector<ShownRow> shown_rows(Context& x, const std::vector<Finding>& findings, size_t most = 200);

}  // namespace viva
