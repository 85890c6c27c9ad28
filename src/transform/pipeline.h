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
// Calls that derivatives wanted whole become their bodies as well: nothing differentiates a plan. compile begins with
// it; where it is switched off, such calls have no kernel.
extern const Pass inline_all_pass;

struct PassOptions {
  std::set<std::string, std::less<>> disabled;
  bool verify = false;
  // Called after each pass with its name, its seconds and the function it gave.
  std::function<void(std::string_view pass, double seconds, const Body& result)> observe;
};
// One rewriting through the gate, f itself where it is switched off. Throws as simplify does.
Body run_pass(const Pass& pass, const Body& f, const PassOptions& options);
// The same for a step that binds a function to a use, which cannot be switched off.
Body run_step(std::string_view name, const Body& f, const std::function<Body(const Body&)>& step,
              const PassOptions& options);
// All passes, again and again until none changes the function (eight rounds at most). Throws a usage error on an
// unknown name among the disabled; what a pass throws is given the pass's name.
Body simplify(const Body& f, const PassOptions& options = {});

}  // namespace viva
