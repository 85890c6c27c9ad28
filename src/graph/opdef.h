// The record of an operation: one field per transformation that needs to know the operation. See ops/ for the records.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "graph/bound.h"
#include "graph/graph.h"
#include "graph/jet.h"
#include "graph/prune.h"

namespace viva {

class Build;
struct Lowered;  // loops/lowered.h

// Why an operation has no rule for a transformation. The laws test each reason.
enum class Reason : uint8_t { not_linear, no_tangent, integer_output, data_dependent_shape, no_sound_form, not_yet };
std::string_view to_string(Reason r);  // "not linear", …

struct Absent {
  Reason reason;
  std::string_view why;
};

// A rule or a reasoned absence. There is no default: a record that leaves a field out does not compile.
template <class T> class Rule {
 public:
  template <class F>
    requires std::is_convertible_v<F, typename T::Fn>
  constexpr Rule(F f) : fn_(f), absent_{} {}
  constexpr Rule(Absent a) : fn_(nullptr), absent_(a) {}
  constexpr explicit operator bool() const { return fn_ != nullptr; }
  constexpr typename T::Fn operator*() const { return fn_; }
  constexpr const Absent& absent() const { return absent_; }

 private:
  typename T::Fn fn_;
  Absent absent_;
};

// What a split gives: known computes from the known inputs (its outputs: the known outputs, then the residuals),
// unknown the rest (its inputs: the residuals, then the unknown inputs).
struct SplitBody {
  Body known, unknown;
  Mask out_known;
  int64_t residuals = 0;
};

// The running transformations, for rules of operations with functions inside. Implemented in transform/, memoised.
class Transforms {
 public:
  virtual ~Transforms() = default;
  // Parameters: all primals, then the tangents of the active ones. Outputs: all primals, then the tangents that the
  // returned mask marks. An output marked in force gets a tangent even where it is zero.
  virtual std::pair<Body, Mask> jvp(const Body& f, const Mask& active, const Mask& force) = 0;
  virtual SplitBody split(const Body& f, const Mask& known, const Mask& force_unknown) = 0;
  // A split whose unknown part takes the known inputs too, before the residuals, and computes again what is known:
  // residuals are the values alone that the policy of a call keeps (ops/checkpoint.h).
  virtual SplitBody checkpoint(const Body& f, const Mask& known, const std::string& policy) = 0;
  // Parameters: the inputs not marked linear, then the cotangents present. Outputs: a cotangent for each linear input.
  virtual Body transpose(const Body& f, const Mask& linear, const Mask& cotangent_present) = 0;
  // axes: the batch axis of each input, -1 for none. Returns the batch axis of each output, -1 where not batched; an
  // output marked in force is batched at axis 0 in any case.
  virtual std::pair<Body, std::vector<int>> batch(const Body& f, const std::vector<int>& axes, int64_t n,
                                                  const Mask& force) = 0;
  // Coefficient k of input i is present[i · order + k - 1]. Parameters: all inputs, then their coefficients present.
  // Outputs: all outputs, then the coefficients that the returned mask marks, those marked in force in any case.
  virtual std::pair<Body, Mask> jet(const Body& f, const Taylor& series, const Mask& present, const Mask& force) = 0;

  // Parameters: the lower ends of all inputs, or the inputs themselves where they are not marked, then the upper ends
  // of those marked. Outputs likewise: the upper ends of those that the returned mask marks, and of all marked in
  // force.
  virtual std::pair<Body, Mask> bound(const Body& f, const Mask& intervals, const Mask& force) = 0;

