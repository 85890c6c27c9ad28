#include <algorithm>
#include <unordered_map>

#include "graph/constant.h"
#include "graph/deferred.h"
#include "loops/lowered.h"
#include "loops/run.h"
#include "transform/pipeline.h"
#include "transform/rewrite.h"

namespace viva {
namespace {

struct NodeKey {
  const Node* node;
  bool operator==(const NodeKey& o) const {
    return node->op == o.node->op && node->in == o.node->in && node->bodies == o.node->bodies &&
           same(node->attrs, o.node->attrs);
  }
};
struct NodeKeyHash {
  size_t operator()(const NodeKey& k) const {
    size_t h = std::hash<const void*>()(k.node->op) ^ hash(k.node->attrs);
    for (const Value& v : k.node->in) h = h * 1000003 + ValueHash()(v);
    return h;
  }
};

// Two orders of a commutative operation are one.
Values ordered(const Node& n, Values in) {
  if (n.op->commutes && in.size() == 2 &&
      std::pair(in[1].node()->id, in[1].port()) < std::pair(in[0].node()->id, in[0].port()))
    std::swap(in[0], in[1]);
  return in;
}

}  // namespace

Body algebra(const Body& f) {
  return rewrite(*f, [](Build& b, const Node& n, Ins in) -> std::optional<Values> {
    Values simpler = n.op->simplify ? n.op->simplify(b, n, in) : Values{};
    if (simpler.empty()) return std::nullopt;
    return simpler;
  });
}

namespace {

// What a plan would compute, at its speed: a folded contraction may be large.
std::vector<Array> evaluated(const Node& n, const std::vector<Array>& operands) {
  std::vector<Array> results;
  std::vector<const void*> in;
  std::vector<void*> out;
  for (const Array& a : operands) in.push_back(a.data());
  for (const Type& t : n.types) results.push_back(Array::make(t));
  for (Array& a : results) out.push_back(a.mutable_data());
  ThreadPool alone(1);
  const loops::Lowering form = (*n.op->lower)(n).form;
  loops::Scratch scratch;
  if (const auto* nest = std::get_if<loops::Nest>(&form)) loops::run(loops::Prepared(*nest), in, out, alone, scratch);
  else std::get<loops::Host>(form).fn(in, out, alone);
  return results;
}

}  // namespace

Body constants(const Body& f) {
  return rewrite(*f, [](Build& b, const Node& n, Ins in) -> std::optional<Values> {
    int64_t given = 64, made = 0;
    std::vector<Array> operands;
    for (const Value& v : in) {
      const Array* value = constant_of(*v.node());
      if (!value) return std::nullopt;
      operands.push_back(*value);
      given = std::max(given, numel(v.shape()));
    }
    for (const Type& t : n.types) made += numel(t.shape);
    if (in.empty() || made > given || !n.op->lower || !n.op->shared) return std::nullopt;
    Values out;
    for (const Array& a : evaluated(n, operands)) out.push_back(b.constant(a));
    return out;
  });
}

Body common_subexpressions(const Body& f) {
  std::unordered_map<NodeKey, const Node*, NodeKeyHash> seen;
  return rewrite(*f, [&](Build& b, const Node& n, Ins in) -> std::optional<Values> {
    if (!n.op->shared || n.outputs() == 0) return std::nullopt;
    const Values out = b.repeat(n, ordered(n, {in.begin(), in.end()}));
    const auto [it, fresh] = seen.emplace(NodeKey{out[0].node()}, out[0].node());
    return it->second->outs();
  });
}

Body dead_code(const Body& f) { return Pruner().pruned(f); }

namespace {

constexpr size_t most_nodes = size_t{1} << 17;

// Calls become the bodies of their functions, each function rewritten once however often it is called. What a function
// computes twice is shared before its callers copy it, or calls of calls would grow as powers.
class Inlining {
 public:
  explicit Inlining(bool (*which)(const Node&)) : which_(which) {}

  Body run(const Body& f) {
    if (const auto it = memo_.find(f.get()); it != memo_.end()) return it->second;
    size_t nodes = f->nodes().size();
    const Body made = rewrite(*f, [&](Build& b, const Node& n, Ins in) -> std::optional<Values> {
      if (n.bodies.empty() || !n.op->inlines || !which_(n)) return std::nullopt;
      const Body callee = shared(resolved(n.bodies[0]));
      if ((nodes += callee->nodes().size()) > most_nodes)
        throw unsupported("the calls of {} expand to more than {} nodes", f->name(), most_nodes);
      return b.inline_call(*callee, in);
    });
    return memo_.emplace(f.get(), made).first->second;
  }

 private:
  Body shared(const Body& f) {
    Body& known = shared_[f.get()];
    if (!known) known = dead_code(common_subexpressions(run(f)));
    return known;
  }

  bool (*which_)(const Node&);
  std::unordered_map<const Function*, Body> memo_, shared_;  // the caller of run holds the keys
};

}  // namespace

Body inline_calls(const Body& f) {
  return Inlining([](const Node& n) { return n.op->inlines(n); }).run(f);
}

Body inline_all(const Body& f) {
  return Inlining([](const Node&) { return true; }).run(f);
}

}  // namespace viva
