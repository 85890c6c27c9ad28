// Transformations of functions: each takes a function of trees and returns a function of trees, so they nest.
//   grad(loss)(model, x, y)                       with respect to the first argument, a tree like it
//   grad(loss, wrt<0, 2>)(…)                      a tuple of the gradients of arguments 0 and 2
//   grad(loss, has_aux)(…)                        loss returns std::pair(scalar, anything); gives {gradient, anything}
//   grad(loss, wrt<1> | has_aux)(…)
// A gradient holds an empty Tensor for each leaf without tangent (integers, bool) and the argument's static fields.
// Outside compile and vmap a function is traced for the values at hand, anew in each call: it may ask for item().
// Errors name the line of the operation, or of the transformation.
#pragma once

#include <climits>
#include <functional>
#include <optional>
#include <tuple>
#include <utility>

#include "viva/tree.h"

namespace viva {

template <bool Aux, size_t... I> struct Select {};
template <size_t... I> inline constexpr Select<false, I...> wrt{};
inline constexpr Select<true> has_aux{};
template <size_t... I> constexpr Select<true, I...> operator|(Select<false, I...>, Select<true>) { return {}; }
template <size_t... I> constexpr Select<true, I...> operator|(Select<true>, Select<false, I...>) { return {}; }

inline constexpr int none = INT_MIN;  // an argument or a result that all examples share
struct InAxes {
  std::vector<int> list;
};
struct OutAxes {
  std::vector<int> list;
};
template <class... I> InAxes in_axes(I... axes) { return {{axes...}}; }    // one for each argument
template <class... I> OutAxes out_axes(I... axes) { return {{axes...}}; }  // one for all results, or one for each

// What the derivative of checkpoint(f) keeps beside the arguments: every value that it needs, the results of matrix
// products, contractions and convolutions, or the values that tap names.
struct Keep {
  enum What : uint8_t { nothing, everything, contractions, named };
  What what = nothing;
  std::vector<std::string> names = {};  // for named
};

namespace tracing {

using Tensors = std::vector<Tensor>;
using Fn = std::function<Tensors(const Tensors&)>;
using Marks = std::vector<bool>;
struct Site {
  const char* what;  // the transformation
  Where where;       // where it was asked for
};

// Below, args are all leaves of all arguments, and marks say with respect to which of them.
struct Pushed {
  Tensors outputs, tangents;
};
struct LinearMap;
struct Linearized {
  Tensors outputs;
  std::shared_ptr<const LinearMap> map;
};
// Outputs, then what marks ask for: a gradient for each leaf, empty where not marked or without tangent.
Pushed value_and_grad(Site, const Fn&, const Tensors& args, const Marks&, bool outputs);
Pushed jvp(Site, const Fn&, const Tensors& args, const Marks&, const Tensors& tangents);
Tensors hvp(Site, const Fn&, const Tensors& args, const Marks&, const Tensors& vectors);
Linearized linearize(Site, const Fn&, const Tensors& args, const Marks&, bool reverse);
Tensors push(Site, const LinearMap&, const Tensors& tangents);    // one for each marked leaf; of each output
Tensors pull(Site, const LinearMap&, const Tensors& cotangents);  // one for each output; of each leaf
enum class Second : uint8_t { forward, reverse, cheaper, hessian };
// Output after output, for each marked leaf.
Tensors jacobian(Site, const Fn&, const Tensors& args, const Marks&, Second how);
Tensors vmap(Site, const Fn&, const Tensors& args, const std::vector<int>& axes, const std::vector<int>& out_axes,
             const std::string& axis_name);
Tensors checkpoint(Site, const Fn&, const Tensors& args, const Keep& keep);

// f with its arguments, as a function of their leaves.
template <class F, class... A> class Call {
 public:
  using Result = std::remove_cvref_t<std::invoke_result_t<const F&, const A&...>>;
  static_assert(!std::is_void_v<Result>, "viva: a traced function returns a tree of tensors");

  explicit Call(const F& f, const A&... args) : f_(f), args_(args...), all_(args_), given(all_.copy()) {
    std::apply([&](auto&... a) { (starts_.push_back(starts_.back() + tree::Leaves(a).all.size()), ...); }, args_);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  Fn function() {
    return [this](const Tensors& leaves) {
      all_.assign(leaves);
      result_.emplace(std::apply([&](const auto&... a) { return f_(a...); }, args_));
      return tree::Leaves(*result_).copy();
    };
  }
  // Marks the leaves of arguments I… but for buffers; of argument 0 where none is given.
  template <size_t... I> Marks marks() const {
    if constexpr (sizeof...(I) == 0) return marks<0>();
    Marks m(given.size(), false);
    ((std::fill(m.begin() + static_cast<long>(starts_[I]), m.begin() + static_cast<long>(starts_[I + 1]), true)), ...);
    for (size_t b : all_.buffers) m[b] = false;
    return m;
  }
  // The result with these leaves.
  Result result(const Tensors& leaves) {
    tree::Leaves(*result_).assign(leaves);
    return std::move(*result_);
  }
  Result tangent(const Tensors& leaves) const {
    Result r = *result_;
    tree::Leaves(r).assign(leaves);
    return r;
  }
  // The result without leaves.
  Result empty() const { return tangent(Tensors(tree::Leaves(*result_).all.size())); }
  // Arguments I… with these leaves in place of all: one tree, or a tuple of several.
  template <size_t... I> auto arguments(const Tensors& leaves) const {
    auto args = args_;
    tree::Leaves(args).assign(leaves);
    if constexpr (sizeof...(I) == 0) return std::get<0>(args);
    else if constexpr (sizeof...(I) == 1) return (std::get<I>(args), ...);
    else return std::tuple(std::get<I>(args)...);
  }
  // The leaves of trees that stand for arguments I…, empty elsewhere.
  template <size_t... I, class... T> Tensors beside(const T&... trees) const {
    if constexpr (sizeof...(I) == 0) return beside<0>(trees...);
    else {
      static_assert(sizeof...(I) == sizeof...(T), "viva: one tangent for each argument selected by wrt");
      Tensors r(given.size());
      const auto put = [&](size_t i, const tree::Leaves& from) {
        tree::check_same_leaves(starts_[i + 1] - starts_[i], from.all.size());
        for (size_t k = 0; k < from.all.size(); ++k) r[starts_[i] + k] = *from.all[k];
      };
      (put(I, tree::Leaves(trees)), ...);
      return r;
    }
  }
  size_t leaves_of(size_t argument) const { return starts_[argument + 1] - starts_[argument]; }

 private:
  const F& f_;
  std::tuple<A...> args_;
  tree::Leaves all_;
  std::vector<size_t> starts_{0};
  std::optional<Result> result_;

 public:
  const Tensors given;
};

template <class R, bool Aux> constexpr void check_loss() {
  if constexpr (Aux)
    static_assert(tree::is<R, std::pair>, "viva: with has_aux the function returns std::pair(loss, others)");
  else
    static_assert(std::is_same_v<R, Tensor>,
                  "viva: a function to differentiate returns one Tensor; for more results say has_aux and return "
                  "std::pair(loss, others)");
}

// The first N of args…, and the rest, as tuples of references.
template <size_t N, class... A> auto first(const std::tuple<A...>& all) {
  return [&]<size_t... I>(std::index_sequence<I...>) {
    return std::tie(std::get<I>(all)...);
  }(std::make_index_sequence<N>());
}
template <size_t N, class... A> auto rest(const std::tuple<A...>& all) {
  return [&]<size_t... I>(std::index_sequence<I...>) {
    return std::tie(std::get<N + I>(all)...);
  }(std::make_index_sequence<sizeof...(A) - N>());
}
template <size_t... I> inline constexpr size_t selected = sizeof...(I) == 0 ? 1 : sizeof...(I);

template <class F, bool Value, bool Aux, size_t... I> struct Grad {
  F f;
  Site site;
  template <class... A> auto operator()(const A&... args) const {
    using C = Call<F, A...>;
    check_loss<typename C::Result, Aux>();
    C call(f, args...);
    Pushed p = tracing::value_and_grad(site, call.function(), call.given, call.template marks<I...>(), Value || Aux);
    auto gradient = call.template arguments<I...>(p.tangents);
    if constexpr (Value) return std::pair(call.result(p.outputs), std::move(gradient));
    else if constexpr (Aux) return std::pair(std::move(gradient), call.result(p.outputs).second);
    else return gradient;
  }
};

template <class F, bool Second, size_t... I> struct Push {
  F f;
  Site site;
  template <class... A> auto operator()(const A&... all) const {
    constexpr size_t extra = selected<I...>;
    static_assert(sizeof...(A) > extra, "viva: pass the arguments, then a tangent for each one selected by wrt");
    return std::apply([&](const auto&... args) { return with(rest<sizeof...(A) - extra>(std::tie(all...)), args...); },
                      first<sizeof...(A) - extra>(std::tie(all...)));
  }

 private:
  template <class T, class... A> auto with(const T& tangents, const A&... args) const {
    Call<F, A...> call(f, args...);
    const Tensors t = std::apply([&](const auto&... d) { return call.template beside<I...>(d...); }, tangents);
    if constexpr (Second) {
      check_loss<typename Call<F, A...>::Result, false>();
      return call.template arguments<I...>(
          tracing::hvp(site, call.function(), call.given, call.template marks<I...>(), t));
    } else {
      Pushed p = tracing::jvp(site, call.function(), call.given, call.template marks<I...>(), t);
      auto tangent = call.tangent(p.tangents);
      return std::pair(call.result(p.outputs), std::move(tangent));
    }
  }
};

// A linear map at a point: from tangents to a tangent, or from a cotangent to cotangents.
template <bool Reverse, class C, size_t... I> struct Map {
  Site site;
  std::shared_ptr<C> call;
  std::shared_ptr<const LinearMap> map;
  template <class... T> auto operator()(const T&... trees) const {
    if constexpr (Reverse) {
      static_assert(sizeof...(T) == 1, "viva: a pullback takes one cotangent, a tree like the result");
      return call->template arguments<I...>(pull(site, *map, tree::Leaves(trees...).copy()));
    } else return call->tangent(push(site, *map, call->template beside<I...>(trees...)));
  }
};

template <class F, bool Reverse, size_t... I> struct Linearize {
  F f;
  Site site;
  template <class... A> auto operator()(const A&... args) const {
    using C = Call<F, A...>;
    const auto call = std::make_shared<C>(f, args...);
    Linearized l = tracing::linearize(site, call->function(), call->given, call->template marks<I...>(), Reverse);
    return std::pair(call->tangent(l.outputs), Map<Reverse, C, I...>{site, call, std::move(l.map)});
  }
};

template <class F, Second How, size_t... I> struct Jacobian {
  F f;
  Site site;
  template <class... A> auto operator()(const A&... args) const {
    using C = Call<F, A...>;
    static_assert(sizeof...(I) <= 1, "viva: a Jacobian is taken with respect to one argument");
    constexpr size_t at = (0 + ... + I);
    using T = std::tuple_element_t<at, std::tuple<A...>>;
    constexpr bool single = std::is_same_v<T, Tensor>, scalar = std::is_same_v<typename C::Result, Tensor>;
    static_assert(How != Second::hessian || single, "viva: hessian takes a Tensor: see ravel");
    static_assert(single || scalar, "viva: a Jacobian from a tree to a tree is too many tensors: see ravel");
    C call(f, args...);
    Tensors j = tracing::jacobian(site, call.function(), call.given, call.template marks<I...>(), How);
    if constexpr (How == Second::hessian) return std::move(j.front());
    else if constexpr (single) return call.result(j);
    else {
      const Marks m = call.template marks<I...>();
      Tensors all(m.size());
      for (size_t i = 0, k = 0; i < m.size(); ++i)
        if (m[i]) all[i] = j[k++];
      return call.template arguments<I...>(all);
    }
  }
};

template <class F> struct Vmap {
  F f;
  Site site;
  std::vector<int> axes, out_axes;
  std::string axis_name;
  template <class... A> auto operator()(const A&... args) const {
    Call<F, A...> call(f, args...);
    check_axes(sizeof...(A));
    std::vector<int> each;
    for (size_t i = 0; i < sizeof...(A); ++i) each.insert(each.end(), call.leaves_of(i), axes.empty() ? 0 : axes[i]);
    const Tensors out = tracing::vmap(site, call.function(), call.given, each, out_axes, axis_name);
    return call.result(out);
  }

 private:
  void check_axes(size_t arguments) const;
};
void check_axes(Site site, size_t axes, size_t arguments);
template <class F> void Vmap<F>::check_axes(size_t arguments) const {
  tracing::check_axes(site, axes.size(), arguments);
}

template <class F> struct Checkpoint {
  F f;
  Keep keep;
  Site site;
  template <class... A> auto operator()(const A&... args) const {
    Call<F, A...> call(f, args...);
    const Tensors out = tracing::checkpoint(site, call.function(), call.given, keep);
    return call.result(out);
  }
};

}  // namespace tracing

// The gradient of a scalar function; value_and_grad gives {result, gradient}.
template <class F, bool Aux, size_t... I> auto grad(F f, Select<Aux, I...>, Loc l = Loc::current()) {
  return tracing::Grad<F, false, Aux, I...>{std::move(f), {"grad", l}};
}
template <class F> auto grad(F f, Loc l = Loc::current()) { return grad(std::move(f), wrt<>, l); }
template <class F, bool Aux, size_t... I> auto value_and_grad(F f, Select<Aux, I...>, Loc l = Loc::current()) {
  return tracing::Grad<F, true, Aux, I...>{std::move(f), {"value_and_grad", l}};
}
template <class F> auto value_and_grad(F f, Loc l = Loc::current()) { return value_and_grad(std::move(f), wrt<>, l); }

// jvp(f)(args…, tangents…): {result, its tangent}. An empty leaf of a tangent is zero.
template <class F, size_t... I> auto jvp(F f, Select<false, I...> = {}, Loc l = Loc::current()) {
  return tracing::Push<F, false, I...>{std::move(f), {"jvp", l}};
}
// hvp(f)(args…, vectors…): the Hessian of a scalar function times a vector, a tree like the argument.
template <class F, size_t... I> auto hvp(F f, Select<false, I...> = {}, Loc l = Loc::current()) {
  return tracing::Push<F, true, I...>{std::move(f), {"hvp", l}};
}
// vjp(f)(args…): {result, pullback}; pullback(cotangent like the result) gives a tree like the argument.
template <class F, size_t... I> auto vjp(F f, Select<false, I...> = {}, Loc l = Loc::current()) {
  return tracing::Linearize<F, true, I...>{std::move(f), {"vjp", l}};
}
// linearize(f)(args…): {result, map}; map(tangents…) gives the tangent of the result, without evaluating f again.
template <class F, size_t... I> auto linearize(F f, Select<false, I...> = {}, Loc l = Loc::current()) {
  return tracing::Linearize<F, false, I...>{std::move(f), {"linearize", l}};
}
// Derivatives of shape [result…, argument…]: forward mode costs a pass for each element of the argument, reverse for
// each of the result. From a tensor to a tree, or from a tree to a tensor: a tree of them.
template <class F, size_t... I> auto jacfwd(F f, Select<false, I...> = {}, Loc l = Loc::current()) {
  return tracing::Jacobian<F, tracing::Second::forward, I...>{std::move(f), {"jacfwd", l}};
}
template <class F, size_t... I> auto jacrev(F f, Select<false, I...> = {}, Loc l = Loc::current()) {
  return tracing::Jacobian<F, tracing::Second::reverse, I...>{std::move(f), {"jacrev", l}};
}
// The one of both that takes fewer passes: forward where the argument has no more elements than the result.
template <class F, size_t... I> auto jacobian(F f, Select<false, I...> = {}, Loc l = Loc::current()) {
  return tracing::Jacobian<F, tracing::Second::cheaper, I...>{std::move(f), {"jacobian", l}};
}
// Second derivatives of a scalar function of a tensor: shape [argument…, argument…].
template <class F, size_t... I> auto hessian(F f, Select<false, I...> = {}, Loc l = Loc::current()) {
  return tracing::Jacobian<F, tracing::Second::hessian, I...>{std::move(f), {"hessian", l}};
}

// f for each example: its leaves lose the axis given for their argument (0 unless given; none: shared), its results
// gain one (0 unless given; none: a result that depends on no example stays as it is). Staged: item() has no value
// inside.
template <class F> auto vmap(F f, InAxes in = {}, OutAxes out = {}, Loc l = Loc::current()) {
  return tracing::Vmap<F>{std::move(f), {"vmap", l}, std::move(in.list), std::move(out.list), {}};
}
struct VmapOptions {
  InAxes in = {};
  OutAxes out = {};
  std::string axis_name = "";  // by which functions inside speak of the examples
};
template <class F> auto vmap(F f, VmapOptions o, Loc l = Loc::current()) {
  return tracing::Vmap<F>{
      std::move(f), {"vmap", l}, std::move(o.in.list), std::move(o.out.list), std::move(o.axis_name)};
}
// Inside vmap(f, {.axis_name = "batch"}): the sum and the mean over the examples, which all get, the place of the
// example (i64) and how many there are. The innermost vmap of the name is meant; a usage error lists those in scope.
// Derivatives taken inside are those of all examples' results together: grad of axis_sum gives n, as each operand is in
// n results.
Tensor axis_sum(const Arg& x, std::string_view axis);
Tensor axis_mean(const Arg& x, std::string_view axis);
Tensor axis_index(std::string_view axis, Loc l = Loc::current());
int64_t axis_size(std::string_view axis, Loc l = Loc::current());

// f itself, but its derivative keeps the arguments and what `keep` says alone, and computes the rest again. What stands
// inside a loop or a branch is not kept by it. A usage error where names are empty or hold a comma, where named has
// none and where another has some.
template <class F> auto checkpoint(F f, Keep keep, Loc l = Loc::current()) {
  return tracing::Checkpoint<F>{std::move(f), std::move(keep), {"checkpoint", l}};
}
template <class F> auto checkpoint(F f, Loc l = Loc::current()) {
  return tracing::Checkpoint<F>{std::move(f), {}, {"checkpoint", l}};
}

// All float leaves of a tree as one vector of their promoted dtype, and back.
Tensor ravel_leaves(const std::vector<Tensor>& leaves, Where where);
std::vector<Tensor> unravel_leaves(const std::vector<Tensor>& like, const Tensor& flat, Where where);
template <class T> Tensor ravel(const T& tree, Loc l = Loc::current()) { return ravel_leaves(tree::flatten(tree), l); }
template <class T> T unravel(const T& like, const Tensor& flat, Loc l = Loc::current()) {
  return tree::unflatten(like, unravel_leaves(tree::flatten(like), flat, l));
}

}  // namespace viva
