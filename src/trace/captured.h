// What the functions of one operation capture, each tensor once.
#pragma once

#include "trace/graph.h"

namespace viva::tracing {

class Captured {
 public:
  void add(const Graph& g);
  // The function of the graph number `which` that was added, over its first parameters, everything captured, and its
  // other leaves.
  Body over(const Graph& g, size_t which, size_t first) const;
  // The same of a graph that was not added. Throws a usage error, at the site, where it captures something else.
  Body over(const Graph& g, size_t first, Site site) const;

  Tensors all;

 private:
  std::vector<std::vector<size_t>> places_;  // of what each function captures, in all
};

}  // namespace viva::tracing
