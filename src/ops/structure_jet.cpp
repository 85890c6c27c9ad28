// Series through functions: call, cond, scan and while take the jets of the functions that they hold. A jet has the
// coefficients last; scan and while need them beside their values.
#include <array>

#include "graph/prune.h"
#include "ops/scan.h"
#include "ops/series.h"
#include "ops/while.h"

namespace viva {
namespace {

using Counts = std::vector<size_t>;

// How many coefficients each of these has.
Counts counts_of(const Mask& marks, int64_t order) {
  const auto each = static_cast<size_t>(order);
  Counts c;
  for (size_t at = 0; at < marks.size(); at += each) c.push_back(marked(marks, at, each));
  return c;
}

size_t total(const Counts& c, size_t from, size_t count) {
  size_t sum = 0;
  for (size_t i = from; i < from + count; ++i) sum += c[i];
  return sum;
}

// The places of groups of values in a jet, each group followed by its coefficients.
std::vector<size_t> beside(const Counts& counts, std::initializer_list<size_t> groups) {
  std::vector<size_t> places;
  size_t value = 0, coefficient = counts.size();
  for (const size_t count : groups) {
    const size_t own = total(counts, value, count);
    add_places(places, value, count), add_places(places, coefficient, own);
    value += count, coefficient += own;
  }
  return places;
}

// Coefficient k of an operand, zero where it has none; a type's for an array that is walked.
Value coefficient(JetSite& s, size_t operand, int64_t k) {
  const bool along = s.series.directional(k);
  const Value x = s.in(operand, 0).value;
  if (const Coefficient c = s.in(operand, k)) return along ? spread_over(s.b, c, s.series.directions) : c.value;
  Type t = x.type();
  if (along) t.shape = inserted(t.shape, 0, s.series.directions);
  return s.b.full(t, 0);
}

// All coefficients of an operand that are marked, in order.
Values coefficients(JetSite& s, size_t operand, const Mask& marks) {
  Values r;
  for (int64_t k = 1; k <= s.series.order; ++k)
    if (marks[operand * static_cast<size_t>(s.series.order) + static_cast<size_t>(k - 1)])
      r.push_back(coefficient(s, operand, k));
  return r;
}

void require_values(JetSite& s) {
  for (size_t i = 0; i < s.node.in.size(); ++i)
    if (s.in(i, 0).directional)
      throw unsupported("[jet] {} inside a derivative along several directions", s.node.op->name);
}

// Sets the coefficients marked of each output from values that stand in that order.
void set_all(JetSite& s, const Mask& has, Ins values) {
  const auto order = static_cast<size_t>(s.series.order);
  for (size_t i = 0, next = 0; i < has.size(); ++i)
    if (has[i]) {
      const auto k = static_cast<int64_t>(i % order) + 1;
      s.set(i / order, k, {values[next++], s.series.directional(k)});
    }
  s.finish();
}

void set_values(JetSite& s, Ins values) {
  for (size_t i = 0; i < values.size(); ++i) s.set(i, 0, {values[i]});
}

Values values_of(JetSite& s) {
  Values v;
  for (size_t i = 0; i < s.node.in.size(); ++i) v.push_back(s.in(i, 0).value);
  return v;
}

Mask none(size_t outputs, const JetSite& s) { return Mask(outputs * static_cast<size_t>(s.series.order), false); }

// The marks of operands, those of carries grown until the function keeps to them.
Mask with_carried(JetSite& s, const Body& f, Mask present, size_t consts, size_t carries) {
  const auto order = static_cast<size_t>(s.series.order);
  for (bool more = true; more;) {
    more = false;
    const Mask has = s.transforms.jet(f, s.series, present, none(f->outputs().size(), s)).second;
    for (size_t i = 0; i < carries * order; ++i)
      if (has[i] && !present[consts * order + i]) present[consts * order + i] = more = true;
  }
  return present;
}

}  // namespace

bool call_jet(JetSite& s) {
  require_values(s);
  const size_t outputs = s.node.types.size();
  const Mask present = present_coefficients(s);
  const auto [f, has] = s.transforms.jet(s.node.bodies[0], s.series, present, none(outputs, s));
  Values args = values_of(s);
  for (size_t i = 0; i < s.node.in.size(); ++i) append<Value>(args, coefficients(s, i, present));
  const Values out = s.b.emit(*s.node.op, std::move(args), s.node.attrs, {f});
  set_values(s, std::span(out).first(outputs));
  set_all(s, has, std::span(out).subspan(outputs));
  return true;
}

// A coefficient that one of the functions has the other gives as zero.
bool cond_jet(JetSite& s) {
  require_values(s);
  const size_t outputs = s.node.types.size();
  const Mask all = present_coefficients(s), present(all.begin() + s.series.order, all.end());
  Mask has = none(outputs, s);
  for (const Body& f : s.node.bodies) {
    const Mask own = s.transforms.jet(f, s.series, present, none(outputs, s)).second;
    for (size_t i = 0; i < has.size(); ++i) has[i] = has[i] || own[i];
  }
  Values args = values_of(s);
  for (size_t i = 1; i < s.node.in.size(); ++i) append<Value>(args, coefficients(s, i, all));
  std::vector<Body> functions;
  for (const Body& f : s.node.bodies) functions.push_back(s.transforms.jet(f, s.series, present, has).first);
  const Values out = s.b.emit(*s.node.op, std::move(args), s.node.attrs, std::move(functions));
  set_values(s, std::span(out).first(outputs));
  set_all(s, has, std::span(out).subspan(outputs));
  return true;
}

bool scan_jet(JetSite& s) {
  require_values(s);
  const Scan scan = Scan::of(s.node);
  const Body& body = s.node.bodies[0];
  const Mask present = with_carried(s, body, present_coefficients(s), scan.consts, scan.carries);
  Mask force = none(scan.outputs(), s);
  const auto order = static_cast<size_t>(s.series.order);
  std::copy_n(present.begin() + static_cast<int64_t>(scan.consts * order), scan.carries * order, force.begin());
  const auto [f, has] = s.transforms.jet(body, s.series, present, force);
  const Counts in = counts_of(present, s.series.order), out_counts = counts_of(has, s.series.order);
  std::array<Values, 3> args;
  size_t operand = 0;
  for (size_t group = 0; const size_t count : {scan.consts, scan.carries, scan.xs}) {
    for (size_t i = operand; i < operand + count; ++i) args[group].push_back(s.in(i, 0).value);
    for (size_t i = operand; i < operand + count; ++i)
      for (int64_t k = 1; k <= s.series.order; ++k) {
        if (!present[i * order + static_cast<size_t>(k - 1)]) continue;
        const Value c = coefficient(s, i, k);
        args[group].push_back(group == 2 && s.series.directional(k) ? s.b.move_axis(c, 0, 1) : c);
      }
    operand += count, ++group;
  }
  const Body step =
      rearranged(f, beside(in, {scan.consts, scan.carries, scan.xs}), beside(out_counts, {scan.carries, scan.ys}));
  const Values out = emit_scan(s.b, scan, args[0], args[1], args[2], step);
  const size_t carried = total(out_counts, 0, scan.carries);
  const std::span<const Value> all(out);
  Values values(out.begin(), out.begin() + static_cast<int64_t>(scan.carries)), series;
  append<Value>(values, all.subspan(scan.carries + carried, scan.ys));
  append<Value>(series, all.subspan(scan.carries, carried));
  append<Value>(series, all.subspan(scan.carries + carried + scan.ys));
  for (size_t i = 0, next = 0; i < has.size(); ++i) {
    if (!has[i]) continue;
    const bool along = s.series.directional(static_cast<int64_t>(i % order) + 1);
    if (i >= scan.carries * order && along) series[next] = s.b.move_axis(series[next], 1, 0);
    ++next;
  }
  set_values(s, values);
  set_all(s, has, series);
  return true;
}

bool while_jet(JetSite& s) {
  require_values(s);
  const While w = While::of(s.node);
  const Mask present = with_carried(s, s.node.bodies[1], present_coefficients(s), w.consts, w.carries);
  const auto order = static_cast<size_t>(s.series.order);
  const Mask force(present.begin() + static_cast<int64_t>(w.consts * order), present.end());
  const auto [f, has] = s.transforms.jet(s.node.bodies[1], s.series, present, force);
  const Counts in = counts_of(present, s.series.order), out_counts = counts_of(has, s.series.order);
  std::array<Values, 2> args;
  for (size_t i = 0; i < w.inputs(); ++i) args[i < w.consts ? 0 : 1].push_back(s.in(i, 0).value);
  for (size_t i = 0; i < w.inputs(); ++i) append<Value>(args[i < w.consts ? 0 : 1], coefficients(s, i, present));
  std::vector<size_t> primal;
  add_places(primal, 0, w.consts), add_places(primal, args[0].size(), w.carries);
  Values all = args[0];
  append<Value>(all, args[1]);
  const Values out = emit_while(s.b, w.max_steps, args[0], args[1], over(s.node.bodies[0], types_of(all), primal),
                                rearranged(f, beside(in, {w.consts, w.carries}), beside(out_counts, {w.carries})));
  set_values(s, std::span(out).first(w.carries));
  set_all(s, has, std::span(out).subspan(w.carries));
  return true;
}

}  // namespace viva
