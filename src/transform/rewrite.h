// One forward walk that rebuilds a function, offering each node to a rewriting.
#pragma once

#include <optional>

#include "transform/transformer.h"

namespace viva {

// rule(b, node, inputs in the new function) returns the new outputs, or nothing to copy the node.
template <class F> Body rewrite(const Function& f, F&& rule) {
  Build b(f.name());
  b.at({});
  ValueMap map;
  for (const Value& p : f.params()) map[p] = b.parameter_like(p);
  for (const Node& n : f.nodes()) {
    if (!n.op) continue;
    b.at(n.where);
    const Values in = mapped(map, n.in);
    const std::optional<Values> made = rule(b, n, in);
    const Values out = made ? *made : b.repeat(n, in);
    for (int i = 0; i < n.outputs(); ++i) {
      const Value v = map[n.out(i)] = out[static_cast<size_t>(i)];
      b.name_if_none(v, n.names[static_cast<size_t>(i)]);
    }
  }
  return b.finish(mapped(map, f.outputs()), f.output_names());
}

}  // namespace viva
