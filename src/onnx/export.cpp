#include "onnx/export.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"
#include "onnx-ml.pb.h"
#include "onnx/exporter.h"
#include "transform/pipeline.h"

namespace viva {
namespace {

using ::onnx::GraphProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

// Constants stay apart: folded, they would grow with the batch, and runtimes fold for themselves. Reshapes stay where
// layers put them, so that layers are recognised.
Body prepared(const Body& f) {
  PassOptions options;
  options.disabled = {"constants", "unit_extents"};
  return simplify(run_pass(inline_all_pass, f, {}), options);
}

// Names by tensor, each once; what constants share is stored once.
class Writer {
 public:
  Writer(const Draft& d, const ExportOptions& o, std::string external_name)
      : d_(d), o_(o), external_name_(std::move(external_name)), names_(d.tensors.size()) {}

  ExportedModel write() {
    check_size();
    name_borders();
    GraphProto& g = *model_.mutable_graph();
    g.set_name(o_.name);
    for (const int id : d_.inputs) value(*g.add_input(), id);
    bool bits = false;
    for (const DraftNode& n : d_.nodes) {
      node(*g.add_node(), n);
      bits = bits || n.op == "BitCast";
    }
    for (const int id : d_.outputs) value(*g.add_output(), id);
    model_.set_ir_version(bits ? 13 : 10);
    model_.set_producer_name("viva");
    for (const auto& [key, value] : o_.metadata) {
      auto& entry = *model_.add_metadata_props();
      entry.set_key(key), entry.set_value(value);
    }
    auto& opset = *model_.add_opset_import();
    opset.set_domain("");
    opset.set_version(bits ? export_opset_bitcast : export_opset);
    ExportedModel m;
    if (!model_.SerializeToString(&m.bytes)) throw internal_error("[export_onnx] protobuf cannot write the model");
    m.external = std::move(external_);
    if (!m.external.empty()) m.external_name = external_name_;
    return m;
  }

 private:
  void check_size() {
    int64_t bytes = 0;
    std::set<const std::byte*> counted;
    for (const DraftTensor& t : d_.tensors)
      if (!t.constant.empty() && counted.insert(t.constant.data()).second) bytes += t.constant.bytes();
    apart_ = bytes > o_.external_above;
  }

  std::string unique(std::string name) {
    std::string candidate = name;
    for (int k = 2; !taken_.insert(candidate).second; ++k) candidate = fmt::format("{}_{}", name, k);
    return candidate;
  }
  void name_borders() {
    for (const auto* ids : {&d_.inputs, &d_.outputs, &d_.weights})
      for (const int id : *ids) names_[static_cast<size_t>(id)] = unique(d_.tensor(id).name);
  }

