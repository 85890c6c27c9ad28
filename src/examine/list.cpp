#include "examine/examiner.h"

namespace viva {

extern const Examiner identity_examiner;
extern const Examiner risk_examiner;
extern const Examiner baseline_examiner;
extern const Examiner calibration_examiner;
extern const Examiner numerics_examiner;
extern const Examiner sensitivity_examiner;
extern const Examiner robustness_examiner;
extern const Examiner curvature_examiner;
extern const Examiner diagnosis_examiner;

std::span<const Examiner* const> examiners() {
  // clang-format off: one a line, so that an examiner is one line
  static constexpr const Examiner* list[] = {
      &identity_examiner,
      &risk_examiner,
      &baseline_examiner,
      &calibration_examiner,
      &numerics_examiner,
      &sensitivity_examiner,
      &robustness_examiner,
      &curvature_examiner,
      &diagnosis_examiner,
  };
  // clang-format on
  return list;
}

std::vector<QuantitySet> known_quantities() {
  std::vector<QuantitySet> sets;
  for (const Examiner* e : examiners()) sets.push_back({e->name, e->quantities});
  return sets;
}

}  // namespace viva
