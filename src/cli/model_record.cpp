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

std::string names_of(const std::vector<OutputRecord>& outputs) {
  std::string s;
  for (const OutputRecord& o : outputs) s += (s.empty() ? "" : ", ") + double_quoted(o.name);
  return s;
}

std::string columns(int64_t labels, bool exact) {
  if (exact) return fmt::format("{} columns, as many as there are labels (0 to {})", labels, labels - 1);
  return fmt::format("a column for each of the labels 0 to {}", labels - 1);
}

}  // namespace

std::vector<OutputRecord> outputs_of(const OpenModel& m, const BatchedModel& one) {
  std::vector<OutputRecord> all;
  for (size_t i = 0; i < m.file.graph.outputs.size(); ++i) {
    const ValueDef& v = m.file.graph.outputs[i];
    const Type t = one.function->outputs()[i].type();
    const bool scores = is_float(t.dtype) && !t.shape.empty();
    all.push_back(
        {v.name, declared_type(v), scores ? classes_of(Shape{t.shape.begin() + 1, t.shape.end()}) : int64_t{0}});
  }
  return all;
}

OutputTaken taken_output(const std::string& path, const std::vector<OutputRecord>& outputs, const std::string& name,
                         const std::function<int64_t()>& label_count) {
  if (!name.empty()) {
    const auto at = std::ranges::find(outputs, name, &OutputRecord::name);
    if (at == outputs.end())
      throw usage_error("--output-name {}: {} has no such output; it has {}", name, path, names_of(outputs));
    return {static_cast<size_t>(at - outputs.begin()), outputs.size() > 1 ? "as --output-name says" : ""};
  }
  if (outputs.size() == 1) return {};
  std::vector<size_t> able;
  for (size_t i = 0; i < outputs.size(); ++i)
    if (outputs[i].classes > 0) able.push_back(i);
  if (able.empty()) return {};
  if (able.size() == 1) return {able[0], "the only one of floats with a column for each of at least two classes"};
  const int64_t labels = label_count();
  const auto with = [&](auto fits) {
    std::vector<size_t> some;
    std::ranges::copy_if(able, std::back_inserter(some), [&](size_t i) { return fits(outputs[i].classes); });
    return some;
  };
  std::vector<size_t> fitting = with([&](int64_t k) { return k == labels; });
  const bool exact = !fitting.empty();
  if (!exact) fitting = with([&](int64_t k) { return k > labels; });
  const std::string what = columns(labels, exact);
  if (fitting.size() == 1) return {fitting[0], "the only one with " + what};
  if (fitting.empty()) return {able[0], "the first with a column for each of at least two classes"};
  if (fitting[0] == 0) return {0, fmt::format("the first of {} with {}", fitting.size(), what)};
  std::vector<OutputRecord> open;
  for (const size_t i : fitting) open.push_back(outputs[i]);
  throw usage_error("{}: more than one output has {}: name one of {} with --output-name", path, what, names_of(open));
}

const FinalSoftmax* class_softmax(const OpenModel& m, const Imported& one, const std::string& output) {
  const int64_t batch = m.batching == Batching::fixed ? m.fixed_batch : 1;
  for (const FinalSoftmax& s : one.softmax)
    if (s.output == output && s.shape[static_cast<size_t>(s.axis)] * batch == numel(s.shape) &&
        (batch == 1 || s.axis > 0))
      return &s;
  return nullptr;
}

ModelRecord record_of(const OpenModel& m, const BatchedModel& one, const OutputTaken& output) {
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
  add_index_use(r, one.imported);
  r.outputs = outputs_of(m, one);
  const OutputRecord& taken = r.outputs.at(output.index);
  r.output_name = taken.name, r.output_type = taken.type, r.output_why = output.why;
  r.batch = m.batching == Batching::open     ? BatchMode::symbolic
            : m.batching == Batching::single ? BatchMode::vectorised
                                             : BatchMode::padded;
  r.batch_size = m.batching == Batching::fixed ? m.fixed_batch : m.leading_one ? 1 : 0;
  r.training_operators = one.imported.training;
  if (const FinalSoftmax* s = class_softmax(m, one.imported, r.output_name)) r.softmax_axis = s->axis;
  if (const auto at = one.imported.unit_outputs.find(r.output_name); at != one.imported.unit_outputs.end())
    r.unit_end = at->second;
  if (const auto at = one.imported.activated_outputs.find(r.output_name); at != one.imported.activated_outputs.end())
    r.activation_end = at->second;
  std::vector<bool> active(one.function->params().size(), false);
  active[0] = has_tangent(one.function->params()[0].dtype());
  r.coverage = coverage_of(one.function, active);
  r.classes = class_names_in(file.metadata, taken.classes);
  return r;
}

}  // namespace viva
