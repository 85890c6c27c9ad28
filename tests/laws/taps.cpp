#include "laws/taps.h"

#include "ops/nested.h"
#include "transform/probe.h"
#include "transform/rewrite.h"

namespace viva::laws {
namespace {

// Each third node's first output becomes what `change` makes of it; in functions with rules none, for their rules would
// have to change with them.
template <class F> Body changed(const Body& f, uint32_t seed, F&& change) {
  return rewrite(*f, [&](Build& b, const Node& n, const Values& in) -> std::optional<Values> {
    std::vector<Body> bodies = n.bodies;
    if (!has_rules(n))
      for (const size_t i : running(n)) bodies[i] = changed(bodies[i], seed + 1, change);
    Values out = b.emit(*n.op, in, n.attrs, std::move(bodies), n.where);
    if ((static_cast<uint32_t>(n.id) + seed) % 3 == 0 && !out.empty()) out[0] = change(b, out[0]);
    return out;
  });
}

// y·factor, of a captured number.
Body scaling(const TapPlace& p, Dtype factor) {
  if (p.name != "t" || p.type.dtype != Dtype::float64 || p.under_rule) return nullptr;
  Build b("edit");
  const Value y = b.parameter(p.type);
  for (size_t i = 0; i < p.steps; ++i) b.parameter({Dtype::int64, {}});
  Value by = b.parameter({factor, {}});
  // An integer says nothing: derivatives inside may have branches where y itself is compared.
  if (factor != Dtype::float64) by = b.add(b.scale(b.convert(by, Dtype::float64), 0), b.scalar(Dtype::float64, 1));
  return b.finish({b.mul(y, b.broadcast_to(by, p.type.shape))});
}

Case intervened(const Case& c, uint32_t seed, const Array& factor) {
  const Body f = tapped(c.f, seed);
  std::vector<Body> edits;
  for (const TapPlace& p : tap_places(f, {})) edits.push_back(scaling(p, factor.dtype()));
  Case r{intervene(f, {}, edits, {factor.type()}), c.args};
  r.args.push_back(factor);
  return r;
}

}  // namespace

Body tapped(const Body& f, uint32_t seed) {
  return changed(f, seed, [](Build& b, Value v) { return b.tap(v, "t"); });
}

Body edited(const Body& f, uint32_t seed, double factor) {
  return changed(f, seed,
                 [&](Build& b, Value v) { return v.dtype() == Dtype::float64 ? b.mul(v, b.full_like(v, factor)) : v; });
}

Case probe_case(const Case& c, uint32_t seed) { return {probe(tapped(c.f, seed), {}).body, c.args}; }

Case intervene_case(const Case& c, uint32_t seed) { return intervened(c, seed, Array::scalar<int64_t>(3)); }

Case scaled_case(const Case& c, uint32_t seed, double factor) { return intervened(c, seed, Array::scalar(factor)); }

}  // namespace viva::laws
