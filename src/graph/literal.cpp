#include "graph/literal.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace viva {
namespace {

constexpr size_t most_ints = 4096;
constexpr size_t most_dims = 64;
constexpr int64_t most_splat_bytes = int64_t{1} << 30;

// The whole of s as a T; the error says whether it is no number or does not fit.
template <class T> std::errc read(std::string_view s, T& value, auto... base) {
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value, base...);
  if (error != std::errc()) return error;
  return end == s.data() + s.size() ? std::errc() : std::errc::invalid_argument;
}

template <class T> struct BitsOf {
  using type = std::conditional_t<sizeof(T) == 8, uint64_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint16_t>>;
};

template <class T> bool is_nan(T v) {
  if constexpr (is_half<T>) return std::isnan(static_cast<float>(v));
  else return std::isnan(v);
}

}  // namespace

Type Literals::type() {
  const auto t = in_.expect(Lexer::Kind::word, "a type");
  const auto d = dtype_from_name(t.text);
  if (!d) in_.fail(t.offset, fmt::format("'{}' is not a dtype", t.text.substr(0, 40)));
  return {*d, shape()};
}

Shape Literals::shape() {
  const size_t start = in_.token().offset;
  Shape s = ints();
  if (s.size() > most_dims) in_.fail(start, fmt::format("rank {} is above {}", s.size(), most_dims));
  try {
    numel(s);
  } catch (const Error& e) { in_.fail(start, e.message()); }
  return s;
}

Ints Literals::ints() {
  Ints v;
  in_.expect("[");
  if (in_.accept("]")) return v;
  do {
    if (v.size() == most_ints) in_.fail(fmt::format("more than {} integers", most_ints));
    const auto t = in_.expect(Lexer::Kind::number, "an integer");
    if (read(t.text, v.emplace_back()) != std::errc()) in_.fail(t.offset, "not an integer of 64 bits");
  } while (in_.accept(","));
  in_.expect("]");
  return v;
}

Attr Literals::attribute() {
  using Kind = Lexer::Kind;
  if (in_.token().kind == Kind::string) return in_.take().string;
  if (in_.is("[")) return ints();
  if (in_.accept("true")) return true;
  if (in_.accept("false")) return false;
  if (in_.is("inf") || in_.is("nan") || in_.is("-")) return real<double>();
  if (in_.token().kind == Kind::number) return number();
  const auto t = in_.expect(Kind::word, "a value");
  const auto d = dtype_from_name(t.text);
  if (!d) in_.fail(t.offset, fmt::format("'{}' is not a value", t.text.substr(0, 40)));
  if (!in_.is("[")) return *d;
  return array({*d, shape()});
}

Attr Literals::number() {
  const std::string_view text = in_.token().text;
  if (text.find_first_of(".eE") != std::string_view::npos) return real<double>();
  return element<int64_t>();
}

Array Literals::array(Type type) {
  in_.expect("(");
  Array a = in_.is("splat") ? splat(std::move(type)) : in_.is("hex") ? bytes(std::move(type)) : listed(std::move(type));
  in_.expect(")");
  return a;
}

Array Literals::splat(Type type) {
  const size_t start = in_.token().offset;
  in_.expect("splat");
  const int64_t count = numel(type.shape), width = size_of(type.dtype);
  if (count > (most_splat_bytes - splat_bytes_) / width)
    in_.fail(start, fmt::format("the splats exceed {} bytes", most_splat_bytes));
  splat_bytes_ += count * width;
  return dispatch(type.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T value = element<T>();
    Array a = Array::make(std::move(type));
    std::ranges::fill(a.as_mutable<T>(), value);
    return a;
  });
}

Array Literals::bytes(Type type) {
  in_.expect("hex");
  const auto t = in_.expect(Lexer::Kind::string, "the bytes in quotes");
  const auto expected = static_cast<uint64_t>(numel(type.shape)) * static_cast<uint64_t>(size_of(type.dtype));
  if (t.string.size() != 2 * expected)
    in_.fail(t.offset,
             fmt::format("{} is {} bytes, not {} hexadecimal digits", to_string(type), expected, t.string.size()));
  Array a = Array::make(std::move(type));
  for (size_t i = 0; i < expected; ++i) {
    uint8_t byte = 0;
    if (read(std::string_view(t.string).substr(2 * i, 2), byte, 16) != std::errc())
      in_.fail(t.offset, fmt::format("byte {} is not hexadecimal", i));
    if (is_bool(a.dtype()) && byte > 1) in_.fail(t.offset, fmt::format("byte {} is neither true nor false", i));
    a.mutable_data()[i] = std::byte{byte};
  }
  return a;
}

// Memory grows with the text, whatever the type says.
Array Literals::listed(Type type) {
  const size_t start = in_.token().offset;
  const auto count = static_cast<uint64_t>(numel(type.shape));
  return dispatch(type.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::vector<T> values;
    if (!in_.is(")")) do {
        if (values.size() == count) in_.fail(fmt::format("{} has only {} elements", to_string(type), count));
        values.push_back(element<T>());
      } while (in_.accept(","));
    if (values.size() != count)
      in_.fail(start, fmt::format("{} has {} elements, not {}", to_string(type), count, values.size()));
    return Array::of(values, std::move(type.shape));
  });
}

template <class T> T Literals::element() {
  if constexpr (is_std_complex<T>) {
    using R = typename T::value_type;
    in_.expect("(");
    const R re = real<R>();
    in_.expect(",");
    const R im = real<R>();
    in_.expect(")");
    return T(re, im);
  } else if constexpr (std::is_same_v<T, bool>) {
    if (in_.accept("true")) return true;
    in_.expect("false");
    return false;
  } else if constexpr (std::is_integral_v<T>) {
    const auto t = in_.expect(Lexer::Kind::number, "an integer");
    T v{};
    if (read(t.text, v) != std::errc()) in_.fail(t.offset, fmt::format("not an integer of {}", name(dtype_of<T>())));
    return v;
  } else return real<T>();
}

template <class T> T Literals::real() {
  using C = Compute<T>;
  constexpr C infinity = std::numeric_limits<C>::infinity();
  if (in_.accept("-")) {
    in_.expect("inf");
    return T(-infinity);
  }
  if (in_.accept("inf")) return T(infinity);
  if (in_.accept("nan")) {
    if (!in_.is("(")) return T(std::numeric_limits<C>::quiet_NaN());
    const size_t start = in_.token().offset;
    const T v = std::bit_cast<T>(payload<typename BitsOf<T>::type>());
    if (!is_nan(v)) in_.fail(start, "these bits are not a NaN");
    return v;
  }
  const auto t = in_.expect(Lexer::Kind::number, "a number");
  C v{};
  const std::errc error = read(t.text, v);
  if (error == std::errc::invalid_argument) in_.fail(t.offset, "not a number");
  const T r = T(v);
  if (error != std::errc() || std::isinf(static_cast<C>(r)))
    in_.fail(t.offset, fmt::format("outside the range of {}", name(dtype_of<T>())));
  return r;
}

template <class Bits> Bits Literals::payload() {
  in_.expect("(");
  const auto t = in_.expect(Lexer::Kind::number, "0x and the bits");
  Bits bits = 0;
  if (!t.text.starts_with("0x") || read(t.text.substr(2), bits, 16) != std::errc())
    in_.fail(t.offset, fmt::format("not 0x and {} hexadecimal digits at most", 2 * sizeof bits));
  in_.expect(")");
  return bits;
}

}  // namespace viva
