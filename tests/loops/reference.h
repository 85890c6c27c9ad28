// A point-by-point evaluator of nests, written for obviousness: the oracle of the tests in this folder.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/array.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "loops/compose.h"
#include "loops/run.h"
#include "loops/values.h"

namespace viva::loops::test {

template <class T> T get(const Scalar& s) {
  T v;
  std::memcpy(&v, s.bytes.data(), sizeof v);
  return v;
}
inline double real(Dtype d, const Scalar& s) {
  return dispatch(d, [&](auto t) { return convert_element<double>(get<typename decltype(t)::type>(s)); });
}
__extension__ using Wide = __int128;
// Any integer or bool as a wide integer.
inline Wide whole(Dtype d, const Scalar& s) {
  return dispatch(d, [&](auto t) -> Wide {
    using T = typename decltype(t)::type;
    if constexpr (std::is_integral_v<T>) return get<T>(s);
    else return 0;
  });
}

class Reference {
 public:
  Reference(const Nest& nest, const std::vector<Array>& operands) : nest_(nest), operands_(operands) {}

  // The arrays of all stores; strided ones start from zeros.
  std::vector<Array> run() {
    std::vector<Array> out;
    for (const Store& s : nest_.stores) out.push_back(start(s));
    Ints point(nest_.extents.size(), 0);
    const bool scans = has(Kind::scan);
    each(point, 0, scans ? point.size() : static_cast<size_t>(nest_.parallel), [&] {
      for (size_t o = 0; o < out.size(); ++o) store(nest_.stores[o], point, out[o]);
    });
    return out;
  }

 private:
  bool has(Kind k) const {
    for (const Instruction& i : nest_.body)
      if (i.kind == k) return true;
    return false;
  }

  Array start(const Store& s) const {
    const Dtype d = nest_.dtype(s.reg);
    if (s.scatter) {
      Array a = Array::make({d, s.scatter->target});
      const Array& from = operands_[static_cast<size_t>(s.scatter->initial)];
      if (a.bytes() > 0) std::memcpy(a.mutable_data(), from.data(), static_cast<size_t>(a.bytes()));
      return a;
    }
    if (!s.strides.empty()) return Array::zeros({d, {s.size}});
    const auto n = has(Kind::scan) ? nest_.extents.size() : static_cast<size_t>(nest_.parallel);
    return Array::zeros({d, Shape(nest_.extents.begin(), nest_.extents.begin() + static_cast<long>(n))});
  }

  template <class F> void each(Ints& point, size_t from, size_t to, F&& f) {
    if (from == to) return f();
    for (int64_t v = 0; v < nest_.extents[from]; ++v) {
      point[from] = v;
      each(point, from + 1, to, f);
    }
    point[from] = 0;
  }

  struct Position {
    bool exists = true;
    int64_t value = 0;
  };
  Position position(const Index& i, const Ints& point) {
    int64_t v = i.offset;
    for (size_t l = 0; l < i.coefficients.size(); ++l) v += i.coefficients[l] * point[l];
    for (const Term& t : i.terms) v += t.coefficient * get<int64_t>(at(t.reg, point));
    if (v % i.divisor != 0) return {false, 0};
    return {true, v / i.divisor};
  }
  bool inside(const Index& i, int64_t extent, const Ints& point) {
    const Position p = position(i, point);
    return p.exists && p.value >= 0 && p.value < extent;
  }

  void store(const Store& s, const Ints& point, Array& out) {
    const int64_t size = size_of(out.dtype());
    int64_t element = s.offset;
    if (s.scatter) {
      if (s.scatter->mask != no_register && !get<bool>(at(s.scatter->mask, point))) return;
      element = 0;
      for (size_t d = 0; d < s.scatter->at.size(); ++d) {
        if (!inside(s.scatter->at[d], s.scatter->target[d], point)) return;
        element = element * s.scatter->target[d] + position(s.scatter->at[d], point).value;
      }
    } else {
      const Ints strides = s.strides.empty() ? row_major(out.shape()) : s.strides;
      for (size_t l = 0; l < strides.size(); ++l) element += strides[l] * point[l];
    }
    Scalar v = at(s.reg, point);
    std::byte* place = out.mutable_data() + element * size;
    if (s.scatter) {
      Scalar old;
      std::memcpy(old.bytes.data(), place, static_cast<size_t>(size));
      v = combined(s.scatter->combine, out.dtype(), old, v);
    }
    std::memcpy(place, v.bytes.data(), static_cast<size_t>(size));
  }

