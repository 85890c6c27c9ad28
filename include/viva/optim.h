// Learning rules as pure functions over trees: a rule is a plain aggregate of settings, its state a tree that can be
// donated, saved and named, and a step is
//   auto [model, state] = rule.update(std::move(model), std::move(state), gradient);
// A leaf that is no float, or whose gradient is empty, stays as it is. Steps are counted in the state, from 0, so one
// compiled step serves all; a rate that changes is a schedule, a function of that count.
// 16-bit parameters have float32 moments and updates, rounded once where they are added.
// Moments below the smallest normal number are kept as 0: see decayed.
#pragma once

#include <map>

#include "viva/functions.h"
#include "viva/transform.h"

namespace viva {

// A number as a function of the count of steps made, a float64 scalar; the result is a scalar.
using Schedule = std::function<Tensor(const Tensor& step)>;

// A learning rate: a number, a scalar Tensor (an argument of a compiled step, say), or a schedule.
class Rate {
 public:
  Rate(double value) : value_(value) {}
  Rate(Tensor value) : tensor_(std::move(value)) {}
  Rate(Schedule schedule) : schedule_(std::move(schedule)) {}
  template <class F>
    requires std::is_invocable_r_v<Tensor, const F&, const Tensor&>
  Rate(F f) : schedule_(std::move(f)) {}
  Tensor at(const Tensor& count, Dtype d) const;

 private:
  double value_ = 0;
  Tensor tensor_;
  Schedule schedule_;
};

// Schedules, t the count of steps made. All throw a usage error where a count of steps is below 1, or a number is not
// finite.
namespace schedule {
Schedule constant(double value, Loc = Loc::current());
Schedule linear(double from, double to, int64_t steps, Loc = Loc::current());  // stays at `to`
// end + (peak - end)·(1 + cos(π·t/steps))/2, after a linear rise from 0 over the first `warm_up` of the steps; stays at
// `end`. Loshchilov and Hutter, "SGDR", ICLR 2017, equation 5.
Schedule cosine(double peak, int64_t steps, int64_t warm_up = 0, double end = 0, Loc = Loc::current());
Schedule exponential(double from, double factor, int64_t steps, Loc = Loc::current());  // from·factor^(t/steps)
Schedule step(double from, double factor, int64_t steps, Loc = Loc::current());         // from·factor^⌊t/steps⌋
// Half a cosine up from peak/25 over 30 % of the steps, half a cosine down to peak/250000 over the rest. Smith and
// Topin, "Super-convergence", 2018, with the factors that PyTorch and optax use.
Schedule one_cycle(double peak, int64_t steps, double rise = 0.3, Loc = Loc::current());
}  // namespace schedule

// What a learning rule sees of a leaf: its path, its value, and the gradient that it turns into the number to add.
struct Parameter {
  std::string name;
  size_t leaf = 0;  // its place in the tree
  Tensor value, update;
};
using Parameters = std::vector<Parameter>;
using Slots = std::map<std::string, Tensor>;  // a tensor for each parameter, by its path

namespace optim {

// The float leaves but for buffers; with gradients, those that have one.
Parameters parameters(std::vector<std::string> names, const tree::Leaves& model, const std::vector<Tensor>* gradients,
                      Loc l);
// value + update at the leaves that have one, in the dtype of the value.
std::vector<Tensor> stepped(std::vector<Tensor> leaves, const Parameters& p);

// While one lives, what is computed carries the user's line.
class At {
 public:
  explicit At(Loc l);
  ~At();
  At(const At&) = delete;
  At& operator=(const At&) = delete;

