// A scan in two, and backwards.
#include <array>

#include "graph/prune.h"
#include "ops/scan.h"

namespace viva {
namespace {

// What the known operands of a scan decide, and the rest of it. Known carries are those that come in known and stay so.
// Of the residuals those that are the same for every step are computed once, before the scan, and those that are
// elements of an array are not stacked again.
class ScanParts {
 public:
  // in: null where unknown. Emits the known part where it computes anything.
  ScanParts(Build& b, const Node& n, Ins in, Transforms& tf) : s_(Scan::of(n)), known_(present(in)) {
    settle(n.bodies[0], tf);
    for (size_t i = 0; i < s_.inputs(); ++i)
      if (known_[i]) (i < s_.consts ? consts_ : s_.is_carry(i) ? carries_ : xs_).push_back(in[i]);
    own_ = static_cast<size_t>(std::ranges::count(parts_.out_known, true));
    sort_residuals();
    compute_once(b, tf);
    compute_steps(b, tf);
    rearrange();
  }

  const Mask& out_known() const { return parts_.out_known; }
  bool carry_known(size_t input) const { return known_[input]; }
  Values known;       // the outputs known, in order
  Values consts, xs;  // residuals on the known side: the same for every step, and stacked
  // From the residual constants, unknown constants, unknown carries, residual arrays and unknown arrays.
  Body rest;

 private:
  void settle(const Body& f, Transforms& tf) {
    for (bool more = true; more;) {
      Mask force(s_.outputs(), false);
      for (size_t i = 0; i < s_.carries; ++i) force[i] = !known_[s_.consts + i];
      parts_ = tf.split(f, known_, force);
      more = false;
      for (size_t i = 0; i < s_.carries; ++i)
        if (known_[s_.consts + i] && !parts_.out_known[i]) known_[s_.consts + i] = false, more = true;
    }
  }

  void sort_residuals() {
    const size_t params = parts_.known->params().size();
    Mask steps(params, true);  // the parameters that change from step to step
    std::fill_n(steps.begin(), consts_.size(), false);
    const Mask varies = parts_.known->dependence().reached_from(steps);
    const std::vector<int64_t> direct = forwarded(parts_);
    for (size_t i = 0; i < direct.size(); ++i) {
      const int64_t element = direct[i] - static_cast<int64_t>(consts_.size() + carries_.size());
      if (!varies[own_ + i]) once_.push_back(i);
      else if (element >= 0) elements_.emplace_back(i, element);
      else stacked_.push_back(i);
    }
  }

  Mask outputs(const std::vector<size_t>& residuals, bool own) const {
    Mask m(own_ + static_cast<size_t>(parts_.residuals), false);
    std::fill_n(m.begin(), own_, own);
    for (const size_t i : residuals) m[own_ + i] = true;
    return m;
  }

  void compute_once(Build& b, Transforms& tf) {
    if (once_.empty()) return;
    const Pruned f = tf.pruner.prune(parts_.known, outputs(once_, false), Mask(parts_.known->params().size(), true));
    Values args;
    for (size_t i = 0; i < consts_.size(); ++i)
      if (f.params[i]) args.push_back(consts_[i]);
    consts = b.inline_call(*f.body, args);
  }

  void compute_steps(Build& b, Transforms& tf) {
    if (own_ > 0 || !stacked_.empty()) {
      Mask droppable(parts_.known->params().size(), true);
      std::fill_n(droppable.begin() + static_cast<int64_t>(consts_.size()), carries_.size(), false);
      const Pruned f = tf.pruner.prune(parts_.known, outputs(stacked_, true), droppable);
      const auto kept = [&f](const Values& v, size_t from) {
        Values k;
        for (size_t i = 0; i < v.size(); ++i)
          if (f.params[from + i]) k.push_back(v[i]);
        return k;
      };
      const Values out =
          emit_scan(b, s_, kept(consts_, 0), carries_, kept(xs_, consts_.size() + carries_.size()), f.body);
      known.assign(out.begin(), out.begin() + static_cast<int64_t>(own_));
      xs.assign(out.begin() + static_cast<int64_t>(own_), out.end());
    }
    for (const auto& [residual, element] : elements_) {
      stacked_.push_back(residual);
      xs.push_back(xs_[static_cast<size_t>(element)]);
    }
  }

