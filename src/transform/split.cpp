// split: what the known inputs decide, and the rest. Values that cross over are residuals.
#include "graph/prune.h"
#include "ops/record.h"
#include "transform/transformer.h"

namespace viva {
namespace {

class Site final : public SplitSite {
 public:
  Site(Build& k, Build& u, Ins ik, Ins iu, ValueMap& crossed, Values& residuals, Values& params)
      : SplitSite(k, u, ik, iu), crossed_(crossed), residuals_(residuals), params_(params) {}

  Value residual(Value v) override {
    if (const auto it = crossed_.find(v); it != crossed_.end()) return it->second;
    return crossed_[v] = remade(v) ? copy(v) : parameter(v);
  }

 private:
  // What a small constant spreads to costs less to make again than to keep.
  static bool remade(Value v) {
    const Node& n = *v.node();
    return n.op && n.outputs() == 1 && (n.in.empty() ? numel(n.types[0].shape) <= 64 : splat_value(v).has_value());
  }
  Value copy(Value v) {
    Values in;
    for (const Value& i : v.node()->in) in.push_back(residual(i));
    return unknown.repeat(*v.node(), std::move(in)).front();
  }
  Value parameter(Value v) {
    residuals_.push_back(v);
    return params_.emplace_back(unknown.late_parameter(v.type(), v.name()));
  }

  ValueMap& crossed_;
  Values &residuals_, &params_;
};

}  // namespace

SplitBody Transformer::make_split(const Body& f, const Mask& known, const Mask& force_unknown) {
  Build k(f->name() + ".known"), u(f->name() + ".unknown");
  ValueMap on_known, on_unknown, crossed;
  Values residuals, residual_params, unknown_params;
  for (size_t i = 0; i < known.size(); ++i) {
    const Value p = f->params()[i];
    if (known[i]) on_known[p] = k.parameter(p.type(), p.name());
    else unknown_params.emplace_back(on_unknown[p] = u.late_parameter(p.type(), p.name()));
  }
  Missing missing("split");
  for (const Node& n : f->nodes()) {
    if (!n.op) continue;
    if (!n.op->split) {
      missing.add(n, n.op->split.absent());
      continue;
    }
    k.at(n.where), u.at(n.where);
    const Values ik = mapped(on_known, n.in), iu = mapped(on_unknown, n.in);
    Site site(k, u, ik, iu, crossed, residuals, residual_params);
    Values ok(n.types.size()), ou(n.types.size());
    (*n.op->split)(site, n, ok, ou, *this);
    for (int i = 0; i < n.outputs(); ++i) {
      if (ok[static_cast<size_t>(i)]) on_known[n.out(i)] = ok[static_cast<size_t>(i)];
      if (ou[static_cast<size_t>(i)]) on_unknown[n.out(i)] = ou[static_cast<size_t>(i)];
    }
  }
  missing.throw_if_any();
  SplitBody result;
  Values known_out, unknown_out;
  std::vector<std::string> known_names, unknown_names;
  Site site(k, u, {}, {}, crossed, residuals, residual_params);
  for (size_t i = 0; i < f->outputs().size(); ++i) {
    const Value v = f->outputs()[i];
    const bool stays = on_known.contains(v) && !force_unknown[i];
    result.out_known.push_back(stays);
    (stays ? known_names : unknown_names).push_back(f->output_names()[i]);
    if (stays) known_out.push_back(on_known[v]);
    else unknown_out.push_back(on_known.contains(v) ? site.residual(on_known[v]) : on_unknown.at(v));
  }
  // Only residuals that the unknown outputs need cross over.
  Mask droppable(residuals.size(), true);
  droppable.resize(residuals.size() + unknown_params.size(), false);
  residual_params.insert(residual_params.end(), unknown_params.begin(), unknown_params.end());
  const Body unknown = u.finish_with(residual_params, std::move(unknown_out), std::move(unknown_names));
  const Pruned kept = prune(*unknown, Mask(unknown->outputs().size(), true), droppable);
  result.unknown = kept.body;
  Values order;
  for (size_t i = 0; i < residuals.size(); ++i)
    if (kept.params[i]) order.push_back(residuals[i]);
  result.residuals = static_cast<int64_t>(order.size());
  known_out.insert(known_out.end(), order.begin(), order.end());
  known_names.resize(known_out.size());
  const Body known_all = k.finish(std::move(known_out), std::move(known_names));
  result.known = pruned(*known_all);
  return result;
}

}  // namespace viva
