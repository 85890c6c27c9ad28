#include "laws/jets.h"

#include <algorithm>
#include <cmath>

#include "graph/build.h"
#include "graph/dims.h"
#include "graph/verify.h"
#include "interpret/interpret.h"
#include "transform/pipeline.h"
#include "transform/transform.h"

namespace viva::laws {
namespace {

Arrays joined(Arrays a, const Arrays& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Arrays run(const Body& f, const Arrays& args) {
  verify(*f);
  return interpret(*f, args);
}

size_t moving_outputs(const Function& f) {
  size_t n = 0;
  for (const Type& t : f.output_types()) n += has_tangent(t.dtype);
  return n;
}

// f(x + t·v₁ + t²/2!·v₂ + …) of the parameters of f, those of the series given, and t, a number for each dtype: the
// floats' derivative in t is a series' own.
struct Curve {
  Body f;
  Mask number;  // the parameters t
};
Curve curve_of(const Function& f, const Mask& active, int64_t order, const Mask& terms) {
  Build b(f.name() + ".curve");
  Values x, series, all;
  for (const Value& p : f.params()) x.push_back(b.parameter(p.type()));
  for (size_t i = 0; i < x.size(); ++i)
    for (int64_t k = 0; active[i] && k < order; ++k)
      if (terms[static_cast<size_t>(k)]) series.push_back(b.parameter(x[i].type()));
  const size_t before = x.size() + series.size();
  Values at = x, numbers;
  for (size_t i = 0; i < x.size(); ++i)
    if (active[i]) numbers.push_back(b.parameter({x[i].dtype(), {}}));
  size_t next = 0;
  for (size_t i = 0, number = 0; i < x.size(); ++i) {
    if (!active[i]) continue;
    const Value t = b.broadcast(numbers[number++], x[i].shape(), {});
    Value power = t;
    double factorial = 1;
    for (int64_t k = 1; k <= order; ++k, power = b.mul(power, t)) {
      factorial *= static_cast<double>(k);
      if (terms[static_cast<size_t>(k - 1)]) at[i] = b.add(at[i], b.mul(b.scale(power, 1 / factorial), series[next++]));
    }
  }
  Curve c{b.finish(b.inline_call(f, at)), Mask(before, false)};
  c.number.resize(before + numbers.size(), true);
  return c;
}

// The float outputs' derivatives of order 1 to `order` in t, by nesting; output after output.
Arrays nested(const Function& f, const Arrays& args, const Arrays& series, const Mask& active, int64_t order,
              const Mask& terms) {
  const Curve curve = curve_of(f, active, order, terms);
  Arrays all = joined(args, series), ones;
  for (size_t i = 0; i < active.size(); ++i)
    if (active[i]) {
      all.push_back(Array::full({args[i].dtype(), {}}, 0));
      ones.push_back(Array::full({args[i].dtype(), {}}, 1));
    }
  Body g = curve.f;
  Mask number = curve.number;
  std::vector<Arrays> each(moving_outputs(f));
  for (int64_t k = 1; k <= order; ++k) {
    const Body d = jvp(g, number);
    // Tangents of the last derivatives alone.
    Build b("derivative");
    Values in, out;
    for (size_t i = 0; i < number.size(); ++i) in.push_back(b.parameter(d->params()[i].type()));
    Values with = in;
    for (size_t i = number.size(); i < d->params().size(); ++i) with.push_back(b.full(d->params()[i].type(), 1));
    const Values made = b.inline_call(*d, with);
    for (size_t i = g->outputs().size(); i < made.size(); ++i) out.push_back(made[i]);
    g = b.finish(std::move(out));
    const Arrays values = run(g, all);
    for (size_t i = 0; i < each.size(); ++i) each[i].push_back(values[i]);
  }
  Arrays r;
  for (const Arrays& a : each) r = joined(r, a);
  return r;
}

Arrays tail(const Arrays& a, size_t from) { return {a.begin() + static_cast<int64_t>(from), a.end()}; }

bool fits(Dtype d) { return has_tangent(d) && size_of(d) > 2; }

Mask active_of(const Function& f) {
  Mask m;
  for (const Type& t : f.param_types()) m.push_back(fits(t.dtype));
  return m;
}

double tolerance_of(const Case& c, double fine) {
  const auto doubles = [](const Type& t) { return !has_tangent(t.dtype) || is_double(t.dtype); };
  return std::ranges::all_of(c.f->param_types(), doubles) && std::ranges::all_of(c.f->output_types(), doubles) ? fine
         : std::ranges::all_of(c.f->output_types(),
                               [](const Type& t) { return size_of(t.dtype) > 2 || !has_tangent(t.dtype); })
             ? 2e-4
             : 0.1;
}

// Close in relation to the greatest number of each result: derivatives grow with their order.
Report close_in_scale(const Arrays& a, const Arrays& b, double tolerance) {
  if (a.size() != b.size()) return fmt::format("{} results against {}", a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].type() != b[i].type())
      return fmt::format("result {}: {} against {}", i, to_string(a[i].type()), to_string(b[i].type()));
    const Array p = reals(a[i]), q = reals(b[i]);
    double size = 1;
    for (int64_t k = 0; k < q.size(); ++k)
      if (std::isfinite(q.at(k))) size = std::max(size, std::abs(q.at(k)));
    for (int64_t k = 0; k < p.size(); ++k) {
      const double x = p.at(k), y = q.at(k);
      if (x == y || (std::isnan(x) && std::isnan(y)) || std::abs(x - y) <= tolerance * size) continue;
      return fmt::format("result {} element {}: {} against {}", i, k, x, y);
    }
  }
  return "";
}

}  // namespace

