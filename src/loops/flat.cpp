#include "loops/flat.h"

#include <algorithm>
#include <numeric>

#include "loops/compose.h"
#include "loops/walk.h"

namespace viva::loops {

int64_t Flat::points() const {
  return std::accumulate(extents.begin(), extents.begin() + parallel, int64_t{1}, std::multiplies<>());
}
int64_t Flat::reduction_points() const {
  return std::accumulate(extents.begin() + parallel, extents.end(), int64_t{1}, std::multiplies<>());
}

Dtype accumulator(Reduction r, Dtype arg, Dtype result) {
  const auto compute = [](Dtype d) { return is_float(d) && d != Dtype::float64 ? Dtype::float32 : d; };
  switch (r) {
    case Reduction::all:
    case Reduction::any:
      return Dtype::boolean;
    case Reduction::max:
    case Reduction::min:
    case Reduction::argmax:
    case Reduction::argmin:
      return compute(arg);
    case Reduction::sum:
    case Reduction::product:
    case Reduction::dot:
      break;
  }
  if (r == Reduction::dot && is_integer(result)) return size_of(result) == 8 ? Dtype::int64 : Dtype::int32;
  if (arg == Dtype::float64 && is_float(result)) return Dtype::float64;
  if (arg == Dtype::complex128 && is_complex(result)) return Dtype::complex128;
  return compute(result);
}

namespace {

// Loop k counts backwards: k becomes extent - 1 - k in every index and store.
void turn_round(Nest& nest, size_t k) {
  const int64_t last = nest.extents[k] - 1;
  auto turn = [&](Index& i) {
    if (i.coefficients.empty()) return;
    i.offset += i.coefficients[k] * last;
    i.coefficients[k] = -i.coefficients[k];
  };
  for (Instruction& i : nest.body) {
    for (Index& x : i.at) turn(x);
    for (Condition& c : i.conditions) turn(c.index);
    i.reverse = false;
  }
  for (Store& s : nest.stores) {
    if (s.strides.empty()) {
      s.strides = row_major(nest.extents);
      s.size = numel(nest.extents);
    }
    s.offset += s.strides[k] * last;
    s.strides[k] = -s.strides[k];
  }
}

}  // namespace

Nest normalised(const Nest& nest) {
  Nest out = nest;
  out.body.clear();
  std::vector<Register> now;
  auto moved = [&](Register r) { return now[static_cast<size_t>(r)]; };
  auto move_index = [&](Index& x) {
    for (Term& t : x.terms) t.reg = moved(t.reg);
  };
  bool reverse = false;
  for (Instruction i : nest.body) {
    for (Register& a : i.args) a = moved(a);
    for (Index& x : i.at) move_index(x);
    for (Condition& c : i.conditions) move_index(c.index);
    for (Range& r : i.ranges) r.reg = moved(r.reg);
    if (i.mask != no_register) i.mask = moved(i.mask);
    const Dtype wanted = i.dtype;
    if (i.kind == Kind::reduce || i.kind == Kind::scan) {
      Dtype arg = out.dtype(i.args[0]);
      if (i.args.size() == 2 && size_of(out.dtype(i.args[1])) > size_of(arg)) arg = out.dtype(i.args[1]);
      const Dtype acc = accumulator(i.reduction, arg, wanted);
      for (Register& a : i.args) a = out.convert(a, acc);
      const bool position = i.reduction == Reduction::argmax || i.reduction == Reduction::argmin;
      i.dtype = position ? Dtype::int64 : acc;
      reverse = reverse || i.reverse;
    }
    out.body.push_back(i);
    now.push_back(out.convert(static_cast<Register>(out.body.size()) - 1, wanted));
  }
  for (Store& s : out.stores) {
    s.reg = moved(s.reg);
    if (!s.scatter) continue;
    for (Index& x : s.scatter->at) move_index(x);
    if (s.scatter->mask != no_register) s.scatter->mask = moved(s.scatter->mask);
  }
  if (reverse) turn_round(out, static_cast<size_t>(nest.parallel));
  return simplified(out);
}

namespace {

class Flattener {
 public:
  Flattener(const Nest& nest, int apart) : nest_(nest), apart_(apart) {}

