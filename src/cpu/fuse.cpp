// Lowering and fusing: elementwise producers go into their consumers, elementwise consumers onto reductions.
#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "cpu/plan.h"
#include "graph/constant.h"
#include "loops/compose.h"

namespace viva::cpu {
namespace {

constexpr size_t largest_body = 64;  // instructions; beyond it a kernel spills more than it saves

bool has_kind(const loops::Nest& n, loops::Kind kind) {
  return std::ranges::any_of(n.body, [kind](const loops::Instruction& i) { return i.kind == kind; });
}
// Each result at its own point; of several, all at once.
bool pointwise(const loops::Nest& n) {
  return !has_kind(n, loops::Kind::reduce) && !has_kind(n, loops::Kind::scan) &&
         std::ranges::all_of(n.stores, [](const loops::Store& s) { return !s.scatter && s.strides.empty(); });
}
bool elementwise(const loops::Nest& n) { return pointwise(n) && n.stores.size() == 1; }
// Only loads: no arithmetic is done twice where it is read twice.
bool moves_only(const loops::Nest& n) { return elementwise(n) && !has_kind(n, loops::Kind::apply); }
bool single_load(const loops::Nest& n) { return elementwise(n) && n.body.size() == 1; }
bool is_dot(const loops::Nest& n) {
  return std::ranges::any_of(n.body, [](const loops::Instruction& i) {
    return i.kind == loops::Kind::reduce && i.reduction == loops::Reduction::dot;
  });
}
int64_t points(const loops::Nest& n) { return numel(n.extents); }

class Fusion {
 public:
  Fusion(const Function& f, bool fuse, double library_flops) : fuse_(fuse), library_flops_(library_flops) {
    for (const Node& n : f.nodes())
      for (const Value& v : n.in) ++uses_[v];
    for (const Value& v : f.outputs()) ++uses_[v], kept_.push_back(v);
    Missing missing;
    for (const Node& n : f.nodes()) add(n, missing);
    if (!missing.lines.empty()) throw unsupported("[compile] no kernel for {}", fmt::join(missing.lines, ", "));
  }

  std::vector<Unit> take() {
    sweep();
    for (size_t i = 0; fuse_ && i < units_.size(); ++i)
      while (join_producer(i)) {}
    std::vector<Unit> live;
    for (Unit& u : units_)
      if (u.alive) live.push_back(std::move(u));
    return live;
  }

 private:
  struct Missing {
    std::vector<std::string> lines;
  };

  void add(const Node& n, Missing& missing) {
    if (!n.op) return;
    if (const Array* value = constant_of(n)) return offer_constant(n, *value);
    if (runs_functions(n)) {
      for (const Value& v : n.outs()) producer_[v] = units_.size();
      units_.push_back({loops::Host{}, n.in, n.outs(), &n});
      return;
    }
    if (!n.op->lower) {
      missing.lines.push_back(fmt::format("{} ({})", n.op->name, n.op->lower.absent().why));
      return;
    }
    Unit u{loops::Host{}, n.in, n.outs(), &n};
    if (fuse_) u.library = library_kernel(n, library_flops_);
    if (fuse_ && n.in.size() == 2 && uses_.at(n.in[1]) == 1)
      if (auto max = window_max_kernel(n)) {
        u.library = std::move(max), u.operands = {n.in[0]};
        --uses_[n.in[1]];
      }
    if (!u.library || u.library->zeros_meet_operand_1) u.form = (*n.op->lower)(n).form;
    if (fuse_ && !u.library && u.nest()) {
      merge_operands(u);
      u.product = is_product(*u.nest());
      absorb_producers(u);
      if (continue_reduction(u)) return;
    }
    for (const Value& v : u.results) producer_[v] = units_.size();
    units_.push_back(std::move(u));
  }

