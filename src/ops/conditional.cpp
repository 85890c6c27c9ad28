// cond: one of two functions, by a predicate.
#include <array>

#include "graph/prune.h"
#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/structure.h"
#include "ops/taps.h"

namespace viva {
namespace {

Values cond(Build& b, Value predicate, Ins operands, const Body& on_true, const Body& on_false) {
  Values in{predicate};
  append<Value>(in, operands);
  return b.emit("cond", std::move(in), {}, {on_true, on_false});
}

std::vector<Type> infer(const Infer::Site& s) {
  require(s.bodies.size() == 2, "holds {} functions, not two", s.bodies.size());
  require(!s.in.empty(), "takes a predicate of bool[]");
  require(s.in[0] == Type{Dtype::boolean, {}}, "takes a predicate of bool[], not {}", spelled(s.in[0]));
  for (const Body& f : s.bodies) require_parameters(*f, s.in.subspan(1));
  require_same_outputs(*s.bodies[0], *s.bodies[1]);
  return s.bodies[0]->output_types();
}

std::vector<Array> eval(const Node& n, std::span<const Array> in, Evaluator& e) {
  return e.call(*n.bodies[in[0].as<bool>()[0] ? 0 : 1], in.subspan(1));
}

// A tangent that one of the functions has the other gives as zero.
Values jvp(Build& b, const Node& n, Ins in, Ins, Ins t, Transforms& tf) {
  const size_t outputs = n.types.size();
  const Mask active = present(t.subspan(1));
  Mask has(outputs, false);
  for (const Body& f : n.bodies) {
    const Mask own = tf.jvp(f, active, Mask(outputs, false)).second;
    for (size_t i = 0; i < outputs; ++i) has[i] = has[i] || own[i];
  }
  Values args(in.begin() + 1, in.end());
  append<Value>(args, only_present(t.subspan(1)));
  const Values out =
      cond(b, in[0], args, tf.jvp(n.bodies[0], active, has).first, tf.jvp(n.bodies[1], active, has).first);
  Values result(outputs);
  for (size_t i = 0, next = outputs; i < outputs; ++i)
    if (has[i]) result[i] = out[next++];
  result.insert(result.end(), out.begin(), out.begin() + static_cast<int64_t>(outputs));
  return result;
}

// Where the residuals of two functions go: those of one type share a slot, and one that is a known operand needs none.
class Residuals {
 public:
  struct Place {
    bool operand = false;  // else a slot
    size_t index = 0;      // of a known parameter, or of slots
  };
  Residuals(const SplitBody& first, const SplitBody& second) {
    for (const SplitBody* parts : {&first, &second}) {
      std::vector<bool> taken(slots.size(), false);
      std::vector<Place> own;
      const std::vector<int64_t> direct = forwarded(*parts);
      const std::vector<Type> types = parts->known->output_types();
      for (size_t i = 0; i < direct.size(); ++i) {
        if (direct[i] >= 0) own.push_back({true, static_cast<size_t>(direct[i])});
        else own.push_back({false, slot(types[types.size() - direct.size() + i], taken)});
      }
      places.push_back(std::move(own));
    }
  }
  std::vector<Type> slots;
  std::vector<std::vector<Place>> places;  // of each function's residuals

