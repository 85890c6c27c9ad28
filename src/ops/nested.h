// Operations with functions inside, emitted again with more going into these functions and more coming out of them.
#pragma once

#include "graph/build.h"

namespace viva {

// A value computed inside, seen from outside. taken: whether it was computed, bool of the value's leading dimensions;
// null: everywhere.
struct TapReading {
  Value value, taken;
};

// A function that runs inside a node. Parameters: its own, then what else goes in. Outputs: its own, then for each
// reading the value and, where flagged, whether it was taken.
struct Inner {
  Body body;
  Mask flagged;  // one for each reading
};
struct Outer {
  Values out;
  std::vector<TapReading> readings;
};

// Those of a node's functions that run with it and can give more: not the predicate of a while, nor rules.
std::vector<size_t> running(const Node& n);
bool repeats(const Node& n);    // runs a function step by step
bool may_skip(const Node& n);   // may not run a function at all: cond and while
bool has_rules(const Node& n);  // custom_rule and linear_call: more can be read, but nothing else goes in

// The node over other functions, one for each that runs; more: what goes into each of them besides. place: the
// functions of a node that repeats take the place of the step as well, int64[], last. Readings come out as they were
// computed: stacked by a scan, those of the last step from a while, zeros and not taken where a cond went the other
// way.
Outer again(Build& b, const Node& n, Ins in, Ins more, const std::vector<Inner>& inner, bool place);

// The outputs of a function in the making, with its readings.
Values with_readings(Values out, const std::vector<TapReading>& readings);
Mask flags_of(const std::vector<TapReading>& readings);

}  // namespace viva
