#include "data/check.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>

#include "base/error.h"

namespace viva {
namespace {

// The first word whose exponent bits are all set, which means NaN or infinity; -1 where there is none.
template <class Word> int64_t first_not_finite(const Array& a, Word exponent) {
  const std::span words(reinterpret_cast<const Word*>(a.data()), static_cast<size_t>(a.bytes()) / sizeof(Word));
  constexpr size_t block = 4096;  // a loop without exits runs in vectors
  for (size_t begin = 0; begin < words.size(); begin += block) {
    const auto part = words.subspan(begin, std::min(block, words.size() - begin));
    bool any = false;
    for (Word w : part) any |= (w & exponent) == exponent;
    for (size_t i = 0; any && i < part.size(); ++i)
      if ((part[i] & exponent) == exponent) return static_cast<int64_t>(begin + i);
  }
  return -1;
}

// The flat index of the first element that is not finite, or -1.
int64_t first_not_finite(const Array& a) {
  switch (a.dtype()) {
    case Dtype::float16:
      return first_not_finite<uint16_t>(a, 0x7c00);
    case Dtype::bfloat16:
      return first_not_finite<uint16_t>(a, 0x7f80);
    case Dtype::float32:
      return first_not_finite<uint32_t>(a, 0x7f800000);
    case Dtype::float64:
      return first_not_finite<uint64_t>(a, 0x7ff0000000000000);
    default:
      return -1;
  }
}

int64_t rows_of(const Array& a) { return a.shape().empty() ? 0 : a.shape()[0]; }

Error bad_label(const NamedArray& labels, int64_t row, const std::string& value, const char* problem) {
  return input_error("{}: row {} (counting from 0) has label {}, {}: give the classes as 0, 1, 2, …", labels.name, row,
                     value, problem);
}

template <class T> int64_t whole_label(const NamedArray& labels, int64_t row, T value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? 1 : 0;
  } else if constexpr (std::is_integral_v<T>) {
    if constexpr (std::is_signed_v<T>)
      if (value < 0) throw bad_label(labels, row, std::to_string(value), "which is negative");
    if (static_cast<uint64_t>(value) > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      throw bad_label(labels, row, std::to_string(value), "which is too large");
    return static_cast<int64_t>(value);
  } else {
    const auto v = static_cast<double>(static_cast<Compute<T>>(value));
    const std::string shown = fmt::format("{}", v);
    if (v != std::floor(v) || std::isinf(v)) throw bad_label(labels, row, shown, "which is not a whole number");
    if (v < 0) throw bad_label(labels, row, shown, "which is negative");
    if (v > 0x1p53) throw bad_label(labels, row, shown, "which is too large");
    return static_cast<int64_t>(v);
  }
}

}  // namespace

void check_inputs(const NamedArray& inputs) {
  const Array& a = inputs.array;
  if (a.shape().empty()) throw input_error("{}: is a single number: one row for each example is needed", inputs.name);
  if (a.size() == 0)
    throw input_error("{}: has shape {} and so holds no data: give at least one row", inputs.name,
                      to_string(a.shape()));
  if (is_complex(a.dtype()))
    throw input_error("{}: is complex: give real inputs, such as the real and imaginary parts side by side",
                      inputs.name);
  const int64_t bad = first_not_finite(a);
  if (bad < 0) return;
  const int64_t width = a.size() / rows_of(a);
  throw input_error("{}: row {} (counting from 0) holds {}: remove the row or replace the value", inputs.name,
                    bad / width, std::isnan(a.at(bad)) ? "NaN" : "infinity");
}

void check_rows(const NamedArray& inputs, const NamedArray& labels) {
  const Shape& s = labels.array.shape();
  if (s.size() == 2 && s[0] == 1 && s[1] == rows_of(inputs.array) && s[1] > 1)
    throw input_error("{}: labels have shape {}: give one class number for each row, as y.reshape(-1) does",
                      labels.name, to_string(s));
  if (s.size() == 2 && s[1] > 1)
    throw input_error(
        "{}: labels have shape {}, as one-hot labels have: give the class of each row, such as y.argmax(axis=1)",
        labels.name, to_string(s));
  if (s.empty() || s.size() > 2 || (s.size() == 2 && s[1] != 1))
    throw input_error("{}: labels have shape {}: give one class number for each row, shape [{}]", labels.name,
                      to_string(s), rows_of(inputs.array));
  if (s[0] != rows_of(inputs.array))
    throw input_error("{}: has {} labels for the {} rows of {}: give files that belong together", labels.name, s[0],
                      rows_of(inputs.array), inputs.name);
}

Array whole_labels(const NamedArray& labels) {
  const Array& a = labels.array;
  Array whole = Array::make({Dtype::int64, {a.size()}});
  dispatch(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (is_std_complex<T>) {
      throw input_error("{}: labels are complex: give integers", labels.name);
    } else {
      const auto from = a.as<T>();
      const auto to = whole.as_mutable<int64_t>();
      for (size_t i = 0; i < from.size(); ++i) to[i] = whole_label(labels, static_cast<int64_t>(i), from[i]);
    }
  });
  return whole;
}

}  // namespace viva
