#include "graph/build.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "graph/dims.h"
#include "graph/opdef.h"
#include "graph/prune.h"

namespace viva {
namespace {

void check_rank(const Type& t) {
  if (t.rank() > max_rank) throw usage_error("{} dimensions: at most {} are possible", t.rank(), max_rank);
}

}  // namespace

Build::Build(std::string function_name) : f_(std::make_shared<Function>()) { f_->name_ = std::move(function_name); }

Function& Build::open(const Where& where) const {
  if (!f_) throw Error(ErrorKind::usage, "the function is finished: begin a new Build", place(where));
  return *f_;
}

void Build::check(std::string_view op, Ins values, const Where& where) const {
  open(where);
  for (size_t i = 0; i < values.size(); ++i) {
    const Value& v = values[i];
    const auto refuse = [&](std::string_view what) {
      return Error(ErrorKind::usage, fmt::format("[{}] operand {} {}", op, i, what), place(where));
    };
    if (!v) throw refuse("is absent");
    if (!own_.contains(v.node())) throw refuse("is a value of another function: hand it over as an argument");
    if (v.port() < 0 || v.port() >= v.node()->outputs()) throw refuse("is no output of its node");
  }
}

const Type& Build::type_of(std::string_view op, Value x, const Where& where) const {
  check(op, std::array{x}, where);
  return x.type();
}

const Type& Build::like(std::string_view op, Value x, const Where& where) const {
  if (!x) throw Error(ErrorKind::usage, fmt::format("[{}] the operand is absent", op), place(where));
  return x.type();
}

Node& Build::add(const OpDef* op, std::vector<Type> types, Where where) {
  Node& n = f_->nodes_.emplace_back();
  n.op = op;
  n.types = std::move(types);
  n.names.resize(n.types.size());
  n.where = std::move(where);
  n.id = static_cast<int64_t>(f_->nodes_.size()) - 1;
  own_.insert(&n);
  return n;
}

Value Build::parameter(const Type& type, std::string name, Where l) {
  if (open(l).nodes_.size() != f_->params_.size())
    throw Error(ErrorKind::usage,
                fmt::format("[parameter]{}{}: parameters come before every operation", name.empty() ? "" : " ", name),
                place(l));
  return f_->params_.emplace_back(late_parameter(type, std::move(name), l));
}

Value Build::parameter_like(Value p) {
  const Value made = parameter(p.type(), p.name());
  f_->nodes_.back().where = p.node()->where;
  return made;
}

Value Build::late_parameter(const Type& type, std::string name, Where l) {
  open(l);
  try {
    check_rank(type), numel(type.shape);
  } catch (const Error& e) { throw Error(e.kind(), fmt::format("[parameter] {}", e.message()), place(l)); }
  Node& n = add(nullptr, {type}, place(l));
  n.names = {std::move(name)};
  return n.out();
}

Values Build::emit(std::string_view name, Values in, Attrs attrs, std::vector<Body> bodies, Where where) {
  return emit(op(name), std::move(in), std::move(attrs), std::move(bodies), std::move(where));
}

Values Build::emit(const OpDef& op, Values in, Attrs attrs, std::vector<Body> bodies, Where where) {
  where = place(where);
  check(op.name, in, where);
  std::vector<Type> types;
  int64_t depth = f_->depth_;
  try {
    for (const Body& f : bodies) {
      if (!f) throw usage_error("a function is absent");
      depth = std::max(depth, f->depth() + 1);
    }
    if (depth > most_nested) throw usage_error("functions nest deeper than {}: inline some of the calls", most_nested);
    check_attributes(op, attrs);
    types = (*op.infer)({types_of(in), attrs, bodies});
    for (const Type& t : types) check_rank(t), numel(t.shape);
  } catch (const Error& e) {
    throw Error(e.kind(), fmt::format("[{}] {}", op.name, e.message()), e.where() ? e.where() : where);
  }
  Node& n = add(&op, std::move(types), std::move(where));
  n.in = std::move(in);
  n.attrs = std::move(attrs);
  n.bodies = std::move(bodies);
  f_->depth_ = depth;
  return n.outs();
}

Values Build::repeat(const Node& n, Values in) {
  const Values out = emit(*n.op, std::move(in), n.attrs, n.bodies, Where{});
  if (n.where) f_->nodes_.back().where = n.where;
  return out;
}

Values Build::copy(const Node& n, Values in) {
  Values out = repeat(n, std::move(in));
  f_->nodes_.back().names = n.names;
  return out;
}

Values Build::inline_call(const Function& f, Ins args, Where l) {
  const auto refuse = [&](const std::string& what) {
    return Error(ErrorKind::usage, fmt::format("[call] {}{}", f.name(), what), place(l));
  };
  if (args.size() != f.params().size())
    throw refuse(fmt::format(" takes {} arguments, not {}", f.params().size(), args.size()));
  check("call", args, l);
  std::unordered_map<Value, Value, ValueHash> map;
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i].type() != f.params()[i].type())
      throw refuse(
          fmt::format(": argument {} is {}, not {}", i, to_string(args[i].type()), to_string(f.params()[i].type())));
    map[f.params()[i]] = args[i];
  }
  for (const Node& n : f.nodes()) {
    if (!n.op) continue;
    Values in;
    for (const Value& v : n.in) in.push_back(map.at(v));
    const Values out = copy(n, std::move(in));
    for (int i = 0; i < n.outputs(); ++i) map[n.out(i)] = out[static_cast<size_t>(i)];
  }
  Values out;
  for (const Value& v : f.outputs()) out.push_back(map.at(v));
  return out;
}

void Build::set_name(Value v, std::string name, Loc l) {
  check("set_name", std::array{v}, l);
  f_->nodes_[static_cast<size_t>(v.node()->id)].names[static_cast<size_t>(v.port())] = std::move(name);
}

void Build::name_if_none(Value v, const std::string& name) {
  if (v && !name.empty() && v.name().empty()) set_name(v, name);
}

Body Build::finish(Values outputs, std::vector<std::string> output_names, Loc l) {
  check("return", outputs, l);
  output_names.resize(outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i)
    if (output_names[i].empty()) output_names[i] = outputs[i].name();
  f_->outputs_ = std::move(outputs);
  f_->output_names_ = std::move(output_names);
  own_.clear();
  return std::move(f_);
}

Body Build::finish_with(Values params, Values outputs, std::vector<std::string> output_names, Loc l) {
  check("parameters", params, l);
  f_->params_ = std::move(params);
  const Body scattered = finish(std::move(outputs), std::move(output_names), l);
  // Pruning copies the function, parameters first.
  return pruned(*scattered);
}

Value Build::one_of(std::string_view op, Values in, Attrs attrs, Loc l) {
  return emit(op, std::move(in), std::move(attrs), {}, l).front();
}

}  // namespace viva
