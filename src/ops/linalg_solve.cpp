// Factorisations and triangular systems, by Eigen.
#include <Eigen/Cholesky>
#include <Eigen/LU>
#include <Eigen/QR>
#include <numeric>

#include "ops/linalg_matrix.h"

namespace viva::host {
namespace {

template <class T, class Triangle> Matrix<T> solved(const Call& c, const Matrix<T>& a, const Matrix<T>& b) {
  const auto by = [&](const auto& op, auto mode) -> Matrix<T> { return op.template triangularView<mode()>().solve(b); };
  using Lower = std::integral_constant<unsigned, Triangle::unit ? Eigen::UnitLower : Eigen::Lower>;
  using Upper = std::integral_constant<unsigned, Triangle::unit ? Eigen::UnitUpper : Eigen::Upper>;
  const Matrix<T> op = c.transpose ? Matrix<T>(a.transpose()) : a;
  return c.lower != c.transpose ? by(op, Lower()) : by(op, Upper());
}

struct Unit {
  static constexpr bool unit = true;
};
struct Any {
  static constexpr bool unit = false;
};

template <class M> void write_no_lu(const M& memory, const Call& c, void* const* out) {
  memory.write_nan(out[0], c.m, c.n);
  auto *pivots = static_cast<int32_t*>(out[1]), *order = static_cast<int32_t*>(out[2]);
  std::iota(pivots, pivots + std::min(c.m, c.n), 0);
  std::iota(order, order + c.m, 0);
}

// Rows are exchanged for the pivot of greatest modulus, the first of equals, column by column.
template <class T> void factor_lu(const Call& c, Matrix<T>& a, int32_t* pivots, int32_t* order) {
  const int64_t k = std::min(c.m, c.n);
  std::iota(order, order + c.m, 0);
  for (int64_t j = 0; j < k; ++j) {
    Eigen::Index at = 0;
    const auto size = a.col(j).tail(c.m - j).cwiseAbs().maxCoeff(&at);
    pivots[j] = static_cast<int32_t>(j + at);
    if (at != 0) a.row(j).swap(a.row(j + at)), std::swap(order[j], order[j + at]);
    if (size == 0) continue;
    a.col(j).tail(c.m - j - 1) /= a(j, j);
    a.bottomRightCorner(c.m - j - 1, c.n - j - 1).noalias() -= a.col(j).tail(c.m - j - 1) * a.row(j).tail(c.n - j - 1);
  }
}

}  // namespace

void cholesky(const Call& c, const void* const* in, void* const* out) {
  dispatch_matrix(c.dtype, [&](const auto memory) {
    using T = typename ElementOf<std::remove_const_t<decltype(memory)>>::type;
    if (c.n == 0) return;
    const Matrix<T> a = memory.read(in[0], c.n, c.n);
    const Eigen::LLT<Matrix<T>, Eigen::Lower> f(a);
    const Matrix<T> l = f.matrixL();
    if (f.info() != Eigen::Success || !l.allFinite()) return memory.write_nan(out[0], c.n, c.n);
    memory.write(out[0], l);
  });
}

void triangular_solve(const Call& c, const void* const* in, void* const* out) {
  dispatch_matrix(c.dtype, [&](const auto memory) {
    using T = typename ElementOf<std::remove_const_t<decltype(memory)>>::type;
    if (c.n == 0 || c.k == 0) return;
    Matrix<T> a = memory.read(in[0], c.n, c.n);
    if (c.conjugate) a = a.conjugate().eval();
    const Matrix<T> b = memory.read(in[1], c.n, c.k);
    memory.write(out[0], c.unit ? solved<T, Unit>(c, a, b) : solved<T, Any>(c, a, b));
  });
}

void lu(const Call& c, const void* const* in, void* const* out) {
  dispatch_matrix(c.dtype, [&](const auto memory) {
    using T = typename ElementOf<std::remove_const_t<decltype(memory)>>::type;
    Matrix<T> a = memory.read(in[0], c.m, c.n);
    if (!a.allFinite()) return write_no_lu(memory, c, out);
    factor_lu(c, a, static_cast<int32_t*>(out[1]), static_cast<int32_t*>(out[2]));
    memory.write(out[0], a);
  });
}

void qr(const Call& c, const void* const* in, void* const* out) {
  dispatch_matrix(c.dtype, [&](const auto memory) {
    using T = typename ElementOf<std::remove_const_t<decltype(memory)>>::type;
    const int64_t k = std::min(c.m, c.n);
    if (c.m == 0) return;
    const Matrix<T> a = memory.read(in[0], c.m, c.n);
    if (!a.allFinite()) return memory.write_nan(out[0], c.m, k), memory.write_nan(out[1], k, c.n);
    if (k == 0) return;
    const Eigen::HouseholderQR<Matrix<T>> f(a);
    Matrix<T> q = f.householderQ() * Matrix<T>::Identity(c.m, k);
    Matrix<T> r = f.matrixQR().topRows(k).template triangularView<Eigen::Upper>();
    for (int64_t i = 0; i < k; ++i) {
      const T turn = toward_real(r(i, i));
      r.row(i) *= turn;
      q.col(i) *= Eigen::numext::conj(turn);
      r(i, i) = std::abs(r(i, i));
    }
    memory.write(out[0], q), memory.write(out[1], r);
  });
}

}  // namespace viva::host
