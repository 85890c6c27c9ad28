// What examiners see of a network and of data: facts and functions, nothing of engines or file formats.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/array.h"
#include "base/thread_pool.h"
#include "examine/finding.h"
#include "graph/graph.h"

namespace viva {

// For n rows: the network's output and, where its last node is a Softmax, that node's input (else empty).
// float32 or float64, [n, …] each.
struct Outputs {
  Array values, before_softmax;
};

// Whether a row's output depends on the rows beside it.
struct RowInfluence {
  bool independent = true;
  int64_t evaluations = 0;  // rows sent through the network to see it
  std::string measure;      // what was compared, and the largest difference found
};

// The network as a function of the graph language, for programs made of it. Rows do not influence one another.
struct NetworkFunction {
  Body function;               // parameters: rows [batch, row…], then the weights; output: scores [batch, classes],
                               // before a Softmax at the end
  std::vector<Array> weights;  // one for each parameter after the first
  int64_t batch = 1;
};

// A compiled function. Arguments: the parameters that were not bound, in order. Callable from many threads at once; the
// same bits for any pool.
using Compiled =
    std::function<std::vector<Array>(std::vector<Array> arguments, ThreadPool& pool, const Cancel& cancel)>;

// A network under examination. outputs may be called from one thread at a time.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual const ModelRecord& record() const = 0;
  virtual Type row_type() const = 0;  // of one row of the input
  // Of a row after what --layout does to it.
  virtual Shape arranged_row() const { return row_type().shape; }
  virtual Shape output_row_shape() const = 0;  // of one row of the output
  // Distance from 1 to the next number of the coarsest float type that outputs come through.
  virtual double output_epsilon() const { return 0x1p-23; }
  // inputs: [n, row…] of row_type's dtype, n >= 1. The same bits for any number of threads, and for a row whatever the
  // n it comes in. Throws a cancelled error where cancel is set.
  virtual Outputs outputs(const Array& inputs, ThreadPool& pool, const Cancel& cancel) = 0;
  // Feeds the rows again in other company (another order, repeated neighbours) and compares.
  virtual RowInfluence row_influence(const Array& inputs, ThreadPool& pool, const Cancel& cancel) = 0;
  // What that costs for n rows, in rows sent through the network.
  virtual int64_t influence_evaluations(int64_t n) const = 0;

  // For about so many rows at once, fewer where memory or the file says so. Throws an unsupported error, as by default,
  // where there is no graph or its output is not one number for each of at least two classes.
  virtual NetworkFunction network(int64_t rows);
  // bound: parameters of f with the arrays that they always have.
  virtual Compiled compiled(const Body& f, std::vector<std::pair<int64_t, Array>> bound);
};

// Labelled rows. `rows(first, count)` gives [count, row…] as the network takes them: its dtype, scaled, its shape.
struct RowSource {
  DataRecord record;
  std::vector<int64_t> labels;
  Array stored;                 // [n, …], as the files hold them
  std::vector<int64_t> groups;  // of each row, from 0; empty: every row is independent of the others
  std::function<Array(int64_t first, int64_t count)> rows;
  int64_t size() const { return static_cast<int64_t>(labels.size()); }
  // What a row's half is drawn by: rows of a group stay together.
  int64_t unit(int64_t row) const { return groups.empty() ? row : groups[static_cast<size_t>(row)]; }
};

}  // namespace viva