  // A single number goes into the nests that read it; it is a buffer as well, so its unit is never run.
  void offer_constant(const Node& n, const Array& value) {
    if (!fuse_ || value.size() != 1) return;
    loops::Nest nest = loops::elementwise(value.shape(), {});
    loops::Scalar number;
    std::memcpy(number.bytes.data(), value.data(), static_cast<size_t>(value.bytes()));
    nest.store(nest.constant(value.dtype(), number));
    producer_[n.out()] = units_.size();
    units_.push_back({std::move(nest), {}, n.outs(), &n, false});
  }

  // Whether the library multiplies it: such nests stay free of all else.
  bool is_product(const loops::Nest& n) const { return is_dot(n) && library_product(n, library_flops_).has_value(); }

  Unit* producer(Value v) {
    const auto it = producer_.find(v);
    return it == producer_.end() ? nullptr : &units_[it->second];
  }

  // Whether reading the producer through this consumer costs no more than a buffer between them.
  bool pays(const loops::Nest& p, const loops::Nest& consumer, Value v) const {
    if (p.body.size() + consumer.body.size() > largest_body) return false;
    if (is_dot(consumer)) return single_load(p);
    if (moves_only(p)) return true;
    return uses_.at(v) == 1 && points(consumer) <= points(p);
  }

  void absorb_producers(Unit& u) {
    for (size_t slot = 0; slot < u.operands.size();) {
      const Value v = u.operands[slot];
      const Unit* p = producer(v);
      const bool candidate = p && p->nest() && elementwise(*p->nest()) && pays(*p->nest(), *u.nest(), v);
      auto fused = candidate ? loops::compose(*p->nest(), *u.nest(), static_cast<int>(slot)) : std::nullopt;
      if (!fused || (is_dot(*u.nest()) && fused->body.size() != u.nest()->body.size()) ||
          (u.product && !is_product(*fused))) {
        ++slot;
        continue;
      }
      u.operands.erase(u.operands.begin() + static_cast<int64_t>(slot));
      u.operands.insert(u.operands.end(), p->operands.begin(), p->operands.end());
      // The consumer reads the producer's operands now, and the producer too as long as another consumer needs it.
      if (--uses_[v] > 0)
        for (const Value& o : p->operands) ++uses_[o];
      u.form = std::move(*fused);
      merge_operands(u);
    }
  }

  // Appends an elementwise unit to the reduction, or the kernel of a library, that makes one of its operands for it
  // alone.
  bool continue_reduction(Unit& u) {
    if (!elementwise(*u.nest())) return false;
    for (size_t slot = 0; slot < u.operands.size(); ++slot) {
      const Value v = u.operands[slot];
      Unit* p = producer(v);
      if (!p || uses_.at(v) != 1 || p->results.size() != 1) continue;
      if (!p->library && (!p->nest() || elementwise(*p->nest()))) continue;
      auto joined = p->library ? followed(*p, u, static_cast<int>(slot)) : appended(*p, u, static_cast<int>(slot));
      if (!joined) continue;
      p->alive = false;
      for (const Value& r : joined->results) producer_[r] = units_.size();
      units_.push_back(std::move(*joined));
      return true;
    }
    return false;
  }

  // One pass for a unit and the one that makes an operand of it which others read too: moments and weights.
  bool join_producer(size_t unit) {
    Unit& u = units_[unit];
    if (!u.alive || u.library || !u.nest() || !pointwise(*u.nest())) return false;
    for (size_t slot = 0; slot < u.operands.size(); ++slot) {
      const Value v = u.operands[slot];
      Unit* p = producer(v);
      if (!p || !p->alive || p->library || !p->nest() || !pointwise(*p->nest()) || moves_only(*p->nest()) ||
          p->nest()->body.size() + u.nest()->body.size() > largest_body || readers(*p, u) != 1 ||
          is_read_between(*p, unit))
        continue;
      const auto output = static_cast<int>(std::ranges::find(p->results, v) - p->results.begin());
      auto joined = loops::append(*p->nest(), *u.nest(), static_cast<int>(slot), output, true);
      if (!joined || joined->extents != u.nest()->extents) continue;
      u.operands = operands_of_both(*p, u, static_cast<int>(slot));
      u.results.insert(u.results.begin(), p->results.begin(), p->results.end());
      for (const Value& r : p->results) producer_[r] = unit;
      u.form = std::move(*joined);
      p->alive = false;
      merge_operands(u);
      return true;
    }
    return false;
  }

