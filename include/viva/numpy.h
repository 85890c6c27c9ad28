// More functions by NumPy's names, made of those of viva/functions.h and under the same rules. What NumPy has and this
// has not needs an order (sort, median, quantile, unique) or gives shapes that depend on data (nonzero, compress).
#pragma once

#include "viva/functions.h"

namespace viva {

// Pointwise; of integers in float32.
Tensor tan(const Arg& x);
Tensor asin(const Arg& x);
Tensor acos(const Arg& x);
Tensor atan(const Arg& x);
Tensor sinh(const Arg& x);
Tensor cosh(const Arg& x);
Tensor asinh(const Arg& x);
Tensor acosh(const Arg& x);
Tensor atanh(const Arg& x);
Tensor exp2(const Arg& x);
Tensor log2(const Arg& x);
Tensor log10(const Arg& x);
Tensor cbrt(const Arg& x);                      // also below 0
Tensor erf_inv(const Arg& x);                   // ±∞ at ±1, NaN beyond
Tensor lgamma(const Arg& x);                    // log|Γ(x)|, ∞ at the poles
Tensor digamma(const Arg& x);                   // its derivative ψ
Tensor polygamma(int64_t order, const Arg& x);  // the derivative of ψ so often, 0 to 100
// So many units in the last place up or down, as that many steps of nextafter; its derivative is that of the identity.
Tensor widen(const Arg& x, bool up, int64_t ulps = 1);
Tensor sinc(const Arg& x);                        // sin(πx) / (πx), 1 at 0
Tensor logaddexp(const Arg& x, const Arg& y);     // log(e^x + e^y), without overflow
Tensor hypot(const Arg& x, const Arg& y);         // √(x² + y²), without overflow; its slope at the origin is 0
Tensor trunc(const Arg& x);                       // towards 0
Tensor floor_divide(const Arg& x, const Arg& y);  // the quotient rounded down; integers: 0 where y is 0
Tensor remainder(const Arg& x, const Arg& y);     // x - y·floor(x / y), the sign of y (% has that of x)
Tensor copysign(const Arg& x, const Arg& y);      // |x| with the sign of y, that of a zero included
Tensor heaviside(const Arg& x, const Arg& at_zero);
Tensor is_inf(const Arg& x);
Tensor nan_to_num(const Arg& x, double nan = 0);  // infinities become the greatest and the lowest number
Tensor is_close(const Arg& x, const Arg& y, double relative = 1e-5, double absolute = 1e-8);
Tensor all_close(const Arg& x, const Arg& y, double relative = 1e-5, double absolute = 1e-8);  // a bool scalar
Tensor array_equal(const Arg& x, const Arg& y);  // a bool scalar; false where the shapes differ
Tensor is_in(const Arg& x, const Arg& values);   // whether each element is one of the values
// The choice of the first condition that holds, else otherwise.
Tensor select(const std::vector<Tensor>& conditions, const std::vector<Tensor>& choices, const Arg& otherwise = 0);

// Reductions. std_dev and norm have slope 0 where they are 0.
Tensor std_dev(const Arg& x, const Axes& axes = {}, bool keep = false, double degrees = 0);
Tensor norm(const Arg& x, const Axes& axes = {}, bool keep = false,
            double order = 2);  // (Σ|x|^order)^(1/order); ∞: max
Tensor average(const Arg& x, const Arg& weights, const Axes& axes = {}, bool keep = false);
Tensor ptp(const Arg& x, const Axes& axes = {}, bool keep = false);  // max - min
Tensor count_nonzero(const Arg& x, const Axes& axes = {}, bool keep = false);
Tensor nan_sum(const Arg& x, const Axes& axes = {}, bool keep = false);   // NaN counts as 0
Tensor nan_mean(const Arg& x, const Axes& axes = {}, bool keep = false);  // of what is not NaN; NaN where all is
Tensor nan_max(const Arg& x, const Axes& axes = {}, bool keep = false);
Tensor nan_min(const Arg& x, const Axes& axes = {}, bool keep = false);
Tensor cumprod(const Arg& x, int64_t axis);
Tensor cummax(const Arg& x, int64_t axis);
Tensor cummin(const Arg& x, int64_t axis);
Tensor diff(const Arg& x, int64_t times = 1, int64_t axis = -1);       // neighbours' differences
Tensor gradient(const Arg& x, double spacing = 1, int64_t axis = -1);  // central differences, one-sided at the ends
Tensor trapezoid(const Arg& y, double spacing = 1, int64_t axis = -1);

// Linear algebra.
Tensor dot(const Arg& x, const Arg& y);                          // over the last axis of x and the last but one of y
Tensor inner(const Arg& x, const Arg& y);                        // over the last axes
Tensor vdot(const Arg& x, const Arg& y);                         // of all elements, those of x conjugated
Tensor tensordot(const Arg& x, const Arg& y, int64_t axes = 2);  // the last axes of x with the first of y
Tensor tensordot(const Arg& x, const Arg& y, const Ints& x_axes, const Ints& y_axes);
Tensor kron(const Arg& x, const Arg& y);
Tensor cross(const Arg& x, const Arg& y);      // of vectors of 3 along the last axis
Tensor diagonal(const Arg& x, int64_t k = 0);  // diagonal k of the last two axes, as the last axis
Tensor diag(const Arg& x, int64_t k = 0);      // a matrix of a vector, or the diagonal of a matrix
Tensor trace(const Arg& x, int64_t k = 0);     // the sum of diagonal k of the last two axes
Tensor cov(const Arg& x, double degrees = 1);  // of rows; each column is an observation
Tensor corrcoef(const Arg& x);
Tensor polyval(const Arg& coefficients, const Arg& x);  // highest power first
enum class ConvolveMode : uint8_t { full, same, valid };
Tensor convolve(const Arg& x, const Arg& y, ConvolveMode mode = ConvolveMode::full);  // of vectors

// Shapes.
Tensor flatten(const Arg& x);  // one axis, row-major
Tensor tile(const Arg& x, const Ints& times);
Tensor repeat(const Arg& x, int64_t times, int64_t axis);  // each entry so often
std::vector<Tensor> meshgrid(const std::vector<Tensor>& xs, bool matrix = false, Loc = Loc::current());  // matrix: "ij"
Tensor at_least_1d(const Arg& x);
Tensor at_least_2d(const Arg& x);  // a vector becomes a row
Tensor at_least_3d(const Arg& x);
Tensor hstack(const std::vector<Tensor>& xs, Loc = Loc::current());
Tensor vstack(const std::vector<Tensor>& xs, Loc = Loc::current());
Tensor rot90(const Arg& x, int64_t times = 1);  // the first two axes
Tensor logspace(double start, double stop, int64_t count, Dtype d = Dtype::float32, Loc = Loc::current());
enum class PadMode : uint8_t { edge, reflect, wrap };
Tensor pad(const Arg& x, const Ints& low, const Ints& high, PadMode mode);

// Order: ascending, equal elements as they came, NaN last; descending: the greatest first, NaN last still.
Tensor sort(const Arg& x, int64_t axis = -1, bool descending = false);
Tensor argsort(const Arg& x, int64_t axis = -1, bool descending = false);  // int32
struct Top {
  Tensor values, indices;  // int32
};
Top top_k(const Arg& x, int64_t k, int64_t axis = -1);  // the k greatest, greatest first; of equals the first
// Linear between neighbours; NaN where there is one. Without an axis: of all elements.
Tensor quantile(const Arg& x, double q, std::optional<int64_t> axis = {}, bool keep = false);
Tensor median(const Arg& x, std::optional<int64_t> axis = {}, bool keep = false);

// Positions and counts.
Tensor searchsorted(const Arg& sorted, const Arg& x, bool right = false);  // how many of a sorted vector lie below x
Tensor interp(const Arg& x, const Arg& xp, const Arg& fp);                 // linear between points of increasing xp
Tensor bincount(const Arg& x, int64_t length);                             // of integers; those outside are dropped
Tensor bincount(const Arg& x, int64_t length, const Arg& weights);
Tensor histogram(const Arg& x,
                 const Arg& edges);  // int32 counts between sorted edges; the last bin has both of its ends

}  // namespace viva
