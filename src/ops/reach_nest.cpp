#include "ops/reach_nest.h"

#include <algorithm>
#include <map>

namespace viva {
namespace {

using loops::Index;
using loops::Instruction;
using loops::Kind;
using loops::Register;
using loops::Scalar;

constexpr int64_t most_points = int64_t{1} << 27;

// A register at one point.
struct Cell {
  SetId set = ElementSets::none;
  bool known = false;
  Scalar value = {};
};

double number_of(Dtype d, const Scalar& s) {
  double v = 0;
  dispatch(d, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T x;
    std::memcpy(&x, s.bytes.data(), sizeof x);
    if constexpr (is_std_complex<T>) v = x == T{} ? 0 : 1;
    else v = convert_element<double>(x);
  });
  return v;
}

class NestWalk {
 public:
  NestWalk(const loops::Nest& nest, std::span<const Reached* const> operands, const std::vector<Type>& outputs,
           ElementSets& sets)
      : nest_(nest), operands_(operands), sets_(sets), cells_(nest.body.size()), at_(nest.extents.size(), 0) {
    for (const Type& t : outputs) results_.emplace_back(Reached{std::vector<SetId>(elements(t)), {}});
    for (const Type& t : nest.operands) strides_.push_back(row_major(t.shape));
    for (const loops::Store& s : nest.stores)
      if (s.scatter) start(s, results_[static_cast<size_t>(&s - nest.stores.data())]);
    arrange();
  }

  std::vector<Reached> run() {
    if (std::ranges::find(nest_.extents.begin(), nest_.extents.begin() + nest_.parallel, 0) ==
        nest_.extents.begin() + nest_.parallel)
      walk(0, nest_.parallel, [&] { scans_ ? prefixes() : point(); });
    return std::move(results_);
  }

 private:
  static size_t elements(const Type& t) { return static_cast<size_t>(numel(t.shape)); }
  const Instruction& instruction(Register r) const { return nest_.body[static_cast<size_t>(r)]; }
  Cell& cell(Register r) { return cells_[static_cast<size_t>(r)]; }

  void start(const loops::Store& s, Reached& result) {
    const Reached& from = *operands_[static_cast<size_t>(s.scatter->initial)];
    if (!from.sets.empty()) result.sets = from.sets;
  }

  // Which instructions run once for a point, which along its reduction, and which after that.
  void arrange() {
    const std::vector<uint64_t> varies = loops::varies(nest_);
    const uint64_t parallel = (uint64_t{1} << nest_.parallel) - 1;
    std::vector<bool> late(nest_.body.size(), false);
    for (size_t r = 0; r < nest_.body.size(); ++r) {
      const Instruction& i = nest_.body[r];
      scans_ = scans_ || i.kind == Kind::scan;
      bool after = i.kind == Kind::reduce;
      for_each_operand(i, [&](Register a) { after = after || late[static_cast<size_t>(a)]; });
      if (i.kind == Kind::reduce) reduces_.push_back(static_cast<Register>(r));
      late[r] = after;
      (after ? after_ : (varies[r] & ~parallel) ? along_ : once_).push_back(static_cast<Register>(r));
    }
    gathered_.resize(nest_.body.size());
  }

  template <class F> static void for_each_operand(const Instruction& i, F&& f) {
    for (const Register a : i.args) f(a);
    for (const Index& x : i.at)
      for (const loops::Term& t : x.terms) f(t.reg);
    for (const loops::Condition& c : i.conditions)
      for (const loops::Term& t : c.index.terms) f(t.reg);
    for (const loops::Range& r : i.ranges) f(r.reg);
    if (i.mask != loops::no_register) f(i.mask);
  }

  // f at each point of loops from … to - 1.
  template <class F> void walk(int from, int to, F&& f) {
    if (from == to) return f();
    int64_t& i = at_[static_cast<size_t>(from)];
    for (i = 0; i < nest_.extents[static_cast<size_t>(from)]; ++i) walk(from + 1, to, f);
    i = 0;
  }

  void point() {
    for (const Register r : once_) evaluate(r);
    if (!reduces_.empty()) {
      for (const Register r : reduces_) gathered_[static_cast<size_t>(r)].clear();
      walk(nest_.parallel, nest_.loops(), [&] {
        for (const Register r : along_) evaluate(r);
        for (const Register r : reduces_) gather(r);
      });
    }
    for (const Register r : after_) evaluate(r);
    store();
  }

  // Along the one loop of a scan, in its direction.
  void prefixes() {
    const auto scan = std::ranges::find(nest_.body, Kind::scan, &Instruction::kind);
    std::vector<SetId> so_far(nest_.body.size(), ElementSets::none);
    const int64_t n = nest_.extents.back();
    for (const Register r : once_) evaluate(r);
    for (int64_t k = 0; k < n; ++k) {
      at_.back() = scan->reverse ? n - 1 - k : k;
      for (size_t r = 0; r < nest_.body.size(); ++r) {
        evaluate(static_cast<Register>(r));
        if (nest_.body[r].kind == Kind::scan) cells_[r].set = so_far[r] = sets_.unite({so_far[r], cells_[r].set});
      }
      store();
    }
    at_.back() = 0;
  }

