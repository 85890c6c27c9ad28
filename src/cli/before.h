// What is done to rows before a network's own graph: another layout, then normalisation.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "examine/examiner.h"
#include "graph/graph.h"

namespace viva {

struct Before {
  std::optional<Normalization> normalize;  // in the channels of the network
  Layouts layout;
  // The sum of the range's ends of each element of a row as given, where `layout` inverts.
  std::function<std::vector<double>(const Shape& given)> sums;
  bool empty() const { return !normalize && layout.empty(); }
};

// The shape of rows as given to a network that takes `row`: `stored` where those are the same but for extents of 1
// (their order in memory is then another than their shape says), else what the layout makes of it. Throws an input
// error, which names the option, where such rows have no such layout.
Shape given_row(const Before& before, const Shape& row, const Shape& stored);

// f of rows [n, given…] that go through all that first. Throws a usage error where only floats would do.
Body with_before(const Body& f, const Before& before, const Shape& given);

std::string in_words(const Before& before);  // "height and width exchanged (--layout transpose), then (x - 0.5) / 0.25"

}  // namespace viva
