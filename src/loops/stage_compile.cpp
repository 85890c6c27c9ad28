#include <utility>

#include "base/recycler.h"
#include "loops/stage.h"

namespace viva::loops {

// Emits the steps of a stage in body order: each needed register as a scalar, as a tile, or as both (by a splat).
class Stage::Compiler {
 public:
  Compiler(const Flat& flat, Stage& stage) : flat_(flat), stage_(stage), spec_(stage.spec_) {
    stage_.loops_ = flat.loops();
    for (size_t l = 0; l < spec_.box.size(); ++l) {
      if (flat.extents[l] > spec_.box[l]) iterated_ |= uint64_t{1} << l;
      if (spec_.box[l] > 1) inner_ |= uint64_t{1} << l;
    }
    for (int l : spec_.order) {
      stage_.capacity_ *= spec_.box[static_cast<size_t>(l)];
      if (spec_.box[static_cast<size_t>(l)] > 1) run_loop_ = l;
    }
    const size_t n = flat.body.size();
    scalar_value_.assign(n, -1);
    vector_value_.assign(n, -1);
    need_scalar_.assign(n, false);
    need_vector_.assign(n, false);
    input_.assign(n, false);
  }

  void run() {
    for (Register r : spec_.inputs) input_[index(r)] = true;
    find_masks();
    find_needs();
    for (Register r : spec_.inputs) stage_.input_values_.push_back(vector_value_[index(r)] = values_++);
    for (size_t r = 0; r < flat_.body.size(); ++r)
      if (!input_[r] && (need_scalar_[r] || need_vector_[r])) emit(static_cast<Register>(r));
    for (const Access* a : spec_.addresses) emit_address(*a);
    for (Register r : spec_.scalars) stage_.scalar_values_.push_back(scalar_value_[index(r)]);
    for (Register r : spec_.roots) stage_.root_values_.push_back(vector_value_[index(r)]);
    std::vector<int> kept = stage_.root_values_;
    kept.insert(kept.end(), stage_.address_values_.begin(), stage_.address_values_.end());
    stage_.join_chains(static_cast<size_t>(values_), kept);
    mark_direct();
    find_reads();
    lay_out();
  }

 private:
  static size_t index(Register r) { return static_cast<size_t>(r); }
  bool uniform(size_t r) const { return (masks_[r] & inner_) == 0 && !late_[r]; }

  template <class F> static void each_term(const std::vector<Term>& terms, const std::vector<Guard>& guards, F&& f) {
    for (const Term& t : terms) f(t.reg);
    for (const Guard& g : guards)
      for (const Term& t : g.terms) f(t.reg);
  }
  template <class F> static void each_term(const FlatInstruction& f, F&& visit) {
    each_term(f.access.terms, f.access.guards, visit);
    each_term({}, f.guards, visit);
  }
  template <class F> static void each_arg(const FlatInstruction& f, F&& visit) {
    for (Register a : f.in.args) visit(a);
    for (const Range& r : f.in.ranges) visit(r.reg);
  }

  // Inputs come as whole tiles, so what depends on them counts as varying along every loop.
  void find_masks() {
    masks_ = flat_.varies;
    const uint64_t everything = (uint64_t{1} << flat_.loops()) - 1;
    late_.assign(masks_.size(), false);
    for (size_t r = 0; r < masks_.size(); ++r) {
      late_[r] = input_[r];
      auto visit = [&](Register a) { late_[r] = late_[r] || late_[index(a)]; };
      each_arg(flat_.body[r], visit);
      each_term(flat_.body[r], visit);
      if (late_[r]) masks_[r] = everything;
    }
  }

  void need(Register r, bool vector) {
    if (vector || input_[index(r)]) need_vector_[index(r)] = true;
    if (uniform(index(r))) need_scalar_[index(r)] = true;
  }

  void find_needs() {
    for (Register r : spec_.roots) need(r, true);
    for (Register r : spec_.scalars) need(r, false);
    for (const Access* a : spec_.addresses) each_term(a->terms, a->guards, [&](Register t) { need_term(t); });
    for (size_t r = flat_.body.size(); r-- > 0;) {
      if (input_[r] || !(need_scalar_[r] || need_vector_[r])) continue;
      const int single = uniform_arg(r);
      int k = 0;
      each_arg(flat_.body[r], [&](Register a) { need(a, !uniform(r) && k++ != single); });
      each_term(flat_.body[r], [&](Register t) { need_term(t); });
    }
  }
  // Which operand of a tile function is read as one element; -1: none.
  int uniform_arg(size_t r) const {
    const Instruction& i = flat_.body[r].in;
    if (i.kind != Kind::apply || i.args.size() != 2 || uniform(r)) return -1;
    for (size_t k = 0; k < 2; ++k)
      if (i.uniform[k] && uniform(index(i.args[k])) && !uniform(index(i.args[1 - k]))) return static_cast<int>(k);
    return -1;
  }

