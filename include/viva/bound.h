// Guarantees: enclosures of all that a function gives over a box of arguments.
//   auto [low, high] = bound(f)(lower, upper);                     for all x with lower <= x <= upper
//   auto [low, high] = bound(net, wrt<1>)(net_, lower, upper);     of a network over a box of its inputs
// The results are trees like that of f. They hold what every engine of Viva computes, rounding included, and what exact
// arithmetic gives. A result [-inf, inf] says that nothing is known, and is the only one that may stand for NaN. See
// docs/reference/bound.md.
#pragma once

#include "viva/transform.h"

namespace viva {

namespace tracing {

struct Ends {
  Tensors lower, upper;  // of each output
};
// upper: a leaf for each leaf of the arguments, empty where that is a point.
Ends bound(Site, const Fn&, const Tensors& args, const Marks&, const Tensors& upper);

template <class F, size_t... I> struct Bound {
  F f;
  Site site;
  template <class... A> auto operator()(const A&... all) const {
    constexpr size_t extra = selected<I...>;
    static_assert(sizeof...(A) > extra, "viva: pass the arguments, then an upper end for each one selected by wrt");
    return std::apply([&](const auto&... args) { return with(rest<sizeof...(A) - extra>(std::tie(all...)), args...); },
                      first<sizeof...(A) - extra>(std::tie(all...)));
  }

 private:
  template <class T, class... A> auto with(const T& uppers, const A&... args) const {
    Call<F, A...> call(f, args...);
    const Tensors u = std::apply([&](const auto&... t) { return call.template beside<I...>(t...); }, uppers);
    Ends e = tracing::bound(site, call.function(), call.given, call.template marks<I...>(), u);
    auto upper = call.tangent(e.upper);
    return std::pair(call.result(e.lower), std::move(upper));
  }
};

}  // namespace tracing

// bound(f)(args…, uppers…): {lower ends, upper ends} of the result. The first argument, or those selected by wrt, are
// lower ends; an upper end is a tree like its argument, of which an empty leaf says that this one is a point. Lower
// ends are below inf and upper ends above -inf; all else is finite. Any dtype has enclosures: of bool, false lies below
// true. The function is staged, so item() is an error that names cond and while. Throws a usage error where shapes
// differ.
template <class F, size_t... I> auto bound(F f, Select<false, I...> = {}, Loc l = Loc::current()) {
  return tracing::Bound<F, I...>{std::move(f), {"bound", l}};
}

}  // namespace viva
