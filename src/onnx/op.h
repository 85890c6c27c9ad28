// What a graph-building function of the operator table sees of its node. Internal to src/onnx.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "graph/build.h"
#include "onnx/import.h"
#include "onnx/reader.h"

namespace viva {

// A value of the model during import: emitted, or known, or both.
struct Item {
  Value value;                 // null while nothing has asked for a constant in the graph
  std::optional<Array> known;  // the elements, where no input fed at run time decides them
  bool weight = false;         // known, but a parameter: it may change later, so it is never folded away
  std::string unsupported;     // why there is neither; e.g. "tensors of string"

  Item() = default;
  Item(Value v) : value(v) {}
  Item(Array a) : known(std::move(a)) {}
  const Type& type() const { return value ? value.type() : known->type(); }
  bool foldable() const { return known && !weight; }
};
using Items = std::vector<Item>;

// The part of the importer that outlives a node.
class OnnxContext {
 public:
  virtual ~OnnxContext() = default;
  // The outputs of a graph inside an attribute, in place; its inputs are arguments.
  virtual Items inline_graph(const GraphDef& g, Items arguments) = 0;
  virtual void note_training(const std::string& node) = 0;
  std::map<std::string, Body> functions;  // named functions by key
  std::optional<Dtype> float32_as;
};

class OnnxOp {
 public:
  OnnxOp(Build& build, OnnxContext& context, const NodeDef& n, int64_t version, std::span<Item* const> inputs)
      : b(build), context_(context), node_(n), opset_(version), in_(inputs) {}

  Build& b;

  const NodeDef& node() const { return node_; }
  int64_t opset() const { return opset_; }
  size_t inputs() const { return in_.size(); }
  size_t outputs() const { return node_.outputs.size(); }
  bool wants(size_t i) const { return i < node_.outputs.size() && !node_.outputs[i].empty(); }

  bool has(size_t i) const { return i < in_.size() && in_[i]; }
  const Item& item(size_t i) const;  // throws an input error where it is missing
  const Type& type(size_t i) const { return item(i).type(); }
  int64_t rank(size_t i) const { return type(i).rank(); }
  Value in(size_t i);                            // in the graph
  Value in_or(size_t i, double value, Dtype d);  // a scalar where the input is left out

  // The elements of an input that must be known at import; throws an unsupported error otherwise.
  const Array& known(size_t i) const;
  Ints known_ints(size_t i) const;
  double known_number(size_t i) const;
  bool is_known(size_t i) const { return has(i) && in_[i]->known.has_value(); }

  // Attributes; the forms without default throw an input error where it is missing, all where its kind is wrong.
  bool has_attribute(std::string_view name) const { return node_.find(name) != nullptr; }
  int64_t integer(std::string_view name) const;
  int64_t integer(std::string_view name, int64_t otherwise) const {
    return has_attribute(name) ? integer(name) : otherwise;
  }
  double number(std::string_view name) const;
  double number(std::string_view name, double otherwise) const {
    return has_attribute(name) ? number(name) : otherwise;
  }
  std::string text(std::string_view name) const;
  std::string text(std::string_view name, std::string otherwise) const {
    return has_attribute(name) ? text(name) : otherwise;
  }
  Ints ints(std::string_view name) const;
  Ints ints(std::string_view name, Ints otherwise) const { return has_attribute(name) ? ints(name) : otherwise; }
  bool flag(std::string_view name, bool otherwise = false) const { return integer(name, otherwise) != 0; }
  const GraphDef& graph(std::string_view name) const;
  Array tensor(std::string_view name) const;
  // A dtype written as a number of TensorProto.DataType.
  Dtype dtype(int64_t number) const;
  Array in_precision(Array a) const;  // float32 taken as the binding says
  Dtype in_precision(Dtype d) const;

  // axis counted from the front; throws an input error where it is outside [-rank, rank).
  int64_t axis(int64_t axis, int64_t rank) const;
  Ints axes(Ints axes, int64_t rank) const;  // also refuses repetition

  template <class... A> Error malformed(fmt::format_string<A...> f, A&&... a) const {
    return input_error("{}: {}", to_string(node_), fmt::format(f, std::forward<A>(a)...));
  }

  // A call of a named function: made once for each key and argument types, so that transformations are memoised.
  using Maker = std::function<Values(Build&, Ins)>;
  Values named(const std::string& name, const std::string& key, Values arguments, const Maker& make);

  Items inline_graph(const GraphDef& g) { return context_.inline_graph(g, {}); }
  void note_training() { context_.note_training(to_string(node_)); }

 private:
  const AttributeDef& attribute(std::string_view name, AttributeDef::Kind kind) const;

  OnnxContext& context_;
  const NodeDef& node_;
  int64_t opset_;
  std::span<Item* const> in_;
};

// One row of the table: how an operator of the default domain is built from opset since to until.
struct OnnxRow {
  std::string_view name;
  int64_t since, until;
  Items (*build)(OnnxOp&);
  bool heavy = false;  // never evaluated at import: it may cost more than import may
};
inline constexpr int64_t latest = newest_opset;

// ops_*.cpp
namespace onnx_ops {
std::span<const OnnxRow> unary();
std::span<const OnnxRow> binary();
std::span<const OnnxRow> activation();
std::span<const OnnxRow> contraction();
std::span<const OnnxRow> convolution();
std::span<const OnnxRow> pooling();
std::span<const OnnxRow> normalization();
std::span<const OnnxRow> reduction();
std::span<const OnnxRow> shape();
std::span<const OnnxRow> movement();
std::span<const OnnxRow> indexing();
std::span<const OnnxRow> source();
std::span<const OnnxRow> quantization();
std::span<const OnnxRow> resizing();
std::span<const OnnxRow> attention();
std::span<const OnnxRow> loss();
std::span<const OnnxRow> spatial();
}  // namespace onnx_ops

// The row for an operator at an opset, or null.
const OnnxRow* find_onnx_row(std::string_view name, int64_t opset);
bool knows_onnx_name(std::string_view name);        // at some opset
std::string refusal_reason(std::string_view name);  // why an operator has no row

// helpers.cpp: what several families use.
Shape broadcast_shape(const OnnxOp& o, const Shape& a, const Shape& b);  // NumPy's rule; input error where it fails
Values broadcast_together(OnnxOp& o, Values v);
Value along(Build& b, Value vector, const Shape& shape, int64_t axis);  // a vector spread over all dimensions but axis
// What a reduction over dims has left, spread over them again.
Value spread(Build& b, Value reduced, const Shape& shape, const Ints& dims);
Value keep_dims(Build& b, Value reduced, const Shape& original, const Ints& dims);  // reduced dimensions with extent 1
Value mean(Build& b, Value x, const Ints& dims);
Value take(Build& b, Value x, int64_t axis, const Ints& indices);  // indices fixed at import, inside the extent
Value widened(Build& b, Value x);  // 16-bit floats in float32: sums of them lose too much
// NumPy's matmul: vectors become matrices of one row or column; leading dimensions broadcast.
Value matmul_of(OnnxOp& o, Value x, Value y, std::optional<Dtype> result = {});  // ops_contraction.cpp
Value softmax(Build& b, Value x, int64_t axis);
Value log_softmax(Build& b, Value x, int64_t axis);
Value call_softmax(OnnxOp& o, Value x, int64_t axis, bool log);  // as a named function

}  // namespace viva
