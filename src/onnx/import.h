// A model file becomes a function over primitives, at fixed shapes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "onnx/file.h"

namespace viva {

// The newest opset of the default domain whose operators the importer knows.
inline constexpr int64_t newest_opset = 28;

// What a model leaves open, fixed for one specialisation.
struct Binding {
  std::map<std::string, int64_t> symbols;  // extents by symbol
  std::optional<int64_t> batch;         // the first extent of inputs where it is open and its symbol is not in symbols
  std::map<std::string, Shape> shapes;  // whole shapes by input, where the file leaves even more open
  std::map<std::string, Array> inputs;  // integer and bool inputs whose value decides shapes or branches: folded
  std::vector<std::string> extra_outputs;  // inner values to give out as well, after the graph's outputs
  std::optional<Dtype> float32_as;         // the whole model in another precision: float64 to measure rounding errors
};

// An extent that the file leaves open.
struct OpenExtent {
  std::string input;
  int64_t axis = 0;
  std::string symbol;  // "" where it has none
};
std::vector<OpenExtent> open_extents(const ModelFile& m);

// An output that is a Softmax, up to a Cast, a Dropout and reshapes: its input holds the logits.
struct FinalSoftmax {
  std::string output, logits;  // names of values; logits may be given in Binding::extra_outputs
  int64_t axis = 0;            // of the logits, counted from the front
  Shape shape;                 // of the logits
};

// How the values of an input index tables.
struct IndexUse {
  // Of the smallest table that all of them index: they must lie in [-extent, extent).
  std::optional<int64_t> extent;
  bool computed = false;  // an index is computed from them
};

struct Imported {
  Body function;  // parameters: the inputs, then the weights; outputs: the graph's, then the extra ones
  std::vector<std::string> input_names, weight_names, output_names;
  std::vector<Type> input_types, weight_types, output_types;
  std::vector<Array> weights;                // the floating-point initializers in use, in the order of the file
  std::map<std::string, int64_t> operators;  // how often each occurs, functions and branches inlined
  std::vector<FinalSoftmax> softmax;
  std::map<std::string, std::string> unit_outputs;       // outputs that end in an operator onto [0, 1]: Sigmoid, Clip
  std::map<std::string, std::string> activated_outputs;  // that end in another activation: Tanh, Relu
  std::map<std::string, IndexUse> index_uses;            // by input, where there is a use
  std::vector<std::string> training;  // nodes that compute as in training, e.g. "BatchNormalization 'bn1'"
  std::vector<std::string> notes;     // where the file contradicts itself and the computed value was taken
};

// Throws an unsupported error that lists every operator that cannot be imported, with the reason; an input error where
// the model is malformed; a usage error where the binding does not fit.
Imported import_onnx(const ModelFile& m, const Binding& binding);

// One row of the table of operators, for the documentation and its test.
struct OnnxOperator {
  std::string name;
  int64_t since = 1;
  int64_t until = newest_opset;  // the last opset of this form
};
std::vector<OnnxOperator> imported_operators();  // of the default domain, by name and version

}  // namespace viva