  Flat run() {
    flat_.extents = nest_.extents;
    flat_.parallel = nest_.parallel;
    flat_.operands = nest_.operands;
    for (const Instruction& i : nest_.body) add(i);
    for (const Store& s : nest_.stores) add(s);
    merge();
    flat_.varies = masks();
    return std::move(flat_);
  }
  int apart() const { return apart_; }

 private:
  Ints full(const Ints& coefficients) const {
    return coefficients.empty() ? Ints(nest_.extents.size(), 0) : coefficients;
  }

  // The index as a guard, with a divisor that always divides taken out.
  Guard guard(const Index& i, int64_t extent, int64_t stride) const {
    Guard g{full(i.coefficients), i.offset, i.divisor, extent, stride, i.terms};
    for (size_t l = 0; l < g.coefficients.size(); ++l)
      if (nest_.extents[l] <= 1) g.coefficients[l] = 0;
    int64_t common = std::gcd(g.divisor, g.offset);
    for (int64_t c : g.coefficients) common = std::gcd(common, c);
    for (const Term& t : g.terms) common = std::gcd(common, t.coefficient);
    g.divisor /= common;
    g.offset /= common;
    for (int64_t& c : g.coefficients) c /= common;
    for (Term& t : g.terms) t.coefficient /= common;
    return g;
  }

  bool always(const Guard& g) const {
    if (g.divisor != 1) return false;
    int64_t low = g.offset, high = g.offset;
    auto reach = [&](int64_t c, int64_t from, int64_t to) {
      low += std::min(c * from, c * to);
      high += std::max(c * from, c * to);
    };
    for (size_t l = 0; l < g.coefficients.size(); ++l)
      reach(g.coefficients[l], 0, std::max<int64_t>(nest_.extents[l], 1) - 1);
    for (const Term& t : g.terms) {
      const Instruction& clip = nest_.body[static_cast<size_t>(t.reg)];
      reach(t.coefficient, clip.low, clip.high);
    }
    return low >= 0 && high < g.extent;
  }

  Access access(const std::vector<Index>& at, const Shape& shape) const {
    Access a;
    a.strides = Ints(nest_.extents.size(), 0);
    const Ints steps = row_major(shape);
    for (size_t d = 0; d < at.size(); ++d) {
      Guard g = guard(at[d], shape[d], steps[d]);
      if (!always(g)) {
        a.guards.push_back(std::move(g));
        continue;
      }
      a.base = wrapping_sum(a.base, wrapping_product(g.offset, g.stride));
      for (size_t l = 0; l < a.strides.size(); ++l)
        a.strides[l] = wrapping_sum(a.strides[l], wrapping_product(g.coefficients[l], g.stride));
      for (const Term& t : g.terms) a.terms.push_back({t.reg, wrapping_product(t.coefficient, g.stride)});
    }
    return a;
  }

  void add(const Instruction& i) {
    FlatInstruction f{.in = i, .access = {}, .guards = {}, .coefficients = {}};
    if (i.kind == Kind::load) f.access = access(i.at, nest_.operands[static_cast<size_t>(i.slot)].shape);
    if (i.kind == Kind::iota) f.coefficients = full(i.at[0].coefficients);
    for (const Condition& c : i.conditions) {
      Guard g = guard(c.index, c.extent, 0);
      if (!always(g)) f.guards.push_back(std::move(g));
    }
    flat_.scans = flat_.scans || i.kind == Kind::scan;
    flat_.reduces = flat_.reduces || i.kind == Kind::reduce;
    flat_.body.push_back(std::move(f));
  }

