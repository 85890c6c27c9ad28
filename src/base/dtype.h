// Element types: their sizes, names, classes, and the dispatch from a run-time Dtype to a C++ type.
#pragma once

#include <bit>
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>

namespace viva {

enum class Dtype : uint8_t {
  boolean,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  float16,
  bfloat16,
  float32,
  float64,
  complex64,
  complex128,
};
inline constexpr int dtype_count = 15;

// 16-bit floats are storage formats: arithmetic converts to float, computes, and rounds once (to nearest, ties to
// even).
struct Float16 {
  uint16_t bits = 0;
  Float16() = default;
  explicit Float16(float f);
  explicit operator float() const;
};
struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  explicit BFloat16(float f);
  explicit operator float() const { return std::bit_cast<float>(uint32_t{bits} << 16); }
};

// Short names, as printed in the text form: bool, i32, u8, f32, bf16, c64.
std::string_view name(Dtype d);
// Accepts the short names only; nullopt for anything else.
std::optional<Dtype> dtype_from_name(std::string_view s);

constexpr int64_t size_of(Dtype d) {
  constexpr int8_t sizes[dtype_count] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 8, 16};
  return sizes[static_cast<int>(d)];
}
constexpr bool is_bool(Dtype d) { return d == Dtype::boolean; }
constexpr bool is_signed_integer(Dtype d) { return d >= Dtype::int8 && d <= Dtype::int64; }
constexpr bool is_unsigned(Dtype d) { return d >= Dtype::uint8 && d <= Dtype::uint64; }
constexpr bool is_integer(Dtype d) { return d >= Dtype::int8 && d <= Dtype::uint64; }
constexpr bool is_float(Dtype d) { return d >= Dtype::float16 && d <= Dtype::float64; }
constexpr bool is_complex(Dtype d) { return d >= Dtype::complex64; }
// Only these carry tangents; integers and bool have none.
constexpr bool has_tangent(Dtype d) { return is_float(d) || is_complex(d); }

template <class T> inline constexpr bool is_half = std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>;
template <class T> inline constexpr bool is_std_complex = false;
template <class T> inline constexpr bool is_std_complex<std::complex<T>> = true;
template <class T> inline constexpr bool is_float_type = std::is_floating_point_v<T> || is_half<T>;

// The type in which one element of T is computed: float for the 16-bit formats, T itself otherwise.
template <class T> struct ComputeOf {
  using type = T;
};
template <> struct ComputeOf<Float16> {
  using type = float;
};
template <> struct ComputeOf<BFloat16> {
  using type = float;
};
template <class T> using Compute = typename ComputeOf<T>::type;

template <class T> struct Tag {
  using type = T;
};

template <class T> constexpr Dtype dtype_of() {
  if constexpr (std::is_same_v<T, bool>) return Dtype::boolean;
  else if constexpr (std::is_same_v<T, int8_t>) return Dtype::int8;
  else if constexpr (std::is_same_v<T, int16_t>) return Dtype::int16;
  else if constexpr (std::is_same_v<T, int32_t>) return Dtype::int32;
  else if constexpr (std::is_same_v<T, int64_t>) return Dtype::int64;
  else if constexpr (std::is_same_v<T, uint8_t>) return Dtype::uint8;
  else if constexpr (std::is_same_v<T, uint16_t>) return Dtype::uint16;
  else if constexpr (std::is_same_v<T, uint32_t>) return Dtype::uint32;
  else if constexpr (std::is_same_v<T, uint64_t>) return Dtype::uint64;
  else if constexpr (std::is_same_v<T, Float16>) return Dtype::float16;
  else if constexpr (std::is_same_v<T, BFloat16>) return Dtype::bfloat16;
  else if constexpr (std::is_same_v<T, float>) return Dtype::float32;
  else if constexpr (std::is_same_v<T, double>) return Dtype::float64;
  else if constexpr (std::is_same_v<T, std::complex<float>>) return Dtype::complex64;
  else {
    static_assert(std::is_same_v<T, std::complex<double>>, "not an element type");
    return Dtype::complex128;
  }
}

// Calls f(Tag<T>{}) with the C++ type of d.
template <class F> decltype(auto) dispatch(Dtype d, F&& f) {
  switch (d) {
    case Dtype::boolean:
      return f(Tag<bool>{});
    case Dtype::int8:
      return f(Tag<int8_t>{});
    case Dtype::int16:
      return f(Tag<int16_t>{});
    case Dtype::int32:
      return f(Tag<int32_t>{});
    case Dtype::int64:
      return f(Tag<int64_t>{});
    case Dtype::uint8:
      return f(Tag<uint8_t>{});
    case Dtype::uint16:
      return f(Tag<uint16_t>{});
    case Dtype::uint32:
      return f(Tag<uint32_t>{});
    case Dtype::uint64:
      return f(Tag<uint64_t>{});
    case Dtype::float16:
      return f(Tag<Float16>{});
    case Dtype::bfloat16:
      return f(Tag<BFloat16>{});
    case Dtype::float32:
      return f(Tag<float>{});
    case Dtype::float64:
      return f(Tag<double>{});
    case Dtype::complex64:
      return f(Tag<std::complex<float>>{});
    case Dtype::complex128:
      break;
  }
  return f(Tag<std::complex<double>>{});
}

// v as a float with the last bit set where that is not exact ("round to odd"): rounding it once more, to a format of at
// most 22 bits, gives what rounding v itself would. (Boldo and Melquiond, 2008, theorem 2.)
template <class From> float rounded_to_odd(From v) {
  const auto f = static_cast<float>(v);
  if constexpr (std::is_same_v<From, float> || std::is_same_v<From, bool> || sizeof(From) <= 2) return f;
  else {
    // The larger of the two types that hold every value of From exactly.
    using Exact = std::conditional_t<std::is_integral_v<From>, long double, double>;
    const auto exact = static_cast<Exact>(v), near = static_cast<Exact>(f);
    if (!(near < exact || exact < near)) return f;
    const auto bits = std::bit_cast<uint32_t>(f);
    const bool beyond = exact < 0 ? near < exact : exact < near;
    return std::bit_cast<float>((beyond ? bits - 1 : bits) | 1u);
  }
}

// Conversion between element types with total semantics: float to integer saturates and takes NaN to 0, integer to
// integer wraps, anything to bool is "not zero", complex to real drops the imaginary part.
template <class To, class From> To convert_element(From v) {
  if constexpr (std::is_same_v<To, From>) return v;
  else if constexpr (is_half<From>) return convert_element<To>(static_cast<float>(v));
  else if constexpr (is_std_complex<To>) {
    using R = typename To::value_type;
    if constexpr (is_std_complex<From>) return To(static_cast<R>(v.real()), static_cast<R>(v.imag()));
    else return To(static_cast<R>(v), R(0));
  } else if constexpr (std::is_same_v<To, bool>) return v != From(0);
  else if constexpr (is_std_complex<From>) return convert_element<To>(v.real());
  else if constexpr (is_half<To>) return To(rounded_to_odd(v));
  else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    // 2^digits is exact in From, unlike max(), which rounds up to it.
    const From above = std::ldexp(From(1), std::numeric_limits<To>::digits);
    if (std::isnan(v)) return To(0);
    if (v >= above) return std::numeric_limits<To>::max();
    if (v <= static_cast<From>(std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
    return static_cast<To>(v);
  } else return static_cast<To>(v);
}

}  // namespace viva
