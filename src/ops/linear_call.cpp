// linear_call: a linear function that brings its transposition along.
#include <array>

#include "graph/prune.h"
#include "ops/bounds.h"
#include "ops/custom.h"

namespace viva {
namespace {

// Operands: residuals, then linear ones. Functions: forward (residuals, linear) to the outputs; backward (residuals, a
// cotangent for each output) to a cotangent for each linear operand. A derived forward is backward the other way.
bool is_derived(const Node& n) { return n.attrs.text("forward") == "derived"; }
size_t residuals_of(const Node& n) { return static_cast<size_t>(n.attrs.integer("residuals")); }

std::vector<Type> after(std::span<const Type> residuals, std::span<const Type> rest) {
  std::vector<Type> t(residuals.begin(), residuals.end());
  append(t, rest);
  return t;
}

std::vector<Type> infer(const Infer::Site& s) {
  require(s.bodies.size() == 2, "holds {} functions, not two", s.bodies.size());
  const std::string& from = s.attrs.text("forward");
  require(from == "given" || from == "derived", "forward '{}' is neither given nor derived", from);
  const int64_t count = s.attrs.integer("residuals");
  require(count >= 0 && static_cast<size_t>(count) <= s.in.size(), "{} residuals among {} operands", count,
          s.in.size());
  const auto residuals = s.in.first(static_cast<size_t>(count)), linear = s.in.subspan(residuals.size());
  for (const Type& t : linear)
    require(has_tangent(t.dtype), "a linear operand is {}: only floats and complex numbers are linear", spelled(t));
  const Body &forward = s.bodies[0], &backward = s.bodies[1];
  require(!is_deferred(forward) || !is_deferred(backward), "both functions are made later");
  std::vector<Type> out;
  if (!is_deferred(backward)) {
    require_rule(*backward, *forward);
    const std::vector<Type> params = backward->param_types();
    require(params.size() >= residuals.size(), "{} takes {} arguments, fewer than {} residuals", backward->name(),
            params.size(), residuals.size());
    out.assign(params.begin() + count, params.end());
    require_parameters(*backward, after(residuals, out));
    require_outputs(*backward, linear, "the transposition");
  }
  if (!is_deferred(forward)) {
    require_rule(*forward, *backward);
    require_parameters(*forward, s.in);
    if (is_deferred(backward)) out = forward->output_types();
    else require_outputs(*forward, out, "the function");
  }
  for (const Type& t : out) require(has_tangent(t.dtype), "an output is {}: it cannot be linear", spelled(t));
  return out;
}

std::vector<Array> eval(const Node& n, std::span<const Array> in, Evaluator& e) {
  return e.call(*resolved(n.bodies[0]), in);
}

// Linear in the linear operands; in the residuals it is whatever the function says.
Values jvp(Build& b, const Node& n, Ins in, Ins, Ins t, Transforms& tf) {
  const size_t count = residuals_of(n);
  Values out(n.types.size());
  if (any(present(t.subspan(count)))) {
    Values args(in.begin(), in.begin() + static_cast<int64_t>(count));
    for (size_t i = count; i < in.size(); ++i) args.push_back(t[i] ? t[i] : b.zero(in[i]));
    out = b.repeat(n, std::move(args));
  }
  if (!any(present(t.first(count)))) return out;
  Mask active = present(t);
  std::fill(active.begin() + static_cast<int64_t>(count), active.end(), false);
  const auto [f, has] = tf.jvp(resolved(n.bodies[0]), active, Mask(out.size(), false));
  Values args(in.begin(), in.end());
  append<Value>(args, only_present(t.first(count)));
  const Values moved = b.inline_call(*f, args);
  for (size_t i = 0, next = out.size(); i < out.size(); ++i)
    if (has[i]) {
      const Value more = moved[next++];
      out[i] = out[i] ? b.add(out[i], more) : more;
    }
  return out;
}

void transpose(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> r, Transforms& tf) {
  const size_t count = residuals_of(n);
  const Mask linear = inverted(present(in));
  Values args(in.begin(), in.begin() + static_cast<int64_t>(count));
  if (marked(linear, 0, count) > 0) {  // linear in what is said to be fixed: by the function itself
    args = only_present(in);
    append<Value>(args, only_present(ct));
    const Values out = b.call(tf.transpose(resolved(n.bodies[0]), linear, present(ct)), std::move(args));
    for (size_t i = 0, next = 0; i < linear.size(); ++i)
      if (linear[i]) r[i] = out[next++];
    return;
  }
  Values out;
  if (is_derived(n)) {
    append(args, ct);
    Mask cotangents(args.size(), true);
    std::fill_n(cotangents.begin(), count, false);
    const Body back = tf.pruner.prune(n.bodies[1], part(linear, count, in.size() - count)).body;
    const Values wanted = inline_linear(b, *back, args, cotangents);
    for (size_t i = count, next = 0; i < in.size(); ++i)
      if (linear[i]) r[i] = wanted[next++];
    return;
  }
  for (size_t i = 0; i < ct.size(); ++i) args.push_back(ct[i] ? ct[i] : b.full(n.types[i], 0));
  out = b.emit(*n.op, std::move(args), n.attrs, {resolved(n.bodies[1]), n.bodies[0]});
  for (size_t i = count; i < in.size(); ++i)
    if (linear[i]) r[i] = out[i - count];
}

// All linear operands and outputs get the axis: what all examples share is spread first, so that its cotangent is a
// sum.
Values batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
             Transforms& tf) {
  const size_t count = residuals_of(n);
  Values args = with_axes_in_front(b, in.first(count), axis.first(count));
  for (size_t i = count; i < in.size(); ++i) args.push_back(batched_front(b, in[i], axis[i], size));
  std::ranges::fill(out_axis, 0);
  const size_t linear = in.size() - count, outputs = n.types.size();
  std::vector<int> forward = front_axes(axis.first(count)), backward = forward;
  forward.resize(in.size(), 0), backward.resize(count + outputs, 0);
  const auto mapped = [=](Transforms& t, const Body& f) {
    return t.batch(f, backward, size, Mask(linear, true)).first;
  };
  std::vector<Body> bodies(2);
  if (is_derived(n)) {
    bodies[1] = mapped(tf, n.bodies[1]);
    bodies[0] = transposed_later(bodies[1], count);
  } else {
    bodies[0] = tf.batch(resolved(n.bodies[0]), forward, size, Mask(outputs, true)).first;
    bodies[1] = later(n.bodies[1], [=](const Body& f) { return mapped(*fresh_transforms(), f); });
  }
  return b.emit(*n.op, std::move(args), n.attrs, std::move(bodies));
}

// (sin(s)·x + y, Σx) with its transposition; s is a residual.
std::vector<Sample> samples() {
  const Type three{Dtype::float64, {3}};
  Build f("f"), g("g");
  const Value s = f.parameter(three, "s"), x = f.parameter(three, "x"), y = f.parameter({Dtype::float64, {}}, "y");
  const Value wide = f.broadcast(y, {3}, {});
  const Body forward = f.finish({f.add(f.mul(f.sin(s), x), wide), f.reduce_sum(x, {0})});
  const Value r = g.parameter(three, "s"), a = g.parameter(three, "a"), c = g.parameter({Dtype::float64, {}}, "c");
  const Body backward = g.finish({g.add(g.mul(g.sin(r), a), g.broadcast(c, {3}, {})), g.reduce_sum(a, {0})});
  std::vector<Sample> all;
  for (const char* from : {"given", "derived"})
    all.push_back({from,
                   {sample_floats({3}, -2, 2, 0), sample_floats({3}, -2, 2, 1), sample_floats({}, -2, 2, 2)},
                   {{"forward", std::string(from)}, {"residuals", int64_t{1}}},
                   {forward, backward},
                   {{false, true, true}, {false, true, false}}});
  return all;
}

constexpr OpDef linear_call_record = {
    .name = "linear_call",
    .family = "structure",
    .doc =
        "a linear function that brings its transposition along; the one of a custom_rule's vjp, for forward mode, is "
        "derived from it",
    .inlines = [](const Node&) { return false; },
    .attributes = "forward residuals",
    .infer = infer,
    .eval = eval,
    .jvp = jvp,
    .split = plain_split,
    .transpose = transpose,
    .batch = batch,
    .lower = runs_functions,
    .prune = plain_prune,
    .bound = bounds::linear_call,
    .samples = samples};

constexpr std::array records = {&linear_call_record};

}  // namespace

constinit const OpList ops::linear_calling = records;

}  // namespace viva
