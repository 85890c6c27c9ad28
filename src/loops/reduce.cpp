#include "loops/reduce.h"

#include <limits>

#include "loops/extreme.h"
#include "loops/simd.h"

namespace viva::loops {
namespace {

// Integer arithmetic that wraps.
template <class T> struct Unsigned {
  using type = T;
};
template <std::integral T>
  requires(!std::is_same_v<T, bool>)
struct Unsigned<T> {
  using type = std::make_unsigned_t<T>;
};
template <class T> T add(T a, T b) {
  using U = typename Unsigned<T>::type;
  return static_cast<T>(static_cast<U>(a) + static_cast<U>(b));
}
template <class T> T multiply(T a, T b) {
  if constexpr (is_std_complex<T>) {
    return T(a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real());
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(uint64_t(a) * uint64_t(b));
  } else {
    return a * b;
  }
}
template <class T> T multiply_add(T a, T b, T c) {
  if constexpr (std::is_floating_point_v<T>) return fused(a, b, c);
  else return add(c, multiply(a, b));
}
template <class T> bool is_nan(T v) {
  if constexpr (std::is_floating_point_v<T>) return v != v;
  else return false;
}

struct Sum {
  static constexpr bool blocked = true;
  template <class T> static T identity() { return T(0); }
  template <class T> static T combine(T a, T b) { return add(a, b); }
};
struct Product {
  static constexpr bool blocked = true;
  template <class T> static T identity() { return T(1); }
  template <class T> static T combine(T a, T b) { return multiply(a, b); }
};
template <class T> T lowest() {
  if constexpr (std::is_floating_point_v<T>) return -std::numeric_limits<T>::infinity();
  else return std::numeric_limits<T>::lowest();
}
template <class T> T highest() {
  if constexpr (std::is_floating_point_v<T>) return std::numeric_limits<T>::infinity();
  else return std::numeric_limits<T>::max();
}
struct Max {
  static constexpr bool blocked = false;
  template <class T> static T identity() { return lowest<T>(); }
  template <class T> static T combine(T a, T b) { return extreme<true>(a, b); }
};
struct Min {
  static constexpr bool blocked = false;
  template <class T> static T identity() { return highest<T>(); }
  template <class T> static T combine(T a, T b) { return extreme<false>(a, b); }
};

template <class Op, class T> struct Plain {
  static constexpr int64_t lanes = 128 / static_cast<int64_t>(sizeof(T));

  static void start(void* state, int64_t n) { std::fill_n(static_cast<T*>(state), n, Op::template identity<T>()); }

  template <class Element> static T row(int64_t length, Element element) {
    const auto piece = [&](int64_t k, int64_t count) {
      const int64_t end = k + count;
      T acc[lanes];
      for (T& a : acc) a = Op::template identity<T>();
      for (; k + lanes <= end; k += lanes)
        for (int64_t j = 0; j < lanes; ++j) acc[j] = Op::combine(acc[j], element(k + j));
      for (int64_t j = 0; k < end; ++k, ++j) acc[j] = Op::combine(acc[j], element(k));
      for (int64_t w = lanes / 2; w > 0; w /= 2)
        for (int64_t j = 0; j < w; ++j) acc[j] = Op::combine(acc[j], acc[j + w]);
      return acc[0];
    };
    return halved<T>(0, length, piece, [](T a, T b) { return Op::combine(a, b); });
  }

  static void rows(void* state, const Reducer::Args& a, int64_t rows, int64_t length) {
    T* out = static_cast<T*>(state);
    for (int64_t i = 0; i < rows; ++i) {
      const T* x = static_cast<const T*>(a.x) + i * length;
      const uint8_t* mask = a.mask ? a.mask + i * length : nullptr;
      if (mask) {
        out[i] = row(length, [&](int64_t k) { return mask[k] ? x[k] : Op::template identity<T>(); });
      } else if constexpr (std::is_same_v<Op, Sum> && has_vector<T>) {
        out[i] = vector_sum(x, length);
      } else {
        out[i] = row(length, [&](int64_t k) { return x[k]; });
      }
    }
  }

  static void columns(void* state, const Reducer::Args& a, int64_t rows, int64_t n) {
    T* __restrict acc = static_cast<T*>(state);
    for (int64_t i = 0; i < rows; ++i) {
      const T* __restrict x = static_cast<const T*>(a.x) + i * n;
      const uint8_t* mask = a.mask ? a.mask + i * n : nullptr;
      if (mask) {
        for (int64_t j = 0; j < n; ++j) acc[j] = mask[j] ? Op::combine(acc[j], x[j]) : acc[j];
      } else {
        for (int64_t j = 0; j < n; ++j) acc[j] = Op::combine(acc[j], x[j]);
      }
    }
  }

  static void merge(void* state, const void* later, int64_t n) {
    T* __restrict acc = static_cast<T*>(state);
    const T* __restrict b = static_cast<const T*>(later);
    for (int64_t j = 0; j < n; ++j) acc[j] = Op::combine(acc[j], b[j]);
  }

  static Reducer reducer() {
    return {.blocked = Op::blocked && !std::is_integral_v<T>,
            .value_size = sizeof(T),
            .start = start,
            .rows = rows,
            .columns = columns,
            .merge = merge};
  }
};

template <class T> struct Dot {
  static void rows(void* state, const Reducer::Args& a, int64_t rows, int64_t length) {
    T* out = static_cast<T*>(state);
    for (int64_t i = 0; i < rows; ++i) {
      const T *x = static_cast<const T*>(a.x) + i * length, *y = static_cast<const T*>(a.y) + i * length;
      const uint8_t* mask = a.mask ? a.mask + i * length : nullptr;
      if constexpr (has_vector<T>) {
        if (!mask) {
          out[i] = vector_dot(x, y, length);
          continue;
        }
      }
      out[i] = Plain<Sum, T>::row(length, [&](int64_t k) { return mask && !mask[k] ? T(0) : multiply(x[k], y[k]); });
    }
  }

  static void columns(void* state, const Reducer::Args& a, int64_t rows, int64_t n) {
    T* __restrict acc = static_cast<T*>(state);
    for (int64_t i = 0; i < rows; ++i) {
      const T* __restrict x = static_cast<const T*>(a.x) + i * n;
      const T* __restrict y = static_cast<const T*>(a.y) + i * n;
      const uint8_t* mask = a.mask ? a.mask + i * n : nullptr;
      if (mask) {
        for (int64_t j = 0; j < n; ++j) acc[j] = mask[j] ? multiply_add(x[j], y[j], acc[j]) : acc[j];
      } else {
        for (int64_t j = 0; j < n; ++j) acc[j] = multiply_add(x[j], y[j], acc[j]);
      }
    }
  }

  static void scaled(void* state, const void* x, const void* factor, int64_t n) {
    T* __restrict acc = static_cast<T*>(state);
    const T* __restrict v = static_cast<const T*>(x);
    const T f = *static_cast<const T*>(factor);
    for (int64_t j = 0; j < n; ++j) acc[j] = multiply_add(v[j], f, acc[j]);
  }

  static Reducer reducer() {
    Reducer r = Plain<Sum, T>::reducer();
    r.rows = rows;
    r.columns = columns;
    r.scaled = scaled;
    return r;
  }
};

struct Greater {
  template <class T> static bool before(T a, T b) { return a > b; }
  template <class T> static T worst() { return lowest<T>(); }
};
struct Less {
  template <class T> static bool before(T a, T b) { return a < b; }
  template <class T> static T worst() { return highest<T>(); }
};

// Position -1 stands for "none yet"; an empty or fully masked reduction gives 0.
template <class Order, class T> struct Arg {
  struct View {
    T* value;
    int64_t* position;
    View(void* state, int64_t n)
        : value(static_cast<T*>(state)),
          position(reinterpret_cast<int64_t*>(static_cast<std::byte*>(state) +
                                              (n * static_cast<int64_t>(sizeof(T)) + 15) / 16 * 16)) {}
  };
  static bool better(T x, T best, int64_t position) {
    return position < 0 || (!is_nan(best) && (Order::before(x, best) || is_nan(x)));
  }
  static void start(void* state, int64_t n) {
    const View v(state, n);
    std::fill_n(v.value, n, Order::template worst<T>());
    std::fill_n(v.position, n, int64_t{-1});
  }
  static void rows(void* state, const Reducer::Args& a, int64_t rows, int64_t length) {
    start(state, rows);
    const View v(state, rows);
    for (int64_t i = 0; i < rows; ++i) {
      const T* x = static_cast<const T*>(a.x) + i * length;
      const uint8_t* mask = a.mask ? a.mask + i * length : nullptr;
      for (int64_t k = 0; k < length; ++k)
        if ((!mask || mask[k]) && better(x[k], v.value[i], v.position[i]))
          v.value[i] = x[k], v.position[i] = a.position + k;
    }
  }
  static void columns(void* state, const Reducer::Args& a, int64_t rows, int64_t n) {
    const View v(state, n);
    if (rows == 0) return;
    if (a.mask) return masked_columns(v, a, rows, n);
    for (int64_t from = 0; from < n; from += strip)
      strip_of_columns(v.value + from, v.position + from, static_cast<const T*>(a.x) + from, rows, n,
                       std::min(strip, n - from), a.position);
  }
  // As masked_columns, with positions as narrow as the values, so that whole vectors are compared.
  static constexpr int64_t strip = 512;
  static void strip_of_columns(T* __restrict best, int64_t* __restrict position, const T* __restrict x, int64_t rows,
                               int64_t step, int64_t n, int64_t first) {
    std::array<int32_t, strip> row;
    const bool fresh = std::all_of(position, position + n, [](int64_t p) { return p < 0; });
    if (!fresh && std::any_of(position, position + n, [](int64_t p) { return p < 0; }))
      for (int64_t j = 0; j < n; ++j)
        if (position[j] < 0) best[j] = x[j], position[j] = first;
    std::fill_n(row.data(), n, fresh ? 0 : -1);
    if (fresh) std::copy_n(x, n, best);
    for (int64_t i = fresh ? 1 : 0; i < rows; ++i)
      for (int64_t j = 0; j < n; ++j) {
        const T y = x[i * step + j], b = best[j];
        const bool take = Order::before(y, b) || (is_nan(y) && !is_nan(b));
        best[j] = take ? y : b;
        row[static_cast<size_t>(j)] = take ? static_cast<int32_t>(i) : row[static_cast<size_t>(j)];
      }
    for (int64_t j = 0; j < n; ++j)
      if (row[static_cast<size_t>(j)] >= 0) position[j] = first + row[static_cast<size_t>(j)];
  }
  static void masked_columns(const View& v, const Reducer::Args& a, int64_t rows, int64_t n) {
    for (int64_t i = 0; i < rows; ++i) {
      const T* x = static_cast<const T*>(a.x) + i * n;
      const uint8_t* mask = a.mask + i * n;
      for (int64_t j = 0; j < n; ++j) {
        const bool take = mask[j] && better(x[j], v.value[j], v.position[j]);
        v.value[j] = take ? x[j] : v.value[j];
        v.position[j] = take ? a.position + i : v.position[j];
      }
    }
  }
  static void merge(void* state, const void* later, int64_t n) {
    const View v(state, n), w(const_cast<void*>(later), n);
    for (int64_t j = 0; j < n; ++j)
      if (w.position[j] >= 0 && better(w.value[j], v.value[j], v.position[j]))
        v.value[j] = w.value[j], v.position[j] = w.position[j];
  }
  static Reducer reducer() {
    return {
        .value_size = sizeof(T), .positions = true, .start = start, .rows = rows, .columns = columns, .merge = merge};
  }
};

template <class T> constexpr bool accumulates = !is_half<T>;
template <class T> constexpr bool ordered = accumulates<T> && !is_std_complex<T>;

template <class Op, class T> struct PlainScan {
  static void rows(void* out, const void* x, void* carry, int64_t rows, int64_t length) {
    for (int64_t i = 0; i < rows; ++i) {
      T c = static_cast<T*>(carry)[i];
      for (int64_t k = 0; k < length; ++k)
        static_cast<T*>(out)[i * length + k] = c = Op::combine(c, static_cast<const T*>(x)[i * length + k]);
      static_cast<T*>(carry)[i] = c;
    }
  }
  static void columns(void* out, const void* x, void* carry, int64_t rows, int64_t n) {
    T* __restrict c = static_cast<T*>(carry);
    for (int64_t k = 0; k < rows; ++k) {
      const T* __restrict from = static_cast<const T*>(x) + k * n;
      T* __restrict to = static_cast<T*>(out) + k * n;
      for (int64_t j = 0; j < n; ++j) to[j] = c[j] = Op::combine(c[j], from[j]);
    }
  }
};

}  // namespace

Reducer reducer(Reduction r, Dtype accumulator) {
  return dispatch(accumulator, [&](auto tag) -> Reducer {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_same_v<T, bool>) {
      if (r == Reduction::argmax) return Arg<Greater, bool>::reducer();
      if (r == Reduction::argmin) return Arg<Less, bool>::reducer();
      return r == Reduction::any || r == Reduction::max ? Plain<Max, bool>::reducer() : Plain<Min, bool>::reducer();
    } else if constexpr (accumulates<T>) {
      if (r == Reduction::product) return Plain<Product, T>::reducer();
      if (r == Reduction::dot) return Dot<T>::reducer();
      if constexpr (ordered<T>) {
        if (r == Reduction::max) return Plain<Max, T>::reducer();
        if (r == Reduction::min) return Plain<Min, T>::reducer();
        if (r == Reduction::argmax) return Arg<Greater, T>::reducer();
        if (r == Reduction::argmin) return Arg<Less, T>::reducer();
      }
      return Plain<Sum, T>::reducer();
    } else {
      return {};
    }
  });
}

Scanner scanner(Reduction r, Dtype accumulator) {
  return dispatch(accumulator, [&](auto tag) -> Scanner {
    using T = typename decltype(tag)::type;
    const auto of = [](auto op) -> Scanner {
      using S = PlainScan<decltype(op), T>;
      return {S::rows, S::columns};
    };
    if constexpr (std::is_same_v<T, bool>) {
      return r == Reduction::max ? of(Max{}) : of(Min{});
    } else if constexpr (accumulates<T>) {
      if constexpr (ordered<T>) {
        if (r == Reduction::max) return of(Max{});
        if (r == Reduction::min) return of(Min{});
      }
      return r == Reduction::product ? of(Product{}) : of(Sum{});
    } else {
      return {};
    }
  });
}

}  // namespace viva::loops
