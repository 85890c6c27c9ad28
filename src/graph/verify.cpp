// The invariants of a graph, cited by number in errors:
//  1. A node's id is its position in its function, and the node has one name for each type.
//  2. Parameters, the nodes without operation, come first; params() lists them all, in order. A parameter has one type
//     and neither inputs, attributes nor bodies.
//  3. The record of an operation is the one that the catalogue lists under its name.
//  4. Every input is an output that exists of an earlier node of the same function.
//  5. Dtypes are known; extents are not negative, and their product is at most 2^47.
//  6. Attributes stand in ascending order of their names, none twice, none nameless. An array holds its elements, each
//     bool 0 or 1. Dtypes are known.
//  7. Bodies exist, do not hold the function they stand in, and fulfil all this themselves.
//  8. The output types are what the operation infers from operands, attributes and bodies.
//  9. Every output of a function exists and is of a node of this function.
// 10. A function has one name for each output, and a name at least where the output's value has one.
// 11. The names of a program's functions are distinct; its entry is the last; what a function holds stands before it.
// 12. An operation has the attributes that its record lists, and no others.
// 13. Functions nest at most 1000 deep, and each knows how deep.
#include "graph/verify.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "graph/deferred.h"
#include "graph/opdef.h"

namespace viva {
namespace {

[[noreturn]] void broken(const std::string& place, int invariant, std::string_view what, Where where = {}) {
  throw Error(ErrorKind::internal, fmt::format("[verify] {}: {} (invariant {})", place, what, invariant), where);
}

class FunctionVerifier {
 public:
  explicit FunctionVerifier(const Function& f) : f_(f) {}

  void run() {
    for (const Node& n : f_.nodes()) {
      node_ = &n;
      require(n.id == static_cast<int64_t>(known_.size()), 1, "the id is not the node's position");
      require(n.names.size() == n.types.size(), 1, "names and types differ in number");
      if (n.op) operation(n);
      else parameter(n);
      for (const Type& t : n.types) type(t);
      attributes(n.attrs);
      if (n.op) inferred(n);
      for (const Body& b : n.bodies) depth_ = std::max(depth_, b->depth() + 1);
      known_.insert(&n);
    }
    node_ = nullptr;
    require(f_.depth() == depth_ && depth_ <= most_nested, 13, "the depth is not that of its bodies");
    require(parameters_ == f_.params().size(), 2, "params() and the parameters differ in number");
    outputs();
  }

 private:
  void require(bool holds, int invariant, std::string_view what) const {
    if (!holds) fail(invariant, what);
  }
  [[noreturn]] void fail(int invariant, std::string_view what) const {
    std::string place = f_.name();
    if (node_) place += fmt::format(", node {} ({})", known_.size(), node_->op ? node_->op->name : "parameter");
    broken(place, invariant, what, node_ ? node_->where : Where());
  }

  void parameter(const Node& n) {
    require(known_.size() == parameters_, 2, "a parameter after an operation");
    require(parameters_ < f_.params().size() && f_.params()[parameters_] == n.out(), 2, "not where params() has it");
    require(n.types.size() == 1, 2, "a parameter has one type");
    require(n.in.empty() && n.attrs.items().empty() && n.bodies.empty(), 2, "a parameter with inputs");
    ++parameters_;
  }

  void operation(const Node& n) const {
    require(std::ranges::find(catalog(), n.op) != catalog().end() && find_op(n.op->name) == n.op, 3,
            "the record is not the catalogue's");
    for (size_t i = 0; i < n.in.size(); ++i) {
      const Value& v = n.in[i];
      if (!v) fail(4, fmt::format("input {} is absent", i));
      if (!known_.contains(v.node())) fail(4, fmt::format("input {} is not of an earlier node of this function", i));
      if (v.port() < 0 || v.port() >= v.node()->outputs()) fail(4, fmt::format("input {}: no output {}", i, v.port()));
    }
  }

  void type(const Type& t) const {
    require(static_cast<int>(t.dtype) < dtype_count, 5, "unknown dtype");
    try {
      numel(t.shape);
    } catch (const Error& e) { fail(5, e.message()); }
  }

  void attributes(const Attrs& attrs) const {
    const std::string* before = nullptr;
    for (const auto& [name, value] : attrs.items()) {
      require(!name.empty() && (!before || *before < name), 6, "attributes without names or order");
      before = &name;
      if (const auto* d = std::get_if<Dtype>(&value)) require(static_cast<int>(*d) < dtype_count, 6, "unknown dtype");
      if (const auto* a = std::get_if<Array>(&value)) array(*a);
    }
  }

