// The rules of a nest, cited by number in errors:
//  1. At most 60 loops, 0 <= parallel <= loops, extents >= 0, at most 2^47 points.
//  2. Arguments, masks, terms and ranges name earlier registers of the right dtype; a term names a clip.
//  3. An index has no coefficients or one for each loop, a divisor of at least 1, and never leaves ±2^60.
//  4. A load names an operand, has one index for each of its dimensions and the operand's dtype.
//  5. Dtypes agree: select, inside, clip, all, any, argmax, argmin, dot.
//  6. At most 16 reduces or scans. Scans: exactly one reduction loop, no reduce beside them, one direction.
//  7. What depends on a reduce register, and what is stored, does not vary along reduction loops (scans excepted).
//  8. A store stays inside its output; a scatter has one index for each target dimension and a known combination.
#include <algorithm>

#include "base/error.h"
#include "loops/nest.h"

namespace viva::loops {
namespace {

constexpr int64_t far = int64_t{1} << 60;
constexpr int64_t most_points = int64_t{1} << 47;

// |v|, products and sums, capped just above `far`.
int64_t size(int64_t v) { return v < -far || v > far ? far + 1 : std::abs(v); }
int64_t times(int64_t a, int64_t b) {
  int64_t r = 0;
  return __builtin_mul_overflow(a, b, &r) ? far + 1 : size(r);
}
int64_t plus(int64_t a, int64_t b) { return size(a + b); }

class Verifier {
 public:
  explicit Verifier(const Nest& nest) : nest_(nest) {}

  void run() {
    loops();
    for (place_ = 0; place_ < static_cast<int>(nest_.body.size()); ++place_) instruction(at(place_));
    reductions();
    place_ = static_cast<int>(nest_.body.size());
    for (const Store& s : nest_.stores) store(s);
  }

 private:
  const Instruction& at(Register r) const { return nest_.body[static_cast<size_t>(r)]; }

  void require(bool holds, int rule, std::string_view what) const {
    if (!holds) throw internal_error("loop nest, instruction {}: {} (rule {})", place_, what, rule);
  }

  void loops() const {
    require(nest_.loops() <= 60, 1, "too many loops");
    require(nest_.parallel >= 0 && nest_.parallel <= nest_.loops(), 1, "parallel loops out of range");
    int64_t points = 1;
    for (int64_t e : nest_.extents) {
      require(e >= 0, 1, "negative extent");
      points = times(points, e);
    }
    if (points > most_points) throw unsupported("a kernel over more than 2^47 points");
  }

  void earlier(Register r) const { require(r >= 0 && r < place_, 2, "not an earlier register"); }

  void index(const Index& i) const {
    require(i.coefficients.empty() || i.coefficients.size() == nest_.extents.size(), 3,
            "coefficients and loops differ");
    require(i.divisor >= 1 && i.divisor <= (int64_t{1} << 31), 3, "divisor");
    int64_t reach = size(i.offset);
    auto add = [&](int64_t coefficient, int64_t most) { reach = plus(reach, times(size(coefficient), most)); };
    for (size_t l = 0; l < i.coefficients.size(); ++l)
      add(i.coefficients[l], std::max<int64_t>(nest_.extents[l], 1) - 1);
    for (const Term& t : i.terms) {
      earlier(t.reg);
      const Instruction& c = at(t.reg);
      require(c.kind == Kind::clip, 2, "a term that is not a clip");
      add(t.coefficient, std::max(size(c.low), size(c.high)));
    }
    require(reach <= far, 3, "index too large");
  }

  void instruction(const Instruction& i) const {
    for (Register a : i.args) earlier(a);
    for (const Index& x : i.at) index(x);
    for (const Condition& c : i.conditions) {
      index(c.index);
      require(c.extent >= 0 && c.extent <= far, 3, "condition's extent");
    }
    for (const Range& r : i.ranges) {
      earlier(r.reg);
      require(is_integer(at(r.reg).dtype), 2, "a range of a register that is not integer");
    }
    if (i.mask != no_register) {
      earlier(i.mask);
      require(i.kind == Kind::reduce && is_bool(at(i.mask).dtype), 2, "mask");
    }
    kind(i);
  }

  void kind(const Instruction& i) const {
    const auto arity = [&](size_t n) { require(i.args.size() == n, 2, "number of arguments"); };
    switch (i.kind) {
      case Kind::load:
        return load(i);
      case Kind::iota:
        return require(i.at.size() == 1 && i.at[0].divisor == 1 && i.at[0].terms.empty(), 3, "iota");
      case Kind::constant:
        return arity(0);
      case Kind::apply:
        return require(i.fn != nullptr && i.args.size() <= 16, 2, "function");
      case Kind::select:
        arity(3);
        return require(is_bool(at(i.args[0]).dtype) && at(i.args[1]).dtype == i.dtype && at(i.args[2]).dtype == i.dtype,
                       5, "select");
      case Kind::inside:
        return require(is_bool(i.dtype), 5, "inside is not bool");
      case Kind::clip:
        arity(1);
        require(is_integer(at(i.args[0]).dtype) && i.dtype == Dtype::int64, 5, "clip");
        return require(i.low <= i.high && i.low >= -far && i.high <= far, 3, "clip's bounds");
      case Kind::convert:
        return arity(1);
      case Kind::reduce:
      case Kind::scan:
        return reduction(i);
    }
  }