 private:
  std::shared_ptr<void> line_;
};

// For rules. Zeros like each value; float32 for 16-bit ones.
Slots zeros(const Parameters& p);
// The slot of p. Throws a usage error where the state was made for another model.
Tensor& slot(Slots& slots, const Parameter& p);
// decay·x + gain·y, and 0 where that is no normal number. Such a moment is below 1.2e-38, far below any eps, but decay
// would leave it at a few times 2⁻¹⁴⁹ for good, and processors take up to a hundred cycles for each product with it.
Tensor decayed(const Tensor& x, double decay, const Tensor& y, double gain);
// The same with y² for y; squares below the smallest normal number count as 0.
Tensor decayed_square(const Tensor& x, double decay, const Tensor& y, double gain);
// The gradient in the dtype of the moments.
Tensor wide(const Tensor& t);

}  // namespace optim

// A learning rule is a class with a State (a tree) and
//   State start(const Parameters&) const;          the state before the first step
//   State transform(Parameters&, State) const;     gradients become what is added
// to which init and update give the form that users call: the state for a model, and {model, state} after a step. They
// throw a usage error where state or gradient are another model's, and where a setting makes no sense: a rate below 0
// (where its value is known: outside compile, or a number), a β or decay outside [0, 1), an ε or limit that is not
// above 0, NaN. Steps downhill only: negate the loss to climb.
namespace optim {
template <class R, class M> typename R::State init(const R& rule, const M& model, Loc l) {
  const At at(l);
  return rule.start(parameters(tree::paths(model), tree::Leaves(model), nullptr, l));
}
template <class R, class M>
std::pair<M, typename R::State> update(const R& rule, M model, typename R::State state, const M& gradient, Loc l) {
  const At at(l);
  const std::vector<Tensor> gradients = tree::flatten(gradient);
  const tree::Leaves leaves(model);
  Parameters p = parameters(tree::paths(model), leaves, &gradients, l);
  state = rule.transform(p, std::move(state));
  leaves.assign(stepped(leaves.copy(), p));
  return {std::move(model), std::move(state)};
}
}  // namespace optim

// Which parameters weight decay concerns; all where empty.
using Chosen = std::function<bool(const Parameter&)>;
bool is_matrix(const Parameter& p);  // two dimensions or more: no biases, no scales

// g ← g + weight_decay·w;  m ← momentum·m + g;  w ← w - rate·m, with Nesterov w ← w - rate·(g + momentum·m).
// Sutskever et al., ICML 2013, in PyTorch's form: the rate is no part of m, and m starts as the first gradient.
struct Sgd {
  Rate rate = 1e-2;
  double momentum = 0;
  bool nesterov = false;
  double weight_decay = 0;
  Chosen decays = {};

  struct State {
    Tensor count;
    Slots momentum;  // empty where momentum is 0
  };
  template <class M> State init(const M& m, Loc l = Loc::current()) const { return optim::init(*this, m, l); }
  template <class M> std::pair<M, State> update(M m, State s, const M& g, Loc l = Loc::current()) const {
    return optim::update(*this, std::move(m), std::move(s), g, l);
  }
  State start(const Parameters& p) const;
  State transform(Parameters& p, State s) const;
};

// m ← β₁m + (1 - β₁)g;  v ← β₂v + (1 - β₂)g²;  w ← w - rate·m̂/(√v̂ + ε), m̂ = m/(1 - β₁ᵗ), v̂ = v/(1 - β₂ᵗ), t from 1.
// Kingma and Ba, ICLR 2015, algorithm 1.
struct Adam {
  Rate rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;

  struct State {
    Tensor count;
    Slots first, second;
  };
  template <class M> State init(const M& m, Loc l = Loc::current()) const { return optim::init(*this, m, l); }
  template <class M> std::pair<M, State> update(M m, State s, const M& g, Loc l = Loc::current()) const {
    return optim::update(*this, std::move(m), std::move(s), g, l);
  }
  State start(const Parameters& p) const;
  State transform(Parameters& p, State s) const;
};

// Adam, with rate·weight_decay·w subtracted from w beside the step, not added to g. Loshchilov and Hutter, ICLR 2019,
// algorithm 2; as in PyTorch and optax the rate multiplies the decay.
struct AdamW {
  Rate rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 1e-2;
  Chosen decays = {};

  using State = Adam::State;
  template <class M> State init(const M& m, Loc l = Loc::current()) const { return optim::init(*this, m, l); }
  template <class M> std::pair<M, State> update(M m, State s, const M& g, Loc l = Loc::current()) const {
    return optim::update(*this, std::move(m), std::move(s), g, l);
  }
  State start(const Parameters& p) const;
  State transform(Parameters& p, State s) const;
};

// w ← w - rate·(sign(β₁m + (1 - β₁)g) + weight_decay·w), then m ← β₂m + (1 - β₂)g. Chen et al., "Symbolic discovery of
// optimization algorithms", NeurIPS 2023, program 1.
struct Lion {
  Rate rate = 1e-4;
  double beta1 = 0.9, beta2 = 0.99;
  double weight_decay = 1e-3;
  Chosen decays = {};

