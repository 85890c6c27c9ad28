// The fields of a plain aggregate: how many, which, and their names, without help from the type.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace viva::fields {

// Converts to anything a member may be initialised from; never defined, because it only stands in unevaluated code.
struct Anything {
  template <class U> operator U&() const noexcept;
};
template <class T> struct AnyBase {
  template <class U>
    requires(std::is_base_of_v<U, T> && !std::is_same_v<U, T>)
  operator U&() const noexcept;
};

template <class T, size_t... I> consteval bool takes(std::index_sequence<I...>) {
  return requires { T{((void)I, Anything{})...}; };
}
inline constexpr size_t most = 32;
// The number of initialisers that T takes, at most `most` + 1.
template <class T, size_t N = most + 1> consteval size_t count() {
  if constexpr (N == 0 || takes<T>(std::make_index_sequence<N>())) return N;
  else return count<T, N - 1>();
}

template <class T> inline constexpr bool has_base = requires { T{AnyBase<T>{}}; };

// Whether initialiser I, put in braces of its own, leaves the others too many: it then begins a C array, whose elements
// count() took for members.
template <class T, size_t... B, size_t... A>
consteval bool begins_array(std::index_sequence<B...>, std::index_sequence<A...>) {
  constexpr bool plain = requires { T{((void)B, Anything{})..., {}, ((void)A, Anything{})...}; };
  constexpr bool single = requires { T{((void)B, Anything{})..., {Anything{}}, ((void)A, Anything{})...}; };
  return !plain && !single;
}
template <class T, size_t... I> consteval bool any_array(std::index_sequence<I...>) {
  constexpr size_t n = sizeof...(I);
  return (begins_array<T>(std::make_index_sequence<I>(), std::make_index_sequence<n - 1 - I>()) || ...);
}
template <class T> consteval bool has_array() { return any_array<T>(std::make_index_sequence<count<T>()>()); }

// f(fields of t…).
template <size_t N, class T, class F> constexpr decltype(auto) bind(T& t, F&& f) {
  if constexpr (N == 0) return f();
  else if constexpr (N == 1) {
    auto& [f1] = t;
    return f(f1);
  } else if constexpr (N == 2) {
    auto& [f1, f2] = t;
    return f(f1, f2);
  } else if constexpr (N == 3) {
    auto& [f1, f2, f3] = t;
    return f(f1, f2, f3);
  } else if constexpr (N == 4) {
    auto& [f1, f2, f3, f4] = t;
    return f(f1, f2, f3, f4);
  } else if constexpr (N == 5) {
    auto& [f1, f2, f3, f4, f5] = t;
    return f(f1, f2, f3, f4, f5);
  } else if constexpr (N == 6) {
    auto& [f1, f2, f3, f4, f5, f6] = t;
    return f(f1, f2, f3, f4, f5, f6);
  } else if constexpr (N == 7) {
    auto& [f1, f2, f3, f4, f5, f6, f7] = t;
    return f(f1, f2, f3, f4, f5, f6, f7);
  } else if constexpr (N == 8) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8);
  } else if constexpr (N == 9) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9);
  } else if constexpr (N == 10) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10);
  } else if constexpr (N == 11) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11);
  } else if constexpr (N == 12) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12);
  } else if constexpr (N == 13) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13);
  } else if constexpr (N == 14) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14);
  } else if constexpr (N == 15) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15);
  } else if constexpr (N == 16) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16);
  } else if constexpr (N == 17) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17);
  } else if constexpr (N == 18) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18);
  } else if constexpr (N == 19) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19);
  } else if constexpr (N == 20) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20);
  } else if constexpr (N == 21) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21);
  } else if constexpr (N == 22) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22);
  } else if constexpr (N == 23) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23] =
        t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23);
  } else if constexpr (N == 24) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
           f24] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
             f24);
  } else if constexpr (N == 25) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
           f24, f25] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
             f24, f25);
  } else if constexpr (N == 26) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
           f24, f25, f26] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
             f24, f25, f26);
  } else if constexpr (N == 27) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
           f24, f25, f26, f27] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
             f24, f25, f26, f27);
  } else if constexpr (N == 28) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
           f24, f25, f26, f27, f28] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
             f24, f25, f26, f27, f28);
  } else if constexpr (N == 29) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
           f24, f25, f26, f27, f28, f29] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
             f24, f25, f26, f27, f28, f29);
  } else if constexpr (N == 30) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
           f24, f25, f26, f27, f28, f29, f30] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
             f24, f25, f26, f27, f28, f29, f30);
  } else if constexpr (N == 31) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
           f24, f25, f26, f27, f28, f29, f30, f31] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
             f24, f25, f26, f27, f28, f29, f30, f31);
  } else if constexpr (N == 32) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
           f24, f25, f26, f27, f28, f29, f30, f31, f32] = t;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
             f24, f25, f26, f27, f28, f29, f30, f31, f32);
  }
}

#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-var-template"
#pragma clang diagnostic ignored "-Wundefined-internal"
#endif
// An object that is never defined: only the addresses of its members are taken, for their names.
template <class T> struct Outside {
  const T value;
  static const Outside it;
};
template <class P> struct Address {
  P pointer;
};

template <class T, size_t I> consteval auto address() {
  return bind<count<T>()>(Outside<T>::it.value, [](auto&... f) {
    const auto p = std::get<I>(std::tuple{&f...});
    return Address<decltype(p)>{p};
  });
}
#ifdef __clang__
#pragma clang diagnostic pop
#endif

// Both compilers spell P as {…::name} or {….name}.
template <class T, auto P> consteval std::string_view name() {
  const std::string_view s = __PRETTY_FUNCTION__;
  const auto inside = [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  size_t end = s.rfind('}');
  while (!inside(s[end - 1])) --end;
  size_t begin = end;
  while (inside(s[begin - 1])) --begin;
  return s.substr(begin, end - begin);
}

template <class T, size_t... I> consteval auto all_names(std::index_sequence<I...>) {
  return std::array<std::string_view, sizeof...(I)>{name<T, address<T, I>()>()...};
}
template <class T> inline constexpr auto names = all_names<T>(std::make_index_sequence<count<T>()>());

}  // namespace viva::fields
