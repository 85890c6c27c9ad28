// Bounds of loops. Where the predicate depends on points alone the bounded loop takes the same steps. Else it goes on
// as long as some operands may, and the result is the hull of all states in which some may have ended.
#include <array>

#include "ops/bounds.h"
#include "ops/taps.h"
#include "ops/while.h"

namespace viva::bounds {
namespace {

// So many steps are bounded where it is not certain when a loop ends; beyond them nothing is known.
constexpr int64_t most_steps = 10000;

struct Loop {
  BoundSite& s;
  const While shape;
  Mask intervals;  // of the operands
  Values consts;   // lower ends, then upper ends
  Loop(BoundSite& site) : s(site), shape(While::of(site.node)) {
    for (const Enclosure& x : s.in) intervals.push_back(!x.point());
    const auto own = s.in.first(shape.consts);
    for (const Enclosure& x : own) consts.push_back(x.lower);
    for (const Enclosure& x : own)
      if (!x.point()) consts.push_back(x.upper);
  }

  const Body& predicate() const { return s.node.bodies[0]; }
  const Body& step() const { return s.node.bodies[1]; }
  Mask carried() const { return part(intervals, shape.consts, shape.carries); }

  // Carries that get an enclosure on the way.
  void settle() {
    for (bool more = true; more;) {
      more = false;
      const Mask has = s.transforms.bound(step(), intervals, carried()).second;
      for (size_t i = 0; i < shape.carries; ++i)
        if (has[i] && !intervals[shape.consts + i]) intervals[shape.consts + i] = more = true;
    }
  }
  // Lower ends of the carries, then upper ends of those that have some.
  Values carries() const {
    Values v;
    for (size_t i = shape.consts; i < s.in.size(); ++i) v.push_back(s.in[i].lower);
    for (size_t i = shape.consts; i < s.in.size(); ++i)
      if (intervals[i]) v.push_back(s.in[i].upper);
    return v;
  }
  // Where the operands of a bounded function are among constants and carries as above.
  std::vector<size_t> places() const {
    const size_t lower_carries = consts.size();
    std::vector<size_t> p;
    add_places(p, 0, shape.consts), add_places(p, lower_carries, shape.carries);
    add_places(p, shape.consts, consts.size() - shape.consts);
    add_places(p, lower_carries + shape.carries, marked(intervals, shape.consts, shape.carries));
    return p;
  }
};

Enclosures enclosures_of(Ins out, const Mask& has) {
  Enclosures r;
  for (size_t i = 0, upper = has.size(); i < has.size(); ++i) r.push_back({out[i], has[i] ? out[upper++] : out[i]});
  return r;
}

Enclosures same_steps(Loop& loop) {
  Build& b = loop.s.b;
  const Values carries = loop.carries();
  Values all = loop.consts;
  append<Value>(all, carries);
  const auto bounded = [&](const Body& f, const Mask& force) {
    return over(loop.s.transforms.bound(f, loop.intervals, force).first, types_of(all), loop.places());
  };
  const Values out = emit_while(b, loop.shape.max_steps, loop.consts, carries, bounded(loop.predicate(), {false}),
                                bounded(loop.step(), loop.carried()));
  return enclosures_of(out, loop.carried());
}

Value everywhere(Build& b, Value truth, const Shape& shape) { return b.broadcast(truth, shape, {}); }

Enclosure chosen(Build& b, Value truth, const Enclosure& x, const Enclosure& y) {
  const Value p = everywhere(b, truth, x.lower.shape());
  return {b.select(p, x.lower, y.lower), b.select(p, x.upper, y.upper)};
}

// What ended before, and this state.
Enclosures ended_with(Build& b, Value began, const Enclosures& result, const Enclosures& state) {
  Enclosures r;
  for (size_t i = 0; i < state.size(); ++i) r.push_back(chosen(b, began, hull(b, result[i], state[i]), state[i]));
  return r;
}

// Carries of the loop: the ends of the state, the ends of the result so far, whether there is one, the steps done.
struct Wandering {
  Loop& loop;
  Body p, f;
  std::vector<Type> types;  // of constants, then carries
  size_t count;             // carries of the loop itself

  explicit Wandering(Loop& l) : loop(l), count(l.shape.carries) {
    std::fill(l.intervals.begin() + static_cast<int64_t>(l.shape.consts), l.intervals.end(), true);
    p = without_taps(l.s.transforms.bound(l.predicate(), l.intervals, {true}).first);
    f = l.s.transforms.bound(l.step(), l.intervals, Mask(count, true)).first;
  }
  Values operands(const Values& all) const {
    Values v;
    for (const size_t at : loop.places()) v.push_back(all[at]);
    return v;
  }
  Enclosures state(Ins all, size_t which) const {
    const auto from = all.subspan(loop.consts.size() + 2 * which * count);
    Enclosures r;
    for (size_t i = 0; i < count; ++i) r.push_back({from[i], from[count + i]});
    return r;
  }
  Values parameters(Build& b) const {
    b.at({});
    Values v;
    for (const Type& t : types) v.push_back(b.parameter(t));
    return v;
  }
  Body predicate(int64_t most) const {
    Build b(p->name());
    const Values all = parameters(b);
    const Value more = b.compare(Direction::lt, all.back(), b.scalar(Dtype::int64, static_cast<double>(most)));
    return b.finish({b.logical_and(b.inline_call(*p, operands(all))[1], more)});
  }
  Body step() const {
    Build b(f->name());
    const Values all = parameters(b);
    const Value began = all[all.size() - 2], may_end = b.logical_not(b.inline_call(*p, operands(all))[0]);
    const Enclosures now = state(all, 0), before = state(all, 1), with = ended_with(b, began, before, now);
    Values out = b.inline_call(*f, operands(all));
    Enclosures result;
    for (size_t i = 0; i < count; ++i) result.push_back(chosen(b, may_end, with[i], before[i]));
    for (const Enclosure& x : result) out.push_back(x.lower);
    for (const Enclosure& x : result) out.push_back(x.upper);
    out.push_back(b.logical_or(began, may_end)), out.push_back(b.add(all.back(), b.one(all.back())));
    return b.finish(std::move(out));
  }
};

Enclosures any_steps(Loop& loop) {
  Build& b = loop.s.b;
  Wandering w(loop);
  Values carries = loop.carries();
  const Values start = carries;
  append<Value>(carries, start);
  carries.push_back(b.scalar(Dtype::boolean, 0)), carries.push_back(b.scalar(Dtype::int64, 0));
  Values all = loop.consts;
  append<Value>(all, carries);
  w.types = types_of(all);
  const int64_t own = loop.shape.max_steps, most = own > 0 && own <= most_steps ? own : most_steps;
  const Values out = emit_while(b, most, loop.consts, carries, w.predicate(most), w.step());
  Values end = loop.consts;
  append<Value>(end, out);
  Enclosures r = ended_with(b, out[out.size() - 2], w.state(end, 1), w.state(end, 0));
  if (most == own) return r;
  const Value goes_on = b.inline_call(*w.p, w.operands(end))[1];
  for (Enclosure& x : r) x = chosen(b, goes_on, whole(b, x.lower.type()), x);
  return r;
}

}  // namespace

Enclosures loop(BoundSite& s) {
  Loop l(s);
  l.settle();
  const bool certain = !s.transforms.bound(l.predicate(), l.intervals, {false}).second[0];
  return certain ? same_steps(l) : any_steps(l);
}

}  // namespace viva::bounds
