#include "onnx/importer.h"

#include <algorithm>
#include <unordered_set>

#include "interpret/interpret.h"

namespace viva {
namespace {

constexpr int64_t max_nodes = 1'000'000;          // visited, functions inlined
constexpr int64_t max_folded = int64_t{1} << 22;  // elements computed to fold one node
constexpr int64_t small_weight = 4096;            // elements up to which values made of weights are computed as well

using Kind = AttributeDef::Kind;

int64_t elements(std::span<Item* const> items) {
  int64_t n = 0;
  for (const Item* x : items)
    if (x && x->known) n += x->known->size();
  return n;
}

}  // namespace

Importer::Importer(const ModelFile& m, const Binding& binding)
    : m_(m),
      bind_(binding),
      file_(m.files.empty() ? "model" : m.files.front().path),
      b_("model"),
      place_(Where::named(file_)) {
  b_.at(place_);
  float32_as = binding.float32_as;
  for (const auto& f : m.functions) functions_.emplace(std::tuple{f.domain, f.name, f.overload}, &f);
}

Item* Importer::Scope::find(const std::string& name) {
  for (Scope* s = this; s; s = s->outer)
    if (const auto at = s->items.find(name); at != s->items.end()) return &at->second;
  return nullptr;
}

Error Importer::error(ErrorKind kind, const std::string& text) const { return {kind, file_ + ": " + text}; }

void Importer::define_initializers(const GraphDef& g, Scope& scope, bool top) {
  for (const TensorDef& t : g.initializers) {
    Item x;
    if (!t.unsupported.empty()) x.unsupported = t.unsupported;
    else {
      Array a = t.value;
      if (a.dtype() == Dtype::float32 && float32_as) a = a.converted(*float32_as);
      x.known = a;
      if (top && has_tangent(a.dtype())) {
        x.value = b_.parameter(a.type(), t.name);
        x.weight = true;
        weights_.push_back(std::move(a));
        weight_names_.push_back(t.name);
      }
    }
    scope.items.insert_or_assign(t.name, std::move(x));
  }
}

void Importer::nodes(const std::vector<NodeDef>& list, Scope& scope) {
  for (const NodeDef& n : list) node(n, scope);
}

void Importer::node(const NodeDef& written, Scope& scope) {
  if (++visited_ > max_nodes)
    throw error(ErrorKind::unsupported, fmt::format("more than {} nodes, functions inlined", max_nodes));
  const NodeDef n = resolved(written);
  std::vector<Item*> inputs;
  Items items;
  std::string reason;
  bool skip = false;
  for (const std::string& name : n.inputs) {
    Item* x = name.empty() ? nullptr : scope.find(name);
    inputs.push_back(x);
    if (!x || x->unsupported.empty()) continue;
    skip = true;
    if (x->unsupported != "reported") reason = x->unsupported;
  }
  Scope* const before = std::exchange(scope_, &scope);
  const Where around = std::exchange(place_, Where::named(to_string(n)));
  b_.at(place_);
  try {
    if (!skip) items = outputs_of(n, inputs);
    else if (!reason.empty()) report(n, reason);
    else row_of(n);  // only to report it
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::internal || e.kind() == ErrorKind::cancelled) throw;
    if (e.kind() != ErrorKind::unsupported) {
      const bool placed = e.message().starts_with(file_) || e.message().starts_with(to_string(n));
      const std::string text = placed ? e.message() : to_string(n) + ": " + e.message();
      throw Error(ErrorKind::input, text.starts_with(file_) ? text : file_ + ": " + text);
    }
    report(n, e.message());
  }
  scope_ = before;
  place_ = around;
  b_.at(place_);
  for (size_t i = 0; i < n.outputs.size(); ++i) {
    if (n.outputs[i].empty()) continue;
    Item x = i < items.size() ? std::move(items[i]) : Item{};
    if (!x.value && !x.known) {
      if (!items.empty()) report(n, fmt::format("output {} {}", i, in_quotes(n.outputs[i])));
      x.unsupported = "reported";
    }
    if (x.value && x.value.name().empty() && !frame_) b_.set_name(x.value, n.outputs[i]);
    scope.items.insert_or_assign(n.outputs[i], std::move(x));
  }
}

// The node with the attributes of the function around it in place of references to them.
NodeDef Importer::resolved(const NodeDef& n) const {
  NodeDef r = n;
  r.attributes.clear();
  for (const AttributeDef& a : n.attributes) {
    if (a.kind != Kind::reference) {
      r.attributes.push_back(a);
      continue;
    }
    const AttributeDef* given = frame_ ? frame_->call->find(a.s) : nullptr;
    if (!given && frame_)
      for (const AttributeDef& d : frame_->function->defaults)
        if (d.name == a.s) given = &d;
    if (!given) continue;  // an optional attribute that the call leaves out
    r.attributes.push_back(*given);
    r.attributes.back().name = a.name;
  }
  return r;
}

int64_t Importer::opset(const std::string& domain) const {
  const auto& table = frame_ ? *frame_->opsets : m_.opsets;
  if (const auto at = table.find(domain); at != table.end()) return at->second;
  if (domain.empty() && m_.ir_version < 3) return 1;
  throw error(ErrorKind::input, fmt::format("no opset is given for the domain {}", in_quotes(domain)));
}

