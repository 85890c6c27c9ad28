#include "loops/compose.h"

#include <algorithm>
#include <numeric>

namespace viva::loops {
namespace {

// Calls f on every register an instruction or store reads.
template <class I, class F> void each_term(I& index, F&& f) {
  for (auto& t : index.terms) f(t.reg);
}
template <class I, class F> void each_use(I& i, F&& f) {
  for (auto& a : i.args) f(a);
  for (auto& x : i.at) each_term(x, f);
  for (auto& c : i.conditions) each_term(c.index, f);
  for (auto& r : i.ranges) f(r.reg);
  if (i.mask != no_register) f(i.mask);
}
template <class S, class F> void each_store_use(S& s, F&& f) {
  f(s.reg);
  if (!s.scatter) return;
  for (auto& x : s.scatter->at) each_term(x, f);
  if (s.scatter->mask != no_register) f(s.scatter->mask);
}

// Builds a nest instruction by instruction, sharing equal ones.
class Body {
 public:
  explicit Body(Nest& nest) : nest_(nest) {}
  Register add(Instruction i) {
    for (Register r = static_cast<Register>(nest_.body.size()); r-- > 0;)
      if (nest_.body[static_cast<size_t>(r)] == i) return r;
    nest_.body.push_back(std::move(i));
    return static_cast<Register>(nest_.body.size()) - 1;
  }

 private:
  Nest& nest_;
};

bool elementwise_only(const Nest& n) {
  return n.parallel == n.loops() && std::ranges::none_of(n.body, [](const Instruction& i) {
           return i.kind == Kind::reduce || i.kind == Kind::scan;
         });
}
bool dense(const Nest& n, int output) {
  if (output < 0 || output >= static_cast<int>(n.stores.size())) return false;
  const Store& s = n.stores[static_cast<size_t>(output)];
  return s.strides.empty() && !s.scatter;
}

// index(p) with each loop i of p replaced by the consumer's index at[i]. The division stays exact where all of the
// at[i] exist; elsewhere the value is masked by the caller. nullopt where numbers would grow too large.
std::optional<Index> substituted(const Index& index, const std::vector<Index>& at, size_t loops) {
  const auto zero = [](int64_t c) { return c == 0; };
  int64_t common = 1;
  for (size_t i = 0; i < index.coefficients.size(); ++i) {
    if (zero(index.coefficients[i])) continue;
    common = std::lcm(common, at[i].divisor);
    if (common > int64_t{1} << 20) return std::nullopt;
  }
  Index out{.coefficients = Ints(loops, 0), .divisor = common};
  bool fits = !__builtin_mul_overflow(index.offset, common, &out.offset) &&
              !__builtin_mul_overflow(index.divisor, common, &out.divisor) && out.divisor <= int64_t{1} << 31;
  const auto accumulate = [&](int64_t& to, int64_t a, int64_t b) {
    int64_t product = 0;
    fits = fits && !__builtin_mul_overflow(a, b, &product) && !__builtin_add_overflow(to, product, &to);
  };
  for (size_t i = 0; i < index.coefficients.size(); ++i) {
    const int64_t c = index.coefficients[i];
    if (zero(c)) continue;
    int64_t scale = 0;
    fits = fits && !__builtin_mul_overflow(c, common / at[i].divisor, &scale);
    for (size_t l = 0; l < at[i].coefficients.size(); ++l)
      accumulate(out.coefficients[l], at[i].coefficients[l], scale);
    accumulate(out.offset, at[i].offset, scale);
    for (const Term& t : at[i].terms) {
      int64_t k = 0;
      accumulate(k, t.coefficient, scale);
      out.terms.push_back({t.reg, k});
    }
  }
  return fits ? std::optional(out) : std::nullopt;
}

// True where every point of the consumer's loops finds the index inside, whatever the terms hold.
bool always_inside(const Index& i, int64_t extent, const Nest& nest) {
  if (i.divisor != 1) return false;
  int64_t low = i.offset, high = i.offset;
  const auto reach = [&](int64_t c, int64_t from, int64_t to) {
    low += std::min(c * from, c * to);
    high += std::max(c * from, c * to);
  };
  for (size_t l = 0; l < i.coefficients.size(); ++l)
    reach(i.coefficients[l], 0, std::max<int64_t>(nest.extents[l], 1) - 1);
  for (const Term& t : i.terms) {
    const Instruction& clip = nest.body[static_cast<size_t>(t.reg)];
    reach(t.coefficient, clip.low, clip.high);
  }
  return low >= 0 && high < extent;
}

// Copies the producer's value at the points `at` into the body of `out`; its operands start at slot `first`.
class Inliner {
 public:
  Inliner(const Nest& producer, Nest& out, Body& body, int first)
      : producer_(producer), out_(out), body_(body), first_(first) {}

