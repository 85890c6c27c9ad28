// The ends of the spectrum of a symmetric operator that is known by its products alone.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace viva {

// Applied to a vector of n numbers gives as many.
using SymmetricOperator = std::function<std::vector<double>(std::span<const double>)>;

struct RitzPair {
  double value = 0;
  double residual = 0;         // ||A v - value v||, computed from a product of its own
  std::vector<double> vector;  // of length 1
};

struct Spectrum {
  std::vector<double> values;     // Ritz values, descending
  std::vector<double> residuals;  // of each, as the recurrence gives it: ||A v - value v|| but for rounding
  RitzPair largest, smallest;
  int64_t products = 0;
};

struct LanczosOptions {
  int64_t most_steps = 40;
  double tolerance = 1e-3;  // stops where the largest value's residual is below so much of its magnitude
};

// Lanczos' method with full reorthogonalisation from `start`, which is not zero (Golub and Van Loan, Matrix
// Computations, 4th edition, section 10.3). Every eigenvalue of A lies within `residual` of each value, but the largest
// Ritz value may lie below the largest eigenvalue. An operator that gives a number that is not finite ends it: the
// values so far, NaN where there are none.
Spectrum lanczos(const SymmetricOperator& a, std::vector<double> start, const LanczosOptions& options);

}  // namespace viva