Items Importer::outputs_of(const NodeDef& n, std::vector<Item*>& inputs) {
  if (const auto f = functions_.find({n.domain, n.op_type, n.overload}); f != functions_.end())
    return call(*f->second, n, inputs);
  ++out_.operators[n.domain.empty() ? n.op_type : n.domain + "." + n.op_type];
  const OnnxRow* row = row_of(n);
  return build(*row, n, opset(""), inputs);
}

// The row of the table for a node; null for a call of a function; throws an unsupported error where there is none.
const OnnxRow* Importer::row_of(const NodeDef& n) const {
  if (functions_.contains({n.domain, n.op_type, n.overload})) return nullptr;
  if (!n.domain.empty()) throw unsupported("operators of the domain {} are not imported", in_quotes(n.domain));
  const int64_t version = opset("");
  if (version > newest_opset) throw unsupported("opset {} is newer than {}", version, newest_opset);
  if (const OnnxRow* row = find_onnx_row(n.op_type, version)) return row;
  throw unsupported("{}", knows_onnx_name(n.op_type) ? fmt::format("no such operator in opset {}", version)
                                                     : refusal_reason(n.op_type));
}

Items Importer::build(const OnnxRow& row, const NodeDef& n, int64_t version, std::vector<Item*>& inputs) {
  const auto each = [&](auto&& f) { return std::ranges::all_of(inputs, [&](Item* x) { return !x || f(*x); }); };
  const bool foldable = each([](const Item& x) { return x.foldable(); });
  std::optional<Items> folded;
  if (!row.heavy && each([](const Item& x) { return x.known.has_value(); }) &&
      (foldable || elements(inputs) <= small_weight))
    folded = fold(row, n, version, inputs);
  if (foldable && folded) return *std::move(folded);
  OnnxOp op(b_, *this, n, version, inputs);
  Items items = row.build(op);
  if (folded)
    for (size_t i = 0; i < items.size() && i < folded->size(); ++i)
      if (!items[i].known) items[i].known = (*folded)[i].known, items[i].weight = true;
  return items;
}

// The outputs as arrays, by running the node alone in the reference interpreter; nullopt where that is too much.
std::optional<Items> Importer::fold(const OnnxRow& row, const NodeDef& n, int64_t version,
                                    const std::vector<Item*>& inputs) {
  std::vector<Item> copies(inputs.size());
  std::vector<Item*> pointers(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i]) copies[i].known = inputs[i]->known, pointers[i] = &copies[i];
  Build scratch("fold");
  OnnxOp op(scratch, *this, n, version, pointers);
  Items items;
  try {
    items = row.build(op);
    Values wanted;
    int64_t work = 0;
    for (const Item& x : items)
      if (!x.known && x.value) wanted.push_back(x.value);
    const Body f = scratch.finish(wanted);
    for (const Node& node : f->nodes())
      for (const Type& t : node.types) work += numel(t.shape);
    if (work > max_folded + elements(inputs)) return std::nullopt;
    const std::vector<Array> results = interpret(*f, {});
    size_t k = 0;
    for (Item& x : items)
      if (!x.known && x.value) x.known = results[k++];
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::unsupported) throw;
    return std::nullopt;
  }
  for (Item& x : items) x.value = {};
  return items;
}

Items Importer::call(const FunctionDef& f, const NodeDef& n, const std::vector<Item*>& inputs) {
  if (inputs.size() > f.inputs.size() || n.outputs.size() > f.outputs.size())
    throw error(ErrorKind::input, fmt::format("{}: more inputs or outputs than the function has", to_string(n)));
  const std::map<std::string, int64_t>& opsets = f.opsets.empty() ? m_.opsets : f.opsets;
  const Frame frame{&f, &n, frame_, &opsets};
  Scope scope;
  for (size_t i = 0; i < f.inputs.size(); ++i)
    if (i < inputs.size() && inputs[i]) scope.items.insert_or_assign(f.inputs[i], *inputs[i]);
  const Frame* const before = std::exchange(frame_, &frame);
  nodes(f.nodes, scope);
  frame_ = before;
  Items out;
  for (const std::string& name : f.outputs) {
    const Item* x = scope.find(name);
    out.push_back(x ? *x : Item{});
  }
  return out;
}

Items Importer::inline_graph(const GraphDef& g, Items arguments) {
  if (arguments.size() != g.inputs.size())
    throw input_error("graph {} takes {} inputs, not {}", in_quotes(g.name), g.inputs.size(), arguments.size());
  Scope scope{scope_, {}};
  for (size_t i = 0; i < arguments.size(); ++i) scope.items.insert_or_assign(g.inputs[i].name, std::move(arguments[i]));
  define_initializers(g, scope, false);
  nodes(g.nodes, scope);
  Items out;
  for (const ValueDef& v : g.outputs) {
    const Item* x = scope.find(v.name);
    out.push_back(x ? *x : Item{});
  }
  return out;
}

void Importer::report(const NodeDef& n, const std::string& reason) {
  auto& [first, count] = reports_[{n.op_type, reason}];
  if (count++ == 0) first = to_string(n);
}

void Importer::throw_reports() const {
  if (reports_.empty()) return;
  std::string text;
  for (const auto& [key, nodes] : reports_) {
    text += text.empty() ? "" : "; ";
    text += nodes.first + (nodes.second > 1 ? fmt::format(" and {} more", nodes.second - 1) : "") + ": " + key.second;
  }
  throw error(ErrorKind::unsupported, "unsupported operators: " + text);
}

}  // namespace viva
