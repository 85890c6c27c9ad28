// What the records share: operand checks, the rules of operations without functions inside, and batching helpers.
#pragma once

#include "base/error.h"
#include "graph/build.h"
#include "graph/opdef.h"

namespace viva {

// A type or a shape as to_string gives it, which takes longer than most checks: only where it is printed.
template <class T> struct Spelled {
  const T& value;
};
template <class T> Spelled<T> spelled(const T& value) { return {value}; }

}  // namespace viva

template <class T> struct fmt::formatter<viva::Spelled<T>> : fmt::formatter<std::string_view> {
  template <class C> auto format(const viva::Spelled<T>& s, C& c) const {
    using viva::to_string;
    const auto text = to_string(s.value);
    return fmt::formatter<std::string_view>::format(text, c);
  }
};

namespace viva {

template <class... A> void require(bool ok, fmt::format_string<A...> f, A&&... a) {
  if (!ok) throw usage_error(f, std::forward<A>(a)...);
}
inline void require_operands(const Infer::Site& s, size_t n) {
  require(s.in.size() == n, "takes {} operands, not {}", n, s.in.size());
}
// Each entry a dimension below rank, none twice.
void require_dims(const Ints& dims, int64_t rank, std::string_view what);
void require_sorted_dims(const Ints& dims, int64_t rank, std::string_view what);

// Known where all inputs are known, else unknown: right for every operation that holds no function.
void plain_split(SplitSite& s, const Node& n, std::span<Value> out_known, std::span<Value> out_unknown, Transforms&);
Values plain_prune(Build& b, const Node& n, Ins in, const Mask& used, Pruner&);

// The widest step by which a rule may spread elements apart: loop nests divide by it.
inline constexpr int64_t widest_step = int64_t{1} << 31;

// x with its batch axis at `want`, broadcast to n there where it has none (axis -1).
Value batched_at(Build& b, Value x, int axis, int want, int64_t n);
inline Value batched_front(Build& b, Value x, int axis, int64_t n) { return batched_at(b, x, axis, 0, n); }

constexpr Dtype real_of(Dtype d) {
  return d == Dtype::complex64 ? Dtype::float32 : d == Dtype::complex128 ? Dtype::float64 : d;
}
// Floats, integers or complex numbers alike: what a sum takes and gives.
constexpr bool same_class(Dtype a, Dtype b) {
  return (is_float(a) && is_float(b)) || (is_integer(a) && is_integer(b)) || (is_complex(a) && is_complex(b));
}

// The number that every element of v equals, where v is a constant or a broadcast of one; else nothing.
std::optional<double> splat_value(Value v);

// dims with every entry at or above axis moved up by one: the same dimensions after a batch axis went in there.
Ints shifted(const Ints& dims, int axis);
Ints inserted(Ints v, int64_t at, int64_t value);
template <class... V> Ints joined(const Ints& first, const V&... rest) {
  Ints r = first;
  (r.insert(r.end(), rest.begin(), rest.end()), ...);
  return r;
}

// Numbers in [lo, hi] for samples, a function of the seed, independent for different seeds: no two equal, none near 0
// or a tie. Seeds and extents are small.
Array sample_floats(Shape shape, double lo, double hi, int seed, Dtype dtype = Dtype::float64);
// Complex numbers whose real parts are sample_floats in [lo, hi], the imaginary ones in [-1, 1].
Array sample_complex(Shape shape, double lo, double hi, int seed, Dtype dtype = Dtype::complex128);
Array sample_ints(Shape shape, int64_t lo, int64_t hi, int seed, Dtype dtype = Dtype::int32);

inline constexpr Absent integer_result{Reason::integer_output, "the result is an integer or a truth value"};
inline constexpr Absent flat{Reason::no_tangent, "piecewise constant: the derivative is zero wherever it exists"};

}  // namespace viva