bool differentiable_case(const Case& c) {
  return has(active_of(*c.f)) &&
         std::ranges::any_of(c.f->output_types(), [](const Type& t) { return has_tangent(t.dtype); });
}

Report jet_is_nested_jvp(const Case& c, int64_t order, uint32_t seed, const Mask& terms) {
  const Mask active = active_of(*c.f), some = terms.empty() ? Mask(static_cast<size_t>(order), true) : terms;
  Mask given;
  Arrays series;
  for (size_t i = 0; i < active.size(); ++i)
    for (size_t k = 0; k < some.size(); ++k) {
      given.push_back(active[i] && some[k]);
      if (given.back()) series.push_back(direction(c.args[i].type(), seed + 31 * static_cast<uint32_t>(given.size())));
    }
  const Arrays got = run(jet(c.f, given, order), joined(c.args, series));
  if (Report r = close(Arrays(got.begin(), got.begin() + static_cast<int64_t>(c.f->outputs().size())),
                       interpret(*c.f, c.args), tolerance_of(c, 1e-12));
      !r.empty())
    return "value " + r;
  return close_in_scale(tail(got, c.f->outputs().size()), nested(*c.f, c.args, series, active, order, some),
                        tolerance_of(c, 1e-9));
}

Report collapsed_is_sum(const Case& c, int64_t order, uint32_t seed) {
  constexpr int64_t directions = 3;
  const Mask active = active_of(*c.f);
  Mask given(active.size() * static_cast<size_t>(order), false);
  for (size_t i = 0; i < active.size(); ++i) given[i * static_cast<size_t>(order)] = active[i];
  const Body one = jet(c.f, given, order);
  std::vector<int> axes;
  Arrays args = c.args;
  for (size_t i = 0; i < active.size(); ++i) axes.push_back(-1);
  for (size_t i = 0; i < active.size(); ++i) {
    if (!active[i]) continue;
    Type t = c.args[i].type();
    t.shape.insert(t.shape.begin(), directions);
    args.push_back(direction(t, seed + static_cast<uint32_t>(i)));
    axes.push_back(0);
  }
  const Arrays each = run(vmap(one, axes, directions), args);
  const Arrays got = run(collapsed_jet(c.f, active, order, directions), args);
  const size_t n = c.f->outputs().size();
  if (got.size() != n + moving_outputs(*c.f)) return "outputs are missing";
  Arrays sums;
  for (size_t i = n; i < got.size(); ++i) {
    const Array& a = each[n + (i - n + 1) * static_cast<size_t>(order) - 1];
    Build b("sum");
    sums.push_back(run(b.finish({b.reduce_sum(b.parameter(a.type()), {0})}), Arrays{a})[0]);
  }
  return close_in_scale(tail(got, n), sums, tolerance_of(c, 1e-10));
}

