// call and barrier.
#include <algorithm>
#include <array>
#include <cstring>

#include "graph/prune.h"
#include "loops/lowered.h"
#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/checkpoint.h"
#include "ops/structure.h"

namespace viva {
namespace {

// call

const std::string& policy_of(const Node& n) { return n.attrs.text("policy"); }
bool recomputes(const Node& n) { return policy_of(n) != "save"; }

Values call_like(Build& b, const Node& n, const Body& f, Values in) {
  return b.emit(*n.op, std::move(in), n.attrs, {f});
}

std::vector<Type> call_infer(const Infer::Site& s) {
  require(s.bodies.size() == 1, "holds {} functions, not one", s.bodies.size());
  const std::string wrong = why_no_policy(s.attrs.text("policy"));
  require(wrong.empty(), "{}", wrong);
  const Function& f = *s.bodies[0];
  require_parameters(f, s.in);
  return f.output_types();
}

// A call whose inputs are saved instead of its residuals stays whole until derivatives have been taken.
bool call_inlines(const Node& n) { return !recomputes(n); }

std::vector<Array> call_eval(const Node& n, std::span<const Array> in, Evaluator& e) {
  return e.call(*n.bodies[0], in);
}

Values call_jvp(Build& b, const Node& n, Ins in, Ins, Ins t, Transforms& tf) {
  const size_t outputs = n.types.size();
  const auto [f, has] = tf.jvp(n.bodies[0], present(t), Mask(outputs, false));
  Values args(in.begin(), in.end());
  append<Value>(args, only_present(t));
  const Values out = call_like(b, n, f, std::move(args));
  Values result(outputs);
  for (size_t i = 0, next = outputs; i < outputs; ++i)
    if (has[i]) result[i] = out[next++];
  result.insert(result.end(), out.begin(), out.begin() + static_cast<int64_t>(outputs));
  return result;
}

// save: the known part hands its residuals over. Else the unknown part gets the known inputs too, and runs it again.
void call_split(SplitSite& s, const Node& n, std::span<Value> out_known, std::span<Value> out_unknown, Transforms& tf) {
  const Mask known = present(s.in_known);
  if (all(known)) return plain_split(s, n, out_known, out_unknown, tf);
  const SplitBody parts = recomputes(n) ? tf.checkpoint(n.bodies[0], known, policy_of(n))
                                        : tf.split(n.bodies[0], known, Mask(n.types.size(), false));
  Values first, args, second;
  if (!parts.known->outputs().empty()) first = call_like(s.known, n, parts.known, only_present(s.in_known));
  if (recomputes(n))
    for (const Value& v : only_present(s.in_known)) args.push_back(s.residual(v));
  for (size_t i = first.size() - static_cast<size_t>(parts.residuals); i < first.size(); ++i)
    args.push_back(s.residual(first[i]));
  append<Value>(args, only_present(s.in_unknown));
  if (!parts.unknown->outputs().empty()) second = call_like(s.unknown, n, parts.unknown, std::move(args));
  for (size_t i = 0, k = 0, u = 0; i < n.types.size(); ++i)
    if (parts.out_known[i]) out_known[i] = first[k++];
    else out_unknown[i] = second[u++];
}

void call_transpose(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> r, Transforms& tf) {
  const Mask linear = inverted(present(in));
  Values args = only_present(in);
  append<Value>(args, only_present(ct));
  const Values out = call_like(b, n, tf.transpose(n.bodies[0], linear, present(ct)), std::move(args));
  for (size_t i = 0, next = 0; i < linear.size(); ++i)
    if (linear[i]) r[i] = out[next++];
}

Values call_batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
                  Transforms& tf) {
  const auto [f, axes] = tf.batch(n.bodies[0], {axis.begin(), axis.end()}, size, Mask(n.types.size(), false));
  std::ranges::copy(axes, out_axis.begin());
  return call_like(b, n, f, {in.begin(), in.end()});
}

Mask call_needs(const Node& n, const Mask& used) { return n.bodies[0]->dependence().needed_by(used); }

Values call_prune(Build& b, const Node& n, Ins in, const Mask& used, Pruner& pruner) {
  const Pruned p = pruner.prune(n.bodies[0], used, Mask(in.size(), true));
  Values args;
  for (size_t i = 0; i < in.size(); ++i)
    if (p.params[i]) args.push_back(in[i]);
  const Values kept = b.emit(*n.op, std::move(args), n.attrs, {p.body});
  Values out(used.size());
  for (size_t i = 0, next = 0; i < used.size(); ++i)
    if (used[i]) out[i] = kept[next++];
  return out;
}

std::vector<Sample> call_samples() {
  Build b("f");
  const Value x = b.parameter({Dtype::float64, {3}}, "x"), y = b.parameter({Dtype::float64, {3}}, "y");
  const Body f = b.finish({b.mul(x, b.sin(y)), b.add(x, x), b.exp(y)});
  std::vector<Sample> all;
  for (const char* policy : {"save", "recompute", "contractions"})
    all.push_back(
        {policy, {sample_floats({3}, -2, 2, 0), sample_floats({3}, -2, 2, 1)}, {{"policy", std::string(policy)}}, {f}});
  Build g("g");
  const Value u = g.parameter({Dtype::float64, {2}}, "u"), w = g.parameter({Dtype::float64, {2}}, "w");
  all.push_back({"linear",
                 {sample_floats({2}, -2, 2, 0), sample_floats({2}, -2, 2, 1)},
                 {{"policy", std::string("save")}},
                 {g.finish({g.mul(u, g.sin(w)), g.add(u, u)})},
                 {{true, false}}});
  return all;
}

// barrier

std::vector<Type> barrier_infer(const Infer::Site& s) {
  require(!s.in.empty(), "takes at least one operand");
  return {s.in.begin(), s.in.end()};
}

std::vector<Array> barrier_eval(const Node&, std::span<const Array> in, Evaluator&) { return {in.begin(), in.end()}; }

// A barrier over the values present, in their places.
Values barrier_over(Build& b, Ins values) {
  Values out(values.size());
  const Values passed = only_present(values).empty() ? Values{} : b.barrier(only_present(values));
  for (size_t i = 0, next = 0; i < values.size(); ++i)
    if (values[i]) out[i] = passed[next++];
  return out;
}

Values barrier_jvp(Build& b, const Node&, Ins, Ins, Ins t, Transforms&) { return barrier_over(b, t); }

void barrier_transpose(Build& b, const Node&, Ins in, Ins ct, std::span<Value> r, Transforms&) {
  const Values out = barrier_over(b, ct);
  for (size_t i = 0; i < in.size(); ++i)
    if (!in[i]) r[i] = out[i];
}

// Each operand keeps its own axis.
Values barrier_batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t, std::span<int> out_axis,
                     Transforms&) {
  std::ranges::copy(axis, out_axis.begin());
  return b.repeat(n, {in.begin(), in.end()});
}

