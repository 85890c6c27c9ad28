// Operations without array operands: constant, iota, and random bits from a key.
#include <array>
#include <cstring>

#include "base/threefry.h"
#include "loops/lowered.h"
#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/record.h"
#include "ops/reference.h"

namespace viva {
namespace {

constexpr Absent no_inputs_jvp{Reason::no_tangent, "it has no operand that could carry a tangent"};
constexpr Absent no_inputs_transpose{Reason::not_linear, "it has no operand to be linear in"};

// Never reached: a rule for batching is asked only where an operand is batched.
Values batch_without_inputs(Build&, const Node& n, Ins, std::span<const int>, int64_t, std::span<int>, Transforms&) {
  throw internal_error("[{}] batched without operands", n.op->name);
}

// constant

std::vector<Type> constant_infer(const Infer::Site& s) {
  require_operands(s, 0);
  return {s.attrs.array("value").type()};
}

std::vector<Array> constant_eval(const Node& n, std::span<const Array>, Evaluator&) { return {n.attrs.array("value")}; }

Lowered constant_lower(const Node& n) {
  const Array value = n.attrs.array("value");
  if (value.size() == 1) {
    loops::Nest nest = loops::elementwise(value.shape(), {});
    loops::Scalar scalar;
    std::memcpy(scalar.bytes.data(), value.data(), static_cast<size_t>(value.bytes()));
    nest.store(nest.constant(value.dtype(), scalar));
    return {std::move(nest)};
  }
  return {loops::Host{"constant", [value](auto, auto out, ThreadPool&) {
                        std::memcpy(out[0], value.data(), static_cast<size_t>(value.bytes()));
                      }}};
}

std::vector<Sample> constant_samples() {
  return {{"f64", {}, {{"value", sample_floats({2, 3}, -2, 2, 0)}}, {}},
          {"bool scalar", {}, {{"value", Array::scalar(true)}}, {}},
          {"empty", {}, {{"value", Array::zeros({Dtype::int8, {0}})}}, {}}};
}

// iota

std::vector<Type> iota_infer(const Infer::Site& s) {
  require_operands(s, 0);
  const Type t{s.attrs.dtype("dtype"), s.attrs.ints("shape")};
  require(is_integer(t.dtype) || is_float(t.dtype), "gives an integer or float dtype, not {}", name(t.dtype));
  require_dims({s.attrs.integer("dim")}, t.rank(), "dimension");
  return {t};
}

std::vector<Array> iota_eval(const Node& n, std::span<const Array>, Evaluator&) {
  const auto dim = static_cast<size_t>(n.attrs.integer("dim"));
  Array out = Array::make(n.types[0]);
  dispatch(out.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    auto o = out.as_mutable<T>();
    for_each_index(out.shape(),
                   [&](const Ints& i, int64_t flat) { o[static_cast<size_t>(flat)] = convert_element<T>(i[dim]); });
  });
  return {out};
}

Lowered iota_lower(const Node& n) {
  loops::Nest nest = loops::elementwise(n.types[0].shape, {});
  nest.store(nest.iota(n.types[0].dtype, nest.at(static_cast<int>(n.attrs.integer("dim")))));
  return {std::move(nest)};
}

std::vector<Sample> iota_samples() {
  return {{"f64", {}, {{"dtype", Dtype::float64}, {"shape", Ints{2, 3}}, {"dim", int64_t{1}}}, {}},
          {"i32", {}, {{"dtype", Dtype::int32}, {"shape", Ints{4}}, {"dim", int64_t{0}}}, {}},
          {"i8 wraps", {}, {{"dtype", Dtype::int8}, {"shape", Ints{300}}, {"dim", int64_t{0}}}, {}}};
}

// rng_bits

std::vector<Type> rng_infer(const Infer::Site& s) {
  require_operands(s, 1);
  const Type& key = s.in[0];
  require(key.dtype == Dtype::uint32 && key.rank() >= 1 && key.shape.back() == 2, "takes a key u32[…,2], not {}",
          spelled(key));
  const Dtype d = s.attrs.dtype("dtype");
  require(is_unsigned(d), "gives an unsigned dtype, not {}", name(d));
  Shape shape(key.shape.begin(), key.shape.end() - 1);
  const Ints& own = s.attrs.ints("shape");
  shape.insert(shape.end(), own.begin(), own.end());
  return {{d, shape}};
}

// Element i of a key: word i mod 2 of block i / 2, cut to the dtype; of uint64 both words of block i.
template <class T> T random_element(uint32_t k0, uint32_t k1, uint64_t i) {
  if constexpr (sizeof(T) == 8) {
    const Words2 w = threefry2x32({k0, k1}, words_of(i));
    return w[0] | uint64_t{w[1]} << 32;
  } else return static_cast<T>(threefry2x32({k0, k1}, words_of(i / 2))[i % 2]);
}

template <class T> void rng_tile(void* out, const void* const* in, int64_t n) {
  const auto *k0 = static_cast<const uint32_t*>(in[0]), *k1 = static_cast<const uint32_t*>(in[1]);
  const auto* i = static_cast<const uint64_t*>(in[2]);
  for (int64_t e = 0; e < n; ++e) static_cast<T*>(out)[e] = random_element<T>(k0[e], k1[e], i[e]);
}

std::vector<Array> rng_eval(const Node& n, std::span<const Array> in, Evaluator&) {
  Array out = Array::make(n.types[0]);
  const auto keys = in[0].as<uint32_t>();
  const auto each = static_cast<uint64_t>(numel(n.attrs.ints("shape")));
  dispatch(out.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_unsigned_v<T> && !std::is_same_v<T, bool>) {
      auto o = out.as_mutable<T>();
      for (uint64_t e = 0; e < o.size(); ++e)
        o[e] = random_element<T>(keys[2 * (e / each)], keys[2 * (e / each) + 1], e % each);
    }
  });
  return {out};
}

