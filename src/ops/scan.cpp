// scan: a function applied along the leading dimension of arrays, with values carried from step to step.
#include "ops/scan.h"

#include <array>
#include <cstring>

#include "graph/prune.h"
#include "ops/bounds.h"
#include "ops/catalog.h"

namespace viva {

Scan Scan::of(const Node& n) {
  Scan s;
  s.consts = static_cast<size_t>(n.attrs.integer("consts")),
  s.carries = static_cast<size_t>(n.attrs.integer("carries"));
  s.length = n.attrs.integer("length"), s.reverse = n.attrs.flag("reverse");
  s.xs = n.in.size() - s.consts - s.carries, s.ys = n.types.size() - s.carries;
  return s;
}

Attrs Scan::attrs() const {
  return {{"consts", static_cast<int64_t>(consts)},
          {"carries", static_cast<int64_t>(carries)},
          {"length", length},
          {"reverse", reverse}};
}

Values emit_scan(Build& b, Scan s, Ins consts, Ins carries, Ins xs, const Body& f) {
  s.consts = consts.size(), s.carries = carries.size();
  Values in(consts.begin(), consts.end());
  append<Value>(in, carries), append<Value>(in, xs);
  return b.emit("scan", std::move(in), s.attrs(), {f});
}

Scan::Pairs Scan::pairs(Build& b, const Node& n, Ins in, Ins second, const std::function<Value(Value)>& fill,
                        const Doubled& doubled) {
  const Scan s = of(n);
  Mask active = present(second);
  // Those carries too that get a second value on the way.
  for (bool more = true; more;) {
    more = false;
    const Mask has = doubled(active, Mask(s.outputs(), false)).second;
    for (size_t i = 0; i < s.carries; ++i)
      if (has[i] && !active[s.consts + i]) active[s.consts + i] = more = true;
  }
  Mask force(s.outputs(), false);
  for (size_t i = 0; i < s.carries; ++i) force[i] = active[s.consts + i];
  const auto [f, has] = doubled(active, force);
  // The function has them last; a scan has them beside their firsts.
  std::vector<size_t> params, outputs;
  std::array<Values, 3> args;
  size_t at = 0, at_second = s.inputs();
  for (size_t group = 0; const size_t count : {s.consts, s.carries, s.xs}) {
    const size_t seconds = marked(active, at, count);
    add_places(params, at, count), add_places(params, at_second, seconds);
    append<Value>(args[group], in.subspan(at, count));
    for (size_t i = at; i < at + count; ++i)
      if (active[i]) args[group].push_back(second[i] ? second[i] : fill(in[i]));
    at += count, at_second += seconds, ++group;
  }
  const size_t carried = marked(has, 0, s.carries), stacked = marked(has, s.carries, s.ys);
  add_places(outputs, 0, s.carries), add_places(outputs, s.outputs(), carried);
  add_places(outputs, s.carries, s.ys), add_places(outputs, s.outputs() + carried, stacked);
  const Values out = emit_scan(b, s, args[0], args[1], args[2], rearranged(f, params, outputs));
  Pairs r{{}, Values(s.outputs())};
  append<Value>(r.firsts, std::span(out).first(s.carries));
  append<Value>(r.firsts, std::span(out).subspan(s.carries + carried, s.ys));
  for (size_t i = 0, c = s.carries, y = s.carries + carried + s.ys; i < s.outputs(); ++i)
    if (has[i]) r.seconds[i] = out[i < s.carries ? c++ : y++];
  return r;
}

namespace {

Type element(Type t) {
  t.shape.erase(t.shape.begin());
  return t;
}

std::vector<Type> infer(const Infer::Site& s) {
  require(s.bodies.size() == 1, "holds {} functions, not one", s.bodies.size());
  const int64_t consts = s.attrs.integer("consts"), carries = s.attrs.integer("carries"), n = s.attrs.integer("length");
  s.attrs.flag("reverse");
  const auto given = static_cast<int64_t>(s.in.size());
  require(consts >= 0 && carries >= 0 && consts <= given && carries <= given - consts,
          "{} constants and {} carries of {} operands", consts, carries, given);
  require(n >= 0, "length {} is negative", n);
  const Function& f = *s.bodies[0];
  std::vector<Type> in(s.in.begin(), s.in.end());
  for (size_t i = static_cast<size_t>(consts + carries); i < in.size(); ++i) {
    require(in[i].rank() > 0 && in[i].shape[0] == n, "operand {} is {}: its leading dimension is not the length {}", i,
            spelled(in[i]), n);
    in[i] = element(in[i]);
  }
  require_parameters(f, in);
  std::vector<Type> out = f.output_types();
  require(static_cast<int64_t>(out.size()) >= carries, "{} gives {} values, fewer than {} carries", f.name(),
          out.size(), carries);
  for (size_t i = 0; i < out.size(); ++i) {
    const bool carry = static_cast<int64_t>(i) < carries;
    if (!carry) out[i].shape.insert(out[i].shape.begin(), n);
    else if (const Type& was = in[static_cast<size_t>(consts) + i]; out[i] != was)
      throw usage_error("carry {} goes in as {} and comes out as {}", i, to_string(was), to_string(out[i]));
  }
  for (const Type& t : out) numel(t.shape);
  return out;
}

// Step i of an array, without a copy.
Array step_of(const std::shared_ptr<const Array>& whole, int64_t i) {
  const Type t = element(whole->type());
  const int64_t bytes = numel(t.shape) * size_of(t.dtype);
  return Array::view(t, std::shared_ptr<const std::byte>(whole, whole->data() + i * bytes));
}

std::vector<Array> eval(const Node& n, std::span<const Array> in, Evaluator& e) {
  const Scan s = Scan::of(n);
  std::vector<Array> args(in.begin(), in.begin() + static_cast<int64_t>(s.consts + s.carries));
  std::vector<std::shared_ptr<const Array>> xs;
  for (const Array& x : in.subspan(s.consts + s.carries)) xs.push_back(std::make_shared<const Array>(x));
  std::vector<Array> out(s.carries);
  for (size_t y = s.carries; y < n.types.size(); ++y) out.push_back(Array::make(n.types[y]));
  for (int64_t k = 0; k < s.length; ++k) {
    const int64_t i = s.reverse ? s.length - 1 - k : k;
    args.resize(s.consts + s.carries);
    for (const auto& x : xs) args.push_back(step_of(x, i));
    std::vector<Array> made = e.call(*n.bodies[0], args);
    for (size_t y = s.carries; y < made.size(); ++y)
      if (const auto bytes = static_cast<size_t>(made[y].bytes()); bytes > 0)
        std::memcpy(out[y].mutable_data() + static_cast<size_t>(i) * bytes, made[y].data(), bytes);
    std::move(made.begin(), made.begin() + static_cast<int64_t>(s.carries),
              args.begin() + static_cast<int64_t>(s.consts));
  }
  std::copy_n(args.begin() + static_cast<int64_t>(s.consts), s.carries, out.begin());
  return out;
}

Values jvp(Build& b, const Node& n, Ins in, Ins, Ins t, Transforms& tf) {
  const auto transformed = [&](const Mask& active, const Mask& force) { return tf.jvp(n.bodies[0], active, force); };
  const Scan::Pairs r = Scan::pairs(b, n, in, t, [&](Value v) { return b.zero(v); }, transformed);
  Values result = r.seconds;
  append<Value>(result, r.firsts);
  return result;
}

Values batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
             Transforms& tf) {
  const Scan s = Scan::of(n);
  std::vector<int> axes;  // of the function's parameters
  for (size_t i = 0; i < s.inputs(); ++i) axes.push_back(axis[i] < 0 ? -1 : i < s.consts ? axis[i] : 0);
  Mask force(s.outputs(), false);
  for (bool more = true; more;) {
    more = false;
    for (size_t i = 0; i < s.carries; ++i) force[i] = axes[s.consts + i] >= 0;
    const std::vector<int> out = tf.batch(n.bodies[0], axes, size, force).second;
    for (size_t i = 0; i < s.carries; ++i)
      if (out[i] >= 0 && axes[s.consts + i] < 0) axes[s.consts + i] = 0, more = true;
  }
  const auto [f, out] = tf.batch(n.bodies[0], axes, size, force);
  std::array<Values, 3> args;
  for (size_t i = 0; i < s.inputs(); ++i) {
    if (i < s.consts) args[0].push_back(in[i]);
    else if (i < s.consts + s.carries) args[1].push_back(axes[i] < 0 ? in[i] : batched_front(b, in[i], axis[i], size));
    else args[2].push_back(axis[i] < 0 ? in[i] : b.move_axis(in[i], axis[i], 1));
  }
  for (size_t i = 0; i < s.outputs(); ++i) out_axis[i] = out[i] < 0 ? -1 : i < s.carries ? out[i] : out[i] + 1;
  return emit_scan(b, s, args[0], args[1], args[2], f);
}

// A carry lives where it is used in the end, or by what lives in the next step.
Mask living(const Scan& s, const Body& f, Mask live) {
  for (bool more = true; more;) {
    more = false;
    const Mask needed = f->dependence().needed_by(live);
    for (size_t i = 0; i < s.carries; ++i)
      if (needed[s.consts + i] && !live[i]) live[i] = more = true;
  }
  return live;
}

Mask needs(const Node& n, const Mask& used) {
  const Scan s = Scan::of(n);
  const Mask live = living(s, n.bodies[0], used);
  Mask needed = n.bodies[0]->dependence().needed_by(live);
  for (size_t i = 0; i < s.carries; ++i) needed[s.consts + i] = live[i];
  return needed;
}

Values prune(Build& b, const Node& n, Ins in, const Mask& used, Pruner& pruner) {
  const Scan s = Scan::of(n);
  const Mask live = living(s, n.bodies[0], used);
  Mask droppable(s.inputs(), true);
  for (size_t i = 0; i < s.carries; ++i) droppable[s.consts + i] = !live[i];
  const Pruned p = pruner.prune(n.bodies[0], live, droppable);
  std::array<Values, 3> args;
  for (size_t i = 0; i < s.inputs(); ++i)
    if (p.params[i]) args[i < s.consts ? 0 : i < s.consts + s.carries ? 1 : 2].push_back(in[i]);
  const Values kept = emit_scan(b, s, args[0], args[1], args[2], p.body);
  Values out(used.size());
  for (size_t i = 0, next = 0; i < used.size(); ++i)
    if (live[i]) out[i] = kept[next++];
  return out;
}

// h' = tanh(w·h + x), with h·x stacked and the steps counted.
Body recurrence() {
  Build b("step");
  const Type two{Dtype::float64, {2}};
  const Value w = b.parameter(two, "w"), h = b.parameter(two, "h"), count = b.parameter({Dtype::int32, {}}, "count"),
              x = b.parameter(two, "x");
  return b.finish({b.tanh(b.add(b.mul(w, h), x)), b.add(count, b.one(count)), b.mul(h, x)});
}
// h' = h·sin(w) + x, with h stacked: linear in h and x.
Body linear_recurrence() {
  Build b("step");
  const Type two{Dtype::float64, {2}};
  const Value w = b.parameter(two, "w"), h = b.parameter(two, "h"), x = b.parameter(two, "x");
  return b.finish({b.add(b.mul(h, b.sin(w)), x), b.add(h, h)});
}

std::vector<Sample> samples() {
  std::vector<Sample> all;
  const auto attrs = [](int64_t carries, int64_t length, bool reverse) {
    Scan s{.consts = 1, .carries = static_cast<size_t>(carries), .length = length, .reverse = reverse};
    return s.attrs();
  };
  for (const bool reverse : {false, true})
    for (const int64_t length : {3, 1, 0})
      all.push_back({fmt::format("{} steps{}", length, reverse ? " back" : ""),
                     {sample_floats({2}, -1, 1, 0), sample_floats({2}, -1, 1, 1), Array::scalar<int32_t>(7),
                      sample_floats({length, 2}, -1, 1, 2)},
                     attrs(2, length, reverse),
                     {recurrence()}});
  all.push_back({"linear",
                 {sample_floats({2}, -1, 1, 0), sample_floats({2}, -1, 1, 1), sample_floats({3, 2}, -1, 1, 2)},
                 attrs(1, 3, false),
                 {linear_recurrence()},
                 {{false, true, true}, {false, false, true}}});
  return all;
}

constexpr OpDef scan_record = {
    .name = "scan",
    .family = "structure",
    .doc =
        "steps of a function along the leading dimension of arrays, with values carried on: [constants, carries, "
        "arrays] to [last carries, stacked results]",
    .needs = needs,
    .attributes = "consts carries length reverse",
    .infer = infer,
    .eval = eval,
    .jvp = jvp,
    .split = split_scan,
    .transpose = transpose_scan,
    .batch = batch,
    .lower = runs_functions,
    .prune = prune,
    .bound = bounds::scan,
    .jet = scan_jet,
    .samples = samples};

constexpr std::array records = {&scan_record};

}  // namespace

constinit const OpList ops::scanning = records;

}  // namespace viva
