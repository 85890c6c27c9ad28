// jet, collapsed_jet and laplacian of traced functions.
#include "viva/taylor.h"

#include <algorithm>

#include "base/error.h"
#include "trace/differentiate.h"
#include "trace/operand.h"
#include "transform/transform.h"

namespace viva::tracing {
namespace {

Mask given_in(const Graph& g, const Mask& active, const std::vector<Tensors>& series, Site site) {
  Mask given(g.body->params().size() * series.size(), false);
  for (size_t k = 0; k < g.leaves.size(); ++k)
    for (size_t order = 0; order < series.size(); ++order) {
      const Tensor& t = series[order][g.leaves[k]];
      if (!active[k] || t.empty()) continue;
      const Type& want = g.body->params()[k].type();
      if (t.type() != want)
        throw usage_at(site.where, fmt::format("[jet] derivative {} is {}, and must be {} as its argument", order + 1,
                                               to_string(t.type()), to_string(want)));
      given[k * series.size() + order] = true;
    }
  return given;
}

}  // namespace

Jets jet(Site site, const Fn& f, const Tensors& args, const Marks& marks, const std::vector<Tensors>& series) {
  if (series.empty())
    throw usage_at(site.where, "[jet] every series is empty: give the first derivative at least, for the direction");
  const Graph g = traced(site, f, args);
  const Mask given = given_in(g, active_in(g, marks, site), series, site);
  const auto order = static_cast<int64_t>(series.size());
  const Body d = at_site(site, [&] { return viva::jet(g.body, given, order); });
  Tensors all = g.arguments(args);
  for (size_t c = 0; c < g.leaves.size() * series.size(); ++c)
    if (given[c]) all.push_back(series[c % series.size()][g.leaves[c / series.size()]]);
  const Tensors out = apply(d, all, site.where);
  const size_t n = g.body->outputs().size();
  Jets r;
  r.outputs = g.outputs(std::span(out).first(n));
  const size_t moving = (out.size() - n) / series.size();
  for (size_t k = 0; k < series.size(); ++k) {
    Tensors one;
    for (size_t i = 0; i < moving; ++i) one.push_back(out[n + i * series.size() + k]);
    r.derivatives.push_back(at_outputs(g, one));
  }
  return r;
}

Pushed collapsed_jet(Site site, const Fn& f, const Tensors& args, const Marks& marks, int64_t order,
                     const Tensors& directions) {
  const Graph g = traced(site, f, args);
  const Mask active = active_in(g, marks, site);
  std::optional<int64_t> count;
  for (size_t k = 0; k < g.leaves.size(); ++k) {
    const Tensor& t = directions[g.leaves[k]];
    if (!active[k] || t.empty()) continue;
    const Type& want = g.body->params()[k].type();
    const bool fits = t.rank() == want.rank() + 1 && t.dtype() == want.dtype &&
                      std::equal(want.shape.begin(), want.shape.end(), t.shape().begin() + 1);
    if (!fits || (count && *count != t.shape()[0]))
      throw usage_at(site.where,
                     fmt::format("[collapsed_jet] directions are {}, and must be {} with a leading axis{}",
                                 to_string(t.type()), to_string(want), count ? fmt::format(" of {}", *count) : ""));
    count = t.shape()[0];
  }
  if (!count) throw usage_at(site.where, "[collapsed_jet] no directions are given");
  const Body d = at_site(site, [&] { return viva::collapsed_jet(g.body, active, order, *count); });
  Tensors all = g.arguments(args);
  for (size_t k = 0; k < g.leaves.size(); ++k) {
    if (!active[k]) continue;
    const Tensor& t = directions[g.leaves[k]];
    Type type = g.body->params()[k].type();
    type.shape.insert(type.shape.begin(), *count);
    all.push_back(t.empty() ? spread(number(0, type.dtype, site.where), type.shape, {}, site.where) : t);
  }
  const Tensors out = apply(d, all, site.where);
  const size_t n = g.body->outputs().size();
  return {g.outputs(std::span(out).first(n)), at_outputs(g, std::span(out).subspan(n))};
}

Pushed laplacian(Site site, const Fn& f, const Tensors& args, const Marks& marks) {
  const Graph g = traced(site, f, args);
  const Mask active = active_in(g, marks, site);
  const Body d = at_site(site, [&] { return viva::laplacian(g.body, active); });
  const Tensors out = apply(d, g.arguments(args), site.where);
  const size_t n = g.body->outputs().size();
  return {g.outputs(std::span(out).first(n)), at_outputs(g, std::span(out).subspan(n))};
}

}  // namespace viva::tracing