  void gather(Register r) {
    const Instruction& i = instruction(r);
    if (i.mask != loops::no_register) {
      const Cell& m = cell(i.mask);
      if (m.known && number_of(Dtype::boolean, m.value) == 0) return;
      add(r, m.set);
    }
    if (i.reduction == loops::Reduction::dot && (is_zero(i.args[0]) || is_zero(i.args[1]))) return;
    for (const Register a : i.args) add(r, cell(a).set);
  }
  void add(Register r, SetId id) {
    std::vector<SetId>& ids = gathered_[static_cast<size_t>(r)];
    if (id != ElementSets::none && (ids.empty() || ids.back() != id)) ids.push_back(id);
  }
  bool is_zero(Register r) { return cell(r).known && number_of(instruction(r).dtype, cell(r).value) == 0; }

  SetId united(const Instruction& i) {
    std::vector<SetId> ids;
    for_each_operand(i, [&](Register a) {
      if (cell(a).set != ElementSets::none) ids.push_back(cell(a).set);
    });
    return ids.empty() ? ElementSets::none : sets_.unite(std::move(ids));
  }
  bool all_known(const Instruction& i) {
    bool known = true;
    for_each_operand(i, [&](Register a) { known = known && cell(a).known; });
    return known;
  }

  void evaluate(Register r) {
    const Instruction& i = instruction(r);
    Cell& c = cell(r);
    switch (i.kind) {
      case Kind::load:
        return load(i, c);
      case Kind::constant:
        c.known = true, c.value = i.value;
        return;
      case Kind::iota:
        c.known = true, c.value = Scalar::of(i.dtype, static_cast<double>(*position(i.at[0])));
        return;
      case Kind::reduce:
        c = {sets_.unite(gathered_[static_cast<size_t>(r)]), false, {}};
        return;
      case Kind::scan:
        c = {cell(i.args[0]).set, false, {}};
        return;
      case Kind::select:
        if (const Cell& p = cell(i.args[0]); p.known) {
          c = cell(i.args[number_of(Dtype::boolean, p.value) != 0 ? 1 : 2]);
          return;
        }
        break;
      case Kind::apply:
        if ((i.name == "mul" || i.name == "mul_no_nan") && (is_zero(i.args[0]) || is_zero(i.args[1]))) {
          c = {};
          return;
        }
        break;
      default:
        break;
    }
    c = {united(i), false, {}};
    if (all_known(i)) compute(i, c);
  }

  void compute(const Instruction& i, Cell& c) {
    if (i.kind == Kind::apply) {
      std::array<const void*, 16> in{};
      for (size_t a = 0; a < i.args.size(); ++a) in[a] = cell(i.args[a]).value.bytes.data();
      i.fn(c.value.bytes.data(), in.data(), 1);
    } else if (i.kind == Kind::clip) c.value = Scalar::of(std::clamp(integer(i.args[0]), i.low, i.high));
    else if (i.kind == Kind::convert && !is_complex(i.dtype) && !is_complex(instruction(i.args[0]).dtype))
      c.value = Scalar::of(i.dtype, number_of(instruction(i.args[0]).dtype, cell(i.args[0]).value));
    else if (i.kind == Kind::inside) c.value = Scalar::of(is_inside(i));
    else return;
    c.known = true;
  }