  void need_term(Register t) { need(t, !uniform(index(t))); }

  TermArg term(const Term& t) const {
    const bool scalar = uniform(index(t.reg));
    const bool along = run_loop_ >= 0 && (masks_[index(t.reg)] >> run_loop_ & 1) != 0;
    return {scalar ? scalar_value_[index(t.reg)] : vector_value_[index(t.reg)], t.coefficient, scalar, along};
  }

  void add_guards(Step& s, const std::vector<Guard>& guards) const {
    for (const Guard& g : guards) {
      GuardArg arg{&g, factors(g.coefficients), {}};
      for (const Term& t : g.terms) arg.terms.push_back(term(t));
      for (const TermArg& t : arg.terms) s.single = s.single || t.along_run;
      s.guards.push_back(std::move(arg));
    }
  }

  void set_access(Step& s, const Access& a) const {
    s.access = &a;
    s.factors = factors(a.strides);
    for (const Term& t : a.terms) s.terms.push_back(term(t));
    add_guards(s, a.guards);
    for (const TermArg& t : s.terms)
      s.single = s.single || (t.along_run && (!s.guards.empty() || s.act == Act::address));
  }

  static Act act_of(Kind k) {
    switch (k) {
      case Kind::load:
        return Act::load;
      case Kind::iota:
        return Act::iota;
      case Kind::apply:
        return Act::apply;
      case Kind::select:
        return Act::select;
      case Kind::inside:
        return Act::inside;
      case Kind::clip:
        return Act::clip;
      case Kind::convert:
        return Act::convert;
      case Kind::constant:
      case Kind::reduce:
      case Kind::scan:
        break;
    }
    return Act::constant;
  }

  void emit(Register r) {
    const FlatInstruction& f = flat_.body[index(r)];
    Step s{.act = act_of(f.in.kind), .op = &f};
    s.scalar = uniform(index(r));
    s.element = size_of(f.in.dtype);
    const auto arg = [&](Register a) { return s.scalar ? scalar_value_[index(a)] : vector_value_[index(a)]; };
    for (Register a : f.in.args) s.args.push_back(arg(a));
    s.fn = f.in.fn;
    if (const int single = uniform_arg(index(r)); single >= 0) {
      const auto k = static_cast<size_t>(single);
      s.args[k] = scalar_value_[index(f.in.args[k])];
      s.fn = f.in.uniform[k];
      s.one_element = single;
    }
    for (const Range& range : f.in.ranges)
      s.ranges.emplace_back(range_fn(flat_.body[index(range.reg)].in.dtype), arg(range.reg));
    if (s.act == Act::load) set_access(s, f.access);
    if (s.act == Act::inside) add_guards(s, f.guards);
    if (s.act == Act::iota) s.iota = iota_fn(f.in.dtype), s.factors = factors(f.coefficients);
    if (s.act == Act::select) s.select = select_fn(s.element);
    if (s.act == Act::clip) s.clip = clip_fn(flat_.body[index(f.in.args[0])].in.dtype);
    if (s.act == Act::convert) s.convert = convert_fn(flat_.body[index(f.in.args[0])].in.dtype, f.in.dtype);
    finish(s, masks_[index(r)]);
    (s.scalar ? scalar_value_ : vector_value_)[index(r)] = s.out;
    const bool splat = s.scalar && need_vector_[index(r)];
    const int source = s.out;
    stage_.steps_.push_back(std::move(s));
    if (!splat) return;
    Step copy{.act = Act::splat, .element = size_of(f.in.dtype), .args = {source}, .op = &f};
    finish(copy, masks_[index(r)]);
    vector_value_[index(r)] = copy.out;
    stage_.steps_.push_back(std::move(copy));
  }

  void emit_address(const Access& a) {
    Step s{.act = Act::address, .element = 8};
    set_access(s, a);
    finish(s, ~uint64_t{0});
    stage_.address_values_.push_back(s.out);
    stage_.steps_.push_back(std::move(s));
  }

  // A tile of another shape (bit 62) invalidates kept tiles, but neither scalars nor splats, which fill the capacity.
  void finish(Step& s, uint64_t mask) {
    s.out = values_++;
    s.triggers = mask | uint64_t{1} << 63;
    if (!s.scalar && s.act != Act::splat) s.triggers |= uint64_t{1} << 62;
    s.cached = s.scalar || s.act == Act::splat || (mask & iterated_) != iterated_;
  }

  void mark_direct() {
    for (size_t i = 0; i < spec_.roots.size(); ++i)
      for (Step& s : stage_.steps_)
        if (s.out == stage_.root_values_[i] && !s.cached && s.direct < 0) s.direct = static_cast<int>(i);
  }

