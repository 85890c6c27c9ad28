#include "cli/model.h"

#include <algorithm>

#include "base/error.h"
#include "graph/build.h"
#include "graph/opdef.h"
#include "loops/lowered.h"
#include "ops/record.h"
#include "transform/transform.h"

namespace viva {
namespace {

std::optional<int64_t> leading(const ValueDef& v) { return v.dims.empty() ? std::nullopt : v.dims[0].value; }

// vmap of the graph of one example. Where its inputs and outputs lead with 1, that extent becomes the batch.
Body vectorised(const Imported& one, int64_t batch, bool leading_one) {
  const size_t inputs = one.input_types.size();
  std::vector<int> axes(one.function->params().size(), -1);
  std::fill_n(axes.begin(), inputs, 0);
  const Body mapped = vmap(one.function, axes, batch);
  if (!leading_one) return mapped;
  Build b(one.function->name());
  Values args;
  for (size_t i = 0; i < axes.size(); ++i) {
    Type t = one.function->params()[i].type();
    const std::string& name = one.function->params()[i].name();
    if (i >= inputs) {
      args.push_back(b.parameter(t, name));
      continue;
    }
    t.shape[0] = batch;
    args.push_back(b.parameter(t, name));
  }
  for (size_t i = 0; i < inputs; ++i) args[i] = b.reshape(args[i], mapped->params()[i].shape());
  Values outputs = b.inline_call(*mapped, args);
  for (Value& v : outputs) {
    Shape shape = v.shape();
    if (shape.size() > 1 && shape[1] == 1) shape.erase(shape.begin() + 1);
    v = b.reshape(v, shape);
  }
  return b.finish(std::move(outputs), mapped->output_names());
}

}  // namespace

OpenModel open_model(const std::string& path) {
  OpenModel m{.file = read_onnx(path)};
  const GraphDef& g = m.file.graph;
  if (g.inputs.empty() || g.outputs.empty())
    throw unsupported("{}: the graph has no {}", path, g.inputs.empty() ? "input" : "output");
  const ValueDef& x = g.inputs[0];
  if (!x.has_shape) return m;
  if (!x.dims.empty() && !x.dims[0].value) return m;
  const int64_t first = leading(x).value_or(1);
  if (x.dims.size() >= 2 && first > 1) {
    m.batching = Batching::fixed;
    m.fixed_batch = first;
    return m;
  }
  m.batching = Batching::single;
  m.leading_one = first == 1 && x.dims.size() >= 1 && leading(x).has_value();
  for (const ValueDef& v : g.inputs) m.leading_one = m.leading_one && leading(v) == 1;
  return m;
}

BatchedModel with_batch(const OpenModel& m, int64_t batch, Binding binding) {
  if (m.batching == Batching::fixed && batch != m.fixed_batch)
    throw usage_error("{}: the file fixes its batch at {}, so it does not run {} examples at once",
                      m.file.files.at(0).path, m.fixed_batch, batch);
  if (!binding.batch) binding.batch = m.batching == Batching::single ? 1 : batch;
  BatchedModel r;
  r.imported = import_onnx(m.file, binding);
  r.function = m.batching == Batching::single ? vectorised(r.imported, batch, m.leading_one) : r.imported.function;
  return r;
}

double contraction_flops(const Node& n) {
  double flops = 0;
  for (const Body& b : n.bodies) flops += contraction_flops(*b);
  if (!n.op || !n.op->lower) return flops;
  const Lowered lowered = (*n.op->lower)(n);
  const auto* nest = std::get_if<loops::Nest>(&lowered.form);
  const auto is_dot = [](const loops::Instruction& i) {
    return i.kind == loops::Kind::reduce && i.reduction == loops::Reduction::dot;
  };
  if (nest && std::ranges::any_of(nest->body, is_dot)) flops += 2 * static_cast<double>(numel(nest->extents));
  return flops;
}

double contraction_flops(const Function& f) {
  double flops = 0;
  for (const Node& n : f.nodes()) flops += contraction_flops(n);
  return flops;
}

int64_t parameter_count(const Imported& m) {
  int64_t n = 0;
  for (const Array& w : m.weights) n += w.size();
  return n;
}

}  // namespace viva
