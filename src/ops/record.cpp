#include "ops/record.h"

#include <algorithm>
#include <cmath>
#include <complex>

#include "base/threefry.h"

namespace viva {

void require_dims(const Ints& dims, int64_t rank, std::string_view what) {
  for (size_t i = 0; i < dims.size(); ++i) {
    require(dims[i] >= 0 && dims[i] < rank, "{} {} is outside rank {}", what, dims[i], rank);
    require(!contains(std::span(dims).first(i), dims[i]), "{} {} is named twice", what, dims[i]);
  }
}

void require_sorted_dims(const Ints& dims, int64_t rank, std::string_view what) {
  require_dims(dims, rank, what);
  require(std::ranges::is_sorted(dims), "{}s {} are not in ascending order", what, spelled(dims));
}

void plain_split(SplitSite& s, const Node& n, std::span<Value> out_known, std::span<Value> out_unknown, Transforms&) {
  const bool known = std::ranges::all_of(s.in_known, [](Value v) { return bool(v); });
  Values in;
  for (size_t i = 0; i < n.in.size(); ++i)
    in.push_back(known ? s.in_known[i] : s.in_known[i] ? s.residual(s.in_known[i]) : s.in_unknown[i]);
  std::ranges::copy((known ? s.known : s.unknown).copy(n, std::move(in)), (known ? out_known : out_unknown).begin());
}

Values plain_prune(Build& b, const Node& n, Ins in, const Mask&, Pruner&) {
  return b.repeat(n, Values(in.begin(), in.end()));
}

Value batched_at(Build& b, Value x, int axis, int want, int64_t n) {
  if (axis >= 0) return b.move_axis(x, axis, want);
  Ints dims = shifted(iota_ints(x.rank()), want);
  return b.broadcast(x, inserted(x.shape(), want, n), std::move(dims));
}

std::optional<double> splat_value(Value v) {
  while (v.node()->op && v.node()->op->name == "broadcast") v = v.node()->in[0];
  if (!v.node()->op || v.node()->op->name != "constant") return std::nullopt;
  const Array& a = v.node()->attrs.array("value");
  if (a.size() == 0 || a.size() > 64 || is_complex(a.dtype())) return std::nullopt;
  const auto width = static_cast<size_t>(size_of(a.dtype()));
  for (int64_t i = 1; i < a.size(); ++i)
    if (!std::equal(a.data(), a.data() + width, a.data() + static_cast<size_t>(i) * width)) return std::nullopt;
  return a.at(0);
}

Ints shifted(const Ints& dims, int axis) {
  Ints r = dims;
  for (int64_t& d : r) d += d >= axis;
  return r;
}

Ints inserted(Ints v, int64_t at, int64_t value) {
  v.insert(v.begin() + at, value);
  return v;
}

namespace {

// Uniform words; other seeds give other streams.
struct SampleStream {
  Words2 key;
  uint64_t count = 0;
  uint64_t below(uint64_t n) { return (uint64_t{threefry2x32(key, words_of(count++))[0]} * n) >> 32; }
  double unit() { return threefry2x32(key, words_of(count++))[0] * 0x1p-32; }
};

// [lo, hi] without (-0.05, 0.05), as one interval: u in [0, 1) to a number in it.
double away_from_zero(double lo, double hi, double u) {
  constexpr double gap = 0.05;
  const double below = lo < -gap ? -gap - lo : 0, from = std::max(lo, gap), above = std::max(hi - from, 0.0);
  const double at = u * (below + above);
  return at < below ? lo + at : from + (at - below);
}

}  // namespace

Array sample_floats(Shape shape, double lo, double hi, int seed, Dtype dtype) {
  Array a = Array::make({Dtype::float64, std::move(shape)});
  auto out = a.as_mutable<double>();
  SampleStream random{{static_cast<uint32_t>(seed), 0x5a}};
  // Each number from a stratum of its own, at a place in it that goes with the seed, so that no two of an array are
  // close, nor two of arrays of one size; the strata in random order.
  Ints stratum = iota_ints(a.size());
  for (size_t i = stratum.size(); i > 1; --i) std::swap(stratum[i - 1], stratum[random.below(i)]);
  const double turn = 0.6180339887498949 * (seed + 1), place = 0.1 + 0.8 * (turn - std::floor(turn));
  for (size_t i = 0; i < out.size(); ++i) {
    const double u = static_cast<double>(stratum[i]) + place + 0.1 * (random.unit() - 0.5);
    out[i] = away_from_zero(lo, hi, u / static_cast<double>(out.size()));
  }
  return a.converted(dtype);
}

Array sample_complex(Shape shape, double lo, double hi, int seed, Dtype dtype) {
  const Array re = sample_floats(shape, lo, hi, seed), im = sample_floats(shape, -1, 1, seed + 50);
  Array a = Array::make({Dtype::complex128, std::move(shape)});
  auto out = a.as_mutable<std::complex<double>>();
  for (size_t i = 0; i < out.size(); ++i) out[i] = {re.at(static_cast<int64_t>(i)), im.at(static_cast<int64_t>(i))};
  return a.converted(dtype);
}

Array sample_ints(Shape shape, int64_t lo, int64_t hi, int seed, Dtype dtype) {
  Array a = Array::make({Dtype::int64, std::move(shape)});
  SampleStream random{{static_cast<uint32_t>(seed), 0xa5}};
  for (int64_t& v : a.as_mutable<int64_t>())
    v = lo + static_cast<int64_t>(random.below(static_cast<uint64_t>(hi - lo + 1)));
  return a.converted(dtype);
}

}  // namespace viva
