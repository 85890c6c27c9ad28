#include "cli/questions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>

#include "base/error.h"
#include "graph/build.h"
#include "transform/transform.h"

namespace viva {
namespace {

constexpr std::array<std::string_view, 8> names = {
    "forward", "grad", "hvp", "jvp", "per-example-grad", "input-grad", "input-jacobian", "adam-step"};

Values parameters_of(Build& b, const Function& f) {
  Values v;
  for (const Value& p : f.params()) v.push_back(b.parameter(p.type(), p.name()));
  return v;
}

// The parameters that derivatives are taken of: all float weights but single numbers, which are settings.
Mask trained(const Function& f) {
  Mask m(f.params().size(), false);
  for (size_t i = 1; i < m.size(); ++i) {
    const Type& t = f.params()[i].type();
    m[i] = is_float(t.dtype) && numel(t.shape) > 1;
  }
  return m;
}

Mask only_input(const Function& f) {
  Mask m(f.params().size(), false);
  m[0] = true;
  return m;
}

// f's first output alone.
Body scores_of(const Body& f) {
  Build b(f->name());
  const Values args = parameters_of(b, *f);
  return b.finish({b.inline_call(*f, args).front()}, {f->output_names().front()});
}

// f, which takes a batch of one, for an example without the batch extent.
Body without_batch(const Body& f) {
  Build b(f->name());
  Values args;
  for (size_t i = 0; i < f->params().size(); ++i) {
    Type t = f->params()[i].type();
    if (i == 0) t.shape.erase(t.shape.begin());
    args.push_back(b.parameter(t, f->params()[i].name()));
  }
  args[0] = b.reshape(args[0], f->params()[0].shape());
  const Value y = b.inline_call(*f, args).front();
  if (y.rank() < 1 || y.dim(0) != 1)
    throw usage_error("the first output is {}: it has no batch extent to ask each example's Jacobian of",
                      to_string(y.type()));
  return b.finish({b.reshape(y, Shape(y.shape().begin() + 1, y.shape().end()))});
}

// The step of one weight: its gradient and moments to itself and its moments after the step.
struct Moments {
  Value weight, first, second;
};
Moments adam_update(Build& b, const Moments& before, Value gradient, Value first_scale, Value second_scale) {
  const Type& t = before.weight.type();
  const Value m = b.add(b.scale(before.first, .9), b.scale(gradient, .1));
  const Value v = b.add(b.scale(before.second, .999), b.scale(b.square(gradient), .001));
  // w − rate · m̂ / (√v̂ + ε), with m̂ = m / (1 − .9ⁱ) and v̂ = v / (1 − .999ⁱ)
  const Value root = b.sqrt(b.div(v, b.broadcast(second_scale, t.shape, {})));
  const Value ratio = b.div(b.div(m, b.broadcast(first_scale, t.shape, {})), b.add(root, b.full_like(root, 1e-8)));
  return {b.sub(before.weight, b.scale(ratio, 1e-3)), m, v};
}

// Parameters: the loss's, then first moments, second moments, the count of steps f32. Outputs: the active weights,
// moments and count after the step.
Body adam_step(const Body& loss, const Mask& active) {
  const Body g = grad(loss, active);
  Build b(loss->name() + ".adam");
  const Values args = parameters_of(b, *loss);
  std::vector<Moments> state;
  for (size_t i = 0; i < args.size(); ++i)
    if (active[i]) state.push_back({args[i], {}, {}});
  for (Moments& s : state) s.first = b.parameter(s.weight.type());
  for (Moments& s : state) s.second = b.parameter(s.weight.type());
  const Value before = b.parameter({Dtype::float32, {}}, "steps");
  const Value count = b.add(before, b.one(before));
  const Values gradients = b.inline_call(*g, args);
  const auto bias = [&](double decay, Dtype d) {
    const Value one = b.one(count);
    return b.convert(b.sub(one, b.pow(b.scale(one, decay), count)), d);
  };
  for (size_t k = 0; k < state.size(); ++k) {
    const Dtype d = state[k].weight.dtype();
    state[k] = adam_update(b, state[k], gradients[k], bias(.9, d), bias(.999, d));
  }
  Values results;
  for (const Moments& s : state) results.push_back(s.weight);
  for (const Moments& s : state) results.push_back(s.first);
  for (const Moments& s : state) results.push_back(s.second);
  results.push_back(count);
  return b.finish(std::move(results));
}

void check_scores(const Function& f) {
  const Type t = f.outputs().empty() ? Type{} : f.outputs()[0].type();
  if (!is_float(t.dtype) || t.rank() < 1 || t.shape.back() < 1)
    throw usage_error("the first output is {}: a loss needs float scores over classes", to_string(t));
}

void check_fits(const Network& n, const Array& input, bool each) {
  const Function& f = *n.function;
  if (f.params().empty() || f.outputs().empty() || f.params().size() != n.weights.size() + 1)
    throw usage_error("a question needs a network of one input and at least one output");
  Type want = f.params()[0].type();
  if (want.rank() < 1 || input.shape().empty()) throw usage_error("the input has no batch extent");
  if (each) want.shape[0] = input.shape()[0];
  if (input.type() != want) throw usage_error("the input is {}, not {}", to_string(input.type()), to_string(want));
  if (each && f.params()[0].dim(0) != 1) throw internal_error("ask: a network for a batch of one is needed");
}

bool weights_are_constant(Question q) {
  return q == Question::forward || q == Question::input_grad || q == Question::input_jacobian;
}

// The function alone; parameters: the input, the weights, then what add_arguments adds.
Body question_function(Question q, const Body& scores, int64_t batch) {
  if (q == Question::forward) return scores;
  std::vector<int> axes(scores->params().size(), -1);
  axes[0] = 0;
  if (q == Question::input_jacobian) return vmap(jacobian_reverse(without_batch(scores), 0), axes, batch);
  const Body loss = mean_cross_entropy(scores);
  const Mask active = q == Question::input_grad ? only_input(*loss) : trained(*loss);
  switch (q) {
    case Question::hvp:
      return hvp(loss, active);
    case Question::jvp:
      return jvp(loss, active);
    case Question::adam_step:
      return adam_step(loss, active);
    case Question::per_example_grad:
      return per_example_grad(loss, active, axes, batch);
    default:
      return grad(loss, active);
  }
}

// The direction of hvp and jvp, or Adam's moments and count at the start.
void add_arguments(AskedQuestion& a, Question q, const std::vector<Type>& weights) {
  const bool direction = q == Question::hvp || q == Question::jvp;
  if (direction)
    for (const Type& t : weights) a.arguments.push_back(Array::full(t, 1));
  a.donated.assign(a.arguments.size(), false);
  if (q != Question::adam_step) return;
  for (int moment = 0; moment < 2; ++moment)
    for (const Type& t : weights) a.arguments.push_back(Array::zeros(t));
  a.arguments.push_back(Array::scalar(0.f));
  a.state = 3 * weights.size() + 1;
  a.donated.assign(a.arguments.size(), true);
  a.donated[0] = false;
}

}  // namespace

std::string_view to_string(Question q) { return names[static_cast<size_t>(q)]; }

std::vector<Question> questions_from(std::string_view list) {
  std::vector<Question> all;
  for (size_t at = 0; at <= list.size();) {
    const size_t end = std::min(list.find(',', at), list.size());
    const std::string_view name = list.substr(at, end - at);
    const auto it = std::ranges::find(names, name);
    if (it == names.end()) throw usage_error("there is no question '{}'; ask some of {}", name, fmt::join(names, ", "));
    all.push_back(static_cast<Question>(it - names.begin()));
    at = end + 1;
  }
  return all;
}

bool asks_each_example(Question q) { return q == Question::per_example_grad || q == Question::input_jacobian; }

Body mean_cross_entropy(const Body& f) {
  check_scores(*f);
  Build b(f->name() + ".loss");
  const Values args = parameters_of(b, *f);
  const Value y = b.inline_call(*f, args).front();
  const int64_t classes = y.dim(y.rank() - 1), positions = numel(Shape(y.shape().begin(), y.shape().end() - 1));
  const Value z = b.reshape(y, {positions, classes});
  const Value shifted = b.sub(z, b.broadcast(b.reduce_max(z, {1}), z.shape(), {0}));
  // −log softmax(z)ₗ = log Σₖ exp(zₖ − max z) − (zₗ − max z)
  const Value log_sum = b.log(b.reduce_sum(b.exp(shifted), {1}));
  const Type index{Dtype::int64, z.shape()};
  const Value label = b.rem(b.iota(index, 0), b.full(index, static_cast<double>(classes)));
  const Value is_label = b.compare(Direction::eq, b.iota(index, 1), label);
  const Value at_label = b.reduce_sum(b.select(is_label, shifted, b.zero(shifted)), {1});
  return b.finish({b.reduce_mean(b.sub(log_sum, at_label), {0})}, {"loss"});
}

AskedQuestion ask(Question q, const Network& network, const Array& input) {
  const bool each = asks_each_example(q);
  check_fits(network, input, each);
  const Body scores = scores_of(network.function);
  const bool of_input = q == Question::input_grad || q == Question::input_jacobian;
  if (of_input && !is_float(input.dtype()))
    throw unsupported("{}: the input is {}: only floats have derivatives", to_string(q), name(input.dtype()));
  const Mask active = trained(*scores);
  const bool of_weights = !of_input && q != Question::forward;
  if (of_weights && std::ranges::count(active, true) == 0)
    throw unsupported("{}: the network has no float weight of more than one element", to_string(q));
  AskedQuestion a;
  a.function = question_function(q, scores, input.shape()[0]);
  const Value x = a.function->params()[0];
  a.arguments.push_back(input.reshaped(x.shape()));
  std::vector<Type> weights;
  for (size_t i = 1; i < active.size(); ++i) {
    const Array& w = network.weights[i - 1];
    if (weights_are_constant(q) || !active[i]) a.constants.emplace_back(static_cast<int64_t>(i), w);
    else a.arguments.push_back(w), weights.push_back(w.type());
  }
  add_arguments(a, q, weights);
  return a;
}

double mean_absolute(std::span<const Array> arrays) {
  double total = 0;
  for (const Array& a : arrays) {
    double sum = 0;
    for (int64_t i = 0; i < a.size(); ++i) sum += std::abs(a.at(i));
    total += sum / static_cast<double>(a.size());
  }
  return total / static_cast<double>(arrays.size());
}

Array example_input(const Type& type) {
  Array a = Array::make(type);
  dispatch(type.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    auto out = a.as_mutable<T>();
    for (size_t i = 0; i < out.size(); ++i) {
      const auto x = static_cast<double>(i);
      out[i] = has_tangent(type.dtype) ? convert_element<T>(std::numbers::sqrt2 * std::sin(x * x))
                                       : convert_element<T>(static_cast<int64_t>(i) * 7 % 65);
    }
  });
  return a;
}

}  // namespace viva
