// Derivatives of higher order in one pass, without nesting.
//   jet(f)(x, {v1, v2, …})           f along the curve x + t·v1 + t²/2!·v2 + …: {f(x), its derivatives 1, 2, … at t =
//   0} laplacian(f)(x)                  the sum of the second derivatives by each element of x, a tree like the result
//   collapsed_jet(f, k)(x, vs)       Σ d^k/dt^k f(x + t·v) over the directions v, the leading axis of vs
// Series are of derivatives, not of Taylor coefficients (which are these over k!): as in jax.experimental.jet. They
// have 1 to 170 terms and cost a number of operations that grows with the square of it. See docs/reference/taylor.md.
#pragma once

#include "viva/transform.h"

namespace viva {

namespace tracing {

struct Jets {
  Tensors outputs;
  std::vector<Tensors> derivatives;  // of order 1, 2, …, a leaf for each output
};
// series: of order 1, 2, …, a leaf for each leaf of the arguments, empty for zero.
Jets jet(Site, const Fn&, const Tensors& args, const Marks&, const std::vector<Tensors>& series);
Pushed collapsed_jet(Site, const Fn&, const Tensors& args, const Marks&, int64_t order, const Tensors& directions);
Pushed laplacian(Site, const Fn&, const Tensors& args, const Marks&);

template <class T> T without_leaves(T tree) {
  tree::Leaves leaves(tree);
  leaves.assign(Tensors(leaves.all.size()));
  return tree;
}

template <class F, size_t... I> struct Jet {
  F f;
  Site site;
  template <class... A> auto operator()(const A&... all) const {
    constexpr size_t extra = selected<I...>;
    static_assert(sizeof...(A) > extra, "viva: pass the arguments, then a series for each one selected by wrt");
    return std::apply([&](const auto&... args) { return with(rest<sizeof...(A) - extra>(std::tie(all...)), args...); },
                      first<sizeof...(A) - extra>(std::tie(all...)));
  }
  template <class T> auto operator()(const T& x, const std::vector<T>& series) const {
    return with(std::tie(series), x);
  }

 private:
  template <class S, class... A> auto with(const S& series, const A&... args) const {
    Call<F, A...> call(f, args...);
    const std::vector<Tensors> terms = std::apply(
        [&](const auto&... s) {
          static_assert((tree::is<std::remove_cvref_t<decltype(s)>, std::vector> && ...),
                        "viva: a series is a std::vector of trees like the argument, derivative 1 first");
          std::vector<Tensors> r(std::max({s.size()...}));
          const auto term = [](const auto& one, size_t k) {
            using T = typename std::remove_cvref_t<decltype(one)>::value_type;
            return k < one.size() ? one[k] : one.empty() ? T() : without_leaves(one[0]);
          };
          for (size_t k = 0; k < r.size(); ++k) r[k] = call.template beside<I...>(term(s, k)...);
          return r;
        },
        series);
    Jets j = tracing::jet(site, call.function(), call.given, call.template marks<I...>(), terms);
    std::vector<typename Call<F, A...>::Result> derivatives;
    for (const Tensors& d : j.derivatives) derivatives.push_back(call.tangent(d));
    return std::pair(call.result(j.outputs), std::move(derivatives));
  }
};

template <class F, size_t... I> struct Collapsed {
  F f;
  Site site;
  int64_t order;
  template <class... A> auto operator()(const A&... all) const {
    constexpr size_t extra = selected<I...>;
    static_assert(sizeof...(A) > extra, "viva: pass the arguments, then directions for each one selected by wrt");
    return std::apply([&](const auto&... args) { return with(rest<sizeof...(A) - extra>(std::tie(all...)), args...); },
                      first<sizeof...(A) - extra>(std::tie(all...)));
  }

 private:
  template <class T, class... A> auto with(const T& directions, const A&... args) const {
    Call<F, A...> call(f, args...);
    const Tensors d = std::apply([&](const auto&... t) { return call.template beside<I...>(t...); }, directions);
    Pushed p = tracing::collapsed_jet(site, call.function(), call.given, call.template marks<I...>(), order, d);
    auto sum = call.tangent(p.tangents);
    return std::pair(call.result(p.outputs), std::move(sum));
  }
};

template <class F, bool Value, size_t... I> struct Laplacian {
  F f;
  Site site;
  template <class... A> auto operator()(const A&... args) const {
    Call<F, A...> call(f, args...);
    Pushed p = tracing::laplacian(site, call.function(), call.given, call.template marks<I...>());
    auto sum = call.tangent(p.tangents);
    if constexpr (Value) return std::pair(call.result(p.outputs), std::move(sum));
    else return sum;
  }
};

}  // namespace tracing

// jet(f)(args…, series…): {result, its derivatives}. A series is a vector of trees like its argument, an empty leaf is
// zero, a shorter series ends in zeros; the longest gives the order.
template <class F, size_t... I> auto jet(F f, Select<false, I...> = {}, Loc l = Loc::current()) {
  return tracing::Jet<F, I...>{std::move(f), {"jet", l}};
}
// laplacian(f)(args…): with respect to all elements of the first argument, or of those selected by wrt. The cost is
// that of a forward pass for each element, never for each pair: vmap it for each example of a batch.
template <class F, size_t... I> auto laplacian(F f, Select<false, I...> = {}, Loc l = Loc::current()) {
  return tracing::Laplacian<F, false, I...>{std::move(f), {"laplacian", l}};
}
// {result, Laplacian}
template <class F, size_t... I> auto value_and_laplacian(F f, Select<false, I...> = {}, Loc l = Loc::current()) {
  return tracing::Laplacian<F, true, I...>{std::move(f), {"value_and_laplacian", l}};
}
// collapsed_jet(f, k)(args…, directions…): {result, sum}. Directions are trees like their arguments with a leading
// axis.
template <class F, size_t... I>
auto collapsed_jet(F f, int64_t order, Select<false, I...> = {}, Loc l = Loc::current()) {
  return tracing::Collapsed<F, I...>{std::move(f), {"collapsed_jet", l}, order};
}

}  // namespace viva