  static Scalar combined(Combine c, Dtype d, const Scalar& a, const Scalar& b) {
    return dispatch(d, [&](auto tag) {
      using T = typename decltype(tag)::type;
      if (c == Combine::set) return b;
      if constexpr (is_std_complex<T>) {
        const T x = get<T>(a), y = get<T>(b);
        return Scalar::of(c == Combine::add ? x + y : x * y);
      } else {
        using W = std::conditional_t<std::is_integral_v<T>, uint64_t, Compute<T>>;
        const auto xc = static_cast<Compute<T>>(get<T>(a)), yc = static_cast<Compute<T>>(get<T>(b));
        const W x = static_cast<W>(xc), y = static_cast<W>(yc);
        switch (c) {
          case Combine::add:
            return Scalar::of(T(static_cast<Compute<T>>(x + y)));
          case Combine::mul:
            return Scalar::of(T(static_cast<Compute<T>>(x * y)));
          case Combine::min:
            return yc != yc || yc < xc ? b : a;
          default:
            return yc != yc || yc > xc ? b : a;
        }
      }
    });
  }

  Scalar at(Register r, const Ints& point) {
    const Instruction& i = nest_.body[static_cast<size_t>(r)];
    const auto arg = [&](size_t k) { return at(i.args[k], point); };
    switch (i.kind) {
      case Kind::constant:
        return i.value;
      case Kind::load:
        return load(i, point);
      case Kind::iota: {
        const int64_t v = position(i.at[0], point).value;
        return dispatch(i.dtype, [&](auto t) { return Scalar::of(convert_element<typename decltype(t)::type>(v)); });
      }
      case Kind::apply: {
        std::vector<Scalar> values;
        for (size_t k = 0; k < i.args.size(); ++k) values.push_back(arg(k));
        std::vector<const void*> in;
        for (const Scalar& s : values) in.push_back(s.bytes.data());
        Scalar out;
        i.fn(out.bytes.data(), in.data(), 1);
        return out;
      }
      case Kind::select:
        return get<bool>(arg(0)) ? arg(1) : arg(2);
      case Kind::inside:
        return Scalar::of(holds(i, point));
      case Kind::clip: {
        const auto v = whole(nest_.dtype(i.args[0]), arg(0));
        return Scalar::of(static_cast<int64_t>(v < i.low ? i.low : v > i.high ? i.high : v));
      }
      case Kind::convert:
        return convert(nest_.dtype(i.args[0]), arg(0), i.dtype);
      case Kind::reduce: {
        Ints p = point;
        return fold(i, p, static_cast<size_t>(nest_.parallel), p.size());
      }
      case Kind::scan:
        return prefix(i, point);
    }
    return {};
  }

  static Scalar convert(Dtype from, const Scalar& v, Dtype to) {
    return dispatch(from, [&](auto f) {
      return dispatch(to, [&](auto t) {
        return Scalar::of(convert_element<typename decltype(t)::type>(get<typename decltype(f)::type>(v)));
      });
    });
  }

  Scalar load(const Instruction& i, const Ints& point) {
    const Array& a = operands_[static_cast<size_t>(i.slot)];
    int64_t element = 0;
    for (size_t d = 0; d < i.at.size(); ++d) {
      if (!inside(i.at[d], a.shape()[d], point)) return i.value;
      element = element * a.shape()[d] + position(i.at[d], point).value;
    }
    Scalar s;
    std::memcpy(s.bytes.data(), a.data() + element * size_of(a.dtype()), static_cast<size_t>(size_of(a.dtype())));
    return s;
  }

