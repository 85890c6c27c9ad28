// One pass of a network over data, reduced row by row to what examiners need.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "examine/subject.h"

namespace viva {

// What the outputs are; decided once, over all rows without NaN, by the first rule that fits:
enum class OutputKind : uint8_t {
  softmax,             // the last node is a Softmax over the classes: its input holds the logits
  probabilities,       // every row lies in [0, 1] and sums to 1, both within KindTolerance
  log_probabilities,   // every row is at most 0 and its exponentials sum to 1, both within KindTolerance
  fractions,           // none of these, and the last node gives numbers in [0, 1]: a sigmoid a class
  one_hot_regression,  // looks like a fit to one-hot targets: 95 % of entries in [-.5, 1.5]; sums of K entries with
                       // standard deviation at most .2 sqrt(K), as of independent errors of .2 an entry, and a mean
                       // within .1 and three standard errors of 1
  logits,              // none of these: an assumption
  scores,              // the user says that they are neither probabilities nor logits, or the last node is another
                       // activation: a Tanh, a Relu
  not_classes,         // a row is not a vector of at least two numbers
  unknown,             // no row to judge by: all hold NaN
};
std::string_view to_string(OutputKind k);
bool has_scores(OutputKind k);  // log-loss and Brier are defined

// What the user says of the outputs; automatic: the first rule that fits.
enum class OutputChoice : uint8_t { automatic, logits, probabilities, scores };
std::string_view to_string(OutputChoice c);  // auto, logits, probabilities, scores

// How far rounding may move probabilities whose float type has this distance from 1 to the next number.
struct KindTolerance {
  explicit KindTolerance(double epsilon) : entry(std::max(1e-6, 8 * epsilon)), sum(std::max(1e-3, 4 * epsilon)) {}
  double entry, sum;
};

struct Evaluation {
  int64_t rows = 0, classes = 0;  // classes 0: not_classes
  OutputKind kind = OutputKind::unknown;
  int64_t fitting = 0;                // rows that satisfy the kind's rule
  std::vector<int32_t> predicted;     // named_class of the outputs; -1 for a NaN before the Softmax too
  std::vector<int64_t> nan_rows;      // rows with NaN in the output
  std::vector<int64_t> infinite_out;  // rows with an infinity in it, and no NaN
  int64_t ties = 0;                   // rows whose largest output occurs more than once
  std::vector<double> loss, brier;    // a row, nats and squared probability; empty unless has_scores(kind)
  double worst_sum = 0;               // largest distance of a row's sum from 1, over rows without NaN
  Array scores;         // [rows, classes], float32 or float64: before a Softmax at the end, else the outputs
  bool stated = false;  // the kind is the user's word
  double seconds = 0;
};

using Progress = std::function<void(double fraction, std::string_view what)>;

// The number of classes of a subject: the extent of its output rows once extents of 1 are dropped; 0 where that is not
// one dimension of at least 2.
int64_t classes_of(const Shape& output_row);
int64_t classes_of(const Subject& subject);

// Rows of `data`, checked: an input error names the first row that holds NaN or infinity, or an index outside the
// table that the subject uses it for.
Array checked_rows(const RowSource& data, int64_t first, int64_t count, const Subject& subject);
// How many rows to hold at once: a function of their type alone.
int64_t rows_at_once(const Type& row);

// Throws an input error where a row contradicts the choice, a usage error where the network's end does.
Evaluation evaluate(Subject& subject, const RowSource& data, OutputChoice choice, ThreadPool& pool,
                    const Cancel& cancel, const Progress& progress);

// The class that scores name: the first of the largest; -1 where one of them is NaN.
int64_t named_class(std::span<const double> scores);
// Of each row of outputs [n, …].
std::vector<int64_t> named_classes(const Array& outputs);

// Row i in float64 as logits: scores, or the logarithms of probabilities (those below 0 count as 0).
void logits_of(const Evaluation& e, int64_t i, std::span<double> logits);

}  // namespace viva
