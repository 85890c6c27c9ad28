// What the transformations of traced functions share.
#pragma once

#include "base/error.h"
#include "trace/graph.h"

namespace viva::tracing {

Graph traced(Site site, const Fn& f, const Tensors& args);
// The parameters marked that have a tangent. Throws a usage error where there is none.
Mask active_in(const Graph& g, const Marks& marks, Site site);
// Tangents of the float outputs of a body, put at the outputs of the function.
Tensors at_outputs(const Graph& g, std::span<const Tensor> tangents);

// Runs a transformation: its errors get the line of the site where they have none.
template <class F> auto at_site(Site site, F&& f) {
  try {
    return f();
  } catch (const Error& e) {
    if (e.where()) throw;
    throw Error(e.kind(), e.message(), line_or(site.where));
  }
}

}  // namespace viva::tracing
