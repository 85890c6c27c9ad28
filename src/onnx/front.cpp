// save_onnx and load_onnx of traced functions.
#include <algorithm>
#include <mutex>
#include <set>

#include "onnx/export.h"
#include "onnx/import.h"
#include "trace/operand.h"
#include "trace/scope.h"
#include "viva/onnx.h"

namespace viva {

ModelInput ModelInput::of(Dtype d) const {
  ModelInput i = *this;
  i.dtype = d;
  return i;
}
ModelInput ModelInput::named(std::string_view n) const {
  ModelInput i = *this;
  i.name = n;
  return i;
}

namespace tracing {

std::string ModelLeaves::name(const std::string& path) const {
  std::string n = arguments_ == 1 ? "input" : fmt::format("input_{}", next_);
  return path.empty() ? n : n + '.' + path;
}

void ModelLeaves::add_weights(const std::vector<std::string>& paths, const tree::Leaves& leaves) {
  for (size_t i = 0; i < paths.size(); ++i)
    if (!leaves.all[i]->empty())
      all.push_back({paths[i], leaves.all[i]->array(), {}, std::ranges::count(leaves.buffers, i) > 0});
}
void ModelLeaves::example(const std::string& path) { all.push_back({name(path), {}, {}, false}); }

void ModelLeaves::input(const ModelInput& i) {
  ModelLeaf leaf{i.name.empty() ? name("") : i.name, {}, {}};
  for (size_t k = 0; k < i.extents.size(); ++k) {
    const std::string& s = i.extents[k].symbol;
    if (i.extents[k].size >= 0) continue;
    leaf.open.push_back(static_cast<int64_t>(k));
    if (symbol.empty()) symbol = s;
    else if (symbol != s) second_symbol = s;
  }
  all.push_back(std::move(leaf));
  ++next_;
}

// Only its type is used; but an array has elements.
Tensor stand_in(const ModelInput& i, int64_t open, Where where) {
  Type t{i.dtype, {}};
  for (const auto& e : i.extents) {
    if (e.size < 0 && e.symbol.empty())
      throw usage_at(where, "[save_onnx] an extent is negative, or open without a name");
    t.shape.push_back(e.size < 0 ? open : e.size);
  }
  return Tensor(Array::zeros(t));
}

namespace {

// Errors say what the open extent was, because their shapes show it; a layer that is the whole model was called by the
// header alone, and gets the line of save_onnx.
Body traced_at(const std::function<Body(int64_t)>& at_size, int64_t size, const std::string& symbol, Where line) {
  try {
    return at_size(size);
  } catch (const Error& e) {
    const Where at = e.where();
    const bool header = at.file && std::string_view(at.file).ends_with("viva/onnx.h");
    const std::string extent = symbol.empty() ? "" : fmt::format(" (traced with {} = {})", symbol, size);
    throw Error(e.kind(), e.message() + extent, header ? line : at);
  }
}

}  // namespace

void save(const OnnxFile& to, const ModelLeaves& leaves, const std::function<Body(int64_t)>& at_size,
          const std::vector<std::string>& outputs) {
  if (!leaves.second_symbol.empty())
    throw usage_at(to.where, fmt::format("[save_onnx] two open extents, '{}' and '{}': a model has one", leaves.symbol,
                                         leaves.second_symbol));
  ExportOptions o;
  o.symbol = leaves.symbol;
  for (const ModelLeaf& leaf : leaves.all) {
    ExportParameter p{leaf.name, std::nullopt, leaf.open.empty() ? -1 : leaf.open.front()};
    if (!leaf.weight.empty()) p.initializer = leaf.weight, p.buffer = leaf.buffer;
    o.parameters.push_back(std::move(p));
  }
  const auto traced = [&](int64_t size) {
    Body f = traced_at(at_size, size, o.symbol, to.where);
    const auto& given = to.options.outputs;
    if (!given.empty() && given.size() != f->outputs().size())
      throw usage_at(to.where, fmt::format("[save_onnx] {} names for {} outputs", given.size(), f->outputs().size()));
    o.output_names = given;
    if (given.empty())
      for (const std::string& path : outputs) o.output_names.push_back(path.empty() ? "output" : path);
    return f;
  };
  try {
    write_onnx(to.path, traced, o);
  } catch (const Error& e) {
    if (e.where()) throw;
    throw Error(e.kind(), e.message(), to.where);
  }
}

}  // namespace tracing

void save_onnx(const OnnxFile& to, const Body& f) {
  ExportOptions o;
  o.output_names = to.options.outputs;
  write_onnx(to.path, [&](int64_t) { return f; }, o);
}

// load_onnx

struct OnnxModel::State {
  ModelFile file;
  std::vector<std::string> inputs, outputs;
  std::mutex mutex;
  std::map<std::string, Imported> at;   // by the types of the inputs
  std::map<std::string, Tensor> fixed;  // floats that are no weights
};

namespace {

// What the file says of an initialiser, and where it says nothing: running statistics are moved by data, not by
// gradients, and scalars are epsilons and divisors.
bool is_weight(const TensorDef& t, const std::map<std::string, std::string>& said,
               const std::set<std::string>& statistics) {
  if (t.value.empty() || !is_float(t.value.dtype())) return false;
  const auto it = said.find(t.name);
  if (!said.empty()) return it != said.end() && it->second == export_weight;
  return !t.value.shape().empty() && !statistics.contains(t.name);
}

std::set<std::string> running_statistics(const GraphDef& g) {
  std::set<std::string> names;
  for (const NodeDef& n : g.nodes)
    if (n.op_type == "BatchNormalization")
      for (size_t i = 3; i < n.inputs.size() && i < 5; ++i) names.insert(n.inputs[i]);
  for (const TensorDef& t : g.initializers)
    for (const std::string_view last : {"running_mean", "running_var", "running_variance"})
      if (t.name.ends_with(last)) names.insert(t.name);
  return names;
}

}  // namespace

OnnxModel load_onnx(const std::string& path) {
  OnnxModel m;
  m.state_ = std::make_shared<OnnxModel::State>();
  m.state_->file = read_onnx(path);
  const ModelFile& f = m.state_->file;
  for (const FileRead& r : f.files) m.digest_ += r.sha256;
  for (const ValueDef& v : f.graph.inputs) m.state_->inputs.push_back(v.name);
  for (const ValueDef& v : f.graph.outputs) m.state_->outputs.push_back(v.name);
  const std::set<std::string> moved = running_statistics(f.graph);
  std::map<std::string, std::string> said;
  for (const auto& [key, value] : f.metadata)
    if (key.starts_with(export_leaf)) said.emplace(key.substr(export_leaf.size()), value);
  for (const TensorDef& t : f.graph.initializers)
    if (!t.value.empty() && is_float(t.value.dtype()))
      (is_weight(t, said, moved) ? m.weights : m.state_->fixed).emplace(t.name, Tensor(t.value));
  return m;
}

const std::vector<std::string>& OnnxModel::inputs() const { return state_->inputs; }
const std::vector<std::string>& OnnxModel::outputs() const { return state_->outputs; }

std::vector<Tensor> OnnxModel::run(const std::vector<Tensor>& inputs, Loc l) const {
  const Where where = tracing::line_or(l);
  if (!state_) throw Error(ErrorKind::usage, "[OnnxModel] it is empty: load_onnx gives one", where);
  if (inputs.size() != state_->inputs.size())
    throw Error(ErrorKind::usage,
                fmt::format("[OnnxModel] {} inputs, the network has {}", inputs.size(), state_->inputs.size()), where);
  Binding binding;
  std::string key;
  for (size_t i = 0; i < inputs.size(); ++i) {
    tracing::check_not_empty(inputs[i], where);
    binding.shapes[state_->inputs[i]] = inputs[i].shape();
    key += to_string(inputs[i].type());
  }
  const Imported* network = nullptr;
  try {
    const std::lock_guard lock(state_->mutex);
    const auto it = state_->at.find(key);
    network = it != state_->at.end() ? &it->second
                                     : &state_->at.emplace(key, import_onnx(state_->file, binding)).first->second;
  } catch (const Error& e) { throw Error(e.kind(), e.message(), where); }
  std::vector<Tensor> args = inputs;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].type() != network->input_types[i])
      throw Error(ErrorKind::usage,
                  fmt::format("[OnnxModel] input '{}' is {}, not {}", state_->inputs[i],
                              to_string(network->input_types[i]), to_string(inputs[i].type())),
                  where);
  for (const std::string& name : network->weight_names) {
    const auto fixed = state_->fixed.find(name);
    const auto it = fixed != state_->fixed.end() ? fixed : weights.find(name);
    if (fixed == state_->fixed.end() && it == weights.end())
      throw Error(ErrorKind::usage, fmt::format("[OnnxModel] the weight '{}' is missing", name), where);
    args.push_back(it->second);
  }
  return tracing::apply(network->function, args, where);
}

namespace {

Tensor only(std::vector<Tensor> all, Where where) {
  if (all.size() != 1)
    throw Error(ErrorKind::usage, fmt::format("[OnnxModel] it has {} outputs: use run", all.size()), where);
  return std::move(all.front());
}

}  // namespace

Tensor OnnxModel::operator()(const Arg& x) const {
  const tracing::Line line(x.where);
  return only(run({tracing::as_tensor(x)}), x.where);
}
Tensor OnnxModel::operator()(const Arg& x, const Arg& y) const {
  const tracing::Line line(x.where);
  return only(run({tracing::as_tensor(x), tracing::as_tensor(y)}), x.where);
}

}  // namespace viva