  struct State {
    Tensor count;
    Slots momentum;
  };
  template <class M> State init(const M& m, Loc l = Loc::current()) const { return optim::init(*this, m, l); }
  template <class M> std::pair<M, State> update(M m, State s, const M& g, Loc l = Loc::current()) const {
    return optim::update(*this, std::move(m), std::move(s), g, l);
  }
  State start(const Parameters& p) const;
  State transform(Parameters& p, State s) const;
};

// v ← decay·v + (1 - decay)g²;  u = rate·g/√(v + ε), or rate·g/(√v + ε) where epsilon_inside is false (PyTorch);
// centered: v - (the decayed mean of g)² in place of v;  b ← momentum·b + u;  w ← w - b, or u without momentum.
// Tieleman and Hinton, Coursera lecture 6.5 (2012); Graves, arXiv:1308.0850, equations 38 to 45.
struct RmsProp {
  Rate rate = 1e-3;
  double decay = 0.9, epsilon = 1e-8;
  bool epsilon_inside = true;
  bool centered = false;
  double momentum = 0;

  struct State {
    Tensor count;
    Slots second, first, momentum;  // the last two empty where not used
  };
  template <class M> State init(const M& m, Loc l = Loc::current()) const { return optim::init(*this, m, l); }
  template <class M> std::pair<M, State> update(M m, State s, const M& g, Loc l = Loc::current()) const {
    return optim::update(*this, std::move(m), std::move(s), g, l);
  }
  State start(const Parameters& p) const;
  State transform(Parameters& p, State s) const;
};

// a ← a + g², from initial;  w ← w - rate·g/√(a + ε), and no step where a is 0. Duchi, Hazan, Singer, JMLR 12 (2011).
struct Adagrad {
  Rate rate = 1e-2;
  double initial = 0.1, epsilon = 1e-7;

