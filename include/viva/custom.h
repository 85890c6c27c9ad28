// Functions with rules of the user's own in place of those that follow from their bodies. Rules are functions of trees,
// made of tensors like any other; they may use the function that they belong to, and capture tensors.
//   custom_jvp(f, rule)                   rule(args…, tangents…) gives std::pair(result, its tangent)
//   custom_vjp(f, forward, backward)      forward(args…) gives std::pair(result, residuals), any tree;
//   backward(residuals,
//                                         cotangent) a cotangent like the argument, or a tuple of one for each
//   custom_batch(f, rule)                 rule(axis, args…) gives the results of all examples
//   custom_bound(f, rule)                 rule(lowers…, uppers…) gives std::pair(lower, upper) ends of the result
//   linear_call(f, t, residuals, x)       f(residuals, x), linear in x; t(residuals, cotangent) is its transposition
// From a jvp rule reverse mode follows by transposition, from a vjp rule forward mode; both are kept under vmap. An
// empty tensor is a zero tangent or cotangent; integers have none. What a function captures is differentiated through
// its body: the rule speaks of the arguments. A rule runs when its function is applied under a transformation, to see
// what it captures, and again when a derivative asks for it; errors in it, with the line of custom_jvp and so on, come
// then.
#pragma once

#include "viva/transform.h"

