#include "cli/layers.h"

#include <unordered_map>
#include <unordered_set>

#include "base/error.h"

namespace viva {
namespace {

using Types = std::unordered_map<std::string, Type>;

// The types of all inner values: the import once more, with each of them as an output.
Types inner_types(const ModelFile& file, const Imported& m, const Binding& binding) {
  Types types;
  for (const Node& n : m.function->nodes())
    for (int i = 0; i < n.outputs(); ++i)
      if (!n.out(i).name().empty()) types.emplace(n.out(i).name(), n.out(i).type());
  for (size_t i = 0; i < m.output_names.size(); ++i) types.emplace(m.output_names[i], m.output_types[i]);
  Binding wide = binding;
  for (const NodeDef& n : file.graph.nodes)
    for (const std::string& name : n.outputs)
      if (!name.empty()) wide.extra_outputs.push_back(name);
  try {
    const Imported all = import_onnx(file, wide);
    for (size_t i = 0; i < all.output_names.size(); ++i)
      types.insert_or_assign(all.output_names[i], all.output_types[i]);
  } catch (const Error& e) {
    // A value without a tensor type (text, say) cannot be an output; the values of the function have theirs.
    if (e.kind() != ErrorKind::unsupported) throw;
  }
  return types;
}

// What is computed from the end of one node of the file to the end of the next counts for the latter: values are named
// as each node ends, and keep their order.
std::unordered_map<std::string, double> flops_by_output(const ModelFile& file, const Function& f) {
  std::unordered_set<std::string_view> outputs;
  for (const NodeDef& n : file.graph.nodes) outputs.insert(n.outputs.begin(), n.outputs.end());
  std::unordered_map<std::string, double> flops;
  double pending = 0;
  for (const Node& n : f.nodes()) {
    pending += contraction_flops(n);
    for (int i = 0; i < n.outputs(); ++i)
      if (const std::string& name = n.out(i).name(); !name.empty() && outputs.contains(name))
        flops[name] += std::exchange(pending, 0);
  }
  return flops;
}

}  // namespace

std::vector<Layer> layers_of(const ModelFile& file, const Imported& m, const Binding& binding) {
  const Types types = inner_types(file, m, binding);
  const auto flops = flops_by_output(file, *m.function);
  std::unordered_map<std::string, int64_t> weights;
  for (size_t i = 0; i < m.weights.size(); ++i) weights.emplace(m.weight_names[i], m.weights[i].size());
  std::vector<Layer> layers;
  for (const NodeDef& n : file.graph.nodes) {
    Layer l{.name = n.name, .op = n.domain.empty() ? n.op_type : n.domain + "." + n.op_type, .outputs = {}};
    for (const std::string& name : n.outputs) {
      if (name.empty()) continue;
      const auto type = types.find(name);
      l.outputs.push_back({name, type == types.end() ? std::nullopt : std::optional(type->second)});
      if (const auto cost = flops.find(name); cost != flops.end()) l.flops += cost->second;
    }
    for (const std::string& name : n.inputs)
      if (const auto w = weights.find(name); w != weights.end()) l.parameters += std::exchange(w->second, 0);
    layers.push_back(std::move(l));
  }
  return layers;
}

}  // namespace viva
