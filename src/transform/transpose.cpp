// transpose: values that do not depend on the linear inputs are computed forwards, then cotangents flow backwards.
#include <algorithm>

#include "transform/transformer.h"

namespace viva {
namespace {

std::string cotangent_name(const std::string& name) { return name.empty() ? "" : name + ".cotangent"; }

class TransposeWalk {
 public:
  TransposeWalk(const Function& f, Transforms& tf) : f_(f), tf_(tf), b_(f.name() + ".transpose") { b_.at({}); }

  Body run(const Mask& linear, const Mask& present) {
    for (size_t i = 0; i < linear.size(); ++i)
      if (const Value p = f_.params()[i]; !linear[i]) known_[p] = b_.parameter_like(p);
    const Values given = cotangents(present);
    compute_known();
    for (size_t i = 0; i < present.size(); ++i)
      if (present[i]) accumulate(f_.outputs()[i], given[i]);
    for (auto n = f_.nodes().rbegin(); n != f_.nodes().rend(); ++n)
      if (n->op) back(*n);
    missing_.throw_if_any();
    Values outputs;
    std::vector<std::string> names;
    for (size_t i = 0; i < linear.size(); ++i) {
      const Value p = f_.params()[i];
      if (!linear[i]) continue;
      b_.at(p.node()->where);
      outputs.push_back(cotangent_.contains(p) ? cotangent_[p] : b_.full(p.type(), 0));
      names.push_back(cotangent_name(p.name()));
    }
    return tf_.pruner.pruned(b_.finish(std::move(outputs), std::move(names)));
  }

 private:
  // A parameter for each cotangent present.
  Values cotangents(const Mask& present) {
    Values given(present.size());
    for (size_t i = 0; i < present.size(); ++i) {
      const Value y = f_.outputs()[i];
      b_.at(y.node()->where);
      if (present[i]) given[i] = b_.parameter(y.type(), cotangent_name(f_.output_names()[i]));
    }
    return given;
  }

  void compute_known() {
    for (const Node& n : f_.nodes()) {
      if (!n.op || !std::ranges::all_of(n.in, [&](Value v) { return known_.contains(v); })) continue;
      b_.at(n.where);
      const Values out = b_.copy(n, mapped(known_, n.in));
      for (int i = 0; i < n.outputs(); ++i) known_[n.out(i)] = out[static_cast<size_t>(i)];
    }
  }

  void back(const Node& n) {
    const Values ct = mapped(cotangent_, n.outs());
    if (std::ranges::none_of(ct, [](Value v) { return bool(v); })) return;
    if (!n.op->transpose) {
      missing_.add(n, n.op->transpose.absent());
      return;
    }
    b_.at(n.where);
    Values result(n.in.size());
    (*n.op->transpose)(b_, n, mapped(known_, n.in), ct, result, tf_);
    for (size_t i = 0; i < n.in.size(); ++i) accumulate(n.in[i], result[i]);
  }

  void accumulate(Value v, Value ct) {
    if (!ct || known_.contains(v)) return;
    const auto [it, fresh] = cotangent_.emplace(v, ct);
    if (!fresh) it->second = b_.add(it->second, ct);
  }

  const Function& f_;
  Transforms& tf_;
  Build b_;
  ValueMap known_, cotangent_;  // known: what does not depend on the linear inputs
  MissingRules missing_{"transpose"};
};

// Whether a node that runs functions takes linear operands beside others: outputs of it that do not depend on them may
// be needed to go backwards.
bool is_mixed(const Function& f, const Mask& linear) {
  std::unordered_map<Value, bool, ValueHash> depends;
  for (size_t i = 0; i < linear.size(); ++i) depends[f.params()[i]] = linear[i];
  for (const Node& n : f.nodes()) {
    if (!n.op) continue;
    const auto on_linear = std::ranges::count_if(n.in, [&](Value v) { return depends.at(v); });
    if (!n.bodies.empty() && on_linear > 0 && n.outputs() > 1) return true;
    for (const Value& v : n.outs()) depends[v] = on_linear > 0;
  }
  return false;
}

}  // namespace

Body Transformer::make_transpose(const Body& f, const Mask& linear, const Mask& present) {
  if (!is_mixed(*f, linear)) return TransposeWalk(*f, *this).run(linear, present);
  Mask known = linear, unknown;
  known.flip();
  const SplitBody parts = split(f, known, Mask(f->outputs().size(), false));
  Mask rest(parts.unknown->params().size(), true);
  std::fill_n(rest.begin(), parts.residuals, false);
  Build b(f->name() + ".transpose");
  b.at({});
  Values args, cotangents;
  for (size_t i = 0; i < linear.size(); ++i)
    if (known[i]) args.push_back(b.parameter_like(f->params()[i]));
  for (size_t i = 0; i < present.size(); ++i) {
    const Value ct = present[i] ? b.parameter(f->outputs()[i].type(), cotangent_name(f->output_names()[i])) : Value{};
    if (parts.out_known[i]) continue;
    unknown.push_back(present[i]);
    if (ct) cotangents.push_back(ct);
  }
  const Values made = b.inline_call(*parts.known, args);
  Values in(made.end() - parts.residuals, made.end());
  in.insert(in.end(), cotangents.begin(), cotangents.end());
  const Body back = TransposeWalk(*parts.unknown, *this).run(rest, unknown);
  return pruner.pruned(b.finish(b.inline_call(*back, in), back->output_names()));
}

}  // namespace viva