  // The rest takes its residuals first; a scan has the stacked ones before the other arrays.
  void rearrange() {
    const auto residuals = static_cast<size_t>(parts_.residuals);
    const size_t arrays = s_.xs - xs_.size(), before = parts_.unknown->params().size() - arrays;
    std::vector<size_t> params = once_, outputs;
    add_places(params, residuals, before - residuals);
    params.insert(params.end(), stacked_.begin(), stacked_.end());
    add_places(params, before, arrays);
    add_places(outputs, 0, parts_.unknown->outputs().size());
    rest = rearranged(parts_.unknown, params, outputs);
  }

  Scan s_;
  Mask known_;
  SplitBody parts_;
  Values consts_, carries_, xs_;  // known
  size_t own_ = 0;                // known outputs
  std::vector<size_t> once_, stacked_;
  std::vector<std::pair<size_t, int64_t>> elements_;  // residual, and the array that it is an element of
};

// Backwards through the steps of a scan that is linear in its carries, in the constants from `residual_consts` on and
// in the arrays from `residual_xs` on. Carried are the cotangents of the carries and the sums of those of the
// constants.
class ScanBack {
 public:
  // ct: of the outputs, null for zero.
  ScanBack(const Scan& s, Body f, size_t residual_consts, size_t residual_xs, Ins ct)
      : s_(s),
        f_(std::move(f)),
        consts_(residual_consts),
        xs_(residual_xs),
        given_(present(ct)),
        ct_(ct.begin(), ct.end()) {
    const Dependence& depends = f_->dependence();
    Mask needed = depends.needed_by(given_);
    for (bool more = true; more; needed = depends.needed_by(given_)) {
      more = false;
      for (size_t i = 0; i < s_.carries; ++i)
        if (needed[s_.consts + i] && !given_[i]) given_[i] = more = true;
    }
    summed_ = part(needed, consts_, s_.consts - consts_);
  }

  // The cotangents of the carries, of the linear constants and of the linear arrays; null for zero.
  Values run(Build& b, Ins residual_consts, Ins residual_xs, Transforms& tf) const {
    Values first, stacked(residual_xs.begin(), residual_xs.end());
    for (size_t i = 0; i < s_.carries; ++i)
      if (given_[i]) first.push_back(ct_[i] ? ct_[i] : b.full(type(s_.consts + i), 0));
    for (size_t i = 0; i < summed_.size(); ++i)
      if (summed_[i]) first.push_back(b.full(type(consts_ + i), 0));
    append<Value>(stacked, only_present(std::span(ct_).subspan(s_.carries)));
    Scan back = s_;
    back.reverse = !s_.reverse;
    const Values got = emit_scan(b, back, residual_consts, first, stacked, step(tf));
    Values r;
    size_t next = 0;
    for (size_t i = 0; i < s_.carries; ++i) r.push_back(given_[i] ? got[next++] : Value{});
    for (const bool summed : summed_) r.push_back(summed ? got[next++] : Value{});
    append<Value>(r, std::span(got).subspan(next));
    return r;
  }

 private:
  const Type& type(size_t input) const { return f_->params()[input].type(); }

