// Losses of classes: logits against labels or probabilities.
#include <cmath>

#include "trace/operand.h"
#include "viva/losses.h"

namespace viva {

using tracing::as_float;
using tracing::Line;
using tracing::usage_at;

namespace {

// Logits, in float32 where they are shorter, with labels of all but their last dimension.
struct Classified {
  Tensor logits, labels;
  Dtype given;
  int64_t classes;
  Classified(std::string_view what, const Arg& x, const Arg& y) : labels(tracing::as_tensor(y)) {
    const Tensor t = as_float(x);
    given = t.dtype();
    logits = tracing::converted(t, tracing::summed_in(given), x.where);
    const auto refuse = [&](std::string_view why) {
      return usage_at(x.where, fmt::format("[{}] {} against labels {}: {}", what, to_string(t.type()),
                                           to_string(labels.type()), why));
    };
    if (!is_integer(labels.dtype())) throw refuse("labels are integers: convert them");
    if (t.rank() == 0 || t.rank() != labels.rank() + 1) throw refuse("takes [batch…, classes] and [batch…]");
    for (int64_t i = 0; i < labels.rank(); ++i)
      if (t.dim(i) != labels.dim(i)) throw refuse("batches differ: give both the same");
    classes = t.dim(-1);
    if (size_of(labels.dtype()) < 4) labels = convert(labels, Dtype::int32);  // which holds the number of classes
    if (classes == 0) throw refuse("there are no classes: give a last axis of 1 or more");
  }
  Tensor at_label() const { return iota(logits.shape(), logits.rank() - 1, labels.dtype()) == expand_dims(labels, -1); }
  Tensor in_range() const { return (labels >= 0) & (labels < classes); }
};

Tensor pick(const Tensor& at_label, const Tensor& x) { return sum(where(at_label, x, 0), -1); }

// log Σ e^x over the last axis without the label; -∞, with a slope of 0, where nothing is left.
Tensor others(const Tensor& at_label, const Tensor& x) {
  const Tensor rest = where(at_label, -INFINITY, x);
  const Tensor top = stop_gradient(max(rest, -1, true));
  const Tensor shift = where(is_finite(top), top, 0);
  const Tensor total = sum(exp(rest - shift), -1);
  const Tensor empty = total == 0;
  return where(empty, -INFINITY, log(where(empty, 1, total)) + squeeze(shift, -1));
}

// t · v with 0 · ∞ = 0.
Tensor weighted(const Tensor& t, const Tensor& v) { return t * where((t == 0) & (v == INFINITY), 0, v); }

Tensor of_probabilities(const Arg& logits, const Arg& targets, double smoothing) {
  const Tensor t = as_float(logits), p = as_float(targets);
  if (t.shape() != p.shape() || t.rank() == 0 || t.dim(-1) == 0)
    throw usage_at(logits.where,
                   fmt::format("[cross_entropy] {} against probabilities {}: takes [batch…, classes] twice",
                               to_string(t.type()), to_string(p.type())));
  const Dtype d = promote(t.dtype(), p.dtype()), wide = tracing::summed_in(d);
  const Tensor x = convert(t, wide);
  const Tensor smooth = convert(p, wide) * (1 - smoothing) + smoothing / static_cast<double>(t.dim(-1));
  const Tensor costs = -log_softmax(x);
  return convert(sum(weighted(smooth, costs), -1), d);
}

}  // namespace

// log(1 + Σ e^(others - label)): no difference of large numbers, so that small losses keep their digits.
Tensor cross_entropy(const Arg& logits, const Arg& targets, const CrossEntropyOptions& o) {
  const Line line(logits.where);
  if (!(o.smoothing >= 0 && o.smoothing <= 1))
    throw usage_at(logits.where, fmt::format("[cross_entropy] smoothing {}: between 0 and 1", o.smoothing));
  if (is_float(tracing::as_tensor(targets).dtype())) {
    if (o.ignore) throw usage_at(logits.where, "[cross_entropy] ignore is for labels, not for probabilities");
    return of_probabilities(logits, targets, o.smoothing);
  }
  const Classified c("cross_entropy", logits, targets);
  const Tensor at = c.at_label(), own = pick(at, c.logits);
  Tensor loss = softplus(others(at, c.logits) - own);
  if (o.smoothing > 0) {
    const Tensor spread = mean(-log_softmax(c.logits), -1);
    loss = loss * (1 - o.smoothing) + spread * o.smoothing;
  }
  // In this order, so that the NaN is never that of a label to be ignored.
  const Tensor ignored = o.ignore ? c.labels == *o.ignore : Tensor();
  loss = where(o.ignore ? c.in_range() | ignored : c.in_range(), loss, NAN);
  if (o.ignore) loss = where(ignored, 0, loss);
  return convert(loss, c.given);
}

Tensor nll(const Arg& log_probabilities, const Arg& labels) {
  const Line line(log_probabilities.where);
  const Classified c("nll", log_probabilities, labels);
  return convert(where(c.in_range(), -pick(c.at_label(), c.logits), NAN), c.given);
}

Tensor binary_cross_entropy_with_logits(const Arg& logits, const Arg& targets, double positive) {
  const Line line(logits.where);
  const Tensor x = as_float(logits), t = as_float(targets);
  if (x.shape() != t.shape())
    throw usage_at(logits.where, fmt::format("[binary_cross_entropy_with_logits] {} against {}: shapes differ, and are "
                                             "not broadcast: give both the same",
                                             to_string(x.type()), to_string(t.type())));
  return weighted(t * positive, softplus(-x)) + weighted(1 - t, softplus(x));
}

Tensor kl_divergence(const Arg& log_predictions, const Arg& probabilities) {
  const Line line(log_predictions.where);
  const Tensor q = as_float(log_predictions), p = as_float(probabilities);
  if (q.shape() != p.shape() || q.rank() == 0)
    throw usage_at(log_predictions.where, fmt::format("[kl_divergence] {} against {}: takes [batch…, classes] twice",
                                                      to_string(q.type()), to_string(p.type())));
  const Dtype d = promote(q.dtype(), p.dtype()), wide = tracing::summed_in(d);
  const Tensor t = convert(p, wide), information = log(where(t == 0, 1, t));
  return convert(sum(t * information + weighted(t, -convert(q, wide)), -1), d);
}

Tensor correct(const Arg& logits, const Arg& labels, int64_t k) {
  const Line line(logits.where);
  const Classified c("correct", logits, labels);
  if (k < 1) throw usage_at(logits.where, fmt::format("[correct] the highest {}: at least 1", k));
  const Tensor at = c.at_label(), own = expand_dims(pick(at, c.logits), -1);
  const Tensor place = iota(c.logits.shape(), c.logits.rank() - 1, c.labels.dtype());
  const Tensor behind = (c.logits < own) | ((c.logits == own) & (place >= expand_dims(c.labels, -1)));
  return (sum(~behind, -1) < k) & c.in_range() & ~is_nan(squeeze(own, -1));
}

Tensor accuracy(const Arg& logits, const Arg& labels, int64_t k) {
  const Line line(logits.where);
  return mean(convert(correct(logits, labels, k), Dtype::float32));
}

}  // namespace viva