Report laplacian_is_trace(const Case& c) {
  Mask active(c.args.size(), false);
  for (size_t i = 0; i < active.size(); ++i) active[i] = c.args[i].dtype() == Dtype::float64 && c.args[i].size() <= 6;
  if (!has(active)) return "";
  const Arrays got = run(laplacian(c.f, active), c.args);
  Mask given(2 * active.size(), false);
  for (size_t i = 0; i < active.size(); ++i) given[2 * i] = active[i];
  const Body one = jet(c.f, given, 2);
  const size_t n = c.f->outputs().size(), m = moving_outputs(*c.f);
  Arrays sums;
  for (size_t i = 0; i < m; ++i) sums.push_back(Array::zeros(got[n + i].type()));
  for (size_t i = 0; i < active.size(); ++i)
    for (int64_t e = 0; active[i] && e < c.args[i].size(); ++e) {
      Arrays v;
      for (size_t k = 0; k < active.size(); ++k)
        if (active[k]) v.push_back(Array::zeros(c.args[k].type()));
      const auto place =
          static_cast<size_t>(std::count(active.begin(), active.begin() + static_cast<int64_t>(i), true));
      v[place].as_mutable<double>()[static_cast<size_t>(e)] = 1;
      const Arrays second = interpret(*one, joined(c.args, v));
      for (size_t o = 0; o < m; ++o) {
        Build b("sum");
        const Value x = b.parameter(sums[o].type()), y = b.parameter(sums[o].type());
        sums[o] = interpret(*b.finish({b.add(x, y)}), Arrays{sums[o], second[n + 2 * o + 1]})[0];
      }
    }
  return close_in_scale(tail(got, n), sums, tolerance_of(c, 1e-10));
}

namespace {

Values parameters(Build& b, const Function& f) {
  Values v;
  for (const Type& t : f.param_types()) v.push_back(b.parameter(t));
  return v;
}

// Two steps of which each gives the outputs of f anew, and a count.
Body looping(const Case& c, bool counted) {
  Build step("step"), again("again"), b("loop");
  const Type number{Dtype::int32, {}};
  const auto loop_parameters = [&](Build& to) {
    Values v = parameters(to, *c.f);
    v.push_back(to.parameter(number));
    for (const Type& t : c.f->output_types()) v.push_back(to.parameter(t));
    return v;
  };
  const size_t n = c.f->params().size();
  const Values in = loop_parameters(step), asked = loop_parameters(again);
  Values next = step.inline_call(*c.f, std::span(in).first(n));
  next.insert(next.begin(), step.add(in[n], step.one(in[n])));
  const Body f = step.finish(std::move(next));
  Values args = parameters(b, *c.f);
  args.push_back(b.full(number, 0));
  for (const Type& t : c.f->output_types()) args.push_back(b.full(t, 0));
  const auto consts = static_cast<int64_t>(n), carries = static_cast<int64_t>(args.size()) - consts;
  Values out = counted
                   ? b.emit("scan", args,
                            {{"consts", consts}, {"carries", carries}, {"length", int64_t{2}}, {"reverse", false}}, {f})
                   : b.emit("while", args, {{"consts", consts}, {"max_steps", int64_t{0}}},
                            {again.finish({again.compare(Direction::lt, asked[n], again.full(number, 2))}), f});
  out.erase(out.begin());
  return b.finish(std::move(out));
}

}  // namespace

std::vector<std::pair<std::string, Case>> inside_structures(const Case& c) {
  Build called("called"), chosen("chosen"), other("other");
  const Values a = parameters(called, *c.f), p = parameters(chosen, *c.f), q = parameters(other, *c.f);
  Values zeros;
  for (const Type& t : c.f->output_types()) zeros.push_back(other.full(t, 0));
  const Body none = other.finish(std::move(zeros));
  Values in{chosen.full({Dtype::boolean, {}}, 1)};
  in.insert(in.end(), p.begin(), p.end());
  return {{"call", {called.finish(called.call(c.f, a, "recompute")), c.args}},
          {"cond", {chosen.finish(chosen.emit("cond", in, {}, {c.f, none})), c.args}},
          {"scan", {looping(c, true), c.args}},
          {"while", {looping(c, false), c.args}}};
}