 private:
  size_t slot(const Type& t, std::vector<bool>& taken) {
    for (size_t s = 0; s < taken.size(); ++s)
      if (!taken[s] && slots[s] == t) return taken[s] = true, s;
    slots.push_back(t);
    taken.push_back(true);
    return slots.size() - 1;
  }
};

// The known outputs of a function, then every slot; zeros in those that it has no residual for.
Body known_side(const SplitBody& parts, const Residuals& all, size_t which) {
  Build b(parts.known->name());
  b.at({});
  Values args;
  for (const Value& p : parts.known->params()) args.push_back(b.parameter_like(p));
  const Values made = b.inline_call(*parts.known, args);
  const size_t own = made.size() - static_cast<size_t>(parts.residuals);
  Values out(made.begin(), made.begin() + static_cast<int64_t>(own)), slots(all.slots.size());
  for (size_t i = 0; i < all.places[which].size(); ++i)
    if (const auto& p = all.places[which][i]; !p.operand) slots[p.index] = made[own + i];
  for (size_t s = 0; s < slots.size(); ++s) out.push_back(slots[s] ? slots[s] : b.full(all.slots[s], 0));
  return b.finish(std::move(out));
}

// From the known operands, the slots and the unknown operands.
Body unknown_side(const SplitBody& parts, const Residuals& all, size_t which) {
  Build b(parts.unknown->name());
  b.at({});
  Values known, slots, args;
  for (const Value& p : parts.known->params()) known.push_back(b.parameter_like(p));
  for (const Type& t : all.slots) slots.push_back(b.parameter(t));
  for (const auto& p : all.places[which]) args.push_back(p.operand ? known[p.index] : slots[p.index]);
  for (size_t i = args.size(); i < parts.unknown->params().size(); ++i)
    args.push_back(b.parameter_like(parts.unknown->params()[i]));
  return b.finish(b.inline_call(*parts.unknown, args), parts.unknown->output_names());
}

void split(SplitSite& s, const Node& n, std::span<Value> out_known, std::span<Value> out_unknown, Transforms& tf) {
  const Mask known = present(s.in_known.subspan(1));
  if (!s.in_known[0] || all(known)) return plain_split(s, n, out_known, out_unknown, tf);
  Mask force(n.types.size(), false);
  for (const Body& f : n.bodies) {
    const Mask own = tf.split(f, known, Mask(n.types.size(), false)).out_known;
    for (size_t i = 0; i < force.size(); ++i) force[i] = force[i] || !own[i];
  }
  const SplitBody parts[] = {tf.split(n.bodies[0], known, force), tf.split(n.bodies[1], known, force)};
  const Residuals residuals(parts[0], parts[1]);
  const Values known_in = only_present(s.in_known.subspan(1));
  Values first;
  if (!residuals.slots.empty() || !all(force))
    first =
        cond(s.known, s.in_known[0], known_in, known_side(parts[0], residuals, 0), known_side(parts[1], residuals, 1));
  const size_t own = first.size() - residuals.slots.size();
  Values args;
  for (const Value& v : known_in) args.push_back(s.residual(v));
  for (size_t i = own; i < first.size(); ++i) args.push_back(s.residual(first[i]));
  append<Value>(args, only_present(s.in_unknown.subspan(1)));
  Values second;
  if (any(force))
    second = cond(s.unknown, s.residual(s.in_known[0]), args, unknown_side(parts[0], residuals, 0),
                  unknown_side(parts[1], residuals, 1));
  for (size_t i = 0, k = 0, u = 0; i < n.types.size(); ++i)
    if (force[i]) out_unknown[i] = second[u++];
    else out_known[i] = first[k++];
}

void transpose(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> r, Transforms& tf) {
  const Mask linear = inverted(present(in.subspan(1))), given = present(ct);
  Values args = only_present(in.subspan(1));
  append<Value>(args, only_present(ct));
  const Values out =
      cond(b, in[0], args, tf.transpose(n.bodies[0], linear, given), tf.transpose(n.bodies[1], linear, given));
  for (size_t i = 0, next = 0; i < linear.size(); ++i)
    if (linear[i]) r[i + 1] = out[next++];
}

Body zeros_like(const Body& f) {
  Build b(f->name() + ".none");
  b.at({});
  for (const Value& p : f->params()) b.parameter_like(p);
  Values out;
  for (const Type& t : f->output_types()) out.push_back(b.full(t, 0));
  return b.finish(std::move(out));
}

// The function on the examples that take it, where there is one: the others see the operands of one that does, so that
// no derivative of theirs can be NaN and spoil a sum over examples. Its taps say which these are.
Values where_taken(Build& b, Value taken, Ins in, std::vector<int> axis, const Body& single, Transforms& tf) {
  const int64_t size = taken.dim(0);
  Values args;
  if (size > 0) {
    const Value row = b.argmax(taken, 0, Dtype::int64);
    for (size_t i = 0; i < in.size(); ++i)
      args.push_back(axis[i] < 0 ? in[i] : masked_rows(b, in[i], taken, row, size));
  } else args = {in.begin(), in.end()};
  const bool tapped = has_taps(single);
  if (tapped) args.push_back(taken), axis.push_back(0);
  const Body f = tf.batch(tapped ? with_taken(single) : single, axis, size, Mask(single->outputs().size(), true)).first;
  if (size == 0) return b.inline_call(*zeros_like(f), args);
  return cond(b, b.reduce_or(taken, {0}), args, f, zeros_like(f));
}

Values batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
             Transforms& tf) {
  const size_t outputs = n.types.size();
  if (axis[0] < 0) {
    const std::vector<int> axes(axis.begin() + 1, axis.end());
    Mask force(outputs, false);
    for (const Body& f : n.bodies) {
      const std::vector<int> own = tf.batch(f, axes, size, force).second;
      for (size_t i = 0; i < outputs; ++i) force[i] = force[i] || own[i] >= 0;
    }
    for (size_t i = 0; i < outputs; ++i) out_axis[i] = force[i] ? 0 : -1;
    return cond(b, in[0], in.subspan(1), tf.batch(n.bodies[0], axes, size, force).first,
                tf.batch(n.bodies[1], axes, size, force).first);
  }
  for (const Body& f : n.bodies) refuse_sums(*f, "cond");
  Values front;
  std::vector<int> axes;
  for (size_t i = 1; i < in.size(); ++i) {
    axes.push_back(axis[i] < 0 ? -1 : 0);
    front.push_back(axis[i] < 0 ? in[i] : batched_front(b, in[i], axis[i], size));
  }
  Values out = where_taken(b, in[0], front, axes, n.bodies[0], tf);
  const Values other = where_taken(b, b.logical_not(in[0]), front, axes, n.bodies[1], tf);
  for (size_t i = 0; i < outputs; ++i) {
    out[i] = b.select(b.broadcast(in[0], out[i].shape(), {0}), out[i], other[i]);
    out_axis[i] = 0;
  }
  return out;
}

Mask needs(const Node& n, const Mask& used) {
  Mask needed(n.in.size(), false);
  needed[0] = true;
  for (const Body& f : n.bodies) {
    const Mask own = f->dependence().needed_by(used);
    for (size_t i = 0; i < own.size(); ++i) needed[i + 1] = needed[i + 1] || own[i];
  }
  return needed;
}

Values prune(Build& b, const Node& n, Ins in, const Mask& used, Pruner& pruner) {
  const Mask unneeded = inverted(part(needs(n, used), 1, in.size() - 1));
  Values args;
  for (size_t i = 0; i < unneeded.size(); ++i)
    if (!unneeded[i]) args.push_back(in[i + 1]);
  const Values kept = cond(b, in[0], args, pruner.prune(n.bodies[0], used, unneeded).body,
                           pruner.prune(n.bodies[1], used, unneeded).body);
  Values out(used.size());
  for (size_t i = 0, next = 0; i < used.size(); ++i)
    if (used[i]) out[i] = kept[next++];
  return out;
}

Values simplify(Build& b, const Node& n, Ins in) {
  const auto taken = splat_value(in[0]);
  if (!taken) return {};
  return b.inline_call(*n.bodies[*taken != 0 ? 0 : 1], in.subspan(1));
}

std::vector<Sample> samples() {
  Build f("f"), g("g"), l("l"), m("m");
  const Type three{Dtype::float64, {3}};
  const Value x = f.parameter(three, "x"), y = f.parameter(three, "y");
  const Body on_true = f.finish({f.mul(x, f.sin(y)), f.exp(y)});
  const Value u = g.parameter(three, "x"), w = g.parameter(three, "y");
  const Body on_false = g.finish({g.add(u, g.mul(u, w)), g.full_like(w, 2)});
  std::vector<Sample> all;
  for (const bool taken : {true, false})
    all.push_back({taken ? "true" : "false",
                   {Array::scalar(taken), sample_floats({3}, -2, 2, 0), sample_floats({3}, -2, 2, 1)},
                   {},
                   {on_true, on_false}});
  const Value p = l.parameter(three, "x"), q = l.parameter(three, "y");
  const Body scaled = l.finish({l.mul(p, l.sin(q))});
  const Value r = m.parameter(three, "x"), s = m.parameter(three, "y");
  const Body less = m.finish({m.sub(r, m.mul(r, s))});
  all.push_back({"linear",
                 {Array::scalar(true), sample_floats({3}, -2, 2, 2), sample_floats({3}, -2, 2, 3)},
                 {},
                 {scaled, less},
                 {{false, true, false}}});
  return all;
}

constexpr OpDef cond_record = {
    .name = "cond",
    .family = "structure",
    .doc = "the outputs of the first function where the predicate holds, else those of the second; only one runs",
    .needs = needs,
    .infer = infer,
    .eval = eval,
    .jvp = jvp,
    .split = split,
    .transpose = transpose,
    .batch = batch,
    .lower = runs_functions,
    .prune = prune,
    .bound = bounds::cond,
    .jet = cond_jet,
    .simplify = simplify,
    .samples = samples};

constexpr std::array records = {&cond_record};

}  // namespace

constinit const OpList ops::conditional = records;

}  // namespace viva
