// A while backwards. The states that its steps start from are found again from snapshots: between the last one and the
// step that is due another is taken half way, so that n steps need log2 n + 2 snapshots at once and at most
// n·(log2 n)/2 steps more (Griewank 1992, by bisection because the number of steps is counted first).
#include <bit>

#include "graph/prune.h"
#include "ops/taps.h"
#include "ops/while.h"

namespace viva {
namespace {

constexpr int64_t most_snapshots = 40;  // enough for 2^38 steps

Value at_index(Build& b, Value buffer, Value index) {
  Values starts{index};
  starts.resize(static_cast<size_t>(buffer.rank()), b.scalar(Dtype::int64, 0));
  Shape one = buffer.shape();
  one[0] = 1;
  const Value row = b.dynamic_slice(buffer, starts, one);
  return b.reshape(row, Shape(one.begin() + 1, one.end()));
}

Value put_at(Build& b, Value buffer, Value index, Value x) {
  Values starts{index};
  starts.resize(static_cast<size_t>(buffer.rank()), b.scalar(Dtype::int64, 0));
  return b.dynamic_update_slice(buffer, b.reshape(x, inserted(x.shape(), 0, 1)), starts);
}

Value plus(Build& b, Value x, double n) { return b.add(x, b.full_like(x, n)); }

// The parameters of a function in the making, group by group.
Values parameters(Build& b, const std::vector<Type>& types) {
  Values v;
  for (const Type& t : types) v.push_back(b.parameter(t));
  return v;
}

class WhileBack {
 public:
  WhileBack(const Node& n, Ins in, Ins ct, Transforms& tf) : w_(While::of(n)), tf_(tf), linear_(inverted(present(in))) {
    settle(n);
    for (size_t i = 0; i < w_.inputs(); ++i) {
      auto& group = i < w_.consts ? (linear_[i] ? linear_consts_ : consts_) : linear_[i] ? linear_carries_ : carries_;
      group.push_back(n.in[i].type());
    }
    for (size_t i = 0; i < w_.carries; ++i)
      if (linear_[w_.consts + i]) ct_.push_back(ct[i]);
    Mask force = part(linear_, w_.consts, w_.carries);
    parts_ = tf.split(n.bodies[1], inverted(linear_), force);
    parts_.known = without_taps(parts_.known);  // its steps run many times
    predicate(n);
    stepping();
    reach();
  }

  // Cotangents of the linear constants, then of the linear carries; null for zero. n steps take n turns back and at
  // most n - 1 forth.
  Values run(Build& b, Ins consts, Ins carries) {
    const Value count = counted(b, consts, carries);
    Values state{plus(b, count, -1), b.scalar(Dtype::int64, 0), positions(b)};
    for (const Value& v : carries) {
      Value buffer = b.full({v.dtype(), inserted(v.shape(), 0, snapshots())}, 0);
      state.push_back(put_at(b, buffer, b.scalar(Dtype::int64, 0), v));
    }
    for (size_t i = 0; i < ct_.size(); ++i)
      if (given_[i]) state.push_back(ct_[i] ? ct_[i] : b.full(linear_carries_[i], 0));
    for (size_t i = 0; i < linear_consts_.size(); ++i)
      if (summed_[i]) state.push_back(b.full(linear_consts_[i], 0));
    const std::vector<Type> types = all_types(state);
    const Values out = emit_while(b, 2 * w_.max_steps, consts, state, more_to_do(types), turn(types));
    Values r;
    size_t next = 3 + carries_.size(), sum = next + static_cast<size_t>(std::ranges::count(given_, true));
    for (const bool summed : summed_) r.push_back(summed ? out[sum++] : Value{});
    for (const bool given : given_) r.push_back(given ? out[next++] : Value{});
    return r;
  }
  const Mask& linear() const { return linear_; }

 private:
  // A carry is linear where it depends on a linear operand at some step.
  void settle(const Node& n) {
    const Dependence& depends = n.bodies[1]->dependence();
    for (bool more = true; more;) {
      more = false;
      const Mask reached = depends.reached_from(linear_);
      for (size_t i = 0; i < w_.carries; ++i)
        if (reached[i] && !linear_[w_.consts + i]) linear_[w_.consts + i] = more = true;
    }
  }