  std::optional<Register> inlined(Register wanted, const std::vector<Index>& at) {
    std::vector<bool> needed(producer_.body.size(), false);
    needed[static_cast<size_t>(wanted)] = true;
    for (size_t r = needed.size(); r-- > 0;)
      if (needed[r]) each_use(producer_.body[r], [&](Register a) { needed[static_cast<size_t>(a)] = true; });
    std::vector<Register> now(needed.size(), no_register);
    for (size_t r = 0; r < needed.size(); ++r) {
      if (!needed[r]) continue;
      Instruction i = producer_.body[r];
      if (i.kind == Kind::load) i.slot += first_;
      if (i.kind == Kind::iota && !plain_iota(i.at[0], at)) return std::nullopt;
      each_use(i, [&](Register& a) { a = now[static_cast<size_t>(a)]; });
      for (Index& x : i.at)
        if (!replace(x, at)) return std::nullopt;
      for (Condition& c : i.conditions)
        if (!replace(c.index, at)) return std::nullopt;
      now[r] = body_.add(std::move(i));
    }
    return now[static_cast<size_t>(wanted)];
  }

 private:
  // An iota has neither divisor nor terms.
  static bool plain_iota(const Index& x, const std::vector<Index>& at) {
    for (size_t i = 0; i < x.coefficients.size(); ++i)
      if (x.coefficients[i] != 0 && (at[i].divisor != 1 || !at[i].terms.empty())) return false;
    return true;
  }
  bool replace(Index& x, const std::vector<Index>& at) const {
    std::vector<Term> own = std::move(x.terms);
    x.terms.clear();
    std::optional<Index> s = substituted(x, at, out_.extents.size());
    if (!s) return false;
    for (Term t : own) {
      if (__builtin_mul_overflow(t.coefficient, s->divisor / x.divisor, &t.coefficient)) return false;
      s->terms.push_back(t);
    }
    x = std::move(*s);
    return true;
  }

