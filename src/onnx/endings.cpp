// What a model's outputs end in, and which tables its inputs index: facts read off the nodes, after import.
#include <algorithm>
#include <cmath>
#include <set>

#include "onnx/importer.h"

namespace viva {
namespace {

template <class... Name> bool is_one_of(const NodeDef& n, Name... names) {
  return n.domain.empty() && ((n.op_type == names) || ...);
}

// Operators that keep every element and their order; a Cast rounds at most.
bool keeps_elements(const NodeDef& n) {
  return is_one_of(n, "Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout", "Cast");
}

// Activations whose results no Softmax was meant to take; those onto [0, 1] come before.
bool ends_in_activation(const NodeDef& n) {
  return is_one_of(n, "Tanh", "Relu", "Clip", "LeakyRelu", "PRelu", "ThresholdedRelu", "Elu", "Selu", "Celu", "Gelu",
                   "Softplus", "Softsign", "HardSwish", "Swish", "Mish");
}

const Type* type_in(Item* x) { return x && (x->value || x->known) ? &x->type() : nullptr; }

}  // namespace

// The node that makes a value, past operators that keep its elements; null where that is an input or a constant.
const NodeDef* Importer::maker_of(std::string_view name, const Makers& makers, Scope& scope) const {
  for (auto at = makers.find(name); at != makers.end(); at = makers.find(name)) {
    const NodeDef& n = *at->second;
    if (functions_.contains({n.domain, n.op_type, n.overload})) return nullptr;
    if (!keeps_elements(n)) return &n;
    const Type* t = type_in(scope.find(n.outputs[0]));
    if (!t || !is_float(t->dtype) || n.inputs.empty()) return nullptr;
    name = n.inputs[0];
  }
  return nullptr;
}

// A Softmax over one axis; before opset 13 all axes from the given one on count as one.
std::optional<FinalSoftmax> Importer::softmax_of(const NodeDef& n, Scope& scope) const {
  const Type* t = n.inputs.empty() ? nullptr : type_in(scope.find(n.inputs[0]));
  if (n.op_type != "Softmax" || !t) return std::nullopt;
  const int64_t rank = t->rank();
  const bool coerced = opset("") < 13;
  const AttributeDef* a = n.find("axis");
  int64_t axis = a ? a->i : coerced ? 1 : -1;
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return std::nullopt;
  if (coerced) {
    const int64_t first = axis;
    for (int64_t d = first; d < rank; ++d)
      if (t->shape[static_cast<size_t>(d)] != 1) axis = d;
    for (int64_t d = first; d < rank; ++d)
      if (d != axis && t->shape[static_cast<size_t>(d)] != 1) return std::nullopt;
  }
  return FinalSoftmax{"", n.inputs[0], axis, t->shape};
}

// Whether a node's results lie in [0, 1] whatever it is given.
bool Importer::ends_in_unit(const NodeDef& n, Scope& scope) const {
  if (is_one_of(n, "Sigmoid", "HardSigmoid")) return true;
  if (!is_one_of(n, "Clip")) return false;
  const auto bound = [&](size_t input, const char* attribute, double otherwise) {
    if (const AttributeDef* a = n.find(attribute)) return static_cast<double>(a->f);
    Item* x = n.inputs.size() > input ? scope.find(n.inputs[input]) : nullptr;
    return x && x->known && x->known->size() == 1 ? x->known->at(0) : otherwise;
  };
  return bound(1, "min", -INFINITY) >= 0 && bound(2, "max", INFINITY) <= 1;
}

void Importer::find_endings(Scope& scope) {
  Makers makers;
  for (const NodeDef& n : m_.graph.nodes)
    if (!n.outputs.empty()) makers.emplace(n.outputs[0], &n);
  for (const ValueDef& v : m_.graph.outputs) {
    const NodeDef* n = maker_of(v.name, makers, scope);
    if (!n || !n->domain.empty()) continue;
    if (auto s = softmax_of(*n, scope)) {
      s->output = v.name;
      out_.softmax.push_back(std::move(*s));
    } else if (ends_in_unit(*n, scope)) {
      out_.unit_outputs.emplace(v.name, n->op_type);
    } else if (ends_in_activation(*n)) {
      out_.activated_outputs.emplace(v.name, n->op_type);
    }
  }
}

// Follows the values of each input through the graph's own nodes to the operators that index with them.
void Importer::find_indexes(Scope& scope) {
  const auto indexes = [](const NodeDef& n) {
    return is_one_of(n, "Gather", "GatherElements", "GatherND", "Scatter", "ScatterElements", "ScatterND");
  };
  if (m_.graph.inputs.size() > 16) return;  // each costs a walk over all nodes
  for (const ValueDef& v : m_.graph.inputs) {
    IndexUse use;
    std::set<std::string> whole{v.name}, computed;  // all of the input's values; values made of them
    for (const NodeDef& n : m_.graph.nodes) {
      const auto takes = [&](const std::set<std::string>& s) {
        return std::ranges::any_of(n.inputs, [&](const std::string& i) { return s.contains(i); });
      };
      if (!takes(whole) && !takes(computed)) continue;
      const auto f = functions_.find({n.domain, n.op_type, n.overload});
      if (f != functions_.end()) use.computed = use.computed || std::ranges::any_of(f->second->nodes, indexes);
      const std::string by = indexes(n) && n.inputs.size() > 1 ? n.inputs[1] : "";
      const Type* table = by.empty() ? nullptr : type_in(scope.find(n.inputs[0]));
      const AttributeDef* a = n.find("axis");
      int64_t axis = a ? a->i : 0;
      if (table && axis < 0) axis += table->rank();
      const bool one_axis = is_one_of(n, "Gather", "GatherElements") && table && axis >= 0 && axis < table->rank();
      if (whole.contains(by) && one_axis) {
        const int64_t extent = table->shape[static_cast<size_t>(axis)];
        use.extent = std::min(use.extent.value_or(extent), extent);
      } else if (whole.contains(by) || computed.contains(by)) use.computed = true;
      // Those that find indexes of their own stay inside.
      if (is_one_of(n, "ArgMax", "ArgMin", "TopK", "NonZero", "Shape", "Size")) continue;
      const bool same = f == functions_.end() && (keeps_elements(n) || is_one_of(n, "Transpose", "Expand")) &&
                        !n.inputs.empty() && whole.contains(n.inputs[0]);
      for (const std::string& o : n.outputs) (same ? whole : computed).insert(o);
    }
    if (use.extent || use.computed) out_.index_uses.emplace(v.name, use);
  }
}

}  // namespace viva
