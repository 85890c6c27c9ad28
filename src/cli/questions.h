// The questions that viva bench times, each as a function made by transformations.
#pragma once

#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/graph.h"

namespace viva {

enum class Question : uint8_t {
  forward,           // the scores
  grad,              // of the loss, with respect to the weights
  hvp,               // of the loss along the direction 1 in every weight
  jvp,               // the loss and its derivative along that direction
  per_example_grad,  // the gradient of each example's own loss
  input_grad,        // of the loss, with respect to the input
  input_jacobian,    // of each example's scores, with respect to that example
  adam_step,         // one step of Adam (Kingma & Ba, 2015): rate 1e-3, decays .9 and .999, epsilon 1e-8
};
std::string_view to_string(Question q);
// Names separated by commas; a usage error that lists them all on an unknown one.
std::vector<Question> questions_from(std::string_view list);
// Whether the question is made from the network for a batch of one, and vmapped.
bool asks_each_example(Question q);

// Scores over classes for a batch.
struct Network {
  Body function;  // parameters: the input [batch, …], then the weights; the first output: floats [batch, …, classes]
  std::vector<Array> weights;
};

// The mean cross-entropy over the last axis of f's first output. The label of a position, counted over the flattened
// leading axes, is that position modulo the number of classes. Parameters: f's.
Body mean_cross_entropy(const Body& f);

// A question made concrete. Weights that derivatives are taken of (the float ones with more than one element) are
// arguments, except for forward and the input questions, whose weights are all constants.
struct AskedQuestion {
  Body function;
  std::vector<std::pair<int64_t, Array>> constants;  // for parameters of the function
  std::vector<Array> arguments;                      // for the others: the input first
  Mask donated;                                      // one for each argument
  size_t state = 0;  // the first `state` results are the next call's arguments 1 to `state`
};
// network: for the batch of `input`, or for a batch of one where asks_each_example(q). input: [batch, …]. Throws a
// usage error where the network's shapes do not fit the question; an unsupported error where the input or no weight has
// derivatives and the question asks for them.
AskedQuestion ask(Question q, const Network& network, const Array& input);

// The mean over arrays of the mean absolute element: a scalar to compare engines by.
double mean_absolute(std::span<const Array> arrays);

// A reproducible input. Integers: i · 7 mod 65 at the flat index i. Floats: √2 · sin(i²), of mean 0 and variance 1.
Array example_input(const Type& type);

}  // namespace viva