namespace viva {

// How the examples lie in the arguments of a batch rule: those mapped have `size` of them along a new first axis.
struct MappedAxis {
  int64_t size = 0;
  std::vector<bool> mapped;  // of each leaf of the arguments
};

namespace tracing {

// Which function an application is of: the same object is the same function, another of the type may be.
struct Self {
  const void *object, *type;
};
using Two = std::function<std::pair<Tensors, Tensors>(const Tensors&)>;
using BatchFn = std::function<Tensors(const MappedAxis&, const Tensors&)>;

// Below, functions are of leaves. rule: arguments and tangents to results and tangents; forward: arguments to results
// and residuals; backward: residuals and cotangents to cotangents; transpose: residuals and cotangents to cotangents.
Tensors custom_jvp(Site, Self, const Fn& body, const Two& rule, const Tensors& args);
Tensors custom_bound(Site, Self, const Fn& body, const Two& rule, const Tensors& args);  // two ends to two ends
Tensors custom_vjp(Site, Self, const Fn& body, const Two& forward, const Fn& backward, const Tensors& args);
Tensors custom_batch(Site, Self, const Fn& body, const BatchFn& rule, const Tensors& args);
Tensors linear_call(Site, Self, const Fn& f, const Fn& transpose, const Tensors& residuals, const Tensors& linear);

template <class...> inline constexpr char rule_type = 0;

template <class T> T emptied(T tree) {
  const tree::Leaves leaves(tree);
  leaves.assign(Tensors(leaves.all.size()));
  return tree;
}

using Applied = Tensors (*)(Site, Self, const Fn&, const Two&, const Tensors&);
template <class F, class Rule, Applied apply> struct CustomPair {
  using Parts = std::pair<F, Rule>;
  std::shared_ptr<const Parts> parts;
  Site site;
  template <class... A> auto operator()(const A&... args) const {
    using C = Call<F, A...>;
    using R = typename C::Result;
    C call(parts->first, args...);
    const Two rule = [parts = parts, like = emptied(std::tuple<A...>(args...))](const Tensors& leaves) {
      auto first = like, second = like;
      tree::Leaves(first, second).assign(leaves);
      const auto out = std::apply([&](const auto&... a) { return parts->second(a...); }, std::tuple_cat(first, second));
      static_assert(std::is_same_v<std::remove_cv_t<decltype(out)>, std::pair<R, R>>,
                    "viva: the rule of custom_jvp returns std::pair(result, tangent), that of custom_bound "
                    "std::pair(lower, upper), both like the function's result");
      return std::pair(tree::flatten(out.first), tree::flatten(out.second));
    };
    return call.result(apply(site, {parts.get(), &rule_type<Parts>}, call.function(), rule, call.given));
  }
};

// The two halves of a vjp rule: the second needs the trees that the first gave.
template <class Parts, class R, class... A> class VjpRule {
 public:
  VjpRule(std::shared_ptr<const Parts> parts, const A&... args)
      : parts_(std::move(parts)), like_(emptied(std::tuple<A...>(args...))) {}

  std::pair<Tensors, Tensors> forward(const Tensors& leaves) {
    auto args = like_;
    tree::Leaves(args).assign(leaves);
    const Given out = std::apply(std::get<1>(*parts_), args);
    result_.emplace(emptied(out.first)), residuals_.emplace(emptied(out.second));
    return {tree::flatten(out.first), tree::flatten(out.second)};
  }

  Tensors backward(const Tensors& leaves) const {
    auto residuals = *residuals_;
    auto cotangent = *result_;
    tree::Leaves(residuals, cotangent).assign(leaves);
    const auto out = std::get<2>(*parts_)(std::as_const(residuals), std::as_const(cotangent));
    using O = std::remove_cv_t<decltype(out)>;
    static_assert(
        std::is_same_v<O, std::tuple<A...>> || std::is_same_v<std::tuple<O>, std::tuple<A...>>,
        "viva: the backward rule of custom_vjp returns a cotangent like the argument; for several arguments a "
        "std::tuple of them");
    return tree::flatten(out);
  }

 private:
  using Given = std::remove_cvref_t<std::invoke_result_t<const std::tuple_element_t<1, Parts>&, const A&...>>;
  static_assert(tree::is<Given, std::pair>,
                "viva: the forward rule of custom_vjp returns std::pair(result, residuals)");
  static_assert(std::is_same_v<typename Given::first_type, R>,
                "viva: the forward rule of custom_vjp gives a result of the function's type");
  std::shared_ptr<const Parts> parts_;
  std::tuple<A...> like_;
  std::optional<R> result_;
  std::optional<typename Given::second_type> residuals_;
};

template <class F, class Forward, class Backward> struct CustomVjp {
  using Parts = std::tuple<F, Forward, Backward>;
  std::shared_ptr<const Parts> parts;
  Site site;
  template <class... A> auto operator()(const A&... args) const {
    using C = Call<F, A...>;
    C call(std::get<0>(*parts), args...);
    const auto rule = std::make_shared<VjpRule<Parts, typename C::Result, A...>>(parts, args...);
    const Two forward = [rule](const Tensors& leaves) { return rule->forward(leaves); };
    const Fn backward = [rule](const Tensors& leaves) { return rule->backward(leaves); };
    return call.result(
        custom_vjp(site, {parts.get(), &rule_type<Parts>}, call.function(), forward, backward, call.given));
  }
};

template <class F, class Rule> struct CustomBatch {
  using Parts = std::pair<F, Rule>;
  std::shared_ptr<const Parts> parts;
  Site site;
  template <class... A> auto operator()(const A&... args) const {
    using C = Call<F, A...>;
    C call(parts->first, args...);
    const BatchFn rule = [parts = parts, like = emptied(std::tuple<A...>(args...))](const MappedAxis& axis,
                                                                                    const Tensors& leaves) {
      auto all = like;
      tree::Leaves(all).assign(leaves);
      const auto out = std::apply([&](const auto&... a) { return parts->second(axis, a...); }, all);
      static_assert(std::is_same_v<std::remove_cv_t<decltype(out)>, typename C::Result>,
                    "viva: the rule of custom_batch returns what the function does");
      return tree::flatten(out);
    };
    return call.result(custom_batch(site, {parts.get(), &rule_type<Parts>}, call.function(), rule, call.given));
  }
};

}  // namespace tracing

template <class F, class Rule> auto custom_jvp(F f, Rule rule, Loc l = Loc::current()) {
  using C = tracing::CustomPair<F, Rule, tracing::custom_jvp>;
  return C{std::make_shared<const typename C::Parts>(std::move(f), std::move(rule)), {"custom_jvp", l}};
}

// The rule is trusted: it gives ends that hold the results for all arguments between the lowers and the uppers, below
// inf and above -inf, and [-inf, inf] where a result may be NaN. Derivatives come from the body; so do bounds where a
// captured tensor lies in an interval itself.
template <class F, class Rule> auto custom_bound(F f, Rule rule, Loc l = Loc::current()) {
  using C = tracing::CustomPair<F, Rule, tracing::custom_bound>;
  return C{std::make_shared<const typename C::Parts>(std::move(f), std::move(rule)), {"custom_bound", l}};
}

// Forward mode needs a backward rule that is linear in the cotangent; reverse mode takes any.
template <class F, class Forward, class Backward>
auto custom_vjp(F f, Forward forward, Backward backward, Loc l = Loc::current()) {
  using C = tracing::CustomVjp<F, Forward, Backward>;
  return C{std::make_shared<const typename C::Parts>(std::move(f), std::move(forward), std::move(backward)),
           {"custom_vjp", l}};
}

// A result of the rule has the examples along a first axis, or is the same for all and has no such axis. Derivatives
// come from the body; so do batches where a captured tensor differs between examples.
template <class F, class Rule> auto custom_batch(F f, Rule rule, Loc l = Loc::current()) {
  using C = tracing::CustomBatch<F, Rule>;
  return C{std::make_shared<const typename C::Parts>(std::move(f), std::move(rule)), {"custom_batch", l}};
}

template <class F, class T, class Residuals, class X>
auto linear_call(F f, T transpose, const Residuals& residuals, const X& x, Loc l = Loc::current()) {
  using C = tracing::Call<F, Residuals, X>;
  using R = typename C::Result;
  C call(f, residuals, x);
  const auto like = std::make_shared<std::optional<R>>();  // of the result
  const tracing::Fn forward = [&call, like, run = call.function()](const tracing::Tensors& leaves) {
    tracing::Tensors out = run(leaves);
    like->emplace(call.empty());
    return out;
  };
  const tracing::Fn back = [like, residuals = tracing::emptied(residuals),
                            t = std::move(transpose)](const tracing::Tensors& leaves) {
    auto known = residuals;
    R cotangent = **like;
    tree::Leaves(known, cotangent).assign(leaves);
    const auto out = t(std::as_const(known), std::as_const(cotangent));
    static_assert(std::is_same_v<std::remove_cv_t<decltype(out)>, X>,
                  "viva: the transposition of linear_call returns a tree like the linear argument");
    return tree::flatten(out);
  };
  return call.result(tracing::linear_call({"linear_call", l}, {nullptr, &tracing::rule_type<F, T>}, forward, back,
                                          tree::flatten(residuals), tree::flatten(x)));
}

// f with the derivative of the identity: f gives what it takes, in shape and dtype.
template <class F> auto straight_through(F f, Loc l = Loc::current()) {
  return custom_jvp(f, [f](const Tensor& x, const Tensor& dx) { return std::pair(f(x), dx); }, l);
}
// x, with a derivative of -scale (Ganin and Lempitsky 2015, arXiv:1409.7495, equation 16).
Tensor gradient_reversal(const Tensor& x, double scale = 1, Loc = Loc::current());

}  // namespace viva
