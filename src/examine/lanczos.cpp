#include "examine/lanczos.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>

namespace viva {
namespace {

using Vector = Eigen::VectorXd;

Vector product(const SymmetricOperator& a, const Vector& v) {
  const std::vector<double> r = a({v.data(), static_cast<size_t>(v.size())});
  return Eigen::Map<const Vector>(r.data(), static_cast<Eigen::Index>(r.size()));
}

class Lanczos {
 public:
  Lanczos(const SymmetricOperator& a, const Vector& start, const LanczosOptions& options)
      : a_(a), options_(options), next_(start / start.norm()) {}

  Spectrum run() {
    const int64_t most = std::min<int64_t>(options_.most_steps, next_.size());
    while (std::ssize(basis_) < most && step() && !converged()) {}
    solve();
    Spectrum s;
    const auto k = static_cast<Eigen::Index>(diagonal_.size());
    for (Eigen::Index i = k; i-- > 0;) {
      s.values.push_back(values_[i]);
      s.residuals.push_back(residual(i));
    }
    s.largest = pair(k - 1);
    s.smallest = pair(0);
    s.products = products_;
    return s;
  }

 private:
  // False where there is no further direction.
  bool step() {
    basis_.push_back(next_);
    Vector w = product(a_, next_);
    ++products_;
    if (!w.allFinite()) {
      basis_.pop_back();
      return false;
    }
    diagonal_.push_back(w.dot(next_));
    // Twice is enough (Parlett and Kahan).
    for (int pass = 0; pass < 2; ++pass)
      for (const Vector& v : basis_) w -= v.dot(w) * v;
    coupling_ = w.norm();
    const double scale = std::max(std::abs(diagonal_.back()), beside_.empty() ? 0 : beside_.back());
    if (coupling_ <= 1e-12 * scale || coupling_ == 0) {
      coupling_ = 0;
      return false;
    }
    beside_.push_back(coupling_);
    next_ = w / coupling_;
    return true;
  }

  bool converged() {
    solve();
    const auto last = static_cast<Eigen::Index>(diagonal_.size()) - 1;
    return residual(last) <= options_.tolerance * std::abs(values_[last]);
  }

  void solve() {
    const auto k = static_cast<Eigen::Index>(diagonal_.size());
    if (k == 0) return;
    Vector beside = Vector::Zero(std::max<Eigen::Index>(k - 1, 0));
    for (Eigen::Index i = 0; i + 1 < k; ++i) beside[i] = beside_[static_cast<size_t>(i)];
    Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver;
    solver.computeFromTridiagonal(Eigen::Map<const Vector>(diagonal_.data(), k), beside);
    values_ = solver.eigenvalues();
    vectors_ = solver.eigenvectors();
  }

  double residual(Eigen::Index i) const {
    return coupling_ * std::abs(vectors_(static_cast<Eigen::Index>(diagonal_.size()) - 1, i));
  }

  RitzPair pair(Eigen::Index i) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    if (diagonal_.empty()) return {nan, nan, {}};
    Vector v = Vector::Zero(next_.size());
    for (size_t j = 0; j < diagonal_.size(); ++j) v += vectors_(static_cast<Eigen::Index>(j), i) * basis_[j];
    v /= v.norm();
    const Vector moved = product(a_, v);
    ++products_;
    return {values_[i], (moved - values_[i] * v).norm(), {v.data(), v.data() + v.size()}};
  }

  const SymmetricOperator& a_;
  LanczosOptions options_;
  std::vector<Vector> basis_;
  std::vector<double> diagonal_, beside_;
  double coupling_ = 0;
  Vector next_, values_;
  Eigen::MatrixXd vectors_;
  int64_t products_ = 0;
};

}  // namespace

Spectrum lanczos(const SymmetricOperator& a, std::vector<double> start, const LanczosOptions& options) {
  return Lanczos(a, Eigen::Map<const Vector>(start.data(), static_cast<Eigen::Index>(start.size())), options).run();
}

}  // namespace viva
