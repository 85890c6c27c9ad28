// Arrays meet the inputs of a model: names, types and open extents are settled here.
#pragma once

#include <string>
#include <vector>

#include "cli/model.h"

namespace viva {

struct GivenInput {
  std::string input;   // the input's name
  std::string source;  // the file, for errors
  Array value;
};

// NAME=FILE, or FILE alone where the model has one input; a usage error lists the inputs where the name is none of
// them.
std::pair<std::string, std::string> input_and_file(const ModelFile& m, const std::string& spec);

// A model with its inputs decided by arrays.
struct FedModel {
  Body function;               // parameters: the inputs in `names`, then the weights
  std::vector<Array> inputs;   // for the first parameters, in order
  std::vector<Array> weights;  // for the others
  std::vector<std::string> output_names;
  std::vector<std::string> notes;
  // Where the file fixes its batch and the arrays hold `rows` other ones: the function takes `chunk` of them, along the
  // first extent of the inputs in `batched`.
  int64_t chunk = 0, rows = 0;
  Mask batched;
};
// Binds every open extent from the arrays; a file for one example runs a batch of them where the arrays have one more
// leading extent, or n in place of a leading 1; a file with a fixed batch is fed in chunks of it. Integer and bool
// inputs that decide shapes are folded into the graph. float64: the whole model in that precision; float32 arrays are
// then converted, which is exact. Errors: input, where an array does not fit its input; usage, where an input is
// missing, unknown or given twice; those of the importer.
FedModel feed(const OpenModel& m, const std::vector<GivenInput>& given, bool float64);

}  // namespace viva
