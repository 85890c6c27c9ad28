// Time turned into counts before anything is measured, so that no result depends on the clock.
#pragma once

#include "examine/examiner.h"

namespace viva {

// The cost model: so many FLOPs a second, whatever the machine.
inline constexpr double budget_flops_a_second = 3e10;
inline constexpr double standard_budget = 300;  // seconds

// The least rows that an attack and the curvature are worth.
inline constexpr int64_t fewest_attacked = 30, fewest_curved = 100;

// `o` with the rows attacked and the rows of the curvature set so that the plan costs at most `seconds` of the model:
// fewer in proportion, none (0) below the least; where `grow`, more rows are attacked, up to all. What the user set
// stays; what cannot be made fewer is not.
ExamineOptions within_budget(ExamineOptions o, double seconds, bool grow, Subject& subject, const RowSource& data,
                             const RowSource* train);

}  // namespace viva
