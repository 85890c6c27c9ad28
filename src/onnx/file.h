// ONNX model files as plain structs: read, checked and freed of protobuf.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/array.h"

namespace viva {

// One extent of a declared shape: a number, a symbol, or neither where the file leaves it open.
struct DimDef {
  std::optional<int64_t> value;
  std::string symbol;
};

// A tensor stored in the file. Types that Viva has no dtype for keep their name and no value: only their use is an
// error.
struct TensorDef {
  std::string name;
  Array value;
  std::string unsupported;  // why there is no value, e.g. "tensors of float8e4m3fn"; empty where there is one
};

// The declared type of a graph's input, output or inner value.
struct ValueDef {
  std::string name;
  std::optional<Dtype> dtype;
  std::string unsupported;  // e.g. "a sequence", where the type is no tensor of a Viva dtype
  bool has_shape = false;   // false: not even the rank is known
  std::vector<DimDef> dims;
};

struct GraphDef;

struct AttributeDef {
  enum class Kind : uint8_t {
    float_value,
    int_value,
    string,
    tensor,
    graph,
    floats,
    ints,
    strings,
    tensors,
    graphs,
    reference,
    unsupported
  };
  std::string name;
  Kind kind = Kind::unsupported;
  float f = 0;
  int64_t i = 0;
  std::string s;  // also the name of the function's attribute that a reference stands for
  std::vector<float> floats;
  std::vector<int64_t> ints;
  std::vector<std::string> strings;
  std::vector<TensorDef> tensors;                       // one for Kind::tensor
  std::vector<std::shared_ptr<const GraphDef>> graphs;  // one for Kind::graph
};

struct NodeDef {
  std::string name, op_type, domain, overload;  // domain "ai.onnx" is spelled ""
  std::vector<std::string> inputs, outputs;     // "" where an optional one is left out
  std::vector<AttributeDef> attributes;
  const AttributeDef* find(std::string_view attribute) const;
};
// "Conv 'conv1'", or "Conv making 'y'" where the node has no name.
std::string to_string(const NodeDef& n);

struct GraphDef {
  std::string name;
  std::vector<ValueDef> inputs;       // those that the caller must feed
  std::vector<ValueDef> overridable;  // inputs that an initializer of the same name gives a default
  std::vector<ValueDef> outputs;
  std::map<std::string, ValueDef> value_info;
  std::vector<NodeDef> nodes;  // sorted: each uses only what stands before it
  std::vector<TensorDef> initializers;
};

struct FunctionDef {
  std::string name, domain, overload;
  std::vector<std::string> inputs, outputs;
  std::vector<std::string> attributes;  // without default
  std::vector<AttributeDef> defaults;
  std::map<std::string, int64_t> opsets;
  std::vector<NodeDef> nodes;
};

struct FileRead {
  std::string path;
  int64_t bytes = 0;
  std::string sha256;  // of the bytes on disk, in lower-case hexadecimal
};

struct ModelFile {
  int64_t ir_version = 0;
  std::string producer, producer_version, domain;
  int64_t model_version = 0;
  std::map<std::string, int64_t> opsets;  // by domain; "ai.onnx" is spelled ""
  std::vector<std::pair<std::string, std::string>> metadata;
  GraphDef graph;
  std::vector<FunctionDef> functions;
  std::vector<FileRead> files;  // the model first, then its external data in the order of first use
};

// Reads path (.onnx, or .onnx.gz) and the external data beside it. Throws an input error, one line that names the file
// and the place, on anything malformed: the file is treated as hostile.
ModelFile read_onnx(const std::string& path);

// The same from memory; external data is looked for in folder. name stands in messages.
ModelFile parse_onnx(std::string_view bytes, const std::string& name, const std::string& folder);

}  // namespace viva
