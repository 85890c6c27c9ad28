// custom_rule: a function with a rule of the user's own in place of the one that follows from its body.
#include <array>

#include "graph/prune.h"
#include "ops/bounds.h"
#include "ops/custom.h"

namespace viva {
namespace {

// Operands: arguments, then what the functions capture. Below, tangents are those of arguments that have one,
// cotangents those of outputs that have one. The functions by slot, after the body:
//   jvp    (operands, tangents) to (outputs, tangents of the outputs that have one)
//   vjp    forward: operands to (outputs, residuals); backward: (captured, residuals, cotangents) to a cotangent for
//          each argument that has one
//   batch  a batch rule over the operands
//   bound  (operands, the upper ends of the arguments) to (outputs, their upper ends)
// What is captured is differentiated through the body.
struct Parts {
  size_t arguments, captured;
  explicit Parts(const Node& n)
      : arguments(n.in.size() - static_cast<size_t>(n.attrs.integer("captured"))), captured(n.in.size() - arguments) {}
};
const std::string& slot_of(const Node& n) { return n.attrs.text("slot"); }

std::vector<Type> moving(std::span<const Type> types) {
  std::vector<Type> r;
  for (const Type& t : types)
    if (has_tangent(t.dtype)) r.push_back(t);
  return r;
}
template <class T> std::vector<T> concatenated(std::span<const T> a, std::span<const T> b) {
  std::vector<T> r(a.begin(), a.end());
  append(r, b);
  return r;
}

void check_jvp(const Infer::Site& s, std::span<const Type> arguments, const std::vector<Type>& out) {
  if (is_deferred(s.bodies[1])) return;
  const Function& rule = *s.bodies[1];
  require_rule(rule, *s.bodies[0]);
  require_parameters(rule, concatenated<Type>(s.in, moving(arguments)));
  require_outputs(rule, concatenated<Type>(out, moving(out)), "the jvp rule");
}

void check_vjp(const Infer::Site& s, std::span<const Type> arguments, const std::vector<Type>& out) {
  if (is_deferred(s.bodies[1]) || is_deferred(s.bodies[2])) return;
  const Function &forward = *s.bodies[1], &backward = *s.bodies[2];
  require_rule(forward, *s.bodies[0]), require_rule(backward, *s.bodies[0]);
  require_parameters(forward, s.in);
  std::vector<Type> given = forward.output_types();
  require(given.size() >= out.size() && std::equal(out.begin(), out.end(), given.begin()),
          "the forward rule {} does not give the outputs of {} first", forward.name(), s.bodies[0]->name());
  given.erase(given.begin(), given.begin() + static_cast<int64_t>(out.size()));
  require_parameters(backward,
                     concatenated<Type>(concatenated<Type>(s.in.subspan(arguments.size()), given), moving(out)));
  require_outputs(backward, moving(arguments), "the backward rule");
}

void check_bound(const Infer::Site& s, std::span<const Type> arguments, const std::vector<Type>& out) {
  if (is_deferred(s.bodies[1])) return;
  require_rule(*s.bodies[1], *s.bodies[0]);
  require_parameters(*s.bodies[1], concatenated<Type>(s.in, arguments));
  require_outputs(*s.bodies[1], concatenated<Type>(out, out), "the bound rule");
}

std::vector<Type> infer(const Infer::Site& s) {
  const std::string& slot = s.attrs.text("slot");
  require(slot == "jvp" || slot == "vjp" || slot == "batch" || slot == "bound",
          "slot '{}' is none of jvp, vjp, batch and bound", slot);
  const size_t functions = slot == "vjp" ? 3 : 2;
  require(s.bodies.size() == functions, "holds {} functions, not {}", s.bodies.size(), functions);
  const int64_t captured = s.attrs.integer("captured");
  require(captured >= 0 && static_cast<size_t>(captured) <= s.in.size(), "{} captured among {} operands", captured,
          s.in.size());
  require_rule(*s.bodies[0], *s.bodies[0]);
  require_parameters(*s.bodies[0], s.in);
  const auto arguments = s.in.first(s.in.size() - static_cast<size_t>(captured));
  std::vector<Type> out = s.bodies[0]->output_types();
  if (slot == "jvp") check_jvp(s, arguments, out);
  else if (slot == "vjp") check_vjp(s, arguments, out);
  else if (slot == "bound") check_bound(s, arguments, out);
  else if (!batch_rule(s.bodies[1])) {
    require_rule(*s.bodies[1], *s.bodies[0]);
    throw usage_error("{} is no batch rule", s.bodies[1]->name());
  }
  return out;
}

std::vector<Array> eval(const Node& n, std::span<const Array> in, Evaluator& e) { return e.call(*n.bodies[0], in); }

// jvp

void accumulate(Build& b, Values& to, Ins more) {
  for (size_t i = 0; i < to.size(); ++i)
    if (more[i]) to[i] = to[i] ? b.add(to[i], more[i]) : more[i];
}

// The tangents along those of some operands, from the body.
Values through_body(Build& b, const Node& n, Ins in, Ins t, const Mask& active, Transforms& tf) {
  const auto [f, has] = tf.jvp(n.bodies[0], active, Mask(n.types.size(), false));
  Values args(in.begin(), in.end());
  for (size_t i = 0; i < in.size(); ++i)
    if (active[i]) args.push_back(t[i]);
  const Values made = b.inline_call(*f, args);
  Values out(n.types.size());
  for (size_t i = 0, next = out.size(); i < out.size(); ++i)
    if (has[i]) out[i] = made[next++];
  return out;
}

// Outputs and tangents by the jvp rule.
std::pair<Values, Values> by_jvp(Build& b, const Node& n, Ins in, Ins t) {
  const Body rule = resolved(n.bodies[1]);
  Values args(in.begin(), in.end());
  for (size_t i = 0; i < Parts(n).arguments; ++i)
    if (has_tangent(in[i].dtype())) args.push_back(t[i]);
  Mask linear(args.size(), true);
  std::fill_n(linear.begin(), in.size(), false);
  const Values made = inline_linear(b, *rule, args, linear);
  const size_t outputs = n.types.size();
  Values out(made.begin(), made.begin() + static_cast<int64_t>(outputs)), tangents(outputs);
  for (size_t i = 0, next = outputs; i < outputs; ++i)
    if (has_tangent(n.types[i].dtype)) tangents[i] = made[next++];
  return {out, tangents};
}

// By the vjp rule: forward as it is, then the linear map whose transposition backward is.
std::pair<Values, Values> by_vjp(Build& b, const Node& n, Ins in, Ins t, Transforms& tf) {
  const Parts parts(n);
  const Body forward = resolved(n.bodies[1]), whole = resolved(n.bodies[2]);
  const size_t outputs = n.types.size();
  const Values made = b.inline_call(*forward, in);
  Values out(made.begin(), made.begin() + static_cast<int64_t>(outputs)), tangents(outputs);
  Values residuals(in.begin() + static_cast<int64_t>(parts.arguments), in.end());
  residuals.insert(residuals.end(), made.begin() + static_cast<int64_t>(outputs), made.end());
  Mask used;
  Values given;
  for (size_t i = 0; i < parts.arguments; ++i) {
    if (!has_tangent(in[i].dtype())) continue;
    used.push_back(bool(t[i]));
    if (t[i]) given.push_back(t[i]);
  }
  Mask droppable(whole->params().size(), false);
  std::fill_n(droppable.begin(), residuals.size(), true);
  const Pruned back = tf.pruner.prune(whole, used, droppable);
  Values args;
  for (size_t i = 0; i < residuals.size(); ++i)
    if (back.params[i]) args.push_back(residuals[i]);
  const size_t count = args.size();
  append<Value>(args, given);
  const Values moved = b.emit("linear_call", std::move(args),
                              {{"forward", std::string("derived")}, {"residuals", static_cast<int64_t>(count)}},
                              {transposed_later(back.body, count), back.body});
  for (size_t i = 0, next = 0; i < outputs; ++i)
    if (has_tangent(n.types[i].dtype)) tangents[i] = moved[next++];
  return {out, tangents};
}

Values jvp(Build& b, const Node& n, Ins in, Ins out, Ins t, Transforms& tf) {
  const Parts parts(n);
  Mask active = present(t);
  if (slot_of(n) == "batch" || slot_of(n) == "bound") return through_body(b, n, in, t, active, tf);
  Values outputs(out.begin(), out.end()), tangents(out.size());
  if (any(part(active, 0, parts.arguments)))
    std::tie(outputs, tangents) = slot_of(n) == "jvp" ? by_jvp(b, n, in, t) : by_vjp(b, n, in, t, tf);
  std::fill_n(active.begin(), parts.arguments, false);
  if (any(active)) accumulate(b, tangents, through_body(b, n, in, t, active, tf));
  append<Value>(tangents, outputs);
  return tangents;
}

// Outputs that do not depend on what is unknown are known, whatever the unknown operands are.
void split(SplitSite& s, const Node& n, std::span<Value> out_known, std::span<Value> out_unknown, Transforms& tf) {
  const Mask known = present(s.in_known), reached = n.bodies[0]->dependence().reached_from(inverted(known));
  if (all(known) || all(reached)) return plain_split(s, n, out_known, out_unknown, tf);
  Values in;
  for (size_t i = 0; i < n.in.size(); ++i) in.push_back(known[i] ? s.in_known[i] : s.known.full(n.in[i].type(), 0));
  const Values first = s.known.repeat(n, std::move(in));
  if (any(reached)) plain_split(s, n, out_known, out_unknown, tf);
  for (size_t i = 0; i < reached.size(); ++i)
    if (!reached[i]) out_known[i] = first[i], out_unknown[i] = {};
}

void transpose(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> r, Transforms& tf) {
  const Mask linear = inverted(present(in));
  Values args = only_present(in);
  append<Value>(args, only_present(ct));
  const Values out = b.call(tf.transpose(n.bodies[0], linear, present(ct)), std::move(args));
  for (size_t i = 0, next = 0; i < linear.size(); ++i)
    if (linear[i]) r[i] = out[next++];
}

// batch

Values by_batch_rule(Build& b, const Node& n, Ins in, const std::vector<int>& axes, int64_t size,
                     std::span<int> out_axis) {
  Mask batched;
  for (const int a : axes) batched.push_back(a >= 0);
  const Body rule = (*batch_rule(n.bodies[1]))(size, batched);
  const Values out = b.inline_call(*rule, in);
  for (size_t i = 0; i < out.size(); ++i) out_axis[i] = out[i].type() == n.types[i] ? -1 : 0;
  return out;
}

// How the operands of a custom_rule are batched, and what its functions become.
struct Batching {
  std::vector<int> axes;  // 0 or -1, of the operands
  std::vector<Type> in, out;
  size_t arguments;
  int64_t size;