Values barrier_prune(Build& b, const Node&, Ins in, const Mask& used, Pruner&) {
  Values kept(in.begin(), in.end());
  for (size_t i = 0; i < kept.size(); ++i)
    if (!used[i]) kept[i] = {};
  return barrier_over(b, kept);
}

Lowered barrier_lower(const Node& n) {
  if (n.in.size() == 1) {
    loops::Nest nest = loops::elementwise(n.types[0].shape, types_of(n.in));
    nest.store(nest.load(0));
    return {std::move(nest)};
  }
  std::vector<size_t> bytes;
  for (const Type& t : n.types) bytes.push_back(static_cast<size_t>(numel(t.shape) * size_of(t.dtype)));
  return {loops::Host{"barrier", [bytes](auto in, auto out, ThreadPool&) {
                        for (size_t i = 0; i < bytes.size(); ++i) std::memcpy(out[i], in[i], bytes[i]);
                      }}};
}

std::vector<Sample> barrier_samples() {
  return {
      {"two", {sample_floats({2}, -2, 2, 0), sample_floats({2, 3}, -2, 2, 1)}, {}, {}, {{true, true}, {true, false}}},
      {"one i32", {sample_ints({3}, -9, 9, 0)}, {}, {}}};
}

constexpr OpDef call_record = {
    .name = "call",
    .family = "structure",
    .doc =
        "another function's outputs; split under 'save' hands over residuals, under other policies the inputs and what "
        "they keep",
    .inlines = call_inlines,
    .needs = call_needs,
    .attributes = "policy",
    .infer = call_infer,
    .eval = call_eval,
    .jvp = call_jvp,
    .split = call_split,
    .transpose = call_transpose,
    .batch = call_batch,
    .lower = Absent{Reason::no_sound_form, "a function is no single loop nest: plans inline it"},
    .prune = call_prune,
    .bound = bounds::call,
    .jet = call_jet,
    .samples = call_samples};
constexpr OpDef barrier_record = {.name = "barrier",
                                  .family = "structure",
                                  .doc = "its operands; common sub-expressions are not shared across it",
                                  .shared = false,
                                  .infer = barrier_infer,
                                  .eval = barrier_eval,
                                  .jvp = barrier_jvp,
                                  .split = plain_split,
                                  .transpose = barrier_transpose,
                                  .batch = barrier_batch,
                                  .lower = barrier_lower,
                                  .prune = barrier_prune,
                                  .bound = bounds::barrier,
                                  .samples = barrier_samples};

constexpr std::array records = {
    &call_record,
    &barrier_record,
};

}  // namespace

constinit const OpList ops::structure = records;

}  // namespace viva
