// What a report states of a model file, and which of its outputs is examined.
#pragma once

#include <string>

#include "cli/model.h"
#include "examine/finding.h"

namespace viva {

// The index of the output named, or without a name of the only one that holds floats, one for each class; of the first
// where it is one of several, or where there is none. `one` is the model at its least batch. Usage errors: a name that
// is none of them, a choice that is left open.
size_t chosen_output(const OpenModel& m, const BatchedModel& one, const std::string& name);

// The Softmax over the classes that an output ends in; null where there is none, or where it runs over another axis.
const FinalSoftmax* class_softmax(const OpenModel& m, const Imported& one, const std::string& output);

ModelRecord record_of(const OpenModel& m, const BatchedModel& one, size_t output);

}  // namespace viva
