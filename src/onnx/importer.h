// The walk over a model's nodes. Internal to src/onnx.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "onnx/op.h"

namespace viva {

class Importer : public OnnxContext {
 public:
  Importer(const ModelFile& m, const Binding& binding);
  Imported run();

  Items inline_graph(const GraphDef& g, Items arguments) override;
  void note_training(const std::string& node) override { out_.training.push_back(node); }

 private:
  // Values by name: those of this graph or function, then those of the graphs around it.
  struct Scope {
    Scope* outer = nullptr;
    std::map<std::string, Item> items;
    Item* find(const std::string& name);
  };
  // The function being inlined: its attributes at this call, and its opsets.
  struct Frame {
    const FunctionDef* function = nullptr;
    const NodeDef* call = nullptr;
    const Frame* outer = nullptr;
    const std::map<std::string, int64_t>* opsets = nullptr;
  };

  Error error(ErrorKind kind, const std::string& text) const;
  Dtype in_precision(Dtype d) const { return d == Dtype::float32 ? float32_as.value_or(d) : d; }
  Type type_of(const ValueDef& v) const;
  void define_inputs(Scope& scope);
  void define_initializers(const GraphDef& g, Scope& scope, bool top);
  void nodes(const std::vector<NodeDef>& list, Scope& scope);
  void node(const NodeDef& n, Scope& scope);
  Items outputs_of(const NodeDef& n, std::vector<Item*>& inputs);
  Items call(const FunctionDef& f, const NodeDef& n, const std::vector<Item*>& inputs);
  const OnnxRow* row_of(const NodeDef& n) const;
  Items build(const OnnxRow& row, const NodeDef& n, int64_t opset, std::vector<Item*>& inputs);
  std::optional<Items> fold(const OnnxRow& row, const NodeDef& n, int64_t opset, const std::vector<Item*>& inputs);
  NodeDef resolved(const NodeDef& n) const;
  int64_t opset(const std::string& domain) const;
  void report(const NodeDef& n, const std::string& reason);
  void throw_reports() const;
  Value output_value(const std::string& name, Scope& scope);
  void finish(const Values& outputs);
  void check_sizes(const Function& f) const;
  using Makers = std::unordered_map<std::string_view, const NodeDef*>;  // by the first value that a node makes
  const NodeDef* maker_of(std::string_view name, const Makers& makers, Scope& scope) const;
  std::optional<FinalSoftmax> softmax_of(const NodeDef& n, Scope& scope) const;
  bool ends_in_unit(const NodeDef& n, Scope& scope) const;
  void find_endings(Scope& scope);
  void find_indexes(Scope& scope);
  void compare_outputs();

  const ModelFile& m_;
  const Binding& bind_;
  std::string file_;
  Build b_;
  Imported out_;
  std::vector<Array> weights_;  // all of them; out_.weights keeps those in use
  std::vector<std::string> weight_names_;
  Scope* scope_ = nullptr;
  Where place_;  // the node being imported
  const Frame* frame_ = nullptr;
  int64_t visited_ = 0;
  std::map<std::tuple<std::string, std::string, std::string>, const FunctionDef*> functions_;
  // By operator and reason: the first node and how many more.
  std::map<std::pair<std::string, std::string>, std::pair<std::string, int>> reports_;
};

}  // namespace viva
