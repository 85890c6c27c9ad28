// The pass gate: every rewriting of a function that keeps its meaning has a name, is timed, can be switched off, and is
// verified before and after where asked.
#pragma once

#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "graph/graph.h"

namespace viva {

struct Pass {
  std::string_view name, doc;
  Body (*run)(const Body&);
};
// In the order in which simplify applies them.
std::span<const Pass> passes();

struct PassOptions {
  std::set<std::string, std::less<>> disabled;
  bool verify = false;
  // Called after each pass with its name, its seconds and the function it gave.
  std::function<void(std::string_view pass, double seconds, const Body& result)> observe;
};
// All passes, again and again until none changes the function (eight rounds at most). Throws a usage error on an
// unknown name among the disabled; what a pass throws is given the pass's name.
Body simplify(const Body& f, const PassOptions& options = {});

}  // namespace viva
