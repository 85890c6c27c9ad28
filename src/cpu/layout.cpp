// Layout: in which order the dimensions of each value lie in memory.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "cpu/plan.h"
#include "graph/constant.h"
#include "graph/opdef.h"
#include "loops/compose.h"
#include "loops/finite.h"

namespace viva::cpu {
namespace {

bool row_major_order(const Order& o) { return std::ranges::is_sorted(o); }

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
    Order order = row_major_.contains(result) ? iota_ints(result.rank()) : kernel.result_order;
    const bool finite = constants[1] && loops::all_finite(constants[1]->as<float>());
    std::optional<loops::Nest> otherwise;
    if (kernel.zeros_meet_operand_1 && !finite) otherwise = plain_nest(*u.node, orders, order);
    order_[result] = order;
    u.form = kernel.make(orders, order, constants);
    if (otherwise) u.form = guarded(std::get<loops::Host>(u.form), std::move(*otherwise));
  }

  // The node's own nest over these orders. The result's becomes row-major where the nest cannot write another.
  static loops::Nest plain_nest(const Node& n, const std::vector<Order>& orders, Order& result) {
    loops::Nest nest = std::get<loops::Nest>((*n.op->lower)(n).form);
    for (size_t slot = 0; slot < orders.size(); ++slot)
      nest = loops::with_operand_order(std::move(nest), static_cast<int>(slot), orders[slot]);
    if (auto ordered = loops::with_result_order(nest, result)) return std::move(*ordered);
    result = iota_ints(n.types[0].rank());
    return nest;
  }

  // The kernel, or the nest where operand 1 is not finite.
  static loops::Host guarded(loops::Host kernel, loops::Nest nest) {
    const auto count = static_cast<size_t>(numel(nest.operands[1].shape));
    loops::Host both{kernel.name, nullptr};
    both.fn = [kernel = std::move(kernel.fn), count, plain = loops::Prepared(std::move(nest))](auto in, auto out,
                                                                                               ThreadPool& pool) {
      if (loops::all_finite({static_cast<const float*>(in[1]), count})) return kernel(in, out, pool);
      loops::Scratch scratch;
      loops::run(plain, in, out, pool, scratch);
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
  if (std::ranges::any_of(units, [](const Unit& u) { return u.library.has_value(); })) Layout(units, f).run();
}

}  // namespace viva::cpu
