#include "laws/bounds.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "base/threefry.h"
#include "cpu/executable.h"
#include "graph/verify.h"
#include "interpret/interpret.h"
#include "transform/transform.h"

namespace viva::laws {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

class Draws {
 public:
  Draws(uint32_t seed, uint32_t which) : key_{seed, which} {}
  double unit() { return word() * 0x1p-32; }
  uint32_t below(uint32_t n) { return word() % n; }

 private:
  uint32_t word() { return threefry2x32(key_, words_of(count_++))[0]; }
  Words2 key_;
  uint64_t count_ = 0;
};

template <class T> void widen_element(T x, double width, Ends ends, Draws& draw, T& low, T& high) {
  if constexpr (std::is_same_v<T, bool>) {
    const bool open = width > 0 && draw.below(2);
    low = x && !open, high = x || open;
  } else if constexpr (std::is_integral_v<T>) {
    const auto clip = [](double v) { return convert_element<T>(v); };
    const double below = std::floor(width * draw.unit() * 3), above = std::floor(width * draw.unit() * 3);
    low = below == 0 ? x : std::min(x, clip(static_cast<double>(x) - below));
    high = above == 0 ? x : std::max(x, clip(static_cast<double>(x) + above));
    if (ends == Ends::infinite && draw.below(6) == 0) low = std::numeric_limits<T>::min();
    if (ends == Ends::infinite && draw.below(6) == 0) high = std::numeric_limits<T>::max();
  } else {
    const double v = convert_element<double>(x);
    if (std::isnan(v)) {
      low = convert_element<T>(-infinity), high = convert_element<T>(infinity);
      return;
    }
    low = convert_element<T>(v - width * draw.unit()), high = convert_element<T>(v + width * draw.unit());
    if (convert_element<double>(low) > v) low = x;
    if (convert_element<double>(high) < v) high = x;
    if (ends == Ends::finite) return;
    const double most = sizeof(T) == 8 ? 0x1.fffffffffffffp1023 : sizeof(T) == 4 ? 0x1.fffffep127 : 6e4;
    const uint32_t kind = draw.below(8);
    if (kind == 0) low = convert_element<T>(-infinity);
    if (kind == 1) high = convert_element<T>(infinity);
    if (kind == 2) low = convert_element<T>(-most);
    if (kind == 3) high = convert_element<T>(most);
    if (kind == 4) low = convert_element<T>(-infinity), high = convert_element<T>(infinity);
    if (kind == 5) low = convert_element<T>(std::min(v, 0.0)), high = convert_element<T>(std::max(v, 0.0));
  }
}

template <class T> T between(T low, T high, uint32_t seed, Draws& draw) {
  if (seed == 0) return low;
  if (seed == 1) return high;
  const uint32_t kind = draw.below(seed < 8 ? 2 : 5);
  if (kind < 2) return kind ? high : low;
  if constexpr (std::is_same_v<T, bool>) return kind == 2 ? low : high;
  else {
    if constexpr (is_float_type<T>)  // the whole line holds NaN
      if (kind == 3 && convert_element<double>(low) == -infinity && convert_element<double>(high) == infinity)
        return convert_element<T>(std::numeric_limits<double>::quiet_NaN());
    // Of unbounded ends the greatest numbers and some small ones.
    const double l = std::max(convert_element<double>(low), -1e300), h = std::min(convert_element<double>(high), 1e300);
    double v = l + (h - l) * draw.unit();
    if (h - l > 1e6 && kind == 2) v = std::clamp(8 * draw.unit() - 4, l, h);
    if (std::is_integral_v<T>) v = std::floor(v);
    const T r = convert_element<T>(v);
    const bool inside = convert_element<double>(r) >= convert_element<double>(low) &&
                        convert_element<double>(r) <= convert_element<double>(high);
    if constexpr (std::is_integral_v<T>) return inside && r >= low && r <= high ? r : low;
    else return inside ? r : low;
  }
}

template <class F> void each_real(Dtype d, F&& f) {
  dispatch(d, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (!is_std_complex<T>) f(tag);
  });
}

template <class T> bool holds(T low, T high, T v) {
  if constexpr (is_float_type<T>) {
    const double l = convert_element<double>(low), h = convert_element<double>(high), x = convert_element<double>(v);
    if (std::isnan(l) || std::isnan(h) || l == infinity || h == -infinity) return false;
    return std::isnan(x) ? l == -infinity && h == infinity : l <= x && x <= h;
  } else return low <= v && v <= high;
}

Shape joined_front(int64_t n, Shape shape) {
  shape.insert(shape.begin(), n);
  return shape;
}

}  // namespace

