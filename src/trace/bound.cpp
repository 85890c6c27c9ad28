// bound of traced functions.
#include "viva/bound.h"

#include "base/error.h"
#include "trace/differentiate.h"
#include "trace/operand.h"
#include "transform/transform.h"

namespace viva::tracing {

// Staged: a branch taken for the values at hand would hold for the lower corner of the box alone.
Ends bound(Site site, const Fn& f, const Tensors& args, const Marks& marks, const Tensors& upper) {
  const Graph g = trace(site, Mode::staged, f, inputs_of(args));
  Mask active(g.body->params().size(), false);
  Tensors all = g.arguments(args);
  for (size_t k = 0; k < g.leaves.size(); ++k) {
    const Tensor& t = upper[g.leaves[k]];
    if (!marks[g.leaves[k]] || t.empty()) continue;
    const Type& want = g.body->params()[k].type();
    if (t.type() != want)
      throw usage_at(site.where, fmt::format("[bound] an upper end is {}, and must be {} as its lower end",
                                             to_string(t.type()), to_string(want)));
    active[k] = true;
    all.push_back(t);
  }
  const Body d = at_site(site, [&] { return viva::bound(g.body, active); });
  const Tensors out = apply(d, all, site.where);
  const size_t n = g.body->outputs().size();
  return {g.outputs(std::span(out).first(n)), g.outputs(std::span(out).subspan(n))};
}

}  // namespace viva::tracing
