// split: what the known inputs decide, and the rest. Values that cross over are residuals.
#include "ops/record.h"
#include "transform/transformer.h"

namespace viva {
namespace {

// What crosses over, and how.
struct Crossing {
  ValueMap value;            // known side to unknown side
  Values residuals, params;  // the same values on the known and on the unknown side
};

class Site final : public SplitSite {
 public:
  Site(Build& k, Build& u, Ins ik, Ins iu, Crossing& crossing) : SplitSite(k, u, ik, iu), crossing_(crossing) {}

  Value residual(Value v) override {
    if (const auto it = crossing_.value.find(v); it != crossing_.value.end()) return it->second;
    return crossing_.value[v] = remade(v) ? copy(v) : parameter(v);
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
    return unknown.copy(*v.node(), std::move(in)).front();
  }
  Value parameter(Value v) {
    unknown.at(v.node()->where);
    crossing_.residuals.push_back(v);
    return crossing_.params.emplace_back(unknown.late_parameter(v.type(), v.name()));
  }

  Crossing& crossing_;
};

class SplitWalk {
 public:
  SplitWalk(const Function& f, Transforms& tf) : f_(f), tf_(tf), k_(f.name() + ".known"), u_(f.name() + ".unknown") {
    k_.at({}), u_.at({});
  }

  SplitBody run(const Mask& known, const Mask& force_unknown) {
    for (size_t i = 0; i < known.size(); ++i) {
      const Value p = f_.params()[i];
      u_.at(p.node()->where);
      if (known[i]) on_known_[p] = k_.parameter_like(p);
      else unknown_params_.emplace_back(on_unknown_[p] = u_.late_parameter(p.type(), p.name()));
    }
    for (const Node& n : f_.nodes())
      if (n.op) node(n);
    missing_.throw_if_any();
    for (size_t i = 0; i < f_.outputs().size(); ++i) output(i, force_unknown[i]);
    return finish();
  }

 private:
  void node(const Node& n) {
    if (!n.op->split) {
      missing_.add(n, n.op->split.absent());
      return;
    }
    k_.at(n.where), u_.at(n.where);
    const Values ik = mapped(on_known_, n.in), iu = mapped(on_unknown_, n.in);
    Site site(k_, u_, ik, iu, crossing_);
    Values ok(n.types.size()), ou(n.types.size());
    (*n.op->split)(site, n, ok, ou, tf_);
    for (int i = 0; i < n.outputs(); ++i) {
      const auto at = static_cast<size_t>(i);
      k_.name_if_none(ok[at], n.names[at]), u_.name_if_none(ou[at], n.names[at]);
      if (ok[at]) on_known_[n.out(i)] = ok[at];
      if (ou[at]) on_unknown_[n.out(i)] = ou[at];
    }
  }

  void output(size_t i, bool force_unknown) {
    const Value v = f_.outputs()[i];
    const bool stays = on_known_.contains(v) && !force_unknown;
    out_known_.push_back(stays);
    (stays ? known_names_ : unknown_names_).push_back(f_.output_names()[i]);
    if (stays) known_out_.push_back(on_known_[v]);
    else if (!on_known_.contains(v)) unknown_out_.push_back(on_unknown_.at(v));
    else unknown_out_.push_back(Site(k_, u_, {}, {}, crossing_).residual(on_known_[v]));
  }

  SplitBody finish() {
    // Only residuals that the unknown outputs need cross over.
    Mask droppable(crossing_.residuals.size(), true);
    droppable.resize(crossing_.residuals.size() + unknown_params_.size(), false);
    Values params = crossing_.params;
    params.insert(params.end(), unknown_params_.begin(), unknown_params_.end());
    const Body unknown = u_.finish_with(std::move(params), std::move(unknown_out_), std::move(unknown_names_));
    const Pruned kept = tf_.pruner.prune(unknown, Mask(unknown->outputs().size(), true), droppable);
    int64_t residuals = 0;
    for (size_t i = 0; i < crossing_.residuals.size(); ++i)
      if (kept.params[i]) known_out_.push_back(crossing_.residuals[i]), ++residuals;
    known_names_.resize(known_out_.size());
    const Body known = tf_.pruner.pruned(k_.finish(std::move(known_out_), std::move(known_names_)));
    return {known, kept.body, std::move(out_known_), residuals};
  }

  const Function& f_;
  Transforms& tf_;
  Build k_, u_;
  ValueMap on_known_, on_unknown_;
  Crossing crossing_;
  Values unknown_params_, known_out_, unknown_out_;
  std::vector<std::string> known_names_, unknown_names_;
  Mask out_known_;
  MissingRules missing_{"split"};
};

}  // namespace

SplitBody Transformer::make_split(const Body& f, const Mask& known, const Mask& force_unknown) {
  return SplitWalk(*f, *this).run(known, force_unknown);
}

}  // namespace viva
