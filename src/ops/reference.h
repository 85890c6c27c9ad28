// Plain loops for the eval rules: obvious, for any dtype, never made fast.
#pragma once

#include <cstring>
#include <functional>

#include "base/array.h"

namespace viva {

// Calls f(index, flat) for every multi-index of shape in row-major order.
template <class F> void for_each_index(const Shape& shape, F&& f) {
  const int64_t n = numel(shape);
  Ints index(shape.size(), 0);
  for (int64_t flat = 0; flat < n; ++flat) {
    f(static_cast<const Ints&>(index), flat);
    for (size_t d = shape.size(); d-- > 0;) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
}

inline int64_t flat_index(const Ints& index, const Ints& strides) {
  int64_t flat = 0;
  for (size_t d = 0; d < index.size(); ++d) flat += index[d] * strides[d];
  return flat;
}

inline void copy_element(Array& out, int64_t to, const Array& x, int64_t from) {
  const int64_t width = size_of(x.dtype());
  std::memcpy(out.mutable_data() + to * width, x.data() + from * width, static_cast<size_t>(width));
}

// out[i] = x[source(i)] for every multi-index i of the output; a negative source takes element 0 of `fallback`.
template <class F> Array moved_elements(const Type& type, const Array& x, F&& source, const Array& fallback = {}) {
  Array out = Array::make(type);
  for_each_index(type.shape, [&](const Ints& index, int64_t flat) {
    const int64_t from = source(index);
    if (from >= 0) copy_element(out, flat, x, from);
    else copy_element(out, flat, fallback, 0);
  });
  return out;
}

}  // namespace viva
