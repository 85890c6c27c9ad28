// What the derivative of a call keeps.
#pragma once

#include <string>
#include <string_view>

#include "graph/graph.h"

namespace viva {

// The policies of a call: "save" keeps every value that the derivative needs; all others keep the arguments and compute
// again what they do not keep: "recompute" keeps nothing else, "contractions" the results of dot_general and
// conv_general, "named a,b" the values of the taps a and b. What is wrong with any other text; "" for a policy.
std::string why_no_policy(std::string_view policy);
// Whether a policy other than save keeps the output of a node.
bool keeps(std::string_view policy, const Node& n);
// Whether it keeps anything at all.
bool keeps_some(std::string_view policy);

}  // namespace viva
