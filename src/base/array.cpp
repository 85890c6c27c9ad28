#include "base/array.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/recycler.h"

namespace viva {

Array Array::make(Type type) {
  Array a;
  a.size_ = numel(type.shape);
  a.type_ = std::move(type);
  const size_t bytes = whole_lines(static_cast<size_t>(a.bytes())) + 64;
  std::byte* p = take_block(bytes);
  if (!p) throw input_error("no memory for {} ({} bytes)", to_string(a.type_), bytes);
  a.storage_ = std::shared_ptr<const std::byte>(
      p, [bytes](const std::byte* q) { give_block(const_cast<std::byte*>(q), bytes); });
  return a;
}

Array Array::zeros(Type type) {
  Array a = make(std::move(type));
  std::memset(a.mutable_data(), 0, static_cast<size_t>(a.bytes()));
  return a;
}

Array Array::view(Type type, std::shared_ptr<const std::byte> storage) {
  Array a;
  a.size_ = numel(type.shape);
  a.type_ = std::move(type);
  a.storage_ = std::move(storage);
  return a;
}

Array Array::full(Type type, double value) {
  Array a = make(std::move(type));
  dispatch(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::ranges::fill(a.as_mutable<T>(), convert_element<T>(value));
  });
  return a;
}

Array Array::reshaped(Shape shape) const {
  if (numel(shape) != size_) throw usage_error("cannot view {} as {}", to_string(type_), to_string(shape));
  Array a = *this;
  a.type_.shape = std::move(shape);
  return a;
}

double Array::at(int64_t i) const {
  return dispatch(dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    return convert_element<double>(as<T>()[static_cast<size_t>(i)]);
  });
}

Array Array::converted(Dtype d) const {
  if (d == dtype()) return *this;
  Array r = make({d, shape()});
  dispatch(dtype(), [&](auto from) {
    dispatch(d, [&](auto to) {
      using F = typename decltype(from)::type;
      using T = typename decltype(to)::type;
      std::ranges::transform(as<F>(), r.as_mutable<T>().begin(), [](F v) { return convert_element<T>(v); });
    });
  });
  return r;
}

void check_dtype(const Array& a, Dtype d) {
  if (a.dtype() != d) throw internal_error("array of {} read as {}", name(a.dtype()), name(d));
}

bool same_bits(const Array& a, const Array& b) {
  return a.type() == b.type() && std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())) == 0;
}

}  // namespace viva
