// Special functions, and widen, which moves a number by units in the last place.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numbers>

#include "loops/special_math.h"
#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/pointwise.h"

namespace viva {
namespace {

struct ErfInv {
  static constexpr int arity = 1;
  static constexpr double lo = -0.9, hi = 0.9;
  static constexpr bool steep = true;
  using Domain = Floats;
  static constexpr std::string_view name = "erf_inv", doc = "the inverse of erf; ±inf at ±1, NaN beyond";
  template <class T> static T value(T x) { return static_cast<T>(loops::erf_inv(static_cast<double>(x))); }
  // 1 / erf'(y) = √π/2 · e^(y²)
  static Value slope(Build& b, Value, Value y) { return b.scale(b.exp(b.square(y)), 0.5 / std::numbers::inv_sqrtpi); }
  static constexpr Bound::Fn bound = bounds::monotone<{.ulps = 4, .from = -1, .to = 1}>;
};

struct Lgamma {
  static constexpr int arity = 1;
  static constexpr double lo = 0.3, hi = 4;
  using Domain = Floats;
  static constexpr std::string_view name = "lgamma", doc = "log|Γ(x)|; inf at the poles 0, -1, -2, … and at ±inf";
  template <class T> static T value(T x) { return static_cast<T>(loops::log_gamma(static_cast<double>(x))); }
  static Value slope(Build& b, Value x, Value) { return b.polygamma(x, 0); }
  static constexpr Bound::Fn bound = bounds::lgamma;
};

// Operations with a number beside the operand: the loop gets it as a second operand, the same for every element.

using NumberTile = void (*)(void* out, const void* const* in, int64_t n);

std::vector<Array> eval_with(NumberTile f, const Node& n, const Array& x, int64_t number) {
  Array out = Array::make(n.types[0]);
  Array numbers = Array::make({Dtype::int64, n.types[0].shape});
  std::ranges::fill(numbers.as_mutable<int64_t>(), number);
  const void* in[] = {x.data(), numbers.data()};
  f(out.mutable_data(), in, out.size());
  return {out};
}

Lowered lower_with(NumberTile f, const Node& n, int64_t number) {
  loops::Nest nest = loops::elementwise(n.types[0].shape, types_of(n.in));
  const auto x = nest.load(0), k = nest.constant(Dtype::int64, loops::Scalar::of(number));
  nest.store(nest.apply(f, n.types[0].dtype, {x, k}, n.op->name, n.op));
  return {std::move(nest)};
}

// polygamma

template <class T> void polygamma_tile(void* out, const void* const* in, int64_t n) {
  auto* o = static_cast<T*>(out);
  const auto* x = static_cast<const T*>(in[0]);
  const auto* order = static_cast<const int64_t*>(in[1]);
  for (int64_t i = 0; i < n; ++i)
    o[i] = convert_element<T>(loops::polygamma(static_cast<int>(order[i]), convert_element<double>(x[i])));
}

NumberTile polygamma_tile_of(Dtype d) {
  return dispatch(d, [](auto tag) -> NumberTile {
    using T = typename decltype(tag)::type;
    if constexpr (is_float_type<T>) return polygamma_tile<T>;
    else return nullptr;
  });
}

std::vector<Type> polygamma_infer(const Infer::Site& s) {
  require_operands(s, 1);
  require(is_float(s.in[0].dtype), "takes {}, not {}", Floats::text, spelled(s.in[0]));
  const int64_t order = s.attrs.integer("order");
  require(order >= 0 && order <= loops::most_polygamma, "order {} is outside 0 to {}", order, loops::most_polygamma);
  return {s.in[0]};
}

std::vector<Array> polygamma_eval(const Node& n, std::span<const Array> in, Evaluator&) {
  return eval_with(polygamma_tile_of(in[0].dtype()), n, in[0], n.attrs.integer("order"));
}

Values polygamma_jvp(Build& b, const Node& n, Ins in, Ins, Ins t, Transforms&) {
  return {b.mul(t[0], b.polygamma(in[0], n.attrs.integer("order") + 1))};
}

Lowered polygamma_lower(const Node& n) {
  return lower_with(polygamma_tile_of(n.types[0].dtype), n, n.attrs.integer("order"));
}

std::vector<Sample> polygamma_samples() {
  const auto sample = [](std::string label, Array x, int64_t order) {
    return Sample{std::move(label), {std::move(x)}, {{"order", order}}, {}};
  };
  return {sample("digamma", sample_floats({2, 3}, 0.4, 4, 0), 0),
          sample("trigamma", sample_floats({4}, 0.6, 4, 1), 1),
          sample("order 3, scalar", sample_floats({}, 1.2, 3, 2), 3),
          sample("below zero", Array::of<double>({-0.4, -1.55, -2.6}, {3}), 2),
          sample("empty", sample_floats({0, 2}, 1, 2, 3), 1),
          sample("f32", sample_floats({3}, 0.4, 4, 4, Dtype::float32), 0)};
}

// widen

template <class T> struct BitsOf;
template <> struct BitsOf<Float16> {
  using type = uint16_t;
};
template <> struct BitsOf<BFloat16> {
  using type = uint16_t;
};
template <> struct BitsOf<float> {
  using type = uint32_t;
};
template <> struct BitsOf<double> {
  using type = uint64_t;
};

// `by` numbers up, or down where negative, of all that the format holds, ±0 counting as one: so many steps of
// nextafter.
template <class T> T widened(T x, int64_t by) {
  using U = typename BitsOf<T>::type;
  constexpr U sign = static_cast<U>(U{1} << (8 * sizeof(U) - 1));
  const T inf = convert_element<T>(std::numeric_limits<double>::infinity());
  const U bits = std::bit_cast<U>(x), size = static_cast<U>(bits & ~sign);
  const auto last = static_cast<int64_t>(std::bit_cast<U>(inf)), place = static_cast<int64_t>(size);
  if (place > last) return x;  // NaN
  const int64_t from = bits & sign ? -place : place;
  // Beyond the infinities lies nothing; the sums do not overflow, since from and by then differ in sign.
  int64_t to = 0;
  if (by >= 0) to = from >= 0 && by > last - from ? last : std::min(from + by, last);
  else to = from <= 0 && by < -last - from ? -last : std::max(from + by, -last);
  const bool negative = to < 0 || (to == 0 && (bits & sign));
  const U moved = static_cast<U>(to < 0 ? -to : to);
  return std::bit_cast<T>(negative ? static_cast<U>(moved | sign) : moved);
}

template <class T> void widen_tile(void* out, const void* const* in, int64_t n) {
  auto* __restrict o = static_cast<T*>(out);
  const auto* __restrict x = static_cast<const T*>(in[0]);
  const auto* __restrict by = static_cast<const int64_t*>(in[1]);
  for (int64_t i = 0; i < n; ++i) o[i] = widened(x[i], by[i]);
}

NumberTile widen_tile_of(Dtype d) {
  return dispatch(d, [](auto tag) -> NumberTile {
    using T = typename decltype(tag)::type;
    if constexpr (is_float_type<T>) return widen_tile<T>;
    else return nullptr;
  });
}

int64_t steps_of(const Attrs& a) {
  const int64_t ulps = a.integer("ulps");
  return a.text("direction") == "up" ? ulps : -ulps;
}

constexpr int64_t most_ulps = int64_t{1} << 62;

std::vector<Type> widen_infer(const Infer::Site& s) {
  require_operands(s, 1);
  require(is_float(s.in[0].dtype), "takes {}, not {}", Floats::text, spelled(s.in[0]));
  const std::string& direction = s.attrs.text("direction");
  require(direction == "up" || direction == "down", "direction '{}' is neither up nor down", direction);
  const int64_t ulps = s.attrs.integer("ulps");
  require(ulps >= 0 && ulps <= most_ulps, "{} ulps: 0 to 2^62 are possible", ulps);
  return {s.in[0]};
}

std::vector<Array> widen_eval(const Node& n, std::span<const Array> in, Evaluator&) {
  return eval_with(widen_tile_of(in[0].dtype()), n, in[0], steps_of(n.attrs));
}

// A bound moves with what it bounds.
Values widen_jvp(Build&, const Node&, Ins, Ins, Ins t, Transforms&) { return {t[0]}; }

Lowered widen_lower(const Node& n) { return lower_with(widen_tile_of(n.types[0].dtype), n, steps_of(n.attrs)); }

Values widen_simplify(Build&, const Node& n, Ins in) { return steps_of(n.attrs) == 0 ? Values{in[0]} : Values{}; }

std::vector<Sample> widen_samples() {
  const auto sample = [](std::string label, Array x, std::string direction, int64_t ulps) {
    return Sample{std::move(label), {std::move(x)}, {{"direction", std::move(direction)}, {"ulps", ulps}}, {}};
  };
  // So far that the laws see the step, and see that it is none of a linear function.
  return {sample("up", sample_floats({2, 3}, -1.9, 1.9, 0), "up", int64_t{1} << 13),
          sample("down, scalar", sample_floats({}, 1.1, 1.9, 1), "down", 3),
          sample("not at all", sample_floats({2}, -2, 2, 1), "up", 0),
          sample("empty", sample_floats({0, 2}, -2, 2, 1), "down", 1),
          sample("f32", sample_floats({4}, -2, 2, 2, Dtype::float32), "down", 2)};
}

constexpr OpDef polygamma_record = {
    .name = "polygamma",
    .family = "pointwise",
    .doc = "derivative number order of ψ, the derivative of lgamma; see the conventions for its poles",
    .attributes = "order",
    .infer = polygamma_infer,
    .eval = polygamma_eval,
    .jvp = polygamma_jvp,
    .split = plain_split,
    .transpose = Absent{Reason::not_linear, "a nonlinear function of the operand"},
    .batch = pointwise::batch,
    .lower = polygamma_lower,
    .prune = plain_prune,
    .bound = bounds::polygamma,
    .samples = polygamma_samples};
constexpr OpDef widen_record = {
    .name = "widen",
    .family = "pointwise",
    .doc = "so many units in the last place up or down, with the derivative of the identity; NaN stays",
    .attributes = "direction ulps",
    .infer = widen_infer,
    .eval = widen_eval,
    .jvp = widen_jvp,
    .split = plain_split,
    .transpose = Absent{Reason::not_linear, "the step depends on the operand"},
    .batch = pointwise::batch,
    .lower = widen_lower,
    .prune = plain_prune,
    .bound = bounds::widen,
    .simplify = widen_simplify,
    .samples = widen_samples};

using pointwise::record;
constexpr std::array records = {&record<ErfInv>, &record<Lgamma>, &polygamma_record, &widen_record};

}  // namespace

constinit const OpList ops::special = records;

}  // namespace viva
