// jvp: beside each value its tangent, node by node. A null tangent is a symbolic zero and costs nothing.
#include <algorithm>

#include "graph/prune.h"
#include "transform/transformer.h"

namespace viva {

std::pair<Body, Mask> Transformer::make_jvp(const Body& f, const Mask& active, const Mask& force) {
  Build b(f->name() + ".jvp");
  ValueMap primal, tangent;
  for (const Value& p : f->params()) primal[p] = b.parameter(p.type(), p.name());
  for (size_t i = 0; i < active.size(); ++i) {
    const Value p = f->params()[i];
    if (!active[i]) continue;
    if (!has_tangent(p.dtype()))
      throw usage_error("[jvp] parameter {} of {} is {}: it has no tangent", i, f->name(), name(p.dtype()));
    tangent[p] = b.parameter(p.type(), p.name().empty() ? "" : p.name() + ".tangent");
  }
  Missing missing("jvp");
  for (const Node& n : f->nodes()) {
    if (!n.op) continue;
    b.at(n.where);
    const Values in = mapped(primal, n.in), t = mapped(tangent, n.in);
    Values out = b.repeat(n, in);
    const bool moves = std::ranges::any_of(t, [](Value v) { return bool(v); }) &&
                       std::ranges::any_of(n.types, [](const Type& ty) { return has_tangent(ty.dtype); });
    if (moves && n.op->jvp) {
      const Values result = (*n.op->jvp)(b, n, in, out, t, *this);
      if (result.size() == 2 * out.size())
        std::copy_n(result.begin() + static_cast<int64_t>(out.size()), out.size(), out.begin());
      for (int i = 0; i < n.outputs(); ++i)
        if (const Value ti = result[static_cast<size_t>(i)]) tangent[n.out(i)] = ti;
    } else if (moves && n.op->jvp.absent().reason != Reason::no_tangent &&
               n.op->jvp.absent().reason != Reason::integer_output) {
      missing.add(n, n.op->jvp.absent());
    }
    for (int i = 0; i < n.outputs(); ++i) primal[n.out(i)] = out[static_cast<size_t>(i)];
  }
  missing.throw_if_any();
  b.at({});
  Values outputs = mapped(primal, f->outputs());
  std::vector<std::string> names = f->output_names();
  Mask has;
  for (size_t i = 0; i < f->outputs().size(); ++i) {
    const Value v = f->outputs()[i];
    Value t = tangent.contains(v) ? tangent[v] : Value{};
    if (!t && force[i]) t = b.zero(v);
    has.push_back(bool(t));
    if (!t) continue;
    outputs.push_back(t);
    names.push_back(names[i].empty() ? "" : names[i] + ".tangent");
  }
  const Body body = b.finish(std::move(outputs), std::move(names));
  return {pruned(*body), has};
}

}  // namespace viva
