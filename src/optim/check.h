// What rules and schedules refuse, at the user's line.
#pragma once

#include "base/error.h"
#include "trace/operand.h"
#include "viva/optim.h"

namespace viva::optim {

inline Error refused(std::string message) { return tracing::usage_at({}, std::move(message)); }

// 0 or more, above 0, and in [0, 1); none of them NaN or infinite.
inline void at_least_zero(std::string_view rule, std::string_view name, double v) {
  if (!(v >= 0 && v < INFINITY)) throw refused(fmt::format("[{}] {} {}: give a number of 0 or more", rule, name, v));
}
inline void above_zero(std::string_view rule, std::string_view name, double v) {
  if (!(v > 0 && v < INFINITY)) throw refused(fmt::format("[{}] {} {}: give a number above 0", rule, name, v));
}
inline void fraction(std::string_view rule, std::string_view name, double v) {
  if (!(v >= 0 && v < 1)) throw refused(fmt::format("[{}] {} {}: give a number from 0 to below 1", rule, name, v));
}

// Where a rule was never started.
inline void check_count(const Tensor& count) {
  if (count.empty()) throw refused("[optim] the state is empty: make it with init of this model");
}

}  // namespace viva::optim
