// grad, jvp and the like: trace, transform the graph, and put the result into the enclosing scope or run it.
#include <algorithm>

#include "graph/prune.h"
#include "trace/differentiate.h"
#include "trace/operand.h"
#include "transform/transform.h"
#include "viva/control.h"

namespace viva::tracing {

Graph traced(Site site, const Fn& f, const Tensors& args) { return trace(site, Mode::valued, f, inputs_of(args)); }

Mask active_in(const Graph& g, const Marks& marks, Site site) {
  Mask m = g.active(marks);
  if (std::ranges::none_of(m, [](bool b) { return b; }))
    throw usage_at(
        site.where,
        fmt::format("[{}] the argument has no float tensor to differentiate by: convert it, or choose another with wrt",
                    site.what));
  return m;
}

Tensors at_outputs(const Graph& g, std::span<const Tensor> tangents) {
  Tensors r(g.present.size());
  for (size_t i = 0, k = 0, next = 0; i < r.size(); ++i)
    if (g.present[i] && has_tangent(g.body->outputs()[k++].dtype())) r[i] = tangents[next++];
  return r;
}

namespace {

void check_scalar(const Graph& g, Site site) {
  const bool absent = g.present.empty() || !g.present[0];
  if (absent || g.body->outputs()[0].rank() != 0 || !is_float(g.body->outputs()[0].dtype()))
    throw usage_at(
        site.where,
        fmt::format("[{}] the function gives {}, not a float scalar: reduce it with sum or mean, or use jacrev",
                    site.what, absent ? "nothing" : to_string(g.body->outputs()[0].type())));
}

// One tensor for each active parameter, zeros where it is empty.
Tensors tangents_of(const Graph& g, const Mask& active, const Tensors& tangents, Site site) {
  Tensors r;
  for (size_t k = 0; k < g.leaves.size(); ++k) {
    if (!active[k]) continue;
    const Tensor& t = tangents[g.leaves[k]];
    const Type& want = g.body->params()[k].type();
    if (!t.empty() && t.type() != want)
      throw usage_at(site.where, fmt::format("[{}] a tangent is {}, and must be {} as its argument", site.what,
                                             to_string(t.type()), to_string(want)));
    r.push_back(t.empty() ? spread(number(0, want.dtype, site.where), want.shape, {}, site.where) : t);
  }
  return r;
}

// Results of body, one for each active parameter, put at their leaves.
Tensors at_leaves(const Graph& g, const Mask& active, std::span<const Tensor> results, size_t leaves) {
  Tensors r(leaves);
  for (size_t k = 0, next = 0; k < g.leaves.size(); ++k)
    if (active[k]) r[g.leaves[k]] = results[next++];
  return r;
}

Tensors joined(Tensors a, const Tensors& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

Pushed value_and_grad(Site site, const Fn& f, const Tensors& args, const Marks& marks, bool outputs) {
  const Graph g = traced(site, f, args);
  check_scalar(g, site);
  const Mask active = active_in(g, marks, site);
  const size_t n = outputs ? g.body->outputs().size() : 0;
  const Body d =
      at_site(site, [&] { return outputs ? viva::value_and_grad(g.body, active) : viva::grad(g.body, active); });
  const Tensors out = apply(d, g.arguments(args), site.where);
  const std::span<const Tensor> all(out);
  Pushed p;
  if (outputs) p.outputs = g.outputs(all.first(n));
  p.tangents = at_leaves(g, active, all.subspan(n), args.size());
  return p;
}

Pushed jvp(Site site, const Fn& f, const Tensors& args, const Marks& marks, const Tensors& tangents) {
  const Graph g = traced(site, f, args);
  const Mask active = active_in(g, marks, site);
  const Body d = at_site(site, [&] { return viva::jvp(g.body, active); });
  const Tensors out = apply(d, joined(g.arguments(args), tangents_of(g, active, tangents, site)), site.where);
  const std::span<const Tensor> all(out);
  const size_t n = g.body->outputs().size();
  return {g.outputs(all.first(n)), at_outputs(g, all.subspan(n))};
}

Tensors hvp(Site site, const Fn& f, const Tensors& args, const Marks& marks, const Tensors& vectors) {
  const Graph g = traced(site, f, args);
  check_scalar(g, site);
  const Mask active = active_in(g, marks, site);
  const Body d = at_site(site, [&] { return viva::hvp(g.body, active); });
  const Tensors out = apply(d, joined(g.arguments(args), tangents_of(g, active, vectors, site)), site.where);
  return at_leaves(g, active, out, args.size());
}

// A linear body with its residuals, and the graph it came from.
struct LinearMap {
  Graph graph;
  Mask active;
  Body linear;  // the map, or its transpose
  Tensors residuals;
  size_t leaves = 0;  // of all arguments
};

Linearized linearize(Site site, const Fn& f, const Tensors& args, const Marks& marks, bool reverse) {
  auto map = std::make_shared<LinearMap>();
  map->graph = traced(site, f, args);
  map->leaves = args.size();
  map->active = active_in(map->graph, marks, site);
  const Body primal = at_site(site, [&] {
    const auto l = viva::linearize(map->graph.body, map->active);
    Mask linear(l.linear->params().size(), true);
    std::fill_n(linear.begin(), l.residuals, false);
    map->linear = reverse ? viva::transpose(l.linear, linear) : l.linear;
    return l.primal;
  });
  Tensors out = apply(primal, map->graph.arguments(args), site.where);
  const auto split = out.begin() + static_cast<int64_t>(map->graph.body->outputs().size());
  map->residuals.assign(split, out.end());
  out.erase(split, out.end());
  return {map->graph.outputs(out), map};
}

Tensors push(Site site, const LinearMap& map, const Tensors& tangents) {
  const Tensors t = tangents_of(map.graph, map.active, tangents, site);
  return at_outputs(map.graph, apply(map.linear, joined(map.residuals, t), site.where));
}

Tensors pull(Site site, const LinearMap& map, const Tensors& cotangents) {
  const Graph& g = map.graph;
  if (cotangents.size() != g.present.size())
    throw usage_at(site.where,
                   fmt::format("[{}] a cotangent of {} leaves for a result of {}: give a tree like the result",
                               site.what, cotangents.size(), g.present.size()));
  Tensors all = map.residuals;
  for (size_t i = 0, k = 0; i < cotangents.size(); ++i) {
    if (!g.present[i]) continue;
    const Type& want = g.body->outputs()[k++].type();
    if (!has_tangent(want.dtype)) continue;
    const Tensor& t = cotangents[i];
    if (!t.empty() && t.type() != want)
      throw usage_at(site.where, fmt::format("[{}] a cotangent is {}, and must be {} as its result", site.what,
                                             to_string(t.type()), to_string(want)));
    all.push_back(t.empty() ? spread(number(0, want.dtype, site.where), want.shape, {}, site.where) : t);
  }
  const Tensors out = apply(map.linear, all, site.where);
  return at_leaves(g, map.active, out, map.leaves);
}

namespace {

void check_real(const Type& t, const char* what, const char* mend, Site site) {
  if (is_float(t.dtype)) return;
  throw usage_at(
      site.where,
      is_complex(t.dtype)
          ? fmt::format("[{}] {} is {}: differentiate real(y) and imag(y), each by the parts of complex(re, im)",
                        site.what, what, to_string(t))
          : fmt::format("[{}] {} is {}: only floats have derivatives, {}", site.what, what, to_string(t), mend));
}

}  // namespace

Tensors jacobian(Site site, const Fn& f, const Tensors& args, const Marks& marks, Second how) {
  const Graph g = traced(site, f, args);
  if (how == Second::hessian) check_scalar(g, site);
  const Mask active = active_in(g, marks, site);
  Tensors all;
  for (size_t o = 0; o < g.body->outputs().size(); ++o) {
    Mask only(g.body->outputs().size(), false);
    only[o] = true;
    const Body single = prune(*g.body, only).body;
    check_real(single->outputs()[0].type(), "a result", "return integers apart", site);
    for (size_t k = 0; k < g.leaves.size(); ++k) {
      if (!marks[g.leaves[k]]) continue;
      if (!active[k]) {
        all.emplace_back();
        continue;
      }
      check_real(g.body->params()[k].type(), "an argument", "", site);
      const auto at = static_cast<int64_t>(k);
      const Body d = at_site(site, [&] {
        const auto passes = [](Value v) { return numel(v.shape()); };
        const bool forward = how == Second::forward ||
                             (how == Second::cheaper && passes(single->params()[k]) <= passes(single->outputs()[0]));
        return how == Second::hessian ? viva::hessian(single, at)
               : forward              ? jacobian_forward(single, at)
                                      : jacobian_reverse(single, at);
      });
      all.push_back(apply(d, g.arguments(args), site.where).front());
    }
  }
  return all;
}

void check_axes(Site site, size_t axes, size_t arguments) {
  if (axes != 0 && axes != arguments)
    throw usage_at(site.where, fmt::format("[vmap] in_axes has {} entries for {} arguments", axes, arguments));
}

namespace {

// What vmap does to the leaves of a call.
struct Batch {
  Inputs in;            // without the batch axes
  std::vector<int> at;  // the batch axis of each leaf, -1 for none
  int64_t size = 0;
};

Batch batch_of(Site site, const Tensors& args, const std::vector<int>& axes) {
  Batch b{inputs_of(args), std::vector<int>(args.size(), -1), 0};
  std::optional<size_t> first;
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i].empty() || axes[i] == none) continue;
    Shape& shape = b.in.types[i].shape;
    b.at[i] = static_cast<int>(axis_in(axes[i], args[i].rank(), "vmap", site.where));
    const int64_t here = shape[static_cast<size_t>(b.at[i])];
    if (first && here != b.size)
      throw usage_at(site.where,
                     fmt::format("[vmap] axis {} of {} has {} examples, axis {} of {} has {}", b.at[*first],
                                 to_string(args[*first].type()), b.size, b.at[i], to_string(args[i].type()), here));
    if (!first) first = i, b.size = here;
    shape.erase(shape.begin() + b.at[i]);
  }
  if (!first) throw usage_at(site.where, "[vmap] no argument is mapped: give one an axis");
  return b;
}

// The axis of each output of the body, -1 where all examples share it; nothing where 0 everywhere.
std::vector<int> output_axes(Site site, const Graph& g, const std::vector<int>& given) {
  if (given.size() > 1 && given.size() != g.present.size())
    throw usage_at(site.where,
                   fmt::format("[vmap] out_axes has {} entries for {} results", given.size(), g.present.size()));
  std::vector<int> out;
  for (size_t i = 0, k = 0; i < g.present.size() && !given.empty(); ++i)
    if (g.present[i]) {
      const int64_t rank = g.body->outputs()[k++].rank() + 1, axis = given[given.size() > 1 ? i : 0];
      out.push_back(axis == none ? -1 : static_cast<int>(axis_in(axis, rank, "vmap", site.where)));
    }
  return out;
}

std::string policy_of(Site site, const Keep& keep) {
  if ((keep.what == Keep::named) == keep.names.empty())
    throw usage_at(site.where, keep.names.empty() ? "[checkpoint] keeps what is named, but no name is given"
                                                  : "[checkpoint] names are given: keep what is named");
  for (const std::string& name : keep.names)
    if (name.empty() || name.find(',') != std::string::npos)
      throw usage_at(site.where, fmt::format("[checkpoint] '{}' is no name: names hold no comma", name));
  switch (keep.what) {
    case Keep::nothing:
      return "recompute";
    case Keep::everything:
      return "save";
    case Keep::contractions:
      return "contractions";
    case Keep::named:
      break;
  }
  return fmt::format("named {}", fmt::join(keep.names, ","));
}

}  // namespace

