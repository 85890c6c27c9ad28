#include "cli/verb.h"

namespace viva {

extern const Verb bench_verb;
extern const Verb examine_verb;
extern const Verb ops_verb;
extern const Verb run_verb;
extern const Verb show_verb;

std::span<const Verb* const> verbs() {
  static constexpr const Verb* list[] = {
      &bench_verb, &examine_verb, &ops_verb, &run_verb, &show_verb,
  };
  return list;
}

}  // namespace viva
