// Build makes a function node by node: types are inferred, and an error names the line that made the call. Values of
// other functions, absent values and calls after finish are usage errors.
#pragma once

#include <optional>
#include <source_location>
#include <unordered_set>

#include "graph/dims.h"
#include "graph/graph.h"

namespace viva {

class Build {
 public:
  using Loc = std::source_location;
  explicit Build(std::string function_name);
  Build(Build&&) = default;

  Value parameter(const Type& type, std::string name = "", Where = Loc::current());
  Value parameter_like(Value p);  // of the type, name and line of another function's parameter
  // A parameter that is found while nodes are emitted; finish_with gives their order.
  Value late_parameter(const Type& type, std::string name = "", Where = Loc::current());
  // The general form of every method below. Throws a usage error that names op and place where the types do not fit.
  Values emit(const OpDef& op, Values in, Attrs attrs = {}, std::vector<Body> bodies = {},
              Where where = Loc::current());
  Values emit(std::string_view op, Values in, Attrs attrs = {}, std::vector<Body> bodies = {},
              Where where = Loc::current());
  // The operation of a node again, over other inputs; without the names of its outputs.
  Values repeat(const Node& n, Values in);
  // The node again, names included: what it computes is the same.
  Values copy(const Node& n, Values in);
  // The body of f in place of a call.
  Values inline_call(const Function& f, Ins args, Where = Loc::current());
  void set_name(Value v, std::string name, Loc = Loc::current());
  void name_if_none(Value v, const std::string& name);  // where there is a value that has no name yet
  Body finish(Values outputs, std::vector<std::string> output_names = {}, Loc = Loc::current());
  // finish, for a function with late parameters: params lists all of them in the order that callers use.
  Body finish_with(Values params, Values outputs, std::vector<std::string> output_names = {}, Loc = Loc::current());

  // From now on nodes carry w, known or not, in place of the line of the call: a transformation hands on the primal
  // node's line. repeat and copy keep the node's own where it is known.
  void at(Where w) { in_force_ = std::move(w); }
  int64_t nodes() const { return f_ ? static_cast<int64_t>(f_->nodes_.size()) : 0; }

  // Sources.
  Value constant(Array value, Loc = Loc::current());
  Value scalar(Dtype dtype, double value, Loc = Loc::current());
  Value full(const Type& type, double value, Loc = Loc::current());  // a broadcast scalar
  Value full_like(Value x, double value, Loc l = Loc::current()) { return full(like("full_like", x, l), value, l); }
  Value zero(Value like, Loc l = Loc::current()) { return full_like(like, 0, l); }
  Value one(Value like, Loc l = Loc::current()) { return full_like(like, 1, l); }
  Value iota(const Type& type, int64_t dim, Loc = Loc::current());  // each element: its index along dim
  // Threefry-2x32 bits: key u32[b…,2] gives dtype[b…,shape…], dtype unsigned.
  Value rng_bits(Value key, Dtype dtype, Shape shape, Loc = Loc::current());