  void array(const Array& a) const {
    require(!a.empty() && static_cast<int>(a.dtype()) < dtype_count, 6, "an array without elements");
    require(a.size() == numel(a.shape()), 6, "an array's size is not that of its shape");
    if (!is_bool(a.dtype())) return;
    const auto truth = [](std::byte b) { return b <= std::byte{1}; };
    require(std::all_of(a.data(), a.data() + a.bytes(), truth), 6, "a bool that is neither 0 nor 1");
  }

  void inferred(const Node& n) const {
    std::vector<Type> types;
    try {
      check_attributes(*n.op, n.attrs);
    } catch (const Error& e) { fail(12, e.message()); }
    try {
      types = (*n.op->infer)({types_of(n.in), n.attrs, n.bodies});
      for (const Type& t : types) numel(t.shape);
    } catch (const Error& e) { fail(8, e.message()); }
    require(types.size() == n.types.size(), 8,
            fmt::format("{} types where {} are inferred", n.types.size(), types.size()));
    for (size_t i = 0; i < types.size(); ++i)
      if (types[i] != n.types[i])
        fail(8, fmt::format("output {} is {}, inferred {}", i, to_string(n.types[i]), to_string(types[i])));
  }

  void outputs() const {
    const Values& out = f_.outputs();
    require(f_.output_names().size() == out.size(), 10, "outputs and their names differ in number");
    for (size_t i = 0; i < out.size(); ++i) {
      if (!out[i] || !known_.contains(out[i].node())) fail(9, fmt::format("output {} is not of this function", i));
      if (out[i].port() < 0 || out[i].port() >= out[i].node()->outputs())
        fail(9, fmt::format("output {}: no such port", i));
      if (f_.output_names()[i].empty() && !out[i].name().empty())
        fail(10, fmt::format("output {} is nameless, its value is \"{}\"", i, out[i].name()));
    }
  }

  const Function& f_;
  const Node* node_ = nullptr;
  std::unordered_set<const Node*> known_;  // the nodes verified; never looked into for another node's address
  size_t parameters_ = 0;
  int64_t depth_ = 0;
};

// Every function below, callees first, without recursion. Holding itself is the one way to be met while open.
class Walk {
 public:
  void from(const Function& entry) {
    push(entry);
    while (!open_.empty()) {
      auto& [f, next] = open_.back();
      if (next == callees_.at(f).size()) {
        FunctionVerifier(*f).run();
        state_[f] = State::done;
        open_.pop_back();
        continue;
      }
      const Function& callee = *callees_.at(f)[next++];
      if (state_[&callee] == State::open) broken(callee.name(), 7, "the function holds itself");
      if (state_[&callee] == State::unseen) push(callee);
    }
  }

 private:
  enum class State : uint8_t { unseen, open, done };

  void push(const Function& f) {
    std::vector<const Function*> callees;
    for (const Node& n : f.nodes())
      for (const Body& b : n.bodies) {
        if (!b) broken(fmt::format("{}, node {}", f.name(), n.id), 7, "a body is absent", n.where);
        callees.push_back(b.get());
      }
    callees_.emplace(&f, std::move(callees));
    state_[&f] = State::open;
    open_.emplace_back(&f, 0);
  }

  std::vector<std::pair<const Function*, size_t>> open_;
  std::unordered_map<const Function*, std::vector<const Function*>> callees_;
  std::unordered_map<const Function*, State> state_;
};

}  // namespace

void verify(const Function& f) { Walk().from(f); }

void verify(const Program& program) {
  std::unordered_set<std::string_view> names;
  std::unordered_set<const Function*> before;
  Walk walk;
  if (program.functions().empty()) broken("program", 11, "no entry");
  for (const auto& [name, f] : program.functions()) {
    if (!f) broken(name, 11, "the function is absent");
    if (!names.insert(name).second) broken(name, 11, "a second function of this name");
    for (const Node& n : f->nodes())
      for (const Body& b : n.bodies)
        if (b && !before.contains(written(b).get()))
          broken(name, 11, fmt::format("{} does not stand before it", b->name()));
    before.insert(f.get());
    walk.from(*f);
  }
}

}  // namespace viva