  void load(const Instruction& i) const {
    require(i.slot >= 0 && i.slot < static_cast<int>(nest_.operands.size()), 4, "no such operand");
    const Type& t = nest_.operands[static_cast<size_t>(i.slot)];
    require(static_cast<int64_t>(i.at.size()) == t.rank(), 4, "indices and operand dimensions differ");
    require(i.dtype == t.dtype, 4, "dtype");
    for (int64_t e : t.shape) require(e >= 0, 4, "negative operand extent");
    numel(t.shape);
  }

  void reduction(const Instruction& i) const {
    const bool dot = i.reduction == Reduction::dot;
    require(i.args.size() == (dot ? 2 : 1), 2, "number of arguments");
    const Dtype a = at(i.args[0]).dtype;
    switch (i.reduction) {
      case Reduction::all:
      case Reduction::any:
        require(is_bool(a) && is_bool(i.dtype), 5, "all and any take bool");
        break;
      case Reduction::argmax:
      case Reduction::argmin:
        require(is_integer(i.dtype) && !is_complex(a), 5, "argmax, argmin");
        break;
      case Reduction::max:
      case Reduction::min:
        require(!is_complex(a) && a == i.dtype, 5, "max, min");
        break;
      case Reduction::sum:
      case Reduction::product:
      case Reduction::dot:
        require(!is_bool(i.dtype), 5, "sums and products are not bool");
        break;
    }
    if (i.kind == Kind::scan) require(i.reduction <= Reduction::min, 6, "only sum, product, max and min scan");
  }

  void reductions() {
    bool scans = false, reduces = false, reverse = false;
    int count = 0;
    const std::vector<uint64_t> masks = varies(nest_);
    std::vector<bool> after(nest_.body.size(), false);
    auto late = [&](Register r) { return after[static_cast<size_t>(r)]; };
    for (place_ = 0; place_ < static_cast<int>(nest_.body.size()); ++place_) {
      const Instruction& i = at(place_);
      bool uses = std::ranges::any_of(i.args, late) || (i.mask != no_register && late(i.mask)) ||
                  std::ranges::any_of(i.ranges, [&](const Range& r) { return late(r.reg); });
      const auto indirect = [&](const Index& x) {
        return std::ranges::any_of(x.terms, [&](const Term& t) { return late(t.reg); });
      };
      uses = uses || std::ranges::any_of(i.at, indirect) ||
             std::ranges::any_of(i.conditions, [&](const Condition& c) { return indirect(c.index); });
      if (i.kind == Kind::scan) {
        require(!scans || reverse == i.reverse, 6, "scans in two directions");
        scans = true, reverse = i.reverse;
      }
      reduces = reduces || i.kind == Kind::reduce;
      const bool folds = i.kind == Kind::scan || i.kind == Kind::reduce;
      require((count += folds) <= 16, 6, "too many reductions");
      require(!(folds && uses), 7, "a reduction of a reduction");
      if (uses && reduces)
        require(masks[static_cast<size_t>(place_)] >> nest_.parallel == 0, 7, "varies after a reduce");
      after[static_cast<size_t>(place_)] = uses || folds;
    }
    require(!(scans && reduces), 6, "scan beside reduce");
    require(!scans || nest_.loops() == nest_.parallel + 1, 6, "a scan needs one reduction loop");
    scans_ = scans;
    if (scans) return;
    for (const Store& s : nest_.stores) {
      require(s.reg >= 0 && s.reg < place_, 2, "stored register");
      require(masks[static_cast<size_t>(s.reg)] >> nest_.parallel == 0, 7, "a stored register varies");
    }
  }

  void store(const Store& s) const {
    require(s.reg >= 0 && s.reg < place_, 2, "stored register");
    if (s.scatter) return scatter(s);
    const size_t loops = scans_ ? nest_.extents.size() : static_cast<size_t>(nest_.parallel);
    if (s.strides.empty()) return require(s.offset == 0 && s.size == -1, 8, "a dense store has no offset");
    require(s.strides.size() == loops, 8, "strides and loops differ");
    require(s.offset >= 0 && s.offset <= most_points && s.size <= most_points, 8, "a store leaves its output");
    int64_t low = s.offset, high = s.offset;
    for (size_t l = 0; l < loops; ++l) {
      if (nest_.extents[l] == 0) return;
      const int64_t reach = times(size(s.strides[l]), nest_.extents[l] - 1);
      require(reach <= most_points, 8, "a store leaves its output");
      s.strides[l] < 0 ? low -= reach : high += reach;
    }
    require(low >= 0 && high < s.size, 8, "a store leaves its output");
  }

  void scatter(const Store& s) const {
    require(nest_.parallel == nest_.loops(), 8, "a scatter beside reductions");
    require(s.scatter->at.size() == s.scatter->target.size(), 8, "scatter indices and target dimensions differ");
    for (const Index& i : s.scatter->at) index(i);
    for (int64_t e : s.scatter->target) require(e >= 0, 8, "negative target extent");
    numel(s.scatter->target);
    const int slot = s.scatter->initial;
    require(slot >= 0 && slot < static_cast<int>(nest_.operands.size()), 8, "no such initial operand");
    require(nest_.operands[static_cast<size_t>(slot)] == Type{at(s.reg).dtype, s.scatter->target}, 8, "initial's type");
    if (s.scatter->mask != no_register) {
      earlier(s.scatter->mask);
      require(is_bool(at(s.scatter->mask).dtype), 8, "scatter mask");
    }
    const bool ordered = s.scatter->combine == Combine::min || s.scatter->combine == Combine::max;
    require(!(ordered && is_complex(at(s.reg).dtype)), 8, "an order of complex numbers");
  }

  const Nest& nest_;
  int place_ = 0;
  bool scans_ = false;
};

}  // namespace

void verify(const Nest& nest) { Verifier(nest).run(); }

}  // namespace viva::loops
