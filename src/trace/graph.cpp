#include "trace/graph.h"

#include "base/error.h"

namespace viva::tracing {

Tensors Graph::arguments(const Tensors& args) const {
  Tensors all;
  for (size_t i : leaves) all.push_back(args[i]);
  all.insert(all.end(), hidden.begin(), hidden.end());
  return all;
}

Mask Graph::active(const Marks& marks) const {
  Mask m(body->params().size(), false);
  for (size_t k = 0; k < leaves.size(); ++k) m[k] = marks[leaves[k]] && has_tangent(body->params()[k].dtype());
  return m;
}

Tensors Graph::outputs(std::span<const Tensor> of_body) const {
  Tensors all(present.size());
  for (size_t i = 0, k = 0; i < present.size(); ++i)
    if (present[i]) all[i] = of_body[k++];
  return all;
}

Inputs inputs_of(const Tensors& args) {
  Inputs in{{}, args, {}};
  for (const Tensor& t : args) in.types.push_back(t.empty() ? Type{} : t.type());
  return in;
}

namespace {

// The error with the transformations around it, from the inside out; each is named once.
Error with_chain(const Error& e, const Scope* scope) {
  std::string message = e.message();
  for (; scope; scope = scope->parent().get()) {
    const std::string place = to_string(scope->opened());
    const auto named = [&](const std::string& text) { return message.find(text) != std::string::npos; };
    const std::string level = fmt::format("{} at {}", scope->what(), place);
    if (!place.empty() && !named(level) && !named(fmt::format("{} ({})", scope->what(), place)))
      message += "; inside " + level;
  }
  return Error(e.kind(), std::move(message), e.where());
}

Graph traced_in(Scope& scope, Site site, const Fn& f, const Inputs& in) {
  Graph g;
  Tensors leaves(in.values.size());
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (in.values[i].empty()) continue;
    leaves[i] = scope.parameter(in.types[i], in.names.empty() ? "" : in.names[i], in.values[i]);
    g.leaves.push_back(i);
  }
  const Tensors out = f(leaves);
  Values outputs;
  for (const Tensor& t : out) {
    g.present.push_back(!t.empty());
    if (!t.empty()) outputs.push_back(scope.lift(t, site.where));
  }
  g.body = scope.close(outputs);
  g.hidden = scope.hidden();
  return g;
}

}  // namespace

Graph trace(Site site, Mode mode, const Fn& f, const Inputs& in, const Scope::Axis& axis) {
  const Open scope(site.what, site.where, mode);
  scope->set_axis(axis);
  try {
    return traced_in(*scope, site, f, in);
  } catch (const Error& e) { throw with_chain(e, &*scope); }
}

Tensors applied(const char* op, Attrs attrs, std::vector<Body> bodies, const Tensors& args, Where where) {
  Build b(op);
  b.at(where);
  Values in;
  for (const Tensor& t : args) in.push_back(b.parameter(t.type()));
  Values out;
  try {
    out = b.emit(op, std::move(in), std::move(attrs), std::move(bodies), where);
  } catch (const Error& e) { throw Error(e.kind(), e.message(), line_or(where)); }
  return apply(b.finish(std::move(out)), args, where);
}

}  // namespace viva::tracing