Tensors vmap(Site site, const Fn& f, const Tensors& args, const std::vector<int>& axes,
             const std::vector<int>& out_axes, const std::string& axis_name) {
  const Batch b = batch_of(site, args, axes);
  const Graph g = trace(site, Mode::staged, f, b.in, {axis_name, b.size});
  std::vector<int> body_axes(g.body->params().size(), -1);
  for (size_t k = 0; k < g.leaves.size(); ++k) body_axes[k] = b.at[g.leaves[k]];
  Tensors all = g.arguments(args);
  for (size_t k = g.leaves.size(); k < all.size(); ++k)
    if (all[k].empty()) body_axes[k] = 0, all[k] = counting(b.size, site.where);  // the examples' places
  const std::vector<int> out = output_axes(site, g, out_axes);
  const Body d = at_site(site, [&] { return viva::vmap(g.body, body_axes, b.size, out); });
  return g.outputs(apply(d, all, site.where));
}

Tensors checkpoint(Site site, const Fn& f, const Tensors& args, const Keep& keep) {
  const std::string policy = policy_of(site, keep);
  const Graph g = traced(site, f, args);
  return g.outputs(call(renamed(g.body, "checkpoint"), g.arguments(args), policy, site.where));
}

Tensors named(const char* name, const Fn& f, const Tensors& args, Where where) {
  if (!current()) return f(args);
  const Site site{name, line_or(where)};
  const Graph g = traced(site, f, args);
  return g.outputs(call(renamed(g.body, name), g.arguments(args), "save", site.where));
}

}  // namespace viva::tracing

