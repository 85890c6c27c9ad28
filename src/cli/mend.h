// A network with its mends folded in: written as a model of its own, and ruled on again.
#pragma once

#include <string>
#include <vector>

#include "cli/verb.h"

namespace viva {

// The rows' map, the network, its temperature, as a model file at path; what was put before the network (--normalize)
// comes along. Output: [N, classes], scores, or probabilities where the network ends in a Softmax or gives
// probabilities. Throws an unsupported error where an operation cannot be written.
void write_mended(const std::string& path, Subject& subject, const std::vector<Mend>& mends);

// The rows of half B: what was chosen on half A is measured on these.
RowSource half_b(const RowSource& data, uint64_t seed);

// Writes the mended network to `path` and examines it as `given` was, on half B. What was put before the network is in
// the file now.
Report ruled_again(const std::string& path, const Report& given, const Session& s, const ExamineOptions& options,
                   Subject& subject, const RowSource& data, const RowSource* train, ThreadPool& pool,
                   const Progress& progress);

// What the mend did, for the report of the network as it was given: rulings and headline quantities of both.
Finding mend_finding(const Report& given, const Report& mended);

}  // namespace viva
