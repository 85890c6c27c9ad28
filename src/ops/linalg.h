// What the operations on matrices share: matrices are the last two dimensions, those before are a batch.
#pragma once

#include "loops/lowered.h"
#include "ops/linalg_host.h"
#include "ops/record.h"

namespace viva::linalg {

// A matrix of f32, f64, c64 or c128 in operand i.
void require_matrix(const Infer::Site& s, size_t i = 0);
Shape batch_shape(const Type& t);                              // all but the last two dimensions
Shape with(Shape batch, std::initializer_list<int64_t> dims);  // dims at the end
inline int64_t rows(const Type& t) { return t.shape[t.shape.size() - 2]; }
inline int64_t columns(const Type& t) { return t.shape.back(); }

// One call of f a matrix; matrices: the rank of the batch is that of operand 0 less 2.
std::vector<Array> eval(host::Function f, const Node& n, std::span<const Array> in);
Lowered lower(host::Function f, const Node& n);
template <host::Function f> std::vector<Array> eval_rule(const Node& n, std::span<const Array> in, Evaluator&) {
  return eval(f, n, in);
}
template <host::Function f> Lowered lower_rule(const Node& n) { return lower(f, n); }
Values batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
             Transforms&);

inline constexpr Absent not_linear{Reason::not_linear, "a nonlinear function of the matrix"};

// Random matrices, with diagonal(column) added to the diagonal.
Array sample_matrix(const Shape& shape, int seed, Dtype d, double (*diagonal)(int64_t column));
// One of each shape in float64 and complex128, the first in float32 too.
std::vector<Sample> matrix_samples(double (*diagonal)(int64_t column), std::initializer_list<Shape> shapes);

// Formulas.
Value transposed(Build& b, Value x);
Value adjoint(Build& b, Value x);  // the conjugate transpose
Value matmul(Build& b, Value x, Value y);
// The elements at row and column that compare so, else 0: ge the lower half with the diagonal, gt without, eq the
// diagonal, le the upper half.
Value kept(Build& b, Value x, Direction row_to_column);
Value diagonal(Build& b, Value x);  // of a square matrix, as a vector
Value of_lower(Build& b, Value x);  // the Hermitian matrix with x's lower half and the real part of its diagonal
Value along_rows(Build& b, Value v, Value like);     // element [i, j] = v[j], in like's dtype
Value along_columns(Build& b, Value v, Value like);  // element [i, j] = v[i]
// Tangents dx[k] with x's columns turned in their complex planes so that the first greatest element of each column of
// pivots[0] stays real: x - i·θ·x. Of floats dx themselves.
Values with_real_pivots(Build& b, const Values& x, Values dx);
// 1/d, and 0 where d is 0.
Value safe_recip(Build& b, Value d);

}  // namespace viva::linalg
