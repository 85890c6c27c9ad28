// Array: a dense, row-major, immutable-once-shared block of elements. Copies are shallow.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/shape.h"

namespace viva {

class Array {
 public:
  Array() = default;  // empty: holds no type
  // Uninitialised elements, 64-byte aligned. Throws an input error where memory cannot be had.
  static Array make(Type type);
  static Array zeros(Type type);
  // Wraps storage that somebody else keeps alive through owner.
  static Array view(Type type, std::shared_ptr<const std::byte> storage);
  template <class T> static Array of(const std::vector<T>& values, Shape shape);
  template <class T> static Array scalar(T value) { return of(std::vector<T>{value}, {}); }
  // Every element set to value, converted to the dtype.
  static Array full(Type type, double value);

  bool empty() const { return !storage_; }
  bool unique() const { return storage_.use_count() == 1; }  // nobody else holds the elements
  const Type& type() const { return type_; }
  Dtype dtype() const { return type_.dtype; }
  const Shape& shape() const { return type_.shape; }
  int64_t size() const { return size_; }
  int64_t bytes() const { return size_ * size_of(type_.dtype); }

  const std::byte* data() const { return storage_.get(); }
  // Only for the code that fills a fresh array; nobody else may hold a copy yet.
  std::byte* mutable_data() { return const_cast<std::byte*>(storage_.get()); }
  template <class T> std::span<const T> as() const;
  template <class T> std::span<T> as_mutable();

  Array reshaped(Shape shape) const;  // the same elements; throws where the counts differ
  // The element at a flat index, as a double (integers above 2^53 round; the real part of a complex).
  double at(int64_t i) const;
  // Every element converted by convert_element.
  Array converted(Dtype d) const;

 private:
  Type type_;
  int64_t size_ = 0;
  std::shared_ptr<const std::byte> storage_;
};

void check_dtype(const Array& a, Dtype d);  // throws an internal error

// The same type and the same bytes (so NaN equals the same NaN, and 0 differs from -0).
bool same_bits(const Array& a, const Array& b);

template <class T> std::span<const T> Array::as() const {
  check_dtype(*this, dtype_of<T>());
  return {reinterpret_cast<const T*>(data()), static_cast<size_t>(size_)};
}
template <class T> std::span<T> Array::as_mutable() {
  check_dtype(*this, dtype_of<T>());
  return {reinterpret_cast<T*>(mutable_data()), static_cast<size_t>(size_)};
}
template <class T> Array Array::of(const std::vector<T>& values, Shape shape) {
  Array a = make({dtype_of<T>(), {static_cast<int64_t>(values.size())}});
  auto out = a.as_mutable<T>();
  for (size_t i = 0; i < values.size(); ++i) out[i] = values[i];
  return a.reshaped(std::move(shape));
}

}  // namespace viva
