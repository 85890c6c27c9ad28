#include "loops/copy.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "loops/transpose.h"

namespace viva::loops {
namespace {

struct Wide {
  uint64_t low, high;
};

template <class F> void by_size(int64_t element, F&& f) {
  switch (element) {
    case 1:
      return f(uint8_t{});
    case 2:
      return f(uint16_t{});
    case 4:
      return f(uint32_t{});
    case 8:
      return f(uint64_t{});
    default:
      return f(Wide{});
  }
}

template <class E>
void run(E* __restrict dst, int64_t dst_stride, const E* __restrict src, int64_t src_stride, int64_t n) {
  if (dst_stride == 1 && src_stride == 1) {
    std::memcpy(dst, src, static_cast<size_t>(n) * sizeof(E));
  } else if (dst_stride == 1 && src_stride == 0) {
    std::fill_n(dst, n, *src);
  } else if (dst_stride == 1 && src_stride == 2) {
    for (int64_t i = 0; i < n; ++i) dst[i] = src[2 * i];
  } else if (dst_stride == 1) {
    for (int64_t i = 0; i < n; ++i) dst[i] = src[i * src_stride];
  } else {
    for (int64_t i = 0; i < n; ++i) dst[i * dst_stride] = src[i * src_stride];
  }
}

// dst[r · dst_row + c] = src[c · src_row + r], in blocks that keep both sides in cache.
template <class E>
void turned(E* __restrict dst, int64_t dst_row, const E* __restrict src, int64_t src_row, int64_t rows,
            int64_t columns) {
  constexpr int64_t block = 8;
  for (int64_t c0 = 0; c0 < columns; c0 += block) {
    const int64_t wide = std::min(block, columns - c0);
    int64_t r = 0;
    if constexpr (turns_blocks && std::is_same_v<E, uint32_t>)
      for (; wide == block && r + block <= rows; r += block)
        turn_block(dst + r * dst_row + c0, dst_row, src + c0 * src_row + r, src_row);
    for (; r < rows; ++r)
      for (int64_t c = c0; c < c0 + wide; ++c) dst[r * dst_row + c] = src[c * src_row + r];
  }
}

// The last two sides at once: rows × columns.
template <class E>
void plane(E* __restrict dst, const E* __restrict src, Side rows, Side columns, int64_t dst_row, int64_t dst_column) {
  if (rows.stride == 1 && dst_column == 1 && columns.stride > 1) {
    turned(dst, dst_row, src, columns.stride, rows.count, columns.count);
  } else if (dst_row == 1 && columns.stride == 1 && dst_column > 1) {
    turned(dst, dst_column, src, rows.stride, columns.count, rows.count);
  } else {
    for (int64_t r = 0; r < rows.count; ++r)
      run(dst + r * dst_row, dst_column, src + r * rows.stride, columns.stride, columns.count);
  }
}

// out: the dense side is src, and the strided one dst.
template <bool out, class E> void box(E* dst, const E* src, std::span<const Side> sides) {
  const size_t d = sides.size();
  int64_t dense = 1;
  for (Side s : sides.subspan(d > 0 ? 1 : 0)) dense *= s.count;
  if (d == 0) {
    *dst = *src;
  } else if (d == 1) {
    out ? run(dst, sides[0].stride, src, 1, sides[0].count) : run(dst, 1, src, sides[0].stride, sides[0].count);
  } else if (d == 2 && !out) {
    plane(dst, src, sides[0], sides[1], sides[1].count, 1);
  } else if (d == 2) {
    plane(dst, src, {sides[0].count, sides[1].count}, {sides[1].count, 1}, sides[0].stride, sides[1].stride);
  } else {
    for (int64_t i = 0; i < sides[0].count; ++i)
      box<out>(dst + i * (out ? sides[0].stride : dense), src + i * (out ? dense : sides[0].stride), sides.subspan(1));
  }
}

template <class T> int64_t as_index(T v) {
  if constexpr (std::is_same_v<T, uint64_t>) return v > uint64_t{INT64_MAX} ? INT64_MAX : static_cast<int64_t>(v);
  else return static_cast<int64_t>(v);
}

template <class F> auto by_integer(Dtype d, F&& f) {
  return dispatch(d, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) return f(tag);
    else return f(Tag<int64_t>{});
  });
}

