// Losses over class labels.
#include <array>

#include "onnx/op.h"

namespace viva {
namespace {

// x[n, target[n, …], …] of [N, C, …] with dimension 1 dropped.
Value of_class(Build& b, Value x, Value target) {
  GatherDims d;
  d.operand_batch = without(iota_ints(x.rank()), std::array<int64_t, 1>{1});
  d.indices_batch = iota_ints(target.rank());
  d.collapsed = d.start_map = {1};
  d.slice_sizes.assign(x.shape().size(), 1);
  d.mode = OutOfBounds::clip;
  return b.gather(x, b.unsqueeze(target, {target.rank()}), b.scalar(x.dtype(), 0), d);
}

Value weight_of_class(Build& b, Value weights, Value target) {
  GatherDims d;
  d.collapsed = d.start_map = {0};
  d.slice_sizes = {1};
  d.mode = OutOfBounds::clip;
  return b.gather(weights, b.unsqueeze(target, {target.rank()}), b.scalar(weights.dtype(), 0), d);
}

// -w[c]·log_probability[c]; ignored targets weigh 0; the mean is by weight.
Value likelihood_loss(OnnxOp& o, Value x) {
  Build& b = o.b;
  Shape expected = x.shape();
  if (x.rank() < 2) throw o.malformed("takes a batch of classes, not {}", to_string(x.type()));
  expected.erase(expected.begin() + 1);
  if (o.type(1).shape != expected) throw o.malformed("targets {} for {}", to_string(o.type(1)), to_string(x.type()));
  if (o.has(2) && o.type(2).shape != Shape{x.dim(1)})
    throw o.malformed("weights {} for {}", to_string(o.type(2)), to_string(x.type()));
  const std::string how = o.text("reduction", "mean");
  if (how != "none" && how != "sum" && how != "mean") throw o.malformed("reduction {}", in_quotes(how));
  Value target = o.in(1), ignored;
  if (o.has_attribute("ignore_index")) {
    ignored = b.compare(Direction::eq, target, b.full_like(target, static_cast<double>(o.integer("ignore_index"))));
    target = b.select(ignored, b.zero(target), target);
  }
  Value weight = o.has(2) ? weight_of_class(b, o.in(2), target) : b.full({x.dtype(), expected}, 1);
  if (ignored) weight = b.select(ignored, b.zero(weight), weight);
  const Value loss = b.neg(b.mul(of_class(b, x, target), weight));
  const Ints all = iota_ints(loss.rank());
  if (how == "none") return loss;
  return how == "sum" ? b.reduce_sum(loss, all) : b.div(b.reduce_sum(loss, all), b.reduce_sum(weight, all));
}

Items negative_log_likelihood(OnnxOp& o) { return {likelihood_loss(o, o.in(0))}; }

Items softmax_cross_entropy(OnnxOp& o) {
  if (o.rank(0) < 2) throw o.malformed("takes a batch of classes, not {}", to_string(o.type(0)));
  const Value log_probability = call_softmax(o, o.in(0), 1, true);
  return {likelihood_loss(o, log_probability), log_probability};
}

constexpr std::array rows = {
    OnnxRow{"NegativeLogLikelihoodLoss", 12, latest, negative_log_likelihood},
    OnnxRow{"SoftmaxCrossEntropyLoss", 12, latest, softmax_cross_entropy},
};

}  // namespace

std::span<const OnnxRow> onnx_ops::loss() { return rows; }

}  // namespace viva
