// Which elements a function's outputs depend on, element by element: read off the loop nests that operations lower to.
// Exact for what moves, works pointwise or contracts; where a position depends on data, or an operation is no nest, all
// that could be meant.
#pragma once

#include <optional>

#include "graph/graph.h"

namespace viva {

using SetId = int32_t;

// Sets of numbers, each kept once.
class ElementSets {
 public:
  static constexpr SetId none = 0;
  ElementSets();
  ElementSets(const ElementSets&) = delete;
  ElementSets& operator=(const ElementSets&) = delete;
  SetId single(int64_t element);
  SetId unite(std::vector<SetId> ids);
  const Ints& of(SetId id) const { return sets_[static_cast<size_t>(id)]; }  // ascending

 private:
  struct Hash {
    size_t operator()(const Ints& v) const;
    size_t operator()(const std::vector<SetId>& v) const;
  };
  SetId keep(Ints elements);
  std::deque<Ints> sets_;
  std::unordered_map<Ints, SetId, Hash> ids_;
  std::unordered_map<std::vector<SetId>, SetId, Hash> unions_;
};

// A value, seen so.
struct Reached {
  std::vector<SetId> sets;     // one for each element; empty: none depends on anything
  std::optional<Array> known;  // the elements, where they follow from constants alone
};

// The outputs of f. A factor that is known to be zero lets nothing through.
std::vector<Reached> reach(const Body& f, const std::vector<Reached>& params, ElementSets& sets);

}  // namespace viva
