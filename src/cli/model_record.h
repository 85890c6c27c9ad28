// What a report states of a model file, and which of its outputs is examined.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/model.h"
#include "examine/finding.h"

namespace viva {

// All outputs of the file. `one` is the model at its least batch.
std::vector<OutputRecord> outputs_of(const OpenModel& m, const BatchedModel& one);

struct OutputTaken {
  size_t index = 0;
  std::string why;  // "" where there is one output
};
// The output named, or without a name the one that can be scores of classes. Among several such: those with as many
// columns as there are labels (one more than the greatest), else those with more; of those that remain, the one, or the
// file's first output. The first where none holds scores. Usage errors: a name that is none of them, a choice that is
// left open.
OutputTaken taken_output(const std::string& path, const std::vector<OutputRecord>& outputs, const std::string& name,
                         const std::function<int64_t()>& label_count);

// The Softmax over the classes that an output ends in; null where there is none, or where it runs over another axis.
const FinalSoftmax* class_softmax(const OpenModel& m, const Imported& one, const std::string& output);

ModelRecord record_of(const OpenModel& m, const BatchedModel& one, const OutputTaken& output);

}  // namespace viva
