// Values under a name (tap), at any depth of a function: read, and replaced.
#pragma once

#include "graph/graph.h"

namespace viva {

// A place where a value has a name: there is one for each time that a call, a loop or a branch runs the tap, in the
// order in which they run.
struct TapPlace {
  std::string name;
  Type type;                                  // inside: of one step, and of all examples of a vmap together, in front
  size_t steps = 0;                           // loops around it
  bool flagged = false;                       // probe says where it was computed as well
  bool in_while = false, under_rule = false;  // in a while; in a function with rules of its own
  Where where;
};

// The places of the taps of these names, and of values that have such a name themselves, as imported networks give it;
// of all taps, where no name is given. Throws a usage error that lists the names there are where one is not among them.
std::vector<TapPlace> tap_places(const Body& f, const std::vector<std::string>& names);

struct Probed {
  Body body;
  std::vector<TapPlace> places;
};
// Parameters: f's. Outputs: f's, then for each place the value and, where flagged, whether it was computed: bool of its
// leading dimensions. A scan stacks steps in front; of a while it is the last step; what a branch that was not taken
// names is zero and not computed. Throws as tap_places does.
Probed probe(const Body& f, const std::vector<std::string>& names);

// edits: one for each of tap_places(f, names), null where the value stays. Its parameters: the value, the place of each
// step around it (int64[], the outermost loop first), then `captured`. Parameters: f's, then captured. Throws a usage
// error where an edit changes the type, and an unsupported one for an edit under a rule.
Body intervene(const Body& f, const std::vector<std::string>& names, const std::vector<Body>& edits,
               const std::vector<Type>& captured);

}  // namespace viva
