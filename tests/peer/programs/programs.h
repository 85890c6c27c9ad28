// Programs that Viva and JAX both have: those of NAME.cpp stand in NAME.py under the same names.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "viva/viva.h"

namespace viva::peer {

using In = const std::vector<Tensor>&;

// A function of tensors of any float dtype, some also of settings: shapes, axes, strides, as each program says.
struct Program {
  std::function<Tensor(In, const Ints&)> run;

  template <class F>
    requires std::is_invocable_v<F, In, const Ints&>
  Program(F f) : run(std::move(f)) {}
  template <class F>
    requires std::is_invocable_v<F, In>
  Program(F f) : run([f](In x, const Ints&) { return f(x); }) {}
  Program(Tensor (*f)(const Arg&)) : run([f](In x, const Ints&) { return f(x[0]); }) {}
  Program(Tensor (*f)(const Arg&, const Arg&)) : run([f](In x, const Ints&) { return f(x[0], x[1]); }) {}
};
using Programs = std::map<std::string, Program>;

// Several results as one vector; that of a mixture is complex.
inline Tensor all_of(const std::vector<Tensor>& parts) {
  std::vector<Tensor> flat;
  for (const Tensor& t : parts) flat.push_back(flatten(t));
  return concatenate(flat);
}

Programs pointwise_programs();
Programs reduction_programs();
Programs matrix_programs();
Programs window_programs();
Programs movement_programs();
Programs index_programs();
Programs control_programs();
Programs nested_programs();
Programs layer_programs();
Programs safe_programs();
Programs thread_programs();

}  // namespace viva::peer
