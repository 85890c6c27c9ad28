// compile: a function runs as a plan of kernels, made once for each combination of shapes, dtypes and static fields.
#pragma once

#include <mutex>

#include "viva/transform.h"

namespace viva {

class Function;
using Body = std::shared_ptr<const Function>;

struct CompileOptions {
  // How often the function may be traced again for other shapes or static fields before a call fails, naming what
  // changed.
  int recompilations = 7;
  // Stop at the first NaN that appears from operands without any, or that is a constant, chosen where the data have
  // none, and reaches a result; the error names the operation and the user's line. Slower.
  bool check_nan = false;
  // The same, and at the first infinity that appears from finite operands.
  bool check_infinity = false;
};

namespace tracing {

// The leaves of the arguments of one call, and the key of everything else: types, static fields, sizes.
class Arguments final : public tree::Walker {
 public:
  explicit Arguments(const void* type_tag);
  // moved: the elements may be given away.
  template <class T> void add(T& argument, bool moved) {
    moved_ = moved;
    tree::walk(argument, *this);
  }
  void leaf(Tensor& t) override;
  void fixed(const tree::Static& value) override;

  std::string key;
  std::vector<std::pair<Tensor*, bool>> leaves;

 private:
  bool moved_ = false;
};

// The key in words: one line for each leaf and static field, under its path.
class Description final : public tree::Walker {
 public:
  template <class T> void add(T& argument) {
    enter(next_++);
    tree::walk(argument, *this);
    leave();
  }
  void leaf(Tensor& t) override;
  void fixed(const tree::Static& value) override;
  void enter(std::string_view field) override;
  void enter(size_t index) override;
  void leave() override;

  std::vector<std::pair<std::string, std::string>> all;
  std::vector<std::string> leaf_paths;

 private:
  size_t next_ = 0;
  std::string path_;
  std::vector<size_t> lengths_;
};

struct Compiled;  // one trace and its plan

// The traces of one function.
class Cache {
 public:
  Cache(Site site, CompileOptions options);
  ~Cache();
  std::shared_ptr<const Compiled> find(const Arguments& a) const;  // null where there is none
  // Traces f; call it outside any lock. The prototype is a result without leaves.
  std::shared_ptr<const Compiled> trace(const Arguments& a, Description d, const Fn& f,
                                        const std::function<std::shared_ptr<const void>()>& prototype);
  // Throws a usage error where tracing again gives another graph.
  void check(const Compiled& c, const Arguments& a, Description d, const Fn& f) const;
  Tensors run(const Compiled& c, const Arguments& a) const;
  bool checks() const { return checks_; }
  const void* prototype(const Compiled& c) const;

 private:
  struct State;
  Site site_;
  CompileOptions options_;
  bool checks_;
  std::unique_ptr<State> state_;
};

template <class...> inline constexpr char type_tag = 0;

template <class F> class CompiledFunction {
 public:
  CompiledFunction(F f, Site site, CompileOptions options)
      : f_(std::move(f)), cache_(std::make_shared<Cache>(site, options)) {}

  template <class... A> auto operator()(A&&... args) const {
    using C = Call<F, std::remove_cvref_t<A>...>;
    using R = typename C::Result;
    Arguments a(&type_tag<R, std::remove_cvref_t<A>...>);
    (a.add(args, !std::is_lvalue_reference_v<A> && !std::is_const_v<std::remove_reference_t<A>>), ...);
    std::shared_ptr<const Compiled> hit = cache_->find(a);
    if (!hit || cache_->checks()) {
      C call(f_, args...);
      const Fn fn = call.function();
      Description d;
      (d.add(args), ...);
      if (hit) cache_->check(*hit, a, std::move(d), fn);
      else
        hit = cache_->trace(a, std::move(d), fn,
                            [&]() -> std::shared_ptr<const void> { return std::make_shared<R>(call.empty()); });
    }
    Tensors out = cache_->run(*hit, a);
    if constexpr (std::is_same_v<R, Tensor>) return std::move(out.front());
    else {
      R result = *static_cast<const R*>(cache_->prototype(*hit));
      tree::Leaves(result).assign(out);
      return result;
    }
  }

 private:
  F f_;
  std::shared_ptr<Cache> cache_;
};

Body trace_body(Site site, const Fn& f, const Tensors& args, Description d);

}  // namespace tracing

// f as a compiled program, cached by the shapes and dtypes of its arguments and by their static fields. Arrays that f
// captures are frozen when it is first traced (with VIVA_CHECK_TRACES=1 in the environment each call traces again and
// compares). Memory of arguments passed with std::move may become that of results. Inside another transformation the
// call becomes part of that graph. Copies share the cache; calls may come from many threads at once.
template <class F>
  requires(!std::is_same_v<F, Body>)
auto compile(F f, CompileOptions options = {}, Loc l = Loc::current()) {
  return tracing::CompiledFunction<F>(std::move(f), {"compile", l}, options);
}

// The graph of f for arguments like these: a parameter for each leaf, named by its path ("0.hidden.weight").
template <class F, class... A>
  requires(!std::is_same_v<F, Tensor>)
Body trace(const F& f, const A&... args) {
  tracing::Call<F, A...> call(f, args...);
  tracing::Description d;
  (d.add(args), ...);
  return tracing::trace_body({"trace", {}}, call.function(), call.given, std::move(d));
}

}  // namespace viva
