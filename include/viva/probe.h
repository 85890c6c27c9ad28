// Values that a function names with tap(x, "name"), at any depth: in functions it calls, loops, branches and vmaps;
// values of an OnnxModel, by their names in the file; and what derivatives do with them, as "name.tangent" and
// "name.cotangent".
//   probe(f, {"h"})(args…)               std::pair(f(args…), readings); readings("h") is the value
//   probe(f)(args…)                      the same of every tap
//   intervene(f, "h", edit)(args…)       f(args…) with edit(h) in the place of h; edit(h, place) sees where it is
//   intervene(f, readings)(args…)        f(args…) with the values that were read, in another run perhaps, put back
// What no result needs is left out, and a name in it is not there: tap(x, "h") is used, not dropped, and values that a
// derivative does not need are read inside, by grad(probe(loss), has_aux). A name that is not there is a usage error
// that lists those that are.
#pragma once

#include <map>

#include "viva/transform.h"

namespace viva {

// A value as probe reads it. A scan has its steps in front, then a vmap inside f its examples; what all examples share
// has no axis of them. A while_loop gives the value of its last step.
struct Reading {
  Tensor value;
  // Where branches and loops computed it: bool of the value's leading dimensions; elsewhere the value means nothing.
  // Empty: everywhere.
  Tensor taken;
};

// A tree, so that it passes through grad, vmap, compile and the others.
struct Readings {
  // One for each time that the name is met, in the order in which that happens.
  std::map<std::string, std::vector<Reading>> places;
  // The value under a name. Throws a usage error where it is not there, or names several values.
  const Tensor& operator()(const std::string& name, Loc = Loc::current()) const;
};

// Where an intervention is.
struct Place {
  std::string name;
  size_t number = 0;          // among the values of that name, in the order of Readings::places
  std::vector<Tensor> steps;  // of the loops around it, outermost first: int64[]
  bool in_while = false;
};

namespace tracing {

using Names = std::vector<std::string>;
using Edit = std::function<Tensor(const Tensor&, const Place&)>;

std::pair<Tensors, Readings> probe(Site, const Fn&, const Tensors& args, const Names&);
// everywhere: the edit does not ask for the place, and is traced once for each type.
Tensors intervene(Site, const Fn&, const Tensors& args, const Names&, const Edit&, bool everywhere);
Names names_of(const Readings&);
Edit put_back(Site, const Readings&);

template <class F> struct Probe {
  F f;
  Site site;
  Names names;
  template <class... A> auto operator()(const A&... args) const {
    Call<F, A...> call(f, args...);
    auto [outputs, readings] = tracing::probe(site, call.function(), call.given, names);
    return std::pair(call.result(outputs), std::move(readings));
  }
};

template <class F> struct Intervene {
  F f;
  Site site;
  Names names;
  Edit edit;
  bool everywhere;
  template <class... A> auto operator()(const A&... args) const {
    Call<F, A...> call(f, args...);
    const Tensors out = tracing::intervene(site, call.function(), call.given, names, edit, everywhere);
    return call.result(out);
  }
};

}  // namespace tracing

template <class F> auto probe(F f, std::vector<std::string> names = {}, Loc l = Loc::current()) {
  return tracing::Probe<F>{std::move(f), {"probe", l}, std::move(names)};
}

// The edit gives a tensor of the value's type; it may capture tensors, and is differentiated like any other part of f.
// It sees the value of one step of a loop, and that of all examples of a vmap inside f together, in front.
template <class F, class E> auto intervene(F f, std::string name, E edit, Loc l = Loc::current()) {
  constexpr bool asks = std::is_invocable_v<const E&, const Tensor&, const Place&>;
  static_assert(asks || std::is_invocable_v<const E&, const Tensor&>,
                "viva: an edit takes the value, and perhaps its Place, and returns another in its place");
  tracing::Edit general;
  if constexpr (asks) general = std::move(edit);
  else general = [edit = std::move(edit)](const Tensor& value, const Place&) { return Tensor(edit(value)); };
  return tracing::Intervene<F>{std::move(f), {"intervene", l}, {std::move(name)}, std::move(general), !asks};
}

// Values of a while_loop cannot be put back, because they are of its last step alone; leave them out, or edit them.
template <class F> auto intervene(F f, const Readings& readings, Loc l = Loc::current()) {
  const tracing::Site site{"intervene", l};
  return tracing::Intervene<F>{std::move(f), site, tracing::names_of(readings), tracing::put_back(site, readings),
                               false};
}

}  // namespace viva
