// while: a function applied as long as a predicate holds.
#include "ops/while.h"

#include <array>
#include <numeric>

#include "graph/prune.h"
#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/taps.h"

namespace viva {

While While::of(const Node& n) {
  const auto consts = static_cast<size_t>(n.attrs.integer("consts"));
  return {consts, n.in.size() - consts, n.attrs.integer("max_steps")};
}

Values emit_while(Build& b, int64_t max_steps, Ins consts, Ins carries, const Body& predicate, const Body& step) {
  Values in(consts.begin(), consts.end());
  append<Value>(in, carries);
  return b.emit("while", std::move(in), {{"consts", static_cast<int64_t>(consts.size())}, {"max_steps", max_steps}},
                {predicate, step});
}

Body over(const Body& f, const std::vector<Type>& types, const std::vector<size_t>& places) {
  Build b(f->name());
  b.at({});
  Values params, args;
  for (const Type& t : types) params.push_back(b.parameter(t));
  for (const size_t p : places) args.push_back(params[p]);
  return b.finish(b.inline_call(*f, args), f->output_names());
}

namespace {

std::vector<Type> infer(const Infer::Site& s) {
  require(s.bodies.size() == 2, "holds {} functions, not two", s.bodies.size());
  const int64_t consts = s.attrs.integer("consts");
  require(consts >= 0 && consts <= static_cast<int64_t>(s.in.size()), "{} constants of {} operands", consts,
          s.in.size());
  require(s.attrs.integer("max_steps") >= 0, "max_steps {} is negative", s.attrs.integer("max_steps"));
  for (const Body& f : s.bodies) require_parameters(*f, s.in);
  const std::vector<Type> p = s.bodies[0]->output_types(), out = s.bodies[1]->output_types();
  require(p.size() == 1 && p[0] == Type{Dtype::boolean, {}}, "the predicate {} gives {}, not one bool[]",
          s.bodies[0]->name(), p.size() == 1 ? to_string(p[0]) : fmt::format("{} values", p.size()));
  const std::span<const Type> carries = s.in.subspan(static_cast<size_t>(consts));
  require(out.size() == carries.size(), "{} gives {} values for {} carries", s.bodies[1]->name(), out.size(),
          carries.size());
  for (size_t i = 0; i < out.size(); ++i)
    require(out[i] == carries[i], "carry {} goes in as {} and comes out as {}", i, spelled(carries[i]),
            spelled(out[i]));
  return out;
}

std::vector<Array> eval(const Node& n, std::span<const Array> in, Evaluator& e) {
  const While w = While::of(n);
  std::vector<Array> args(in.begin(), in.end());
  for (int64_t k = 0; w.max_steps == 0 || k < w.max_steps; ++k) {
    if (!e.call(*n.bodies[0], args)[0].as<bool>()[0]) break;
    std::vector<Array> made = e.call(*n.bodies[1], args);
    std::ranges::move(made, args.begin() + static_cast<int64_t>(w.consts));
  }
  return {args.begin() + static_cast<int64_t>(w.consts), args.end()};
}

Values jvp(Build& b, const Node& n, Ins in, Ins, Ins t, Transforms& tf) {
  const While w = While::of(n);
  Mask active = present(t), has(w.carries, false);
  const auto carried = [&] { return part(active, w.consts, w.carries); };
  for (bool more = true; more;) {
    more = false;
    has = tf.jvp(n.bodies[1], active, carried()).second;
    for (size_t i = 0; i < w.carries; ++i)
      if (has[i] && !active[w.consts + i]) active[w.consts + i] = more = true;
  }
  const Body f = tf.jvp(n.bodies[1], active, carried()).first;
  // jvp puts the tangents last; here they stand beside their primals.
  Values consts(in.begin(), in.begin() + static_cast<int64_t>(w.consts)),
      carries(in.begin() + static_cast<int64_t>(w.consts), in.end());
  const size_t const_tangents = marked(active, 0, w.consts), carry_tangents = marked(active, w.consts, w.carries);
  for (size_t i = 0; i < w.inputs(); ++i)
    if (active[i]) (i < w.consts ? consts : carries).push_back(t[i] ? t[i] : b.zero(in[i]));
  std::vector<size_t> params, outputs, primal;
  add_places(params, 0, w.consts), add_places(params, w.inputs(), const_tangents);
  add_places(params, w.consts, w.carries), add_places(params, w.inputs() + const_tangents, carry_tangents);
  add_places(outputs, 0, w.carries + carry_tangents);
  add_places(primal, 0, w.consts), add_places(primal, consts.size(), w.carries);
  Values all = consts;
  append<Value>(all, carries);
  const Values out = emit_while(b, w.max_steps, consts, carries, over(n.bodies[0], types_of(all), primal),
                                rearranged(f, params, outputs));
  Values result(w.carries);
  for (size_t i = 0, next = w.carries; i < w.carries; ++i)
    if (has[i]) result[i] = out[next++];
  append<Value>(result, std::span(out).first(w.carries));
  return result;
}

// The operands that a predicate over known ones leaves known: constants that are, and carries that stay so.
Mask settled(const Node& n, Mask known, Transforms& tf) {
  const While w = While::of(n);
  for (bool more = true; more;) {
    more = false;
    Mask force(w.carries, false);
    for (size_t i = 0; i < w.carries; ++i) force[i] = !known[w.consts + i];
    const Mask out = tf.split(n.bodies[1], known, force).out_known;
    for (size_t i = 0; i < w.carries; ++i)
      if (known[w.consts + i] && !out[i]) known[w.consts + i] = false, more = true;
  }
  return known;
}

// The step for the side that runs what is known again: a value has its tap on the other side.
Body tapped_once(const Body& step, const Mask& known, const Mask& force, Transforms& tf) {
  if (!has_taps(step)) return step;
  const SplitBody parts = tf.split(step, known, force);
  Build b(step->name());
  b.at({});
  Values known_in, unknown_in, out;
  for (size_t i = 0; i < known.size(); ++i)
    (known[i] ? known_in : unknown_in).push_back(b.parameter_like(step->params()[i]));
  const Values first = b.inline_call(*without_taps(parts.known), known_in);
  Values in(first.end() - parts.residuals, first.end());
  append<Value>(in, unknown_in);
  const Values second = b.inline_call(*parts.unknown, in);
  for (size_t i = 0, k = 0, u = 0; i < force.size(); ++i) out.push_back(parts.out_known[i] ? first[k++] : second[u++]);
  return b.finish(std::move(out), step->output_names());
}

// Residuals of an unknown number of steps cannot be kept: the unknown side runs the known carries again.
void split(SplitSite& s, const Node& n, std::span<Value> out_known, std::span<Value> out_unknown, Transforms& tf) {
  const While w = While::of(n);
  const Mask known = settled(n, present(s.in_known), tf);
  const bool steered = n.bodies[0]->dependence().reached_from(inverted(known))[0];
  if (all(known) || steered) {
    if (all(known)) return plain_split(s, n, out_known, out_unknown, tf);
    Values in;
    for (size_t i = 0; i < n.in.size(); ++i) in.push_back(s.in_known[i] ? s.residual(s.in_known[i]) : s.in_unknown[i]);
    std::ranges::copy(s.unknown.copy(n, std::move(in)), out_unknown.begin());
    return;
  }
  std::array<Values, 2> args;
  std::vector<size_t> params, outputs;
  for (size_t i = 0; i < w.inputs(); ++i)
    if (known[i]) {
      params.push_back(i);
      args[i < w.consts ? 0 : 1].push_back(s.in_known[i]);
      if (i >= w.consts) outputs.push_back(i - w.consts);
    }
  if (!outputs.empty()) {
    Mask used(w.carries, false);
    for (const size_t o : outputs) used[o] = true;
    std::vector<size_t> all_outputs;
    add_places(all_outputs, 0, outputs.size());
    const Values out = emit_while(s.known, w.max_steps, args[0], args[1], rearranged(n.bodies[0], params, {0}),
                                  rearranged(tf.pruner.prune(n.bodies[1], used).body, params, all_outputs));
    for (size_t i = 0; i < outputs.size(); ++i) out_known[outputs[i]] = out[i];
  }
  Values in;
  for (size_t i = 0; i < n.in.size(); ++i) in.push_back(s.in_known[i] ? s.residual(s.in_known[i]) : s.in_unknown[i]);
  const Body step = tapped_once(n.bodies[1], known, inverted(part(known, w.consts, w.carries)), tf);
  const Values rest = s.unknown.emit(*n.op, std::move(in), n.attrs, {n.bodies[0], step}, n.where);
  for (size_t i = 0; i < w.carries; ++i)
    if (!known[w.consts + i]) out_unknown[i] = rest[i];
}

// Examples that have ended stay as they are, and see the operands of one that goes on, so that no derivative of theirs
// can be NaN. Taps say which examples go on.
Values batch_until_all_end(Build& b, const Node& n, Ins consts, Ins carries, const std::vector<int>& axes, int64_t size,
                           Transforms& tf) {
  const bool tapped = has_taps(n.bodies[1]);
  std::vector<int> step_axes = axes;
  if (tapped) step_axes.push_back(0);
  const Body p = tf.batch(n.bodies[0], axes, size, {true}).first,
             f = tf.batch(tapped ? with_taken(n.bodies[1]) : n.bodies[1], step_axes, size, Mask(carries.size(), true))
                     .first;
  Values all(consts.begin(), consts.end());
  append<Value>(all, carries);
  Build any_goes_on(p->name()), step(f->name());
  any_goes_on.at({}), step.at({});
  Values args;
  for (const Value& v : all) args.push_back(any_goes_on.parameter(v.type()));
  const Body predicate = any_goes_on.finish({any_goes_on.reduce_or(any_goes_on.inline_call(*p, args)[0], {0})});
  args.clear();
  for (const Value& v : all) args.push_back(step.parameter(v.type()));
  const Value goes_on = step.inline_call(*p, args)[0], row = step.argmax(goes_on, 0, Dtype::int64);
  Values safe;
  for (size_t i = 0; i < args.size(); ++i)
    safe.push_back(axes[i] < 0 ? args[i] : masked_rows(step, args[i], goes_on, row, size));
  if (tapped) safe.push_back(goes_on);
  Values out = step.inline_call(*f, safe);
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = step.select(step.broadcast(goes_on, out[i].shape(), {0}), out[i], args[consts.size() + i]);
  return emit_while(b, While::of(n).max_steps, consts, carries, predicate, step.finish(std::move(out)));
}

Values batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
             Transforms& tf) {
  const While w = While::of(n);
  std::vector<int> axes;
  for (const int a : axis) axes.push_back(a < 0 ? -1 : 0);
  Mask force(w.carries, false);
  for (bool more = true; more;) {
    more = false;
    for (size_t i = 0; i < w.carries; ++i) force[i] = axes[w.consts + i] >= 0;
    const std::vector<int> out = tf.batch(n.bodies[1], axes, size, force).second;
    for (size_t i = 0; i < w.carries; ++i)
      if (out[i] >= 0 && axes[w.consts + i] < 0) axes[w.consts + i] = 0, more = true;
  }
  const bool apart = tf.batch(n.bodies[0], axes, size, {false}).second[0] >= 0;
  if (apart)
    for (const Body& f : n.bodies) refuse_sums(*f, "while");
  if (apart) std::fill(axes.begin() + static_cast<int64_t>(w.consts), axes.end(), 0);
  Values args;
  for (size_t i = 0; i < in.size(); ++i) args.push_back(axes[i] < 0 ? in[i] : batched_front(b, in[i], axis[i], size));
  const std::span<const Value> all(args);
  for (size_t i = 0; i < w.carries; ++i) out_axis[i] = axes[w.consts + i];
  if (apart && size == 0) return {args.begin() + static_cast<int64_t>(w.consts), args.end()};
  if (apart) return batch_until_all_end(b, n, all.first(w.consts), all.subspan(w.consts), axes, size, tf);
  return emit_while(b, w.max_steps, all.first(w.consts), all.subspan(w.consts),
                    tf.batch(n.bodies[0], axes, size, {false}).first, tf.batch(n.bodies[1], axes, size, force).first);
}

// A carry lives where it is used in the end, by the predicate, or by what lives in the next step.
Mask living(const Node& n, Mask live, Mask* constants) {
  const While w = While::of(n);
  const Mask steering = n.bodies[0]->dependence().needed_by({true});
  Mask needed;
  for (bool more = true; more;) {
    more = false;
    needed = n.bodies[1]->dependence().needed_by(live);
    for (size_t i = 0; i < w.inputs(); ++i) needed[i] = needed[i] || steering[i];
    for (size_t i = 0; i < w.carries; ++i)
      if (needed[w.consts + i] && !live[i]) live[i] = more = true;
  }
  *constants = part(needed, 0, w.consts);
  return live;
}

Mask needs(const Node& n, const Mask& used) {
  Mask needed, live = living(n, used, &needed);
  needed.insert(needed.end(), live.begin(), live.end());
  return needed;
}

Values prune(Build& b, const Node& n, Ins in, const Mask& used, Pruner& pruner) {
  const While w = While::of(n);
  Mask constants;
  const Mask live = living(n, used, &constants);
  std::array<Values, 2> args;
  std::vector<size_t> params, outputs;
  for (size_t i = 0; i < w.inputs(); ++i)
    if (i < w.consts ? constants[i] : live[i - w.consts]) {
      params.push_back(i);
      args[i < w.consts ? 0 : 1].push_back(in[i]);
    }
  add_places(outputs, 0, args[1].size());
  const Values kept = emit_while(b, w.max_steps, args[0], args[1], rearranged(pruner.pruned(n.bodies[0]), params, {0}),
                                 rearranged(pruner.prune(n.bodies[1], live).body, params, outputs));
  Values out(w.carries);
  for (size_t i = 0, next = 0; i < w.carries; ++i)
    if (live[i]) out[i] = kept[next++];
  return out;
}

// As long as count < n: x' = sin(x)·a, count' = count + 1.
std::vector<Sample> samples() {
  const Type two{Dtype::float64, {2}}, integer{Dtype::int32, {}};
  const auto functions = [&](bool linear) {
    Build p("predicate"), f("step");
    p.parameter(two, "a"), p.parameter(two, "x");
    const Value count = p.parameter(integer, "count");
    const Body predicate = p.finish({p.compare(Direction::lt, count, p.scalar(Dtype::int32, 3))});
    const Value a = f.parameter(two, "a"), x = f.parameter(two, "x"), c = f.parameter(integer, "count");
    const Value next = linear ? f.mul(x, f.sin(a)) : f.mul(f.sin(x), a);
    return std::vector<Body>{predicate, f.finish({next, f.add(c, f.one(c))})};
  };
  std::vector<Sample> all;
  const auto add = [&](std::string label, int32_t from, int64_t most, bool linear, std::vector<Mask> masks) {
    all.push_back({std::move(label),
                   {sample_floats({2}, 0.5, 2, 0), sample_floats({2}, -2, 2, 1), Array::scalar(from)},
                   {{"consts", int64_t{1}}, {"max_steps", most}},
                   functions(linear),
                   std::move(masks)});
  };
  add("3 steps", 0, 4, false, {}), add("none", 3, 4, false, {}), add("2 at most", 0, 2, false, {});
  add("linear", 0, 4, true, {{false, true, false}});
  return all;
}

constexpr OpDef while_record = {
    .name = "while",
    .family = "structure",
    .doc = "the second function, from carries to carries, as long as the first holds; backwards from few snapshots",
    .needs = needs,
    .attributes = "consts max_steps",
    .infer = infer,
    .eval = eval,
    .jvp = jvp,
    .split = split,
    .transpose = transpose_while,
    .batch = batch,
    .lower = runs_functions,
    .prune = prune,
    .bound = bounds::loop,
    .jet = while_jet,
    .samples = samples};

constexpr std::array records = {&while_record};

}  // namespace

constinit const OpList ops::repetition = records;

}  // namespace viva
