// Operations outside a transformation: each runs at once, by a kernel that is prepared once for its types.
#pragma once

#include <memory>
#include <span>

#include "base/thread_pool.h"
#include "graph/graph.h"

namespace viva::tracing {

// The threads that eager operations and compiled programs share.
std::shared_ptr<ThreadPool> pool();

// The outputs of one node for these operands.
std::vector<Array> evaluate(const Node& n, std::span<const Array> in);
// The same for an operation by name; an error names the line.
std::vector<Array> evaluate(std::string_view op, std::span<const Array> in, Attrs attrs, Where where);
// The outputs of a function, node after node.
std::vector<Array> evaluate(const Function& f, std::vector<Array> args);

}  // namespace viva::tracing
