#include "onnx/file.h"

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/gzip.h"
#include "base/sha256.h"
#include "onnx-ml.pb.h"
#include "onnx/reader.h"

namespace viva {
namespace {

using ::onnx::ModelProto;

// Protobuf's own limit for one message.
constexpr uint64_t max_model_bytes = (uint64_t{1} << 31) - 1;

bool looks_like_text(std::string_view s) {
  s = s.substr(0, 512);
  return std::ranges::all_of(
      s, [](unsigned char c) { return (c >= 0x20 && c != 0x7F) || c == '\n' || c == '\r' || c == '\t'; });
}

// Why the bytes are no model, for a person who gave the wrong file.
Error not_a_model(const ModelReader& r, std::string_view bytes) {
  if (bytes.empty()) return r.error("not an ONNX model: the file is empty");
  if (looks_like_text(bytes))
    return r.error("not an ONNX model but a text file: {}", bytes.starts_with("version https://git-lfs")
                                                                ? "a Git LFS pointer; run git lfs pull"
                                                                : "give the .onnx file that torch.onnx.export or "
                                                                  "another exporter wrote");
  if (bytes.starts_with("\x93NUMPY"))
    return r.error("not an ONNX model but a NumPy array: give the .onnx file, or read it with load_array");
  if (bytes.starts_with("PK\x03\x04"))
    return r.error("not an ONNX model but a zip archive: unpack the model, or read arrays with load_npz");
  return r.error("not an ONNX model, or cut short (protobuf cannot read its {} bytes)", bytes.size());
}

std::map<std::string, int64_t> read_opsets(const ModelReader& r, const auto& field) {
  std::map<std::string, int64_t> opsets;
  for (const auto& o : field) {
    const std::string domain = o.domain() == "ai.onnx" ? "" : r.text(o.domain(), "domain of an opset");
    const auto [at, fresh] = opsets.emplace(domain, o.version());
    if (!fresh && at->second != o.version())
      throw r.error("the opset of {} is given as {} and as {}",
                    domain.empty() ? std::string("the default domain") : in_quotes(domain), at->second, o.version());
  }
  return opsets;
}

FunctionDef read_function(ModelReader& r, const ::onnx::FunctionProto& p) {
  FunctionDef f;
  f.name = r.text(p.name(), "name of a function");
  f.domain = p.domain() == "ai.onnx" ? "" : r.text(p.domain(), "domain of a function");
  f.overload = r.text(p.overload(), "overload of a function");
  for (const auto& s : p.input()) f.inputs.push_back(r.text(s, "name of a value"));
  for (const auto& s : p.output()) f.outputs.push_back(r.text(s, "name of a value"));
  for (const auto& s : p.attribute()) f.attributes.push_back(r.text(s, "name of an attribute"));
  // Defaults are attributes like a node's.
  ::onnx::NodeProto defaults;
  defaults.set_op_type("default");
  *defaults.mutable_attribute() = p.attribute_proto();
  f.defaults = r.node(defaults, 0).attributes;
  f.opsets = read_opsets(r, p.opset_import());
  for (const auto& n : p.node()) f.nodes.push_back(r.node(n, 0));
  return f;
}

ModelFile read_model(std::string_view bytes, ModelReader& r) {
  ModelProto p;
  if (bytes.size() > max_model_bytes) throw r.error("a model of more than 2 GB: its weights belong into external data");
  const bool parsed = p.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  if (!parsed || (!p.has_graph() && !p.has_ir_version())) throw not_a_model(r, bytes);
  if (!p.has_graph()) throw r.error("an ONNX model with no graph");
  ModelFile m;
  m.ir_version = p.ir_version();
  m.producer = r.text(p.producer_name(), "producer");
  m.producer_version = r.text(p.producer_version(), "version of the producer");
  m.domain = r.text(p.domain(), "domain of the model");
  m.model_version = p.model_version();
  m.opsets = read_opsets(r, p.opset_import());
  for (const auto& e : p.metadata_props())
    m.metadata.emplace_back(r.text(e.key(), "key of the metadata"), r.text(e.value(), "value of the metadata"));
  for (const auto& f : p.functions()) m.functions.push_back(read_function(r, f));
  m.graph = r.graph(p.graph(), 0);
  check_model(m, r);
  return m;
}

}  // namespace

ModelFile parse_onnx(std::string_view bytes, const std::string& name, const std::string& folder) {
  ModelReader r(printable(name), folder);
  ModelFile m = read_model(bytes, r);
  m.files = r.external_files();
  return m;
}

ModelFile read_onnx(const std::string& path) {
  Bytes stored = read_stored(path);
  FileRead record{path, static_cast<int64_t>(stored.size()), sha256_hex(stored)};
  if (is_gzip(stored)) stored = gunzip(stored, path, max_model_bytes);
  const std::string folder = std::filesystem::path(path).parent_path().string();
  ModelFile m = parse_onnx(stored.text(), path, folder.empty() ? "." : folder);
  m.files.insert(m.files.begin(), std::move(record));
  return m;
}

}  // namespace viva
