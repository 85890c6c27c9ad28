// probe and intervene of traced functions.
#include "viva/probe.h"

#include <algorithm>
#include <set>

#include "trace/captured.h"
#include "trace/differentiate.h"
#include "trace/operand.h"
#include "transform/probe.h"

namespace viva::tracing {

std::pair<Tensors, Readings> probe(Site site, const Fn& f, const Tensors& args, const Names& names) {
  const Graph g = traced(site, f, args);
  const Probed p = at_site(site, [&] { return viva::probe(g.body, names); });
  const Tensors out = apply(p.body, g.arguments(args), site.where);
  Readings r;
  size_t next = g.body->outputs().size();
  for (const TapPlace& place : p.places) {
    Reading& reading = r.places[place.name].emplace_back();
    reading.value = out[next++];
    if (place.flagged) reading.taken = out[next++];
  }
  return {g.outputs(std::span(out).first(g.body->outputs().size())), std::move(r)};
}

namespace {

// An edit over the value and the steps around it.
Graph traced_edit(Site site, const Edit& edit, const TapPlace& at, size_t number) {
  Inputs in;
  in.types.resize(1 + at.steps, {Dtype::int64, {}});
  in.types[0] = at.type;
  in.values.resize(in.types.size(), scalar(0));  // staged: the types count, not the values
  const Fn run = [&](const Tensors& leaves) -> Tensors {
    const Tensor made = edit(leaves[0], {at.name, number, {leaves.begin() + 1, leaves.end()}, at.in_while});
    if (made.empty() || made.type() != at.type)
      throw usage_at(site.where,
                     fmt::format("[intervene] the edit of '{}' gives {}, and must give {} as the value is", at.name,
                                 made.empty() ? "nothing" : to_string(made.type()), to_string(at.type)));
    return {made};
  };
  return trace(site, Mode::staged, run, in);
}

}  // namespace

Tensors intervene(Site site, const Fn& f, const Tensors& args, const Names& names, const Edit& edit, bool everywhere) {
  const Graph g = traced(site, f, args);
  const std::vector<TapPlace> places = at_site(site, [&] { return tap_places(g.body, names); });
  std::vector<Graph> graphs;
  std::vector<size_t> graph_of;                                          // of each place
  std::map<std::tuple<std::string, std::string, size_t>, size_t> known;  // by name, type and loops
  std::map<std::string, size_t> met;
  for (const TapPlace& p : places) {
    const size_t number = met[p.name]++;
    const auto [it, fresh] = known.try_emplace({p.name, to_string(p.type), p.steps}, graphs.size());
    graph_of.push_back(everywhere && !fresh ? it->second : graphs.size());
    if (graph_of.back() == graphs.size()) graphs.push_back(traced_edit(site, edit, p, number));
  }
  Captured captured;
  for (const Graph& e : graphs) captured.add(e);
  std::vector<Body> made, edits;
  for (size_t i = 0; i < graphs.size(); ++i) made.push_back(captured.over(graphs[i], i, graphs[i].leaves.size()));
  for (const size_t i : graph_of) edits.push_back(made[i]);
  std::vector<Type> types;
  Tensors all = g.arguments(args);
  for (const Tensor& t : captured.all) types.push_back(t.type()), all.push_back(t);
  const Body d = at_site(site, [&] { return viva::intervene(g.body, names, edits, types); });
  return g.outputs(apply(d, all, site.where));
}

Names names_of(const Readings& r) {
  Names names;
  for (const auto& [name, places] : r.places) names.push_back(name);
  return names;
}

Edit put_back(Site site, const Readings& r) {
  return [site, places = r.places](const Tensor& value, const Place& at) {
    const Line line(site.where);
    const auto refuse = [&](const std::string& why) {
      return usage_at(site.where, fmt::format("[intervene] '{}' {}", at.name, why));
    };
    if (at.in_while)
      throw refuse("was read from the last step of a while_loop: it cannot be put back into all of them");
    const std::vector<Reading>& all = places.at(at.name);
    if (at.number >= all.size()) throw refuse(fmt::format("was read {} times, and is met more often here", all.size()));
    Tensor put = all[at.number].value, taken = all[at.number].taken;
    for (const Tensor& step : at.steps) {
      if (put.rank() == 0) throw refuse("was read outside of a loop, and is inside of one here");
      put = take(put, step, 0);
      if (!taken.empty()) taken = take(taken, step, 0);
    }
    if (put.type() != value.type())
      throw refuse(fmt::format("was read as {}, and is {} here", to_string(put.type()), to_string(value.type())));
    if (taken.empty()) return put;
    Shape shape = taken.shape();
    shape.resize(static_cast<size_t>(value.rank()), 1);
    return where(reshape(taken, shape), put, value);
  };
}

}  // namespace viva::tracing

namespace viva {

const Tensor& Readings::operator()(const std::string& name, Loc l) const {
  const auto it = places.find(name);
  if (it == places.end())
    throw tracing::usage_at(
        l, fmt::format("[probe] '{}' was not read; there are '{}'", name, fmt::join(tracing::names_of(*this), "', '")));
  if (it->second.size() != 1)
    throw tracing::usage_at(
        l, fmt::format("[probe] '{}' names {} values: take one of places.at(\"{}\")", name, it->second.size(), name));
  return it->second[0].value;
}

}  // namespace viva
