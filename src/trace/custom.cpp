// User rules: functions of trees become functions of the graph, at once where they do not use themselves, else on
// request.
#include "viva/custom.h"

#include <algorithm>

#include "graph/deferred.h"
#include "trace/captured.h"
#include "trace/operand.h"

namespace viva::tracing {
namespace {

// The types of leaves; nothing where one is empty.
using Leaves = std::vector<std::optional<Type>>;

Leaves leaves_of(const Tensors& tensors) {
  Leaves r;
  for (const Tensor& t : tensors) r.push_back(t.empty() ? std::nullopt : std::optional(t.type()));
  return r;
}
Leaves results_of(const Graph& g) {
  Leaves r;
  size_t next = 0;
  for (const bool present : g.present)
    r.push_back(present ? std::optional(g.body->outputs()[next++].type()) : std::nullopt);
  return r;
}
// Those that have a tangent.
Leaves moving(Leaves leaves) {
  for (auto& t : leaves)
    if (t && !has_tangent(t->dtype)) t.reset();
  return leaves;
}
Leaves operator+(Leaves a, const Leaves& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// A function of leaves of these types; what it captures and holds is a constant.
Graph traced_rule(Site site, const Fn& f, const Leaves& types) {
  Graph g;
  const Open scope(site.what, site.where, Mode::frozen);
  Tensors leaves(types.size());
  for (size_t i = 0; i < types.size(); ++i) {
    if (!types[i]) continue;
    leaves[i] = scope->parameter(*types[i], "", {});
    g.leaves.push_back(i);
  }
  Values outputs;
  for (const Tensor& t : f(leaves)) outputs.push_back(scope->lift(t, site.where));
  g.present.assign(outputs.size(), true);
  g.body = scope->close(outputs);
  g.hidden = scope->hidden();
  return g;
}

// What rules must give.
struct Wanted {
  const char *what, *like;  // "tangent", "result"
  bool empty_is_zero;
};

// The leaves that are wanted, each checked for its type.
Tensors checked(Site site, const Wanted& w, const Tensors& given, const Leaves& want) {
  if (given.size() != want.size())
    throw usage_at(site.where, fmt::format("[{}] the rule gives a {} of {} leaves for a {} of {}: give a tree like it",
                                           site.what, w.what, given.size(), w.like, want.size()));
  Tensors r;
  for (size_t i = 0; i < want.size(); ++i) {
    const std::string got = given[i].empty() ? "empty" : to_string(given[i].type());
    if (!want[i] && given[i].empty()) continue;
    if (want[i] && given[i].empty() && w.empty_is_zero) {
      r.push_back(spread(number(0, want[i]->dtype, site.where), want[i]->shape, {}, site.where));
      continue;
    }
    if (!want[i] || given[i].empty() || given[i].type() != *want[i])
      throw usage_at(site.where,
                     fmt::format("[{}] leaf {} of the {} that the rule gives is {}, and must be {} as the {}",
                                 site.what, i, w.what, got, want[i] ? to_string(*want[i]) : "empty", w.like));
    r.push_back(given[i]);
  }
  return r;
}
constexpr Wanted result{"result", "result of the function", false}, tangent{"tangent", "result", true},
    cotangent{"cotangent", "argument", true};

// Rules that this thread traces to see what they capture. In them the function itself is its body: a rule that uses
// itself has no end, and captures the same each time.
class Discovery {
 public:
  explicit Discovery(Self self) : self_(self), outer_(innermost) { innermost = this; }
  ~Discovery() { innermost = outer_; }
  Discovery(const Discovery&) = delete;
  Discovery& operator=(const Discovery&) = delete;

  // Whether the function is to be its body: for its own object at once, for others of its type, which may be the same
  // function made again, at the second.
  static bool covers(Self self) {
    int of_type = 0;
    for (Discovery* d = innermost; d; d = d->outer_) {
      const bool same = self.object && d->self_.object == self.object;
      if (!same && (d->self_.type != self.type || ++of_type < 2)) continue;
      for (Discovery* e = innermost; e != d->outer_; e = e->outer_) e->whole_ = false;
      return true;
    }
    return false;
  }
  bool whole() const { return whole_; }

 private:
  static thread_local Discovery* innermost;
  Self self_;
  Discovery* outer_;
  bool whole_ = true;
};
thread_local Discovery* Discovery::innermost = nullptr;

using Graphs = std::vector<Graph>;
using TraceAll = std::function<Graphs()>;

// An application: its body, its rules where they could be traced, and what all of them capture.
struct Application {
  Site site;
  Graph body;
  Captured captured;
  Graphs rules;
  bool whole = true;           // the rules are final
  std::optional<Error> error;  // why they could not be traced

  Application(Site s, Self self, Graph of_body, const TraceAll& trace_rules) : site(s), body(std::move(of_body)) {
    captured.add(body);
    try {
      const Discovery discovery(self);
      rules = trace_rules();
      whole = discovery.whole();
    } catch (const Error& e) { error = e, whole = false; }
    for (const Graph& g : rules) captured.add(g);
  }

  Body over_body() const { return captured.over(body, 0, body.leaves.size()); }
  Tensors operands(const Tensors& args) const {
    Tensors r;
    for (const size_t i : body.leaves) r.push_back(args[i]);
    r.insert(r.end(), captured.all.begin(), captured.all.end());
    return r;
  }
  // Rule number i over its first parameters, what is captured and the others: now, or all rules together on request.
  std::vector<Body> over_rules(const std::vector<size_t>& first, const TraceAll& trace_rules) const {
    std::vector<Body> bodies;
    if (whole) {
      for (size_t i = 0; i < first.size(); ++i) bodies.push_back(captured.over(rules[i], i + 1, first[i]));
      return bodies;
    }
    struct Late {
      std::mutex mutex;
      std::vector<Body> made;
    };
    const auto late = std::make_shared<Late>();
    const auto get = [late, first, trace_rules, site = site, captured = captured, error = error](size_t i) {
      const std::lock_guard lock(late->mutex);
      if (error) throw Error(*error);
      if (!late->made.empty()) return late->made[i];
      const Permit permit(captured.all);
      const Graphs graphs = trace_rules();
      for (size_t k = 0; k < first.size(); ++k) late->made.push_back(captured.over(graphs[k], first[k], site));
      return late->made[i];
    };
    for (size_t i = 0; i < first.size(); ++i)
      bodies.push_back(deferred(fmt::format("{}.rule", site.what), Later::traced, [get, i] { return get(i); }));
    return bodies;
  }
};

Graph traced_body(Site site, const Fn& f, const Tensors& args) { return trace(site, Mode::valued, f, inputs_of(args)); }

Tensors apply_rule(const Application& a, const char* slot, std::vector<Body> rules, const Tensors& args) {
  std::vector<Body> bodies{a.over_body()};
  bodies.insert(bodies.end(), rules.begin(), rules.end());
  return a.body.outputs(
      applied("custom_rule", {{"captured", static_cast<int64_t>(a.captured.all.size())}, {"slot", std::string(slot)}},
              std::move(bodies), a.operands(args), a.site.where));
}

// Nothing to transform: no graph is made, or one that only shows what is captured.
bool runs_as_it_is(Self self) { return !current() || Discovery::covers(self); }

}  // namespace

namespace {

// A rule from arguments, and something like some of their leaves, to results and something like some of theirs.
struct Paired {
  const char* slot;
  Leaves (*like)(Leaves);
  Wanted second;
};

Tensors with_paired(const Paired& p, Site site, Self self, const Fn& body, const Two& rule, const Tensors& args) {
  if (runs_as_it_is(self)) return body(args);
  Graph f = traced_body(site, body, args);
  const Leaves in = leaves_of(args), out = results_of(f);
  const Fn both = [=](const Tensors& leaves) {
    const auto [results, seconds] = rule(leaves);
    Tensors all = checked(site, result, results, out);
    const Tensors more = checked(site, p.second, seconds, p.like(out));
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const TraceAll rules = [=] { return Graphs{traced_rule(site, both, in + p.like(in))}; };
  const Application a(site, self, std::move(f), rules);
  return apply_rule(a, p.slot, a.over_rules({a.body.leaves.size()}, rules), args);
}

Leaves all_of(Leaves leaves) { return leaves; }

}  // namespace

Tensors custom_jvp(Site site, Self self, const Fn& body, const Two& rule, const Tensors& args) {
  return with_paired({"jvp", moving, tangent}, site, self, body, rule, args);
}

Tensors custom_bound(Site site, Self self, const Fn& body, const Two& rule, const Tensors& args) {
  return with_paired({"bound", all_of, result}, site, self, body, rule, args);
}

Tensors custom_vjp(Site site, Self self, const Fn& body, const Two& forward, const Fn& backward, const Tensors& args) {
  if (runs_as_it_is(self)) return body(args);
  Graph f = traced_body(site, body, args);
  const Leaves in = leaves_of(args), out = results_of(f);
  const TraceAll rules = [=] {
    Leaves residuals;
    const Fn first = [&](const Tensors& leaves) {
      const auto [results, kept] = forward(leaves);
      Tensors all = checked(site, result, results, out);
      residuals = leaves_of(kept);
      std::ranges::copy_if(kept, std::back_inserter(all), [](const Tensor& t) { return !t.empty(); });
      return all;
    };
    const Fn second = [&](const Tensors& leaves) { return checked(site, cotangent, backward(leaves), moving(in)); };
    Graphs both{traced_rule(site, first, in)};
    both.push_back(traced_rule(site, second, residuals + moving(out)));
    return both;
  };
  const Application a(site, self, std::move(f), rules);
  return apply_rule(a, "vjp", a.over_rules({a.body.leaves.size(), 0}, rules), args);
}

Tensors custom_batch(Site site, Self self, const Fn& body, const BatchFn& rule, const Tensors& args) {
  if (runs_as_it_is(self)) return body(args);
  Graph f = traced_body(site, body, args);
  const Leaves in = leaves_of(args), out = results_of(f);
  const auto traced = [=](const MappedAxis& axis) {
    const auto with_axis = [&](std::optional<Type> t) {
      if (t) t->shape.insert(t->shape.begin(), axis.size);
      return t;
    };
    Leaves types = in, want = out;
    for (size_t i = 0; i < in.size(); ++i)
      if (axis.mapped[i]) types[i] = with_axis(in[i]);
    const Fn all = [&](const Tensors& leaves) {
      const Tensors results = rule(axis, leaves);
      for (size_t i = 0; i < std::min(results.size(), out.size()); ++i)
        if (results[i].empty() || !out[i] || results[i].type() != *out[i]) want[i] = with_axis(out[i]);
      return checked(site, result, results, want);
    };
    return traced_rule(site, all, types);
  };
  // Two examples show what the rule captures.
  MappedAxis some{2, {}};
  for (const auto& t : in) some.mapped.push_back(t.has_value());
  const Application a(site, self, std::move(f), [=] { return Graphs{traced(some)}; });
  const BatchRule made = [=, leaves = a.body.leaves, captured = a.captured](int64_t size, const Mask& batched) {
    MappedAxis axis{size, Marks(in.size(), false)};
    for (size_t k = 0; k < leaves.size(); ++k) axis.mapped[leaves[k]] = batched[k];
    const Permit permit(captured.all);
    return captured.over(traced(axis), leaves.size(), site);
  };
  return apply_rule(a, "batch", {deferred("custom_batch.rule", made)}, args);
}

Tensors linear_call(Site site, Self self, const Fn& f, const Fn& transpose, const Tensors& residuals,
                    const Tensors& linear) {
  Tensors args = residuals;
  args.insert(args.end(), linear.begin(), linear.end());
  if (runs_as_it_is(self)) return f(args);
  const Leaves known = leaves_of(residuals), moves = leaves_of(linear);
  for (const auto& t : moves)
    if (t && !has_tangent(t->dtype))
      throw usage_at(site.where,
                     fmt::format("[linear_call] a linear argument is {}: only floats and complex numbers are "
                                 "linear, make it a residual",
                                 to_string(*t)));
  Graph body = trace(site, Mode::staged, f, inputs_of(args));
  const Leaves out = results_of(body);
  const TraceAll rules = [=] {
    const Fn back = [&](const Tensors& leaves) { return checked(site, cotangent, transpose(leaves), moves); };
    return Graphs{traced_rule(site, back, known + out)};
  };
  const Application a(site, self, std::move(body), rules);
  const auto count = static_cast<size_t>(std::ranges::count_if(known, [](const auto& t) { return t.has_value(); }));
  Tensors operands = a.captured.all;
  for (const size_t i : a.body.leaves) operands.push_back(args[i]);
  return a.body.outputs(
      applied("linear_call",
              {{"forward", std::string("given")}, {"residuals", static_cast<int64_t>(count + a.captured.all.size())}},
              {a.captured.over(a.body, 0, 0), a.over_rules({0}, rules)[0]}, operands, site.where));
}

}  // namespace viva::tracing

namespace viva {

Tensor gradient_reversal(const Tensor& x, double scale, Loc l) {
  const auto same = [](const Tensor& v) { return v; };
  return custom_jvp(same, [scale](const Tensor& v, const Tensor& dv) { return std::pair(v, dv * -scale); }, l)(x);
}

}  // namespace viva