  bool holds(const Instruction& i, const Ints& point) {
    for (const Condition& c : i.conditions)
      if (!inside(c.index, c.extent, point)) return false;
    for (const Range& r : i.ranges) {
      const auto v = whole(nest_.dtype(r.reg), at(r.reg, point));
      if (v < r.low || v > r.high) return false;
    }
    return true;
  }

  // A running reduction: floats in double (complex apart), integers modulo 2^64.
  struct Total {
    std::complex<double> sum{0}, product{1};
    uint64_t whole_sum = 0, whole_product = 1;
    double most = -INFINITY, least = INFINITY, best = 0;
    Wide whole_most = 0, whole_least = 0;
    int64_t count = 0, first = -1, place = 0;
    bool all = true, any = false, nan = false;
  };
  static std::complex<double> wide(Dtype d, const Scalar& s) {
    if (d == Dtype::complex64) return get<std::complex<float>>(s);
    if (d == Dtype::complex128) return get<std::complex<double>>(s);
    return real(d, s);
  }

  void take(const Instruction& i, const Ints& p, Total& t) {
    const int64_t place = t.place++;
    if (i.mask != no_register && !get<bool>(at(i.mask, p))) return;
    const Dtype d = nest_.dtype(i.args[0]);
    const Scalar v = at(i.args[0], p);
    std::complex<double> x = wide(d, v);
    auto w = whole(d, v);
    if (i.reduction == Reduction::dot) {
      const Dtype e = nest_.dtype(i.args[1]);
      x *= wide(e, at(i.args[1], p));
      w *= whole(e, at(i.args[1], p));
    }
    const bool floating = !is_integer(d) && !is_bool(d);
    const double key = x.real();
    const bool better =
        t.first < 0 || (!t.nan && (std::isnan(key) ||
                                   (i.reduction == Reduction::argmax ? (floating ? key > t.best : w > t.whole_most)
                                                                     : (floating ? key < t.best : w < t.whole_least))));
    if (better) t.first = place, t.best = key;
    t.sum += x;
    t.product *= x;
    t.whole_sum += static_cast<uint64_t>(w);
    t.whole_product *= static_cast<uint64_t>(w);
    t.most = std::max(t.most, key);
    t.least = std::min(t.least, key);
    t.whole_most = t.count == 0 ? w : std::max(t.whole_most, w);
    t.whole_least = t.count == 0 ? w : std::min(t.whole_least, w);
    t.all = t.all && w != 0;
    t.any = t.any || w != 0;
    t.nan = t.nan || std::isnan(key);
    ++t.count;
  }

  Scalar result(const Instruction& i, const Total& t) const {
    return dispatch(i.dtype, [&](auto tag) -> Scalar {
      using T = typename decltype(tag)::type;
      const auto floats = [&](std::complex<double> v) -> Scalar {
        if constexpr (is_std_complex<T>) return Scalar::of(T(v));
        else return Scalar::of(convert_element<T>(v.real()));
      };
      switch (i.reduction) {
        case Reduction::sum:
        case Reduction::dot:
          if constexpr (std::is_integral_v<T>) return Scalar::of(static_cast<T>(t.whole_sum));
          else
            return floats(is_integer(nest_.dtype(i.args[0]))
                              ? std::complex<double>(static_cast<double>(static_cast<int64_t>(t.whole_sum)))
                              : t.sum);
        case Reduction::product:
          if constexpr (std::is_integral_v<T>) return Scalar::of(static_cast<T>(t.whole_product));
          else return floats(t.product);
        case Reduction::max:
          if constexpr (std::is_integral_v<T>)
            return Scalar::of(t.count ? static_cast<T>(t.whole_most) : std::numeric_limits<T>::lowest());
          else return floats(t.nan ? NAN : t.most);
        case Reduction::min:
          if constexpr (std::is_integral_v<T>)
            return Scalar::of(t.count ? static_cast<T>(t.whole_least) : std::numeric_limits<T>::max());
          else return floats(t.nan ? NAN : t.least);
        case Reduction::all:
          return Scalar::of(t.all);
        case Reduction::any:
          return Scalar::of(t.any);
        default:
          break;
      }
      return Scalar::of(convert_element<T>(std::max<int64_t>(t.first, 0)));
    });
  }

