// The pointwise family: an operation states its value (a template over element types), its slopes and its domain; the
// family supplies types, evaluation, batching, derivatives and the loop description.
#pragma once

#include <array>

#include "loops/chain.h"
#include "loops/lowered.h"
#include "loops/vector_math.h"
#include "ops/record.h"

namespace viva {

using loops::TileFn;

// Element types an operation takes.
struct Floats {
  static constexpr std::string_view text = "a float dtype";
  template <class T> static constexpr bool has = is_float_type<T>;
};
struct Numbers {
  static constexpr std::string_view text = "an integer or float dtype";
  template <class T>
  static constexpr bool has = is_float_type<T> || (std::is_integral_v<T> && !std::is_same_v<T, bool>);
};
struct Analytic {
  static constexpr std::string_view text = "a float or complex dtype";
  template <class T> static constexpr bool has = is_float_type<T> || is_std_complex<T>;
};
struct Numeric {
  static constexpr std::string_view text = "an integer, float or complex dtype";
  template <class T> static constexpr bool has = Numbers::has<T> || is_std_complex<T>;
};
struct Bits {
  static constexpr std::string_view text = "bool or an integer dtype";
  template <class T> static constexpr bool has = std::is_integral_v<T>;
};
struct Integers {
  static constexpr std::string_view text = "an integer dtype";
  template <class T> static constexpr bool has = std::is_integral_v<T> && !std::is_same_v<T, bool>;
};
struct Ordered {
  static constexpr std::string_view text = "bool, an integer or a float dtype";
  template <class T> static constexpr bool has = std::is_integral_v<T> || is_float_type<T>;
};

template <class Domain> bool in_domain(Dtype d) {
  return dispatch(d, [](auto tag) { return Domain::template has<typename decltype(tag)::type>; });
}

namespace pointwise {

template <class Op, class T> void tile1(void* out, const void* const* in, int64_t n) {
  using C = Compute<T>;
  using R = decltype(Op::template value<C>(C{}));
  using Out = std::conditional_t<std::is_same_v<R, C>, T, R>;
  auto* __restrict o = static_cast<Out*>(out);
  const auto* __restrict x = static_cast<const T*>(in[0]);
  for (int64_t i = 0; i < n; ++i) o[i] = static_cast<Out>(Op::template value<C>(static_cast<C>(x[i])));
}

// uniform: the operand that is one element for all; -1: none.
template <class Op, class T, int uniform = -1> void tile2(void* out, const void* const* in, int64_t n) {
  using C = Compute<T>;
  using R = decltype(Op::template value<C>(C{}, C{}));
  using Out = std::conditional_t<std::is_same_v<R, C>, T, R>;
  auto* __restrict o = static_cast<Out*>(out);
  const auto* __restrict x = static_cast<const T*>(in[0]), * __restrict y = static_cast<const T*>(in[1]);
  if constexpr (uniform == 0) {
    const auto a = static_cast<C>(*x);
    for (int64_t i = 0; i < n; ++i) o[i] = static_cast<Out>(Op::template value<C>(a, static_cast<C>(y[i])));
  } else if constexpr (uniform == 1) {
    const auto b = static_cast<C>(*y);
    for (int64_t i = 0; i < n; ++i) o[i] = static_cast<Out>(Op::template value<C>(static_cast<C>(x[i]), b));
  } else {
    for (int64_t i = 0; i < n; ++i)
      o[i] = static_cast<Out>(Op::template value<C>(static_cast<C>(x[i]), static_cast<C>(y[i])));
  }
}

template <class Op> TileFn tile_of(Dtype d) {
  return dispatch(d, [](auto tag) -> TileFn {
    using T = typename decltype(tag)::type;
    if constexpr (!Op::Domain::template has<T>) return nullptr;
    else if constexpr (Op::arity == 1) return tile1<Op, T>;
    else return tile2<Op, T>;
  });
}

// The same for plans: by vector functions where the operation names them.
template <class Op> TileFn vector_tile_of(Dtype d) {
  if constexpr (requires { Op::template vector<float>; }) {
    if (d == Dtype::float32) return Op::template vector<float>;
    if (d == Dtype::float64) return Op::template vector<double>;
  }
  return tile_of<Op>(d);
}

// Of float32 and float64 alone: others are not worth the code.
template <class Op> std::array<TileFn, 2> uniform_tiles_of(Dtype d) {
  if constexpr (Op::arity == 2 && !requires { Op::template vector<float>; }) {
    if constexpr (Op::Domain::template has<float>) {
      if (d == Dtype::float32) return {tile2<Op, float, 0>, tile2<Op, float, 1>};
      if (d == Dtype::float64) return {tile2<Op, double, 0>, tile2<Op, double, 1>};
    }
  }
  return {};
}

// Of operations whose value() takes vectors too.
template <class Op> const loops::Links* links_of(Dtype d) {
  if constexpr (requires { Op::vectors; }) {
    static const loops::Links floats = loops::Blocks<float>::links<Op, Op::arity>(),
                              doubles = loops::Blocks<double>::links<Op, Op::arity>();
    if (d == Dtype::float32) return &floats;
    if (d == Dtype::float64) return &doubles;
  }
  return nullptr;
}

template <class Op> Dtype result_dtype(Dtype d) {
  if constexpr (requires { Op::result(d); }) return Op::result(d);
  else return d;
}

template <class Op> std::vector<Type> infer(const Infer::Site& s) {
  require_operands(s, Op::arity);
  for (const Type& t : s.in) {
    require(in_domain<typename Op::Domain>(t.dtype), "takes {}, not {}", Op::Domain::text, spelled(t));
    require(t == s.in[0], "operands {} and {} differ", spelled(s.in[0]), spelled(t));
  }
  return {{result_dtype<Op>(s.in[0].dtype), s.in[0].shape}};
}

std::vector<Array> evaluate(TileFn f, const Node& n, std::span<const Array> in);
template <class Op> std::vector<Array> eval(const Node& n, std::span<const Array> in, Evaluator&) {
  return evaluate(tile_of<Op>(in[0].dtype()), n, in);
}

// Steep slopes are infinite or NaN at the edge of the domain: a tangent 0 stays 0 there.
enum class Slopes : uint8_t { finite, steep };
template <class Op> constexpr Slopes slopes_of = requires { Op::steep; } ? Slopes::steep : Slopes::finite;
// Σ slope_i · tangent_i over the tangents present.
Value weighted_sum(Build& b, Slopes slopes, std::initializer_list<std::pair<Value, Value>> slope_and_tangent);

template <class Op> Values jvp_of_slopes(Build& b, const Node&, Ins in, Ins out, Ins t, Transforms&) {
  if constexpr (Op::arity == 1) {
    return {weighted_sum(b, slopes_of<Op>, {{Op::slope(b, in[0], out[0]), t[0]}})};
  } else {
    const Value s0 = t[0] ? Op::slope0(b, in[0], in[1], out[0]) : Value{};
    const Value s1 = t[1] ? Op::slope1(b, in[0], in[1], out[0]) : Value{};
    return {weighted_sum(b, slopes_of<Op>, {{s0, t[0]}, {s1, t[1]}})};
  }
}

Values batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
             Transforms&);
// name: the operation's unless given.
Lowered lower_tile(const Node& n, TileFn f, std::string_view name = {}, std::array<TileFn, 2> uniform = {},
                   const loops::Links* links = nullptr);
template <class Op> Lowered lower(const Node& n) {
  const Dtype d = n.in[0].dtype();
  return lower_tile(n, vector_tile_of<Op>(d), {}, uniform_tiles_of<Op>(d), links_of<Op>(d));
}

template <class Op> constexpr Rule<Jvp> jvp_rule() {
  if constexpr (requires { Op::jvp; }) return Op::jvp;
  else return jvp_of_slopes<Op>;
}
template <class Op> constexpr Rule<Transpose> transpose_rule() {
  if constexpr (requires { Op::transpose; }) return Op::transpose;
  else return Absent{Reason::not_linear, "a nonlinear function of each operand"};
}
template <class Op> constexpr Jet::Fn jet_rule() {
  if constexpr (requires { Op::jet; }) return Op::jet;
  else return nullptr;
}
template <class Op> constexpr Simplify simplify_rule() {
  if constexpr (requires { Op::simplify; }) return Op::simplify;
  else return nullptr;
}

template <class Op> Sample sample(std::string label, const Shape& shape, Dtype d) {
  Sample s{std::move(label), {}, {}, {}};
  const int64_t lo = d == Dtype::boolean || is_unsigned(d) ? 0 : -9, hi = d == Dtype::boolean ? 1 : 9;
  for (int i = 0; i < Op::arity; ++i)
    s.in.push_back(is_float(d)     ? sample_floats(shape, Op::lo, Op::hi, i, d)
                   : is_complex(d) ? sample_complex(shape, Op::lo, Op::hi, i, d)
                                   : sample_ints(shape, lo, hi, i, d));
  if constexpr (requires { Op::linear; })
    if (d == Dtype::float64 || d == Dtype::complex128)
      for (const auto& mask : Op::linear) s.linear.emplace_back(mask.begin(), mask.end());
  return s;
}

template <class Op> std::vector<Sample> samples() {
  std::vector<Sample> all;
  const auto add = [&](std::string_view label, const Shape& shape, Dtype d) {
    if (in_domain<typename Op::Domain>(d)) all.push_back(sample<Op>(std::string(label), shape, d));
  };
  add("f64", {2, 3}, Dtype::float64), add("f64 scalar", {}, Dtype::float64), add("f64 empty", {0, 2}, Dtype::float64);
  add("c128", {2, 2}, Dtype::complex128), add("c128 scalar", {}, Dtype::complex128);
  add("c64", {3}, Dtype::complex64), add("c128 empty", {0}, Dtype::complex128);
  add("i32", {3, 2}, Dtype::int32), add("u8", {4}, Dtype::uint8), add("bool", {4}, Dtype::boolean);
  return all;
}

template <class Op> constexpr bool commutes() {
  return requires { Op::commutative; };
}

// One aggregate: GCC names a field that is left out.
template <class Op>
inline constexpr OpDef record = {.name = Op::name,
                                 .family = "pointwise",
                                 .doc = Op::doc,
                                 .commutes = commutes<Op>(),
                                 .infer = infer<Op>,
                                 .eval = eval<Op>,
                                 .jvp = jvp_rule<Op>(),
                                 .split = plain_split,
                                 .transpose = transpose_rule<Op>(),
                                 .batch = batch,
                                 .lower = lower<Op>,
                                 .prune = plain_prune,
                                 .bound = Op::bound,
                                 .jet = pointwise::jet_rule<Op>(),
                                 .simplify = simplify_rule<Op>(),
                                 .samples = samples<Op>};

}  // namespace pointwise

}  // namespace viva
