// Named axes: a vmap with a name lends its examples' places to the functions inside.
#include <algorithm>

#include "trace/operand.h"
#include "viva/transform.h"

namespace viva {
namespace {

tracing::Scope& vmap_of(const char* what, std::string_view axis, Where where) {
  std::string known;
  for (tracing::Scope* s = tracing::current().get(); s; s = s->parent().get()) {
    if (s->axis().name.empty()) continue;
    if (s->axis().name == axis) return *s;
    known += fmt::format("{}\"{}\"", known.empty() ? ": in scope " : ", ", s->axis().name);
  }
  throw tracing::usage_at(where, fmt::format("[{}] there is no axis \"{}\" here{}", what, axis,
                                             known.empty() ? ": no vmap around it has an axis_name" : known));
}

}  // namespace

Tensor axis_index(std::string_view axis, Loc l) { return vmap_of("axis_index", axis, l).example(); }

int64_t axis_size(std::string_view axis, Loc l) { return vmap_of("axis_size", axis, l).axis().size; }

Tensor axis_sum(const Arg& x, std::string_view axis) {
  const Tensor place = vmap_of("axis_sum", axis, x.where).example(), t = tracing::as_tensor(x);
  const Tensor numbers = t.dtype() == Dtype::boolean ? tracing::converted(t, Dtype::int32, x.where) : t;
  return tracing::emit("axis_sum", {&numbers, &place}, {}, x.where);
}

Tensor axis_mean(const Arg& x, std::string_view axis) {
  const auto n = static_cast<double>(vmap_of("axis_mean", axis, x.where).axis().size);
  const Tensor t = tracing::as_float(x), wide = tracing::converted(t, tracing::summed_in(t.dtype()), x.where);
  return tracing::converted(axis_sum({wide, x.where}, axis) / n, t.dtype(), x.where);
}

}  // namespace viva
