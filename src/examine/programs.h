// Programs made of a network: functions of its rows, compiled once, run over any number of rows.
#pragma once

#include <vector>

#include "examine/subject.h"

namespace viva {

// How many rows programs take at once: enough for fast products, few enough to divide the work.
inline constexpr int64_t program_rows = 64;

// The same network in float64: rows and weights too.
NetworkFunction retyped(const NetworkFunction& n, Dtype to);

// A function of rows that do not influence one another. Parameters: what comes by rows, [batch, …] each, what all rows
// share, then the network's weights. Outputs: [batch, …] each.
class RowProgram {
 public:
  // f's last parameters are n's weights; its first `by_row` come by rows.
  RowProgram(Subject& subject, const NetworkFunction& n, const Body& f, size_t by_row);
  // arguments: those by rows [n, …], then the shared ones; n >= 1. Results: [n, …]. Chunks of the batch run on the
  // pool, one thread each; the last is filled up with copies of its last row. The same bits for any number of threads.
  std::vector<Array> operator()(const std::vector<Array>& arguments, ThreadPool& pool, const Cancel& cancel) const;

 private:
  Compiled run_;
  int64_t batch_;
  size_t by_row_;
  std::vector<Type> results_;
};

// The rows of an array, and the array with other rows of the same type.
Array rows_of(const Array& a, int64_t first, int64_t count);
// Rows first … first + count; the rest up to `batch` copies of the last.
Array filled_chunk(const Array& a, int64_t first, int64_t count, int64_t batch);
Array picked_rows(const Array& a, const std::vector<int64_t>& rows);
// Some rows of a data set, checked.
Array gathered_rows(const RowSource& data, const std::vector<int64_t>& rows, const Subject& subject);

// Functions of a network. Labels: i64[batch], each a class. margin: z_label - max of the others, of the scores z.

// (rows) -> scores.
Body scores_of(const NetworkFunction& n);
// (rows, labels) -> cross-entropy[batch].
Body row_losses(const NetworkFunction& n);
// (rows, labels) -> margin[batch], predicted[batch] (the first of the largest scores), margin's gradient [batch, row…].
Body margin_gradient(const NetworkFunction& n);
// (rows, labels; scale, a scalar of the scores' dtype) -> cross-entropy of scores · scale [batch], predicted, its
// gradient.
Body loss_gradient(const NetworkFunction& n);

}  // namespace viva
