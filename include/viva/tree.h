// Trees of tensors: aggregates, tuples, pairs, arrays, vectors, optionals and maps whose leaves are Tensor or Buffer.
// All other fields (numbers, enums, strings, function pointers) are static: part of the program, not of its data.
//
// A class that is no plain aggregate says what it holds:
//   static constexpr auto fields() { return std::tuple{tree::field("weight", &Layer::weight), …}; }
#pragma once

#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "viva/fields.h"
#include "viva/tensor.h"

namespace viva {

// A leaf that is not trained, such as a running statistic: a gradient holds an empty one, as it does for integers, so
// no learning rule moves it. It belongs to the program's data in every other way.
struct Buffer {
  Tensor value;
};

}  // namespace viva

namespace viva::tree {

using Static = std::variant<int64_t, uint64_t, double, std::string_view, const void*>;

// Sees a tree from its first leaf to its last, with the names on the way.
class Walker {
 public:
  virtual void leaf(Tensor& t) = 0;
  virtual void buffer(Tensor& t) { leaf(t); }
  virtual void fixed(const Static& value) { (void)value; }
  virtual void enter(std::string_view field) { (void)field; }
  virtual void enter(size_t index) { (void)index; }
  virtual void leave() {}

 protected:
  ~Walker() = default;
};

template <class C, class M> struct Field {
  std::string_view name;
  M C::* member;
};
template <class C, class M> constexpr Field<C, M> field(std::string_view name, M C::* member) { return {name, member}; }

template <class T, template <class...> class C> inline constexpr bool is = false;
template <template <class...> class C, class... A> inline constexpr bool is<C<A...>, C> = true;
template <class T> inline constexpr bool is_array = false;
template <class T, size_t N> inline constexpr bool is_array<std::array<T, N>> = true;
template <class T> inline constexpr bool is_number = std::is_arithmetic_v<T> || std::is_enum_v<T>;
template <class T>
inline constexpr bool is_function = std::is_pointer_v<T> && std::is_function_v<std::remove_pointer_t<T>>;
template <class T>
concept HasFields = requires { T::fields(); };

template <class T> Static static_value(const T& v) {
  if constexpr (std::is_enum_v<T>) return static_value(static_cast<std::underlying_type_t<T>>(v));
  else if constexpr (std::is_floating_point_v<T>) return static_cast<double>(v);
  else if constexpr (std::is_unsigned_v<T>) return static_cast<uint64_t>(v);
  else if constexpr (std::is_arithmetic_v<T>) return static_cast<int64_t>(v);
  else if constexpr (is_function<T>) return reinterpret_cast<const void*>(v);
  else return std::string_view(v);
}

template <class T> void walk(T& t, Walker& w);

template <class T> void walk_aggregate(T& t, Walker& w) {
  static_assert(
      std::is_aggregate_v<T>,
      "viva: this type is no tree: use a plain aggregate of tensors, or give it static constexpr auto fields()");
  static_assert(!fields::has_base<T>,
                "viva: a tree with a base class would lose the base's fields: make it a member, or give static "
                "constexpr auto fields()");
  static_assert(std::is_copy_assignable_v<T>,
                "viva: a tree with a reference or const member cannot be rebuilt: hold values, or give static "
                "constexpr auto fields()");
  static_assert(fields::count<T>() <= fields::most,
                "viva: a tree of more than 32 fields: group them, or give static constexpr auto fields()");
  if constexpr (std::is_copy_assignable_v<T> && std::is_aggregate_v<T> && fields::count<T>() <= fields::most) {
    static_assert(
        !fields::has_array<T>(),
        "viva: a tree with a C array would be miscounted: use std::array, or give static constexpr auto fields()");
    if constexpr (!fields::has_array<T>() && !fields::has_base<T>)
      fields::bind<fields::count<T>()>(t, [&w](auto&... f) {
        size_t i = 0;
        ((w.enter(fields::names<T>[i++]), walk(f, w), w.leave()), ...);
      });
  }
}

template <class T> void walk_range(T& range, Walker& w) {
  w.fixed(static_cast<uint64_t>(range.size()));
  for (size_t i = 0; i < range.size(); ++i) {
    w.enter(i);
    if constexpr (std::is_same_v<T, std::vector<bool>>) w.fixed(static_cast<int64_t>(range[i]));
    else walk(range[i], w);
    w.leave();
  }
}

template <class T> void walk(T& tree, Walker& w) {
  using U = std::remove_cv_t<T>;
  auto& t = const_cast<U&>(tree);
  if constexpr (std::is_same_v<U, Tensor>) w.leaf(t);
  else if constexpr (std::is_same_v<U, Buffer>) w.buffer(t.value);
  else if constexpr (is_number<U> || is_function<U> || std::is_same_v<U, std::string> ||
                     std::is_same_v<U, std::string_view>)
    w.fixed(static_value(t));
  else if constexpr (HasFields<U>) {
    std::apply([&](const auto&... f) { ((w.enter(f.name), walk(t.*f.member, w), w.leave()), ...); }, U::fields());
  } else if constexpr (is<U, std::optional>) {
    w.fixed(static_cast<uint64_t>(t.has_value()));
    if (t) walk(*t, w);
  } else if constexpr (is<U, std::vector> || is_array<U>) walk_range(t, w);
  else if constexpr (is<U, std::map>) {
    w.fixed(static_cast<uint64_t>(t.size()));
    for (auto& [key, value] : t) {
      w.fixed(static_value(key));
      if constexpr (std::is_convertible_v<decltype(key), std::string_view>) w.enter(std::string_view(key));
      else w.enter(static_cast<size_t>(key));
      walk(value, w);
      w.leave();
    }
  } else if constexpr (is<U, std::pair> || is<U, std::tuple>) {
    std::apply(
        [&](auto&... f) {
          size_t i = 0;
          ((w.enter(i++), walk(f, w), w.leave()), ...);
        },
        t);
  } else if constexpr (std::is_empty_v<U>) return;
  else {
    static_assert(!std::is_reference_v<T> && !std::is_pointer_v<U> && !std::is_array_v<U>,
                  "viva: a pointer or a C array is no tree: hold values, std::array or std::vector");
    if constexpr (!std::is_pointer_v<U> && !std::is_array_v<U>) walk_aggregate(t, w);
  }
}

// Pointers to the leaves, in the order of the fields.
class Leaves final : public Walker {
 public:
  template <class... T> explicit Leaves(T&... trees) { (walk(trees, *this), ...); }
  void leaf(Tensor& t) override { all.push_back(&t); }
  void buffer(Tensor& t) override { buffers.push_back(all.size()), all.push_back(&t); }
  std::vector<Tensor> copy() const;
  // The leaves in place of those pointed to. Throws a usage error where the counts differ.
  void assign(const std::vector<Tensor>& leaves) const;
  std::vector<Tensor*> all;
  std::vector<size_t> buffers;  // places in all
};

// "hidden.weight", "layers.0.bias"; "" for a tree that is one leaf.
class Paths final : public Walker {
 public:
  template <class T> explicit Paths(T& tree) { walk(tree, *this); }
  void leaf(Tensor&) override;
  void enter(std::string_view field) override;
  void enter(size_t index) override;
  void leave() override;
  std::vector<std::string> all;

