#include <cmath>

#include "peer/programs/programs.h"

namespace viva::peer {

namespace {

Program einsum_of(std::string spec) {
  return [spec](In x) { return einsum(spec, x); };
}

Programs products() {
  return {
      {"matmul", [](In x) { return matmul(x[0], x[1]); }},
      {"dot", dot},
      {"inner", inner},
      {"vdot", vdot},
      {"outer", outer},
      {"kron", kron},
      {"cross", cross},
      {"tensordot", [](In x) { return tensordot(x[0], x[1], {0, 2}, {1, 0}); }},
      {"einsum_batch", einsum_of("bij,bkj->bik")},
      {"einsum_trace", einsum_of("iij->j")},
      {"einsum_chain", einsum_of("ij,jk,kl->il")},
      {"einsum_bilinear", einsum_of("bi,ijk,bk->bj")},
      {"einsum_hadamard", einsum_of("ij,ij->i")},
      {"quadratic_form", [](In x) { return sum(x[0] * matmul(x[1], x[0])); }},
      {"gram_softmax", [](In x) { return softmax(matmul(x[0], transpose(x[0]))); }},
      {"matrix_polynomial", [](In x) { return matmul(x[0], matmul(x[0], x[0]) + 2 * x[0]) + eye(3, x[0].dtype()); }},
      {"low_rank", [](In x) { return sum(square(matmul(x[0], transpose(x[1])) - x[2])); }},
      {"trace", [](In x, const Ints& k) { return trace(x[0], k[0]); }},
      {"diagonal", [](In x, const Ints& k) { return diagonal(x[0], k[0]); }},
      {"diag", [](In x, const Ints& k) { return diag(x[0], k[0]); }},
      {"cov", [](In x) { return cov(x[0]); }},
      {"corrcoef", corrcoef},
      {"polyval", polyval},
      {"convolve", [](In x, const Ints& mode) { return convolve(x[0], x[1], static_cast<ConvolveMode>(mode[0])); }},
  };
}

// cholesky takes the symmetric part first, as jax.numpy.linalg.cholesky does.
Programs factors() {
  return {
      {"cholesky", cholesky},
      {"cholesky_log_det", [](In x) { return 2 * sum(log(real(diagonal(cholesky(x[0]))))); }},
      {"solve_triangular",
       [](In x, const Ints& s) { return solve_triangular(x[0], x[1], s[0] != 0, static_cast<Op>(s[1]), s[2] != 0); }},
      {"solve", solve},
      {"inv", inv},
      {"det", det},
      {"slogdet", [](In x) { return slogdet(x[0]).log; }},
      {"lu", [](In x) { return lu_factor(x[0]).lu; }},
      {"qr", [](In x) { return all_of({qr(x[0]).q, qr(x[0]).r}); }},
      {"eigh_values", [](In x) { return eigh(x[0]).values; }},
      {"eigh_vectors", [](In x) { return eigh(x[0]).vectors; }},
      {"svd_values", [](In x) { return svd(x[0]).s; }},
      {"svd_vectors", [](In x) { return all_of({svd(x[0]).u, svd(x[0]).vh}); }},
      {"nuclear_norm", [](In x) { return sum(svd(x[0]).s); }},
      {"spectral_log",
       [](In x) {
         const auto [values, vectors] = eigh(x[0]);
         return matmul(vectors * log(values), transpose(vectors));
       }},
      {"gaussian_density",
       [](In x) {
         const Tensor l = cholesky(x[1]);
         return -sum(square(solve_triangular(l, x[0], true))) / 2 - sum(log(diagonal(l)));
       }},
      {"ridge",
       [](In x) {
         const Tensor t = transpose(x[0]);
         return solve(matmul(t, x[0]) + exp(x[2]) * eye(3, x[0].dtype()), matmul(t, x[1]));
       }},
      {"schur",
       [](In x) {
         const Tensor a = x[0](range(0, 2), range(0, 2)), b = x[0](range(0, 2), range(2));
         return x[0](range(2), range(2)) - matmul(transpose(b), solve(a, b));
       }},
      {"projection",
       [](In x) {
         const Tensor q = qr(x[0]).q;
         return matmul(q, matmul(transpose(q), x[1]));
       }},
      {"cayley",
       [](In x) {
         const Tensor s = x[0] - transpose(x[0]), i = eye(3, x[0].dtype());
         return solve(i + s, i - s);
       }},
  };
}

Programs spectra() {
  return {
      {"fft", [](In x, const Ints& s) { return fft(x[0], s[0]); }},
      {"ifft", [](In x, const Ints& s) { return ifft(x[0], s[0]); }},
      {"rfft", [](In x, const Ints& s) { return rfft(x[0], s[0]); }},
      {"irfft", [](In x, const Ints& s) { return irfft(x[0], s[0], s[1]); }},
      {"power_spectrum", [](In x) { return square(abs(fft(x[0]))); }},
      {"circular_convolution", [](In x) { return real(ifft(fft(x[0]) * fft(x[1]))); }},
      {"spectral_derivative",
       [](In x) {
         const Tensor k = tensor({0, 1, 2, 3, 0, -3, -2, -1}, x[0].dtype());
         return real(ifft(complex(zeros_like(k), k) * fft(sin(x[0]))));
       }},
      {"fft_2d", [](In x) { return fft(fft(x[0], 0), 1); }},
  };
}

}  // namespace

Programs matrix_programs() {
  Programs all = products();
  all.merge(factors());
  all.merge(spectra());
  return all;
}

}  // namespace viva::peer