  void add(const Store& s) {
    FlatStore f{.reg = s.reg, .offset = s.offset, .strides = s.strides, .scatter = s.scatter, .target = {}};
    if (s.scatter) f.target = access(s.scatter->at, s.scatter->target);
    const size_t results = flat_.scans ? nest_.extents.size() : static_cast<size_t>(nest_.parallel);
    if (s.strides.empty())
      f.strides = row_major(Ints(nest_.extents.begin(), nest_.extents.begin() + static_cast<long>(results)));
    f.strides.resize(nest_.extents.size(), 0);
    flat_.stores.push_back(std::move(f));
  }

  // Every vector of coefficients over the loops.
  std::vector<Ints*> forms() {
    std::vector<Ints*> all;
    auto of_guards = [&](std::vector<Guard>& guards) {
      for (Guard& g : guards) all.push_back(&g.coefficients);
    };
    for (FlatInstruction& f : flat_.body) {
      if (f.in.kind == Kind::load) all.push_back(&f.access.strides), of_guards(f.access.guards);
      if (f.in.kind == Kind::iota) all.push_back(&f.coefficients);
      of_guards(f.guards);
    }
    for (FlatStore& s : flat_.stores) {
      all.push_back(&s.strides);
      if (s.scatter) all.push_back(&s.target.strides), of_guards(s.target.guards);
    }
    return all;
  }

  void drop(size_t loop, const std::vector<Ints*>& all) {
    for (Ints* f : all) f->erase(f->begin() + static_cast<long>(loop));
    flat_.extents.erase(flat_.extents.begin() + static_cast<long>(loop));
    if (loop < static_cast<size_t>(flat_.parallel)) --flat_.parallel;
    if (static_cast<int>(loop) < apart_) --apart_;
  }

  // Loops l and l + 1 count as one where every form agrees.
  void merge() {
    const std::vector<Ints*> all = forms();
    for (size_t l = 0; l < flat_.extents.size();) {
      const bool keep = (flat_.scans && l == static_cast<size_t>(flat_.parallel)) || static_cast<int>(l) == apart_;
      flat_.extents[l] == 1 && !keep ? drop(l, all) : void(++l);
    }
    for (size_t l = 0; l + 1 < flat_.extents.size();) {
      const int64_t inner = flat_.extents[l + 1];
      const auto joins = [&](const Ints* f) { return (*f)[l] == (*f)[l + 1] * inner; };
      const int at = static_cast<int>(l);
      const bool never = at + 1 == flat_.parallel || at == apart_ || at + 1 == apart_;
      if (never || !std::ranges::all_of(all, joins)) {
        ++l;
        continue;
      }
      flat_.extents[l + 1] *= flat_.extents[l];
      drop(l, all);
    }
  }

  std::vector<uint64_t> masks() const {
    Nest merged;
    merged.extents = flat_.extents;
    merged.parallel = flat_.parallel;
    auto indices = [](const Access& a) {
      std::vector<Index> v{{.coefficients = a.strides, .terms = a.terms}};
      for (const Guard& g : a.guards) v.push_back({.coefficients = g.coefficients, .terms = g.terms});
      return v;
    };
    for (const FlatInstruction& f : flat_.body) {
      merged.body.push_back(f.in);
      Instruction& i = merged.body.back();
      i.conditions.clear();
      i.at.clear();
      if (i.kind == Kind::load) i.at = indices(f.access);
      if (i.kind == Kind::iota) i.at = {{.coefficients = f.coefficients}};
      for (const Guard& g : f.guards) i.conditions.push_back({{.coefficients = g.coefficients, .terms = g.terms}, 0});
    }
    return loops::varies(merged);
  }

  const Nest& nest_;
  int apart_;
  Flat flat_;
};

}  // namespace

Flat flatten(const Nest& nest, int apart, int* apart_now) {
  Flattener f(nest, apart);
  Flat flat = f.run();
  if (apart_now) *apart_now = f.apart();
  return flat;
}

}  // namespace viva::loops
