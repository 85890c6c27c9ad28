#include "graph/dependence.h"

#include "graph/opdef.h"

namespace viva {

const Dependence& Function::dependence() const {
  std::call_once(once_, [this] { dependence_ = std::make_shared<const Dependence>(*this); });
  return *dependence_;
}

Mask needed_operands(const Node& n, const Mask& outputs) {
  return n.op->needs ? n.op->needs(n, outputs) : Mask(n.in.size(), true);
}

Dependence::Dependence(const Function& f) : parameters_(f.params().size()) {
  std::unordered_map<Value, Mask, ValueHash> on;
  for (size_t p = 0; p < parameters_; ++p) (on[f.params()[p]] = Mask(parameters_, false))[p] = true;
  for (const Node& node : f.nodes()) {
    if (!node.op) continue;
    for (int o = 0; o < node.outputs(); ++o) {
      Mask used(node.types.size(), false);
      used[static_cast<size_t>(o)] = true;
      const Mask needs = needed_operands(node, used);
      Mask& m = on[node.out(o)] = Mask(parameters_, false);
      for (size_t i = 0; i < node.in.size(); ++i)
        for (size_t p = 0; needs[i] && p < parameters_; ++p) m[p] = m[p] || on.at(node.in[i])[p];
    }
  }
  for (const Value& v : f.outputs()) of_.push_back(on.at(v));
}

Mask Dependence::reached_from(const Mask& parameters) const {
  Mask m;
  for (const Mask& row : of_) {
    bool reached = false;
    for (size_t p = 0; p < parameters_; ++p) reached = reached || (parameters[p] && row[p]);
    m.push_back(reached);
  }
  return m;
}

Mask Dependence::needed_by(const Mask& outputs) const {
  Mask m(parameters_, false);
  for (size_t o = 0; o < of_.size(); ++o)
    for (size_t p = 0; outputs[o] && p < parameters_; ++p) m[p] = m[p] || of_[o][p];
  return m;
}

}  // namespace viva