  // Pointwise, equal shapes and dtypes.
  Value neg(Value x, Loc l = Loc::current()) { return unary("neg", x, l); }
  Value abs(Value x, Loc l = Loc::current()) { return unary("abs", x, l); }
  Value sign(Value x, Loc l = Loc::current()) { return unary("sign", x, l); }
  Value floor(Value x, Loc l = Loc::current()) { return unary("floor", x, l); }
  Value ceil(Value x, Loc l = Loc::current()) { return unary("ceil", x, l); }
  Value round(Value x, Loc l = Loc::current()) { return unary("round", x, l); }
  Value exp(Value x, Loc l = Loc::current()) { return unary("exp", x, l); }
  Value expm1(Value x, Loc l = Loc::current()) { return unary("expm1", x, l); }
  Value log(Value x, Loc l = Loc::current()) { return unary("log", x, l); }
  Value log1p(Value x, Loc l = Loc::current()) { return unary("log1p", x, l); }
  Value softplus(Value x, Loc l = Loc::current()) { return unary("softplus", x, l); }
  Value sqrt(Value x, Loc l = Loc::current()) { return unary("sqrt", x, l); }
  Value rsqrt(Value x, Loc l = Loc::current()) { return unary("rsqrt", x, l); }
  Value square(Value x, Loc l = Loc::current()) { return unary("square", x, l); }
  Value sin(Value x, Loc l = Loc::current()) { return unary("sin", x, l); }
  Value cos(Value x, Loc l = Loc::current()) { return unary("cos", x, l); }
  Value tanh(Value x, Loc l = Loc::current()) { return unary("tanh", x, l); }
  Value logistic(Value x, Loc l = Loc::current()) { return unary("logistic", x, l); }
  Value erf(Value x, Loc l = Loc::current()) { return unary("erf", x, l); }
  Value erf_inv(Value x, Loc l = Loc::current()) { return unary("erf_inv", x, l); }
  Value lgamma(Value x, Loc l = Loc::current()) { return unary("lgamma", x, l); }
  Value polygamma(Value x, int64_t order, Loc = Loc::current());  // derivative number order of digamma
  // Each number so many units in the last place up or down, as that many steps of nextafter would; derivative 1.
  Value widen(Value x, bool up, int64_t ulps = 1, Loc = Loc::current());
  Value logical_not(Value x, Loc l = Loc::current()) { return unary("not", x, l); }
  Value is_finite(Value x, Loc l = Loc::current()) { return unary("is_finite", x, l); }
  Value recip(Value x, Loc l = Loc::current()) { return div(one(x, l), x, l); }

  Value add(Value x, Value y, Loc l = Loc::current()) { return binary("add", x, y, l); }
  Value sub(Value x, Value y, Loc l = Loc::current()) { return binary("sub", x, y, l); }
  Value mul(Value x, Value y, Loc l = Loc::current()) { return binary("mul", x, y, l); }
  // t·s, and t where t is 0, whatever s is: how slopes that may be infinite meet tangents that are masked.
  Value mul_no_nan(Value t, Value s, Loc l = Loc::current()) { return binary("mul_no_nan", t, s, l); }
  Value div(Value x, Value y, Loc l = Loc::current()) { return binary("div", x, y, l); }
  Value rem(Value x, Value y, Loc l = Loc::current()) { return binary("rem", x, y, l); }
  Value pow(Value x, Value y, Loc l = Loc::current()) { return binary("pow", x, y, l); }
  Value max(Value x, Value y, Loc l = Loc::current()) { return binary("max", x, y, l); }
  Value min(Value x, Value y, Loc l = Loc::current()) { return binary("min", x, y, l); }
  Value atan2(Value y, Value x, Loc l = Loc::current()) { return binary("atan2", y, x, l); }
  Value logical_and(Value x, Value y, Loc l = Loc::current()) { return binary("and", x, y, l); }
  Value logical_or(Value x, Value y, Loc l = Loc::current()) { return binary("or", x, y, l); }
  Value logical_xor(Value x, Value y, Loc l = Loc::current()) { return binary("xor", x, y, l); }
  Value shift_left(Value x, Value by, Loc l = Loc::current()) { return binary("shift_left", x, by, l); }
  Value shift_right(Value x, Value by, Loc l = Loc::current()) { return binary("shift_right", x, by, l); }
  Value scale(Value x, double factor, Loc = Loc::current());  // factor must be a number of x's dtype

  // Complex numbers of f32 or f64 parts, and the parts of complex ones.
  Value complex(Value re, Value im, Loc l = Loc::current()) { return binary("complex", re, im, l); }
  Value real(Value x, Loc l = Loc::current()) { return unary("real", x, l); }
  Value imag(Value x, Loc l = Loc::current()) { return unary("imag", x, l); }
  Value conj(Value x, Loc l = Loc::current()) { return unary("conj", x, l); }

