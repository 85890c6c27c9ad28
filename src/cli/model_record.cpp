#include "cli/model_record.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "cli/class_names.h"
#include "examine/evaluation.h"
#include "graph/opdef.h"
#include "graph/text.h"
#include "transform/transform.h"

namespace viva {
namespace {

// Operations of f, and of what it calls, that lack a rule and are not excused by the reason.
template <class Rules> std::vector<Missing> without_rule(const Function& f, Rules&& rule_of, bool excuse_constants) {
  std::vector<Missing> missing;
  const auto visit = [&](const auto& self, const Function& g) -> void {
    for (const Node& n : g.nodes()) {
      for (const Body& b : n.bodies) self(self, *b);
      if (!n.op || rule_of(*n.op) || n.op->inlines) continue;  // plans look into functions
      const Absent& why = rule_of(*n.op).absent();
      if (excuse_constants && (why.reason == Reason::no_tangent || why.reason == Reason::integer_output)) continue;
      if (std::ranges::find(missing, n.op->name, &Missing::op) == missing.end())
        missing.push_back({std::string(n.op->name), std::string(why.why)});
    }
  };
  visit(visit, f);
  return missing;
}

// Whether reverse mode reaches the input: tried, because what must be transposed shows only in the derivative.
std::vector<Missing> transpose_missing(const Body& f, const std::vector<bool>& active) {
  try {
    vjp(f, active);
    return {};
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::unsupported && e.kind() != ErrorKind::usage) throw;
    return {{"", e.message()}};
  }
}

std::vector<Coverage> coverage_of(const Body& f, const std::vector<bool>& active) {
  return {{"jvp", without_rule(
                      *f, [](const OpDef& d) -> const auto& { return d.jvp; }, true)},
          {"split", without_rule(
                        *f, [](const OpDef& d) -> const auto& { return d.split; }, false)},
          {"transpose", transpose_missing(f, active)},
          {"vmap", without_rule(
                       *f, [](const OpDef& d) -> const auto& { return d.batch; }, false)},
          {"lower", without_rule(*f, [](const OpDef& d) -> const auto& { return d.lower; }, false)}};
}

// "f32[N,1,28,28]": the type as the file states it.
std::string declared_type(const ValueDef& v) {
  if (!v.has_shape) return fmt::format("{} of any shape", v.dtype ? name(*v.dtype) : "?");
  std::vector<std::string> dims;
  for (const DimDef& d : v.dims) dims.push_back(d.value ? std::to_string(*d.value) : d.symbol.empty() ? "?" : d.symbol);
  return fmt::format("{}[{}]", v.dtype ? name(*v.dtype) : "?", fmt::join(dims, ","));
}

void add_index_use(ModelRecord& r, const Imported& m) {
  const auto use = m.index_uses.find(m.input_names.at(0));
  if (use == m.index_uses.end()) return;
  r.index_extent = use->second.extent;
  r.computed_indexes = use->second.computed && !is_float(m.input_types.at(0).dtype);
}

std::string names_of(const GraphDef& g) {
  std::string s;
  for (const ValueDef& v : g.outputs) s += (s.empty() ? "" : ", ") + double_quoted(v.name);
  return s;
}

}  // namespace

size_t chosen_output(const OpenModel& m, const BatchedModel& one, const std::string& name) {
  const GraphDef& g = m.file.graph;
  if (!name.empty()) {
    const auto at = std::ranges::find(g.outputs, name, &ValueDef::name);
    if (at == g.outputs.end())
      throw usage_error("--output-name {}: {} has no such output; it has {}", name, m.file.files.at(0).path,
                        names_of(g));
    return static_cast<size_t>(at - g.outputs.begin());
  }
  std::vector<size_t> classifying;
  for (size_t i = 0; i < g.outputs.size(); ++i) {
    const Type t = one.function->outputs()[i].type();
    if (is_float(t.dtype) && !t.shape.empty() && classes_of(Shape{t.shape.begin() + 1, t.shape.end()}) > 0)
      classifying.push_back(i);
  }
  if (classifying.empty()) return 0;
  if (classifying.size() > 1 && classifying[0] != 0)
    throw usage_error("{}: more than one output has a number for each class: name one of {} with --output-name",
                      m.file.files.at(0).path, names_of(g));
  return classifying[0];
}

const FinalSoftmax* class_softmax(const OpenModel& m, const Imported& one, const std::string& output) {
  const int64_t batch = m.batching == Batching::fixed ? m.fixed_batch : 1;
  for (const FinalSoftmax& s : one.softmax)
    if (s.output == output && s.shape[static_cast<size_t>(s.axis)] * batch == numel(s.shape) &&
        (batch == 1 || s.axis > 0))
      return &s;
  return nullptr;
}

ModelRecord record_of(const OpenModel& m, const BatchedModel& one, size_t output) {
  ModelRecord r;
  const ModelFile& file = m.file;
  r.path = file.files.at(0).path;
  r.sha256 = file.files.at(0).sha256;
  for (const FileRead& f : file.files) r.files.push_back({f.path, f.sha256, f.bytes});
  r.metadata = file.metadata;
  r.producer = file.producer + (file.producer_version.empty() ? "" : " " + file.producer_version);
  r.ir_version = file.ir_version;
  for (const auto& [domain, version] : file.opsets) r.opsets.emplace_back(domain, version);
  for (const auto& [op, count] : one.imported.operators) r.operators.push_back({op, count});
  r.parameters = parameter_count(one.imported);
  const double examples = m.batching == Batching::fixed ? static_cast<double>(m.fixed_batch) : 1;
  r.flops = contraction_flops(*one.imported.function) / examples;
  r.input_name = file.graph.inputs[0].name, r.input_type = declared_type(file.graph.inputs[0]);
  for (size_t i = 0; i < file.graph.outputs.size(); ++i)
    if (i != output) r.other_outputs.push_back(file.graph.outputs[i].name);
  add_index_use(r, one.imported);
  r.output_name = file.graph.outputs[output].name, r.output_type = declared_type(file.graph.outputs[output]);
  r.batch = m.batching == Batching::open     ? BatchMode::symbolic
            : m.batching == Batching::single ? BatchMode::vectorised
                                             : BatchMode::padded;
  r.batch_size = m.batching == Batching::fixed ? m.fixed_batch : m.leading_one ? 1 : 0;
  r.training_operators = one.imported.training;
  if (const FinalSoftmax* s = class_softmax(m, one.imported, r.output_name)) r.softmax_axis = s->axis;
  if (const auto at = one.imported.unit_outputs.find(r.output_name); at != one.imported.unit_outputs.end())
    r.unit_end = at->second;
  std::vector<bool> active(one.function->params().size(), false);
  active[0] = has_tangent(one.function->params()[0].dtype());
  r.coverage = coverage_of(one.function, active);
  const Shape scores = one.function->outputs()[output].shape();
  if (!scores.empty()) r.classes = class_names_in(file.metadata, classes_of(Shape{scores.begin() + 1, scores.end()}));
  return r;
}

}  // namespace viva
