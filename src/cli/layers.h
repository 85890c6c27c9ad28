// A model as a table: a row for each node of the file.
#pragma once

#include <string>
#include <vector>

#include "cli/model.h"

namespace viva {

struct LayerOutput {
  std::string name;
  std::optional<Type> type;  // null where nothing computes it at these shapes
};
struct Layer {
  std::string name, op;  // the node's name, "" where it has none; operator, with its domain but for the default one
  std::vector<LayerOutput> outputs;
  int64_t parameters = 0;  // elements of float initializers that no row above uses
  double flops = 0;        // of contractions, at 2 a multiply-add
};

// The rows in the order of computation. m: the import of `file` under `binding`. What an operator folds away, or what
// no output needs, costs nothing.
std::vector<Layer> layers_of(const ModelFile& file, const Imported& m, const Binding& binding);

}  // namespace viva
