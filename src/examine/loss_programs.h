// Derivatives of the mean loss of a network by its weights.
#pragma once

#include <span>
#include <vector>

#include "examine/evaluation.h"
#include "examine/programs.h"

namespace viva {

// Rows [n, …] and labels i64[n].
struct LabelledRows {
  Array rows, labels;
  int64_t size() const { return rows.shape()[0]; }
};

LabelledRows labelled_rows(const RowSource& data, const std::vector<int64_t>& rows, const Subject& subject);

// Why the loss is not the cross-entropy of the scores' softmax; "" where it is.
std::string why_no_cross_entropy(const Evaluation& e, const ModelRecord& model);

// Where Lanczos' method starts: n numbers uniform on [-1, 1), which no eigenvector is orthogonal to but by chance (one
// of signs is, to that of two equal and opposite weights).
std::vector<double> lanczos_start(uint64_t seed, uint64_t draw, int64_t n);

// The loss is the cross-entropy of the scores' softmax; the weights are the file's float arrays of more than one
// element, as one vector in their order. Sums over rows are taken in an order that depends on the number of rows alone:
// the same bits for any number of threads.
class LossPrograms {
 public:
  LossPrograms(Subject& subject, const NetworkFunction& n);
  int64_t parameters() const { return parameters_; }
  // Of the mean loss over the rows.
  std::vector<double> gradient(const LabelledRows& rows, ThreadPool& pool, const Cancel& cancel) const;
  std::vector<double> hessian_product(const LabelledRows& rows, std::span<const double> v, ThreadPool& pool,
                                      const Cancel& cancel) const;
  // v' H_i v of each row's loss.
  std::vector<double> curvatures(const LabelledRows& rows, std::span<const double> v, ThreadPool& pool,
                                 const Cancel& cancel) const;
  // Each row's loss at the weights moved by step · v.
  std::vector<double> losses_at(const LabelledRows& rows, std::span<const double> v, double step, ThreadPool& pool,
                                const Cancel& cancel) const;

 private:
  std::vector<double> mean(const Compiled& program, const LabelledRows& rows, const std::vector<Array>& shared,
                           ThreadPool& pool, const Cancel& cancel) const;
  std::vector<Array> parts(std::span<const double> v) const;

  int64_t batch_;
  Dtype dtype_;
  std::vector<Type> active_;  // weights that are differentiated
  int64_t parameters_ = 0;
  Compiled gradient_, product_;
  std::vector<RowProgram> curvatures_, losses_;  // one each
};

// v' H_i v of each row's loss, of the same network in float64. Throws an unsupported error where it has no such form.
std::vector<double> curvatures_in_float64(Subject& subject, const LabelledRows& rows, std::span<const double> v,
                                          ThreadPool& pool, const Cancel& cancel);

}  // namespace viva