  std::vector<int> of_arguments_that_move() const {
    std::vector<int> r;
    for (size_t i = 0; i < arguments; ++i)
      if (has_tangent(in[i].dtype)) r.push_back(axes[i]);
    return r;
  }
  Body jvp(const Body& f) const {
    return fresh_transforms()
        ->batch(f, concatenated<int>(axes, of_arguments_that_move()), size, Mask(f->outputs().size(), true))
        .first;
  }
  Body bound(const Body& f) const {
    return fresh_transforms()
        ->batch(f, concatenated<int>(axes, std::span(axes).first(arguments)), size, Mask(f->outputs().size(), true))
        .first;
  }
  std::pair<Body, std::vector<int>> forward(const Body& f) const {
    Mask force(f->outputs().size(), false);
    std::fill_n(force.begin(), out.size(), true);
    return fresh_transforms()->batch(f, axes, size, force);
  }
  // The cotangent of an argument that all examples share is the sum of theirs.
  Body backward(const Body& forward_rule, const Body& f) const {
    const std::vector<int> made = forward(forward_rule).second;
    std::vector<int> params(axes.begin() + static_cast<int64_t>(arguments), axes.end());
    params.insert(params.end(), made.begin() + static_cast<int64_t>(out.size()), made.end());
    params.resize(f->params().size(), 0);
    const Body each = fresh_transforms()->batch(f, params, size, Mask(f->outputs().size(), true)).first;
    Build b(each->name());
    b.at({});
    Values args;
    for (const Value& p : each->params()) args.push_back(b.parameter_like(p));
    Values results = b.inline_call(*each, args);
    const std::vector<int> want = of_arguments_that_move();
    for (size_t i = 0; i < results.size(); ++i)
      if (want[i] < 0) results[i] = b.reduce_sum(results[i], {0});
    return b.finish(std::move(results));
  }
};

Values batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
             Transforms& tf) {
  const Parts parts(n);
  const std::vector<int> axes = front_axes(axis);
  Values args = with_axes_in_front(b, in, axis);
  const size_t outputs = n.types.size();
  if (slot_of(n) == "batch") {
    if (std::ranges::all_of(axes.begin() + static_cast<int64_t>(parts.arguments), axes.end(),
                            [](int a) { return a < 0; }))
      return by_batch_rule(b, n, args, axes, size, out_axis);
    const auto [f, made] = tf.batch(n.bodies[0], axes, size, Mask(outputs, false));  // the rule knows one of each only
    std::ranges::copy(made, out_axis.begin());
    return b.inline_call(*f, args);
  }
  std::ranges::fill(out_axis, 0);
  const Batching how{axes, types_of(n.in), n.types, parts.arguments, size};
  std::vector<Body> bodies{tf.batch(n.bodies[0], axes, size, Mask(outputs, true)).first};
  if (slot_of(n) == "jvp") bodies.push_back(later(n.bodies[1], [how](const Body& f) { return how.jvp(f); }));
  else if (slot_of(n) == "bound") bodies.push_back(later(n.bodies[1], [how](const Body& f) { return how.bound(f); }));
  else {
    const Body forward = n.bodies[1], backward = n.bodies[2];
    const Later from = origin(backward) == Later::traced ? Later::traced : origin(forward);
    bodies.push_back(later(forward, [how](const Body& f) { return how.forward(f).first; }));
    bodies.push_back(
        deferred(backward->name(), from, [=] { return how.backward(resolved(forward), resolved(backward)); }));
  }
  return b.emit(*n.op, std::move(args), n.attrs, std::move(bodies));
}

// x·sin(w·y) with w captured: a jvp rule, and a vjp rule with residuals; each is the derivative of the body.
// x·w + x·w with w > 0 captured, and ends that are moved outward once for both roundings.
Sample bounded_sample() {
  const Type three{Dtype::float64, {3}};
  Build f("f"), g("f.bound");
  const Value x = f.parameter(three, "x"), w = f.parameter(three, "w"), once = f.mul(x, w);
  const Body body = f.finish({f.add(once, once)});
  const Value low = g.parameter(three, "low"), by = g.parameter(three, "w"), high = g.parameter(three, "high");
  const auto end = [&](Value v, bool up) { return g.widen(g.scale(g.mul(v, by), 2), up, 2); };
  const Body rule = g.finish({end(low, false), end(high, true)});
  return {"bound",
          {sample_floats({3}, -2, 2, 0), sample_floats({3}, 0.5, 2, 1)},
          {{"captured", int64_t{1}}, {"slot", std::string("bound")}},
          {body, rule},
          {{true, false}}};
}

std::vector<Sample> samples() {
  const Type three{Dtype::float64, {3}};
  Build f("f"), j("f.jvp"), g("f.forward"), h("f.backward");
  const auto operands = [&](Build& b) {
    const Value x = b.parameter(three, "x"), y = b.parameter(three, "y"), w = b.parameter(three, "w");
    return std::array{x, y, w};
  };
  const auto [x, y, w] = operands(f);
  const Body body = f.finish({f.mul(x, f.sin(f.mul(w, y)))});
  const auto [jx, jy, jw] = operands(j);
  const Value dx = j.parameter(three, "dx"), dy = j.parameter(three, "dy"), angle = j.mul(jw, jy), s = j.sin(angle);
  const Value moved = j.add(j.mul(dx, s), j.mul(j.mul(j.mul(jx, jw), j.cos(angle)), dy));
  const Body jvp_rule = j.finish({j.mul(jx, s), moved});
  const auto [fx, fy, fw] = operands(g);
  const Value turned = g.mul(fw, fy), sine = g.sin(turned);
  const Body forward = g.finish({g.mul(fx, sine), sine, g.mul(fx, g.cos(turned))});
  const Value hw = h.parameter(three, "w"), r = h.parameter(three, "r"), q = h.parameter(three, "q"),
              c = h.parameter(three, "c");
  const Body backward = h.finish({h.mul(c, r), h.mul(c, h.mul(hw, q))});
  const std::vector<Array> in{sample_floats({3}, -2, 2, 0), sample_floats({3}, -1, 1, 1),
                              sample_floats({3}, 0.5, 2, 2)};
  return {
      {"jvp", in, {{"captured", int64_t{1}}, {"slot", std::string("jvp")}}, {body, jvp_rule}, {{true, false, false}}},
      {"vjp",
       in,
       {{"captured", int64_t{1}}, {"slot", std::string("vjp")}},
       {body, forward, backward},
       {{true, false, false}}},
      bounded_sample()};
}

constexpr OpDef custom_rule_record = {.name = "custom_rule",
                                      .family = "structure",
                                      .doc =
                                          "a function whose derivative, bound, or behaviour under vmap, is what its "
                                          "rule says; all else follows from its body",
                                      .inlines = [](const Node&) { return false; },
                                      .attributes = "captured slot",
                                      .infer = infer,
                                      .eval = eval,
                                      .jvp = jvp,
                                      .split = split,
                                      .transpose = transpose,
                                      .batch = batch,
                                      .lower = runs_functions,
                                      .prune = plain_prune,
                                      .bound = bounds::custom_rule,
                                      .samples = samples};

constexpr std::array records = {&custom_rule_record};

}  // namespace

constinit const OpList ops::custom = records;

}  // namespace viva
