// What the rules share: the leaves they see, their slots, and moments that fade to zero.
#include <limits>
#include <set>

#include "trace/operand.h"
#include "viva/optim.h"

namespace viva::optim {

using tracing::usage_at;

namespace {

// A model that is one tensor has no path.
std::string_view shown(const std::string& name) { return name.empty() ? "the model" : std::string_view(name); }

}  // namespace

At::At(Loc l) : line_(std::make_shared<tracing::Line>(l)) {}
At::~At() = default;

Parameters parameters(std::vector<std::string> names, const tree::Leaves& model, const std::vector<Tensor>* gradients,
                      Loc l) {
  std::vector<Tensor> values = model.copy();
  for (size_t b : model.buffers) values[b] = {};
  if (gradients && gradients->size() != values.size())
    throw usage_at(l, fmt::format("[optim] a gradient of {} leaves for a model of {}: give the gradient of this model",
                                  gradients->size(), values.size()));
  Parameters all;
  std::set<std::string> seen;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i].empty() || !is_float(values[i].dtype())) continue;
    if (gradients && (*gradients)[i].empty()) continue;
    if (gradients && (*gradients)[i].shape() != values[i].shape())
      throw usage_at(l, fmt::format("[optim] the gradient of {} is {}, not {}: give the gradient of this model",
                                    shown(names[i]), to_string((*gradients)[i].type()), to_string(values[i].type())));
    if (!seen.insert(names[i]).second)
      throw usage_at(l, fmt::format("[optim] two parameters are named {}: rename a key of a map", names[i]));
    all.push_back({std::move(names[i]), i, values[i], gradients ? wide((*gradients)[i]) : Tensor()});
  }
  return all;
}

std::vector<Tensor> stepped(std::vector<Tensor> leaves, const Parameters& p) {
  for (const Parameter& q : p)
    if (!q.update.empty()) leaves[q.leaf] = convert(wide(q.value) + q.update, q.value.dtype());
  return leaves;
}

Slots zeros(const Parameters& p) {
  Slots all;
  for (const Parameter& q : p) all.emplace(q.name, viva::zeros(q.value.shape(), tracing::summed_in(q.value.dtype())));
  return all;
}

Tensor& slot(Slots& slots, const Parameter& p) {
  const auto it = slots.find(p.name);
  const Where line = tracing::line_or({});
  if (it == slots.end() || it->second.empty())
    throw usage_at(line,
                   fmt::format("[optim] the state has no slot for {}: make it with init of this model", shown(p.name)));
  if (it->second.shape() != p.value.shape())
    throw usage_at(line, fmt::format("[optim] the state of {} is {}, the parameter {}: make it with init of this model",
                                     shown(p.name), to_string(it->second.type()), to_string(p.value.type())));
  return it->second;
}

namespace {

double smallest_normal(const Tensor& x) {
  return x.dtype() == Dtype::float64 ? std::numeric_limits<double>::min()
                                     : static_cast<double>(std::numeric_limits<float>::min());
}

// x, and 0 where it is smaller than any normal number; a NaN stays.
Tensor or_zero(const Tensor& x) { return where(abs(x) < smallest_normal(x), 0, x); }

}  // namespace

Tensor decayed(const Tensor& x, double decay, const Tensor& y, double gain) {
  return or_zero(x * decay + (gain == 1 ? y : y * gain));
}

Tensor decayed_square(const Tensor& x, double decay, const Tensor& y, double gain) {
  return or_zero(x * decay + square(y) * gain);
}

Tensor wide(const Tensor& t) { return convert(t, tracing::summed_in(t.dtype())); }

}  // namespace viva::optim