  void predicate(const Node& n) {
    const Dependence& depends = n.bodies[0]->dependence();
    require(!depends.reached_from(linear_)[0], "the predicate depends on what the loop is to be linear in");
    std::vector<size_t> known;
    for (size_t i = 0; i < w_.inputs(); ++i)
      if (!linear_[i]) known.push_back(i);
    predicate_ = rearranged(n.bodies[0], known, {0});
  }

  // The known carries' next values alone.
  void stepping() {
    Mask used(parts_.known->outputs().size(), false);
    std::fill_n(used.begin(), carries_.size(), true);
    step_ = tf_.pruner.prune(parts_.known, used).body;
  }

  // Which carries have a cotangent at some step, and which constants get one.
  void reach() {
    given_ = present(ct_);
    const Dependence& depends = parts_.unknown->dependence();
    const auto first = static_cast<size_t>(parts_.residuals);
    Mask needed = depends.needed_by(given_);
    for (bool more = true; more; needed = depends.needed_by(given_)) {
      more = false;
      for (size_t i = 0; i < given_.size(); ++i)
        if (needed[first + linear_consts_.size() + i] && !given_[i]) given_[i] = more = true;
    }
    summed_ = part(needed, first, linear_consts_.size());
  }

  int64_t snapshots() const {
    return w_.max_steps > 0 ? std::bit_width(static_cast<uint64_t>(w_.max_steps)) + 2 : most_snapshots;
  }
  Value positions(Build& b) const { return b.full({Dtype::int64, {snapshots()}}, 0); }
  std::vector<Type> all_types(const Values& state) const {
    std::vector<Type> types = consts_;
    append<Type>(types, types_of(state));
    return types;
  }

  // How many steps the loop takes.
  Value counted(Build& b, Ins consts, Ins carries) const {
    Values state(carries.begin(), carries.end());
    state.push_back(b.scalar(Dtype::int64, 0));
    std::vector<Type> types = consts_;
    append<Type>(types, types_of(state));
    std::vector<size_t> places;
    add_places(places, 0, types.size() - 1);
    Build f(step_->name());
    f.at({});
    const Values p = parameters(f, types);
    Values next = f.inline_call(*step_, std::span(p).first(p.size() - 1));
    next.push_back(plus(f, p.back(), 1));
    return emit_while(b, w_.max_steps, consts, state, over(predicate_, types, places), f.finish(std::move(next)))
        .back();
  }

  // due >= 0
  Body more_to_do(const std::vector<Type>& types) const {
    Build b("due");
    b.at({});
    const Values p = parameters(b, types);
    return b.finish({b.compare(Direction::ge, p[consts_.size()], b.scalar(Dtype::int64, 0))});
  }

  // One turn: the step that is due, backwards, where its state is the top snapshot, else a snapshot half way.
  Body turn(const std::vector<Type>& types) const {
    Build b("turn");
    b.at({});
    const Values p = parameters(b, types);
    const Value* state = p.data() + consts_.size();
    const Value top = at_index(b, state[2], state[1]);
    const Value here = b.compare(Direction::eq, top, state[0]);
    Values in{here};
    append<Value>(in, p);
    return b.finish(b.emit("cond", std::move(in), {}, {back(types), forth(types)}));
  }

  // A turn's parameters, in groups.
  struct Turn {
    Value due, top, positions;
    Values consts, buffers, rest;  // rest: cotangents, then sums
  };
  Turn groups(const Values& p) const {
    const auto all = std::span(p);
    const size_t c = consts_.size(), k = carries_.size();
    const auto values = [](Ins v) { return Values(v.begin(), v.end()); };
    return {
        p[c], p[c + 1], p[c + 2], values(all.first(c)), values(all.subspan(c + 3, k)), values(all.subspan(c + 3 + k))};
  }
  static Values restored(Build& b, const Turn& t) {
    Values v;
    for (const Value& buffer : t.buffers) v.push_back(at_index(b, buffer, t.top));
    return v;
  }

