#include "onnx/import.h"

#include <algorithm>
#include <unordered_set>

#include "graph/opdef.h"
#include "graph/prune.h"
#include "onnx/importer.h"

namespace viva {

std::vector<OpenExtent> open_extents(const ModelFile& m) {
  std::vector<OpenExtent> open;
  for (const ValueDef& v : m.graph.inputs)
    for (size_t i = 0; i < v.dims.size(); ++i)
      if (!v.dims[i].value) open.push_back({v.name, static_cast<int64_t>(i), v.dims[i].symbol});
  return open;
}

Type Importer::type_of(const ValueDef& v) const {
  if (!v.dtype) throw error(ErrorKind::unsupported, fmt::format("input {}: {}", in_quotes(v.name), v.unsupported));
  Type t{in_precision(*v.dtype), {}};
  const auto given = bind_.shapes.find(v.name);
  if (given != bind_.shapes.end()) t.shape = given->second;
  else if (!v.has_shape)
    throw error(ErrorKind::usage, fmt::format("input {} has no shape in the file: give one", in_quotes(v.name)));
  const auto mismatch = [&] {
    return error(ErrorKind::usage,
                 fmt::format("input {} cannot have the shape {}", in_quotes(v.name), to_string(t.shape)));
  };
  if (given != bind_.shapes.end() && v.has_shape && t.shape.size() != v.dims.size()) throw mismatch();
  for (size_t i = 0; i < v.dims.size(); ++i) {
    const DimDef& d = v.dims[i];
    const auto symbol = bind_.symbols.find(d.symbol);
    const bool bound = !d.symbol.empty() && symbol != bind_.symbols.end();
    if (given != bind_.shapes.end()) {
      if (t.shape[i] < 0 || (d.value && *d.value != t.shape[i]) || (bound && symbol->second != t.shape[i]))
        throw mismatch();
    } else if (d.value) t.shape.push_back(*d.value);
    else if (bound) t.shape.push_back(symbol->second);
    else if (i == 0 && bind_.batch) t.shape.push_back(*bind_.batch);
    else
      throw error(ErrorKind::usage,
                  fmt::format("extent {} of input {} is open ({}): give it a value", i, in_quotes(v.name),
                              d.symbol.empty() ? "no symbol" : "symbol " + in_quotes(d.symbol)));
    if (t.shape[i] < 0)
      throw error(ErrorKind::usage, fmt::format("extent {} of input {} is negative", i, in_quotes(v.name)));
  }
  try {
    numel(t.shape);
  } catch (const Error& e) {
    throw error(ErrorKind::input, fmt::format("input {}: {}", in_quotes(v.name), e.message()));
  }
  return t;
}

// A claimed size beyond any memory is refused before anything is computed.
void Importer::check_sizes(const Function& f) const {
  constexpr int64_t largest = int64_t{1} << 33;  // elements
  for (const Node& n : f.nodes()) {
    for (const Body& b : n.bodies) check_sizes(*b);
    for (size_t i = 0; i < n.types.size(); ++i)
      if (numel(n.types[i].shape) > largest)
        throw error(ErrorKind::input, fmt::format("a {} makes {}, more than {} elements: is the file damaged?",
                                                  n.op ? n.op->name : "call", to_string(n.types[i]), largest));
  }
}

void Importer::define_inputs(Scope& scope) {
  std::unordered_set<std::string> names;
  for (const ValueDef& v : m_.graph.inputs) {
    names.insert(v.name);
    const Type t = type_of(v);
    if (const auto fixed = bind_.inputs.find(v.name); fixed != bind_.inputs.end()) {
      if (fixed->second.type() != t)
        throw error(ErrorKind::usage, fmt::format("input {} is {}, not {}", in_quotes(v.name), to_string(t),
                                                  to_string(fixed->second.type())));
      scope.items.emplace(v.name, fixed->second);
      continue;
    }
    scope.items.emplace(v.name, b_.parameter(t, v.name));
    out_.input_names.push_back(v.name);
    out_.input_types.push_back(t);
  }
  for (const auto& [name, value] : bind_.inputs)
    if (!names.contains(name)) throw error(ErrorKind::usage, fmt::format("there is no input {}", in_quotes(name)));
  for (const auto& [name, shape] : bind_.shapes)
    if (!names.contains(name)) throw error(ErrorKind::usage, fmt::format("there is no input {}", in_quotes(name)));
}

Value Importer::output_value(const std::string& name, Scope& scope) {
  Item* x = scope.find(name);
  if (!x) throw error(ErrorKind::usage, fmt::format("there is no value {}", in_quotes(name)));
  if (x->unsupported == "reported") return {};
  if (!x->unsupported.empty())
    throw error(ErrorKind::unsupported, fmt::format("output {}: {}", in_quotes(name), x->unsupported));
  if (!x->value) x->value = b_.constant(*x->known);
  return x->value;
}

Imported Importer::run() {
  Scope top;
  define_inputs(top);
  define_initializers(m_.graph, top, true);
  nodes(m_.graph.nodes, top);
  throw_reports();
  Values outputs;
  for (const ValueDef& v : m_.graph.outputs) {
    out_.output_names.push_back(v.name);
    outputs.push_back(output_value(v.name, top));
  }
  for (const std::string& name : bind_.extra_outputs) {
    out_.output_names.push_back(name);
    outputs.push_back(output_value(name, top));
  }
  find_endings(top);
  find_indexes(top);
  finish(outputs);
  compare_outputs();
  return std::move(out_);
}

// Drops what no output needs, unused weights too, and keeps every input.
void Importer::finish(const Values& outputs) {
  const Body whole = b_.finish(outputs, out_.output_names);
  const size_t inputs = out_.input_names.size();
  Mask droppable(whole->params().size(), true);
  std::fill_n(droppable.begin(), inputs, false);
  const Pruned p = prune(*whole, Mask(outputs.size(), true), droppable);
  for (size_t i = inputs; i < p.params.size(); ++i) {
    if (!p.params[i]) continue;
    out_.weights.push_back(weights_[i - inputs]);
    out_.weight_names.push_back(weight_names_[i - inputs]);
    out_.weight_types.push_back(weights_[i - inputs].type());
  }
  out_.function = p.body;
  out_.output_types = out_.function->output_types();
  check_sizes(*out_.function);
}

void Importer::compare_outputs() {
  for (size_t i = 0; i < m_.graph.outputs.size(); ++i) {
    const ValueDef& v = m_.graph.outputs[i];
    const Type& t = out_.output_types[i];
    bool fits = !v.dtype || in_precision(*v.dtype) == t.dtype;
    if (v.has_shape) {
      fits = fits && v.dims.size() == t.shape.size();
      for (size_t k = 0; fits && k < v.dims.size(); ++k) fits = !v.dims[k].value || *v.dims[k].value == t.shape[k];
    }
    if (!fits)
      out_.notes.push_back(
          fmt::format("output {} is declared otherwise than the {} that is computed", in_quotes(v.name), to_string(t)));
  }
}

Imported import_onnx(const ModelFile& m, const Binding& binding) { return Importer(m, binding).run(); }

}  // namespace viva