Case jet_case(const Case& c, uint32_t seed) {
  const Mask active = float_params(*c.f);
  if (!has(active) || moving_outputs(*c.f) == 0) return c;
  Mask given;
  for (const bool a : active) given.push_back(a), given.push_back(a && seed % 2 == 0);
  Arrays series;
  for (size_t i = 0; i < given.size(); ++i)
    if (given[i]) series.push_back(direction(c.args[i / 2].type(), seed + 31 * static_cast<uint32_t>(i)));
  return {jet(c.f, given, 2), joined(c.args, series)};
}

Case laplacian_case(const Case& c, uint32_t) {
  Mask active(c.args.size(), false);
  for (size_t i = 0; i < active.size(); ++i) active[i] = c.args[i].dtype() == Dtype::float64 && c.args[i].size() <= 6;
  if (!has(active) || moving_outputs(*c.f) == 0) return c;
  return {laplacian(c.f, active), c.args};
}

int64_t products_of(const Body& f) {
  int64_t n = 0;
  const Body simple = simplify(f);
  for (const Node& node : simple->nodes()) {
    if (!node.op) continue;
    const std::string_view name = node.op->name;
    if (name == "mul" || name == "mul_no_nan" || name == "square" || name == "div") n += numel(node.types[0].shape);
  }
  return n;
}

namespace {

// Pairs of an output place and a window place that meet an element: neither padding nor a hole of a dilation.
double meetings(const ConvDims& d, size_t i, int64_t extent, int64_t window, int64_t out) {
  int64_t n = 0;
  for (int64_t o = 0; o < out; ++o)
    for (int64_t k = 0; k < window; ++k) {
      const int64_t at = o * d.strides[i] + k * d.rhs_dilation[i] - d.pad_low[i];
      n += at >= 0 && at % d.lhs_dilation[i] == 0 && at / d.lhs_dilation[i] < extent;
    }
  return static_cast<double>(n);
}

// Two for each product of elements; 0 where the node is no contraction.
double contraction_flops(const Node& n) {
  double flops = 2;
  if (n.op->name == "dot_general") {
    for (const int64_t dim : DotDims::from(n.attrs).lhs_contract) flops *= static_cast<double>(n.in[0].dim(dim));
    return flops * static_cast<double>(numel(n.types[0].shape));
  }
  if (n.op->name != "conv_general") return 0;
  const ConvDims d = ConvDims::from(n.attrs);
  const Shape& out = n.types[0].shape;
  for (size_t i = 0; i < d.spatial(); ++i)
    flops *= meetings(d, i, n.in[0].dim(d.lhs_spec[i + 2]), n.in[1].dim(d.rhs_spec[i + 2]),
                      out[static_cast<size_t>(d.out_spec[i + 2])]);
  flops *= static_cast<double>(out[static_cast<size_t>(d.out_spec[0])] * out[static_cast<size_t>(d.out_spec[1])]);
  return flops * static_cast<double>(n.in[1].dim(d.rhs_spec[1]));
}

double contractions_in(const Function& f) {
  double flops = 0;
  for (const Node& n : f.nodes()) {
    if (!n.op) continue;
    flops += contraction_flops(n);
    double inside = 0;
    for (const Body& b : n.bodies) inside = std::max(inside, contractions_in(*b));
    flops += inside * static_cast<double>(n.op->name == "scan" ? n.attrs.integer("length") : 1);
  }
  return flops;
}

}  // namespace

double contractions_of(const Body& f) { return contractions_in(*simplify(f)); }

double flops_of(const Body& f) {
  double n = 0;
  const Body simple = simplify(f);
  for (const Node& node : simple->nodes()) {
    if (!node.op || !has_tangent(node.types[0].dtype)) continue;
    const auto elements = static_cast<double>(numel(node.types[0].shape));
    n += contraction_flops(node);
    if (node.op->family == "reduction") n += static_cast<double>(numel(node.in[0].shape()));
    else if (node.op->family == "pointwise" && node.op->name != "convert" && node.op->name != "select") n += elements;
  }
  return n;
}

}  // namespace viva::laws
