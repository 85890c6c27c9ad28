// Losses. Each gives a value for each example or element, so that users choose how to combine them: mean(…), a weighted
// sum, vmap. Predictions come first. Every function throws a usage error, with the line of the call, where shapes do
// not fit; predictions and targets are not broadcast. An empty batch has no losses, and the mean of none is NaN, as in
// NumPy and torch.
#pragma once

#include "viva/functions.h"

namespace viva {

struct CrossEntropyOptions {
  double smoothing = 0;                // so much of each target is spread over all classes
  std::optional<int64_t> ignore = {};  // a label whose examples have loss 0; see masked_mean
};
// -log of the probability that softmax(logits) gives the target. Logits [batch…, classes]; targets are integer labels
// [batch…], or probabilities of the shape of the logits. A label outside the classes gives NaN. Limits at infinite
// logits hold where they exist: 0 where the label's is +∞, +∞ where another's is or where the label's is -∞.
Tensor cross_entropy(const Arg& logits, const Arg& targets, const CrossEntropyOptions& o = {});
// -log_probabilities at the label.
Tensor nll(const Arg& log_probabilities, const Arg& labels);
// -t · log(p) - (1 - t) · log(1 - p) with p = sigmoid(logit), element by element; t in [0, 1]. positive: multiplies the
// first term.
Tensor binary_cross_entropy_with_logits(const Arg& logits, const Arg& targets, double positive = 1);
// Σ p · log(p / q) over the last axis, of log q and p; 0 · log 0 is 0.
Tensor kl_divergence(const Arg& log_predictions, const Arg& probabilities);

// Element by element.
Tensor squared_error(const Arg& predictions, const Arg& targets);   // (x - y)²
Tensor absolute_error(const Arg& predictions, const Arg& targets);  // |x - y|; slope 0 at 0
// d² / 2 where |d| <= delta, else delta · (|d| - delta / 2). Huber, 1964.
Tensor huber(const Arg& predictions, const Arg& targets, double delta = 1);
Tensor smooth_l1(const Arg& predictions, const Arg& targets, double beta = 1);  // huber / beta; |d| where beta is 0
Tensor hinge(const Arg& scores,
             const Arg& targets);  // max(0, 1 - score · target), targets -1 and 1; slope 0 at the corner

// x · y / (max(|x|, eps) · max(|y|, eps)) over an axis.
Tensor cosine_similarity(const Arg& x, const Arg& y, int64_t axis = -1, double eps = 1e-8);
Tensor cosine_distance(const Arg& x, const Arg& y, int64_t axis = -1, double eps = 1e-8);  // 1 - similarity

// The mean of the values where the mask holds; 0 where it holds nowhere.
Tensor masked_mean(const Arg& values, const Arg& mask);
// bool for each example: the label is among the k highest logits. Of equal logits the first counts as higher; NaN is
// higher than every number, and a label whose logit is NaN is not among them.
Tensor correct(const Arg& logits, const Arg& labels, int64_t k = 1);
Tensor accuracy(const Arg& logits, const Arg& labels, int64_t k = 1);  // the mean of correct, float32

}  // namespace viva
