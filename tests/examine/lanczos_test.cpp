// Lanczos' method on matrices whose eigenvalues are known, and on random ones beside Eigen.
#include "examine/lanczos.h"

#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>
#include <cmath>
#include <random>

#include "examine/statistics.h"

namespace viva {
namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

SymmetricOperator of(const Matrix& a) {
  return [a](std::span<const double> v) {
    const Vector r = a * Eigen::Map<const Vector>(v.data(), static_cast<Eigen::Index>(v.size()));
    return std::vector<double>(r.data(), r.data() + r.size());
  };
}

std::vector<double> normals(std::mt19937_64& random, size_t n) {
  std::normal_distribution<double> d;
  std::vector<double> v(n);
  for (double& x : v) x = d(random);
  return v;
}

TEST(Lanczos, OfADiagonal) {
  const Matrix a = Vector::LinSpaced(30, -4, 10).asDiagonal();
  std::mt19937_64 random(1);
  const Spectrum s = lanczos(of(a), normals(random, 30), {.most_steps = 30, .tolerance = 1e-12});
  EXPECT_NEAR(s.largest.value, 10, 1e-9);
  EXPECT_NEAR(s.smallest.value, -4, 1e-9);
  EXPECT_NEAR(std::abs(s.largest.vector[29]), 1, 1e-9);
  EXPECT_LT(s.largest.residual, 1e-8);
  EXPECT_TRUE(std::ranges::is_sorted(s.values, std::greater<>{}));
}

// Of rank one: the second direction does not exist.
TEST(Lanczos, EndsWhereNothingIsLeft) {
  const Spectrum s = lanczos(of(Matrix::Ones(50, 50)), std::vector<double>(50, 1), {});
  EXPECT_EQ(s.values.size(), 1U);
  EXPECT_NEAR(s.largest.value, 50, 1e-12);
  EXPECT_NEAR(s.largest.residual, 0, 1e-12);
  const Spectrum zero = lanczos(of(Matrix::Zero(5, 5)), {1, 2, 3, 4, 5}, {});
  EXPECT_EQ(zero.values, std::vector<double>{0});
  const Spectrum one = lanczos(of(Matrix::Constant(1, 1, -3)), {2}, {});
  EXPECT_EQ(one.largest.value, -3);
}

TEST(Lanczos, AResidualBoundsTheDistance) {
  std::mt19937_64 random(3);
  for (int run = 0; run < 20; ++run) {
    const std::vector<double> entries = normals(random, 40 * 40);
    Matrix a = Eigen::Map<const Matrix>(entries.data(), 40, 40);
    a = (a + a.transpose()).eval();
    const Vector truth = Eigen::SelfAdjointEigenSolver<Matrix>(a).eigenvalues();
    const Spectrum s = lanczos(of(a), normals(random, 40), {.most_steps = 3 + run, .tolerance = 0});
    for (size_t i = 0; i < s.values.size(); ++i)
      EXPECT_LE((truth.array() - s.values[i]).abs().minCoeff(), s.residuals[i] + 1e-9);
    EXPECT_NEAR(s.largest.residual, s.residuals.front(), 1e-9);
    EXPECT_LE(s.largest.value, truth[39] + 1e-9);
  }
}

TEST(Lanczos, StopsAtWhatIsNotFinite) {
  const Spectrum s = lanczos([](auto v) { return std::vector<double>(v.size(), NAN); }, {1, 1}, {});
  EXPECT_TRUE(s.values.empty());
  EXPECT_TRUE(std::isnan(s.largest.value));
}

// Rows of independent standard normals: the covariance of 1,000 rows of 100 has largest eigenvalue 1.706 on average
// (edge (1 + sqrt(.1))^2 = 1.732) where the truth is 1. The mean of (v'x)^2 over rows that did not choose v does not
// share the error: its one-sided limit lies below 1.
TEST(Lanczos, ALargestEigenvalueOfASampleIsTooLarge) {
  std::mt19937_64 random(5);
  const auto sample = [&](Eigen::Index n) {
    const std::vector<double> x = normals(random, static_cast<size_t>(n * 100));
    return Matrix(Eigen::Map<const Matrix>(x.data(), n, 100));
  };
  const int draws = std::getenv("VIVA_LONG") ? 10000 : 60;
  double sum = 0;
  int below = 0;
  for (int i = 0; i < draws; ++i) {
    const Matrix a = sample(1000), b = sample(1000);
    const Spectrum s = lanczos(of(a.transpose() * a / 1000), normals(random, 100), {.tolerance = 1e-4});
    sum += s.largest.value;
    const Vector v = Eigen::Map<const Vector>(s.largest.vector.data(), 100);
    const Vector along = (b * v).array().square();
    below += *student_t_lower({along.data(), static_cast<size_t>(along.size())}, .05) <= 1;
  }
  EXPECT_NEAR(sum / draws, 1.706, 4 * .027 / std::sqrt(draws) + .002);
  EXPECT_GE(below, std::floor(.943 * draws) - (draws < 1000 ? 4 * std::sqrt(.05 * .95 * draws) : 0));
}

}  // namespace
}  // namespace viva
