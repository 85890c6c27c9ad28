#include "ops/nested.h"

#include <array>

#include "graph/deferred.h"
#include "ops/scan.h"
#include "ops/while.h"

namespace viva {
namespace {

const Type step_place{Dtype::int64, {}};

// A function's own outputs, then readings.
Outer unpacked(Ins all, size_t own, const Mask& flagged) {
  Outer r{{all.begin(), all.begin() + static_cast<int64_t>(own)}, {}};
  for (const bool flag : flagged) {
    r.readings.push_back({all[own++], {}});
    if (flag) r.readings.back().taken = all[own++];
  }
  return r;
}

Values joined(Ins first, Ins more) {
  Values v(first.begin(), first.end());
  append(v, more);
  return v;
}

// A flag spread to the dimensions of what it speaks of.
Value spread_flag(Build& b, Value flag, Value over) { return b.broadcast(flag, over.shape(), iota_ints(flag.rank())); }

Outer call_again(Build& b, const Node& n, Ins in, Ins more, const Inner& inner) {
  return unpacked(b.emit(*n.op, joined(in, more), n.attrs, {inner.body}), n.types.size(), inner.flagged);
}

// The function with the readings of both: zeros, not taken, for those of the other.
Body with_all_readings(const std::array<Inner, 2>& both, size_t which, size_t own) {
  Build b(both[which].body->name());
  b.at({});
  Values args;
  for (const Value& p : both[which].body->params()) args.push_back(b.parameter_like(p));
  const Values made = b.inline_call(*both[which].body, args);
  Values out(made.begin(), made.begin() + static_cast<int64_t>(own));
  for (size_t k = 0; k < 2; ++k) {
    const std::vector<Type> types = both[k].body->output_types();
    for (size_t i = own; i < types.size(); ++i) out.push_back(k == which ? made[i] : b.full(types[i], 0));
  }
  return b.finish(std::move(out));
}

Outer cond_again(Build& b, const Node& n, Ins in, Ins more, const std::array<Inner, 2>& both) {
  const size_t own = n.types.size();
  Mask flagged = both[0].flagged;
  flagged.insert(flagged.end(), both[1].flagged.begin(), both[1].flagged.end());
  Outer r = unpacked(
      b.emit(*n.op, joined(in, more), n.attrs, {with_all_readings(both, 0, own), with_all_readings(both, 1, own)}), own,
      flagged);
  for (size_t i = 0; i < flagged.size(); ++i)
    if (!flagged[i]) r.readings[i].taken = i < both[0].flagged.size() ? in[0] : b.logical_not(in[0]);
  return r;
}

Outer scan_again(Build& b, const Node& n, Ins in, Ins more, const Inner& inner, bool place) {
  const Scan s = Scan::of(n);
  std::vector<size_t> params, outputs;
  add_places(params, 0, s.consts), add_places(params, s.inputs(), more.size());
  add_places(params, s.consts, s.carries + s.xs);
  if (place) params.push_back(s.inputs() + more.size());
  add_places(outputs, 0, inner.body->outputs().size());
  const auto own = in.subspan(s.consts);
  Values xs(own.begin() + static_cast<int64_t>(s.carries), own.end());
  if (place) xs.push_back(b.iota({Dtype::int64, {s.length}}, 0));
  return unpacked(emit_scan(b, s, joined(in.first(s.consts), more), own.first(s.carries), xs,
                            rearranged(inner.body, params, outputs)),
                  n.types.size(), inner.flagged);
}

// A step of a while with its place and its readings among the carries: a reading that was not taken stays as it was.
Body while_step(const While& w, const std::vector<Type>& types, size_t more, const Inner& inner, bool place) {
  Build b(inner.body->name());
  b.at({});
  Values p, args;
  for (const Type& t : types) p.push_back(b.parameter(t));
  const auto all = std::span<const Value>(p);
  const size_t carries = w.consts + more;
  append(args, all.first(w.consts)), append(args, all.subspan(carries, w.carries));
  append(args, all.subspan(w.consts, more));
  size_t next = carries + w.carries;
  if (place) args.push_back(all[next]);
  const Outer made = unpacked(b.inline_call(*inner.body, args), w.carries, inner.flagged);
  Values out = made.out;
  if (place) out.push_back(b.add(all[next], b.one(all[next]))), ++next;
  for (const TapReading& r : made.readings) {
    const Value before = all[next++], taken = all[next++];
    out.push_back(r.taken ? b.select(spread_flag(b, r.taken, r.value), r.value, before) : r.value);
    out.push_back(r.taken ? b.logical_or(taken, r.taken) : b.full_like(taken, 1));
  }
  return b.finish(std::move(out));
}

Outer while_again(Build& b, const Node& n, Ins in, Ins more, const Inner& inner, bool place) {
  const While w = While::of(n);
  const Values consts = joined(in.first(w.consts), more);
  Values carries(in.begin() + static_cast<int64_t>(w.consts), in.end());
  if (place) carries.push_back(b.full(step_place, 0));
  const std::vector<Type> made = inner.body->output_types();
  for (size_t i = 0, at = w.carries; i < inner.flagged.size(); ++i) {
    carries.push_back(b.full(made[at++], 0));
    carries.push_back(b.full(inner.flagged[i] ? made[at++] : Type{Dtype::boolean, {}}, 0));
  }
  std::vector<Type> types = types_of(consts);
  append<Type>(types, types_of(carries));
  std::vector<size_t> places;
  add_places(places, 0, w.consts), add_places(places, consts.size(), w.carries);
  Values out = emit_while(b, w.max_steps, consts, carries, over(n.bodies[0], types, places),
                          while_step(w, types, more.size(), inner, place));
  if (place) out.erase(out.begin() + static_cast<int64_t>(w.carries));
  return unpacked(out, w.carries, Mask(inner.flagged.size(), true));
}

// The node keeps its rules; its function runs beside it for what is read.
Outer beside_rules(Build& b, const Node& n, Ins in, const Inner& inner) {
  Outer r{b.copy(n, {in.begin(), in.end()}), {}};
  r.readings = unpacked(b.call(inner.body, {in.begin(), in.end()}), n.types.size(), inner.flagged).readings;
  return r;
}

bool is(const Node& n, std::string_view name) { return n.op->name == name; }

}  // namespace

bool repeats(const Node& n) { return is(n, "scan") || is(n, "while"); }
bool may_skip(const Node& n) { return is(n, "cond") || is(n, "while"); }
bool has_rules(const Node& n) { return is(n, "custom_rule") || is(n, "linear_call"); }

std::vector<size_t> running(const Node& n) {
  if (n.bodies.empty()) return {};
  if (is(n, "cond")) return {0, 1};
  if (is(n, "while")) return {1};
  if (is_deferred(n.bodies[0])) return {};
  return {0};
}

Outer again(Build& b, const Node& n, Ins in, Ins more, const std::vector<Inner>& inner, bool place) {
  if (is(n, "cond")) return cond_again(b, n, in, more, {inner[0], inner[1]});
  if (is(n, "scan")) return scan_again(b, n, in, more, inner[0], place);
  if (is(n, "while")) return while_again(b, n, in, more, inner[0], place);
  if (!has_rules(n)) return call_again(b, n, in, more, inner[0]);
  if (!more.empty()) throw internal_error("[{}] nothing goes into a function with rules", n.op->name);
  return beside_rules(b, n, in, inner[0]);
}

Values with_readings(Values out, const std::vector<TapReading>& readings) {
  for (const TapReading& r : readings) {
    out.push_back(r.value);
    if (r.taken) out.push_back(r.taken);
  }
  return out;
}

Mask flags_of(const std::vector<TapReading>& readings) {
  Mask m;
  for (const TapReading& r : readings) m.push_back(bool(r.taken));
  return m;
}

}  // namespace viva
