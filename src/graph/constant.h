#pragma once

#include "graph/graph.h"

namespace viva {

// The elements of a constant node, else null.
inline const Array* constant_of(const Node& n) {
  const Attr* value = n.op && n.in.empty() ? n.attrs.find("value") : nullptr;
  return value ? std::get_if<Array>(value) : nullptr;
}

}  // namespace viva
