// Nest: the description of one kernel, as a space of loops, affine (guarded, or indirect) loads and an expression in
// static single assignment. Operations lower to nests, compose.h fuses them, run.h evaluates them. A nest knows no
// operation: scalar code comes in as vector loops (TileFn) that the operations instantiate from their own templates.
#pragma once

#include <array>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/dtype.h"
#include "base/shape.h"

namespace viva {
class ThreadPool;
}

namespace viva::loops {

// A register holds one value for each point of the loop space; it is named by its instruction's position in the body.
using Register = int;
inline constexpr Register no_register = -1;

// out[i] = f(in[0][i], …) for 0 <= i < n. The arrays are dense, of the registers' dtypes, aligned to their elements;
// out overlaps no input. Must be total: it also sees values of points whose result is thrown away.
using TileFn = void (*)(void* out, const void* const* in, int64_t n);

// One element of any dtype, kept by its bytes.
struct Scalar {
  alignas(16) std::array<std::byte, 16> bytes{};
  template <class T> static Scalar of(T v) {
    Scalar s;
    std::memcpy(s.bytes.data(), &v, sizeof v);
    return s;
  }
  // v converted to d by convert_element.
  static Scalar of(Dtype d, double v) {
    return dispatch(d, [&](auto t) { return of(convert_element<typename decltype(t)::type>(v)); });
  }
  bool operator==(const Scalar&) const = default;
};

struct Term {
  Register reg = no_register;  // of dtype int64, as clip gives it
  int64_t coefficient = 1;
  bool operator==(const Term&) const = default;
};

// A position: (Σ coefficients[i] · loop i + Σ terms + offset) / divisor. It exists only where the division is exact.
struct Index {
  Ints coefficients = {};  // one for each loop, or empty: all 0
  int64_t offset = 0;
  int64_t divisor = 1;           // >= 1; more than 1 expresses interior padding and left (input) dilation
  std::vector<Term> terms = {};  // indirection: gather, scatter, dynamic slices
  bool operator==(const Index&) const = default;
};

// True where index exists and 0 <= index < extent.
struct Condition {
  Index index = {};
  int64_t extent = 0;
  bool operator==(const Condition&) const = default;
};

// True where low <= reg <= high, as integers (reg of any integer dtype; a uint64 never wraps).
struct Range {
  Register reg = no_register;
  int64_t low = 0, high = 0;
  bool operator==(const Range&) const = default;
};

enum class Kind : uint8_t {
  load,      // operand slot at `at` (one Index for each operand dimension); `value` where any index is outside
  iota,      // at[0] (divisor 1) converted to dtype by convert_element
  constant,  // value
  apply,     // fn over args
  select,    // args[0] (bool) ? args[1] : args[2], bit for bit
  inside,    // bool: all conditions and all ranges hold
  clip,      // int64: args[0] (any integer dtype) clamped to [low, high]
  convert,   // args[0] to dtype by convert_element
  reduce,    // args over all reduction loops: constant along them
  scan,      // inclusive prefix reduction of args[0] along the only reduction loop (sum, product, max or min)
};

// Semantics of reductions. The accumulator is Compute<dtype of the result>, or that of the argument where both are
// floating and the argument is wider; arguments are converted to it, and the total is rounded once. Integers wrap.
// max, min: NaN propagates, -0 lies below +0. argmax, argmin: the row-major position within the reduction loops of the
// first of equal extremes, or of the first NaN. An empty reduction gives 0, 1, the lowest value (-inf), the highest,
// true, false, 0. Floating sums follow a fixed order that depends on the nest alone, documented in reduce.h.
enum class Reduction : uint8_t { sum, product, max, min, all, any, argmax, argmin, dot };  // dot: Σ args[0]·args[1]

enum class Combine : uint8_t { set, add, mul, min, max };

struct Links;

struct Instruction {
  Kind kind = Kind::constant;
  Dtype dtype = Dtype::float32;            // of the register
  std::vector<Register> args = {};         // earlier registers
  int slot = 0;                            // load: which operand
  std::vector<Index> at = {};              // load, iota
  Scalar value = {};                       // constant; load: the fill, of the load's dtype
  TileFn fn = nullptr;                     // apply
  std::array<TileFn, 2> uniform = {};      // apply of two: the same where args[0], or args[1], is one element for all
  const Links* links = nullptr;            // apply: those of a chain, or null; static storage
  std::string_view name = {};              // apply: for printing; static storage
  const void* op = nullptr;                // apply: opaque, for a code generator
  std::vector<Condition> conditions = {};  // inside
  std::vector<Range> ranges = {};          // inside
  int64_t low = 0, high = 0;               // clip
  Reduction reduction = Reduction::sum;    // reduce, scan
  Register mask = no_register;             // reduce: bool; elements where it is false take no part
  bool reverse = false;                    // scan: from the last position to the first
  bool operator==(const Instruction&) const = default;
};

// Updates of an array, combined in row-major loop order. Integers wrap; min and max as in reductions.
struct Scatter {
  Shape target = {};           // the output's shape
  std::vector<Index> at = {};  // one for each target dimension; an update outside is dropped
  Combine combine = Combine::set;
  Register mask = no_register;  // bool; updates where it is false are dropped
  int initial = 0;              // operand slot copied to the output first (it may be the same memory: donated)
  bool operator==(const Scatter&) const = default;
};

// Where the elements of one output lie: offset + Σ strides[i] · loop i, in elements, over the loops of the result (the
// parallel loops; with a scan all loops).
struct Store {
  Register reg = no_register;
  int64_t offset = 0;
  Ints strides = {};  // empty: row-major and dense over the result's loops. Distinct points must not collide.
  int64_t size = -1;  // elements of the output, which offset and strides must stay inside; -1: as many as points
  std::optional<Scatter> scatter = std::nullopt;  // then offset, strides and size are unused
  bool operator==(const Store&) const = default;
};

// A loop nest. The first `parallel` loops index the results, the others are reduced over. Instructions that use a
// reduce register (epilogues) and stored registers must not vary along reduction loops; with a scan they may.
// Stored in output i of a run: stores[i]. Several stores make one pass (the moments and weights of an optimiser).
struct Nest {
  Ints extents = {};  // 0 is legal
  int parallel = 0;   // loops extents[parallel…] are reduction loops
  std::vector<Type> operands = {};
  std::vector<Instruction> body = {};
  std::vector<Store> stores = {};

