// The same graph in another precision, to see what rounding did.
#include <unordered_map>

#include "graph/deferred.h"
#include "graph/opdef.h"
#include "transform/rewrite.h"

namespace viva {
namespace {

class Retyping {
 public:
  explicit Retyping(Dtype to) : to_(to) {}

  Body run(const Body& f) {
    if (const auto it = memo_.find(f.get()); it != memo_.end()) return it->second;
    Build b(f->name());
    ValueMap map;
    for (const Value& p : f->params()) {
      b.at(p.node()->where);
      map[p] = b.parameter({changed(p.dtype(), p.node()->where), p.shape()}, p.name());
    }
    for (const Node& n : f->nodes()) {
      if (!n.op) continue;
      const Values out = retyped(b, n, mapped(map, n.in));
      for (int i = 0; i < n.outputs(); ++i) {
        const Value v = map[n.out(i)] = out[static_cast<size_t>(i)];
        b.name_if_none(v, n.names[static_cast<size_t>(i)]);
      }
    }
    return memo_.emplace(f.get(), b.finish(mapped(map, f->outputs()), f->output_names())).first->second;
  }

 private:
  // Complex numbers have parts of the new precision.
  Dtype changed(Dtype d, Where where = {}) const {
    if (!is_complex(d)) return is_float(d) ? to_ : d;
    if (size_of(to_) == 2)
      throw Error(ErrorKind::unsupported,
                  fmt::format("[retype] {} has no complex numbers for a {} to become", viva::name(to_), viva::name(d)),
                  where);
    return to_ == Dtype::float32 ? Dtype::complex64 : Dtype::complex128;
  }

  Values retyped(Build& b, const Node& n, Values in) {
    if (n.op->name == "bitcast" && (has_tangent(n.in[0].dtype()) || has_tangent(n.types[0].dtype)))
      throw Error(ErrorKind::unsupported, "[retype] bitcast: the bits of a float mean nothing in another precision",
                  n.where);
    for (const Type& t : n.types) changed(t.dtype, n.where);
    Attrs attrs;
    for (const auto& [name, value] : n.attrs.items()) attrs.set(name, changed(value));
    std::vector<Body> bodies;
    for (const Body& f : n.bodies)
      bodies.push_back(is_deferred(f) ? later(f, [to = to_](const Body& g) { return retype(g, to); }) : run(f));
    b.at(n.where);
    return b.emit(*n.op, std::move(in), std::move(attrs), std::move(bodies), n.where);
  }

  Attr changed(const Attr& a) const {
    if (const auto* d = std::get_if<Dtype>(&a)) return changed(*d);
    const auto* array = std::get_if<Array>(&a);
    return array && has_tangent(array->dtype()) ? Attr(array->converted(changed(array->dtype()))) : a;
  }

  Dtype to_;
  std::unordered_map<const Function*, Body> memo_;  // the caller of run holds the keys
};

}  // namespace

Body retype(const Body& f, Dtype to) {
  if (!is_float(to)) throw usage_error("[retype] {} is no float dtype", name(to));
  return Retyping(to).run(f);
}

}  // namespace viva
