// Layout: in which order the dimensions of each value lie in memory.
#include <algorithm>
#include <atomic>
#include <unordered_map>
#include <unordered_set>

#include "cpu/plan.h"
#include "graph/constant.h"
#include "loops/compose.h"
#include "loops/finite.h"

namespace viva::cpu {
namespace {

bool row_major_order(const Order& o) { return std::ranges::is_sorted(o); }

// The nests of a unit that a library runs, for the rare call that it must not run: one after the other, row-major
// between them.
class Otherwise {
 public:
  Otherwise(const Unit& u, const std::vector<Order>& orders, const Order& result) {
    add(*u.nest(), -1, orders);
    for (const Unit::Ending& e : u.endings) add(e.nest, e.slot, orders);
    add(loops::reordering(u.results[0].type(), iota_ints(u.results[0].rank()), result), 0, orders);
  }

  int64_t size_of_operand_1() const { return numel(stages_[0].nest.nest().operands[1].shape); }

  void run(std::span<const void* const> in, void* out, ThreadPool& pool) const {
    Array now;
    loops::Scratch scratch;
    for (const Stage& s : stages_) {
      const bool last = &s == &stages_.back();
      Array made = last ? Array() : Array::make({Dtype::uint8, {s.bytes}});
      std::vector<const void*> operands;
      size_t next = s.first;
      for (int slot = 0; slot < static_cast<int>(s.nest.nest().operands.size()); ++slot)
        operands.push_back(slot == s.so_far ? now.data() : in[next++]);
      void* const to[] = {last ? out : made.mutable_data()};
      loops::run(s.nest, operands, to, pool, scratch);
      now = std::move(made);
    }
  }

 private:
  struct Stage {
    loops::Prepared nest;
    int so_far;    // the operand that the stage before made; -1: none
    size_t first;  // of the unit's operands: its others
    int64_t bytes;
  };

  void add(loops::Nest nest, int so_far, const std::vector<Order>& orders) {
    const size_t first = taken_;
    for (int slot = 0; slot < static_cast<int>(nest.operands.size()); ++slot)
      if (slot != so_far) nest = loops::with_operand_order(std::move(nest), slot, orders[taken_++]);
    const int64_t results = numel(Shape(nest.extents.begin(), nest.extents.begin() + nest.parallel));
    const int64_t bytes = results * size_of(nest.dtype(nest.stores[0].reg));
    stages_.push_back({loops::Prepared(std::move(nest)), so_far, first, bytes});
  }

  std::vector<Stage> stages_;
  size_t taken_ = 0;
};

bool all_finite(const float* x, int64_t n, ThreadPool& pool) {
  constexpr int64_t piece = 1 << 15;
  std::atomic<bool> finite{true};
  pool.run((n + piece - 1) / piece, [&](int64_t p) {
    const auto count = static_cast<size_t>(std::min(piece, n - p * piece));
    if (!loops::all_finite({x + p * piece, count})) finite.store(false, std::memory_order_relaxed);
  });
  return finite.load(std::memory_order_relaxed);
}

class Layout {
 public:
  Layout(std::vector<Unit>& units, const Function& f) : units_(units) {
    for (const Value& v : f.outputs()) row_major_.insert(v);
    for (const Unit& u : units) require_row_major(u), wish(u);
  }

  void run() {
    for (Unit& u : units_)
      if (u.library) library(u, *u.library);
      else nest(u);
  }

 private:
  // A nest may read a value by its flat position, as a reshape does, or start a scatter from it.
  void require_row_major(const Unit& u) {
    if (u.library) return;
    for (size_t slot = 0; slot < u.operands.size(); ++slot)
      if (!u.nest() || u.nest()->operands[slot] != u.operands[slot].type()) row_major_.insert(u.operands[slot]);
    if (!u.nest()) return;
    for (const loops::Store& s : u.nest()->stores)
      if (s.scatter) row_major_.insert(u.operands[static_cast<size_t>(s.scatter->initial)]);
  }

  void wish(const Unit& u) {
    if (!u.library) return;
    for (size_t slot = 0; slot < u.operands.size(); ++slot)
      if (const Order& o = u.library->operand_orders[slot]; !row_major_order(o)) wished_.emplace(u.operands[slot], o);
  }