  Pruner pruner;  // of this request
};

// Runs functions for the eval rule of operations that hold some.
class Evaluator {
 public:
  virtual ~Evaluator() = default;
  virtual std::vector<Array> call(const Function& f, std::span<const Array> args) = 0;
};

// Where a split rule emits. Values of one side are never used on the other but through residual().
struct SplitSite {
  Build& known;
  Build& unknown;
  std::span<const Value> in_known;    // null where the input is unknown
  std::span<const Value> in_unknown;  // null where the input is known
  // The value of the unknown side that stands for a value of the known side.
  virtual Value residual(Value of_known_side) = 0;
  SplitSite(Build& k, Build& u, Ins ik, Ins iu) : known(k), unknown(u), in_known(ik), in_unknown(iu) {}
  virtual ~SplitSite() = default;
};

struct Infer {
  struct Site {
    std::span<const Type> in;
    const Attrs& attrs;
    std::span<const Body> bodies;
  };
  // The output types. Throws a usage error that says what is wrong with the operands or attributes.
  using Fn = std::vector<Type> (*)(const Site&);
};
struct Eval {
  using Fn = std::vector<Array> (*)(const Node&, std::span<const Array> in, Evaluator&);
};
struct Jvp {
  // tangent: one for each input, null for zero; at least one is not. Returns one for each output, null for zero. A rule
  // that computes the outputs anew beside their tangents appends them, so that the primal node falls away.
  using Fn = Values (*)(Build&, const Node&, Ins in, Ins out, Ins tangent, Transforms&);
};
struct Split {
  // Sets, for each output, the value on the known side or on the unknown side, and leaves the other null.
  using Fn = void (*)(SplitSite&, const Node&, std::span<Value> out_known, std::span<Value> out_unknown, Transforms&);
};
struct Transpose {
  // in: null where the input is linear. cotangent: one for each output, null for zero. Sets result for each linear
  // input; null for zero.
  using Fn = void (*)(Build&, const Node&, Ins in, Ins cotangent, std::span<Value> result, Transforms&);
};
struct Batch {
  // axis: the batch axis of each input, -1 for none; at least one input has one. Sets the batch axis of each output.
  using Fn = Values (*)(Build&, const Node&, Ins in, std::span<const int> axis, int64_t n, std::span<int> out_axis,
                        Transforms&);
};
struct Bound {
  // An enclosure of each output, for all operands in their enclosures: of what any engine computes, and of the exact
  // result.
  using Fn = std::vector<Enclosure> (*)(BoundSite&);
};
struct Jet {
  // Sets the coefficient wanted of each output with a series; what is not set is zero. False: as jvp gives it.
  using Fn = bool (*)(JetSite&);
};
struct Lower {
  using Fn = Lowered (*)(const Node&);
};
struct Prune {
  // Emits the node again where only the outputs marked used are wanted; unused outputs may be null.
  using Fn = Values (*)(Build&, const Node&, Ins in, const Mask& used, Pruner&);
};
// Values equal to the outputs, computed more simply, or nothing. Equal means the same bits, but for float sums in
// another order where the operation's contract leaves the order open.
using Simplify = Values (*)(Build&, const Node&, Ins in);

// One application of an operation for the laws: operands with attributes, chosen away from points where the operation
// is not smooth.
struct Sample {
  std::string label;
  std::vector<Array> in;
  Attrs attrs;
  std::vector<Body> bodies;
  // Sets of inputs in which the operation is linear together, for the transposition law; empty: none.
  std::vector<Mask> linear = {};
};
struct Samples {
  using Fn = std::vector<Sample> (*)();
};

struct OpDef {
  std::string_view name, family, doc;
  bool commutes = false;                   // the operands may be swapped
  bool taps = false;                       // marks a value under the name in its attribute "name"
  bool shared = true;                      // two equal nodes may be merged, one over constants evaluated
  bool (*inlines)(const Node&) = nullptr;  // whether the node may become the body of its function; null: it may not
  // The operands that the outputs marked depend on; null: all of them do on all, as where there is no function inside.
  Mask (*needs)(const Node&, const Mask& outputs) = nullptr;
  std::string_view attributes = "";  // the names of its attributes: it has these, and no others
  Rule<Infer> infer;
  Rule<Eval> eval;
  Rule<Jvp> jvp;
  Rule<Split> split;
  Rule<Transpose> transpose;
  Rule<Batch> batch;
  Rule<Lower> lower;
  Rule<Prune> prune;
  Rule<Bound> bound;
  Jet::Fn jet = nullptr;  // null: series follow from jvp, at no more than their cost; a recurrence where they do not
  Simplify simplify = nullptr;  // an optimisation, no rule: null where the algebra pass knows no identity
  Samples::Fn samples;
};

// Throws a usage error where the names are not those that the record lists.
void check_attributes(const OpDef& op, const Attrs& attrs);

// Every operation, in the order of the documentation; defined in ops/catalog.cpp.
std::span<const OpDef* const> catalog();
const OpDef* find_op(std::string_view name);  // null where there is none
const OpDef& op(std::string_view name);       // throws a usage error where there is none

// The jet of an operation: its own rule or what follows from jvp, and absent where that is.
Rule<Jet> jet_rule(const OpDef& d);

// Calls f(name, rule) for each rule of an operation, in the order of the matrix.
template <class F> void for_each_rule(const OpDef& d, F&& f) {
  f("infer", d.infer), f("eval", d.eval), f("jvp", d.jvp), f("split", d.split), f("transpose", d.transpose);
  f("batch", d.batch), f("lower", d.lower), f("prune", d.prune);
  f("jet", jet_rule(d)), f("bound", d.bound);
}

}  // namespace viva
