// The graph: functions of nodes in single static assignment. Everything here is immutable once built (graph/build.h).
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/array.h"
#include "base/error.h"
#include "base/shape.h"

namespace viva {

struct OpDef;
struct Node;
class Dependence;  // graph/dependence.h
class Function;
// A function is shared and never changes, so its address is its identity: transformations are memoised by it, and a
// function cannot call itself, because it would have to exist before it is built.
using Body = std::shared_ptr<const Function>;

using Attr = std::variant<bool, int64_t, double, std::string, Dtype, Ints, Array>;

// Named constants of a node, in the order of their names. The typed getters throw an internal error on a wrong kind.
class Attrs {
 public:
  Attrs() = default;
  Attrs(std::initializer_list<std::pair<std::string, Attr>> items);
  void set(std::string_view name, Attr value);
  const Attr* find(std::string_view name) const;
  bool flag(std::string_view name) const;
  int64_t integer(std::string_view name) const;
  double number(std::string_view name) const;
  const std::string& text(std::string_view name) const;
  Dtype dtype(std::string_view name) const;
  const Ints& ints(std::string_view name) const;
  const Array& array(std::string_view name) const;
  const std::vector<std::pair<std::string, Attr>>& items() const { return items_; }

 private:
  std::vector<std::pair<std::string, Attr>> items_;
};
bool same(const Attr& a, const Attr& b);  // arrays by type and bits, doubles by bits
bool same(const Attrs& a, const Attrs& b);
size_t hash(const Attrs& a);

// One output of a node; the null Value stands for "absent" or a symbolic zero.
class Value {
 public:
  Value() = default;
  Value(const Node* node, int port) : node_(node), port_(port) {}
  explicit operator bool() const { return node_ != nullptr; }
  bool operator==(const Value&) const = default;
  const Node* node() const { return node_; }
  int port() const { return port_; }
  const Type& type() const;
  Dtype dtype() const { return type().dtype; }
  const Shape& shape() const { return type().shape; }
  int64_t rank() const { return type().rank(); }
  int64_t dim(int64_t i) const { return type().shape[static_cast<size_t>(i)]; }
  const std::string& name() const;  // "" where the value has none

 private:
  const Node* node_ = nullptr;
  int port_ = 0;
};
using Values = std::vector<Value>;
using Ins = std::span<const Value>;
using Mask = std::vector<bool>;

struct ValueHash {
  size_t operator()(const Value& v) const {
    return std::hash<const void*>()(v.node()) * 31 + static_cast<size_t>(v.port());
  }
};

struct Node {
  const OpDef* op = nullptr;  // null: a parameter of the function
  Values in;
  Attrs attrs;
  std::vector<Body> bodies;
  std::vector<Type> types;         // of the outputs
  std::vector<std::string> names;  // of the outputs; "" for none
  Where where;                     // the user's line
  int64_t id = 0;                  // position in the function

  Value out(int port = 0) const { return {this, port}; }
  int outputs() const { return static_cast<int>(types.size()); }
  Values outs() const;
};

class Function {
 public:
  const std::string& name() const { return name_; }
  const std::deque<Node>& nodes() const { return nodes_; }  // parameters first, then by dependence
  const Values& params() const { return params_; }
  const Values& outputs() const { return outputs_; }
  const std::vector<std::string>& output_names() const { return output_names_; }
  std::vector<Type> param_types() const;
  std::vector<Type> output_types() const;
  // How deep the functions below nest: 0 where no node holds one.
  int64_t depth() const { return depth_; }
  // Which outputs depend on which parameters; found on the first request.
  const Dependence& dependence() const;

 private:
  friend class Build;
  std::string name_;
  std::deque<Node> nodes_;
  Values params_, outputs_;
  std::vector<std::string> output_names_;
  int64_t depth_ = 0;
  mutable std::once_flag once_;
  mutable std::shared_ptr<const Dependence> dependence_;
};

// The greatest depth of a function. It bounds the recursion of whatever walks a nest.
inline constexpr int64_t most_nested = 1000;

// A table of functions under distinct names, callees before callers; the entry is the last.
class Program {
 public:
  // Collects what entry reaches. Where two different functions share a name, the later one is listed as name.2, ….
  explicit Program(Body entry);
  const Body& entry() const { return functions_.back().second; }
  const std::vector<std::pair<std::string, Body>>& functions() const { return functions_; }
  const std::string& name_of(const Function& f) const;

 private:
  std::vector<std::pair<std::string, Body>> functions_;
  std::unordered_map<const Function*, size_t> index_;
};

inline const Type& Value::type() const { return node_->types[static_cast<size_t>(port_)]; }
inline const std::string& Value::name() const { return node_->names[static_cast<size_t>(port_)]; }

std::vector<Type> types_of(Ins values);  // a null Value gives Type{}

}  // namespace viva
