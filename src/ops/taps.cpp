#include "ops/taps.h"

#include "graph/opdef.h"
#include "ops/structure.h"

namespace viva {

const std::string& tap_name(const Node& tap) { return tap.attrs.text("name"); }

bool TapWalk::wanted_in(const Body& f) {
  if (const auto it = wanted_.find(f.get()); it != wanted_.end()) return it->second;
  bool found = false;
  for (const Node& n : f->nodes()) found = found || (n.op && ((n.op->taps && wants(n)) || holds_wanted(n)));
  return wanted_[f.get()] = found;
}

bool TapWalk::holds_wanted(const Node& n) {
  for (const size_t i : running(n))
    if (wanted_in(n.bodies[i])) return true;
  return false;
}

Inner TapWalk::function(const Body& f, const std::vector<Type>& more) {
  const std::pair key(f, more.size());
  if (const auto it = made_.find(key); it != made_.end()) return it->second;
  return made_[key] = walk(f, more);
}

Inner TapWalk::walk(const Body& f, const std::vector<Type>& more) {
  if (more.empty() && !wanted_in(f)) return {f, {}};
  Build b(f->name());
  b.at({});
  std::unordered_map<Value, Value, ValueHash> map;
  for (const Value& p : f->params()) map[p] = b.parameter_like(p);
  Here here{b, {}, {}};
  for (const Type& t : more) here.more.push_back(b.parameter(t));
  for (const Node& n : f->nodes()) {
    if (!n.op) continue;
    Values in, out;
    for (const Value& v : n.in) in.push_back(map.at(v));
    b.at(n.where);
    if (n.op->taps && wants(n)) out = {in_place(here, n, in)};
    else if (!holds_wanted(n)) out = b.copy(n, in);
    else {
      Outer made = has_rules(n) ? with_rules(here, n, in) : around(here, n, in);
      out = std::move(made.out);
      append<TapReading>(here.readings, made.readings);
    }
    for (int i = 0; i < n.outputs(); ++i) {
      const auto k = static_cast<size_t>(i);
      map[n.out(i)] = out[k];
      b.name_if_none(out[k], n.names[k]);
    }
  }
  Values out;
  for (const Value& v : f->outputs()) out.push_back(map.at(v));
  std::vector<std::string> names = f->output_names();
  out = with_readings(std::move(out), here.readings);
  names.resize(out.size());
  return {b.finish(std::move(out), std::move(names)), flags_of(here.readings)};
}

Outer TapWalk::around(Here& here, const Node& n, Ins in) {
  const bool place = places() && repeats(n);
  std::vector<Type> types = types_of(here.more);
  if (place) types.push_back({Dtype::int64, {}});
  std::vector<Inner> inner;
  for (const size_t i : running(n)) inner.push_back(function(n.bodies[i], types));
  return again(here.b, n, in, here.more, inner, place);
}

Outer TapWalk::with_rules(Here& here, const Node& n, Ins in) { return around(here, n, in); }

namespace {

class Every : public TapWalk {
 protected:
  bool wants(const Node&) override { return true; }
  // A function with rules takes no more operands: nothing in it could say what is taken.
  Outer with_rules(Here& here, const Node& n, Ins in) override {
    std::vector<Body> bodies = n.bodies;
    bodies[0] = without_taps(bodies[0]);
    return {here.b.emit(*n.op, {in.begin(), in.end()}, n.attrs, std::move(bodies)), {}};
  }
};

class Without final : public Every {
  Value in_place(Here&, const Node&, Ins in) override { return in[0]; }
};

class Taken final : public Every {
  Value in_place(Here& here, const Node& tap, Ins in) override {
    Build& b = here.b;
    Value taken = here.more[0];
    if (in.size() == 2) taken = b.logical_and(in[1], b.broadcast(taken, in[1].shape(), {}));
    return b.emit(*tap.op, {in[0], taken}, tap.attrs).front();
  }
};

}  // namespace

bool has_taps(const Body& f) { return Without().wanted_in(f); }
Body without_taps(const Body& f) { return Without().function(f, {}).body; }
Body with_taken(const Body& f) { return Taken().function(f, {{Dtype::boolean, {}}}).body; }

}  // namespace viva