 private:
  std::string path_;
  std::vector<size_t> lengths_;
};

template <class T> std::vector<Tensor> flatten(const T& tree) { return Leaves(tree).copy(); }
template <class T> std::vector<std::string> paths(const T& tree) { return Paths(tree).all; }
// A copy of `like` with other leaves. Throws a usage error where their number differs.
template <class T> T unflatten(T like, const std::vector<Tensor>& leaves) {
  Leaves(like).assign(leaves);
  return like;
}

void check_same_leaves(size_t first, size_t other);  // throws a usage error

// f(leaf, leaves of the other trees at that place…) at each leaf. Where any of them is empty (the gradient of an
// integer is), the first tree's leaf stays. Throws a usage error where the trees have different numbers of leaves.
template <class F, class T, class... Others> T map(F&& f, T first, const Others&... others) {
  const Leaves a(first);
  [&]<size_t... I>(std::index_sequence<I...>) {
    const std::array<Leaves, sizeof...(Others)> b{Leaves(others)...};
    (check_same_leaves(a.all.size(), b[I].all.size()), ...);
    for (size_t i = 0; i < a.all.size(); ++i)
      if (!a.all[i]->empty() && (!b[I].all[i]->empty() && ...)) *a.all[i] = f(*a.all[i], *b[I].all[i]...);
  }(std::index_sequence_for<Others...>());
  return first;
}

// f(path, leaf) at each leaf that is not empty.
template <class T, class F> void for_each(const T& tree, F&& f) {
  const std::vector<std::string> names = paths(tree);
  const Leaves leaves(tree);
  for (size_t i = 0; i < names.size(); ++i)
    if (!leaves.all[i]->empty()) f(names[i], static_cast<const Tensor&>(*leaves.all[i]));
}

}  // namespace viva::tree
