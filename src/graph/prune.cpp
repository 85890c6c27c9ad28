#include "graph/prune.h"

#include <algorithm>
#include <unordered_map>

#include "graph/opdef.h"

namespace viva {

Pruned prune(const Function& f, const Mask& used, const Mask& droppable) {
  std::vector<Mask> live;
  for (const Node& n : f.nodes()) live.emplace_back(static_cast<size_t>(n.outputs()), false);
  const auto mark = [&](Value v) { live[static_cast<size_t>(v.node()->id)][static_cast<size_t>(v.port())] = true; };
  const auto any = [&](const Node& n) {
    return std::ranges::find(live[static_cast<size_t>(n.id)], true) != live[static_cast<size_t>(n.id)].end();
  };
  for (size_t i = 0; i < used.size(); ++i)
    if (used[i]) mark(f.outputs()[i]);
  for (auto n = f.nodes().rbegin(); n != f.nodes().rend(); ++n)
    if (n->op && any(*n)) std::ranges::for_each(n->in, mark);

  Build b(f.name());
  Pruned result;
  std::unordered_map<Value, Value, ValueHash> map;
  for (size_t i = 0; i < f.params().size(); ++i) {
    const Value p = f.params()[i];
    const bool keep = droppable.empty() || !droppable[i] || any(*p.node());
    result.params.push_back(keep);
    if (keep) map[p] = b.parameter(p.type(), p.name());
  }
  for (const Node& n : f.nodes()) {
    if (!n.op || !any(n)) continue;
    Values in;
    for (const Value& v : n.in) in.push_back(map.at(v));
    const Values out = (*n.op->prune)(b, n, in, live[static_cast<size_t>(n.id)]);
    for (int i = 0; i < n.outputs(); ++i) {
      const Value made = out[static_cast<size_t>(i)];
      const std::string& name = n.names[static_cast<size_t>(i)];
      if (made && made.name().empty() && !name.empty()) b.set_name(made, name);
      map[n.out(i)] = made;
    }
  }
  Values outputs;
  std::vector<std::string> names;
  for (size_t i = 0; i < used.size(); ++i)
    if (used[i]) outputs.push_back(map.at(f.outputs()[i])), names.push_back(f.output_names()[i]);
  result.body = b.finish(std::move(outputs), std::move(names));
  return result;
}

Body pruned(const Function& f) { return prune(f, Mask(f.outputs().size(), true)).body; }

}  // namespace viva
