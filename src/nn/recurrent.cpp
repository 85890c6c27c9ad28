// Recurrent cells, as torch computes them.
#include "nn/layer.h"

namespace viva {

using tracing::Line;
using tracing::usage_at;

namespace {

// Each gate's block orthogonal.
Tensor orthogonal_blocks(const Key& k, int64_t width, int64_t gates, Dtype d) {
  std::vector<Tensor> blocks;
  for (int64_t i = 0; i < gates; ++i)
    blocks.push_back(init::orthogonal()(k.fold(i), {width, width}, {width, width}, d));
  return concatenate(blocks, 1);
}

struct Cell {
  Dense input, hidden;
};

Cell make_cell(const Key& k, int64_t in, int64_t width, int64_t gates, Dtype d, Loc l) {
  tracing::positive(width, "cell", "features", l);
  Cell c;
  c.input = Dense::make(k.fold(0), in, gates * width, {.dtype = d}, l);
  c.hidden = {orthogonal_blocks(k.fold(1), width, gates, d), zeros({gates * width}, d)};
  return c;
}

void check_state(const Tensor& state, const Tensor& x, int64_t width, Where where) {
  if (state.rank() != x.rank() || state.rank() == 0 || state.dim(-1) != width ||
      !std::equal(state.shape().begin(), state.shape().end() - 1, x.shape().begin()))
    throw usage_at(where, fmt::format("[cell] a state of {} for inputs {} and a width of {}", to_string(state.type()),
                                      to_string(x.type()), width));
}

}  // namespace

GruCell GruCell::make(const Key& k, int64_t in, int64_t width, Dtype d, Loc l) {
  const Line line(l);
  const Cell c = make_cell(k, in, width, 3, d, l);
  return {c.input, c.hidden};
}

Tensor GruCell::operator()(const Arg& state, const Arg& x) const {
  const Line line(x.where);
  const Tensor h = tracing::as_float(state), t = tracing::as_float(x);
  tracing::check_not_empty(hidden.weight, x.where);
  check_state(h, t, hidden.weight.dim(0), x.where);
  const auto body = [](const tracing::Tensors& in) -> tracing::Tensors {
    const Dense into{in[2], in[3]}, within{in[4], in[5]};
    const std::vector<Tensor> a = split(into(in[1]), 3, -1), b = split(within(in[0]), 3, -1);
    const Tensor reset = sigmoid(a[0] + b[0]), update = sigmoid(a[1] + b[1]), fresh = tanh(a[2] + reset * b[2]);
    return {fresh + update * (in[0] - fresh)};
  };
  return tracing::named("gru_cell", body, {h, t, input.weight, input.bias, hidden.weight, hidden.bias}, x.where)
      .front();
}

LstmCell LstmCell::make(const Key& k, int64_t in, int64_t width, Dtype d, Loc l) {
  const Line line(l);
  Cell c = make_cell(k, in, width, 4, d, l);
  c.input.bias = convert((iota({4 * width}, 0) / width) == 1, d);
  return {c.input, c.hidden};
}

LstmCell::State LstmCell::operator()(const State& state, const Arg& x) const {
  const Line line(x.where);
  const Tensor t = tracing::as_float(x);
  tracing::check_not_empty(hidden.weight, x.where);
  check_state(state.output, t, hidden.weight.dim(0), x.where);
  check_state(state.cell, t, hidden.weight.dim(0), x.where);
  const auto body = [](const tracing::Tensors& in) -> tracing::Tensors {
    const Dense into{in[3], in[4]}, within{in[5], in[6]};
    const std::vector<Tensor> g = split(into(in[2]) + within(in[0]), 4, -1);
    const Tensor cell = sigmoid(g[1]) * in[1] + sigmoid(g[0]) * tanh(g[2]);
    return {sigmoid(g[3]) * tanh(cell), cell};
  };
  const tracing::Tensors r = tracing::named(
      "lstm_cell", body, {state.output, state.cell, t, input.weight, input.bias, hidden.weight, hidden.bias}, x.where);
  return {r[0], r[1]};
}

}  // namespace viva
