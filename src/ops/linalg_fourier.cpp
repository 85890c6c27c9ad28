// Fourier transforms, by Eigen.
#include <unsupported/Eigen/FFT>

#include "ops/linalg_host.h"

namespace viva::host {

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
