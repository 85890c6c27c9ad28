// Chains: operations whose results are wanted by the next one alone, run in registers over blocks of a tile. Each link
// is a function that takes a block in eight vectors and ends by calling the next link.
#pragma once

#include <array>

#include "loops/simd.h"

namespace viva::loops {

struct Link {
  using Fn = void (*)();  // a Blocks<T>::Fn
  Fn fn = nullptr;
  const void* x = nullptr;  // the other operand; of the last link, the result
  const void* scale = nullptr;
};

// How the other operand of a link comes.
enum class Partner : uint8_t { none, tile, one, scaled };  // one: one element for all; scaled: a tile times one element
constexpr size_t link_index(Partner p, bool left) { return 2 * static_cast<size_t>(p) + left; }

// An operation's links for one dtype, by link_index; null where it has none.
struct Links {
  std::array<Link::Fn, 8> fn = {};
  int64_t element = 4;
  bool scales = false;  // a product: with one element, it may be the scale of another link's operand
};

template <class T> struct Blocks {
  using V = Vector<T>;
  using Fn = void (*)(const Link*, int64_t at, V, V, V, V, V, V, V, V);
  static constexpr int64_t points = 8 * width<T>;

  static Link::Fn erased(Fn f) { return reinterpret_cast<Link::Fn>(f); }

  // Op::value(x), Op::value(x, other) or, left, Op::value(other, x).
  template <class Op, Partner partner, bool left>
  static void link(const Link* l, int64_t at, V a, V b, V c, V d, V e, V f, V g, V h) {
    const T* x = static_cast<const T*>(l->x);
    const auto other = [&](int64_t i) -> V {
      if constexpr (partner == Partner::one) return broadcast(*x);
      const V tile = load_vector<V>(x + at + i * width<T>);
      if constexpr (partner == Partner::scaled) return tile * broadcast(*static_cast<const T*>(l->scale));
      else return tile;
    };
    const auto result = [&](V v, int64_t i) -> V {
      if constexpr (partner == Partner::none) return Op::template value<V>(v);
      else if constexpr (left) return Op::template value<V>(other(i), v);
      else return Op::template value<V>(v, other(i));
    };
    return reinterpret_cast<Fn>(l[1].fn)(l + 1, at, result(a, 0), result(b, 1), result(c, 2), result(d, 3),
                                         result(e, 4), result(f, 5), result(g, 6), result(h, 7));
  }

  template <class Op, int arity> static Links links() {
    Links all{.element = sizeof(T)};
    if constexpr (arity == 1) {
      all.fn[link_index(Partner::none, false)] = erased(link<Op, Partner::none, false>);
    } else {
      set<Op, Partner::tile>(all), set<Op, Partner::one>(all), set<Op, Partner::scaled>(all);
      all.scales = requires { Op::scales; };
    }
    return all;
  }

 private:
  template <class Op, Partner partner> static void set(Links& all) {
    all.fn[link_index(partner, false)] = erased(link<Op, partner, false>);
    all.fn[link_index(partner, true)] = erased(link<Op, partner, true>);
  }
};

}  // namespace viva::loops
