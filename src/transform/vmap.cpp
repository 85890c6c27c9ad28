// vmap: each value with or without a batch axis; a node without batched operands is computed once for all examples.
#include <algorithm>

#include "ops/record.h"
#include "transform/transformer.h"

namespace viva {
namespace {

class BatchWalk {
 public:
  BatchWalk(const Function& f, int64_t size, Transforms& tf) : f_(f), size_(size), tf_(tf), b_(f.name() + ".vmap") {
    b_.at({});
  }

  std::pair<Body, std::vector<int>> run(const std::vector<int>& axes, const Mask& force) {
    for (size_t i = 0; i < axes.size(); ++i) parameter(f_.params()[i], axes[i]);
    for (const Node& n : f_.nodes())
      if (n.op) node(n);
    missing_.throw_if_any();
    Values outputs;
    std::vector<int> out_axes;
    for (size_t i = 0; i < f_.outputs().size(); ++i) {
      const Value v = f_.outputs()[i];
      b_.at(v.node()->where);
      outputs.push_back(force[i] ? batched_front(b_, map_[v], axis_.at(v), size_) : map_[v]);
      out_axes.push_back(force[i] ? 0 : axis_.at(v));
    }
    return {tf_.pruner.pruned(b_.finish(std::move(outputs), f_.output_names())), out_axes};
  }

 private:
  void parameter(Value p, int axis) {
    Type t = p.type();
    if (axis >= 0) t.shape = inserted(t.shape, axis, size_);
    b_.at(p.node()->where);
    map_[p] = b_.parameter(t, p.name());
    axis_[p] = axis;
  }

  void node(const Node& n) {
    std::vector<int> in_axes, out_axes(n.types.size(), -1);
    for (const Value& v : n.in) in_axes.push_back(axis_.contains(v) ? axis_.at(v) : -1);
    const bool batched = std::ranges::any_of(in_axes, [](int a) { return a >= 0; });
    if (batched && !n.op->batch) {
      missing_.add(n, n.op->batch.absent());
      return;
    }
    const Values in = mapped(map_, n.in);
    if (std::ranges::any_of(in, [](Value v) { return !v; })) return;  // behind a missing rule
    b_.at(n.where);
    const Values out = batched ? (*n.op->batch)(b_, n, in, in_axes, size_, out_axes, tf_) : b_.copy(n, in);
    for (int i = 0; i < n.outputs(); ++i) {
      const auto k = static_cast<size_t>(i);
      map_[n.out(i)] = out[k];
      axis_[n.out(i)] = out_axes[k];
      b_.name_if_none(out[k], n.names[k]);
    }
  }

  const Function& f_;
  int64_t size_;
  Transforms& tf_;
  Build b_;
  ValueMap map_;
  std::unordered_map<Value, int, ValueHash> axis_;
  MissingRules missing_{"vmap"};
};

}  // namespace

std::pair<Body, std::vector<int>> Transformer::make_batch(const Body& f, const std::vector<int>& axes, int64_t size,
                                                          const Mask& force) {
  return BatchWalk(*f, size, *this).run(axes, force);
}

}  // namespace viva
