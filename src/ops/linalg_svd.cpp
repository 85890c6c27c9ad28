// Singular values and vectors, by Eigen.
#include <Eigen/SVD>

#include "ops/linalg_matrix.h"

namespace viva::host {

void svd(const Call& c, const void* const* in, void* const* out) {
  dispatch_matrix(c.dtype, [&](const auto memory) {
    using T = typename ElementOf<std::remove_const_t<decltype(memory)>>::type;
    const int64_t k = std::min(c.m, c.n);
    const Matrix<T> a = memory.read(in[0], c.m, c.n);
    const auto failed = [&] {
      memory.write_nan(out[0], c.m, k), memory.write_real(out[1], Matrix<double>::Constant(1, k, NAN)),
          memory.write_nan(out[2], k, c.n);
    };
    if (k == 0 || !a.allFinite()) return failed();
    const Eigen::BDCSVD<Matrix<T>> f(a, Eigen::ComputeThinU | Eigen::ComputeThinV);
    if (f.info() != Eigen::Success) return failed();
    const Matrix<T> u = f.matrixU(), turns = turns_of<T>(u);
    memory.write(out[0], Matrix<T>(u * turns.row(0).asDiagonal()));
    memory.write_real(out[1], f.singularValues().transpose());
    memory.write(out[2], Matrix<T>((f.matrixV() * turns.row(0).asDiagonal()).adjoint()));
  });
}

}  // namespace viva::host
