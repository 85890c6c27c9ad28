#include <numeric>

#include "graph/prune.h"
#include "ops/structure.h"

namespace viva {

Mask present(Ins values) {
  Mask m;
  for (const Value& v : values) m.push_back(bool(v));
  return m;
}

Values only_present(Ins values) {
  Values r;
  std::ranges::copy_if(values, std::back_inserter(r), [](Value v) { return bool(v); });
  return r;
}

Mask part(const Mask& m, size_t from, size_t count) {
  const auto begin = m.begin() + static_cast<int64_t>(from);
  return {begin, begin + static_cast<int64_t>(count)};
}

size_t marked(const Mask& m, size_t from, size_t count) {
  return static_cast<size_t>(std::ranges::count(part(m, from, count), true));
}

void add_places(std::vector<size_t>& to, size_t first, size_t count) {
  const size_t at = to.size();
  to.resize(at + count);
  std::iota(to.begin() + static_cast<int64_t>(at), to.end(), first);
}

void require_parameters(const Function& f, std::span<const Type> in) {
  require(in.size() == f.params().size(), "{} takes {} arguments, not {}", f.name(), f.params().size(), in.size());
  for (size_t i = 0; i < in.size(); ++i)
    require(in[i] == f.params()[i].type(), "{}: argument {} is {}, not {}", f.name(), i, spelled(in[i]),
            spelled(f.params()[i].type()));
}

void require_same_outputs(const Function& f, const Function& g) {
  const std::vector<Type> a = f.output_types(), b = g.output_types();
  require(a.size() == b.size(), "{} gives {} values, {} gives {}", f.name(), a.size(), g.name(), b.size());
  for (size_t i = 0; i < a.size(); ++i)
    require(a[i] == b[i], "output {} is {} of {}, but {} of {}", i, spelled(a[i]), f.name(), spelled(b[i]), g.name());
}

void refuse_sums(const Function& f, std::string_view op) {
  for (const Node& n : f.nodes()) {
    if (n.op && n.op->name == "axis_sum")
      throw Error(ErrorKind::unsupported,
                  fmt::format("[vmap] axis_sum inside {}, of which examples go different ways: take it out, or choose "
                              "with where",
                              op),
                  n.where);
    for (const Body& inside : n.bodies) refuse_sums(*inside, op);
  }
}

Body rearranged(const Body& f, const std::vector<size_t>& params, const std::vector<size_t>& outputs) {
  Build b(f->name());
  b.at({});
  Values args(f->params().size());
  for (const size_t p : params) args[p] = b.parameter_like(f->params()[p]);
  for (size_t p = 0; p < args.size(); ++p)
    if (!args[p]) args[p] = b.full(f->params()[p].type(), 0);
  const Values all = b.inline_call(*f, args);
  Values chosen;
  std::vector<std::string> names;
  for (const size_t o : outputs) chosen.push_back(all[o]), names.push_back(f->output_names()[o]);
  return pruned(*b.finish(std::move(chosen), std::move(names)));
}

Value masked_rows(Build& b, Value x, Value taken, Value row, int64_t n) {
  Values starts{row};
  starts.resize(static_cast<size_t>(x.rank()), b.scalar(Dtype::int64, 0));
  Shape one = x.shape();
  one[0] = 1;
  const Value chosen = b.dynamic_slice(x, starts, one);
  const Value spread = batched_at(b, b.reshape(chosen, Shape(one.begin() + 1, one.end())), -1, 0, n);
  return b.select(b.broadcast(taken, x.shape(), {0}), x, spread);
}

std::vector<int64_t> forwarded(const SplitBody& parts) {
  const Function& f = *parts.known;
  std::vector<int64_t> r;
  for (size_t i = f.outputs().size() - static_cast<size_t>(parts.residuals); i < f.outputs().size(); ++i) {
    const auto p = std::ranges::find(f.params(), f.outputs()[i]);
    r.push_back(p == f.params().end() ? -1 : p - f.params().begin());
  }
  return r;
}

}  // namespace viva
