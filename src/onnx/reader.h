// What the parts of the model-file reader share. Internal to src/onnx.
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "graph/dims.h"
#include "onnx/file.h"

namespace onnx {
class GraphProto;
class NodeProto;
class TensorProto;
class TypeProto;
}  // namespace onnx

namespace viva {

// 'text' with control characters and quotes escaped and the middle of long texts left out: names come from hostile
// files.
std::string in_quotes(std::string_view text);

inline constexpr int max_graph_depth = 16;     // graphs inside attributes inside graphs
inline constexpr int max_function_depth = 64;  // functions that call functions

// One load: the file's name for messages, the folder of its external data, and the record of files read.
class ModelReader {
 public:
  ModelReader(std::string name, std::string folder) : name_(std::move(name)), folder_(std::move(folder)) {}

  template <class... A> Error error(fmt::format_string<A...> f, A&&... a) const {
    return {ErrorKind::input, fmt::format("{}: {}", name_, fmt::format(f, std::forward<A>(a)...))};
  }
  // A name or other text of the file; throws where it is not UTF-8.
  std::string text(const std::string& s, std::string_view what) const;

  // tensor.cpp
  TensorDef tensor(const ::onnx::TensorProto& p, std::string_view what);
  // graph.cpp; depth counts the graphs around this one.
  GraphDef graph(const ::onnx::GraphProto& p, int depth);
  NodeDef node(const ::onnx::NodeProto& p, int depth);
  ValueDef value(const std::string& name, const ::onnx::TypeProto* type) const;

  const std::vector<FileRead>& external_files() const { return external_; }

 private:
  Array external_data(const ::onnx::TensorProto& p, const Type& type, const std::string& place);
  const Bytes& external_file(const std::string& location, const std::string& place);

  std::string name_, folder_;
  std::vector<FileRead> external_;
  std::map<std::string, Bytes> external_bytes_;  // by location
};

// The dtype of TensorProto.DataType number t, or nullopt with why ("tensors of string").
std::optional<Dtype> dtype_of_proto(int t, std::string& why);

// check.cpp: single assignment, order, defined names, no recursion. Throws input errors through r.
void check_model(const ModelFile& m, const ModelReader& r);

}  // namespace viva
