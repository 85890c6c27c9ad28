// vmap: each value with or without a batch axis; a node without batched operands is computed once for all examples.
#include <algorithm>

#include "graph/prune.h"
#include "ops/record.h"
#include "transform/transformer.h"

namespace viva {

std::pair<Body, std::vector<int>> Transformer::make_batch(const Body& f, const std::vector<int>& axes, int64_t size,
                                                          const Mask& force) {
  Build b(f->name() + ".vmap");
  ValueMap map;
  std::unordered_map<Value, int, ValueHash> axis;
  for (size_t i = 0; i < axes.size(); ++i) {
    const Value p = f->params()[i];
    Type t = p.type();
    if (axes[i] > t.rank()) throw usage_error("[vmap] axis {} of parameter {} is outside {}", axes[i], i, to_string(t));
    if (axes[i] >= 0) t.shape = inserted(t.shape, axes[i], size);
    map[p] = b.parameter(t, p.name());
    axis[p] = axes[i];
  }
  Missing missing("vmap");
  for (const Node& n : f->nodes()) {
    if (!n.op) continue;
    std::vector<int> in_axes, out_axes(n.types.size(), -1);
    for (const Value& v : n.in) in_axes.push_back(axis.at(v));
    const bool batched = std::ranges::any_of(in_axes, [](int a) { return a >= 0; });
    if (batched && !n.op->batch) {
      missing.add(n, n.op->batch.absent());
      continue;
    }
    b.at(n.where);
    const Values in = mapped(map, n.in);
    if (std::ranges::any_of(in, [](Value v) { return !v; })) continue;  // behind a missing rule
    const Values out = batched ? (*n.op->batch)(b, n, in, in_axes, size, out_axes, *this) : b.repeat(n, in);
    for (int i = 0; i < n.outputs(); ++i) {
      map[n.out(i)] = out[static_cast<size_t>(i)];
      axis[n.out(i)] = out_axes[static_cast<size_t>(i)];
      if (const std::string& name = n.names[static_cast<size_t>(i)]; !name.empty())
        b.set_name(out[static_cast<size_t>(i)], name);
    }
  }
  missing.throw_if_any();
  b.at({});
  Values outputs;
  std::vector<int> out_axes;
  for (size_t i = 0; i < f->outputs().size(); ++i) {
    const Value v = f->outputs()[i];
    const bool spread = force[i] && axis.at(v) < 0;
    outputs.push_back(spread ? batched_front(b, map[v], -1, size) : map[v]);
    out_axes.push_back(spread ? 0 : axis.at(v));
  }
  const Body body = b.finish(std::move(outputs), f->output_names());
  return {pruned(*body), out_axes};
}

}  // namespace viva