  struct State {
    Tensor count;
    Slots sum;
  };
  template <class M> State init(const M& m, Loc l = Loc::current()) const { return optim::init(*this, m, l); }
  template <class M> std::pair<M, State> update(M m, State s, const M& g, Loc l = Loc::current()) const {
    return optim::update(*this, std::move(m), std::move(s), g, l);
  }
  State start(const Parameters& p) const;
  State transform(Parameters& p, State s) const;
};

struct NoState {};

// All gradients times max/‖g‖ where ‖g‖, the norm of all of them together, reaches max. Pascanu, Mikolov, Bengio, ICML
// 2013, algorithm 1. A NaN makes all of them NaN.
struct ClipByGlobalNorm {
  double max;
  using State = NoState;
  template <class M> State init(const M& m, Loc l = Loc::current()) const { return optim::init(*this, m, l); }
  template <class M> std::pair<M, State> update(M m, State s, const M& g, Loc l = Loc::current()) const {
    return optim::update(*this, std::move(m), std::move(s), g, l);
  }
  State start(const Parameters&) const { return {}; }
  State transform(Parameters& p, State s) const;
};
ClipByGlobalNorm clip_by_global_norm(double max, Loc = Loc::current());
Tensor global_norm(const std::vector<Tensor>& leaves, Loc l);
// The 2-norm of all float leaves of a tree together.
template <class T> Tensor global_norm(const T& tree, Loc l = Loc::current()) {
  return global_norm(tree::flatten(tree), l);
}

// Each element of each gradient kept in [-max, max].
struct ClipByValue {
  double max;
  using State = NoState;
  template <class M> State init(const M& m, Loc l = Loc::current()) const { return optim::init(*this, m, l); }
  template <class M> std::pair<M, State> update(M m, State s, const M& g, Loc l = Loc::current()) const {
    return optim::update(*this, std::move(m), std::move(s), g, l);
  }
  State start(const Parameters&) const { return {}; }
  State transform(Parameters& p, State s) const;
};
ClipByValue clip_by_value(double max, Loc = Loc::current());

// One rule after the other: what the first makes of the gradient is the gradient of the second.
//   chain(clip_by_global_norm(1), Adam{.rate = 3e-4})
template <class... R> struct Chain {
  std::tuple<R...> rules;
  using State = std::tuple<typename R::State...>;
  template <class M> State init(const M& m, Loc l = Loc::current()) const { return optim::init(*this, m, l); }
  template <class M> std::pair<M, State> update(M m, State s, const M& g, Loc l = Loc::current()) const {
    return optim::update(*this, std::move(m), std::move(s), g, l);
  }
  State start(const Parameters& p) const {
    return std::apply([&](const auto&... r) { return State{r.start(p)...}; }, rules);
  }
  State transform(Parameters& p, State s) const {
    [&]<size_t... I>(std::index_sequence<I...>) {
      ((std::get<I>(s) = std::get<I>(rules).transform(p, std::move(std::get<I>(s)))), ...);
    }(std::index_sequence_for<R...>());
    return s;
  }
};
template <class... R> Chain<R...> chain(R... rules) { return {{std::move(rules)...}}; }

// The rule applied to the mean of `every` gradients, and no step between. The rule is computed each time and its result
// kept in one of `every`.
template <class R> struct Accumulate {
  R rule;
  int64_t every;
  struct State {
    Tensor count;
    Slots sum;
    typename R::State rule;
  };
  template <class M> State init(const M& m, Loc l = Loc::current()) const { return optim::init(*this, m, l); }
  template <class M> std::pair<M, State> update(M m, State s, const M& g, Loc l = Loc::current()) const {
    return optim::update(*this, std::move(m), std::move(s), g, l);
  }
  State start(const Parameters& p) const { return {scalar(0, Dtype::int64), optim::zeros(p), rule.start(p)}; }
  State transform(Parameters& p, State s) const;
};
namespace optim {
// The sums with these gradients, whose mean replaces them in p; whether it is time to step.
Tensor accumulate(Parameters& p, Tensor& count, Slots& sum, int64_t every);
void check_every(int64_t every, Loc l);                      // throws a usage error below 1
void keep_if(const Tensor& now, Parameters& p, Slots& sum);  // no update, and the sums kept, unless it is
}  // namespace optim
template <class R> auto Accumulate<R>::transform(Parameters& p, State s) const -> State {
  const Tensor now = optim::accumulate(p, s.count, s.sum, every);
  const auto next = rule.transform(p, s.rule);
  s.rule = tree::map([&](const Tensor& old, const Tensor& fresh) { return where(now, fresh, old); }, s.rule, next);
  optim::keep_if(now, p, s.sum);
  return s;
}
template <class R> Accumulate<R> accumulate(R rule, int64_t every, Loc l = Loc::current()) {
  optim::check_every(every, l);
  return {std::move(rule), every};
}

// A mean of the parameters of past steps, for evaluation: a ← decay·a + (1 - decay)·w, divided by 1 - decayᵗ. Polyak
// and Juditsky, SIAM J. Control Optim. 30 (1992), with weights that fade.
struct Average {
  double decay = 0.999;

  struct State {
    Tensor count;
    Slots mean;
  };
  template <class M> State init(const M& model, Loc l = Loc::current()) const {
    const optim::At at(l);
    return start(optim::parameters(tree::paths(model), tree::Leaves(model), nullptr, l));
  }
  template <class M> State update(const M& model, State s, Loc l = Loc::current()) const {
    const optim::At at(l);
    return add(optim::parameters(tree::paths(model), tree::Leaves(model), nullptr, l), std::move(s));
  }
  // The model with averaged floats; all else as in `latest`, and all of it where no step was averaged.
  template <class M> M model(M latest, const State& s, Loc l = Loc::current()) const {
    const optim::At at(l);
    const tree::Leaves leaves(latest);
    leaves.assign(mean_of(optim::parameters(tree::paths(latest), leaves, nullptr, l), leaves.copy(), s));
    return latest;
  }
  State start(const Parameters& p) const;
  State add(const Parameters& p, State s) const;
  std::vector<Tensor> mean_of(const Parameters& p, std::vector<Tensor> leaves, const State& s) const;
};

}  // namespace viva
