#include "loops/chain.h"

#include <algorithm>
#include <utility>

#include "loops/stage.h"

namespace viva::loops {
namespace {

constexpr size_t most_links = 16;

template <class T> struct Ends : Blocks<T> {
  using typename Blocks<T>::V;
  using typename Blocks<T>::Fn;
  static constexpr int64_t w = width<T>;

  static void start(const Link* l, int64_t at, V, V, V, V, V, V, V, V) {
    const T* x = static_cast<const T*>(l->x) + at;
    const auto v = [x](int64_t i) { return load_vector<V>(x + i * w); };
    return reinterpret_cast<Fn>(l[1].fn)(l + 1, at, v(0), v(1), v(2), v(3), v(4), v(5), v(6), v(7));
  }
  static void end(const Link* l, int64_t at, V a, V b, V c, V d, V e, V f, V g, V h) {
    T* x = static_cast<T*>(const_cast<void*>(l->x)) + at;
    const V all[] = {a, b, c, d, e, f, g, h};
    for (int64_t i = 0; i < 8; ++i) store_vector(x + i * w, all[i]);
  }

  // All whole blocks; returns the points done.
  static int64_t run(Link* links, size_t count, int64_t n) {
    links[0].fn = Blocks<T>::erased(start);
    links[count - 1].fn = Blocks<T>::erased(end);
    int64_t at = 0;
    const V zero{};
    for (; at + Blocks<T>::points <= n; at += Blocks<T>::points)
      start(links, at, zero, zero, zero, zero, zero, zero, zero, zero);
    return at;
  }
};

// other: the operand beside x; on its left where `left`.
void apply(TileFn fn, void* out, const void* x, const void* other, bool left, int64_t n) {
  const void* in[] = {left ? other : x, left ? x : other};
  fn(out, in, n);
}

}  // namespace

void Stage::run_chain(const Step& s, const std::byte* const* values, std::byte* out, int64_t n) {
  std::array<Link, most_links + 2> links;
  const auto at = [values](int value) { return value < 0 ? nullptr : values[value]; };
  links[0].x = at(s.args[0]);
  size_t count = 1;
  for (const ChainStep& c : s.chain)
    links[count++] = {c.links->fn[link_index(c.partner, c.left)], at(c.operand), at(c.scale)};
  links[count++].x = out;
  const int64_t done =
      s.element == 4 ? Ends<float>::run(links.data(), count, n) : Ends<double>::run(links.data(), count, n);
  if (done < n) end_chain(s, values, out, done, n);
}

// What is left over, less than a block, by the operations' tile functions.
void Stage::end_chain(const Step& s, const std::byte* const* values, std::byte* out, int64_t first, int64_t n) {
  constexpr size_t block = 256;
  alignas(64) std::array<std::byte, 3 * block> memory;
  const int64_t skip = first * s.element;
  const std::byte* before = values[s.args[0]] + skip;
  bool odd = false;
  for (const ChainStep& c : s.chain) {
    const std::byte* other = c.operand < 0 ? nullptr : values[c.operand] + (c.partner == Partner::one ? 0 : skip);
    if (c.partner == Partner::scaled) {
      std::byte* scaled = memory.data() + 2 * block;
      apply(c.scale_fn, scaled, other, values[c.scale], c.scale_left, n - first);
      other = scaled;
    }
    std::byte* to = memory.data() + (odd ? block : 0);
    apply(c.fn, to, before, other, c.left, n - first);
    before = to;
    odd = !odd;
  }
  std::memcpy(out + skip, before, static_cast<size_t>((n - first) * s.element));
}

// Each step that can be a link joins the chain that made one of its operands for it alone.
class Stage::Chains {
 public:
  Chains(std::vector<Step>& steps, size_t values, std::span<const int> kept)
      : steps_(steps), chains_(steps.size()), joined_(steps.size(), false), uses_(values, 0), maker_(values, none) {
    for (const Step& s : steps) each_value(s, [&](int v) { ++uses_[static_cast<size_t>(v)]; });
    for (int v : kept) uses_[static_cast<size_t>(v)] += 2;
  }

  void join() {
    for (size_t i = 0; i < steps_.size(); ++i)
      if (can_link(steps_[i])) add(i);
    for (size_t i = 0; i < steps_.size(); ++i) {
      if (chains_[i].links.size() < 2) continue;
      steps_[i].act = Act::chain;
      steps_[i].args = std::move(chains_[i].args);
      steps_[i].chain = std::move(chains_[i].links);
    }
    std::vector<Step> kept;
    for (size_t i = 0; i < steps_.size(); ++i)
      if (!joined_[i]) kept.push_back(std::move(steps_[i]));
    steps_ = std::move(kept);
  }

 private:
  static constexpr size_t none = ~size_t{0};
  struct Chain {
    std::vector<int> args;
    std::vector<ChainStep> links;
  };

  static bool can_link(const Step& s) {
    return s.act == Act::apply && !s.scalar && !s.cached && s.op->in.links && s.op->in.links->element == s.element;
  }

  // The step whose chain made the value for one reader alone.
  size_t sole_maker(int value) const {
    const auto v = static_cast<size_t>(value);
    return uses_[v] == 1 ? maker_[v] : none;
  }

  void add(size_t i) {
    const Step& s = steps_[i];
    size_t before = none, along = s.one_element == 0 ? 1 : 0;
    for (size_t k = 0; k < s.args.size(); ++k) {
      const size_t m = sole_maker(s.args[k]);
      if (m == none || chains_[m].links.size() == most_links || steps_[m].element != s.element) continue;
      if (before == none || chains_[m].links.size() > chains_[before].links.size()) before = m, along = k;
    }
    Chain c = before == none ? Chain{{s.args[along]}, {}} : take(before);
    link(s, along, c);
    chains_[i] = std::move(c);
    maker_[static_cast<size_t>(s.out)] = i;
  }

  Chain take(size_t step) {
    joined_[step] = true;
    return std::exchange(chains_[step], {});
  }

  void link(const Step& s, size_t along, Chain& chain) {
    ChainStep l{.links = s.op->in.links, .fn = s.fn};
    if (s.args.size() == 2) {
      const size_t other = 1 - along;
      l.left = other == 0;
      l.operand = s.args[other];
      l.partner = s.one_element == static_cast<int>(other) ? Partner::one : Partner::tile;
      if (l.partner == Partner::tile) scale(l, s.element);
      chain.args.push_back(l.operand);
      if (l.scale >= 0) chain.args.push_back(l.scale);
    }
    chain.links.push_back(l);
  }

  // An operand that is a tile times one element, for this link alone, is not made.
  void scale(ChainStep& l, int64_t element) {
    const size_t m = sole_maker(l.operand);
    if (m == none || steps_[m].element != element || chains_[m].links.size() != 1) return;
    const ChainStep product = chains_[m].links[0];
    if (!product.links->scales || product.partner != Partner::one) return;
    l.partner = Partner::scaled;
    l.scale = product.operand, l.scale_fn = product.fn, l.scale_left = product.left;
    l.operand = take(m).args[0];
  }

  std::vector<Step>& steps_;
  std::vector<Chain> chains_;  // of each step that is one's last
  std::vector<bool> joined_;   // steps that a later one's chain has taken
  std::vector<int> uses_;
  std::vector<size_t> maker_;
};

void Stage::join_chains(size_t values, std::span<const int> kept) { Chains(steps_, values, kept).join(); }

}  // namespace viva::loops
