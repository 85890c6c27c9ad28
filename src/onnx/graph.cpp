// Graphs, nodes, attributes and declared types of a model file.
#include <set>

#include "onnx-ml.pb.h"
#include "onnx/reader.h"

namespace viva {
namespace {

using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TypeProto;
using Kind = AttributeDef::Kind;

std::string plain_domain(const std::string& s) { return s == "ai.onnx" ? "" : s; }

// Files older than IR version 2 leave the type out: it is then the one field that is set.
int attribute_type(const AttributeProto& p) {
  if (p.type() != AttributeProto::UNDEFINED) return p.type();
  if (p.has_f()) return AttributeProto::FLOAT;
  if (p.has_i()) return AttributeProto::INT;
  if (p.has_s()) return AttributeProto::STRING;
  if (p.has_t()) return AttributeProto::TENSOR;
  if (p.has_g()) return AttributeProto::GRAPH;
  if (p.floats_size() > 0) return AttributeProto::FLOATS;
  if (p.ints_size() > 0) return AttributeProto::INTS;
  if (p.strings_size() > 0) return AttributeProto::STRINGS;
  return AttributeProto::UNDEFINED;
}

AttributeDef read_attribute(ModelReader& r, const AttributeProto& p, const std::string& place, int depth) {
  AttributeDef a;
  a.name = r.text(p.name(), "name of an attribute");
  const auto subgraph = [&](const GraphProto& g) {
    a.graphs.push_back(std::make_shared<const GraphDef>(r.graph(g, depth + 1)));
  };
  const auto tensor_place = [&] { return fmt::format("{}: attribute {}", place, in_quotes(a.name)); };
  if (p.has_ref_attr_name() && !p.ref_attr_name().empty()) {
    a.kind = Kind::reference;
    a.s = r.text(p.ref_attr_name(), "name of an attribute");
    return a;
  }
  switch (attribute_type(p)) {
    case AttributeProto::FLOAT:
      a.kind = Kind::float_value, a.f = p.f();
      break;
    case AttributeProto::INT:
      a.kind = Kind::int_value, a.i = p.i();
      break;
    case AttributeProto::STRING:
      a.kind = Kind::string, a.s = p.s();
      break;
    case AttributeProto::TENSOR:
      if (!p.has_t()) throw r.error("{} has no tensor", tensor_place());
      a.kind = Kind::tensor;
      a.tensors.push_back(r.tensor(p.t(), tensor_place()));
      break;
    case AttributeProto::GRAPH:
      if (!p.has_g()) throw r.error("{} has no graph", tensor_place());
      a.kind = Kind::graph;
      subgraph(p.g());
      break;
    case AttributeProto::FLOATS:
      a.kind = Kind::floats, a.floats.assign(p.floats().begin(), p.floats().end());
      break;
    case AttributeProto::INTS:
      a.kind = Kind::ints, a.ints.assign(p.ints().begin(), p.ints().end());
      break;
    case AttributeProto::STRINGS:
      a.kind = Kind::strings, a.strings.assign(p.strings().begin(), p.strings().end());
      break;
    case AttributeProto::TENSORS:
      a.kind = Kind::tensors;
      for (const auto& t : p.tensors()) a.tensors.push_back(r.tensor(t, tensor_place()));
      break;
    case AttributeProto::GRAPHS:
      a.kind = Kind::graphs;
      for (const auto& g : p.graphs()) subgraph(g);
      break;
    default:
      a.kind = Kind::unsupported;
      break;  // sparse tensors and types
  }
  return a;
}

std::vector<std::string> names(const ModelReader& r, const auto& field) {
  std::vector<std::string> v;
  for (const auto& s : field) v.push_back(r.text(s, "name of a value"));
  return v;
}

void read_initializers(ModelReader& r, const GraphProto& p, GraphDef& g) {
  for (const auto& t : p.initializer()) g.initializers.push_back(r.tensor(t, "initializer"));
  for (const auto& s : p.sparse_initializer()) {
    TensorDef t;
    t.name = r.text(s.values().name(), "name of a tensor");
    t.unsupported = "sparse tensors";
    g.initializers.push_back(std::move(t));
  }
}

}  // namespace

ValueDef ModelReader::value(const std::string& name, const TypeProto* type) const {
  ValueDef v;
  v.name = text(name, "name of a value");
  if (!type || !type->has_tensor_type()) {
    v.unsupported = !type                            ? "a value of undeclared type"
                    : type->has_sequence_type()      ? "a sequence"
                    : type->has_map_type()           ? "a map"
                    : type->has_optional_type()      ? "an optional"
                    : type->has_sparse_tensor_type() ? "a sparse tensor"
                                                     : "a value of unknown type";
    return v;
  }
  const auto& t = type->tensor_type();
  v.dtype = dtype_of_proto(t.elem_type(), v.unsupported);
  v.has_shape = t.has_shape();
  if (t.shape().dim_size() > max_rank)
    throw error("value {} has {} dimensions, the limit is {}", in_quotes(name), t.shape().dim_size(), max_rank);
  for (const auto& d : t.shape().dim()) {
    DimDef dim;
    // Some exporters write -1 for an extent that they leave open.
    if (d.has_dim_value() && d.dim_value() != -1) dim.value = d.dim_value();
    if (d.has_dim_param()) dim.symbol = text(d.dim_param(), "name of a dimension");
    if (dim.value && (*dim.value < 0 || *dim.value > int64_t{1} << 47))
      throw error("value {} has the extent {}", in_quotes(name), *dim.value);
    v.dims.push_back(std::move(dim));
  }
  return v;
}

NodeDef ModelReader::node(const NodeProto& p, int depth) {
  NodeDef n;
  n.name = text(p.name(), "name of a node");
  n.op_type = text(p.op_type(), "operator of a node");
  n.domain = plain_domain(text(p.domain(), "domain of a node"));
  n.overload = text(p.overload(), "overload of a node");
  n.inputs = names(*this, p.input());
  n.outputs = names(*this, p.output());
  const std::string place = to_string(n);
  if (n.op_type.empty()) throw error("node {} has no operator", in_quotes(n.name));
  std::set<std::string> seen;
  for (const auto& a : p.attribute()) {
    n.attributes.push_back(read_attribute(*this, a, place, depth));
    if (!seen.insert(n.attributes.back().name).second)
      throw error("{}: attribute {} is given twice", place, in_quotes(a.name()));
  }
  return n;
}

GraphDef ModelReader::graph(const GraphProto& p, int depth) {
  if (depth > max_graph_depth) throw error("graphs are nested more than {} deep", max_graph_depth);
  GraphDef g;
  g.name = text(p.name(), "name of a graph");
  read_initializers(*this, p, g);
  std::set<std::string> with_default;
  for (const auto& t : g.initializers) with_default.insert(t.name);
  const auto declared = [&](const auto& v) { return value(v.name(), v.has_type() ? &v.type() : nullptr); };
  for (const auto& v : p.input()) (with_default.contains(v.name()) ? g.overridable : g.inputs).push_back(declared(v));
  for (const auto& v : p.output()) g.outputs.push_back(declared(v));
  for (const auto& v : p.value_info()) g.value_info.insert_or_assign(v.name(), declared(v));
  for (const auto& n : p.node()) g.nodes.push_back(node(n, depth));
  return g;
}

}  // namespace viva
