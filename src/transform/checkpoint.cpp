// checkpoint: a split that keeps the known inputs and few other values, and computes the rest of what is known again.
#include "ops/checkpoint.h"

#include "ops/structure.h"
#include "ops/taps.h"
#include "transform/transformer.h"

namespace viva {

Body inline_calls(const Body& f);  // passes.cpp

namespace {

Values parameters_like(Build& b, Ins values) {
  Values made;
  for (const Value& v : values) made.push_back(b.parameter_like(v));
  return made;
}

// The parameters of f in b, and its nodes where values stand for their outputs or what they are made of.
void copy_nodes(Build& b, const Function& f, Ins params, ValueMap& map) {
  for (size_t i = 0; i < params.size(); ++i) map[f.params()[i]] = params[i];
  for (const Node& n : f.nodes()) {
    if (!n.op || map.contains(n.out(0))) continue;
    b.at(n.where);
    const Values out = b.copy(n, mapped(map, n.in));
    for (int i = 0; i < n.outputs(); ++i) map[n.out(i)] = out[static_cast<size_t>(i)];
  }
}

class CheckpointedSplit {
 public:
  CheckpointedSplit(const SplitBody& plain, const std::string& policy, Pruner& pruner)
      : plain_(plain), known_(*plain.known), pruner_(pruner) {
    for (const Node& n : known_.nodes())
      if (keeps(policy, n)) kept_.push_back(n.out(0));
  }

  SplitBody run() {
    const Pruned second = unknown();
    Values needed;
    for (size_t i = 0; i < kept_.size(); ++i)
      if (second.params[known_.params().size() + i]) needed.push_back(kept_[i]);
    return {known(needed), second.body, plain_.out_known, std::ssize(needed)};
  }

 private:
  size_t known_outputs() const { return known_.outputs().size() - static_cast<size_t>(plain_.residuals); }

  // Parameters: the known inputs, the values kept. A tap is read where its value is computed first.
  Body residuals() {
    Build b(known_.name());
    b.at({});
    ValueMap map;
    const Values in = parameters_like(b, known_.params());
    for (const Value& v : kept_) map[v] = b.parameter(v.type());
    copy_nodes(b, known_, in, map);
    return without_taps(b.finish(mapped(map, Ins(known_.outputs()).subspan(known_outputs()))));
  }

  // Parameters: the known inputs, the values kept that it needs, the unknown inputs.
  Pruned unknown() {
    Build b(plain_.unknown->name() + ".recomputed");
    b.at({});
    Values in = parameters_like(b, known_.params());
    for (const Value& v : kept_) in.push_back(b.parameter(v.type()));
    const Values rest =
        parameters_like(b, Ins(plain_.unknown->params()).subspan(static_cast<size_t>(plain_.residuals)));
    Values args = b.inline_call(*residuals(), in);
    append<Value>(args, rest);
    const Body made = b.finish(b.inline_call(*plain_.unknown, args), plain_.unknown->output_names());
    Mask droppable(made->params().size(), false);
    std::fill_n(droppable.begin() + std::ssize(known_.params()), kept_.size(), true);
    return pruner_.prune(made, Mask(made->outputs().size(), true), droppable);
  }

  // Outputs: the known ones, then the values kept.
  Body known(Ins needed) {
    Build b(known_.name());
    b.at({});
    ValueMap map;
    copy_nodes(b, known_, parameters_like(b, known_.params()), map);
    Values out = mapped(map, Ins(known_.outputs()).first(known_outputs()));
    append<Value>(out, mapped(map, needed));
    auto names = known_.output_names();
    names.resize(known_outputs());
    names.resize(out.size());
    return pruner_.pruned(b.finish(std::move(out), std::move(names)));
  }

  const SplitBody& plain_;
  const Function& known_;
  Pruner& pruner_;
  Values kept_;
};

}  // namespace

SplitBody Transformer::make_checkpoint(const Body& f, const Mask& known, const std::string& policy) {
  // What a function called inside contracts or names is kept too.
  const Body whole = keeps_some(policy) ? inline_calls(f) : f;
  return CheckpointedSplit(split(whole, known, Mask(f->outputs().size(), false)), policy, pruner).run();
}

}  // namespace viva