  // Of a chain, which reads each block before it writes it, reads of its own count as before.
  // A tile that was loaded may be a view of its operand, which the steps that take it read.
  void find_reads() {
    constexpr size_t slots = 64;
    std::vector<uint64_t> views(static_cast<size_t>(values_), 0);
    std::array<size_t, slots> last{};  // one more than the last step that reads the operand
    const auto read = [&](int value, size_t step) {
      for (size_t k = 0; k < slots; ++k)
        if ((views[static_cast<size_t>(value)] >> k & 1) != 0) last[k] = step + 1;
    };
    const size_t n = stage_.steps_.size();
    for (size_t i = 0; i < n; ++i) {
      const Step& s = stage_.steps_[i];
      each_value(s, [&](int v) { read(v, i); });
      const auto slot = static_cast<size_t>(s.act == Act::load ? s.op->in.slot : 0);
      if (s.act == Act::load && slot < slots) views[static_cast<size_t>(s.out)] = uint64_t{1} << slot;
    }
    for (int v : stage_.root_values_) read(v, n);
    stage_.read_before_.assign(spec_.roots.size(), ~uint64_t{0});
    for (size_t i = 0; i < n; ++i) {
      const Step& s = stage_.steps_[i];
      for (size_t k = 0; k < slots && s.direct >= 0; ++k)
        if (last[k] > i + (s.act == Act::chain))
          stage_.read_before_[static_cast<size_t>(s.direct)] &= ~(uint64_t{1} << k);
    }
  }

  // A load that is contiguous over a whole tile needs no buffer.
  bool read_in_place(const Step& s) const {
    if (s.act != Act::load || !s.access->plain()) return false;
    Tile tile;
    std::copy(spec_.box.begin(), spec_.box.end(), tile.extent.begin());
    std::array<Side, max_loops> sides;
    const int count = stage_.sides(s.access->strides, tile, sides.data());
    return count == 1 && sides[0].stride == 1;
  }

  void lay_out() {
    std::vector<size_t> last(static_cast<size_t>(values_), 0);
    const size_t n = stage_.steps_.size();
    for (size_t i = 0; i < n; ++i) {
      const Step& s = stage_.steps_[i];
      last[static_cast<size_t>(s.out)] = i;
      each_value(s, [&](int v) { last[static_cast<size_t>(v)] = i; });
    }
    for (int v : stage_.root_values_) last[static_cast<size_t>(v)] = n;
    for (int v : stage_.address_values_) last[static_cast<size_t>(v)] = n;
    size_t bytes = static_cast<size_t>(values_) * sizeof(void*);
    auto take = [&](size_t size, size_t align) {
      bytes = (bytes + align - 1) / align * align;
      return std::exchange(bytes, bytes + size);
    };
    struct Held {
      size_t place, size, until;
    };
    std::vector<Held> held;
    for (size_t i = 0; i < n; ++i) {
      Step& s = stage_.steps_[i];
      const size_t size = static_cast<size_t>(s.element * (s.scalar ? 1 : stage_.capacity_));
      if (s.act == Act::load && !s.terms.empty() && s.guards.empty() && !s.scalar)
        s.offsets = take(static_cast<size_t>(stage_.capacity_) * 8, 64);
      const size_t until = last[static_cast<size_t>(s.out)];
      const auto free = std::ranges::find_if(held, [&](const Held& h) { return h.until < i && h.size == size; });
      if (free != held.end() && !s.cached) {
        s.buffer = free->place;
        free->until = until;
        continue;
      }
      s.buffer = take(size, s.scalar ? 16 : 64);
      if (!s.scalar && !read_in_place(s)) stage_.buffer_bytes_ += size;
      if (!s.cached) held.push_back({s.buffer, size, until});  // a kept tile's memory is its own
    }
    stage_.frame_bytes_ = whole_lines(bytes);
  }

  const Flat& flat_;
  Stage& stage_;
  const StageSpec& spec_;
  uint64_t iterated_ = 0, inner_ = 0;
  int run_loop_ = -1, values_ = 0;
  std::vector<uint64_t> masks_;
  std::vector<int> scalar_value_, vector_value_;
  std::vector<bool> need_scalar_, need_vector_, input_, late_;  // late: computed from inputs
};

std::vector<Stage::Factor> Stage::factors(const Ints& coefficients) {
  std::vector<Factor> v;
  for (size_t l = 0; l < coefficients.size(); ++l)
    if (coefficients[l] != 0) v.push_back({l, coefficients[l]});
  return v;
}

bool Stage::uniform(const Flat& flat, const Ints& box, Register r) {
  for (size_t l = 0; l < box.size(); ++l)
    if (box[l] > 1 && (flat.varies[static_cast<size_t>(r)] >> l & 1) != 0) return false;
  return true;
}

Stage::Stage(const Flat& flat, StageSpec spec) : spec_(std::move(spec)) { Compiler(flat, *this).run(); }

}  // namespace viva::loops
