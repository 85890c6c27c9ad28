// A network under examination, over the importer and the engine.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "cli/chunks.h"
#include "cli/model.h"
#include "cli/open.h"
#include "cpu/executable.h"
#include "graph/opdef.h"
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
          {"batch", without_rule(
                        *f, [](const OpDef& d) -> const auto& { return d.batch; }, false)},
          {"lower", without_rule(*f, [](const OpDef& d) -> const auto& { return d.lower; }, false)}};
}

// "f32[N,1,28,28]": the type as the file states it.
std::string declared_type(const ValueDef& v) {
  std::vector<std::string> dims;
  for (const DimDef& d : v.dims) dims.push_back(d.value ? std::to_string(*d.value) : d.symbol.empty() ? "?" : d.symbol);
  return fmt::format("{}[{}]", v.dtype ? name(*v.dtype) : "?", fmt::join(dims, ","));
}

ModelRecord record_of(const OpenModel& m, const BatchedModel& one) {
  ModelRecord r;
  const ModelFile& file = m.file;
  r.path = file.files.at(0).path;
  r.sha256 = file.files.at(0).sha256;
  for (const FileRead& f : file.files) r.files.push_back({f.path, f.sha256, f.bytes});
  r.producer = file.producer + (file.producer_version.empty() ? "" : " " + file.producer_version);
  r.ir_version = file.ir_version;
  for (const auto& [domain, version] : file.opsets) r.opsets.emplace_back(domain, version);
  for (const auto& [op, count] : one.imported.operators) r.operators.push_back({op, count});
  r.parameters = parameter_count(one.imported);
  const double examples = m.batching == Batching::fixed ? static_cast<double>(m.fixed_batch) : 1;
  r.flops = contraction_flops(*one.imported.function) / examples;
  r.input_name = file.graph.inputs[0].name, r.input_type = declared_type(file.graph.inputs[0]);
  for (size_t i = 1; i < file.graph.outputs.size(); ++i) r.other_outputs.push_back(file.graph.outputs[i].name);
  r.indexes = !has_tangent(one.function->params()[0].dtype());
  r.output_name = file.graph.outputs[0].name, r.output_type = declared_type(file.graph.outputs[0]);
  r.batch = m.batching == Batching::open     ? BatchMode::symbolic
            : m.batching == Batching::single ? BatchMode::vectorised
                                             : BatchMode::padded;
  r.batch_size = m.batching == Batching::fixed ? m.fixed_batch : m.leading_one ? 1 : 0;
  r.training_operators = one.imported.training;
  for (const FinalSoftmax& s : one.imported.softmax)
    if (s.output == r.output_name) r.softmax_axis = s.axis;
  return r;
}

// Rows in one run: as many as keep the largest value below 64 MB, at most 128; a function of the network alone.
int64_t chunk_rows(const OpenModel& m, const Function& one) {
  if (m.batching == Batching::fixed) return m.fixed_batch;
  int64_t largest = 1;
  for (const Node& n : one.nodes())
    for (const Type& t : n.types)
      if (n.op) largest = std::max(largest, numel(t.shape) * size_of(t.dtype));
  return std::clamp<int64_t>((int64_t{1} << 26) / largest, 1, 128);
}

void copy_rows(Array& to, int64_t at, const Array& from, int64_t first, int64_t count) {
  const int64_t row = from.bytes() / std::max<int64_t>(from.shape()[0], 1);
  std::memcpy(to.mutable_data() + at * row, from.data() + first * row, static_cast<size_t>(count * row));
}

Shape with_rows(int64_t n, const Shape& row) {
  Shape s = row;
  s.insert(s.begin(), n);
  return s;
}

