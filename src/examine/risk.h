// Parts of the examiner risk that its two files share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "examine/examiner.h"

namespace viva {

inline constexpr double risk_alpha = .05;
inline constexpr std::string_view independent_rows = "rows are independent draws from one distribution";

// A measure named risk.NAME over all rows, without an estimate.
Measure risk_measure(std::string_view name, std::string title, Target target, Kind kind, std::string unit,
                     const RowSource& data);
void withhold(Finding& f, std::string why);
// The first ten of some rows.
Examples examples_of(std::string id, std::string title, const std::vector<int64_t>& rows, const RowSource& data);

// risk_scores.cpp
Measure log_loss(Context& x, const Evaluation& e);
Measure brier_score(Context& x, const Evaluation& e);
Measure infinite_rows(const Context& x, const Evaluation& e);

}  // namespace viva
