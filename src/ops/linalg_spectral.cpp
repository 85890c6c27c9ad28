// Eigenvalues, singular values and Fourier transforms, by Eigen.
#include <Eigen/Eigenvalues>
#include <Eigen/SVD>
#include <unsupported/Eigen/FFT>

#include "ops/linalg_matrix.h"

namespace viva::host {
namespace {

// The unit number that makes the first greatest element of each column real and positive.
template <class T> Matrix<T> turns_of(const Matrix<T>& v) {
  Matrix<T> turns(1, v.cols());
  for (Eigen::Index j = 0; j < v.cols(); ++j) {
    Eigen::Index at = 0;
    v.col(j).cwiseAbs().maxCoeff(&at);
    turns(0, j) = toward_real(v(at, j));
  }
  return turns;
}

}  // namespace

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

struct Fourier::Plans {
  Eigen::FFT<double> fft;
  std::vector<std::complex<double>> result;
};

Fourier::Fourier() : plans_(new Plans) {}
Fourier::~Fourier() { delete plans_; }

void Fourier::run(std::complex<double>* x, int64_t n, bool inverse) {
  if (n <= 1) return;
  plans_->result.resize(static_cast<size_t>(n));
  if (inverse) plans_->fft.inv(plans_->result.data(), x, n);
  else plans_->fft.fwd(plans_->result.data(), x, n);
  std::copy(plans_->result.begin(), plans_->result.end(), x);
}

}  // namespace viva::host
