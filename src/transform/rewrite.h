// One forward walk that rebuilds a function, offering each node to a rewriting.
#pragma once

#include "graph/prune.h"
#include "transform/transformer.h"

namespace viva {

// rule(b, node, inputs in the new function) returns the new outputs, or nothing to copy the node.
template <class F> Body rewrite(const Function& f, F&& rule) {
  Build b(f.name());
  ValueMap map;
  for (const Value& p : f.params()) map[p] = b.parameter(p.type(), p.name());
  for (const Node& n : f.nodes()) {
    if (!n.op) continue;
    b.at(n.where);
    const Values in = mapped(map, n.in);
    Values out = rule(b, n, in);
    if (out.empty()) out = b.repeat(n, in);
    for (int i = 0; i < n.outputs(); ++i) {
      const Value made = out[static_cast<size_t>(i)];
      const std::string& name = n.names[static_cast<size_t>(i)];
      if (!name.empty() && made.name().empty()) b.set_name(made, name);
      map[n.out(i)] = made;
    }
  }
  return b.finish(mapped(map, f.outputs()), f.output_names());
}

}  // namespace viva