  Value compare(Direction d, Value x, Value y, Loc = Loc::current());
  // Elementwise: where the predicate holds on_true, else on_false; the predicate is bool of the same shape.
  Value select(Value predicate, Value on_true, Value on_false, Loc = Loc::current());
  Value convert(Value x, Dtype to, Loc = Loc::current());  // x itself where it has that dtype
  Value bitcast(Value x, Dtype to, Loc = Loc::current());  // to a dtype of the same size

  // Contractions; result dtype: that of the operands where none is given.
  Value dot_general(Value lhs, Value rhs, const DotDims& dims, std::optional<Dtype> dtype = {}, Loc = Loc::current());
  // The matrix product over the last dimension of x and the first of y, for ranks of at least 1.
  Value dot(Value x, Value y, Loc = Loc::current());
  Value conv_general(Value lhs, Value rhs, const ConvDims& dims, std::optional<Dtype> dtype = {}, Loc = Loc::current());

  // Movement.
  // Dimension i of x becomes dimension dims[i] of the result; an extent of 1 stretches.
  Value broadcast(Value x, Shape shape, Ints dims, Loc = Loc::current());
  Value reshape(Value x, Shape shape, Loc = Loc::current());
  Value transpose(Value x, Ints permutation, Loc = Loc::current());  // result dim i is dim permutation[i] of x
  Value move_axis(Value x, int64_t from, int64_t to, Loc = Loc::current());
  Value reverse(Value x, Ints dims, Loc = Loc::current());
  Value slice(Value x, Ints start, Ints limit, Ints strides = {}, Loc = Loc::current());
  // low and high may be negative (cropping after the interior is spread); interior >= 0 elements between neighbours.
  Value pad(Value x, Value value, Ints low, Ints high, Ints interior = {}, Loc = Loc::current());
  Value concatenate(Values xs, int64_t dim, Loc = Loc::current());
  Value squeeze(Value x, const Ints& dims, Loc = Loc::current());
  Value unsqueeze(Value x, const Ints& dims, Loc = Loc::current());  // dims of the result

  // Indexing. starts: one scalar of any integer dtype per dimension; clipped so that the slice fits.
  Value dynamic_slice(Value x, Values starts, Ints sizes, Loc = Loc::current());
  Value dynamic_update_slice(Value x, Value update, Values starts, Loc = Loc::current());
  // indices: [batch…, k]; fill: scalar of x's dtype, read outside under OutOfBounds::fill.
  Value gather(Value x, Value indices, Value fill, const GatherDims& dims, Loc = Loc::current());
  Value scatter(Value x, Value indices, Value updates, Combine combine, const GatherDims& dims, Loc = Loc::current());

  // Reductions. Sums take a result dtype (accumulated at least in it).
  Value reduce_sum(Value x, Ints dims, std::optional<Dtype> dtype = {}, Loc = Loc::current());
  Value reduce_max(Value x, Ints dims, Loc l = Loc::current()) { return reduce("reduce_max", x, std::move(dims), l); }
  Value reduce_prod(Value x, Ints dims, Loc l = Loc::current()) { return reduce("reduce_prod", x, std::move(dims), l); }
  Value reduce_and(Value x, Ints dims, Loc l = Loc::current()) { return reduce("reduce_and", x, std::move(dims), l); }
  Value reduce_or(Value x, Ints dims, Loc l = Loc::current()) { return reduce("reduce_or", x, std::move(dims), l); }
  Value argmax(Value x, int64_t dim, Dtype index = Dtype::int64, Loc = Loc::current());  // the first of equals
  Value cumsum(Value x, int64_t dim, bool reverse = false, Loc = Loc::current());
  // All operands in the order of the first: ascending, stable, NaN last.
  Values sort(Values xs, int64_t dim, Loc = Loc::current());
  Value window_sum(Value x, const WindowDims& dims, Loc = Loc::current());
  // The offset inside the window (row-major) of its first greatest element; padding is never chosen; 0 where a window
  // holds padding only.
  Value window_argmax(Value x, const WindowDims& dims, Dtype index = Dtype::int32, Loc = Loc::current());
  // The element of each window at its offset, 0 where there is none; and its adjoint, an array of x's shape.
  Value window_gather(Value x, Value offset, const WindowDims& dims, Loc = Loc::current());
  Value window_scatter(Value y, Value offset, const Shape& shape, const WindowDims& dims, Loc = Loc::current());

