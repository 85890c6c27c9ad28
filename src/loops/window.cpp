#include "loops/window.h"

#include <algorithm>
#include <array>
#include <functional>

#include "base/array.h"
#include "base/thread_pool.h"

namespace viva::loops {
namespace {

constexpr int64_t longest_run = 256;    // results at once, so that their state stays in registers and the first cache
constexpr int64_t part_work = 1 << 15;  // elements looked at that are worth a part
constexpr int64_t most_parts = 16;

// Whether results along it can be handled together: side by side, and without holes.
bool runs(const WindowKernel::Axis& a) {
  return a.window.positions() > 1 && a.result_stride == 1 && a.offset_stride == 1 && !a.window.has_holes();
}
bool shares_elements(const WindowAxis& w) { return w.positions() > 1 && w.stride < w.reach(); }
bool covers(const WindowAxis& w) {
  const int64_t end = (w.positions() - 1) * w.stride + w.size - w.low;
  return w.positions() > 0 && w.dilation == 1 && w.base_dilation == 1 && w.stride <= w.size && w.low >= 0 &&
         end >= w.extent;
}

// Offsets of any integer dtype to places in the window; -1 for one outside.
template <class I> void places(int32_t* out, const void* offsets, int64_t from, int64_t n, int64_t count) {
  const I* in = static_cast<const I*>(offsets) + from;
  for (int64_t i = 0; i < n; ++i)
    out[i] =
        in[i] >= 0 && static_cast<uint64_t>(in[i]) < static_cast<uint64_t>(count) ? static_cast<int32_t>(in[i]) : -1;
}
using Places = void (*)(int32_t*, const void*, int64_t, int64_t, int64_t);
Places places_of(Dtype d) {
  return dispatch(d, [](auto tag) -> Places {
    using I = typename decltype(tag)::type;
    if constexpr (std::is_integral_v<I> && !std::is_same_v<I, bool>) return places<I>;
    else return nullptr;
  });
}
template <class I> void put_places(void* offsets, int64_t at, const int32_t* in, int64_t n) {
  I* out = static_cast<I*>(offsets) + at;
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<I>(in[i]);
}
using PutPlaces = void (*)(void*, int64_t, const int32_t*, int64_t);
PutPlaces put_places_of(Dtype d) {
  return dispatch(d, [](auto tag) -> PutPlaces {
    using I = typename decltype(tag)::type;
    if constexpr (std::is_integral_v<I> && !std::is_same_v<I, bool>) return put_places<I>;
    else return nullptr;
  });
}

// f over elements that lie `step` apart; 1 is told to the compiler.
template <class F> void strided(int64_t step, F&& f) {
  if (step == 1) f(std::integral_constant<int64_t, 1>{});
  else f(step);
}

template <class T> T added(T a, T b) {
  if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  else return a + b;
}
template <class T> bool is_nan(T v) {
  if constexpr (std::is_floating_point_v<T>) return v != v;
  else return false;
}

// Whether v is taken where `best` is the greatest before it.
template <class T> bool wins(T v, T best) {
  const int above = v > best, first_nan = static_cast<int>(is_nan(v)) > static_cast<int>(is_nan(best));
  return (above | first_nan) != 0;
}

}  // namespace

// n results side by side.
struct WindowKernel::Run {
  Ints at;  // of the first, along each of axes_
  int64_t n = 0;
  int64_t result = 0, offset = 0;  // elements before it
};

WindowKernel::WindowKernel(const std::vector<Axis>& axes) {
  std::vector<size_t> order;
  for (size_t i = 0; i < axes.size(); ++i) order.push_back(i);
  const auto key = [&](size_t i) { return runs(axes[i]) ? -1 : axes[i].result_stride; };
  std::ranges::stable_sort(order, std::greater{}, key);
  for (const size_t i : order) axes_.push_back(axes[i]);
  if (axes.empty() || !runs(axes[order.back()]))
    axes_.push_back({.window = {.extent = 1}, .operand_stride = 1, .result_stride = 1, .offset_stride = 1});
  for (const Axis& a : axes) {
    operand_elements_ *= a.window.extent;
    places_in_window_ *= a.window.size;
    apart_ = apart_ && !shares_elements(a.window);
    covers_ = covers_ && covers(a.window);
  }
  int64_t count = places_in_window_;
  for (size_t i = 0; i < axes.size(); ++i) {
    count /= axes[i].window.size;
    const auto now = static_cast<size_t>(std::ranges::find(order, i) - order.begin());
    if (!axes[i].window.plain()) windowed_.push_back({now, count});
  }
  set_places();
}

void WindowKernel::set_places() {
  constexpr int64_t most = 4096;  // beyond it a table costs more than it saves
  if (places_in_window_ > most) return;
  for (const Windowed& w : windowed_) {
    const WindowAxis& a = axes_[w.axis].window;
    if (a.base_dilation > 1 || a.reach() > a.extent) return;  // no window is without holes
  }
  places_.assign(static_cast<size_t>(places_in_window_), 0);
  for (int64_t place = 0; place < places_in_window_; ++place)
    for (const Windowed& w : windowed_) {
      const Axis& a = axes_[w.axis];
      places_[static_cast<size_t>(place)] += place / w.count % a.window.size * a.window.dilation * a.operand_stride;
    }
}

// f(run) over all runs, in parts along one axis; exclusive: parts must not meet in an element of the operand.
template <class F> void WindowKernel::each_run(bool exclusive, ThreadPool& pool, F&& f) const {
  size_t divided = axes_.size();
  int64_t results = 1;
  for (size_t i = 0; i < axes_.size(); ++i) {
    const WindowAxis& w = axes_[i].window;
    results *= w.positions();
    const bool may = i + 1 < axes_.size() && (!exclusive || !shares_elements(w));
    if (may && (divided == axes_.size() || w.positions() > axes_[divided].window.positions())) divided = i;
  }
  if (results == 0) return;
  const double work = static_cast<double>(results) * static_cast<double>(places_in_window_);
  const int64_t worth = even_parts(work / part_work, most_parts);
  const int64_t parts = divided < axes_.size() ? std::min(worth, axes_[divided].window.positions()) : 1;
  pool.run(parts, [&](int64_t part) {
    Ints first(axes_.size(), 0), end;
    for (const Axis& a : axes_) end.push_back(a.window.positions());
    if (divided < axes_.size())
      first[divided] = end[divided] * part / parts, end[divided] = end[divided] * (part + 1) / parts;
    Run r{.at = first};
    for (bool more = true; more;) {
      r.n = std::min(longest_run, end.back() - r.at.back());
      r.result = r.offset = 0;
      for (size_t i = 0; i < axes_.size(); ++i)
        r.result += r.at[i] * axes_[i].result_stride, r.offset += r.at[i] * axes_[i].offset_stride;
      f(static_cast<const Run&>(r));
      r.at.back() += r.n - 1;
      more = false;
      for (size_t i = axes_.size(); i-- > 0 && !more; r.at[i] = more ? r.at[i] : first[i]) more = ++r.at[i] < end[i];
    }
  });
}

// f(place, position in the operand) over the places of the windows that hold an element, in order. The run's axis has
// no holes.
template <class F> void WindowKernel::each_place(const Run& r, F&& f) const {
  int64_t from = 0;
  bool whole = !places_.empty();
  for (size_t i = 0; i < axes_.size(); ++i)
    from += (r.at[i] * axes_[i].window.stride - axes_[i].window.low) * axes_[i].operand_stride;
  for (const Windowed& w : windowed_) {
    const WindowAxis& a = axes_[w.axis].window;
    const int64_t first = r.at[w.axis] * a.stride - a.low;
    whole = whole && first >= 0 && first + a.reach() <= a.extent;
  }
  if (whole) {
    for (size_t p = 0; p < places_.size(); ++p) f(static_cast<int32_t>(p), from + places_[p]);
    return;
  }
  // Along each axis only the places over the spread operand, however large the window is.
  Ints low, high;
  int64_t outside = 0;  // elements along axes without windows
  for (size_t i = 0; i < axes_.size(); ++i)
    if (axes_[i].window.plain()) outside += r.at[i] * axes_[i].operand_stride;
  for (const Windowed& w : windowed_) {
    const WindowAxis& a = axes_[w.axis].window;
    const int64_t first = a.low - r.at[w.axis] * a.stride;  // k·dilation that meets the first element
    low.push_back(first <= 0 ? 0 : (first + a.dilation - 1) / a.dilation);
    const int64_t last = first + a.spread() - 1;
    high.push_back(last < 0 ? -1 : std::min(a.size - 1, last / a.dilation));
    if (low.back() > high.back()) return;
  }
  Ints k = low;
  for (bool more = true; more;) {
    int64_t place = 0, at = outside;
    bool hole = false;
    for (size_t i = 0; i < k.size() && !hole; ++i) {
      const Axis& a = axes_[windowed_[i].axis];
      const int64_t source = a.window.source(r.at[windowed_[i].axis], k[i]);
      hole = source < 0;
      at += source * a.operand_stride;
      place += k[i] * windowed_[i].count;
    }
    if (!hole) f(static_cast<int32_t>(place), at);
    more = false;
    for (size_t i = k.size(); i-- > 0 && !more; k[i] = more ? k[i] : low[i]) more = ++k[i] <= high[i];
  }
}

void WindowKernel::argmax(Dtype d, const void* operand, Dtype offset_dtype, void* offset, ThreadPool& pool) const {
  const PutPlaces put = put_places_of(offset_dtype);
  dispatch(d, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_integral_v<T> || is_float_type<T>) {
      using C = Compute<T>;
      each_run(false, pool, [&](const Run& r) {
        std::array<C, longest_run> best;
        std::array<int32_t, longest_run> place{};
        bool some = false;
        each_place(r, [&](int32_t t, int64_t at) {
          const T* x = static_cast<const T*>(operand) + at;
          strided(step(), [&](auto step) {
            if (!some) {
              for (int64_t i = 0; i < r.n; ++i)
                best[static_cast<size_t>(i)] = static_cast<C>(x[i * step]), place[static_cast<size_t>(i)] = t;
              return;
            }
            C* __restrict b = best.data();
            int32_t* __restrict w = place.data();
            for (int64_t i = 0; i < r.n; ++i) {
              const C v = static_cast<C>(x[i * step]);
              const bool taken = wins(v, b[i]);
              b[i] = taken ? v : b[i];
              w[i] = taken ? t : w[i];
            }
          });
          some = true;
        });
        put(offset, r.offset, place.data(), r.n);
      });
    }
  });
}