  const Nest& producer_;
  Nest& out_;
  Body& body_;
  int first_;
};

std::optional<Nest> checked(Nest nest) {
  nest = simplified(nest);
  try {
    verify(nest);
  } catch (const std::exception&) {
    return std::nullopt;  // an index grew beyond the bounds of rule 3
  }
  return nest;
}

}  // namespace

std::optional<Nest> compose(const Nest& producer, const Nest& consumer, int slot, int output) {
  if (!elementwise_only(producer) || !dense(producer, output)) return std::nullopt;
  if (slot < 0 || slot >= static_cast<int>(consumer.operands.size())) return std::nullopt;
  const Register wanted = producer.stores[static_cast<size_t>(output)].reg;
  const Type& type = consumer.operands[static_cast<size_t>(slot)];
  if (type != Type{producer.dtype(wanted), producer.extents}) return std::nullopt;
  for (const Store& s : consumer.stores)
    if (s.scatter && s.scatter->initial == slot) return std::nullopt;
  Nest out{.extents = consumer.extents, .parallel = consumer.parallel};
  for (size_t i = 0; i < consumer.operands.size(); ++i)
    if (static_cast<int>(i) != slot) out.operands.push_back(consumer.operands[i]);
  const int first = static_cast<int>(out.operands.size());
  out.operands.insert(out.operands.end(), producer.operands.begin(), producer.operands.end());
  Body body(out);
  Inliner inliner(producer, out, body, first);
  std::vector<Register> now;
  const auto move = [&](Register& r) { r = now[static_cast<size_t>(r)]; };
  for (Instruction i : consumer.body) {
    each_use(i, move);
    if (i.kind != Kind::load || i.slot != slot) {
      if (i.kind == Kind::load && i.slot > slot) --i.slot;
      now.push_back(body.add(std::move(i)));
      continue;
    }
    const std::optional<Register> value = inliner.inlined(wanted, i.at);
    if (!value) return std::nullopt;
    std::vector<Condition> conditions;
    for (size_t d = 0; d < i.at.size(); ++d)
      if (!always_inside(i.at[d], type.shape[d], out)) conditions.push_back({i.at[d], type.shape[d]});
    if (conditions.empty()) {
      now.push_back(*value);
      continue;
    }
    const Register mask =
        body.add({.kind = Kind::inside, .dtype = Dtype::boolean, .conditions = std::move(conditions)});
    const Register blank = body.add({.kind = Kind::constant, .dtype = i.dtype, .value = i.value});
    now.push_back(body.add({.kind = Kind::select, .dtype = i.dtype, .args = {mask, *value, blank}}));
  }
  out.stores = consumer.stores;
  for (Store& s : out.stores) {
    each_store_use(s, move);
    if (s.scatter && s.scatter->initial > slot) --s.scatter->initial;
  }
  return checked(std::move(out));
}

namespace {

constexpr size_t nowhere = static_cast<size_t>(-1);

// The operand dimension that each consumer loop runs along, where `at` visits every element of `shape` once with loops
// of coefficient 1. Loops and dimensions of extent 1 do not count.
std::optional<std::vector<size_t>> permutation(const Nest& consumer, const std::vector<Index>& at, const Shape& shape) {
  std::vector<size_t> dimension(consumer.extents.size(), nowhere);
  for (size_t d = 0; d < at.size(); ++d) {
    const Index& x = at[d];
    if (x.offset != 0 || x.divisor != 1 || !x.terms.empty()) return std::nullopt;
    bool found = shape[d] == 1;
    for (size_t l = 0; l < x.coefficients.size(); ++l) {
      if (x.coefficients[l] == 0 || consumer.extents[l] == 1) continue;
      if (x.coefficients[l] != 1 || dimension[l] != nowhere || consumer.extents[l] != shape[d] || shape[d] == 1 ||
          found)
        return std::nullopt;
      dimension[l] = d;
      found = true;
    }
    if (!found) return std::nullopt;
  }
  for (size_t l = 0; l < dimension.size(); ++l)
    if (consumer.extents[l] != 1 && dimension[l] == nowhere) return std::nullopt;
  return dimension;
}

// The same permutation for every load of the slot, or nullopt.
std::optional<std::vector<size_t>> shared_permutation(const Nest& consumer, int slot) {
  std::optional<std::vector<size_t>> shared;
  for (const Instruction& i : consumer.body) {
    if (i.kind != Kind::load || i.slot != slot) continue;
    const auto p = permutation(consumer, i.at, consumer.operands[static_cast<size_t>(slot)].shape);
    if (!p || (shared && *shared != *p)) return std::nullopt;
    shared = p;
  }
  return shared;
}

void move_index(Index& x, const std::vector<size_t>& loop, size_t loops) {
  Ints coefficients(loops, 0);
  for (size_t l = 0; l < x.coefficients.size(); ++l)
    if (loop[l] != nowhere) coefficients[loop[l]] += x.coefficients[l];
  x.coefficients = std::move(coefficients);
}

// The consumer's dense or strided store over the producer's parallel loops.
void move_store(Store& s, const Nest& consumer, const std::vector<size_t>& loop, const Nest& producer) {
  const bool same = producer.parallel == consumer.loops() &&
                    std::equal(consumer.extents.begin(), consumer.extents.end(), producer.extents.begin());
  bool identity = same;
  for (size_t l = 0; l < loop.size(); ++l) identity = identity && (loop[l] == nowhere || loop[l] == l);
  if (identity && s.strides.empty()) return;
  const Ints old = s.strides.empty() ? row_major(consumer.extents) : s.strides;
  if (s.strides.empty()) s.size = numel(consumer.extents);
  s.strides.assign(static_cast<size_t>(producer.parallel), 0);
  for (size_t l = 0; l < loop.size(); ++l)
    if (loop[l] != nowhere) s.strides[loop[l]] = old[l];
}

}  // namespace

std::optional<Nest> append(const Nest& producer, const Nest& consumer, int slot, int output, bool keep) {
  const bool scans = std::ranges::any_of(producer.body, [](const Instruction& i) { return i.kind == Kind::scan; });
  if (scans || !elementwise_only(consumer) || !dense(producer, output)) return std::nullopt;
  if (slot < 0 || slot >= static_cast<int>(consumer.operands.size())) return std::nullopt;
  const Register value = producer.stores[static_cast<size_t>(output)].reg;
  const Shape results(producer.extents.begin(), producer.extents.begin() + producer.parallel);
  if (consumer.operands[static_cast<size_t>(slot)] != Type{producer.dtype(value), results}) return std::nullopt;
  for (const Store& s : consumer.stores)
    if (s.scatter) return std::nullopt;
  const auto loop = shared_permutation(consumer, slot);
  if (!loop) return std::nullopt;
  Nest out = producer;
  const int first = static_cast<int>(out.operands.size());
  for (size_t i = 0; i < consumer.operands.size(); ++i)
    if (static_cast<int>(i) != slot) out.operands.push_back(consumer.operands[i]);
  Body body(out);
  std::vector<Register> now;
  const auto move = [&](Register& r) { r = now[static_cast<size_t>(r)]; };
  for (Instruction i : consumer.body) {
    if (i.kind == Kind::load && i.slot == slot) {
      now.push_back(value);
      continue;
    }
    each_use(i, move);
    for (Index& x : i.at) move_index(x, *loop, out.extents.size());
    for (Condition& c : i.conditions) move_index(c.index, *loop, out.extents.size());
    if (i.kind == Kind::load) i.slot += first - (i.slot > slot ? 1 : 0);
    now.push_back(body.add(std::move(i)));
  }
  if (!keep) out.stores.erase(out.stores.begin() + output);
  for (Store s : consumer.stores) {
    move(s.reg);
    move_store(s, consumer, *loop, producer);
    out.stores.push_back(std::move(s));
  }
  return checked(std::move(out));
}

std::optional<Nest> join(const Nest& a, const Nest& b) {
  if (a.extents != b.extents || a.parallel != b.parallel) return std::nullopt;
  Nest out = a;
  const int first = static_cast<int>(a.operands.size());
  out.operands.insert(out.operands.end(), b.operands.begin(), b.operands.end());
  Body body(out);
  std::vector<Register> now;
  const auto move = [&](Register& r) { r = now[static_cast<size_t>(r)]; };
  for (Instruction i : b.body) {
    each_use(i, move);
    if (i.kind == Kind::load) i.slot += first;
    now.push_back(body.add(std::move(i)));
  }
  for (Store s : b.stores) {
    each_store_use(s, move);
    if (s.scatter) s.scatter->initial += first;
    out.stores.push_back(std::move(s));
  }
  return checked(std::move(out));
}

Nest rename_operands(const Nest& nest, std::span<const int> slots, std::vector<Type> operands) {
  Nest out = nest;
  out.operands = std::move(operands);
  for (Instruction& i : out.body)
    if (i.kind == Kind::load) i.slot = slots[static_cast<size_t>(i.slot)];
  for (Store& s : out.stores)
    if (s.scatter) s.scatter->initial = slots[static_cast<size_t>(s.scatter->initial)];
  return simplified(out);
}

Nest simplified(const Nest& nest) {
  std::vector<bool> used(nest.body.size(), false);
  const auto use = [&](Register r) { used[static_cast<size_t>(r)] = true; };
  for (const Store& s : nest.stores) each_store_use(s, use);
  for (size_t r = used.size(); r-- > 0;)
    if (used[r]) each_use(nest.body[r], use);
  Nest out = nest;
  out.body.clear();
  Body body(out);
  std::vector<Register> now(used.size(), no_register);
  const auto move = [&](Register& r) { r = now[static_cast<size_t>(r)]; };
  for (size_t r = 0; r < used.size(); ++r) {
    if (!used[r]) continue;
    Instruction i = nest.body[r];
    each_use(i, move);
    now[r] = body.add(std::move(i));
  }
  for (Store& s : out.stores) each_store_use(s, move);
  return out;
}

}  // namespace viva::loops
