// Functions with rules, right ones and ones that are wrong by design, for the tests of user rules.
#pragma once

#include <functional>

#include "base/error.h"
#include "viva/viva.h"

namespace viva {

inline constexpr Dtype f64 = Dtype::float64;
using Fn = std::function<Tensor(const Tensor&)>;

inline Tensor at(double x) { return scalar(x, f64); }
inline double value(const Fn& f, double x) { return f(at(x)).item(); }

inline std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) { return e.what(); }
  return "";
}
#define EXPECT_SAYS(expression, part)                                              \
  EXPECT_NE(message_of([&] { (void)(expression); }).find(part), std::string::npos) \
      << message_of([&] { (void)(expression); })

// exp with the right rule, by itself.
inline Tensor own_exp(const Tensor& x) {
  static const auto f = custom_jvp([](const Tensor& v) { return exp(v); },
                                   [](const Tensor& v, const Tensor& dv) {
                                     const Tensor y = own_exp(v);
                                     return std::pair(y, y * dv);
                                   });
  return f(x);
}
// The same made again in each call, and by a vjp rule.
inline Tensor fresh_exp(const Tensor& x) {
  return custom_vjp([](const Tensor& v) { return exp(v); },
                    [](const Tensor& v) {
                      const Tensor y = fresh_exp(v);
                      return std::pair(y, y);
                    },
                    [](const Tensor& y, const Tensor& c) { return y * c; })(x);
}
// x², with derivatives that are wrong by design: 3·dx by a jvp rule, 5·c by a vjp rule, so that a rule that is lost
// shows.
inline const auto three = custom_jvp([](const Tensor& x) { return x * x; },
                                     [](const Tensor& x, const Tensor& dx) { return std::pair(x * x, 3 * dx); });
inline const auto five =
    custom_vjp([](const Tensor& x) { return x * x; }, [](const Tensor& x) { return std::pair(x * x, std::tuple<>()); },
               [](const std::tuple<>&, const Tensor& c) { return 5 * c; });

}  // namespace viva
