// Scopes: one for each function being traced. A tensor of an enclosing scope, or of none, becomes a hidden parameter of
// the inner function, so an inner derivative never sees it: perturbations cannot be confused, and no levels are needed.
#pragma once

#include <memory>
#include <unordered_map>

#include "graph/build.h"
#include "viva/tensor.h"

namespace viva::tracing {

class Scope;
using Tensors = std::vector<Tensor>;

struct Traced {
  std::shared_ptr<Scope> scope;
  Value value;
  Type type;
  Where where;  // the line that made it
};

struct Access {
  static const Array& array(const Tensor& t) { return t.array_; }
  static Array take(Tensor& t) { return std::move(t.array_); }
  static const Traced* traced(const Tensor& t) { return t.traced_.get(); }
  static Tensor make(std::shared_ptr<Scope> scope, Value v, Where where);
};

enum class Mode : uint8_t {
  valued,  // values can be asked for: those of the arguments are at hand
  staged,  // no values: the graph must hold for all
  frozen,  // staged, and arrays from outside become constants
};

class Scope : public std::enable_shared_from_this<Scope> {
 public:
  Scope(std::string what, Where opened, Mode mode, std::shared_ptr<Scope> parent);

  // A parameter; value: what it stands for where the scope is valued.
  Tensor parameter(const Type& type, std::string name, const Tensor& value);
  // The value of t here: its own, or that of a hidden parameter. Throws a usage error where t's scope is closed.
  Value lift(const Tensor& t, Where where);
  Tensor wrap(Value v, Where where) { return Access::make(shared_from_this(), v, where); }
  // The elements of a value of this scope, computed from those of the arguments. Throws where the scope is staged.
  Array value_of(Value v, Where asked, Where made);
  // The function traced: the declared parameters, then the hidden ones.
  Body close(const Values& outputs);
  void abandon();  // after an exception

  // Of a vmap with a name: an axis that functions inside may speak of. Its name is empty where there is none.
  struct Axis {
    std::string name;
    int64_t size = 0;
  };
  void set_axis(Axis axis) { axis_ = std::move(axis); }
  const Axis& axis() const { return axis_; }
  // The place of the example along the axis: a hidden parameter, for which an empty tensor stands among hidden().
  Tensor example();
  friend class Permit;

  Build& build() { return build_; }
  const Tensors& hidden() const { return hidden_; }
  bool is_open() const { return open_; }
  const std::string& what() const { return what_; }
  Where opened() const { return opened_; }
  const std::shared_ptr<Scope>& parent() const { return parent_; }

 private:
  Value hide(const Tensor& t);
  Value hidden_once(const Tensor& t);
  Value freeze(const Tensor& t, Where where);

  std::string what_;
  Where opened_;
  Mode mode_;
  bool open_ = true;
  Axis axis_;
  Value example_;
  std::shared_ptr<Scope> parent_;
  Build build_;
  Values declared_, hidden_values_;
  Tensors hidden_, captured_;
  std::unordered_map<Value, Value, ValueHash> lifted_;                        // by the outer value
  std::unordered_multimap<const std::byte*, std::pair<Type, Value>> arrays_;  // by the outer elements
  std::unordered_map<const Node*, Tensor> arguments_;                         // what parameters stand for
  std::unordered_map<const Node*, std::vector<Array>> values_;
};

// While one lives, operations and errors carry the line of the outermost: a function made of others names its caller.
class Line {
 public:
  explicit Line(Where where);
  ~Line();
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

 private:
  bool first_;
};
Where line_or(Where where);  // the line in force, else where

// The innermost scope of this thread; null outside.
const std::shared_ptr<Scope>& current();

// While one lives, this thread may use these tensors of scopes that are closed: a rule that is traced late captures
// what it did when its function was applied.
class Permit {
 public:
  explicit Permit(const Tensors& tensors);
  ~Permit();
  Permit(const Permit&) = delete;
  Permit& operator=(const Permit&) = delete;
  static bool covers(const Traced& t);
  // The scope of the innermost vmap whose axis has the name, open or lent by a permit; null where there is none. Adds
  // the names that it passes to known.
  static Scope* with_axis(std::string_view name, std::vector<std::string>& known);

 private:
  const Tensors& tensors_;
  const Scope* base_;  // the innermost open scope where it begins
  const Permit* outer_;
};
// Whether both are one value of a scope, or one array.
bool same(const Tensor& a, const Tensor& b);

// Opens a scope inside the current one, for its own life time.
class Open {
 public:
  Open(std::string what, Where opened, Mode mode);
  ~Open();
  Open(const Open&) = delete;
  Open& operator=(const Open&) = delete;
  Scope& operator*() const { return *scope_; }
  Scope* operator->() const { return scope_.get(); }

 private:
  std::shared_ptr<Scope> scope_;
};

// One operation: a node of the current scope, or run at once.
Tensors emit_all(std::string_view op, const std::vector<const Tensor*>& in, Attrs attrs, Where where);
Tensor emit(std::string_view op, const std::vector<const Tensor*>& in, Attrs attrs, Where where);
Tensor constant(Array value, Where where);

// A function applied to tensors: its nodes go into the current scope, or run.
Tensors apply(const Body& f, const Tensors& args, Where where);
// The same as one call node, where a scope is open; policy: what its derivative keeps (ops/checkpoint.h).
Tensors call(const Body& f, const Tensors& args, std::string policy, Where where);

// The elements of t. Throws a usage error where it has none.
Array value_of(const Tensor& t, Where asked);
void check_not_empty(const Tensor& t, Where where);

}  // namespace viva::tracing
