#include "cli/verb.h"

namespace viva {

extern const Verb examine_verb;
extern const Verb ops_verb;

std::span<const Verb* const> verbs() {
  static constexpr const Verb* list[] = {
      &examine_verb,
      &ops_verb,
  };
  return list;
}

}  // namespace viva
