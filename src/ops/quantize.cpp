// quantize: floats to 8-bit integers by a scale and a zero point for each element.
#include <array>
#include <cmath>

#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/pointwise.h"

namespace viva {
namespace {

// 0 stands for NaN; the sum is taken in double, where it is exact.
template <class T, class I> void tile(void* out, const void* const* in, int64_t n) {
  using C = Compute<T>;
  auto* __restrict o = static_cast<I*>(out);
  const auto* __restrict x = static_cast<const T*>(in[0]), * __restrict scale = static_cast<const T*>(in[1]);
  const auto* __restrict zero = static_cast<const I*>(in[2]);
  for (int64_t i = 0; i < n; ++i) {
    const C steps = std::nearbyint(static_cast<C>(x[i]) / static_cast<C>(scale[i]));
    o[i] = std::isnan(steps) ? zero[i] : convert_element<I>(static_cast<double>(steps) + static_cast<double>(zero[i]));
  }
}

TileFn tile_of(Dtype x, Dtype to) {
  return dispatch(x, [to](auto tag) -> TileFn {
    using T = typename decltype(tag)::type;
    if constexpr (is_float_type<T>) return to == Dtype::int8 ? tile<T, int8_t> : tile<T, uint8_t>;
    else return nullptr;
  });
}

std::vector<Type> infer(const Infer::Site& s) {
  require_operands(s, 3);
  const Type &x = s.in[0], &scale = s.in[1], &zero = s.in[2];
  require(is_float(x.dtype), "takes {}, not {}", Floats::text, spelled(x));
  require(scale == x, "a scale {} does not fit {}", spelled(scale), spelled(x));
  require(zero.shape == x.shape, "a zero point {} does not fit {}", spelled(zero), spelled(x));
  require(zero.dtype == Dtype::int8 || zero.dtype == Dtype::uint8, "gives i8 or u8, not {}", name(zero.dtype));
  return {zero};
}

std::vector<Array> eval(const Node& n, std::span<const Array> in, Evaluator&) {
  return pointwise::evaluate(tile_of(in[0].dtype(), n.types[0].dtype), n, in);
}

Lowered lower(const Node& n) { return pointwise::lower_tile(n, tile_of(n.in[0].dtype(), n.types[0].dtype)); }

std::vector<Sample> samples() {
  std::vector<Sample> all;
  const auto add = [&](std::string label, const Shape& shape, Dtype d, Dtype to) {
    all.push_back({std::move(label),
                   {sample_floats(shape, -40, 40, 0, d), sample_floats(shape, 0.1, 0.5, 1, d),
                    sample_ints(shape, to == Dtype::int8 ? -5 : 100, to == Dtype::int8 ? 5 : 140, 2, to)},
                   {},
                   {}});
  };
  add("f64 to i8", {2, 3}, Dtype::float64, Dtype::int8), add("f32 to u8", {5}, Dtype::float32, Dtype::uint8);
  add("bf16 to i8", {4}, Dtype::bfloat16, Dtype::int8), add("scalar", {}, Dtype::float64, Dtype::uint8);
  add("empty", {0, 2}, Dtype::float64, Dtype::int8);
  return all;
}

constexpr OpDef record = {.name = "quantize",
                          .family = "pointwise",
                          .doc = "zero + x / scale rounded to even and saturated, as zero's i8 or u8; NaN gives zero",
                          .infer = infer,
                          .eval = eval,
                          .jvp = integer_result,
                          .split = plain_split,
                          .transpose = Absent{Reason::not_linear, "rounding"},
                          .batch = pointwise::batch,
                          .lower = lower,
                          .prune = plain_prune,
                          .bound = bounds::quantize,
                          .samples = samples};

constexpr std::array records = {&record};

}  // namespace

constinit const OpList ops::quantization = records;

}  // namespace viva
