#include "examine/examiner.h"

namespace viva {

extern const Examiner identity_examiner, risk_examiner;

std::span<const Examiner* const> examiners() {
  static constexpr const Examiner* list[] = {
      &identity_examiner,
      &risk_examiner,
  };
  return list;
}

std::vector<QuantitySet> known_quantities() {
  std::vector<QuantitySet> sets;
  for (const Examiner* e : examiners()) sets.push_back({e->name, e->quantities});
  return sets;
}

}  // namespace viva
