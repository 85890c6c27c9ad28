// Functions that are made when something first asks for them: a node holds one as it holds any other.
#pragma once

#include <functional>

#include "graph/graph.h"

namespace viva {

// Where a function that is made later comes from.
enum class Later : uint8_t {
  derived,  // from functions at hand: where a program is printed it is written out
  traced,   // from C++ code, which may use what holds it: its text is an empty function, and parsing refuses that
};

// make is called at most once; where it throws, again on the next request.
Body deferred(std::string name, Later from, std::function<Body()> make);
// How a function runs on many examples at once, for each number of them and each choice of the parameters that differ
// between them, which have the examples in front.
using BatchRule = std::function<Body(int64_t size, const Mask& batched)>;
Body deferred(std::string name, BatchRule make);

bool is_deferred(const Body& f);
const BatchRule* batch_rule(const Body& f);  // null where it is none
// f, or the function that it stands for. Throws an internal error for a batch rule.
Body resolved(const Body& f);
// What stands for f in text: f itself where it is traced from code, or cannot be made.
Body written(const Body& f);
// Where what is made from f on request comes from: from code where f does.
Later origin(const Body& f);
// step(f), made on request; of a batch rule, step of what it makes.
Body later(const Body& f, std::function<Body(const Body&)> step);

}  // namespace viva
