// What users ask for, from the jet of a function.
#include <algorithm>

#include "graph/build.h"
#include "graph/prune.h"
#include "ops/record.h"
#include "transform/transformer.h"

namespace viva {
namespace {

constexpr int64_t most_order = 170;  // the last whose factorial is a double

void check_order(int64_t order, std::string_view what) {
  if (order < 1 || order > most_order) throw usage_error("[{}] order {} is not 1 to {}", what, order, most_order);
}

Values parameters_of(Build& b, const Function& f) {
  Values v;
  for (const Value& p : f.params()) v.push_back(b.parameter_like(p));
  return v;
}

Error usage_at(Value p, std::string_view what, size_t i, const Function& f, std::string_view problem) {
  return {ErrorKind::usage,
          fmt::format("[{}] parameter {} of {} is {}: {}", what, i, f.name(), to_string(p.type()), problem),
          p.node()->where};
}

void check_active(const Function& f, const Mask& active, std::string_view what, bool complex) {
  if (active.size() != f.params().size())
    throw usage_error("[{}] {} marks for the {} parameters of {}", what, active.size(), f.params().size(), f.name());
  for (size_t i = 0; i < active.size(); ++i) {
    const Value p = f.params()[i];
    if (active[i] && !has_tangent(p.dtype())) throw usage_at(p, what, i, f, "only floats have derivatives");
    if (active[i] && !complex && is_complex(p.dtype()))
      throw usage_at(p, what, i, f, "give the real and the imaginary part apart");
  }
}

// All coefficients of the float outputs.
Mask every_coefficient(const Function& f, int64_t order) {
  Mask m;
  for (const Type& t : f.output_types()) m.insert(m.end(), static_cast<size_t>(order), has_tangent(t.dtype));
  return m;
}

Value scaled(Build& b, Value x, double factor) { return factor == 1 ? x : b.scale(x, factor); }

// f's outputs, then the last coefficients alone, times the factorial of their order.
Body last_coefficients(const Body& whole, Build& b, const Values& args, const Taylor& series, const Mask& present) {
  const Function& f = *whole;
  Mask force(f.outputs().size() * static_cast<size_t>(series.order), false);
  for (size_t i = 0; i < f.outputs().size(); ++i)
    force[(i + 1) * static_cast<size_t>(series.order) - 1] = has_tangent(f.outputs()[i].dtype());
  const auto [body, has] = Transformer().jet(whole, series, present, force);
  Values out = b.inline_call(*body, args);
  double factorial = 1;
  for (int64_t k = 2; k <= series.order; ++k) factorial *= static_cast<double>(k);
  Values results(out.begin(), out.begin() + static_cast<int64_t>(f.outputs().size()));
  std::vector<std::string> names = f.output_names();
  for (size_t c = 0, next = results.size(); c < has.size(); ++c) {
    if (!has[c]) continue;
    const Value v = out[next++];
    if (!force[c]) continue;
    b.at(f.outputs()[c / static_cast<size_t>(series.order)].node()->where);
    results.push_back(scaled(b, v, factorial));
  }
  return Pruner().pruned(b.finish(std::move(results), std::move(names)));
}

}  // namespace

Body jet(const Body& f, const Mask& given, int64_t order) {
  check_order(order, "jet");
  const auto each = static_cast<size_t>(order);
  if (given.size() != f->params().size() * each)
    throw usage_error("[jet] {} marks for {} parameters of {} and order {}", given.size(), f->params().size(),
                      f->name(), order);
  Mask active;
  for (size_t i = 0; i < given.size(); i += each)
    active.push_back(std::find(given.begin() + static_cast<int64_t>(i), given.begin() + static_cast<int64_t>(i + each),
                               true) != given.begin() + static_cast<int64_t>(i + each));
  check_active(*f, active, "jet", true);
  const Taylor series{.order = order};
  const auto [body, has] = Transformer().jet(f, series, given, every_coefficient(*f, order));
  Build b(f->name() + ".jet");
  b.at({});
  Values args = parameters_of(b, *f);
  const auto factorials = [&] {
    std::vector<double> all{1};
    for (int64_t k = 1; k <= order; ++k) all.push_back(all.back() * static_cast<double>(k));
    return all;
  }();
  for (size_t c = 0, next = args.size(); c < given.size(); ++c) {
    if (!given[c]) continue;
    const Value p = b.parameter_like(body->params()[next++]);
    b.at(p.node()->where);
    args.push_back(p);
  }
  for (size_t c = 0, next = f->params().size(); c < given.size(); ++c)
    if (given[c]) {
      args[next] = scaled(b, args[next], 1 / factorials[c % each + 1]);
      ++next;
    }
  Values out = b.inline_call(*body, args);
  for (size_t c = 0, next = f->outputs().size(); c < has.size(); ++c) {
    if (!has[c]) continue;
    b.at(f->outputs()[c / each].node()->where);
    out[next] = scaled(b, out[next], factorials[c % each + 1]);
    ++next;
  }
  return Pruner().pruned(b.finish(std::move(out), body->output_names()));
}

Body collapsed_jet(const Body& f, const Mask& active, int64_t order, int64_t directions) {
  check_order(order, "collapsed_jet");
  if (directions < 0) throw usage_error("[collapsed_jet] {} directions", directions);
  check_active(*f, active, "collapsed_jet", true);
  const Taylor series{.order = order, .directions = std::max<int64_t>(directions, 1), .summed = true};
  Mask present(f->params().size() * static_cast<size_t>(order), false);
  Build b(f->name() + ".collapsed_jet");
  b.at({});
  Values args = parameters_of(b, *f);
  for (size_t i = 0; i < active.size(); ++i) {
    const Value p = f->params()[i];
    if (!active[i]) continue;
    present[i * static_cast<size_t>(order)] = true;
    b.at(p.node()->where);
    Type t = p.type();
    t.shape = inserted(t.shape, 0, directions);
    args.push_back(b.parameter(t));
  }
  for (size_t i = f->params().size(); i < args.size(); ++i) {
    Type t = args[i].type();
    t.shape[0] = 1;
    if (directions == 0) args[i] = b.full(t, 0);  // one that is zero
    if (order == 1) args[i] = b.reduce_sum(args[i], {0});
  }
  return last_coefficients(f, b, args, series, present);
}

Body laplacian(const Body& f, const Mask& active) {
  check_active(*f, active, "laplacian", false);
  int64_t elements = 0;
  for (size_t i = 0; i < active.size(); ++i)
    if (active[i]) elements += numel(f->params()[i].shape());
  Build b(f->name() + ".laplacian");
  b.at({});
  Values args = parameters_of(b, *f);
  const Taylor series{.order = 2, .directions = std::max<int64_t>(elements, 1), .summed = true};
  Mask present(2 * active.size(), false);
  int64_t before = 0;
  for (size_t i = 0; i < active.size(); ++i) {
    const Value p = f->params()[i];
    if (!active[i] || numel(p.shape()) == 0) continue;
    present[2 * i] = true;
    b.at(p.node()->where);
    const Type rows{Dtype::int64, {elements, numel(p.shape())}};
    const Value row = b.sub(b.iota(rows, 0), b.full(rows, static_cast<double>(before)));
    const Value unit = b.convert(b.compare(Direction::eq, row, b.iota(rows, 1)), p.dtype());
    args.push_back(b.reshape(unit, inserted(p.shape(), 0, elements)));
    before += numel(p.shape());
  }
  return last_coefficients(f, b, args, series, present);
}

}  // namespace viva