Lowered rng_lower(const Node& n) {
  const Shape& key = n.in[0].shape();
  const auto batch = static_cast<int>(key.size()) - 1;
  loops::Nest nest = loops::elementwise(n.types[0].shape, types_of(n.in));
  std::vector<loops::Index> at;
  for (int d = 0; d < batch; ++d) at.push_back(nest.at(d));
  at.push_back({});
  const auto k0 = nest.load(0, at);
  at.back().offset = 1;
  const auto k1 = nest.load(0, at);
  const Ints strides = row_major(n.attrs.ints("shape"));
  loops::Index position{.coefficients = Ints(nest.extents.size(), 0)};
  std::ranges::copy(strides, position.coefficients.begin() + batch);
  const auto i = nest.iota(Dtype::uint64, position);
  const auto fn = dispatch(n.types[0].dtype, [](auto tag) -> loops::TileFn {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_unsigned_v<T> && !std::is_same_v<T, bool>) return rng_tile<T>;
    else return nullptr;
  });
  nest.store(nest.apply(fn, n.types[0].dtype, {k0, k1, i}, n.op->name, n.op));
  return {std::move(nest)};
}

Values rng_batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
                 Transforms&) {
  out_axis[0] = 0;
  return b.repeat(n, {batched_front(b, in[0], axis[0], size)});
}

std::vector<Sample> rng_samples() {
  std::vector<Sample> all;
  for (const Dtype d : {Dtype::uint32, Dtype::uint8, Dtype::uint64}) {
    all.push_back({fmt::format("{}", name(d)),
                   {sample_ints({2}, 0, 1 << 30, 1, Dtype::uint32)},
                   {{"dtype", d}, {"shape", Ints{3, 3}}},
                   {}});
    all.push_back({fmt::format("{} of two keys", name(d)),
                   {sample_ints({2, 2}, 0, 1 << 30, 2, Dtype::uint32)},
                   {{"dtype", d}, {"shape", Ints{5}}},
                   {}});
  }
  return all;
}

constexpr OpDef constant_record = {.name = "constant",
                                   .family = "source",
                                   .doc = "an array fixed in the program",
                                   .attributes = "value",
                                   .infer = constant_infer,
                                   .eval = constant_eval,
                                   .jvp = no_inputs_jvp,
                                   .split = plain_split,
                                   .transpose = no_inputs_transpose,
                                   .batch = batch_without_inputs,
                                   .lower = constant_lower,
                                   .prune = plain_prune,
                                   .bound = bounds::constant,
                                   .samples = constant_samples};
constexpr OpDef iota_record = {.name = "iota",
                               .family = "source",
                               .doc = "each element: its index along one dimension; integers wrap",
                               .attributes = "dtype shape dim",
                               .infer = iota_infer,
                               .eval = iota_eval,
                               .jvp = no_inputs_jvp,
                               .split = plain_split,
                               .transpose = no_inputs_transpose,
                               .batch = batch_without_inputs,
                               .lower = iota_lower,
                               .prune = plain_prune,
                               .bound = bounds::moves_all,
                               .samples = iota_samples};
constexpr OpDef rng_bits_record = {.name = "rng_bits",
                                   .family = "source",
                                   .doc = "Threefry-2x32 bits: a pure function of key and position",
                                   .attributes = "dtype shape",
                                   .infer = rng_infer,
                                   .eval = rng_eval,
                                   .jvp = integer_result,
                                   .split = plain_split,
                                   .transpose = Absent{Reason::not_linear, "a keyed permutation of integers"},
                                   .batch = rng_batch,
                                   .lower = rng_lower,
                                   .prune = plain_prune,
                                   .bound = bounds::exact_at_points,
                                   .samples = rng_samples};

constexpr std::array records = {
    &constant_record,
    &iota_record,
    &rng_bits_record,
};

}  // namespace

constinit const OpList ops::source = records;

}  // namespace viva
