// Matrices of Eigen from and to memory. Copied, never mapped: Eigen's sums depend on how memory is aligned. Single
// precision is computed in double and rounded once.
#pragma once

#include <Eigen/Core>
#include <limits>

#include "ops/linalg_host.h"

namespace viva::host {

template <class T> using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;

// T is the type of the elements in memory.
template <class T, class W> void read(const void* from, Matrix<W>& x) {
  const auto* numbers = static_cast<const T*>(from);
  for (Eigen::Index i = 0; i < x.rows(); ++i)
    for (Eigen::Index j = 0; j < x.cols(); ++j) x(i, j) = static_cast<W>(numbers[i * x.cols() + j]);
}
template <class T, class W> void write(void* to, const Matrix<W>& x) {
  auto* numbers = static_cast<T*>(to);
  for (Eigen::Index i = 0; i < x.rows(); ++i)
    for (Eigen::Index j = 0; j < x.cols(); ++j) numbers[i * x.cols() + j] = static_cast<T>(x(i, j));
}

// Memory of the call, in double precision or single; W is double or complex<double>, in which everything is computed.
template <class W> struct Memory {
  bool single = false;
  using Single = std::conditional_t<is_std_complex<W>, std::complex<float>, float>;

  Matrix<W> read(const void* from, int64_t m, int64_t n) const {
    Matrix<W> x(m, n);
    single ? host::read<Single>(from, x) : host::read<W>(from, x);
    return x;
  }
  void write(void* to, const Matrix<W>& x) const { single ? host::write<Single>(to, x) : host::write<W>(to, x); }
  void write_real(void* to, const Matrix<double>& x) const {
    single ? host::write<float>(to, x) : host::write<double>(to, x);
  }
  void write_nan(void* to, int64_t m, int64_t n) const {
    write(to, Matrix<W>::Constant(m, n, W(std::numeric_limits<double>::quiet_NaN())));
  }
};

// Calls f(Memory<W>).
template <class F> void dispatch_matrix(Dtype d, F&& f) {
  const bool single = d == Dtype::float32 || d == Dtype::complex64;
  if (is_complex(d)) f(Memory<std::complex<double>>{single});
  else f(Memory<double>{single});
}

template <class M> struct ElementOf;
template <class W> struct ElementOf<Memory<W>> {
  using type = W;
};

// The unit number by which x is turned to be real and not negative.
template <class T> T toward_real(T x) {
  const double size = std::abs(x);
  return size == 0 ? T(1) : Eigen::numext::conj(x) / size;
}

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

}  // namespace viva::host
