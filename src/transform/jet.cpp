// jet: beside each value the coefficients of its Taylor series. A null coefficient is a symbolic zero and costs
// nothing.
#include <algorithm>

#include "ops/series.h"
#include "transform/jet_terms.h"

namespace viva {
namespace {

std::string coefficient_name(const std::string& name, int64_t k) {
  return name.empty() ? "" : fmt::format("{}.coefficient{}", name, k);
}

class JetWalk {
 public:
  JetWalk(const Function& f, const Taylor& series, Transforms& tf)
      : f_(f), series_(series), tf_(tf), b_(f.name() + ".jet"), terms_(b_, series, tf, missing_) {
    b_.at({});
  }

  std::pair<Body, Mask> run(const Mask& present, const Mask& force) {
    parameters(present);
    for (const Node& n : f_.nodes()) {
      if (!n.op) continue;
      b_.at(n.where);
      const Values out = terms_.node(n, mapped(map_, n.in));
      for (int i = 0; i < n.outputs(); ++i) map_[n.out(i)] = out[static_cast<size_t>(i)];
    }
    missing_.throw_if_any();
    Values outputs;
    std::vector<std::string> names = f_.output_names();
    Mask has;
    for (const Value& y : f_.outputs()) outputs.push_back(terms_.at(map_.at(y), 0).value);
    for (size_t i = 0; i < f_.outputs().size(); ++i)
      for (int64_t k = 1; k <= series_.order; ++k) {
        const Value c = coefficient(f_.outputs()[i], k, force[has.size()]);
        has.push_back(bool(c));
        if (!c) continue;
        outputs.push_back(c);
        names.push_back(coefficient_name(f_.output_names()[i], k));
      }
    return {tf_.pruner.pruned(b_.finish(std::move(outputs), std::move(names))), has};
  }

 private:
  Type coefficient_type(Value v, int64_t k) const {
    Type t = v.type();
    if (series_.directional(k)) t.shape = inserted(t.shape, 0, series_.directions);
    return t;
  }

  void parameters(const Mask& present) {
    std::vector<std::vector<Coefficient>> all;
    for (const Value& p : f_.params()) all.push_back({{b_.parameter_like(p)}});
    for (size_t i = 0, next = 0; i < all.size(); ++i) {
      const Value p = f_.params()[i];
      b_.at(p.node()->where);
      for (int64_t k = 1; k <= series_.order; ++k) {
        if (!present[next++]) all[i].emplace_back();
        else if (!has_tangent(p.dtype()))
          throw Error(ErrorKind::usage,
                      fmt::format("[jet] parameter {} of {} is {}: it has no series", i, f_.name(), name(p.dtype())),
                      p.node()->where);
        else
          all[i].push_back(
              {b_.parameter(coefficient_type(p, k), coefficient_name(p.name(), k)), series_.directional(k)});
      }
      map_[p] = terms_.given(p.type(), std::move(all[i]));
    }
  }

  Value coefficient(Value y, int64_t k, bool force) {
    b_.at(y.node()->where);
    const Coefficient c = terms_.at(map_.at(y), k);
    if (!c) return force ? b_.full(coefficient_type(y, k), 0) : Value{};
    return series_.directional(k) ? spread_over(b_, c, series_.directions) : c.value;
  }

  const Function& f_;
  Taylor series_;
  Transforms& tf_;
  Build b_;
  MissingRules missing_{"jet"};
  JetTerms terms_;
  ValueMap map_;  // to terms
};

}  // namespace

std::pair<Body, Mask> Transformer::make_jet(const Body& f, const Taylor& series, const Mask& present,
                                            const Mask& force) {
  return JetWalk(*f, series, *this).run(present, force);
}

}  // namespace viva