  // Building, each returns the new register.
  Register load(int slot, std::vector<Index> at, Scalar fill = {});
  Register load(int slot);  // the operand's dimensions are the first loops, in order
  Register constant(Dtype d, Scalar value);
  Register iota(Dtype d, Index at);
  Register apply(TileFn fn, Dtype d, std::vector<Register> args, std::string_view name, const void* op = nullptr);
  Register select(Register condition, Register yes, Register no);
  Register inside(std::vector<Condition> conditions, std::vector<Range> ranges = {});
  Register clip(Register reg, int64_t low, int64_t high);
  Register convert(Register reg, Dtype d);
  Register reduce(Reduction r, std::vector<Register> args, Dtype d, Register mask = no_register);
  Register scan(Reduction r, Register reg, Dtype d, bool reverse = false);
  void store(Register reg) { stores.push_back({.reg = reg}); }

  int loops() const { return static_cast<int>(extents.size()); }
  Dtype dtype(Register r) const { return body.at(static_cast<size_t>(r)).dtype; }
  // An index equal to loop i times coefficient, plus offset.
  Index at(int loop, int64_t coefficient = 1, int64_t offset = 0, int64_t divisor = 1) const;
  bool operator==(const Nest&) const = default;
};

// A nest over `shape`, all loops parallel, with these operands.
Nest elementwise(const Shape& shape, std::vector<Type> operands);

// For each register, one bit for each loop it varies along (bit i: loop i). At most 60 loops.
std::vector<uint64_t> varies(const Nest& nest);

// Throws an internal error that names the instruction and the broken rule.
void verify(const Nest& nest);

// One line an instruction, for people and golden tests.
std::string to_string(const Nest& nest);

// For operations that have no loop form (sort, factorisations). Called once a run with dense row-major arrays.
struct Host {
  std::string_view name = {};
  std::function<void(std::span<const void* const> in, std::span<void* const> out, ThreadPool&)> fn;
};

using Lowering = std::variant<Nest, Host>;

}  // namespace viva::loops