  // Linear algebra, of f32, f64, c64 and c128; dimensions before the last two (for fft: all others) are a batch.
  Value cholesky(Value x, Loc l = Loc::current()) {
    return unary("cholesky", x, l);
  }  // L with L·Lᴴ = x, of its lower half
  // op(a)⁻¹·b of a triangular a[…,n,n] and b[…,n,k]; op transposes, conjugates or both; unit: as if the diagonal
  // held 1.
  struct Triangle {
    bool lower = true, transpose = false, conjugate = false, unit = false;
  };
  Value triangular_solve(Value a, Value b, const Triangle& t, Loc = Loc::current());
  Values lu(Value x, Loc = Loc::current());    // L and U in one matrix, pivots and permutation (i32)
  Values qr(Value x, Loc = Loc::current());    // Q with orthonormal columns, R with a real diagonal >= 0
  Values eigh(Value x, Loc = Loc::current());  // eigenvalues in ascending order, eigenvectors in columns
  Values svd(Value x, Loc = Loc::current());   // U, singular values in descending order, Vᴴ
  Value fft(Value x, int64_t dim, bool inverse = false, Loc = Loc::current());  // of complex; the inverse divides by n
  // The integer zero + x / scale, rounded to even and saturated; the dtype is zero's, i8 or u8.
  Value quantize(Value x, Value scale, Value zero, Loc l = Loc::current()) {
    return one_of("quantize", {x, scale, zero}, {}, l);
  }

  // Structure.
  Values call(const Body& f, Values args, std::string policy = "save", Loc = Loc::current());
  Values barrier(Values xs, Loc = Loc::current());
  Value tap(Value x, std::string name, Loc = Loc::current());

  // Conveniences made of the above.
  Value broadcast_to(Value x, const Shape& shape, Loc = Loc::current());  // NumPy's rule: aligned at the last dimension
  Value relu(Value x, Loc = Loc::current());                              // select(x > 0, x, 0)
  Value reduce_mean(Value x, const Ints& dims, Loc = Loc::current());     // of floats
  Value reduce_min(Value x, const Ints& dims, Loc = Loc::current());  // reduce_max of neg (float) or of not (integer)

 private:
  Value one_of(std::string_view op, Values in, Attrs attrs, Loc l);
  Value unary(std::string_view op, Value x, Loc l) { return one_of(op, {x}, {}, l); }
  Value binary(std::string_view op, Value x, Value y, Loc l) { return one_of(op, {x, y}, {}, l); }
  Value reduce(std::string_view op, Value x, Ints dims, Loc l);
  Where place(const Where& w) const { return in_force_ ? *in_force_ : w; }
  Function& open(const Where& where) const;                               // the function being built, not finished yet
  void check(std::string_view op, Ins values, const Where& where) const;  // present, and of this function
  const Type& type_of(std::string_view op, Value x, const Where& where) const;
  // The type of a value that need not be of this function: nothing but its type is used.
  const Type& like(std::string_view op, Value x, const Where& where) const;
  Node& add(const OpDef* op, std::vector<Type> types, Where where);

  std::shared_ptr<Function> f_;
  std::unordered_set<const Node*> own_;  // the nodes of f_; a value of another function is never looked into
  std::optional<Where> in_force_;
};

}  // namespace viva
