#include "graph/prune.h"

#include <algorithm>
#include <unordered_map>

#include "graph/build.h"
#include "graph/dependence.h"
#include "graph/opdef.h"

namespace viva {
namespace {

class Pruning {
 public:
  Pruning(const Function& f, const Mask& used, const Mask& droppable, Pruner& pruner)
      : f_(f), used_(used), droppable_(droppable), pruner_(pruner), b_(f.name()) {
    if (used.size() != f.outputs().size() || (!droppable.empty() && droppable.size() != f.params().size()))
      throw usage_error("[prune] {} has {} parameters and {} outputs; marked are {} and {}", f.name(),
                        f.params().size(), f.outputs().size(), droppable.size(), used.size());
    mark();
  }

  Pruned run() {
    Pruned result;
    for (size_t i = 0; i < f_.params().size(); ++i) {
      const Value p = f_.params()[i];
      const bool keep = droppable_.empty() || !droppable_[i] || any(*p.node());
      result.params.push_back(keep);
      if (keep) map_[p] = b_.parameter_like(p);
      else whole_ = false;
    }
    for (const Node& n : f_.nodes())
      if (n.op) copy(n);
    Values outputs;
    std::vector<std::string> names;
    for (size_t i = 0; i < used_.size(); ++i) {
      if (used_[i]) outputs.push_back(map_.at(f_.outputs()[i])), names.push_back(f_.output_names()[i]);
      else whole_ = false;
    }
    result.body = b_.finish(std::move(outputs), std::move(names));
    return result;
  }
  bool whole() const { return whole_; }  // nothing was left out

 private:
  const Mask& live(const Node& n) const { return live_[static_cast<size_t>(n.id)]; }
  bool any(const Node& n) const { return std::ranges::find(live(n), true) != live(n).end(); }
  void mark(Value v) { live_[static_cast<size_t>(v.node()->id)][static_cast<size_t>(v.port())] = true; }

  void mark() {
    for (const Node& n : f_.nodes()) live_.emplace_back(static_cast<size_t>(n.outputs()), false);
    for (size_t i = 0; i < used_.size(); ++i)
      if (used_[i]) mark(f_.outputs()[i]);
    for (auto n = f_.nodes().rbegin(); n != f_.nodes().rend(); ++n) {
      if (!n->op || !any(*n)) continue;
      const Mask needed = needed_operands(*n, live(*n));
      for (size_t i = 0; i < n->in.size(); ++i)
        if (needed[i]) mark(n->in[i]);
    }
  }

  void copy(const Node& n) {
    if (!any(n)) {
      whole_ = false;
      return;
    }
    Values in;
    for (const Value& v : n.in) in.push_back(map_.contains(v) ? map_.at(v) : Value{});
    b_.at(n.where);
    const Values out = (*n.op->prune)(b_, n, in, live(n), pruner_);
    for (int i = 0; i < n.outputs(); ++i) {
      const Value made = out[static_cast<size_t>(i)];
      whole_ = whole_ && made && made.node()->outputs() == n.outputs() && made.node()->in.size() == n.in.size() &&
               made.node()->bodies == n.bodies;
      b_.name_if_none(made, n.names[static_cast<size_t>(i)]);
      map_[n.out(i)] = made;
    }
  }

  const Function& f_;
  const Mask &used_, &droppable_;
  Pruner& pruner_;
  Build b_;
  std::vector<Mask> live_;  // the outputs needed, for each node
  std::unordered_map<Value, Value, ValueHash> map_;
  bool whole_ = true;
};

}  // namespace

Pruned Pruner::prune(const Body& f, const Mask& used, const Mask& droppable) {
  const auto key = std::tuple(f, used, droppable);
  if (const auto it = memo_.find(key); it != memo_.end()) return it->second;
  Pruning pruning(*f, used, droppable, *this);
  Pruned result = pruning.run();
  if (pruning.whole()) result.body = f;
  return memo_.emplace(key, std::move(result)).first->second;
}

Pruned prune(const Function& f, const Mask& used, const Mask& droppable) {
  Pruner pruner;
  return Pruning(f, used, droppable, pruner).run();
}

Body pruned(const Function& f) { return prune(f, Mask(f.outputs().size(), true)).body; }

}  // namespace viva