  const std::string& name(int id, std::string_view made_by) {
    std::string& s = names_[static_cast<size_t>(id)];
    if (!s.empty()) return s;
    const DraftTensor& t = d_.tensor(id);
    if (!t.constant.empty()) return s = stored(id);
    std::string plain(made_by);
    std::ranges::transform(plain, plain.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return s = unique(t.name.empty() ? fmt::format("{}_{}", plain, count_[plain]++) : t.name);
  }

  // An initialiser, or the one that holds the same bytes.
  std::string stored(int id) {
    const Array& a = d_.tensor(id).constant;
    const std::string key = to_string(a.type()) + sha256_hex({a.data(), static_cast<size_t>(a.bytes())});
    std::string& known = constants_[key];
    if (known.empty()) known = unique(fmt::format("constant_{}", count_["constant"]++)), initializer(known, a);
    return known;
  }
  void weight(int id) {
    std::string& s = names_[static_cast<size_t>(id)];
    const DraftTensor& t = d_.tensor(id);
    const Array& a = t.constant;
    const auto [it, fresh] = tied_.try_emplace({a.data(), to_string(a.type()) + (t.buffer ? " buffer" : "")}, s);
    if (!fresh) {
      s = it->second;
      return;
    }
    initializer(s, a);
    auto& entry = *model_.add_metadata_props();
    entry.set_key(std::string(export_leaf) + s);
    entry.set_value(std::string(t.buffer ? export_buffer : export_weight));
  }

  void initializer(const std::string& name, const Array& a) {
    TensorProto& t = *model_.mutable_graph()->add_initializer();
    t.set_name(name);
    t.set_data_type(static_cast<int>(onnx_number(a.dtype())));
    for (const int64_t d : a.shape()) t.add_dims(d);
    const auto* bytes = reinterpret_cast<const char*>(a.data());
    const auto size = static_cast<size_t>(a.bytes());
    if (!apart_ || size < 1024) return t.set_raw_data(bytes, size);
    external_.resize((external_.size() + 4095) / 4096 * 4096);
    const auto entry = [&](const char* key, std::string value) {
      auto& e = *t.add_external_data();
      e.set_key(key), e.set_value(std::move(value));
    };
    t.set_data_location(TensorProto::EXTERNAL);
    entry("location", external_name_), entry("offset", fmt::format("{}", external_.size()));
    entry("length", fmt::format("{}", size));
    external_.append(bytes, size);
  }

  void value(::onnx::ValueInfoProto& v, int id) {
    v.set_name(names_[static_cast<size_t>(id)]);
    const DraftTensor& t = d_.tensor(id);
    auto& type = *v.mutable_type()->mutable_tensor_type();
    type.set_elem_type(static_cast<int>(onnx_number(t.type.dtype)));
    auto& shape = *type.mutable_shape();
    for (size_t i = 0; i < t.type.shape.size(); ++i) {
      auto& dim = *shape.add_dim();
      const Extent e = i < t.extents.size() ? t.extents[i] : Extent{t.type.shape[i], 0};
      if (e.factor == 0 && e.offset >= 0) dim.set_dim_value(e.offset);
      else if (e == Extent{0, 1}) dim.set_dim_param(o_.symbol);
    }
  }

  void node(NodeProto& p, const DraftNode& n) {
    p.set_op_type(std::string(n.op));
    for (const int id : n.in) {
      if (std::ranges::find(d_.weights, id) != d_.weights.end() && used_.insert(id).second) weight(id);
      p.add_input(name(id, ""));
    }
    for (const int id : n.out) p.add_output(name(id, n.op));
    p.set_name(fmt::format("{}_{}", n.op, nodes_++));
    for (const auto& [key, v] : n.attrs) {
      auto& a = *p.add_attribute();
      a.set_name(std::string(key));
      if (const auto* i = std::get_if<int64_t>(&v)) {
        a.set_type(::onnx::AttributeProto::INT), a.set_i(*i);
      } else if (const auto* f = std::get_if<float>(&v)) {
        a.set_type(::onnx::AttributeProto::FLOAT), a.set_f(*f);
      } else if (const auto* s = std::get_if<std::string>(&v)) {
        a.set_type(::onnx::AttributeProto::STRING), a.set_s(*s);
      } else {
        a.set_type(::onnx::AttributeProto::INTS);
        for (const int64_t k : std::get<Ints>(v)) a.add_ints(k);
      }
    }
  }

  const Draft& d_;
  const ExportOptions& o_;
  std::string external_name_;
  ModelProto model_;
  std::vector<std::string> names_;
  std::set<std::string> taken_;
  std::set<int> used_;
  std::map<std::string, int> count_;
  std::map<std::string, std::string> constants_;                          // names by type and digest
  std::map<std::pair<const std::byte*, std::string>, std::string> tied_;  // parameters by their elements
  std::string external_;
  bool apart_ = false;
  int nodes_ = 0;
};

void check_options(const Function& f, const ExportOptions& o) {
  if (!o.parameters.empty() && o.parameters.size() != f.params().size())
    throw usage_error("[export_onnx] {} parameters are described, the function has {}", o.parameters.size(),
                      f.params().size());
  if (!o.output_names.empty() && o.output_names.size() != f.outputs().size())
    throw usage_error("[export_onnx] {} output names for {} outputs", o.output_names.size(), f.outputs().size());
  for (size_t i = 0; i < o.parameters.size(); ++i) {
    const auto& value = o.parameters[i].initializer;
    if (value && value->type() != f.params()[i].type())
      throw usage_error("[export_onnx] parameter {} is {}, its initializer {}", i, to_string(f.params()[i].type()),
                        to_string(value->type()));
  }
}

// The parameters as inputs and weights, and the names of the outputs.
void name_draft(Draft& d, const ExportOptions& o) {
  const std::vector<int> parameters = std::move(d.inputs);
  d.inputs.clear();
  for (size_t i = 0; i < parameters.size(); ++i) {
    DraftTensor& t = d.tensors[static_cast<size_t>(parameters[i])];
    if (i < o.parameters.size() && !o.parameters[i].name.empty()) t.name = o.parameters[i].name;
    if (t.name.empty()) t.name = parameters.size() == 1 ? "input" : fmt::format("input_{}", i);
    const bool weight = i < o.parameters.size() && o.parameters[i].initializer;
    if (weight) t.constant = *o.parameters[i].initializer, t.buffer = o.parameters[i].buffer;
    (weight ? d.weights : d.inputs).push_back(parameters[i]);
  }
  const auto& own = d.function->output_names();
  for (size_t i = 0; i < d.outputs.size(); ++i) {
    std::string& name = d.tensors[static_cast<size_t>(d.outputs[i])].name;
    if (i < o.output_names.size() && !o.output_names[i].empty()) name = o.output_names[i];
    else if (i < own.size() && !own[i].empty()) name = own[i];
    else if (name.empty()) name = d.outputs.size() == 1 ? "output" : fmt::format("output_{}", i);
  }
}

Draft drafted(const Body& f, const ExportOptions& o) {
  check_options(*f, o);
  return Exporter(prepared(f)).run();
}

// The extents of a function that are not the open one: those it has at both sizes.
std::set<int64_t> extents_of(const Function& f) {
  std::set<int64_t> all;
  for (const Node& n : f.nodes())
    for (const Type& t : n.types) all.insert(t.shape.begin(), t.shape.end());
  return all;
}

// Sizes of either parity that no other extent has, so that none is taken for the open one.
constexpr std::array<std::array<int64_t, 3>, 3> triples{{{11, 19, 34}, {23, 37, 58}, {101, 103, 122}}};

Draft drafted_at(const AtSize& function, const ExportOptions& o) {
  const auto first = std::ranges::find_if(o.parameters, [](const ExportParameter& p) { return p.open_axis >= 0; });
  const auto input = static_cast<size_t>(first - o.parameters.begin());
  for (const auto& sizes : triples) {
    std::vector<Body> bodies;
    std::set<int64_t> fixed;
    for (const int64_t n : sizes) {
      bodies.push_back(function(n));
      const std::set<int64_t> here = extents_of(*bodies.back());
      if (bodies.size() == 1) fixed = here;
      else std::erase_if(fixed, [&](int64_t e) { return !here.contains(e); });
    }
    const bool clash = std::ranges::any_of(sizes, [&](int64_t n) { return fixed.contains(n); });
    if (clash && sizes != triples.back()) continue;
    std::vector<Draft> drafts;
    for (const Body& f : bodies) drafts.push_back(drafted(f, o));
    return fit_drafts(drafts, sizes, {drafts[0].inputs.at(input), first->open_axis});
  }
  throw internal_error("[export_onnx] no sizes to trace at");
}

}  // namespace

int64_t onnx_number(Dtype d) {
  constexpr std::array<int64_t, dtype_count> numbers{
      TensorProto::BOOL,     TensorProto::INT8,   TensorProto::INT16,  TensorProto::INT32,     TensorProto::INT64,
      TensorProto::UINT8,    TensorProto::UINT16, TensorProto::UINT32, TensorProto::UINT64,    TensorProto::FLOAT16,
      TensorProto::BFLOAT16, TensorProto::FLOAT,  TensorProto::DOUBLE, TensorProto::COMPLEX64, TensorProto::COMPLEX128};
  return numbers[static_cast<size_t>(d)];
}

ExportedModel export_onnx(const AtSize& function, const ExportOptions& o, const std::string& file) {
  const bool open = std::ranges::any_of(o.parameters, [](const ExportParameter& p) { return p.open_axis >= 0; });
  Draft d;
  if (!open) d = drafted(function(0), o);
  else d = drafted_at(function, o);
  name_draft(d, o);
  ExportedModel m = Writer(d, o, file + ".data").write();
  if (m.external.empty()) return m;
  // Named by its content: a model that was there before keeps the file it refers to.
  const std::string digest =
      sha256_hex({reinterpret_cast<const std::byte*>(m.external.data()), m.external.size()}).substr(0, 12);
  return Writer(d, o, fmt::format("{}.{}.data", file, digest)).write();
}

ExportedModel export_onnx(const Body& function, const ExportOptions& options) {
  return export_onnx([&](int64_t) { return function; }, options);
}

void write_onnx(const std::string& path, const AtSize& function, const ExportOptions& options) {
  const std::filesystem::path p(path);
  const ExportedModel m = export_onnx(function, options, p.filename().string());
  if (!m.external.empty()) write_file((p.parent_path() / m.external_name).string(), std::string_view(m.external));
  write_file(path, std::string_view(m.bytes));
}

}  // namespace viva