  // How many operands of u are results of p.
  static int64_t readers(const Unit& p, const Unit& u) {
    return std::ranges::count_if(u.operands,
                                 [&](Value v) { return std::ranges::find(p.results, v) != p.results.end(); });
  }

  // Whether a unit between p and this one reads a result of p, or may: then p cannot move.
  bool is_read_between(const Unit& p, size_t unit) const {
    constexpr size_t most = 64;
    const auto first = static_cast<size_t>(&p - units_.data());
    if (unit - first > most) return true;
    for (size_t i = first + 1; i < unit; ++i)
      if (units_[i].alive && readers(p, units_[i]) > 0) return true;
    return false;
  }

  static Values operands_of_both(const Unit& p, const Unit& u, int slot) {
    Values all = p.operands;
    for (size_t i = 0; i < u.operands.size(); ++i)
      if (static_cast<int>(i) != slot) all.push_back(u.operands[i]);
    return all;
  }

  std::optional<Unit> followed(const Unit& p, const Unit& u, int slot) const {
    auto library = p.library->followed_by(*u.nest(), slot);
    if (!library) return std::nullopt;
    Unit joined{p.form, operands_of_both(p, u, slot), u.results, u.node, true, std::move(library), p.endings};
    joined.endings.push_back({*u.nest(), slot});
    return joined;
  }

  std::optional<Unit> appended(const Unit& p, const Unit& u, int slot) {
    if (has_kind(*p.nest(), loops::Kind::scan) || p.nest()->stores[0].scatter ||
        p.nest()->body.size() + u.nest()->body.size() > largest_body)
      return std::nullopt;
    auto fused = loops::append(*p.nest(), *u.nest(), slot);
    if (!fused) return std::nullopt;
    // A result that is stored in another order is computed in that order.
    if (auto dense = loops::with_result_order(*fused, iota_ints(fused->parallel))) fused = std::move(dense);
    if (p.product && !is_product(*fused)) return std::nullopt;
    Unit joined{std::move(*fused), operands_of_both(p, u, slot), u.results, u.node, true, nullptr, {}, p.product};
    merge_operands(joined);
    return joined;
  }

  // One slot for a value that came in twice.
  void merge_operands(Unit& u) {
    Values unique;
    std::vector<int> slots;
    std::vector<Type> types;
    for (size_t i = 0; i < u.operands.size(); ++i) {
      const Type& seen = u.nest()->operands[i];  // a reshape reads the value under a flat type
      size_t k = 0;
      while (k < unique.size() && !(unique[k] == u.operands[i] && types[k] == seen)) ++k;
      if (k == unique.size()) unique.push_back(u.operands[i]), types.push_back(seen);
      else --uses_[u.operands[i]];
      slots.push_back(static_cast<int>(k));
    }
    if (unique.size() == u.operands.size()) return;
    u.form = loops::rename_operands(*u.nest(), slots, types);
    u.operands = std::move(unique);
  }

  // Units whose results nobody reads any more go.
  void sweep() {
    std::unordered_map<Value, bool, ValueHash> wanted;
    for (const Value& v : kept_) wanted[v] = true;
    for (auto u = units_.rbegin(); u != units_.rend(); ++u) {
      u->alive = u->alive && std::ranges::any_of(u->results, [&](Value v) { return wanted.contains(v); });
      if (u->alive)
        for (const Value& v : u->operands) wanted[v] = true;
    }
  }

  bool fuse_;
  double library_flops_;
  std::vector<Unit> units_;
  std::unordered_map<Value, size_t, ValueHash> producer_;
  // How many slots of units, operands of nodes to come and outputs read the value.
  std::unordered_map<Value, int, ValueHash> uses_;
  Values kept_;
};

}  // namespace

std::vector<Unit> make_units(const Function& f, bool fuse, double library_flops) {
  return Fusion(f, fuse, library_flops).take();
}

}  // namespace viva::cpu