  // From the residual constants, the cotangents of the carries, the sums so far, the residual elements and the
  // cotangents of the stacked results.
  Body step(Transforms& tf) const {
    Mask linear(s_.inputs(), true);
    std::fill_n(linear.begin(), consts_, false);
    std::fill_n(linear.begin() + static_cast<int64_t>(s_.consts + s_.carries), xs_, false);
    Build b(f_->name() + ".back");
    b.at({});
    Values args, sums(summed_.size()), cts;
    for (size_t i = 0; i < consts_; ++i) args.push_back(b.parameter(type(i)));
    for (size_t i = 0; i < s_.carries; ++i)
      if (given_[i]) cts.push_back(b.parameter(type(s_.consts + i)));
    for (size_t i = 0; i < sums.size(); ++i)
      if (summed_[i]) sums[i] = b.parameter(type(consts_ + i));
    for (size_t i = 0; i < xs_; ++i) args.push_back(b.parameter(type(s_.consts + s_.carries + i)));
    for (size_t i = s_.carries; i < s_.outputs(); ++i)
      if (given_[i]) cts.push_back(b.parameter(f_->outputs()[i].type()));
    append<Value>(args, cts);
    const Values made = b.inline_call(*tf.transpose(f_, linear, given_), args);
    Values out;
    for (size_t i = 0; i < s_.carries; ++i)
      if (given_[i]) out.push_back(made[sums.size() + i]);
    for (size_t i = 0; i < sums.size(); ++i)
      if (sums[i]) out.push_back(b.add(sums[i], made[i]));
    append<Value>(out, std::span(made).subspan(sums.size() + s_.carries));
    return tf.pruner.pruned(b.finish(std::move(out)));
  }

  Scan s_;
  Body f_;
  size_t consts_, xs_;  // residuals
  Mask given_;          // the outputs that have a cotangent at some step
  Mask summed_;         // the linear constants that get one
  Values ct_;
};

}  // namespace

void split_scan(SplitSite& site, const Node& n, std::span<Value> out_known, std::span<Value> out_unknown,
                Transforms& tf) {
  const Scan s = Scan::of(n);
  if (all(present(site.in_known))) return plain_split(site, n, out_known, out_unknown, tf);
  const ScanParts parts(site.known, n, site.in_known, tf);
  std::array<Values, 3> args;
  for (const Value& v : parts.consts) args[0].push_back(site.residual(v));
  for (const Value& v : parts.xs) args[2].push_back(site.residual(v));
  for (size_t i = 0; i < s.inputs(); ++i)
    if (s.is_carry(i) && !parts.carry_known(i))
      args[1].push_back(site.in_unknown[i] ? site.in_unknown[i] : site.residual(site.in_known[i]));
    else if (!s.is_carry(i) && !site.in_known[i]) args[i < s.consts ? 0 : 2].push_back(site.in_unknown[i]);
  Values rest;
  if (!all(parts.out_known())) rest = emit_scan(site.unknown, s, args[0], args[1], args[2], parts.rest);
  for (size_t i = 0, k = 0, u = 0; i < s.outputs(); ++i)
    if (parts.out_known()[i]) out_known[i] = parts.known[k++];
    else out_unknown[i] = rest[u++];
}

// What does not depend on the linear operands runs forwards first and leaves its residuals.
void transpose_scan(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> r, Transforms& tf) {
  const Scan s = Scan::of(n);
  const ScanParts parts(b, n, in, tf);
  const Mask given = present(in);
  Scan rest = s;
  rest.carries = rest.ys = 0;
  Values cotangents;
  for (size_t i = 0; i < s.outputs(); ++i)
    if (!parts.out_known()[i]) cotangents.push_back(ct[i]), ++(i < s.carries ? rest.carries : rest.ys);
  if (only_present(cotangents).empty()) return;
  rest.consts = parts.consts.size() + s.consts - marked(given, 0, s.consts);
  rest.xs = parts.xs.size() + s.xs - marked(given, s.consts + s.carries, s.xs);
  const ScanBack back(rest, parts.rest, parts.consts.size(), parts.xs.size(), cotangents);
  const Values out = back.run(b, parts.consts, parts.xs, tf);
  size_t carry = 0, constant = rest.carries, x = rest.carries + rest.consts - parts.consts.size();
  for (size_t i = 0; i < s.inputs(); ++i) {
    if (s.is_carry(i) ? parts.carry_known(i) : bool(in[i])) continue;
    const Value c = out[s.is_carry(i) ? carry++ : i < s.consts ? constant++ : x++];
    if (!in[i]) r[i] = c;
  }
}

}  // namespace viva
