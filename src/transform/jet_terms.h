// Series of values, computed coefficient by coefficient on demand.
//
// Every value of the function, and every value that a derivative is made of, is a term: a node over other terms, equal
// nodes being one. What its coefficients are follows from its operation's record:
//   its own jet rule, a recurrence for products, quotients, powers and what holds functions;
//   a linear operation, one whose tangent t ↦ J(x, t) does not move with x: coefficient k is J(x₀, xₖ);
//   anything else: y' = J(x, x') gives k·yₖ = [J(x, x')]ₖ₋₁, with the nodes of J as terms. They may use y, which is
//   known to order k - 1 by then, so that exp, whose slope is y, or sin and cos, each the slope of the other, close.
#pragma once

#include <optional>

#include "graph/build.h"
#include "transform/transformer.h"

namespace viva {

class JetTerms {
 public:
  // Emits into b; its errors go to missing.
  JetTerms(Build& b, const Taylor& series, Transforms& tf, MissingRules& missing);

  // A term of a known series: coefficients 0, 1, …, series.order.
  Value given(const Type& type, std::vector<Coefficient> coefficients);
  // The terms of a node of the function over terms.
  Values node(const Node& n, Ins in);
  // Coefficient k of a term; null for zero.
  Coefficient at(Value term, int64_t k);

 private:
  friend class JetTermSite;
  enum class Kind : uint8_t { given, rate, still, linear, slope, rule, curved };
  // J of an operation: one for all nodes that are alike.
  struct Tangent {
    const OpDef* op;
    Attrs attrs;
    std::vector<Body> bodies;
    std::vector<Type> in;
    Mask tangents;                 // operands that have one
    Body f;                        // null where no output has a tangent
    Mask kept;                     // what f takes of operands, outputs and tangents
    Mask has;                      // outputs with a tangent
    std::optional<bool> linear{};  // once it is known
  };
  struct Term {
    Kind kind = Kind::still;
    bool settled = false;                          // of the kind
    bool busy = false;                             // its next coefficient is being computed
    int64_t known = -1;                            // highest order computed
    int64_t limit = 0;                             // highest order that can be asked for
    int64_t top = 0;                               // the order whose coefficient is summed over directions
    const Node* named = nullptr;                   // the function's own node, where it is one
    std::vector<std::vector<Coefficient>> series;  // of each output
    Mask active;                                   // outputs with a coefficient beyond the first
    Value base;                                    // rate: the term whose derivative it is
    Tangent* tangent = nullptr;                    // of its operation, for the operands that are active
    Values slope;                                  // the terms of J for each output, null where not active
    std::array<Value, 2> derivatives;              // curved: J(x, 1) and its derivative, once computed
  };

  Term& term(Value v) { return terms_.at(v.node()); }
  bool is_active(Value v) { return term(v).active[static_cast<size_t>(v.port())]; }
  Value canonical(Value v, int64_t limit);
  Values place(const Node& n, Values in, int64_t limit, const Node* named);
  Values found(const Node& n, const Values& in, int64_t limit);
  Values made(const Node& n, const Values& in, int64_t limit, const Node* named);
  void classify(const Node& n, Term& t);
  Tangent& tangent_of(const Node& n, const Mask& tangents);
  void differentiate(const Node& n, Tangent& t);
  void settle(const Node& n, Term& t);
  bool is_linear(const Node& n, const Term& t);
  bool is_curved(const Node& n, const Term& t);
  void open_slope(const Node& n, Term& t);
  Value rate_of(Value v);

  void advance(const Node& n, Term& t);
  void value(const Node& n, Term& t);
  void rate(Term& t, int64_t k);
  bool by_rule(const Node& n, Term& t, int64_t k);
  void by_linearity(const Node& n, Term& t, int64_t k);
  void by_slope(const Node& n, Term& t, int64_t k);
  void by_curvature(const Node& n, Term& t, int64_t k);
  Values plain_tangents(const Node& n, Ins tangents);
  Coefficient collapsed(const Coefficient& c);
  Values run_batched(const Body& f, const Mask& kept, const std::vector<Coefficient>& args, std::vector<int>& axes);
  void differentiate_twice(const Node& n, Term& t, size_t operand);

  Build& b_;
  Build shadow_;  // the terms as nodes: what equal nodes and identities are found on
  Taylor series_;
  Transforms& tf_;
  MissingRules& missing_;
  std::unordered_map<const Node*, Term> terms_;
  ValueMap canonical_, rates_;
  std::unordered_multimap<size_t, const Node*> equal_;
  std::unordered_multimap<size_t, Tangent> tangents_;
  std::unordered_map<Value, Value, ValueHash> squares_;  // Σ over directions of the first coefficients' squares
};

}  // namespace viva