namespace viva {

Tensor ravel_leaves(const std::vector<Tensor>& leaves, Where where) {
  std::optional<Dtype> d;
  for (const Tensor& t : leaves)
    if (!t.empty() && has_tangent(t.dtype())) d = d ? promote(*d, t.dtype()) : t.dtype();
  if (!d) throw tracing::usage_at(where, "[ravel] the tree has no float tensor: give one that holds a parameter");
  std::vector<Tensor> flat;
  for (const Tensor& t : leaves)
    if (!t.empty() && has_tangent(t.dtype()))
      flat.push_back(tracing::reshaped(tracing::converted(t, *d, where), {t.size()}, where));
  const tracing::Line line(where);
  return concatenate(flat, 0);
}

std::vector<Tensor> unravel_leaves(const std::vector<Tensor>& like, const Tensor& flat, Where where) {
  const tracing::Line line(where);
  std::vector<Tensor> out = like;
  int64_t at = 0;
  for (Tensor& t : out) {
    if (t.empty() || !has_tangent(t.dtype())) continue;
    const int64_t n = t.size();
    if (flat.rank() != 1 || at + n > flat.size())
      throw tracing::usage_at(
          where, fmt::format("[unravel] {} holds too few elements: give the vector that ravel makes of such a tree",
                             to_string(flat.type())));
    const Tensor part =
        tracing::emit("slice", {&flat}, {{"start", Ints{at}}, {"limit", Ints{at + n}}, {"strides", Ints{1}}}, where);
    t = tracing::reshaped(tracing::converted(part, t.dtype(), where), t.shape(), where);
    at += n;
  }
  if (at != flat.size())
    throw tracing::usage_at(
        where, fmt::format("[unravel] {} holds {} elements too many: give the vector that ravel makes of such a tree",
                           to_string(flat.type()), flat.size() - at));
  return out;
}

}  // namespace viva
