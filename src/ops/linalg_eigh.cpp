// Eigenvalues and eigenvectors, by Eigen.
#include <Eigen/Eigenvalues>

#include "ops/linalg_matrix.h"

namespace viva::host {

void eigh(const Call& c, const void* const* in, void* const* out) {
  dispatch_matrix(c.dtype, [&](const auto memory) {
    using T = typename ElementOf<std::remove_const_t<decltype(memory)>>::type;
    if (c.n == 0) return;
    const Matrix<T> given = memory.read(in[0], c.n, c.n), a = given.template selfadjointView<Eigen::Lower>();
    const auto failed = [&] {
      memory.write_real(out[0], Matrix<double>::Constant(1, c.n, NAN)), memory.write_nan(out[1], c.n, c.n);
    };
    if (!a.allFinite()) return failed();
    const Eigen::SelfAdjointEigenSolver<Matrix<T>> f(a);
    if (f.info() != Eigen::Success) return failed();
    const Matrix<T> v = f.eigenvectors(), turns = turns_of<T>(v);
    memory.write_real(out[0], f.eigenvalues().transpose());
    memory.write(out[1], v * turns.row(0).asDiagonal());
  });
}

}  // namespace viva::host