template <class To, class From> void convert_all(void* out, const void* in, int64_t n) {
  To* __restrict to = static_cast<To*>(out);
  const From* __restrict from = static_cast<const From*>(in);
  for (int64_t i = 0; i < n; ++i) to[i] = convert_element<To>(from[i]);
}

}  // namespace

void copy_in(std::byte* dst, const std::byte* src, int64_t element, std::span<const Side> sides) {
  by_size(element, [&](auto e) {
    using E = decltype(e);
    box<false>(reinterpret_cast<E*>(dst), reinterpret_cast<const E*>(src), sides);
  });
}

void copy_out(std::byte* dst, const std::byte* src, int64_t element, std::span<const Side> sides) {
  by_size(element, [&](auto e) {
    using E = decltype(e);
    box<true>(reinterpret_cast<E*>(dst), reinterpret_cast<const E*>(src), sides);
  });
}

void copy_run(std::byte* dst, int64_t dst_stride, const std::byte* src, int64_t src_stride, int64_t element,
              int64_t n) {
  by_size(element, [&](auto e) {
    using E = decltype(e);
    run(reinterpret_cast<E*>(dst), dst_stride, reinterpret_cast<const E*>(src), src_stride, n);
  });
}

void copy_indirect(std::byte* dst, const std::byte* src, const int64_t* at, int64_t element, int64_t n) {
  by_size(element, [&](auto e) {
    using E = decltype(e);
    E* __restrict to = reinterpret_cast<E*>(dst);
    const E* from = reinterpret_cast<const E*>(src);
    for (int64_t i = 0; i < n; ++i) to[i] = from[at[i]];
  });
}

void fill(std::byte* dst, const std::byte* value, int64_t element, int64_t n) {
  by_size(element, [&](auto e) {
    std::memcpy(&e, value, sizeof e);
    std::fill_n(reinterpret_cast<decltype(e)*>(dst), n, e);
  });
}

ConvertFn convert_fn(Dtype from, Dtype to) {
  return dispatch(from, [&](auto f) {
    return dispatch(
        to, [&](auto t) -> ConvertFn { return convert_all<typename decltype(t)::type, typename decltype(f)::type>; });
  });
}

ClipFn clip_fn(Dtype from) {
  return by_integer(from, [](auto tag) -> ClipFn {
    using T = typename decltype(tag)::type;
    return [](int64_t* out, const void* in, int64_t low, int64_t high, int64_t n) {
      const T* v = static_cast<const T*>(in);
      for (int64_t i = 0; i < n; ++i) out[i] = std::clamp(as_index(v[i]), low, high);
    };
  });
}

RangeFn range_fn(Dtype from) {
  return by_integer(from, [](auto tag) -> RangeFn {
    using T = typename decltype(tag)::type;
    return [](uint8_t* inout, const void* in, int64_t low, int64_t high, int64_t n) {
      const T* v = static_cast<const T*>(in);
      for (int64_t i = 0; i < n; ++i)
        inout[i] &= static_cast<uint8_t>(std::cmp_greater_equal(v[i], low) && std::cmp_less_equal(v[i], high));
    };
  });
}

IotaFn iota_fn(Dtype to) {
  return dispatch(to, [](auto tag) -> IotaFn {
    using T = typename decltype(tag)::type;
    return [](void* out, int64_t start, int64_t step, int64_t n) {
      T* v = static_cast<T*>(out);
      for (int64_t i = 0; i < n; ++i) v[i] = convert_element<T>(start + i * step);
    };
  });
}

SelectFn select_fn(int64_t element) {
  SelectFn fn = nullptr;
  by_size(element, [&](auto e) {
    using E = decltype(e);
    fn = [](void* out, const void* condition, const void* yes, const void* no, int64_t n) {
      E* __restrict o = static_cast<E*>(out);
      const uint8_t* c = static_cast<const uint8_t*>(condition);
      const E *y = static_cast<const E*>(yes), *z = static_cast<const E*>(no);
      for (int64_t i = 0; i < n; ++i) o[i] = c[i] ? y[i] : z[i];
    };
  });
  return fn;
}

}  // namespace viva::loops