  Scalar fold(const Instruction& i, Ints& p, size_t from, size_t to) {
    Total t;
    each(p, from, to, [&] { take(i, p, t); });
    return result(i, t);
  }

  Scalar prefix(const Instruction& i, const Ints& point) {
    Total t;
    Ints p = point;
    const auto k = static_cast<size_t>(nest_.parallel);
    const int64_t n = nest_.extents[k];
    for (int64_t v = i.reverse ? n - 1 : 0; i.reverse ? v >= point[k] : v <= point[k]; v += i.reverse ? -1 : 1) {
      p[k] = v;
      take(i, p, t);
    }
    return result(i, t);
  }

  const Nest& nest_;
  const std::vector<Array>& operands_;
};

// Runs a nest on a pool; strided outputs start from zeros.
inline std::vector<Array> evaluate(const Nest& nest, const std::vector<Array>& operands, int threads = 1) {
  const Prepared prepared(nest);
  ThreadPool pool(threads);
  Scratch scratch;
  std::vector<const void*> in;
  for (const Array& a : operands) in.push_back(a.data());
  std::vector<Array> arrays;
  std::vector<void*> out;
  const bool scans =
      std::any_of(nest.body.begin(), nest.body.end(), [](const auto& i) { return i.kind == Kind::scan; });
  for (const Store& s : nest.stores) {
    const auto n = scans ? nest.extents.size() : static_cast<size_t>(nest.parallel);
    Shape shape = s.scatter           ? s.scatter->target
                  : s.strides.empty() ? Shape(nest.extents.begin(), nest.extents.begin() + static_cast<long>(n))
                                      : Shape{s.size};
    arrays.push_back(Array::zeros({nest.dtype(s.reg), shape}));
    out.push_back(arrays.back().mutable_data());
  }
  loops::run(prepared, in, out, pool, scratch);
  return arrays;
}

// Equal in bits; floats within `slack` relative to `scale` (0: in bits, but any NaN equals any NaN).
inline void expect_close(const Array& got, const Array& want, double slack, double scale = 1) {
  ASSERT_EQ(to_string(got.type()), to_string(want.type()));
  const bool exact = !(is_float(got.dtype()) || is_complex(got.dtype()));
  if (exact) {
    ASSERT_TRUE(same_bits(got, want));
    return;
  }
  for (int64_t i = 0; i < got.size(); ++i) {
    const double g = got.at(i), w = want.at(i);
    if (std::isnan(w) || std::isinf(w)) {
      ASSERT_TRUE(std::isnan(w) ? std::isnan(g) : g == w) << "element " << i << ": " << g << " instead of " << w;
    } else {
      ASSERT_LE(std::abs(g - w), slack * std::max(scale, std::abs(w)))
          << "element " << i << ": " << g << " instead of " << w;
    }
  }
}

inline double epsilon(Dtype d) {
  switch (d) {
    case Dtype::float16:
      return 1e-3;
    case Dtype::bfloat16:
      return 8e-3;
    case Dtype::float32:
    case Dtype::complex64:
      return 1.2e-7;
    default:
      return 2.3e-16;
  }
}

// Against the oracle, and the same bits on one to four threads.
inline void check(const Nest& nest, const std::vector<Array>& operands, double slack = -1, double scale = 1) {
  SCOPED_TRACE(to_string(nest));
  ASSERT_NO_THROW(verify(nest));
  const std::vector<Array> want = Reference(nest, operands).run();
  const std::vector<Array> got = evaluate(nest, operands);
  for (size_t i = 0; i < want.size(); ++i) {
    expect_close(got[i], want[i], slack < 0 ? 16 * epsilon(want[i].dtype()) : slack, scale);
    if (testing::Test::HasFatalFailure()) return;
  }
  for (int threads = 2; threads <= 4; ++threads) {
    const std::vector<Array> again = evaluate(nest, operands, threads);
    for (size_t i = 0; i < want.size(); ++i) ASSERT_TRUE(same_bits(got[i], again[i])) << threads << " threads";
  }
}

}  // namespace viva::loops::test
