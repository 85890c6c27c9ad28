// What a model file must satisfy beyond its syntax (ONNX IR specification, "Graphs" and "Functions"):
// every value has a name of its own and is made once; a node uses only what stands before it; graph outputs are made;
// functions do not call themselves.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "onnx/reader.h"

namespace viva {
namespace {

using Kind = AttributeDef::Kind;

// The names visible at one place: those of this graph so far, then those of the graphs around it.
struct Scope {
  const Scope* outer = nullptr;
  std::unordered_set<std::string_view> names;
  bool sees(std::string_view s) const {
    for (const Scope* scope = this; scope; scope = scope->outer)
      if (scope->names.contains(s)) return true;
    return false;
  }
};

class Checker {
 public:
  Checker(const ModelReader& r, bool in_function) : r_(r), in_function_(in_function) {}

  void graph(const GraphDef& g, const Scope* outer, const std::string& place) {
    Scope scope{outer, {}};
    for (const auto& v : g.inputs) define(scope, v.name, place + "input");
    for (const auto& t : g.initializers) define(scope, t.name, place + "initializer");
    // An overridable input shares the name of its initializer; twice as an input it is still an error.
    std::set<std::string_view> defaults;
    for (const auto& v : g.overridable)
      if (!defaults.insert(v.name).second) throw twice(place + "input", v.name);
    nodes(g.nodes, scope);
    std::set<std::string_view> seen;
    for (const auto& v : g.outputs) {
      output(scope, v.name, place);
      if (!seen.insert(v.name).second) throw r_.error("{}output {} is listed twice", place, in_quotes(v.name));
    }
  }

  void function(const FunctionDef& f) {
    const std::string place = fmt::format("function {}: ", in_quotes(f.name));
    Scope scope;
    for (const auto& s : f.inputs) define(scope, s, place + "input");
    nodes(f.nodes, scope);
    for (const auto& s : f.outputs) output(scope, s, place);
  }

 private:
  Error twice(const std::string& what, std::string_view name) const {
    return r_.error("{} {} is defined twice", what, in_quotes(name));
  }

  void define(Scope& scope, std::string_view name, const std::string& what) const {
    if (name.empty()) throw r_.error("{} without a name", what);
    if (!scope.names.insert(name).second) throw twice(what, name);
  }

  void output(const Scope& scope, const std::string& name, const std::string& place) const {
    if (!scope.sees(name)) throw r_.error("{}output {} is made by no node", place, in_quotes(name));
  }

  void nodes(const std::vector<NodeDef>& list, Scope& scope) {
    for (size_t i = 0; i < list.size(); ++i) {
      const NodeDef& n = list[i];
      for (const auto& s : n.inputs)
        if (!s.empty() && !scope.sees(s)) throw missing(list, i, s);
      for (const auto& a : n.attributes) attribute(n, a, scope);
      for (const auto& s : n.outputs)
        if (!s.empty()) define(scope, s, to_string(n) + ": output");
    }
  }

  void attribute(const NodeDef& n, const AttributeDef& a, const Scope& scope) {
    if (a.kind == Kind::reference && !in_function_)
      throw r_.error("{}: attribute {} refers to an attribute of a function, outside of any", to_string(n),
                     in_quotes(a.name));
    for (const auto& g : a.graphs)
      graph(*g, &scope, fmt::format("{}: attribute {}: ", to_string(n), in_quotes(a.name)));
  }

  // list[i] uses a value that is not there yet: made later (unsorted or cyclic) or never.
  Error missing(const std::vector<NodeDef>& list, size_t i, const std::string& value) const {
    std::unordered_map<std::string_view, size_t> maker;
    for (size_t k = 0; k < list.size(); ++k)
      for (const auto& s : list[k].outputs) maker.emplace(s, k);
    const auto at = maker.find(value);
    if (at == maker.end())
      return r_.error("{}: input {} is made by no node, input or initializer", to_string(list[i]), in_quotes(value));
    std::vector<bool> seen(list.size());
    std::vector<size_t> pending{at->second};
    while (!pending.empty()) {
      const size_t k = pending.back();
      pending.pop_back();
      if (k == i)
        return r_.error("{}: input {} depends on this node's own output (a cycle)", to_string(list[i]),
                        in_quotes(value));
      if (seen[k]) continue;
      seen[k] = true;
      for (const auto& s : list[k].inputs)
        if (const auto m = maker.find(s); m != maker.end()) pending.push_back(m->second);
    }
    return r_.error("{}: input {} is made only later, by {}: the nodes must be sorted", to_string(list[i]),
                    in_quotes(value), to_string(list[at->second]));
  }

  const ModelReader& r_;
  bool in_function_;
};

using FunctionKey = std::tuple<std::string_view, std::string_view, std::string_view>;

void collect_calls(const std::vector<NodeDef>& nodes, std::set<FunctionKey>& calls) {
  for (const auto& n : nodes) {
    calls.emplace(n.domain, n.op_type, n.overload);
    for (const auto& a : n.attributes)
      for (const auto& g : a.graphs) collect_calls(g->nodes, calls);
  }
}

// The number of functions on the longest chain of calls from f. height holds what is known, 0 for those being visited.
int call_height(const ModelReader& r, const std::map<FunctionKey, const FunctionDef*>& table, const FunctionDef& f,
                std::map<const FunctionDef*, int>& height, int depth) {
  if (const auto [at, fresh] = height.try_emplace(&f, 0); !fresh) {
    if (at->second == 0) throw r.error("function {} calls itself", in_quotes(f.name));
    return at->second;
  }
  std::set<FunctionKey> calls;
  collect_calls(f.nodes, calls);
  int h = 1;
  if (depth < max_function_depth)
    for (const auto& key : calls)
      if (const auto at = table.find(key); at != table.end())
        h = std::max(h, 1 + call_height(r, table, *at->second, height, depth + 1));
  if (depth >= max_function_depth || h > max_function_depth)
    throw r.error("functions call one another more than {} deep", max_function_depth);
  return height[&f] = h;
}

}  // namespace

void check_model(const ModelFile& m, const ModelReader& r) {
  std::map<FunctionKey, const FunctionDef*> table;
  for (const auto& f : m.functions)
    if (!table.emplace(FunctionKey{f.domain, f.name, f.overload}, &f).second)
      throw r.error("function {} is defined twice", in_quotes(f.name));
  std::map<const FunctionDef*, int> height;
  for (const auto& f : m.functions) {
    Checker(r, true).function(f);
    call_height(r, table, f, height, 0);
  }
  Checker(r, false).graph(m.graph, nullptr, "");
}

}  // namespace viva
