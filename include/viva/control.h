// Control flow that is part of the graph, so that it holds for every value: staged, differentiated, batched. Functions
// take and return trees; tensors that they capture are differentiated too.
//   cond(p, f, g, args…)                 f(args…) where p holds, else g(args…); both give trees of the same types
//   scan(f, init, xs)                    f(carry, x) gives {carry, y}; gives {last carry, stacked ys}
//   associative_scan(f, xs)              x0, f(x0, x1), f(f(x0, x1), x2), …, for an f that may be taken in any grouping
//   while_loop(predicate, step, init)    step as long as the predicate holds
//   fori_loop(n, f, init)                f(i, carry) for i = 0 … n - 1
#pragma once

#include "viva/transform.h"

namespace viva {

struct ScanOptions {
  bool reverse = false;  // from the last element to the first; ys stay in their places
  int64_t length = -1;   // of a scan without arrays
  int levels = 1;        // of nested scans, each checkpointed but the outermost: see scan
};
struct AssociativeScanOptions {
  bool reverse = false;  // from the last element to the first, the later one as f's first argument
  enum Form : uint8_t { cheaper, tree, steps };
  Form form = cheaper;
};
struct WhileOptions {
  int64_t max_steps = 0;  // the loop ends after so many, and its reversal keeps room for fewer snapshots; 0: no limit
};

namespace tracing {

Tensors cond(Site, const Arg& predicate, const Fn& on_true, const Fn& on_false, const Tensors& args);
// args: the leaves of the carry, then those of the arrays. f gives the leaves of the carry, then those of a result.
Tensors scan(Site, const Fn& f, const Tensors& args, size_t carries, const ScanOptions&);
// f takes the leaves of one element, then of another, and gives those of their combination.
Tensors associative_scan(Site, const Fn& f, const Tensors& xs, const AssociativeScanOptions&);
Tensors while_loop(Site, const Fn& predicate, const Fn& step, const Tensors& init, const WhileOptions&);
Tensor counting(int64_t n, Where where);  // 0 … n - 1, int64

}  // namespace tracing

// A bool tensor of no dimensions decides. Under vmap both run and examples choose; the one that an example does not
// take is given the arguments of one that does, so that its derivatives cannot be NaN.
template <class F, class G, class... A> auto cond(const Arg& predicate, F f, G g, const A&... args) {
  tracing::Call<F, A...> first(f, args...);
  tracing::Call<G, A...> second(g, args...);
  static_assert(std::is_same_v<typename decltype(first)::Result, typename decltype(second)::Result>,
                "viva: the two functions of cond return trees of one type");
  const tracing::Site site{"cond", predicate.where};
  return first.result(tracing::cond(site, predicate, first.function(), second.function(), first.given));
}

// Throws a usage error, with the line, where a carry comes out with another type than it goes in with, or arrays differ
// in their leading extent, or levels is less than 1. Reverse mode keeps what each step needs, and once what is the same
// for all. With levels d > 1 the n steps are nested in scans of at most ⌈n^(1/d)⌉ blocks and a remainder: reverse mode
// keeps the carry before each block and computes its steps again, d - 1 times in all. The graph has at most 2^d scans.
template <class F, class Carry, class X>
auto scan(F f, const Carry& init, const X& xs, ScanOptions options = {}, Loc l = Loc::current()) {
  using C = tracing::Call<F, Carry, X>;
  static_assert(tree::is<typename C::Result, std::pair>, "viva: the function of scan returns std::pair(carry, y)");
  C call(f, init, xs);
  return call.result(tracing::scan({"scan", l}, call.function(), call.given, call.leaves_of(0), options));
}

// f combines two elements; how the n of xs are grouped is not said, so f is associative, but need not commute. As a
// tree of prefixes (Blelloch 1990), f runs on whole arrays, 2·log2 n times, at most 2n elements in all, and the graph
// has so many calls of it; as steps, it is a scan. Where neither is asked for, elements of up to 512 numbers go as a
// tree, larger ones in steps. Throws a usage error, with the line, where arrays differ in their leading extent, or f
// gives other types than it takes.
template <class F, class X>
X associative_scan(F f, const X& xs, AssociativeScanOptions options = {}, Loc l = Loc::current()) {
  using C = tracing::Call<F, X, X>;
  static_assert(std::is_same_v<typename C::Result, X>, "viva: the function of associative_scan returns what it takes");
  C call(f, xs, xs);
  const tracing::Tensors leaves(call.given.begin(), call.given.begin() + static_cast<long>(call.leaves_of(0)));
  tracing::Tensors out = tracing::associative_scan({"associative_scan", l}, call.function(), leaves, options);
  out.insert(out.end(), leaves.begin(), leaves.end());
  return call.template arguments<0>(out);
}

// The number of steps depends on values; reverse mode goes through it with snapshots, log2 of the steps + 2 at once.
template <class P, class F, class Carry>
Carry while_loop(P predicate, F step, const Carry& init, WhileOptions options = {}, Loc l = Loc::current()) {
  tracing::Call<P, Carry> asks(predicate, init);
  tracing::Call<F, Carry> call(step, init);
  static_assert(std::is_same_v<typename decltype(call)::Result, Carry>,
                "viva: the step of while_loop returns what it takes");
  return call.result(tracing::while_loop({"while_loop", l}, asks.function(), call.function(), call.given, options));
}

template <class F, class Carry> Carry fori_loop(int64_t n, F f, const Carry& init, Loc l = Loc::current()) {
  const auto step = [&](const Carry& c, const Tensor& i) { return std::pair(f(i, c), std::tuple<>()); };
  return scan(step, init, tracing::counting(n, l), {}, l).first;
}

}  // namespace viva
