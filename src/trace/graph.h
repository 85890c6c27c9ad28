// From a C++ function to a function of the graph.
#pragma once

#include "trace/scope.h"
#include "viva/transform.h"

namespace viva::tracing {

struct Graph {
  Body body;                   // parameters: the leaves that are not empty, then the hidden ones
  Tensors hidden;              // what the hidden parameters stand for
  std::vector<size_t> leaves;  // of the first parameters
  Marks present;               // which outputs are not empty; the body has these
  // All arguments of body, from the leaves of the call.
  Tensors arguments(const Tensors& args) const;
  // One entry for each parameter: marked, and of a dtype with tangent.
  Mask active(const Marks& marks) const;
  // The body's outputs among the empty ones.
  Tensors outputs(std::span<const Tensor> of_body) const;
};

struct Inputs {
  std::vector<Type> types;         // of the leaves; unused where empty
  Tensors values;                  // the leaves
  std::vector<std::string> names;  // or none
};
Inputs inputs_of(const Tensors& args);
Graph trace(Site site, Mode mode, const Fn& f, const Inputs& in, const Scope::Axis& axis = {});

// An operation that holds functions, over these operands: run, or put into the current scope.
Tensors applied(const char* op, Attrs attrs, std::vector<Body> bodies, const Tensors& args, Where where);

// f as a call of a function of this name, so that an engine may find it whole; its derivatives are those of its body.
// Runs f as it is where no scope is open.
Tensors named(const char* name, const Fn& f, const Tensors& args, Where where);

}  // namespace viva::tracing
