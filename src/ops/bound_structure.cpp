// Bounds of operations that hold functions: of those that the functions are made of.
#include <algorithm>
#include <array>

#include "ops/bounds.h"
#include "ops/custom.h"
#include "ops/scan.h"
#include "ops/taps.h"
#include "ops/while.h"

namespace viva::bounds {
namespace {

Mask intervals_of(std::span<const Enclosure> in) {
  Mask m;
  for (const Enclosure& x : in) m.push_back(!x.point());
  return m;
}

Values lowers(std::span<const Enclosure> in) {
  Values v;
  for (const Enclosure& x : in) v.push_back(x.lower);
  return v;
}

// The operands of a bounded function: all lower ends, then the upper ends of intervals.
Values ends_of(std::span<const Enclosure> in) {
  Values v = lowers(in);
  for (const Enclosure& x : in)
    if (!x.point()) v.push_back(x.upper);
  return v;
}

Enclosures enclosures_of(Ins out, const Mask& has) {
  Enclosures r;
  for (size_t i = 0, upper = has.size(); i < has.size(); ++i) r.push_back({out[i], has[i] ? out[upper++] : out[i]});
  return r;
}

std::pair<Body, Mask> bounded(BoundSite& s, const Body& f) {
  return s.transforms.bound(f, intervals_of(s.in), Mask(f->outputs().size(), false));
}

Enclosures inlined(BoundSite& s, const Body& f) {
  const auto [g, has] = bounded(s, f);
  return enclosures_of(s.b.inline_call(*g, ends_of(s.in)), has);
}

}  // namespace

Enclosures call(BoundSite& s) {
  const auto [f, has] = bounded(s, s.node.bodies[0]);
  return enclosures_of(s.b.emit(*s.node.op, ends_of(s.in), s.node.attrs, {f}), has);
}

// By the rule, which speaks of the arguments: where what is captured is a box too, by the body.
Enclosures custom_rule(BoundSite& s) {
  const auto arguments = s.in.size() - static_cast<size_t>(s.node.attrs.integer("captured"));
  if (s.node.attrs.text("slot") != "bound" || !all_points(s.in.subspan(arguments))) return inlined(s, s.node.bodies[0]);
  Values ends = lowers(s.in);
  for (const Enclosure& x : s.in.first(arguments)) ends.push_back(x.upper);
  return enclosures_of(s.b.inline_call(*resolved(s.node.bodies[1]), ends), Mask(s.node.types.size(), true));
}
Enclosures linear_call(BoundSite& s) { return inlined(s, resolved(s.node.bodies[0])); }

Enclosures barrier(BoundSite& s) { return enclosures_of(s.b.barrier(ends_of(s.in)), intervals_of(s.in)); }

// Both ends under names of their own; taken where it may be.
Enclosures tap(BoundSite& s) {
  if (all_points(s.in)) return moves_all(s);
  const auto tapped = [&](Value end, std::string_view which) {
    Values in{end};
    if (s.in.size() == 2) in.push_back(s.in[1].upper);
    return s.b.emit(*s.node.op, std::move(in), {{"name", fmt::format("{}.{}", tap_name(s.node), which)}})[0];
  };
  if (s.in[0].point()) return {s.in[0]};
  return {{tapped(s.in[0].lower, "lower"), tapped(s.in[0].upper, "upper")}};
}

namespace {

struct Branches {
  Body yes, no;
  Mask has;
};

Branches branches_of(BoundSite& s, bool all_outputs) {
  const Mask intervals = intervals_of(s.in.subspan(1));
  Mask has(s.node.types.size(), all_outputs);
  for (const Body& f : s.node.bodies) {
    const Mask own = s.transforms.bound(f, intervals, Mask(has.size(), false)).second;
    for (size_t i = 0; i < has.size(); ++i) has[i] = has[i] || own[i];
  }
  const auto forced = [&](size_t i) { return s.transforms.bound(s.node.bodies[i], intervals, has).first; };
  return {forced(0), forced(1), has};
}

// The parameters of both, a predicate before them where asked.
Values parameters_like(Build& b, const Function& f, bool predicate) {
  b.at({});
  Values params;
  if (predicate) params.push_back(b.parameter({Dtype::boolean, {}}));
  for (const Value& p : f.params()) params.push_back(b.parameter_like(p));
  return params;
}

Body one_of_them(const Branches& f) {
  Build b(f.yes->name() + ".one");
  Values in = parameters_like(b, *f.yes, true);
  return b.finish(b.emit("cond", std::move(in), {}, {f.yes, f.no}));
}

// Neither is taken for certain, so no tap says that it is.
Body both_of_them(const Branches& f) {
  Build b(f.yes->name() + ".both");
  const Values in = parameters_like(b, *f.yes, true);
  const std::span<const Value> operands = std::span(in).subspan(1);
  const Enclosures yes = enclosures_of(b.inline_call(*without_taps(f.yes), operands), f.has),
                   no = enclosures_of(b.inline_call(*without_taps(f.no), operands), f.has);
  Enclosures all;
  for (size_t i = 0; i < yes.size(); ++i) all.push_back(hull(b, yes[i], no[i]));
  Values out = lowers(all);
  for (const Enclosure& x : all) out.push_back(x.upper);
  return b.finish(std::move(out));
}

}  // namespace

// Where the predicate is certain one function runs, else both.
Enclosures cond(BoundSite& s) {
  const Enclosure& p = s.in[0];
  const Branches f = branches_of(s, !p.point());
  Values in{p.lower};
  append<Value>(in, ends_of(s.in.subspan(1)));
  if (p.point()) return enclosures_of(s.b.emit("cond", std::move(in), {}, {f.yes, f.no}), f.has);
  in.insert(in.begin(), s.b.compare(Direction::eq, p.lower, p.upper));
  return enclosures_of(s.b.emit("cond", std::move(in), {}, {one_of_them(f), both_of_them(f)}), f.has);
}

Enclosures scan(BoundSite& s) {
  Values second;
  for (const Enclosure& x : s.in) second.push_back(x.point() ? Value{} : x.upper);
  const Scan::Pairs r = Scan::pairs(
      s.b, s.node, lowers(s.in), second, [](Value v) { return v; },
      [&](const Mask& intervals, const Mask& force) { return s.transforms.bound(s.node.bodies[0], intervals, force); });
  Enclosures out;
  for (size_t i = 0; i < r.firsts.size(); ++i) out.push_back({r.firsts[i], r.seconds[i] ? r.seconds[i] : r.firsts[i]});
  return out;
}

}  // namespace viva::bounds