Box box_around(const Arrays& args, const Mask& active, double width, Ends ends, uint32_t seed) {
  Box box;
  for (size_t i = 0; i < args.size(); ++i) {
    const Array x = reals(args[i]);
    Array low = Array::make(x.type()), high = Array::make(x.type());
    Draws draw(seed, static_cast<uint32_t>(i));
    each_real(x.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      const auto l = low.as_mutable<T>(), h = high.as_mutable<T>();
      for (size_t k = 0; k < l.size(); ++k) {
        l[k] = h[k] = x.as<T>()[k];
        T a = l[k], b = l[k];
        if (active[i]) widen_element<T>(x.as<T>()[k], width, ends, draw, a, b), l[k] = a, h[k] = b;
      }
    });
    box.lower.push_back(packed(args[i].type(), low)), box.upper.push_back(packed(args[i].type(), high));
  }
  return box;
}

Arrays drawn(const Box& box, uint32_t seed) {
  Arrays args;
  for (size_t i = 0; i < box.lower.size(); ++i) {
    const Array low = reals(box.lower[i]), high = reals(box.upper[i]);
    Array v = Array::make(low.type());
    Draws draw(seed, 900 + static_cast<uint32_t>(i));
    each_real(low.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      const auto out = v.as_mutable<T>();
      for (size_t k = 0; k < out.size(); ++k) out[k] = between<T>(low.as<T>()[k], high.as<T>()[k], seed, draw);
    });
    args.push_back(packed(box.lower[i].type(), v));
  }
  return args;
}

Arrays ends_of(const Box& box, const Mask& active) {
  Arrays args = box.lower;
  for (size_t i = 0; i < active.size(); ++i)
    if (active[i]) args.push_back(box.upper[i]);
  return args;
}

Report enclosed(const Arrays& ends, const Arrays& values) {
  Report report;
  for (size_t i = 0; i < values.size() && report.empty(); ++i) {
    const Array low = reals(ends[i]), high = reals(ends[i + values.size()]), v = reals(values[i]);
    each_real(v.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      for (int64_t k = 0; k < v.size() && report.empty(); ++k) {
        const auto at = static_cast<size_t>(k);
        if (!holds<T>(low.as<T>()[at], high.as<T>()[at], v.as<T>()[at]))
          report = fmt::format("output {}, element {}: {:.17g} is not in [{:.17g}, {:.17g}]", i, k, v.at(k), low.at(k),
                               high.at(k));
      }
    });
  }
  return report;
}

Report bound_contains(const Case& c, const Mask& active, const Box& box, uint32_t samples, bool compiled) {
  const Body g = bound(c.f, active);
  verify(*g);
  const Arrays ends = interpret(*g, ends_of(box, active));
  ThreadPool pool(1);
  std::optional<Executable> plan;
  if (compiled) plan.emplace(compile(c.f));
  const auto check = [&](uint32_t seed) -> Report {
    const Arrays args = drawn(box, seed);
    Report r = enclosed(ends, interpret(*c.f, args));
    if (!r.empty()) return fmt::format("sample {}: {}", seed, r);
    if (plan) r = enclosed(ends, plan->call(args, pool).take());
    return r.empty() ? r : fmt::format("sample {}, compiled: {}", seed, r);
  };
  for (uint32_t seed = 0; seed < samples; ++seed)
    if (Report r = check(seed); !r.empty()) return r;
  if (!plan) return "";
  const Arrays planned = compile(g).call(ends_of(box, active), pool).take();
  const Report r = enclosed(planned, interpret(*c.f, drawn(box, 0)));
  return r.empty() ? r : "compiled bound: " + r;
}

namespace {

Array part_of(const Array& all, const Type& t, int64_t i) {
  Array r = Array::make(t);
  if (r.bytes() > 0) std::memcpy(r.mutable_data(), all.data() + i * r.bytes(), static_cast<size_t>(r.bytes()));
  return r;
}

}  // namespace

Report bound_contains_many(const Case& c, const Mask& active, const Box& box, uint32_t samples) {
  const Arrays ends = interpret(*bound(c.f, active), ends_of(box, active));
  Arrays batch;
  for (const Array& a : c.args) batch.push_back(Array::make({a.dtype(), joined_front(samples, a.shape())}));
  for (uint32_t i = 0; i < samples; ++i) {
    const Arrays args = drawn(box, i);
    for (size_t k = 0; k < args.size(); ++k)
      if (args[k].bytes() > 0)
        std::memcpy(batch[k].mutable_data() + i * args[k].bytes(), args[k].data(),
                    static_cast<size_t>(args[k].bytes()));
  }
  ThreadPool pool(1);
  const Arrays all = compile(vmap(c.f, std::vector<int>(c.args.size(), 0), samples)).call(batch, pool).take();
  for (uint32_t i = 0; i < samples; ++i) {
    Arrays values;
    for (size_t k = 0; k < all.size(); ++k) values.push_back(part_of(all[k], c.f->outputs()[k].type(), i));
    if (const Report r = enclosed(ends, values); !r.empty()) return fmt::format("sample {}: {}", i, r);
  }
  return "";
}

Case bound_case(const Case& c, uint32_t seed) {
  const Mask active = float_params(*c.f);
  if (!has(active)) return c;
  return {bound(c.f, active), ends_of(box_around(c.args, active, 0.1, Ends::finite, seed), active)};
}

}  // namespace viva::laws
