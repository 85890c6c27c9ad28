// The next coefficient of a term.
#include <algorithm>
#include <array>

#include "ops/series.h"
#include "transform/jet_site.h"

namespace viva {

void JetTerms::advance(const Node& n, Term& t) {
  if (t.busy) throw unsupported("[jet] the series of {} depends on itself", n.op ? n.op->name : "a parameter");
  t.busy = true;
  const int64_t k = t.known + 1;
  if (k > 0 && !t.settled) settle(n, t);
  if (t.kind == Kind::rate) rate(t, k);
  else if (k == 0) value(n, t);
  else if (t.kind != Kind::rule || !by_rule(n, t, k)) {
    if (t.kind == Kind::linear) by_linearity(n, t, k);
    else if (t.kind == Kind::curved) by_curvature(n, t, k);
    else if (t.kind == Kind::slope) by_slope(n, t, k);
  }
  t.known = std::max(t.known, k);
  for (auto& s : t.series) s.resize(std::max(s.size(), static_cast<size_t>(t.known) + 1));
  t.busy = false;
}

// The node itself. Only what depends on a rate has directions in its values; where the rate is itself a sum, the rest
// is summed too.
void JetTerms::value(const Node& n, Term& t) {
  Values in;
  std::vector<int> axes, out_axes(n.types.size(), -1);
  for (const Value& v : n.in) {
    Coefficient c = at(v, 0);
    if (series_.directions > 0 && t.top == 0) c = collapsed(c);
    in.push_back(c.value), axes.push_back(c.directional ? 0 : -1);
  }
  const bool plain = std::ranges::all_of(axes, [](int a) { return a < 0; });
  const Values out = !plain    ? (*n.op->batch)(b_, n, in, axes, series_.directions, out_axes, tf_)
                     : t.named ? b_.copy(*t.named, std::move(in))
                               : b_.repeat(n, std::move(in));
  for (size_t i = 0; i < out.size(); ++i)
    t.series[i] = {{out_axes[i] > 0 ? b_.move_axis(out[i], out_axes[i], 0) : out[i], out_axes[i] >= 0}};
}

void JetTerms::rate(Term& t, int64_t k) {
  Coefficient c = at(t.base, k + 1);
  if (!c && k == 0) {
    Type type = t.base.type();
    c.directional = series_.directions > 0 && t.top > 0;
    if (c.directional) type.shape = inserted(type.shape, 0, series_.directions);
    c.value = b_.full(type, 0);
  }
  if (c && k > 0) c.value = b_.scale(c.value, static_cast<double>(k + 1));
  t.series[0].push_back(c);
}

bool JetTerms::by_rule(const Node& n, Term& t, int64_t k) {
  JetTermSite site(*this, n, t, k);
  if (n.op->jet(site)) return true;
  Mask tangents;
  for (const Value& v : n.in) tangents.push_back(is_active(v));
  t.tangent = &tangent_of(n, tangents);
  t.active = t.tangent->has;
  if (t.tangent->f) settle(n, t);
  else t.kind = Kind::still;
  return false;
}

Coefficient JetTerms::collapsed(const Coefficient& c) {
  return c.directional ? Coefficient{b_.reduce_sum(c.value, {0})} : c;
}

// f over the arguments kept, with an axis of directions where one of them has it. axes: of the results, -1 for none.
Values JetTerms::run_batched(const Body& f, const Mask& kept, const std::vector<Coefficient>& args,
                             std::vector<int>& axes) {
  Values values;
  std::vector<int> in_axes;
  for (size_t i = 0; i < kept.size(); ++i)
    if (kept[i]) values.push_back(args[i].value), in_axes.push_back(args[i].directional ? 0 : -1);
  const auto [body, out_axes] = tf_.batch(f, in_axes, series_.directions, Mask(f->outputs().size(), false));
  axes = out_axes;
  return b_.inline_call(*body, values);
}

// J(x₀, xₖ).
void JetTerms::by_linearity(const Node& n, Term& t, int64_t k) {
  const bool summed = series_.directions > 0 && k == t.top;
  std::vector<Coefficient> args;
  Values tangents;
  Mask given;
  for (const Value& v : n.in) {
    Coefficient c = at(v, k);
    if (summed && c) c = collapsed(c);
    given.push_back(bool(c)), tangents.push_back(c.value);
    if (c) args.push_back(c);
  }
  if (args.empty()) return;
  std::vector<Coefficient> all;
  for (const Value& v : n.in) all.push_back(at(v, 0));
  for (const Value& v : n.outs()) all.push_back(at(v, 0));
  all.insert(all.end(), args.begin(), args.end());
  if (std::ranges::none_of(all, &Coefficient::directional)) {
    const Values out = plain_tangents(n, tangents);
    for (size_t i = 0; i < t.series.size(); ++i)
      if (t.active[i]) t.series[i].push_back({out[i]});
    return;
  }
  const Tangent& tangent = tangent_of(n, given);
  if (!tangent.f) return;
  std::vector<int> axes;
  const Values out = run_batched(tangent.f, tangent.kept, all, axes);
  for (size_t i = 0, next = 0; i < t.series.size(); ++i) {
    if (!tangent.has[i]) continue;
    const int axis = axes[next];
    const Value v = out[next++];
    if (summed && axis >= 0) throw internal_error("[jet] {} is linear, but not in its directions", n.op->name);
    t.series[i].push_back({axis > 0 ? b_.move_axis(v, axis, 0) : v, axis >= 0});
  }
}

Values JetTerms::plain_tangents(const Node& n, Ins tangents) {
  Values in, out;
  for (const Value& v : n.in) in.push_back(at(v, 0).value);
  for (const Value& v : n.outs()) out.push_back(at(v, 0).value);
  return (*n.op->jvp)(b_, n, in, out, tangents, tf_);
}

void JetTerms::by_slope(const Node&, Term& t, int64_t k) {
  for (size_t i = 0; i < t.series.size(); ++i) {
    if (!t.slope[i]) continue;
    Terms one(b_, series_.directions, series_.directions > 0 && k == t.top);
    one.add(at(t.slope[i], k - 1));
    Coefficient c = one.total();
    if (c && k > 1) c.value = b_.scale(c.value, 1 / static_cast<double>(k));
    t.series[i].push_back(c);
  }
}

// y₁ = f'·x₁ and Σ y₂ = f'·Σ x₂ + f''/2 · Σ x₁².
void JetTerms::by_curvature(const Node& n, Term& t, int64_t k) {
  const auto operand =
      static_cast<size_t>(std::ranges::find_if(n.in, [&](Value v) { return is_active(v); }) - n.in.begin());
  if (!t.derivatives[0]) differentiate_twice(n, t, operand);
  const Value x = n.in[operand];
  const Coefficient c = at(x, k);
  const auto times = [&](const Coefficient& v, Value slope) {
    if (!v) return v;
    const Value wide = v.directional ? spread_over(b_, {slope}, series_.directions) : slope;
    return Coefficient{b_.mul_no_nan(v.value, wide), v.directional};
  };
  if (k == 1) {
    t.series[0].push_back(times(c, t.derivatives[0]));
    return;
  }
  Terms sum(b_, series_.directions, true);
  sum.add(times(c, t.derivatives[0]));
  if (const Coefficient first = at(x, 1)) {
    Value& squares = squares_[x];
    if (!squares) squares = b_.reduce_sum(b_.square(first.value), {0});
    sum.add({b_.scale(b_.mul_no_nan(squares, t.derivatives[1]), 0.5)});
  }
  t.series[0].push_back(sum.total());
}

void JetTerms::differentiate_twice(const Node& n, Term& t, size_t operand) {
  Build b("slope");
  b.at(n.where);
  Values all, kept;
  for (const Value& v : n.in) all.push_back(b.parameter(v.type()));
  all.push_back(b.repeat(n, all).front());
  all.push_back(b.one(all[operand]));
  for (size_t i = 0; i < all.size(); ++i)
    if (t.tangent->kept[i]) kept.push_back(all[i]);
  const Body slope = b.finish(b.inline_call(*t.tangent->f, kept));
  Mask moving(n.in.size(), false);
  moving[operand] = true;
  const Body both = tf_.jvp(slope, moving, {true}).first;
  Values args;
  for (const Value& v : n.in) args.push_back(at(v, 0).value);
  args.push_back(b_.one(args[operand]));
  const Values out = b_.inline_call(*both, args);
  t.derivatives = {out[0], out[1]};
}

}  // namespace viva
