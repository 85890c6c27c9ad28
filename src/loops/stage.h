// Stage: part of a nest's body compiled for tiles of one shape. A register that does not vary inside a tile is
// computed once as a scalar; one that does not vary along some outer loop is kept between tiles. Internal to loops/.
#pragma once

#include "loops/chain.h"
#include "loops/copy.h"
#include "loops/walk.h"

namespace viva::loops {

using Operands = std::span<const void* const>;

struct StageSpec {
  std::vector<Register> roots;         // wanted as dense tiles
  std::vector<Register> inputs;        // given to evaluate as dense tiles, not computed
  std::vector<int> order;              // the loops of a tile, outermost first; the others stand still within a tile
  Ints box;                            // the largest extent of each loop in a tile (1 for loops not in order)
  std::vector<Register> scalars = {};  // wanted as one value; must not vary within a tile
  std::vector<const Access*> addresses = {};  // wanted as int64 tiles: the element, or -1 outside
};

class Stage {
 public:
  Stage() = default;
  Stage(const Flat& flat, StageSpec spec);

  int64_t capacity() const { return capacity_; }  // points of the largest tile
  size_t frame_bytes() const { return frame_bytes_; }
  int64_t buffers() const { return static_cast<int64_t>(buffer_bytes_); }
  const StageSpec& spec() const { return spec_; }
  int64_t chains() const { return std::ranges::count(steps_, Act::chain, &Step::act); }
  int64_t points(const Tile& tile) const;
  // Sides of an array with these strides over the tile, merged where contiguous; returns their number.
  int sides(const Ints& strides, const Tile& tile, Side* out) const;

  struct Call {
    std::byte* frame;  // frame_bytes(), aligned to 64, kept between the calls of one run
    const Tile* tile;
    uint64_t changed;  // loops whose origin changed since the last call on this frame; all at first
    Operands operands;
    const std::byte* const* inputs = nullptr;
    std::byte* const* direct = nullptr;  // for each root where its tile may be written, or null
  };
  static constexpr uint64_t all = ~uint64_t{0};
  void evaluate(const Call& call) const;
  // Whether a register is the same all over a tile of this box.
  static bool uniform(const Flat& flat, const Ints& box, Register r);
  // The operands, a bit for each, that are not read any more when root i is written to its direct place.
  uint64_t read_before(size_t root) const { return read_before_[root]; }
  // After evaluate: the dense tile of root i, scalar i, or the tile of address i.
  const std::byte* scalar(const std::byte* frame, size_t i) const { return value(frame, scalar_values_[i]); }
  const std::byte* root(const std::byte* frame, size_t i) const { return value(frame, root_values_[i]); }
  const int64_t* address(const std::byte* frame, size_t i) const {
    return reinterpret_cast<const int64_t*>(value(frame, address_values_[i]));
  }

 private:
  struct TermArg {
    int value;
    int64_t coefficient;
    bool scalar;
    bool along_run;  // varies along the innermost loop of the tile
  };
  struct Factor {  // a loop with a coefficient other than 0
    size_t loop;
    int64_t coefficient;
  };
  static std::vector<Factor> factors(const Ints& coefficients);
  static int64_t sum(const std::vector<Factor>& factors, const int64_t* at) {
    int64_t v = 0;
    for (const Factor& f : factors) v += f.coefficient * at[f.loop];
    return v;
  }
  struct GuardArg {
    const Guard* guard;
    std::vector<Factor> factors;
    std::vector<TermArg> terms;
  };
  enum class Act : uint8_t {
    load,
    iota,
    constant,
    apply,
    chain,

    select,
    inside,
    clip,
    convert,
    splat,
    address
  };
  // One operation of a chain.
  struct ChainStep {
    const Links* links = nullptr;
    Partner partner = Partner::none;
    bool left = false, scale_left = false;  // on the left
    int operand = -1, scale = -1;           // values
    TileFn fn = nullptr, scale_fn = nullptr;
  };
  struct Step {
    Act act = Act::constant;
    bool scalar = false, cached = false;
    uint64_t triggers = 0;
    int out = 0, direct = -1;
    int64_t element = 0;
    size_t buffer = 0, offsets = 0;
    std::vector<int> args = {};
    const FlatInstruction* op = nullptr;
    const Access* access = nullptr;
    std::vector<Factor> factors = {};  // of access, iota
    std::vector<TermArg> terms = {};
    std::vector<GuardArg> guards = {};
    bool single = false;  // guards with terms along the run
    TileFn fn = nullptr;
    int one_element = -1;               // apply: the operand that is one element for all
    std::vector<ChainStep> chain = {};  // from args[0]
    ConvertFn convert = nullptr;
    ClipFn clip = nullptr;
    IotaFn iota = nullptr;
    SelectFn select = nullptr;
    std::vector<std::pair<RangeFn, int>> ranges = {};
  };
  class Compiler;
  class Chains;

  static const std::byte* value(const std::byte* frame, int v) {
    return reinterpret_cast<const std::byte* const*>(frame)[v];
  }
  template <class F> static void each_value(const Step& s, F&& f) {
    for (int a : s.args) f(a);
    for (const auto& r : s.ranges) f(r.second);
    for (const TermArg& t : s.terms) f(t.value);
    for (const GuardArg& g : s.guards)
      for (const TermArg& t : g.terms) f(t.value);
  }
  // Chains of the steps so far; kept: values that are wanted after them.
  void join_chains(size_t values, std::span<const int> kept);
  static void run_chain(const Step& s, const std::byte* const* values, std::byte* out, int64_t n);
  static void end_chain(const Step& s, const std::byte* const* values, std::byte* out, int64_t first, int64_t n);
  void execute(const Step& s, const Call& call, int64_t n) const;
  void load(const Step& s, const Call& call, std::byte* out, bool direct) const;
  void load_indirect(const Step& s, const Call& call, std::byte* out) const;
  void inside(const Step& s, const Call& call, std::byte* out, int64_t n) const;
  template <class Fill, class Copy> void guarded(const Step& s, const Call& call, Fill&& fill, Copy&& copy) const;
  int64_t terms_at(const std::vector<TermArg>& terms, const std::byte* frame, int64_t position) const;

  StageSpec spec_;
  int loops_ = 0;
  std::vector<Step> steps_;
  std::vector<int> root_values_, scalar_values_, address_values_, input_values_;
  std::vector<uint64_t> read_before_;
  int64_t capacity_ = 1;
  size_t frame_bytes_ = 0, buffer_bytes_ = 0;
};

}  // namespace viva::loops