void WindowKernel::max(Dtype d, const void* operand, void* result, ThreadPool& pool) const {
  dispatch(d, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_integral_v<T> || is_float_type<T>) {
      using C = Compute<T>;
      each_run(false, pool, [&](const Run& r) {
        T* __restrict out = static_cast<T*>(result) + r.result;
        bool some = false;
        each_place(r, [&](int32_t, int64_t at) {
          const T* x = static_cast<const T*>(operand) + at;
          strided(step(), [&](auto step) {
            if (!some)
              for (int64_t i = 0; i < r.n; ++i) out[i] = x[i * step];
            else
              for (int64_t i = 0; i < r.n; ++i) {
                const T v = x[i * step];
                out[i] = wins(static_cast<C>(v), static_cast<C>(out[i])) ? v : out[i];
              }
          });
          some = true;
        });
        if (!some) std::fill_n(out, r.n, T{});
      });
    }
  });
}

void WindowKernel::gather(Dtype d, const void* operand, Dtype offset_dtype, const void* offset, void* result,
                          ThreadPool& pool) const {
  const Places read = places_of(offset_dtype);
  const auto of_width = [&]<class T>(T) {
    each_run(false, pool, [&](const Run& r) {
      std::array<int32_t, longest_run> place;
      read(place.data(), offset, r.offset, r.n, places_in_window_);
      T* __restrict out = static_cast<T*>(result) + r.result;
      std::fill_n(out, r.n, T{});
      each_place(r, [&](int32_t t, int64_t at) {
        const T* x = static_cast<const T*>(operand) + at;
        strided(step(), [&](auto step) {
          for (int64_t i = 0; i < r.n; ++i) out[i] = place[static_cast<size_t>(i)] == t ? x[i * step] : out[i];
        });
      });
    });
  };
  switch (size_of(d)) {
    case 1:
      return of_width(uint8_t{});
    case 2:
      return of_width(uint16_t{});
    case 4:
      return of_width(uint32_t{});
    default:
      return of_width(uint64_t{});
  }
}

