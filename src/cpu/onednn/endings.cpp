#include "cpu/onednn/endings.h"

#include <algorithm>

namespace viva::cpu::onednn {
namespace {

using loops::Index;
using loops::Instruction;
using loops::Kind;
using loops::Nest;

// What a register holds.
struct Meaning {
  enum class Kind : uint8_t { other, chain, channels, like_result, zero, positive } kind = Kind::other;
  std::vector<Ending> endings = {};  // chain: the sums after these; positive: whether those are above 0
  size_t operand = 0;                // channels, like_result: of the kernel
};

// Whether dimension d of the operand runs along loop d alone.
bool along(const Index& i, size_t d) {
  if (i.offset != 0 || i.divisor != 1 || !i.terms.empty()) return false;
  for (size_t l = 0; l < i.coefficients.size(); ++l)
    if (i.coefficients[l] != (l == d ? 1 : 0)) return false;
  return !i.coefficients.empty();
}
bool still(const Index& i) {
  return i.offset == 0 && i.terms.empty() && std::ranges::all_of(i.coefficients, [](int64_t c) { return c == 0; });
}

class Reader {
 public:
  Reader(const Nest& nest, int slot, std::vector<Ending> before, size_t operands, size_t channel)
      : nest_(nest), slot_(slot), before_(std::move(before)), operands_(operands), channel_(channel) {}

  std::optional<std::vector<Ending>> run() {
    for (const Instruction& i : nest_.body) {
      if (i.kind != Kind::apply && i.dtype != Dtype::float32 && i.kind != Kind::select) return std::nullopt;
      registers_.push_back(meaning(i));
    }
    const Meaning& stored = at(nest_.stores[0].reg);
    if (stored.kind != Meaning::Kind::chain || stored.endings.size() == before_.size()) return std::nullopt;
    return stored.endings;
  }

 private:
  const Meaning& at(loops::Register r) const { return registers_[static_cast<size_t>(r)]; }

  Meaning meaning(const Instruction& i) const {
    switch (i.kind) {
      case Kind::load:
        return loaded(i);
      case Kind::constant:
        return {i.value == loops::Scalar::of(0.f) ? Meaning::Kind::zero : Meaning::Kind::other};
      case Kind::apply:
        if (i.name == "add") return sum(at(i.args[0]), at(i.args[1]));
        if (i.name == "gt" && at(i.args[0]).kind == Meaning::Kind::chain && at(i.args[1]).kind == Meaning::Kind::zero)
          return {Meaning::Kind::positive, at(i.args[0]).endings};
        return {};
      case Kind::select:
        return relu(at(i.args[0]), at(i.args[1]), at(i.args[2]));
      default:
        return {};
    }
  }

  Meaning loaded(const Instruction& i) const {
    const Shape& shape = nest_.operands[static_cast<size_t>(i.slot)].shape;
    const auto loops = static_cast<size_t>(nest_.loops());
    bool same = shape == nest_.extents, channels = shape == Shape{nest_.extents[channel_]};
    for (size_t d = 0; d < i.at.size(); ++d) same = same && (along(i.at[d], d) || (shape[d] == 1 && still(i.at[d])));
    channels = channels && along(i.at[0], channel_);
    if (i.slot == slot_) return same ? Meaning{Meaning::Kind::chain, before_} : Meaning{};
    const size_t operand = operands_ + static_cast<size_t>(i.slot) - (i.slot > slot_ ? 1 : 0);
    if (same && loops > 1) return {Meaning::Kind::like_result, {}, operand};
    if (channels) return {Meaning::Kind::channels, {}, operand};
    return {};
  }

  static Meaning sum(const Meaning& a, const Meaning& b) {
    const Meaning &chain = a.kind == Meaning::Kind::chain ? a : b, &other = a.kind == Meaning::Kind::chain ? b : a;
    if (chain.kind != Meaning::Kind::chain) return {};
    const auto then = [&](Ending e) {
      Meaning m = chain;
      m.endings.push_back(e);
      return m;
    };
    const bool added = std::ranges::any_of(chain.endings, [](const Ending& e) { return e.kind == Ending::Kind::add; });
    if (other.kind == Meaning::Kind::channels && chain.endings.empty())
      return then({Ending::Kind::bias, other.operand});
    if (other.kind == Meaning::Kind::like_result && !added) return then({Ending::Kind::add, other.operand});
    return {};
  }

  static Meaning relu(const Meaning& positive, const Meaning& x, const Meaning& otherwise) {
    if (positive.kind != Meaning::Kind::positive || x.kind != Meaning::Kind::chain ||
        otherwise.kind != Meaning::Kind::zero || positive.endings != x.endings)
      return {};
    Meaning m = x;
    m.endings.push_back({Ending::Kind::relu});
    return m;
  }

  const Nest& nest_;
  int slot_;
  std::vector<Ending> before_;
  size_t operands_, channel_;
  std::vector<Meaning> registers_;
};

}  // namespace

std::optional<std::vector<Ending>> endings_of(const Nest& nest, int slot, std::vector<Ending> before, size_t operands,
                                              size_t channel) {
  if (nest.stores.size() != 1 || nest.stores[0].scatter || !nest.stores[0].strides.empty() ||
      nest.parallel != nest.loops() || nest.dtype(nest.stores[0].reg) != Dtype::float32)
    return std::nullopt;
  return Reader(nest, slot, std::move(before), operands, channel).run();
}

}  // namespace viva::cpu::onednn
