// What users ask for, from jvp, split, transpose and batch.
#include <algorithm>

#include "graph/build.h"
#include "graph/prune.h"
#include "ops/record.h"
#include "transform/transformer.h"

namespace viva {
namespace {

Mask float_outputs(const Function& f) {
  Mask m;
  for (const Type& t : f.output_types()) m.push_back(has_tangent(t.dtype));
  return m;
}

Where line_of(Value v) { return v.node()->where; }

// At the line that made v.
Error usage_at(Value v, std::string_view what, const std::string& text) {
  return {ErrorKind::usage, fmt::format("[{}] {}", what, text), line_of(v)};
}

void check_active(const Function& f, const Mask& active, std::string_view what) {
  if (active.size() != f.params().size())
    throw usage_error("[{}] {} marks for the {} parameters of {}", what, active.size(), f.params().size(), f.name());
  for (size_t i = 0; i < active.size(); ++i)
    if (active[i] && !has_tangent(f.params()[i].dtype()))
      throw usage_at(f.params()[i], what,
                     fmt::format("parameter {} of {} is {}: only floats have derivatives", i, f.name(),
                                 name(f.params()[i].dtype())));
}

Values parameters_of(Build& b, const Function& f) {
  Values v;
  for (const Value& p : f.params()) v.push_back(b.parameter_like(p));
  return v;
}

Mask only(size_t n, int64_t parameter, const Function& f, std::string_view what) {
  if (parameter < 0 || static_cast<size_t>(parameter) >= n)
    throw usage_error("[{}] {} has no parameter {}", what, f.name(), parameter);
  Mask m(n, false);
  m[static_cast<size_t>(parameter)] = true;
  return m;
}

Body select_outputs(const Body& f, size_t from, size_t count) {
  Mask used(f->outputs().size(), false);
  std::fill_n(used.begin() + static_cast<int64_t>(from), count, true);
  return Pruner().prune(f, used).body;
}

// The output that derivatives are taken of.
Value first_output(const Function& f, std::string_view what) {
  if (f.outputs().empty()) throw usage_error("[{}] {} has no output to differentiate", what, f.name());
  const Value y = f.outputs()[0];
  if (!has_tangent(y.dtype()))
    throw usage_at(
        y, what,
        fmt::format("the first output of {} is {}: only floats have derivatives", f.name(), to_string(y.type())));
  return y;
}

// A matrix of numbers is the derivative of real numbers by real ones alone: of complex ones it would be the derivative
// of those functions that have a complex one.
void check_real(const Function& f, int64_t parameter) {
  const auto refuse = [&](Value v, const std::string& what) {
    if (is_complex(v.dtype()))
      throw usage_at(v, "jacobian",
                     fmt::format("{} of {} is {}: differentiate its real and imaginary parts, each by real numbers",
                                 what, f.name(), to_string(v.type())));
  };
  refuse(f.params()[static_cast<size_t>(parameter)], fmt::format("parameter {}", parameter));
  refuse(f.outputs()[0], "the first output");
}

// The n unit vectors of a type, along a new first axis.
Value basis(Build& b, const Type& t) {
  const int64_t n = numel(t.shape);
  const Type square{Dtype::int64, {n, n}};
  const Value eye = b.compare(Direction::eq, b.iota(square, 0), b.iota(square, 1));
  return b.reshape(b.convert(eye, t.dtype), inserted(t.shape, 0, n));
}

void check_axes(const Function& f, const std::vector<int>& axes, int64_t size, const std::vector<int>& out_axes) {
  if (size < 0) throw usage_error("[vmap] {} examples", size);
  if (axes.size() != f.params().size())
    throw usage_error("[vmap] {} axes for the {} parameters of {}", axes.size(), f.params().size(), f.name());
  if (!out_axes.empty() && out_axes.size() != f.outputs().size())
    throw usage_error("[vmap] {} axes for the {} outputs of {}", out_axes.size(), f.outputs().size(), f.name());
  const auto check = [](Value v, int axis, std::string_view what, size_t i) {
    if (axis < -1 || axis > v.rank())
      throw usage_at(v, "vmap",
                     fmt::format("axis {} of {} {} is outside {}: 0 to {}, or -1 for none", axis, what, i,
                                 to_string(v.type()), v.rank()));
  };
  for (size_t i = 0; i < axes.size(); ++i) check(f.params()[i], axes[i], "parameter", i);
  for (size_t i = 0; i < out_axes.size(); ++i) check(f.outputs()[i], out_axes[i], "output", i);
}

}  // namespace

Body renamed(const Body& f, std::string name) {
  Build b(std::move(name));
  b.at({});
  const Values args = parameters_of(b, *f);
  return b.finish(b.inline_call(*f, args), f->output_names());
}

Body jvp(const Body& f, const Mask& active) {
  check_active(*f, active, "jvp");
  return Transformer().jvp(f, active, float_outputs(*f)).first;
}

Linearized linearize(const Body& f, const Mask& active) {
  check_active(*f, active, "linearize");
  Transformer tf;
  const Body both = tf.jvp(f, active, float_outputs(*f)).first;
  Mask known(both->params().size(), false), force(both->outputs().size(), true);
  std::fill_n(known.begin(), f->params().size(), true);
  std::fill_n(force.begin(), f->outputs().size(), false);
  const SplitBody s = tf.split(both, known, force);
  return {s.known, s.unknown, s.residuals};
}

Body transpose(const Body& f, const Mask& linear) {
  if (linear.size() != f->params().size())
    throw usage_error("[transpose] {} marks for the {} parameters of {}", linear.size(), f->params().size(), f->name());
  return Transformer().transpose(f, linear, Mask(f->outputs().size(), true));
}

Body vmap(const Body& f, const std::vector<int>& axes, int64_t size, const std::vector<int>& out_axes) {
  check_axes(*f, axes, size, out_axes);
  Mask force(f->outputs().size(), true);
  for (size_t i = 0; i < out_axes.size(); ++i) force[i] = out_axes[i] >= 0;
  auto [body, at] = Transformer().batch(f, axes, size, force);
  Build b(body->name());
  b.at({});
  const Values args = parameters_of(b, *body);
  Values outputs = b.inline_call(*body, args);
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Value y = f->outputs()[i];
    const int want = out_axes.empty() ? 0 : out_axes[i];
    if (want < 0 && at[i] >= 0)
      throw usage_at(y, "vmap",
                     fmt::format("output {} of {} differs from example to example: it needs an axis", i, f->name()));
    b.at(line_of(y));
    if (want >= 0) outputs[i] = b.move_axis(outputs[i], at[i], want);
  }
  return b.finish(std::move(outputs), f->output_names());
}

