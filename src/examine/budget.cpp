#include "examine/budget.h"

#include <algorithm>
#include <cmath>

namespace viva {
namespace {

constexpr int64_t standard_attacked = 1000, standard_curved = 2000;

struct Costs {
  double attack = 0, curvature = 0, rest = 0;
};

Costs costs_of(const std::vector<PlanStep>& plan) {
  Costs c;
  for (const PlanStep& s : plan) {
    if (s.what.starts_with("robustness: ")) c.attack += s.flops;
    else if (s.what.starts_with("curvature: ")) c.curvature += s.flops;
    else c.rest += s.flops;
  }
  return c;
}

int64_t scaled(int64_t rows, double factor, int64_t fewest) {
  const auto n = static_cast<int64_t>(std::floor(static_cast<double>(rows) * factor));
  return n < std::min(rows, fewest) ? 0 : n;
}

}  // namespace

ExamineOptions within_budget(ExamineOptions o, double seconds, bool grow, Subject& subject, const RowSource& data,
                             const RowSource* train) {
  const Costs c = costs_of(plan_examination(o, subject, data, train));
  const double fixed = c.rest + (o.rows ? c.attack : 0), open = c.curvature + (o.rows ? 0 : c.attack);
  const double left = std::max(0.0, seconds * budget_flops_a_second - fixed);
  if (!(open > 0)) return o;
  const double factor = left / open;
  const int64_t attacked = std::min(standard_attacked, data.size());
  const int64_t curved = std::min(standard_curved, (train ? *train : data).size());
  if (factor < 1) {
    if (!o.rows && c.attack > 0) o.rows = scaled(attacked, factor, fewest_attacked);
    o.curvature_rows = scaled(curved, factor, fewest_curved);
  } else if (grow && !o.rows && c.attack > 0) {
    const double more = (left - c.curvature) / c.attack;
    o.rows =
        std::min(data.size(), static_cast<int64_t>(std::floor(static_cast<double>(attacked) * std::min(more, 1e9))));
  }
  return o;
}

}  // namespace viva
