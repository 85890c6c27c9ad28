// bound: in place of each value an enclosure of it, node by node. A value that is known exactly is one value still.
#include <algorithm>

#include "transform/transformer.h"

namespace viva {
namespace {

std::string upper_name(const std::string& name) { return name.empty() ? "" : name + ".upper"; }

class Site final : public BoundSite {
 public:
  using Map = std::unordered_map<Value, Enclosure, ValueHash>;
  Site(Build& b, const Node& n, std::span<const Enclosure> in, Transforms& tf, const Map& map)
      : BoundSite(b, n, in, tf), map_(map) {}
  Enclosure of(Value v) override { return map_.at(v); }

 private:
  const Map& map_;
};

class BoundWalk {
 public:
  BoundWalk(const Function& f, Transforms& tf) : f_(f), tf_(tf), b_(f.name() + ".bound") { b_.at({}); }

  std::pair<Body, Mask> run(const Mask& intervals, const Mask& force) {
    parameters(intervals);
    for (const Node& n : f_.nodes())
      if (n.op) node(n);
    missing_.throw_if_any();
    Values outputs;
    std::vector<std::string> names = f_.output_names();
    Mask has;
    for (const Value& y : f_.outputs()) outputs.push_back(map_.at(y).lower);
    for (size_t i = 0; i < f_.outputs().size(); ++i) {
      const Enclosure& y = map_.at(f_.outputs()[i]);
      has.push_back(force[i] || !y.point());
      if (!has.back()) continue;
      outputs.push_back(y.upper);
      names.push_back(upper_name(names[i]));
    }
    return {tf_.pruner.pruned(b_.finish(std::move(outputs), std::move(names))), has};
  }

 private:
  void parameters(const Mask& intervals) {
    for (const Value& p : f_.params()) {
      const Value v = b_.parameter_like(p);
      map_[p] = {v, v};
    }
    for (size_t i = 0; i < intervals.size(); ++i) {
      const Value p = f_.params()[i];
      if (!intervals[i]) continue;
      b_.at(p.node()->where);
      map_[p].upper = b_.parameter(p.type(), upper_name(p.name()));
    }
  }

  // What is computed without rounding from what is known exactly is known exactly.
  static bool stays_exact(const Node& n, std::span<const Enclosure> in) {
    const auto whole_number = [](const Type& t) { return !has_tangent(t.dtype); };
    return n.bodies.empty() && std::ranges::all_of(in, &Enclosure::point) &&
           std::ranges::all_of(n.types, whole_number) &&
           std::ranges::all_of(n.in, [&](Value v) { return whole_number(v.type()); });
  }

  void node(const Node& n) {
    std::vector<Enclosure> in, out;
    for (const Value& v : n.in) {
      const auto it = map_.find(v);
      if (it == map_.end()) return;  // behind a missing rule
      in.push_back(it->second);
    }
    b_.at(n.where);
    if (stays_exact(n, in)) {
      Values args;
      for (const Enclosure& x : in) args.push_back(x.lower);
      for (const Value& v : b_.copy(n, std::move(args))) out.push_back({v, v});
    } else if (n.op->bound) {
      Site site(b_, n, in, tf_, map_);
      out = (*n.op->bound)(site);
    } else return missing_.add(n, n.op->bound.absent());
    for (int i = 0; i < n.outputs(); ++i) {
      const auto k = static_cast<size_t>(i);
      map_[n.out(i)] = out[k];
      b_.name_if_none(out[k].lower, n.names[k]);
      if (!out[k].point()) b_.name_if_none(out[k].upper, upper_name(n.names[k]));
    }
  }

  const Function& f_;
  Transforms& tf_;
  Build b_;
  Site::Map map_;
  MissingRules missing_{"bound"};
};

}  // namespace

std::pair<Body, Mask> Transformer::make_bound(const Body& f, const Mask& intervals, const Mask& force) {
  return BoundWalk(*f, *this).run(intervals, force);
}

Body bound(const Body& f, const Mask& active) {
  if (active.size() != f->params().size())
    throw usage_error("[bound] {} marks for the {} parameters of {}", active.size(), f->params().size(), f->name());
  return Transformer().bound(f, active, Mask(f->outputs().size(), true)).first;
}

}  // namespace viva