class ModelSubject final : public Subject {
 public:
  explicit ModelSubject(const std::string& path) : model_(open_model(path)) {
    if (model_.file.graph.inputs.size() != 1)
      throw unsupported("{}: examine takes networks of one input; this one has {}", path,
                        model_.file.graph.inputs.size());
    const int64_t one_batch = model_.batching == Batching::fixed ? model_.fixed_batch : 1;
    const BatchedModel one = with_batch(model_, one_batch);
    record_ = record_of(model_, one);
    std::vector<bool> active(one.function->params().size(), false);
    active[0] = has_tangent(one.function->params()[0].dtype());
    record_.coverage = coverage_of(one.function, active);
    rows_ = chunk_rows(model_, *one.function);

    Binding binding;
    for (const FinalSoftmax& s : one.imported.softmax)
      if (s.output == record_.output_name) binding.extra_outputs = {s.logits};
    softmax_ = !binding.extra_outputs.empty();
    const BatchedModel batched = with_batch(model_, rows_, binding);
    CompileOptions options;
    for (size_t i = 0; i < batched.imported.weights.size(); ++i)
      options.constants.emplace_back(1 + static_cast<int64_t>(i), batched.imported.weights[i]);
    executable_.emplace(compile(batched.function, options));
    logits_at_ = batched.imported.output_names.size() - 1;
    const Type in = batched.function->params()[0].type();
    row_type_ = {in.dtype, {in.shape.begin() + 1, in.shape.end()}};
    output_type_ = batched.function->outputs()[0].type();
    if (output_type_.shape.empty() || output_type_.shape[0] != rows_)
      throw unsupported("{}: output {} is {}, which does not lead with the batch", path, record_.output_name,
                        to_string(output_type_));
    if (!is_float(output_type_.dtype))
      throw unsupported("{}: output {} is {}; examine reads float outputs, such as scores before an ArgMax", path,
                        record_.output_name, record_.output_type);
  }

  const ModelRecord& record() const override { return record_; }
  Type row_type() const override { return row_type_; }
  Shape output_row_shape() const override { return {output_type_.shape.begin() + 1, output_type_.shape.end()}; }

  Outputs outputs(const Array& inputs, ThreadPool& pool, const Cancel& cancel) override {
    const int64_t n = inputs.shape().at(0);
    Outputs all;
    const Dtype dtype = output_type_.dtype == Dtype::float64 ? Dtype::float64 : Dtype::float32;
    all.values = Array::make({dtype, with_rows(n, output_row_shape())});
    for (int64_t first = 0; first < n; first += rows_) {
      const int64_t count = std::min(rows_, n - first);
      std::vector<Array> out = executable_->call({chunk(inputs, first, count)}, pool, &cancel).take();
      copy_rows(all.values, first, out[0].converted(dtype), 0, count);
      if (!softmax_) continue;
      const Array logits = out[logits_at_].converted(dtype);
      if (all.before_softmax.empty())
        all.before_softmax = Array::make({dtype, with_rows(n, {logits.shape().begin() + 1, logits.shape().end()})});
      copy_rows(all.before_softmax, first, logits, 0, count);
    }
    return all;
  }

  RowInfluence row_influence(const Array& inputs, ThreadPool& pool, const Cancel& cancel) override {
    RowInfluence r{.independent = true, .evaluations = influence_evaluations(inputs.shape().at(0)), .measure = {}};
    if (model_.batching == Batching::single) {
      r.measure = "none needed: the graph of one example was vectorised";
      return r;
    }
    const FixedBatch f{rows_, {true}, [&](std::vector<Array> arguments) {
                         return std::vector<Array>{outputs(arguments[0], pool, cancel).values};
                       }};
    const Company company = in_other_company(f, {inputs}, inputs.shape()[0]);
    r.independent = company.independent();
    r.measure = company.measure;
    return r;
  }

  int64_t influence_evaluations(int64_t n) const override {
    return model_.batching == Batching::single ? 0 : company_calls(std::min(n, rows_)) * rows_;
  }

 private:
  // Every run takes rows_ rows, so that a row's bits do not depend on how many come with it; the last row fills up.
  Array chunk(const Array& inputs, int64_t first, int64_t count) const {
    Array c = Array::make({row_type_.dtype, with_rows(rows_, row_type_.shape)});
    copy_rows(c, 0, inputs, first, count);
    for (int64_t i = count; i < rows_; ++i) copy_rows(c, i, inputs, first + count - 1, 1);
    return c;
  }

  OpenModel model_;
  ModelRecord record_;
  std::optional<Executable> executable_;
  Type row_type_, output_type_;
  int64_t rows_ = 1;
  size_t logits_at_ = 0;
  bool softmax_ = false;
};

}  // namespace

std::unique_ptr<Subject> open_subject(const std::string& path) { return std::make_unique<ModelSubject>(path); }

}  // namespace viva
