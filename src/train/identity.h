// What makes a run what it is, and how it differs from that of a checkpoint.
#pragma once

#include "train/checkpoint.h"
#include "viva/train.h"

namespace viva::training {

// JSON of options, order and data, and hashes of the program.
std::string identity(const TrainedProgram& program, const Batches& batches, const TrainOptions& options);

struct RunHere {
  const std::string& identity;
  const std::vector<std::string>& paths;
  std::vector<Tensor> leaves;
};
// Throws an input error that names the first thing that differs.
void check_same_run(const Checkpoint& c, const RunHere& here, const std::string& file);
// The tensors of c in place of the leaves of these names; what check_same_run accepts.
void assign(const Checkpoint& c, const std::vector<std::string>& paths, const std::vector<Tensor*>& leaves);

}  // namespace viva::training
