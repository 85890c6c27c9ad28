// jvp: beside each value its tangent, node by node. A null tangent is a symbolic zero and costs nothing.
#include <algorithm>

#include "transform/transformer.h"

namespace viva {
namespace {

bool any(Ins values) {
  return std::ranges::any_of(values, [](Value v) { return bool(v); });
}
std::string tangent_name(const std::string& name) { return name.empty() ? "" : name + ".tangent"; }

class JvpWalk {
 public:
  JvpWalk(const Function& f, Transforms& tf) : f_(f), tf_(tf), b_(f.name() + ".jvp") { b_.at({}); }

  std::pair<Body, Mask> run(const Mask& active, const Mask& force) {
    parameters(active);
    for (const Node& n : f_.nodes())
      if (n.op) node(n);
    missing_.throw_if_any();
    Values outputs = mapped(primal_, f_.outputs());
    std::vector<std::string> names = f_.output_names();
    Mask has;
    for (size_t i = 0; i < f_.outputs().size(); ++i) {
      const Value v = f_.outputs()[i];
      b_.at(v.node()->where);
      Value t = tangent_.contains(v) ? tangent_[v] : Value{};
      if (!t && force[i]) t = b_.zero(primal_.at(v));
      has.push_back(bool(t));
      if (!t) continue;
      outputs.push_back(t);
      names.push_back(tangent_name(names[i]));
    }
    return {tf_.pruner.pruned(b_.finish(std::move(outputs), std::move(names))), has};
  }

 private:
  void parameters(const Mask& active) {
    for (const Value& p : f_.params()) primal_[p] = b_.parameter_like(p);
    for (size_t i = 0; i < active.size(); ++i) {
      const Value p = f_.params()[i];
      if (!active[i]) continue;
      if (!has_tangent(p.dtype()))
        throw Error(ErrorKind::usage,
                    fmt::format("[jvp] parameter {} of {} is {}: it has no tangent", i, f_.name(), name(p.dtype())),
                    p.node()->where);
      b_.at(p.node()->where);
      tangent_[p] = b_.parameter(p.type(), tangent_name(p.name()));
    }
  }

  void node(const Node& n) {
    b_.at(n.where);
    const Values in = mapped(primal_, n.in), t = mapped(tangent_, n.in);
    Values out = b_.copy(n, in);
    const bool moves = any(t) && std::ranges::any_of(n.types, [](const Type& type) { return has_tangent(type.dtype); });
    if (moves && n.op->jvp) differentiate(n, in, t, out);
    else if (moves && n.op->jvp.absent().reason != Reason::no_tangent &&
             n.op->jvp.absent().reason != Reason::integer_output)
      missing_.add(n, n.op->jvp.absent());
    for (int i = 0; i < n.outputs(); ++i) primal_[n.out(i)] = out[static_cast<size_t>(i)];
  }

  void differentiate(const Node& n, Ins in, Ins t, Values& out) {
    const int64_t before = b_.nodes();
    const Values result = (*n.op->jvp)(b_, n, in, out, t, tf_);
    if (result.size() == 2 * out.size())
      std::copy_n(result.begin() + static_cast<int64_t>(out.size()), out.size(), out.begin());
    for (int i = 0; i < n.outputs(); ++i) {
      const auto k = static_cast<size_t>(i);
      b_.name_if_none(out[k], n.names[k]);
      if (!result[k]) continue;
      tangent_[n.out(i)] = result[k];
      // A tangent handed through is that of an operand, and may be named so.
      if (result[k].node()->id >= before) b_.name_if_none(result[k], tangent_name(n.names[k]));
    }
  }

  const Function& f_;
  Transforms& tf_;
  Build b_;
  ValueMap primal_, tangent_;
  MissingRules missing_{"jvp"};
};

}  // namespace

std::pair<Body, Mask> Transformer::make_jvp(const Body& f, const Mask& active, const Mask& force) {
  return JvpWalk(*f, *this).run(active, force);
}

}  // namespace viva
