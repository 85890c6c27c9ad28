#include "viva/random.h"

#include <cmath>
#include <concepts>
#include <cstring>
#include <numbers>

#include "base/threefry.h"
#include "trace/operand.h"
#include "viva/numpy.h"

namespace viva {

using tracing::emit;
using tracing::Line;
using tracing::usage_at;

namespace {

// Keys are derived and numbers drawn under different keys, so that a child never equals its parent's numbers.
constexpr Words2 folding{0x9E3779B9u, 0x7F4A7C15u}, splitting{0xD1B54A32u, 0xD192ED03u};

Tensor words(Words2 w, Where where) { return tracing::constant(Array::of<uint32_t>({w[0], w[1]}, {2}), where); }

void check_key(const Key& k, Where where) {
  tracing::check_not_empty(k.bits, where);
  if (k.bits.type() != Type{Dtype::uint32, {2}})
    throw usage_at(where, fmt::format("[random] a key is {}, not u32[2]", to_string(k.bits.type())));
}

Tensor random_bits(const Tensor& key, Dtype d, const Shape& shape, Where where) {
  return emit("rng_bits", {&key}, {{"dtype", d}, {"shape", shape}}, where);
}

// The high bits as an integer below 2^digits, times 2^-digits.
Tensor unit(const Tensor& key, const Shape& shape, Dtype d, Where where) {
  struct Format {
    Dtype bits;
    int width, digits;
  };
  const Format f = d == Dtype::float64    ? Format{Dtype::uint64, 64, 53}
                   : d == Dtype::float32  ? Format{Dtype::uint32, 32, 24}
                   : d == Dtype::float16  ? Format{Dtype::uint16, 16, 11}
                   : d == Dtype::bfloat16 ? Format{Dtype::uint16, 16, 8}
                                          : Format{Dtype::uint8, 0, 0};
  if (f.width == 0) throw usage_at(where, fmt::format("[random] {} is no float dtype", name(d)));
  const Tensor bits = random_bits(key, f.bits, shape, where);
  return convert(shift_right(bits, f.width - f.digits), d) * std::ldexp(1.0, -f.digits);
}

}  // namespace

Key key(uint64_t seed) {
  const Words2 w = threefry2x32(words_of(seed), {0, 0x56495641u});
  return {Tensor(Array::of<uint32_t>({w[0], w[1]}, {2}))};
}

Key Key::fold(const Arg& tag) const {
  const Line line(tag.where);
  check_key(*this, tag.where);
  Tensor own;
  if (tag.tensor) {
    if (!is_integer(tag.tensor->dtype()) || tag.tensor->rank() != 0)
      throw usage_at(tag.where,
                     fmt::format("[fold] a tag is {}, not an integer scalar", to_string(tag.tensor->type())));
    const Tensor low = convert(*tag.tensor, Dtype::uint32);
    const Tensor high = convert(shift_right(convert(*tag.tensor, Dtype::uint64), 32), Dtype::uint32);
    own = stack({low, high});
  } else {
    own = std::visit(
        [&](auto v) {
          if constexpr (std::is_floating_point_v<decltype(v)>)
            throw usage_at(tag.where, fmt::format("[fold] {} is no integer", v));
          return words(words_of(static_cast<uint64_t>(v)), tag.where);
        },
        tag.number.value);
  }
  const Tensor under = bits ^ own ^ words(folding, tag.where);
  return {random_bits(under, Dtype::uint32, {2}, tag.where)};
}

std::vector<Key> Key::split(int64_t count, Loc l) const {
  const Line line(l);
  check_key(*this, l);
  if (count < 1) throw usage_at(l, fmt::format("[split] {} keys: at least 1", count));
  const Tensor all = random_bits(bits ^ words(splitting, l), Dtype::uint32, {count, 2}, l);
  std::vector<Key> keys;
  for (const Tensor& t : viva::split(all, count)) keys.push_back({reshape(t, {2})});
  return keys;
}

namespace {

double rounded(double v, Dtype d) { return Array::full({d, {}}, v).at(0); }

// The float next below v, by its bits.
template <std::unsigned_integral Bits> Array below(const Array& v) {
  constexpr Bits sign = static_cast<Bits>(Bits{1} << (8 * sizeof(Bits) - 1));
  Bits bits;
  std::memcpy(&bits, v.data(), sizeof bits);
  if ((bits & ~sign) == 0) bits = static_cast<Bits>(sign | 1);
  else bits = static_cast<Bits>((bits & sign) == 0 ? bits - 1 : bits + 1);
  Array next = Array::make(v.type());
  std::memcpy(next.mutable_data(), &bits, sizeof bits);
  return next;
}

// The number of float dtype d next below v, which d holds.
double next_below(double v, Dtype d) {
  const Array a = Array::full({d, {}}, v);
  return (size_of(d) == 2 ? below<uint16_t>(a) : size_of(d) == 4 ? below<uint32_t>(a) : below<uint64_t>(a)).at(0);
}

struct Interval {
  double first, last;  // the least and the greatest number of the dtype in [low, high)
};

Interval interval_in(Dtype d, double low, double high, Where where) {
  const auto refuse = [&](std::string_view why) {
    return usage_at(where, fmt::format("[uniform] [{}, {}) of {}: {}", low, high, name(d), why));
  };
  if (!(low < high)) throw refuse("the interval is empty");
  for (const double v : {low, high, high - low})
    if (!std::isfinite(rounded(v, d))) throw refuse("the dtype does not hold its ends and its length");
  Interval r{rounded(low, d), rounded(high, d)};
  if (r.first < low) r.first = -next_below(-r.first, d);
  if (r.last >= high) r.last = next_below(r.last, d);
  if (r.first > r.last) throw refuse("the dtype has no number there");
  return r;
}

}  // namespace

Tensor uniform(const Key& k, const Shape& shape, double low, double high, Dtype d, Loc l) {
  const Line line(l);
  check_key(k, l);
  const Tensor u = unit(k.bits, shape, d, l);
  if (low == 0 && high == 1) return u;
  const Interval in = interval_in(d, low, high, l);
  const Tensor x = minimum(u * (high - low) + low, in.last);
  return rounded(low, d) < low ? maximum(x, in.first) : x;
}

Tensor normal(const Key& k, const Shape& shape, Dtype d, Loc l) {
  const Line line(l);
  check_key(k, l);
  const int64_t n = numel(shape), half = (n + 1) / 2;
  const bool narrow = size_of(d) < 4;
  const Tensor u = unit(k.bits, {2, half}, narrow ? Dtype::float32 : d, l);
  const std::vector<Tensor> rows = viva::split(u, 2);
  const Tensor radius = sqrt(-2 * log(1 - rows[0])), angle = rows[1] * (2 * std::numbers::pi);
  const Tensor both = reshape(concatenate({radius * cos(angle), radius * sin(angle)}), {-1});
  return convert(reshape(n % 2 ? split_at(both, {n})[0] : both, shape), d);
}

Tensor bernoulli(const Key& k, const Arg& p, const Shape& shape) {
  const Line line(p.where);
  check_key(k, p.where);
  const Shape& own = p.tensor ? p.tensor->shape() : Shape{};
  if (tracing::broadcast_shape(own, shape, "bernoulli", p.where) != shape)
    throw usage_at(p.where, fmt::format("[bernoulli] p of shape {} does not fit {}", to_string(own), to_string(shape)));
  return unit(k.bits, shape, Dtype::float32, p.where) < p;
}

Tensor randint(const Key& k, const Shape& shape, int64_t low, int64_t high, Dtype d, Loc l) {
  const Line line(l);
  check_key(k, l);
  if (high <= low) throw usage_at(l, fmt::format("[randint] no integer in [{}, {})", low, high));
  if (!is_integer(d)) throw usage_at(l, fmt::format("[randint] {} is no integer dtype", name(d)));
  if (!tracing::holds(d, low) || !tracing::holds(d, high - 1))
    throw usage_at(l, fmt::format("[randint] {} does not hold all of [{}, {})", name(d), low, high));
  const Tensor bits = random_bits(k.bits, Dtype::uint64, shape, l);
  const Tensor span = tracing::constant(Array::scalar(static_cast<uint64_t>(high) - static_cast<uint64_t>(low)), l);
  const Tensor from = tracing::constant(Array::scalar(low), l);
  return convert(convert(bits % span, Dtype::int64) + from, d);
}

Tensor categorical(const Key& k, const Arg& logits) {
  const Line line(logits.where);
  check_key(k, logits.where);
  const Tensor t = tracing::as_float(logits);
  // The position of the greatest of logit + Gumbel noise, which is -log of an exponential variable.
  const Tensor u = unit(k.bits, t.shape(), t.dtype() == Dtype::float64 ? Dtype::float64 : Dtype::float32, logits.where);
  return argmax(t - log(maximum(-log1p(-u), std::ldexp(1.0, -25))), -1);
}

Tensor permutation(const Key& k, int64_t n, Loc l) {
  const Line line(l);
  check_key(k, l);
  if (n < 0) throw usage_at(l, fmt::format("[permutation] of {} numbers", n));
  return argsort(random_bits(k.bits, Dtype::uint64, {n}, l), 0);
}

Tensor shuffle(const Key& k, const Arg& x, int64_t axis) {
  const Line line(x.where);
  const Tensor t = tracing::as_tensor(x);
  const int64_t dim = tracing::axis_in(axis, t.rank(), "shuffle", x.where);
  return take(t, permutation(k, t.dim(dim)), dim);
}

}  // namespace viva
