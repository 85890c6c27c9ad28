// Linear algebra, complex numbers and Fourier transforms of tensors: values, gradients, batches and messages.
#include <gtest/gtest.h>

#include <cmath>

#include "viva/viva.h"

namespace viva {
namespace {

constexpr Dtype f64 = Dtype::float64;

void near(const Tensor& got, const std::vector<double>& want, double tolerance = 1e-12) {
  const Array a = got.array();
  ASSERT_EQ(a.size(), static_cast<int64_t>(want.size()));
  for (int64_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a.at(i), want[static_cast<size_t>(i)], tolerance) << i;
}
template <class F> std::string message(F&& f) {
  try {
    f();
  } catch (const Error& e) { return e.what(); }
  return "";
}

const Tensor a = tensor({{4, 1}, {2, 3}}, f64);

TEST(TensorLinalg, SolvesAndInverts) {
  near(solve(a, tensor({1, 2}, f64)), {0.1, 0.6});
  near(inv(a), {0.3, -0.1, -0.2, 0.4});
  near(det(a), {10});
  near(slogdet(a).log, {std::log(10)}), near(slogdet(a).sign, {1});
  near(det(tensor({{0, 1}, {1, 0}}, f64)), {-1});
  near(matmul(a, inv(a)), {1, 0, 0, 1});
  const Tensor two = stack({a, a * 2.0});
  near(solve(two, ones({2, 2, 1}, f64)), {0.2, 0.2, 0.1, 0.1});
  near(solve_triangular(tensor({{2, 0}, {1, 4}}, f64), tensor({2, 5}, f64), true), {1, 1});
  EXPECT_EQ(solve(convert(a, Dtype::float16), tensor({1, 2}, Dtype::float16)).dtype(), Dtype::float32);
}

// d log|det a| = a⁻ᵀ; d tr(a⁻¹) = -a⁻² transposed.
TEST(TensorLinalg, Gradients) {
  near(grad([](const Tensor& x) { return slogdet(x).log; })(a), {0.3, -0.2, -0.1, 0.4});
  near(grad([](const Tensor& x) { return trace(inv(x)); })(a), {-0.11, 0.14, 0.07, -0.18});
  // Symmetric through (x + xᵀ)/2: d tr(cholesky) of a diagonal matrix is 1/(2√d).
  near(grad([](const Tensor& x) { return trace(cholesky(x)); })(tensor({{4, 0}, {0, 9}}, f64)), {0.25, 0, 0, 1.0 / 6});
  near(grad([](const Tensor& x) { return sum(eigh(x).values); })(a), {1, 0, 0, 1});
  near(grad([](const Tensor& x) { return sum(square(svd(x).s)); })(a), {8, 2, 4, 6});
  near(grad([](const Tensor& x) { return sum(square(qr(x).r)); })(a), {8, 2, 4, 6});
  const auto batched = vmap(grad([](const Tensor& x) { return slogdet(x).log; }))(stack({a, a * 2.0}));
  near(batched, {0.3, -0.2, -0.1, 0.4, 0.15, -0.1, -0.05, 0.2});
}

TEST(TensorComplex, ArithmeticAndGradients) {
  const Tensor z = complex(tensor({3, 0}, f64), tensor({4, -1}, f64));
  EXPECT_EQ(z.dtype(), Dtype::complex128);
  EXPECT_EQ(complex(tensor({1}, Dtype::float16), 2).dtype(), Dtype::complex64);
  near(abs(z), {5, 1}), near(angle(z), {std::atan2(4, 3), -M_PI / 2});
  near(real(z * conj(z)), {25, 1}), near(imag(z * conj(z)), {0, 0});
  near(real(2.0), {2}), near(imag(tensor({1, 2}, f64)), {0, 0});
  near(norm(z), {std::sqrt(26)});
  near(real(vdot(z, z)), {26});
  const Tensor g = grad([](const Tensor& x) { return sum(square(abs(x))); })(z);
  near(real(g), {6, 0}), near(imag(g), {-8, 2});
  near(real(grad([](const Tensor& x) { return sum(real(x * stop_gradient(x))); })(z)), {3, 0});
  EXPECT_NE(message([&] { convert(z, f64); }).find("take its real part"), std::string::npos);
  EXPECT_NE(message([&] { maximum(z, z); }).find("not c128"), std::string::npos);
}

TEST(TensorFourier, RealFormsAndParseval) {
  const Tensor x = tensor({1, 2, -1, 4, 0.5}, f64);
  const Tensor full = fft(x), half = rfft(x);
  EXPECT_EQ(half.shape(), Shape{3});
  near(real(half), {6.5, -0.6545084971874743, -0.09549150281252483});
  near(imag(half), {0, 1.512341487019635, -5.636960459914478});
  near(irfft(half, 5), {1, 2, -1, 4, 0.5});
  near(real(ifft(full)), {1, 2, -1, 4, 0.5});
  near(sum(square(abs(full))) / 5.0, {sum(square(x)).item()});
  const std::vector<double> numbers{1, 2, -1, 4};
  for (int64_t n = 1; n <= 4; ++n) near(irfft(rfft(x(range(0, n))), n), {numbers.begin(), numbers.begin() + n});
  near(grad([](const Tensor& v) { return sum(square(abs(fft(v)))); })(x), {10, 20, -10, 40, 5});
  EXPECT_NE(message([&] { irfft(half, 9); }).find("does not make 9 real numbers"), std::string::npos);
}

TEST(TensorQuantize, ThereAndBack) {
  const Tensor x = tensor({-1, 0.26, 3, 100}, f64), zero = scalar(3, Dtype::int8);
  const Tensor q = quantize(x, 0.5, zero);
  EXPECT_EQ(q.dtype(), Dtype::int8);
  near(q, {1, 4, 9, 127});
  near(dequantize(q, scalar(0.5, f64), zero), {-1, 0.5, 3, 62});
}

TEST(TensorSpecial, GammaFunctions) {
  near(lgamma(5.0), {std::log(24.0f)}, 1e-6);
  near(grad([](const Tensor& x) { return lgamma(x); })(scalar(1, f64)), {-0.57721566490153286});
  near(digamma(scalar(1, f64)), {-0.57721566490153286});
  near(polygamma(1, scalar(1, f64)), {M_PI * M_PI / 6});
  near(erf_inv(erf(scalar(0.3, f64))), {0.3});
  EXPECT_GT(widen(scalar(1, f64), true).item(), 1);
  EXPECT_NE(message([] { polygamma(101, scalar(1, f64)); }).find("outside 0 to 100"), std::string::npos);
}

TEST(TensorLinalg, Messages) {
  EXPECT_NE(message([] { inv(ones({2, 3})); }).find("[inv] f32[2,3] holds matrices that are not square"),
            std::string::npos);
  EXPECT_NE(message([] { solve(a, ones({3}, f64)); }).find("does not fit"), std::string::npos);
  EXPECT_NE(message([] { cholesky(ones({2})); }).find("no matrix"), std::string::npos);
  EXPECT_NE(message([] { rfft(complex(ones({2}), 0)); }).find("use fft"), std::string::npos);
}

}  // namespace
}  // namespace viva
