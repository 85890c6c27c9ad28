// transpose: values that do not depend on the linear inputs are computed forwards, then cotangents flow backwards.
#include <algorithm>

#include "graph/prune.h"
#include "transform/transformer.h"

namespace viva {
namespace {

void accumulate(Build& b, ValueMap& cotangent, Value v, Value ct) {
  if (!ct) return;
  auto [it, fresh] = cotangent.emplace(v, ct);
  if (!fresh) it->second = b.add(it->second, ct);
}

}  // namespace

Body Transformer::make_transpose(const Body& f, const Mask& linear, const Mask& cotangent_present) {
  Build b(f->name() + ".transpose");
  ValueMap known, cotangent;  // known: what does not depend on the linear inputs
  for (size_t i = 0; i < linear.size(); ++i)
    if (const Value p = f->params()[i]; !linear[i]) known[p] = b.parameter(p.type(), p.name());
  Values given;
  for (size_t i = 0; i < cotangent_present.size(); ++i)
    if (cotangent_present[i])
      given.push_back(
          b.parameter(f->outputs()[i].type(), f->output_names()[i].empty() ? "" : f->output_names()[i] + ".cotangent"));
  for (const Node& n : f->nodes()) {
    if (!n.op || !std::ranges::all_of(n.in, [&](Value v) { return known.contains(v); })) continue;
    b.at(n.where);
    const Values out = b.repeat(n, mapped(known, n.in));
    for (int i = 0; i < n.outputs(); ++i) known[n.out(i)] = out[static_cast<size_t>(i)];
  }
  for (size_t i = 0, next = 0; i < cotangent_present.size(); ++i) {
    if (!cotangent_present[i]) continue;
    const Value ct = given[next++];
    if (!known.contains(f->outputs()[i])) accumulate(b, cotangent, f->outputs()[i], ct);
  }
  Missing missing("transpose");
  for (auto n = f->nodes().rbegin(); n != f->nodes().rend(); ++n) {
    if (!n->op) continue;
    const Values ct = mapped(cotangent, n->outs());
    if (std::ranges::none_of(ct, [](Value v) { return bool(v); })) continue;
    if (!n->op->transpose) {
      missing.add(*n, n->op->transpose.absent());
      continue;
    }
    b.at(n->where);
    Values result(n->in.size());
    (*n->op->transpose)(b, *n, mapped(known, n->in), ct, result, *this);
    for (size_t i = 0; i < n->in.size(); ++i)
      if (!known.contains(n->in[i])) accumulate(b, cotangent, n->in[i], result[i]);
  }
  missing.throw_if_any();
  b.at({});
  Values outputs;
  std::vector<std::string> names;
  for (size_t i = 0; i < linear.size(); ++i) {
    const Value p = f->params()[i];
    if (!linear[i]) continue;
    outputs.push_back(cotangent.contains(p) ? cotangent[p] : b.zero(p));
    names.push_back(p.name().empty() ? "" : p.name() + ".cotangent");
  }
  const Body body = b.finish(std::move(outputs), std::move(names));
  return pruned(*body);
}

}  // namespace viva
