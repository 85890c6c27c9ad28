// Which terms there are, and how the series of each is found.
#include "transform/jet_terms.h"

#include <algorithm>

#include "transform/jet_site.h"

namespace viva {
namespace {

bool any(const Mask& m) { return std::ranges::find(m, true) != m.end(); }

size_t key(const Node& n, Ins in) {
  size_t h = std::hash<const void*>()(n.op) ^ hash(n.attrs);
  for (const Value& v : in) h = h * 1000003 + ValueHash()(v);
  return h;
}

}  // namespace

JetTerms::JetTerms(Build& b, const Taylor& series, Transforms& tf, MissingRules& missing)
    : b_(b), shadow_("terms"), series_(series), tf_(tf), missing_(missing) {
  shadow_.at({});
}

Value JetTerms::given(const Type& type, std::vector<Coefficient> coefficients) {
  const Value v = shadow_.late_parameter(type);
  Term t;
  t.kind = Kind::given, t.settled = true;
  t.known = t.limit = series_.order;
  t.top = series_.order + (series_.directions > 0 && series_.summed ? 0 : 1);
  t.active = {std::any_of(coefficients.begin() + 1, coefficients.end(), [](const Coefficient& c) { return bool(c); })};
  t.series.push_back(std::move(coefficients));
  terms_.emplace(v.node(), std::move(t));
  return v;
}

Values JetTerms::node(const Node& n, Ins in) {
  shadow_.at(n.where);
  const Values out = place(n, {in.begin(), in.end()}, series_.order, &n);
  for (size_t i = 0; i < out.size(); ++i) {
    at(out[i], series_.order);
    b_.name_if_none(at(out[i], 0).value, n.names[i]);
  }
  return out;
}

Coefficient JetTerms::at(Value v, int64_t k) {
  Term& t = term(v);
  const auto port = static_cast<size_t>(v.port());
  const int64_t needed = t.active[port] ? k : 0;
  while (t.known < needed) advance(*v.node(), t);
  return k > needed || static_cast<size_t>(k) >= t.series[port].size() ? Coefficient{}
                                                                       : t.series[port][static_cast<size_t>(k)];
}

// The term that a node of the shadow stands for.
Value JetTerms::canonical(Value v, int64_t limit) {
  if (terms_.contains(v.node())) return v;
  if (const auto it = canonical_.find(v); it != canonical_.end()) return it->second;
  const Node& n = *v.node();
  Values in;
  for (const Value& i : n.in) in.push_back(canonical(i, limit));
  Values out;
  if (n.op->inlines && n.bodies.size() == 1 && n.op->inlines(n)) {
    for (const Value& o : shadow_.inline_call(*n.bodies[0], in)) out.push_back(canonical(o, limit));
  } else {
    out = place(n, std::move(in), limit, nullptr);
  }
  for (int i = 0; i < n.outputs(); ++i) canonical_[n.out(i)] = out[static_cast<size_t>(i)];
  return canonical_.at(v);
}

Values JetTerms::place(const Node& n, Values in, int64_t limit, const Node* named) {
  if (!named && n.op->simplify) {
    Values simpler = n.op->simplify(shadow_, n, in);
    for (Value& v : simpler) v = canonical(v, limit);
    if (!simpler.empty()) return simpler;
  }
  const bool shared = n.op->shared && n.bodies.empty();
  if (shared) {
    Values equal = found(n, in, limit);
    if (equal.empty() && n.op->commutes && in.size() == 2) equal = found(n, {in[1], in[0]}, limit);
    if (!equal.empty()) return equal;
  }
  Values out = made(n, in, limit, named);
  if (shared && !out.empty()) equal_.emplace(key(n, in), out[0].node());
  return out;
}

Values JetTerms::found(const Node& n, const Values& in, int64_t limit) {
  const auto [first, last] = equal_.equal_range(key(n, in));
  for (auto it = first; it != last; ++it) {
    const Node& e = *it->second;
    if (e.op != n.op || e.in != in || !same(e.attrs, n.attrs)) continue;
    Term& t = terms_.at(&e);
    t.limit = std::max(t.limit, limit);
    return e.outs();
  }
  return {};
}

Values JetTerms::made(const Node& n, const Values& in, int64_t limit, const Node* named) {
  if (n.types.empty()) return {};
  const Values out = shadow_.repeat(n, in);
  const Node& own = *out[0].node();
  Term t;
  t.limit = limit, t.named = named;
  t.series.resize(out.size());
  t.active.assign(out.size(), false);
  classify(own, t);
  terms_.emplace(&own, std::move(t));
  return out;
}

void JetTerms::classify(const Node& n, Term& t) {
  t.top = series_.order + 1;
  bool moves = false;
  Mask tangents;
  for (const Value& v : n.in) {
    tangents.push_back(is_active(v));
    if (!is_active(v)) continue;
    moves = true;
    t.top = std::min(t.top, term(v).top);
  }
  moves = moves && std::ranges::any_of(n.types, [](const Type& type) { return has_tangent(type.dtype); });
  if (moves && n.op->jet) {
    t.kind = Kind::rule, t.settled = true;
    for (size_t i = 0; i < t.active.size(); ++i) t.active[i] = has_tangent(n.types[i].dtype);
  } else if (moves && n.op->jvp) {
    t.tangent = &tangent_of(n, tangents);
    t.active = t.tangent->has;
    if (any(t.active)) t.kind = Kind::linear;
  } else if (moves) {
    const Absent& why = n.op->jvp.absent();
    if (why.reason != Reason::no_tangent && why.reason != Reason::integer_output) missing_.add(n, why);
  }
  if (t.kind == Kind::still) t.settled = true;
}

JetTerms::Tangent& JetTerms::tangent_of(const Node& n, const Mask& tangents) {
  const std::vector<Type> in = types_of(n.in);
  size_t h = std::hash<const void*>()(n.op) ^ hash(n.attrs);
  for (const bool t : tangents) h = h * 31 + t;
  const auto [first, last] = tangents_.equal_range(h);
  for (auto it = first; it != last; ++it) {
    Tangent& t = it->second;
    if (t.op == n.op && t.tangents == tangents && t.in == in && t.bodies == n.bodies && same(t.attrs, n.attrs))
      return t;
  }
  Tangent made{.op = n.op,
               .attrs = n.attrs,
               .bodies = n.bodies,
               .in = in,
               .tangents = tangents,
               .f = {},
               .kept = {},
               .has = Mask(n.types.size(), false)};
  differentiate(n, made);
  return tangents_.emplace(h, std::move(made))->second;
}

void JetTerms::differentiate(const Node& n, Tangent& tangent) {
  Build b("tangent");
  b.at({});
  Values in, out, t(n.in.size()), results;
  for (const Type& type : tangent.in) in.push_back(b.parameter(type));
  for (const Type& type : n.types) out.push_back(b.parameter(type));
  for (size_t i = 0; i < t.size(); ++i)
    if (tangent.tangents[i]) t[i] = b.parameter(tangent.in[i]);
  const Values all = (*n.op->jvp)(b, n, in, out, t, tf_);
  for (size_t i = 0; i < n.types.size(); ++i) {
    tangent.has[i] = bool(all[i]) && has_tangent(n.types[i].dtype);
    if (tangent.has[i]) results.push_back(all[i]);
  }
  if (results.empty()) return;
  const Mask every(results.size(), true);
  const Body f = b.finish(std::move(results));
  Pruned p = tf_.pruner.prune(f, every, Mask(f->params().size(), true));
  tangent.f = p.body, tangent.kept = p.params;
}

void JetTerms::settle(const Node& n, Term& t) {
  t.settled = true;
  t.kind = series_.order == 1 || is_linear(n, t) ? Kind::linear : is_curved(n, t) ? Kind::curved : Kind::slope;
  if (t.kind == Kind::slope) open_slope(n, t);
}

// Where the tangent has no tangent of its own along operands and outputs.
bool JetTerms::is_linear(const Node& n, const Term& t) {
  Tangent& tangent = *t.tangent;
  if (tangent.linear) return *tangent.linear;
  const size_t inputs = n.in.size();
  Mask moving;
  for (size_t i = 0; i < tangent.kept.size(); ++i)
    if (tangent.kept[i])
      moving.push_back(i < inputs ? tangent.tangents[i] : i < inputs + n.types.size() && tangent.has[i - inputs]);
  const Body& f = tangent.f;
  tangent.linear = !any(moving) || !any(tf_.jvp(f, moving, Mask(f->outputs().size(), false)).second);
  return *tangent.linear;
}

// A real function of one number each, whose two derivatives serve all directions.
bool JetTerms::is_curved(const Node& n, const Term& t) {
  if (series_.directions == 0 || !series_.summed || series_.order != 2 || t.top != 2) return false;
  if (n.op->family != "pointwise" || n.outputs() != 1 || !is_float(n.types[0].dtype)) return false;
  return std::ranges::count_if(n.in, [&](Value v) { return is_active(v); }) == 1 &&
         std::ranges::all_of(n.in, [&](Value v) { return !is_active(v) || v.type() == n.types[0]; });
}

void JetTerms::open_slope(const Node& n, Term& t) {
  shadow_.at(n.where);
  Values args;
  for (size_t i = 0; i < n.in.size() + n.types.size(); ++i)
    if (t.tangent->kept[i]) args.push_back(i < n.in.size() ? n.in[i] : n.out(static_cast<int>(i - n.in.size())));
  size_t at = n.in.size() + n.types.size();
  for (const Value& v : n.in)
    if (is_active(v) && t.tangent->kept[at++]) args.push_back(rate_of(v));
  const Values made = shadow_.inline_call(*t.tangent->f, args);
  t.slope.resize(n.types.size());
  for (size_t i = 0, next = 0; i < t.slope.size(); ++i)
    if (t.active[i]) t.slope[i] = canonical(made[next++], t.limit - 1);
}

Value JetTerms::rate_of(Value v) {
  if (const auto it = rates_.find(v); it != rates_.end()) return it->second;
  const Value r = shadow_.late_parameter(v.type());
  Term t;
  t.kind = Kind::rate, t.settled = true;
  t.base = v;
  t.limit = term(v).limit - 1, t.top = term(v).top - 1;
  t.active = {true};
  t.series.resize(1);
  terms_.emplace(r.node(), std::move(t));
  return rates_[v] = r;
}

}  // namespace viva