Body vjp(const Body& f, const Mask& active) {
  const Linearized lin = linearize(f, active);
  Mask linear(lin.linear->params().size(), true);
  std::fill_n(linear.begin(), lin.residuals, false);
  const Body back = transpose(lin.linear, linear);
  Build b(f->name() + ".vjp");
  b.at({});
  const Values args = parameters_of(b, *f);
  Values cotangents;
  for (const Value& y : f->outputs()) {
    if (!has_tangent(y.dtype())) continue;
    b.at(line_of(y));
    cotangents.push_back(b.parameter(y.type()));
  }
  b.at({});
  Values forward = b.inline_call(*lin.primal, args);
  const auto split = forward.begin() + static_cast<int64_t>(f->outputs().size());
  Values back_args(split, forward.end());
  back_args.insert(back_args.end(), cotangents.begin(), cotangents.end());
  const Values back_out = b.inline_call(*back, back_args);
  forward.erase(split, forward.end());
  forward.insert(forward.end(), back_out.begin(), back_out.end());
  std::vector<std::string> names = f->output_names();
  for (size_t i = 0; i < active.size(); ++i)
    if (active[i]) names.push_back(f->params()[i].name().empty() ? "" : f->params()[i].name() + ".cotangent");
  return b.finish(std::move(forward), std::move(names));
}

Body value_and_grad(const Body& f, const Mask& active) {
  const Value y = first_output(*f, "grad");
  if (y.rank() != 0 || !is_float(y.dtype()))
    throw usage_at(y, "grad",
                   fmt::format("the first output of {} is {}, not a float scalar", f->name(), to_string(y.type())));
  const Body back = vjp(f, active);
  Build b(f->name() + ".grad");
  b.at(line_of(y));
  Values args = parameters_of(b, *f);
  for (size_t i = f->params().size(); i < back->params().size(); ++i)
    args.push_back(b.full(back->params()[i].type(), i == f->params().size() ? 1 : 0));
  return Pruner().pruned(b.finish(b.inline_call(*back, args), back->output_names()));
}

Body grad(const Body& f, const Mask& active) {
  return select_outputs(value_and_grad(f, active), f->outputs().size(),
                        static_cast<size_t>(std::ranges::count(active, true)));
}

Body hvp(const Body& f, const Mask& active) {
  const Body g = grad(f, active);
  const Body both = jvp(g, active);
  return renamed(select_outputs(both, g->outputs().size(), g->outputs().size()), f->name() + ".hvp");
}

Body jacobian_forward(const Body& f, int64_t parameter) {
  const Mask active = only(f->params().size(), parameter, *f, "jacobian");
  const Value output = first_output(*f, "jacobian");
  check_real(*f, parameter);
  const Body single = select_outputs(f, 0, 1);
  const Body tangent = select_outputs(jvp(single, active), 1, 1);
  const Type x = f->params()[static_cast<size_t>(parameter)].type();
  std::vector<int> axes(tangent->params().size(), -1);
  axes.back() = 0;
  const Body columns = vmap(tangent, axes, numel(x.shape));
  Build b(f->name() + ".jacobian");
  b.at(line_of(output));
  Values args = parameters_of(b, *f);
  args.push_back(basis(b, x));
  const Value by_input = b.inline_call(*columns, args).front();
  const Value last = b.move_axis(by_input, 0, by_input.rank() - 1);
  Shape shape = f->outputs()[0].shape();
  shape.insert(shape.end(), x.shape.begin(), x.shape.end());
  return b.finish({b.reshape(last, shape)});
}

Body jacobian_reverse(const Body& f, int64_t parameter) {
  const Mask active = only(f->params().size(), parameter, *f, "jacobian");
  const Value output = first_output(*f, "jacobian");
  check_real(*f, parameter);
  const Body single = select_outputs(f, 0, 1);
  const Body back = select_outputs(vjp(single, active), 1, 1);
  const Type y = f->outputs()[0].type(), x = f->params()[static_cast<size_t>(parameter)].type();
  std::vector<int> axes(back->params().size(), -1);
  axes.back() = 0;
  const Body rows = vmap(back, axes, numel(y.shape));
  Build b(f->name() + ".jacobian");
  b.at(line_of(output));
  Values args = parameters_of(b, *f);
  args.push_back(basis(b, y));
  Shape shape = y.shape;
  shape.insert(shape.end(), x.shape.begin(), x.shape.end());
  return b.finish({b.reshape(b.inline_call(*rows, args).front(), shape)});
}

Body hessian(const Body& f, int64_t parameter) {
  return renamed(jacobian_forward(grad(f, only(f->params().size(), parameter, *f, "hessian")), parameter),
                 f->name() + ".hessian");
}

Body per_example_grad(const Body& f, const Mask& active, const std::vector<int>& axes, int64_t size) {
  return vmap(grad(f, active), axes, size);
}

}  // namespace viva
