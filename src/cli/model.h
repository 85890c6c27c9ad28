// A model file opened for use: what its shapes leave open is decided here, once for every verb.
#pragma once

#include "onnx/import.h"

namespace viva {

// How many examples one run of the file's graph takes.
enum class Batching : uint8_t {
  open,    // the leading extent is symbolic, or the file states no shape: any number
  single,  // one example: the leading extent is 1, or there is none; vmap makes it any number
  fixed,   // a leading extent above 1
};

struct OpenModel {
  ModelFile file;
  Batching batching = Batching::open;
  int64_t fixed_batch = 0;   // for Batching::fixed
  bool leading_one = false;  // for Batching::single: rows are without the leading extent of 1
};
// Throws an input error where the file is no model, an unsupported error where it has no input or no output.
OpenModel open_model(const std::string& path);

// The model as a function of [batch, …] inputs and the weights, in imported.weights' order.
struct BatchedModel {
  Imported imported;  // names, weights and facts; its own function is that of the file's batch
  Body function;      // parameters: inputs with a leading batch extent, then weights; outputs with one
};
// batch must be fixed_batch for Batching::fixed.
BatchedModel with_batch(const OpenModel& m, int64_t batch, Binding binding = {});

// FLOPs of the contractions of f, or of one node, at 2 a multiply-add; positions in padding count.
double contraction_flops(const Node& n);
double contraction_flops(const Function& f);
// Elements of all float weights.
int64_t parameter_count(const Imported& m);

}  // namespace viva
