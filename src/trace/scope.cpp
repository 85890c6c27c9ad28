#include "trace/scope.h"

#include "graph/opdef.h"
#include "trace/eager.h"

namespace viva::tracing {
namespace {

thread_local std::shared_ptr<Scope> innermost;
thread_local Where in_force;
thread_local const Permit* permits = nullptr;
thread_local int depth = 0;
// Each costs some kilobytes of stack, and the user's frames between them.
constexpr int most_scopes = 300;

bool encloses(const std::shared_ptr<Scope>& s) {
  for (const Scope* c = innermost.get(); c; c = c->parent().get())
    if (c == s.get()) return true;
  return false;
}

[[noreturn]] void throw_escaped(const Traced& t, Where where) {
  where = line_or(where);
  const std::string made = t.where ? fmt::format("made at {} ", to_string(t.where)) : "";
  if (t.scope->is_open())
    throw Error(ErrorKind::usage,
                fmt::format("a tensor {}belongs to {} at {}, which runs on another thread", made, t.scope->what(),
                            to_string(t.scope->opened())),
                where);
  throw Error(ErrorKind::usage,
              fmt::format("a tensor {}inside {} at {} is used after it has returned: return it as a result (has_aux) "
                          "instead of storing it",
                          made, t.scope->what(), to_string(t.scope->opened())),
              where);
}

}  // namespace

Line::Line(Where where) : first_(!in_force) {
  if (first_) in_force = where;
}
Line::~Line() {
  if (first_) in_force = {};
}
Where line_or(Where where) { return in_force ? in_force : where; }

const std::shared_ptr<Scope>& current() { return innermost; }

Permit::Permit(const Tensors& tensors) : tensors_(tensors), base_(innermost.get()), outer_(permits) { permits = this; }
Permit::~Permit() { permits = outer_; }

bool Permit::covers(const Traced& t) {
  for (const Permit* p = permits; p; p = p->outer_)
    for (const Tensor& known : p->tensors_)
      if (const Traced* k = Access::traced(known); k && k->scope == t.scope && k->value == t.value) return true;
  return false;
}

Scope* Permit::with_axis(std::string_view name, std::vector<std::string>& known) {
  const auto is_it = [&](const Scope& s) {
    if (!s.axis().name.empty()) known.push_back(s.axis().name);
    return s.axis().name == name;
  };
  const Permit* p = permits;
  for (Scope* s = innermost.get();; s = s->parent().get()) {
    for (; p && p->base_ == s; p = p->outer_)
      for (const Tensor& t : p->tensors_)
        if (const Traced* k = Access::traced(t); k && k->value == k->scope->example_ && is_it(*k->scope))
          return k->scope.get();
    if (!s || is_it(*s)) return s;
  }
}

bool same(const Tensor& a, const Tensor& b) {
  const Traced *x = Access::traced(a), *y = Access::traced(b);
  if (x || y) return x && y && x->scope == y->scope && x->value == y->value;
  return a.type() == b.type() && Access::array(a).data() == Access::array(b).data();
}

Tensor Access::make(std::shared_ptr<Scope> scope, Value v, Where where) {
  Tensor t;
  // Of a closed scope, whose nodes may be gone, only the place of an example is made: for a rule that is traced late.
  Type type = scope->is_open() ? v.type() : Type{Dtype::int64, {}};
  t.traced_ = std::make_shared<const Traced>(Traced{std::move(scope), v, std::move(type), where});
  return t;
}

Scope::Scope(std::string what, Where opened, Mode mode, std::shared_ptr<Scope> parent)
    : what_(std::move(what)), opened_(opened), mode_(mode), parent_(std::move(parent)), build_("f") {}

Tensor Scope::parameter(const Type& type, std::string name, const Tensor& value) {
  const Value v = build_.late_parameter(type, std::move(name), opened_);
  declared_.push_back(v);
  if (mode_ == Mode::valued) arguments_[v.node()] = value;
  return wrap(v, opened_);
}

Value Scope::lift(const Tensor& t, Where where) {
  check_not_empty(t, where);
  if (const Traced* traced = Access::traced(t)) {
    if (traced->scope.get() == this) return traced->value;
    if (!encloses(traced->scope)) {
      if (!Permit::covers(*traced)) throw_escaped(*traced, where);
      return hidden_once(t);
    }
    if (const auto it = lifted_.find(traced->value); it != lifted_.end()) return it->second;
    return lifted_[traced->value] = hide(t);
  }
  const Array& a = Access::array(t);
  const auto [begin, end] = arrays_.equal_range(a.data());
  for (auto it = begin; it != end; ++it)
    if (it->second.first == a.type()) return it->second.second;
  const Value v = mode_ == Mode::frozen ? freeze(t, line_or(where)) : hide(t);
  arrays_.emplace(a.data(), std::pair{a.type(), v});
  return v;
}

Value Scope::hide(const Tensor& t) {
  const Value v = build_.late_parameter(t.type(), "", opened_);
  hidden_.push_back(t);
  hidden_values_.push_back(v);
  arguments_[v.node()] = t;
  return v;
}

// By scope and value: the nodes of a closed scope may be gone, and their addresses taken by others.
Value Scope::hidden_once(const Tensor& t) {
  for (size_t i = 0; i < hidden_.size(); ++i)
    if (!hidden_[i].empty() && same(hidden_[i], t)) return hidden_values_[i];
  return hide(t);
}

Tensor Scope::example() {
  if (!example_) {
    example_ = build_.late_parameter({Dtype::int64, {}}, "example", opened_);
    hidden_.emplace_back();
    hidden_values_.push_back(example_);
  }
  return wrap(example_, opened_);
}

Value Scope::freeze(const Tensor& t, Where where) {
  captured_.push_back(t);  // its address stays its own while the scope is open
  return build_.emit("constant", {}, {{"value", Access::array(t)}}, {}, where).front();
}

Array Scope::value_of(Value v, Where asked, Where made) {
  if (mode_ != Mode::valued)
    throw Error(ErrorKind::usage,
                fmt::format("[item] a tensor has no value under {} ({}): choose with where or cond, repeat with "
                            "while_loop",
                            what_, to_string(opened_)),
                asked ? asked : made);
  std::vector<const Node*> pending{v.node()};
  while (!pending.empty()) {
    const Node* n = pending.back();
    if (values_.contains(n)) {
      pending.pop_back();
      continue;
    }
    if (!n->op) {
      values_[n] = {tracing::value_of(arguments_.at(n), asked ? asked : made)};
      continue;
    }
    std::vector<Array> in;
    for (const Value& i : n->in) {
      const auto it = values_.find(i.node());
      if (it == values_.end()) pending.push_back(i.node());
      else in.push_back(it->second[static_cast<size_t>(i.port())]);
    }
    if (in.size() == n->in.size()) values_[n] = evaluate(*n, in);
  }
  return values_.at(v.node())[static_cast<size_t>(v.port())];
}

Body Scope::close(const Values& outputs) {
  open_ = false;
  values_.clear();
  arguments_.clear();
  Values params = declared_;
  params.insert(params.end(), hidden_values_.begin(), hidden_values_.end());
  return build_.finish_with(params, outputs);
}

void Scope::abandon() {
  if (open_) build_.finish({});  // the nodes go: a rule among them may hold tensors of this scope
  open_ = false;
}

Open::Open(std::string what, Where opened, Mode mode) {
  if (depth == most_scopes)
    throw Error(
        ErrorKind::usage,
        fmt::format("[{}] {} functions are traced inside each other: one calls itself without end", what, most_scopes),
        opened);
  scope_ = std::make_shared<Scope>(std::move(what), opened, mode, innermost);
  innermost = scope_;
  ++depth;
}

Open::~Open() {
  scope_->abandon();
  innermost = scope_->parent();
  --depth;
}

void check_not_empty(const Tensor& t, Where where) {
  if (t.empty())
    throw Error(ErrorKind::usage,
                "an empty tensor is used: give it a value first, or keep a copy where std::move gives it away",
                line_or(where));
}

Tensors emit_all(std::string_view name, const std::vector<const Tensor*>& in, Attrs attrs, Where where) {
  where = line_or(where);
  if (const auto& scope = innermost) {
    Values values;
    for (const Tensor* t : in) values.push_back(scope->lift(*t, where));
    Tensors out;
    for (const Value& v : scope->build().emit(name, std::move(values), std::move(attrs), {}, where))
      out.push_back(scope->wrap(v, where));
    return out;
  }
  std::vector<Array> arrays;
  for (const Tensor* t : in) arrays.push_back(value_of(*t, where));
  Tensors out;
  for (Array& a : evaluate(name, arrays, std::move(attrs), where)) out.emplace_back(std::move(a));
  return out;
}

Tensor emit(std::string_view op, const std::vector<const Tensor*>& in, Attrs attrs, Where where) {
  return std::move(emit_all(op, in, std::move(attrs), where).front());
}

Tensor constant(Array value, Where where) {
  where = line_or(where);
  if (!innermost) return Tensor(std::move(value));
  const auto& scope = innermost;
  return scope->wrap(scope->build().emit("constant", {}, {{"value", std::move(value)}}, {}, where).front(), where);
}

Tensors apply(const Body& f, const Tensors& args, Where where) {
  Tensors out;
  if (const auto& scope = innermost) {
    Values values;
    for (const Tensor& t : args) values.push_back(scope->lift(t, where));
    for (const Value& v : scope->build().inline_call(*f, values, where)) out.push_back(scope->wrap(v, where));
    return out;
  }
  std::vector<Array> arrays;
  for (const Tensor& t : args) arrays.push_back(value_of(t, where));
  for (Array& a : evaluate(*f, std::move(arrays))) out.emplace_back(std::move(a));
  return out;
}

Tensors call(const Body& f, const Tensors& args, std::string policy, Where where) {
  if (!innermost) return apply(f, args, where);
  const auto& scope = innermost;
  Values values;
  for (const Tensor& t : args) values.push_back(scope->lift(t, where));
  Attrs attrs{{"policy", std::move(policy)}};
  Tensors out;
  for (const Value& v : scope->build().emit("call", std::move(values), std::move(attrs), {f}, where))
    out.push_back(scope->wrap(v, where));
  return out;
}

Array value_of(const Tensor& t, Where asked) {
  check_not_empty(t, asked);
  const Traced* traced = Access::traced(t);
  if (!traced) return Access::array(t);
  if (!encloses(traced->scope)) throw_escaped(*traced, asked);
  return traced->scope->value_of(traced->value, asked, traced->where);
}

}  // namespace viva::tracing