void WindowKernel::scatter(Dtype d, const void* result, Dtype offset_dtype, const void* offset, void* operand,
                           ThreadPool& pool) const {
  const Places read = places_of(offset_dtype);
  const bool once = apart_ && covers_;  // each element is written by one window, so nothing need be there before
  dispatch(d, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr ((std::is_integral_v<T> && !std::is_same_v<T, bool>) || is_float_type<T>) {
      using C = Compute<T>;
      Array wide;
      if (is_half<T>) wide = Array::make({dtype_of<C>(), {operand_elements_}});
      C* sums = is_half<T> ? reinterpret_cast<C*>(wide.mutable_data()) : static_cast<C*>(operand);
      if (!once) std::fill_n(sums, operand_elements_, C{});
      each_run(true, pool, [&](const Run& r) {
        std::array<int32_t, longest_run> place;
        read(place.data(), offset, r.offset, r.n, places_in_window_);
        const T* __restrict y = static_cast<const T*>(result) + r.result;
        each_place(r, [&](int32_t t, int64_t at) {
          C* __restrict x = sums + at;
          strided(step(), [&](auto step) {
            for (int64_t i = 0; i < r.n; ++i) {
              const bool here = place[static_cast<size_t>(i)] == t;
              if (once) x[i * step] = here ? added(C{}, static_cast<C>(y[i])) : C{};
              else x[i * step] = here ? added(x[i * step], static_cast<C>(y[i])) : x[i * step];
            }
          });
        });
      });
      if (is_half<T>)
        std::transform(sums, sums + operand_elements_, static_cast<T*>(operand), [](C v) { return static_cast<T>(v); });
    }
  });
}

}  // namespace viva::loops
