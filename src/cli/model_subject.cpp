// A network under examination, over the importer and the engine.
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "cli/chunks.h"
#include "cli/model_record.h"
#include "cli/open.h"
#include "cli/open_extents.h"
#include "cpu/executable.h"
#include "examine/evaluation.h"
#include "graph/build.h"

namespace viva {
namespace {

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

// Of the float types that values of f pass through, arguments apart.
double coarsest_epsilon(const Function& f) {
  double coarsest = 0x1p-52;
  for (const Node& n : f.nodes()) {
    for (const Body& b : n.bodies) coarsest = std::max(coarsest, coarsest_epsilon(*b));
    if (!n.op) continue;
    for (const Type& t : n.types) {
      if (t.dtype == Dtype::bfloat16) coarsest = std::max(coarsest, 0x1p-7);
      if (t.dtype == Dtype::float16) coarsest = std::max(coarsest, 0x1p-10);
      if (t.dtype == Dtype::float32) coarsest = std::max(coarsest, 0x1p-23);
    }
  }
  return coarsest;
}

// What the file leaves open and rows cannot settle is beyond examine, and no misuse of it.
template <class F> auto without_usage(F&& f) {
  try {
    return f();
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::usage) throw;
    throw unsupported("{}", e.message());
  }
}

class ModelSubject final : public Subject {
 public:
  ModelSubject(const std::string& path, const SubjectChoice& choice)
      : model_(open_model(path)), before_(choice.before) {
    check_input(path, choice.input);
    if (leaves_rows_open(model_)) row_ = row_after(before_.layout, choice.row_shape());
    if (!before_.layout.empty()) stored_ = choice.row_shape();
    BatchedModel one = own_at(model_.batching == Batching::fixed ? model_.fixed_batch : 1, {});
    const Shape& x = one.function->params()[0].shape();
    arranged_ = {x.begin() + 1, x.end()};
    one.function = with_before_rows(one.function);
    const OutputTaken output = taken_output(path, outputs_of(model_, one), choice.output, choice.label_count);
    record_ = record_of(model_, one, output);
    record_.prepended = in_words(before_);
    rows_ = chunk_rows(model_, *one.function);
    model_.file.graph.outputs = {model_.file.graph.outputs[output.index]};
    const FinalSoftmax* softmax = class_softmax(model_, one.imported, record_.output_name);
    if (softmax) extra_ = {softmax->logits};
    compile_for(batched_at(rows_, extra_));
  }

  const ModelRecord& record() const override { return record_; }
  Type row_type() const override { return row_type_; }
  Shape arranged_row() const override { return arranged_; }
  Shape output_row_shape() const override { return {output_type_.shape.begin() + 1, output_type_.shape.end()}; }
  double output_epsilon() const override { return epsilon_; }

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
      const Array logits = out[1].converted(dtype);
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

  NetworkFunction network(int64_t rows) override {
    const int64_t classes = classes_of(*this);
    if (classes == 0)
      throw unsupported("{}: output {} is not one number for each of at least two classes", record_.path,
                        record_.output_name);
    const int64_t batch = model_.batching == Batching::fixed ? rows_ : std::min(rows, rows_);
    const BatchedModel m = batched_at(batch, softmax_ ? extra_ : std::vector<std::string>{});
    Build b("scores");
    Values args;
    for (const Value& p : m.function->params()) args.push_back(b.parameter_like(p));
    const Value scores = b.inline_call(*m.function, args).back();
    return {b.finish({b.reshape(scores, {batch, classes})}, {"scores"}), m.imported.weights, batch};
  }

  Compiled compiled(const Body& f, std::vector<std::pair<int64_t, Array>> bound) override {
    PlanOptions options;
    options.constants = std::move(bound);
    return [run = compile(f, options)](std::vector<Array> arguments, ThreadPool& pool, const Cancel& cancel) {
      return run.call(std::move(arguments), pool, &cancel).take();
    };
  }

 private:
  void check_input(const std::string& path, const std::string& name) const {
    const auto& inputs = model_.file.graph.inputs;
    std::string all;
    for (const ValueDef& v : inputs) all += (all.empty() ? "" : ", ") + v.name;
    if (!name.empty() && std::ranges::find(inputs, name, &ValueDef::name) == inputs.end())
      throw usage_error("--input-name {}: {} has no such input; it has {}", name, path, all);
    if (inputs.size() != 1)
      throw unsupported("{}: takes {} inputs ({}), and a row of data fills one: export a network with the others fixed",
                        path, inputs.size(), all);
  }

  BatchedModel own_at(int64_t n, std::vector<std::string> extra) const {
    Binding binding = row_ ? bound_to_rows(model_, *row_, n) : Binding{};
    binding.extra_outputs = std::move(extra);
    return without_usage([&] { return with_batch(model_, n, binding); });
  }

  Body with_before_rows(const Body& f) const {
    return before_.empty() ? f : with_before(f, before_, given_row(before_, arranged_, stored_));
  }

  BatchedModel batched_at(int64_t n, std::vector<std::string> extra) const {
    BatchedModel m = own_at(n, std::move(extra));
    m.function = with_before_rows(m.function);
    return m;
  }

  void compile_for(const BatchedModel& batched) {
    PlanOptions options;
    for (size_t i = 0; i < batched.imported.weights.size(); ++i)
      options.constants.emplace_back(1 + static_cast<int64_t>(i), batched.imported.weights[i]);
    executable_.emplace(compile(batched.function, options));
    const Type in = batched.function->params()[0].type();
    row_type_ = {in.dtype, {in.shape.begin() + 1, in.shape.end()}};
    const auto& outputs = batched.function->outputs();
    output_type_ = outputs[0].type();
    const std::string& path = record_.path;
    if (output_type_.shape.empty() || output_type_.shape[0] != rows_)
      throw unsupported("{}: output {} is {}, which does not lead with the batch", path, record_.output_name,
                        to_string(output_type_));
    if (!is_float(output_type_.dtype))
      throw unsupported("{}: output {} is {}; examine reads float outputs, such as scores before an ArgMax", path,
                        record_.output_name, record_.output_type);
    softmax_ = outputs.size() > 1 && !outputs[1].shape().empty() && outputs[1].shape()[0] == rows_;
    if (!softmax_) record_.softmax_axis.reset();
    epsilon_ = coarsest_epsilon(*batched.function);
  }

  // Every run takes rows_ rows, so that a row's bits do not depend on how many come with it; the last row fills up.
  Array chunk(const Array& inputs, int64_t first, int64_t count) const {
    Array c = Array::make({row_type_.dtype, with_rows(rows_, row_type_.shape)});
    copy_rows(c, 0, inputs, first, count);
    for (int64_t i = count; i < rows_; ++i) copy_rows(c, i, inputs, first + count - 1, 1);
    return c;
  }

  OpenModel model_;
  Before before_;
  std::optional<Shape> row_;        // that the network takes, where the file leaves more than the batch open
  Shape stored_;                    // row of the data, where --layout is given
  Shape arranged_;                  // row that the file's own graph takes
  std::vector<std::string> extra_;  // the Softmax's input, where there is one
  ModelRecord record_;
  std::optional<Executable> executable_;
  Type row_type_, output_type_;
  int64_t rows_ = 1;
  double epsilon_ = 0;
  bool softmax_ = false;
};

}  // namespace

std::unique_ptr<Subject> open_subject(const std::string& path, const SubjectChoice& choice) {
  return std::make_unique<ModelSubject>(path, choice);
}

}  // namespace viva