  Order order_of(Value v) const {
    const auto known = order_.find(v);
    return known == order_.end() ? iota_ints(v.rank()) : known->second;
  }

  void library(Unit& u, const LibraryKernel& kernel) {
    std::vector<Order> orders;
    std::vector<const Array*> constants;
    for (const Value& v : u.operands) {
      orders.push_back(order_of(v));
      constants.push_back(constant_of(*v.node()));
    }
    const Value result = u.results[0];
    Order order = row_major_.contains(result) ? iota_ints(result.rank()) : kernel.result_order(orders);
    order_[result] = order;
    loops::Host made = kernel.make(orders, order, constants);
    if (kernel.zeros_meet_operand_1 && !(constants[1] && loops::all_finite(constants[1]->as<float>())))
      made = guarded(std::move(made), Otherwise(u, orders, order));
    u.form = std::move(made);
  }

  // The kernel, or the nests where operand 1 is not finite.
  static loops::Host guarded(loops::Host kernel, Otherwise otherwise) {
    loops::Host both{kernel.name, nullptr};
    both.fn = [kernel = std::move(kernel.fn), otherwise = std::move(otherwise)](auto in, auto out, ThreadPool& pool) {
      if (all_finite(static_cast<const float*>(in[1]), otherwise.size_of_operand_1(), pool)) kernel(in, out, pool);
      else otherwise.run(in, out[0], pool);
    };
    return both;
  }

  void nest(Unit& u) {
    if (!u.nest()) return;
    const std::optional<Order> order = result_order(u);
    for (size_t slot = 0; slot < u.operands.size(); ++slot)
      if (const Order o = order_of(u.operands[slot]); !row_major_order(o))
        u.form = loops::with_operand_order(*u.nest(), static_cast<int>(slot), o);
    if (!order || row_major_order(*order)) return;
    auto ordered = loops::with_result_order(*u.nest(), *order);
    if (!ordered) return;
    u.form = std::move(*ordered);
    for (const Value& v : u.results) order_[v] = *order;
  }

  // That of the largest operand that is not row-major, carried along the loops; else what a reader wishes.
  std::optional<Order> result_order(const Unit& u) const {
    const loops::Nest& n = *u.nest();
    for (const Value& v : u.results)
      if (row_major_.contains(v) || v.shape() != u.results[0].shape() ||
          v.shape() != Shape(n.extents.begin(), n.extents.begin() + n.parallel))
        return std::nullopt;
    std::optional<Order> best;
    int64_t largest = 0;
    for (const loops::Instruction& i : n.body) {
      if (i.kind != loops::Kind::load) continue;
      const Value v = u.operands[static_cast<size_t>(i.slot)];
      const Order o = order_of(v);
      if (row_major_order(o) || numel(v.shape()) <= largest) continue;
      largest = numel(v.shape());
      best = carried(n, i, o);
    }
    if (best) return best;
    for (const Value& v : u.results)
      if (const auto wish = wished_.find(v); wish != wished_.end()) return wish->second;
    return std::nullopt;
  }

  // The result's dimensions in the order in which the load walks the operand; those it does not depend on outermost.
  static Order carried(const loops::Nest& n, const loops::Instruction& load, const Order& operand) {
    std::vector<int64_t> place(static_cast<size_t>(n.parallel), -1);
    for (size_t i = 0; i < operand.size(); ++i) {
      const Ints& c = load.at[static_cast<size_t>(operand[i])].coefficients;
      for (size_t l = 0; l < c.size() && l < place.size(); ++l)
        if (c[l] != 0) place[l] = static_cast<int64_t>(i);
    }
    Order order = iota_ints(n.parallel);
    std::ranges::stable_sort(order, {}, [&](int64_t l) { return place[static_cast<size_t>(l)]; });
    return order;
  }

  std::vector<Unit>& units_;
  std::unordered_set<Value, ValueHash> row_major_;
  std::unordered_map<Value, Order, ValueHash> order_, wished_;
};

}  // namespace

void lay_out(std::vector<Unit>& units, const Function& f) {
  if (std::ranges::any_of(units, [](const Unit& u) { return u.library != nullptr; })) Layout(units, f).run();
}

}  // namespace viva::cpu
