// Functions of tensors, by NumPy's names and rules of broadcasting. Operands are tensors or C++ numbers; dtypes follow
// promote (viva/tensor.h). Axes count from the end where negative. Every function throws a usage error, with the line
// of the call, where shapes or dtypes do not fit.
#pragma once

#include <optional>
#include <string_view>

#include "viva/tensor.h"

namespace viva {

// Arithmetic. Integers divide as in C++, and x / 0 = 0, x % 0 = x.
Tensor operator+(const Arg& x, const Arg& y);
Tensor operator-(const Arg& x, const Arg& y);
Tensor operator*(const Arg& x, const Arg& y);
Tensor operator/(const Arg& x, const Arg& y);
Tensor operator%(const Arg& x, const Arg& y);
Tensor operator-(const Arg& x);
Tensor& operator+=(Tensor& x, const Arg& y);
Tensor& operator-=(Tensor& x, const Arg& y);
Tensor& operator*=(Tensor& x, const Arg& y);
Tensor& operator/=(Tensor& x, const Arg& y);
Tensor pow(const Arg& x, const Arg& y);
Tensor maximum(const Arg& x, const Arg& y);  // NaN wins
Tensor minimum(const Arg& x, const Arg& y);
Tensor atan2(const Arg& y, const Arg& x);
Tensor clip(const Arg& x, const Arg& low, const Arg& high);

// Comparison gives bool; logic is of bool, or of the bits of integers.
Tensor operator==(const Arg& x, const Arg& y);
Tensor operator!=(const Arg& x, const Arg& y);
Tensor operator<(const Arg& x, const Arg& y);
Tensor operator<=(const Arg& x, const Arg& y);
Tensor operator>(const Arg& x, const Arg& y);
Tensor operator>=(const Arg& x, const Arg& y);
Tensor operator&(const Arg& x, const Arg& y);
Tensor operator|(const Arg& x, const Arg& y);
Tensor operator^(const Arg& x, const Arg& y);
Tensor operator~(const Arg& x);                  // ! asks for the value
Tensor shift_left(const Arg& x, const Arg& by);  // 0 where by is the width or more
Tensor shift_right(const Arg& x, const Arg& by);
// on_true where the predicate (bool) holds, else on_false.
Tensor where(const Arg& predicate, const Arg& on_true, const Arg& on_false);

// Pointwise. The functions of analysis convert integers to float32.
Tensor abs(const Arg& x);
Tensor sign(const Arg& x);
Tensor floor(const Arg& x);
Tensor ceil(const Arg& x);
Tensor round(const Arg& x);  // halves to even
Tensor exp(const Arg& x);
Tensor expm1(const Arg& x);
Tensor log(const Arg& x);
Tensor log1p(const Arg& x);
Tensor sqrt(const Arg& x);
Tensor rsqrt(const Arg& x);
Tensor square(const Arg& x);
Tensor sin(const Arg& x);
Tensor cos(const Arg& x);
Tensor tanh(const Arg& x);
Tensor erf(const Arg& x);
Tensor sigmoid(const Arg& x);   // 1 / (1 + e^-x)
Tensor softplus(const Arg& x);  // log(1 + e^x)
Tensor relu(const Arg& x);      // x where x > 0, else 0; its slope at 0 is 0
Tensor silu(const Arg& x);      // x · sigmoid(x)
Tensor gelu(const Arg& x);      // x · (1 + erf(x / √2)) / 2
Tensor is_finite(const Arg& x);
Tensor is_nan(const Arg& x);
Tensor convert(const Arg& x, Dtype d);
// Complex numbers. Of real operands real is x, imag 0, conj x. The derivative of a real function by a complex input is
// the conjugate of the direction of steepest ascent.
Tensor complex(const Arg& re, const Arg& im);  // complex64 of float32, complex128 of float64
Tensor real(const Arg& x);
Tensor imag(const Arg& x);
Tensor conj(const Arg& x);
Tensor angle(const Arg& x);                       // in (-π, π]
Tensor bitcast(const Arg& x, Dtype d);            // the same bits as a dtype of the same size
Tensor stop_gradient(const Arg& x);               // x, as a constant of every derivative
Tensor tap(const Arg& x, std::string_view name);  // x under a name, for probe and intervene

// Reductions: over the axes given, or over all. keep leaves extents of 1 behind. Of float16 and bfloat16, what is made
// of sums (mean, variance, logsumexp, softmax, mean_pool) is computed in float32 and rounded once.
struct Axes {
  Axes() = default;
  Axes(int axis) : list{axis}, all(false) {}
  Axes(int64_t axis) : list{axis}, all(false) {}
  Axes(std::initializer_list<int64_t> axes) : list(axes), all(false) {}
  Axes(Ints axes) : list(std::move(axes)), all(false) {}
  Ints list;
  bool all = true;
};
Tensor sum(const Arg& x, const Axes& axes = {}, bool keep = false);   // bool is counted as int32
Tensor mean(const Arg& x, const Axes& axes = {}, bool keep = false);  // of no elements NaN, as in NumPy and torch
Tensor max(const Arg& x, const Axes& axes = {}, bool keep = false);   // of equal maxima each gets a share of the slope
Tensor min(const Arg& x, const Axes& axes = {}, bool keep = false);
Tensor prod(const Arg& x, const Axes& axes = {}, bool keep = false);
Tensor all(const Arg& x, const Axes& axes = {}, bool keep = false);
Tensor any(const Arg& x, const Axes& axes = {}, bool keep = false);
Tensor variance(const Arg& x, const Axes& axes = {}, bool keep = false,
                double degrees = 0);        // Σ(x - mean)² / (n - degrees)
Tensor argmax(const Arg& x, int64_t axis);  // int32; the first of equal maxima, or of NaN
Tensor argmin(const Arg& x, int64_t axis);
Tensor cumsum(const Arg& x, int64_t axis, bool reverse = false);
Tensor logsumexp(const Arg& x, const Axes& axes = {}, bool keep = false);
Tensor softmax(const Arg& x, int64_t axis = -1);
Tensor log_softmax(const Arg& x, int64_t axis = -1);

// Contractions. result: the dtype of the sum; the operands' where none is given.
Tensor matmul(const Arg& x, const Arg& y, std::optional<Dtype> result = {});  // as NumPy: batches broadcast
Tensor outer(const Arg& x, const Arg& y);                                     // of vectors
// Sums of products by names of dimensions: einsum("bij,bjk->bik", {x, y}). Without "->" the names that occur once, in
// alphabetical order, remain.
Tensor einsum(std::string_view spec, const std::vector<Tensor>& operands, Loc = Loc::current());

// Movement.
Tensor reshape(const Arg& x, const Shape& shape);  // one extent may be -1
Tensor transpose(const Arg& x);                    // all axes reversed
Tensor transpose(const Arg& x, const Ints& axes);  // result axis i is axis axes[i] of x
Tensor swap_axes(const Arg& x, int64_t a, int64_t b);
Tensor move_axis(const Arg& x, int64_t from, int64_t to);
Tensor broadcast_to(const Arg& x, const Shape& shape);
Tensor expand_dims(const Arg& x, int64_t axis);
Tensor squeeze(const Arg& x, const Axes& axes = {});  // axes of extent 1; all of them where none is given
Tensor flip(const Arg& x, const Axes& axes = {});
Tensor roll(const Arg& x, int64_t by, int64_t axis);
Tensor pad(const Arg& x, const Ints& low, const Ints& high, const Number& value = 0);  // negative: crops
Tensor concatenate(const std::vector<Tensor>& xs, int64_t axis = 0, Loc = Loc::current());
Tensor stack(const std::vector<Tensor>& xs, int64_t axis = 0, Loc = Loc::current());
std::vector<Tensor> split(const Arg& x, int64_t parts, int64_t axis = 0);  // equal parts
std::vector<Tensor> split_at(const Arg& x, const Ints& places, int64_t axis = 0);
Tensor tril(const Arg& x, int64_t k = 0);  // zero above diagonal k of the last two axes
Tensor triu(const Arg& x, int64_t k = 0);

// By index tensors. Negative indices count from the end; an index outside is clipped.
Tensor take(const Arg& x, const Arg& indices, int64_t axis);        // indices' shape in place of the axis
Tensor take_along(const Arg& x, const Arg& indices, int64_t axis);  // one index for each place of the result
Tensor one_hot(const Arg& indices, int64_t classes, Dtype d = Dtype::float32);  // all zero for an index outside

// Convolutions and windows, dimensions [batch, channels, space…]; pools take [channels, space…] as well.
struct ConvWindowOptions {
  Ints strides = {}, low = {}, high = {}, dilation = {};  // one for each space dimension; empty: 1, 0, 0, 1
  int64_t groups = 1;
};
// weight: [out channels, in channels / groups, space…].
Tensor conv(const Arg& x, const Arg& weight, const ConvWindowOptions& options = {});
struct WindowOptions {
  Ints size = {}, strides = {}, low = {},
       high = {};  // strides empty: those of size; padding is never chosen or counted
};
Tensor max_pool(const Arg& x, const WindowOptions& window);
Tensor mean_pool(const Arg& x, const WindowOptions& window);

}  // namespace viva