  Body back(const std::vector<Type>& types) const {
    Build b("back");
    b.at({});
    const Turn t = groups(parameters(b, types));
    Values args = t.consts;
    append<Value>(args, restored(b, t));
    const Values known = b.inline_call(*parts_.known, args);
    const auto residuals = static_cast<size_t>(parts_.residuals);
    Values in(known.end() - parts_.residuals, known.end());
    const auto given = static_cast<size_t>(std::ranges::count(given_, true));
    append<Value>(in, std::span(t.rest).first(given));
    Mask linear(parts_.unknown->params().size(), true);
    std::fill_n(linear.begin(), residuals, false);
    const Values made = b.inline_call(*tf_.transpose(parts_.unknown, linear, given_), in);
    Values out{plus(b, t.due, -1), plus(b, t.top, -1), t.positions};
    append<Value>(out, t.buffers);
    for (size_t i = 0; i < given_.size(); ++i)
      if (given_[i]) out.push_back(made[linear_consts_.size() + i]);
    for (size_t i = 0, next = given; i < summed_.size(); ++i)
      if (summed_[i]) out.push_back(b.add(t.rest[next++], made[i]));
    return tf_.pruner.pruned(b.finish(std::move(out)));
  }

  Body forth(const std::vector<Type>& types) const {
    Build b("forth");
    b.at({});
    const Turn t = groups(parameters(b, types));
    const Value from = at_index(b, t.positions, t.top);
    const Value steps = b.shift_right(plus(b, b.sub(t.due, from), 1), b.scalar(Dtype::int64, 1));
    Values consts = t.consts, state = restored(b, t);
    consts.push_back(steps);
    state.push_back(b.scalar(Dtype::int64, 0));
    std::vector<Type> inner = types_of(consts);
    append<Type>(inner, types_of(state));
    const Values reached = emit_while(b, (w_.max_steps + 1) / 2, consts, state, below(inner, consts.size() - 1),
                                      counting(inner, consts.size()));
    const Value next = plus(b, t.top, 1);
    Values out{t.due, next, put_at(b, t.positions, next, b.add(from, steps))};
    for (size_t i = 0; i < t.buffers.size(); ++i) out.push_back(put_at(b, t.buffers[i], next, reached[i]));
    append<Value>(out, t.rest);
    return b.finish(std::move(out));
  }

  // The last parameter below the one at `limit`.
  static Body below(const std::vector<Type>& types, size_t limit) {
    Build b("below");
    b.at({});
    const Values p = parameters(b, types);
    return b.finish({b.compare(Direction::lt, p.back(), p[limit])});
  }
  // A step, and one more counted; the constant before the carries is no operand of the step.
  Body counting(const std::vector<Type>& types, size_t consts) const {
    Build b(step_->name());
    b.at({});
    const Values p = parameters(b, types);
    Values args(p.begin(), p.begin() + static_cast<int64_t>(consts) - 1);
    append<Value>(args, std::span(p).subspan(consts, carries_.size()));
    Values out = b.inline_call(*step_, args);
    out.push_back(plus(b, p.back(), 1));
    return b.finish(std::move(out));
  }

  While w_;
  Transforms& tf_;
  Mask linear_;                                                          // of the operands
  std::vector<Type> consts_, linear_consts_, carries_, linear_carries_;  // the first and third: known
  Values ct_;                                                            // of the linear carries
  Mask given_, summed_;
  SplitBody parts_;
  Body predicate_, step_;  // over known constants and carries
};

}  // namespace

void transpose_while(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> r, Transforms& tf) {
  const While w = While::of(n);
  WhileBack back(n, in, ct, tf);
  Values consts, carries;
  for (size_t i = 0; i < w.inputs(); ++i)
    if (!back.linear()[i]) (i < w.consts ? consts : carries).push_back(in[i]);
  const Values out = back.run(b, consts, carries);
  size_t next = 0;
  for (size_t i = 0; i < w.inputs(); ++i)
    if (back.linear()[i]) {
      const Value c = out[next++];
      if (!in[i]) r[i] = c;
    }
}

}  // namespace viva