  // Saturated, so that a clip of it is right.
  int64_t integer(Register r) {
    int64_t v = 0;
    dispatch(instruction(r).dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
        T x;
        std::memcpy(&x, cell(r).value.bytes.data(), sizeof x);
        v = std::cmp_greater(x, INT64_MAX) ? INT64_MAX : static_cast<int64_t>(x);
      }
    });
    return v;
  }

  bool is_inside(const Instruction& i) {
    for (const loops::Condition& k : i.conditions) {
      const auto p = position(k.index);
      if (!p || *p < 0 || *p >= k.extent) return false;
    }
    return std::ranges::all_of(i.ranges, [&](const loops::Range& k) {
      const int64_t v = integer(k.reg);
      return v >= k.low && v <= k.high;
    });
  }

  bool settled(const Index& x) {
    return std::ranges::all_of(x.terms, [&](const loops::Term& t) { return cell(t.reg).known; });
  }
  // Nothing where the division is not exact.
  std::optional<int64_t> position(const Index& x) {
    int64_t p = x.offset;
    for (size_t l = 0; l < x.coefficients.size(); ++l) p += x.coefficients[l] * at_[l];
    for (const loops::Term& t : x.terms) p += t.coefficient * integer(t.reg);
    if (p % x.divisor != 0) return std::nullopt;
    return p / x.divisor;
  }

  // The elements of a shape that indices may mean: -1 for any place in a dimension. False: outside.
  bool places(const std::vector<Index>& at, const Shape& shape, Ints& where) {
    where.clear();
    for (size_t d = 0; d < at.size(); ++d) {
      if (!settled(at[d])) {
        where.push_back(-1);
        continue;
      }
      const auto p = position(at[d]);
      if (!p || *p < 0 || *p >= shape[d]) return false;
      where.push_back(*p);
    }
    return true;
  }
  template <class F>
  static void for_each_place(const Ints& where, const Shape& shape, F&& f, size_t d = 0, int64_t flat = 0) {
    if (d == where.size()) return f(static_cast<size_t>(flat));
    const int64_t from = where[d] < 0 ? 0 : where[d], to = where[d] < 0 ? shape[d] : from + 1;
    for (int64_t i = from; i < to; ++i) for_each_place(where, shape, f, d + 1, flat * shape[d] + i);
  }

  void load(const Instruction& i, Cell& c) {
    const Reached& x = *operands_[static_cast<size_t>(i.slot)];
    const Shape& shape = nest_.operands[static_cast<size_t>(i.slot)].shape;
    c = {};
    if (!places(i.at, shape, where_)) {
      c = {united(i), true, i.value};
      c.known = c.set == ElementSets::none;
      return;
    }
    if (x.sets.empty() && !x.known) {
      if (std::ranges::any_of(i.at, [](const Index& k) { return !k.terms.empty(); })) c.set = united(i);
      return;
    }
    const bool exact = std::ranges::find(where_, -1) == where_.end();
    if (exact) {
      int64_t flat = 0;
      for (size_t d = 0; d < where_.size(); ++d) flat += where_[d] * strides_[static_cast<size_t>(i.slot)][d];
      if (!x.sets.empty()) c.set = x.sets[static_cast<size_t>(flat)];
      if (x.known) {
        const auto bytes = static_cast<size_t>(size_of(i.dtype));
        std::memcpy(c.value.bytes.data(), x.known->data() + static_cast<size_t>(flat) * bytes, bytes);
        c.known = true;
      }
    } else {
      const auto [it, fresh] = any_.try_emplace({i.slot, where_}, ElementSets::none);
      if (fresh && !x.sets.empty()) {
        std::vector<SetId> ids;
        for_each_place(where_, shape, [&](size_t flat) { ids.push_back(x.sets[flat]); });
        it->second = sets_.unite(std::move(ids));
      }
      c.set = sets_.unite({it->second, united(i)});
    }
  }

  void store() {
    for (size_t o = 0; o < nest_.stores.size(); ++o) {
      const loops::Store& s = nest_.stores[o];
      const Cell& c = cell(s.reg);
      if (s.scatter) {
        scatter(*s.scatter, c.set, results_[o].sets);
        continue;
      }
      const auto dims = static_cast<size_t>(scans_ ? nest_.loops() : nest_.parallel);
      int64_t flat = s.offset;
      for (size_t l = 0; l < dims; ++l)
        flat = s.strides.empty() ? flat * nest_.extents[l] + at_[l] : flat + s.strides[l] * at_[l];
      results_[o].sets[static_cast<size_t>(flat)] = c.set;
    }
  }

  void scatter(const loops::Scatter& s, SetId update, std::vector<SetId>& to) {
    bool sure = s.combine == loops::Combine::set;
    std::vector<SetId> ids{update};
    if (s.mask != loops::no_register) {
      const Cell& m = cell(s.mask);
      if (m.known && number_of(Dtype::boolean, m.value) == 0) return;
      sure = sure && m.known;
      ids.push_back(m.set);
    }
    for (const Index& x : s.at)
      for (const loops::Term& t : x.terms) ids.push_back(cell(t.reg).set);
    if (!places(s.at, s.target, where_)) return;
    sure = sure && std::ranges::find(where_, -1) == where_.end();
    const SetId all = sets_.unite(std::move(ids));
    for_each_place(where_, s.target, [&](size_t flat) { to[flat] = sure ? all : sets_.unite({to[flat], all}); });
  }

  const loops::Nest& nest_;
  std::span<const Reached* const> operands_;
  ElementSets& sets_;
  std::vector<Cell> cells_;
  Ints at_, where_;
  std::vector<Ints> strides_;
  std::vector<Register> once_, along_, after_, reduces_;
  std::vector<std::vector<SetId>> gathered_;
  std::map<std::pair<int, Ints>, SetId> any_;
  std::vector<Reached> results_;
  bool scans_ = false;
};

}  // namespace

std::optional<std::vector<Reached>> reach_nest(const loops::Nest& nest, std::span<const Reached* const> operands,
                                               const std::vector<Type>& outputs, ElementSets& sets) {
  int64_t points = 1;
  for (const int64_t e : nest.extents)
    if (e > 0 && points > most_points / e) return std::nullopt;
    else points *= e;
  return NestWalk(nest, operands, outputs, sets).run();
}

}  // namespace viva
