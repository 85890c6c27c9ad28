// Named axes: a vmap with a name lends its examples' places to the functions inside.
#include <algorithm>

#include "trace/operand.h"
#include "viva/transform.h"

namespace viva {
namespace {

tracing::Scope& vmap_of(const char* what, std::string_view axis, Where where) {
  std::vector<std::string> known;
  if (tracing::Scope* s = tracing::Permit::with_axis(axis, known)) return *s;
  throw tracing::usage_at(where,
                          fmt::format("[{}] there is no axis \"{}\" here: {}", what, axis,
                                      known.empty() ? "no vmap around it has an axis_name"
                                                    : fmt::format("in scope \"{}\"", fmt::join(known, "\", \""))));
}

int64_t size_of(tracing::Scope& s) {
  (void)s.example();  // a rule that is traced late finds the axis by it
  return s.axis().size;
}

}  // namespace

Tensor axis_index(std::string_view axis, Loc l) { return vmap_of("axis_index", axis, l).example(); }

int64_t axis_size(std::string_view axis, Loc l) { return size_of(vmap_of("axis_size", axis, l)); }

Tensor axis_sum(const Arg& x, std::string_view axis) {
  const Tensor place = vmap_of("axis_sum", axis, x.where).example(), t = tracing::as_tensor(x);
  const Tensor numbers = t.dtype() == Dtype::boolean ? tracing::converted(t, Dtype::int32, x.where) : t;
  return tracing::emit("axis_sum", {&numbers, &place}, {}, x.where);
}

Tensor axis_mean(const Arg& x, std::string_view axis) {
  const auto n = static_cast<double>(size_of(vmap_of("axis_mean", axis, x.where)));
  const Tensor t = tracing::as_float(x), wide = tracing::converted(t, tracing::summed_in(t.dtype()), x.where);
  return tracing::converted(axis_sum({wide, x.where}, axis) / n, t.dtype(), x.where);
}

}  // namespace viva
