// Training: a loop to read and copy, on top of a run that keeps checkpoints and metrics in step. A run is a function of
// its program, data order and seed: killed at any moment and started again, it ends with the same bits. The library
// prints nothing; what there is to say goes to the reporter that the user passes.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <string_view>

#include "viva/compile.h"
#include "viva/data.h"
#include "viva/random.h"

namespace viva {

using Scores = std::vector<std::pair<std::string, double>>;  // names and values

struct TrainOptions {
  int64_t steps = 0;               // in all; Batches::per_epoch() make an epoch
  uint64_t seed = 0;               // of the keys that steps are given
  std::string directory = {};      // of checkpoints and metrics.jsonl; made where its parent exists; empty: none
  int64_t checkpoint_every = 500;  // steps; and after the last
  int64_t keep = 3;                // checkpoints
  int64_t log_every = 100;         // steps: the means since the line before
  int64_t evaluate_every = 0;      // steps; and after the last; 0: only there
  // Whatever else makes this run what it is, such as hashes of data files: a checkpoint with another value is refused.
  std::map<std::string, std::string> record = {};
  std::function<void(const std::string& line)> report = {};
  const std::atomic<bool>* stop = nullptr;  // once true, the run ends after the step, with a checkpoint
};

// Becomes true at the first Ctrl-C (SIGINT) or SIGTERM after this call; a second one ends the program as ever.
const std::atomic<bool>& stop_on_interrupt();

enum class Check : uint8_t { none, nan, infinity };  // what a step stops at

// What a run needs to advance, and to do so again when it looks for the origin of a NaN.
struct TrainedProgram {
  std::function<std::vector<Tensor*>()> leaves;  // of model and state
  std::vector<std::string> paths;                // their names, "model.…" and "state.…"
  // Makes the step of these rows with this key and gives its metrics; with a check, operation by operation.
  std::function<Scores(const Ints& rows, const Key& key, Check check)> advance;
  // The leaves of a batch, and their names: a batch is looked through first where a number is not finite.
  std::function<std::vector<Tensor>(const Ints& rows)> batch;
  std::vector<std::string> batch_paths;
  Body graph;               // the step of (model, state, batch, key), to tell another program by
  std::string first_batch;  // a hash, to tell other data by
};

// One run: where it stands, what it keeps. Each step k sees the rows batches.at(k) and the key key(seed).fold(k).
class TrainRun {
 public:
  // Continues from the newest checkpoint of the directory that is whole; reports one that is not and passes it over.
  // Input errors: checkpoints of which none is whole; one of another program, with what differs; metrics that are not
  // those it was written with; a directory that cannot be used, or in which another process trains.
  TrainRun(TrainedProgram program, Batches batches, TrainOptions options, Loc = Loc::current());
  ~TrainRun();
  TrainRun(const TrainRun&) = delete;
  TrainRun& operator=(const TrainRun&) = delete;

  bool goes_on() const;  // steps are left, and nobody asked to stop
  // One step. A number among its metrics, or a parameter where these are looked at (at each checkpoint and line of
  // metrics), that is not finite is an input error: the run goes back to the last state it kept, repeats the steps from
  // there, and names the step, its rows, and what it finds: NaN or infinity in the batch, a label outside the classes,
  // or the operation and line of the program that made the first NaN or infinity.
  void advance();
  int64_t step() const;  // steps made
  bool evaluation_due() const;
  void evaluated(const Scores& scores);
  // Logs and saves what is due. A disk that is full or fails is reported and tried again when the next is due.
  void save();
  bool cancelled() const;
  std::string unsaved() const;  // why the last state is not on the disk; empty where it is

 private:
  struct State;
  std::unique_ptr<State> state_;
};

template <class Model, class RuleState> struct Trained {
  Model model;
  RuleState state;
  int64_t steps = 0;       // made, those before a resume included
  bool cancelled = false;  // by options.stop
  std::string unsaved;     // why the last checkpoint could not be written; empty where it was, or none was asked for
};

namespace training {
Scores scores(const std::vector<std::string>& names, const std::vector<Tensor>& values);
template <class T> Scores scores(const T& metrics) { return scores(tree::paths(metrics), tree::flatten(metrics)); }
std::vector<std::string> paths(const std::vector<std::string>& model, const std::vector<std::string>& state);
std::string hash(const std::vector<Tensor>& batch);
}  // namespace training

// Trains: step(model, state, batch, key) gives std::tuple(model, state, metrics) and is compiled; load(rows) gives the
// batch, any tree; evaluate(model), or evaluate(model, state), gives Scores; an empty std::function does not. Metrics
// are a scalar, named loss, or a tree of scalars. gradient_step makes such a step of a loss and a learning rule.
template <class Step, class Model, class State, class Load, class Evaluate = std::function<Scores(const Model&)>>
Trained<Model, State> train(const Step& step, Model model, State state, const Batches& batches, const Load& load,
                            const TrainOptions& options, const Evaluate& evaluate = {}, Loc l = Loc::current()) {
  const std::array programs{compile(step, {}, l), compile(step, {.check_nan = true}, l),
                            compile(step, {.check_infinity = true}, l)};
  const auto batch = load(batches.at(0));
  TrainRun run({.leaves = [&] { return tree::Leaves(model, state).all; },
                .paths = training::paths(tree::paths(model), tree::paths(state)),
                .advance =
                    [&](const Ints& rows, const Key& key, Check check) {
                      const auto& program = programs[static_cast<size_t>(check)];
                      auto [m, s, metrics] = program(std::move(model), std::move(state), load(rows), key);
                      model = std::move(m), state = std::move(s);
                      return training::scores(metrics);
                    },
                .batch = [&](const Ints& rows) { return tree::flatten(load(rows)); },
                .batch_paths = tree::paths(batch),
                .graph = trace(step, model, state, batch, key(0)),
                .first_batch = training::hash(tree::flatten(batch))},
               batches, options, l);
  bool evaluates = true;
  if constexpr (std::is_constructible_v<bool, Evaluate>) evaluates = static_cast<bool>(evaluate);
  while (run.goes_on()) {
    run.advance();
    if (evaluates && run.evaluation_due()) {
      if constexpr (std::is_invocable_v<const Evaluate&, const Model&, const State&>)
        run.evaluated(evaluate(std::as_const(model), std::as_const(state)));
      else run.evaluated(evaluate(std::as_const(model)));
    }
    run.save();
  }
  return {std::move(model), std::move(state), run.step(), run.cancelled(), run.unsaved()};
}

// The step of a learning rule down the gradient of loss(model, batch, key): a scalar, or std::pair(scalar, others) with
// others either the model with new buffers (running statistics), which the step goes on from, or a tree of metrics.
template <class Loss, class Rule> auto gradient_step(Loss loss, Rule rule, Loc l = Loc::current()) {
  return [=](const auto& model, const auto& state, const auto& batch, const Key& key) {
    using R = std::remove_cvref_t<decltype(loss(model, batch, key))>;
    using Model = std::remove_cvref_t<decltype(model)>;
    std::map<std::string, Tensor> metrics;
    if constexpr (tree::is<R, std::pair>) {
      auto [value, gradient] = value_and_grad(loss, has_aux, l)(model, batch, key);
      metrics["loss"] = value.first;
      if constexpr (std::is_same_v<typename R::second_type, Model>) {
        auto [m, s] = rule.update(std::move(value.second), state, gradient, l);
        return std::tuple(std::move(m), std::move(s), std::move(metrics));
      } else {
        tree::for_each(value.second, [&](const std::string& name, const Tensor& t) { metrics[name] = t; });
        auto [m, s] = rule.update(model, state, gradient, l);
        return std::tuple(std::move(m), std::move(s), std::move(metrics));
      }
    } else {
      auto [value, gradient] = value_and_grad(loss, l)(model, batch, key);
      metrics["loss"] = value;
      auto [m, s] = rule.update(model, state, gradient, l);
      return std::tuple(std::move(m), std::move(s), std::move(metrics));
    }
  };
}

// Leaves by their paths as a safetensors file, which appears whole or not at all; empty leaves are left out.
void save_safetensors(const std::string& path, const std::vector<std::string>& names,
                      const std::vector<Tensor>& leaves);
// The tensors of these names; `like` says where none is looked for (empty), and what dtypes and shapes they must have.
// prefix: only names that begin with it, without it. Input errors: a name missing or left over, another type, and
// whatever is wrong with the file.
std::vector<Tensor> load_safetensors(const std::string& path, const std::vector<std::string>& names,
                                     const std::vector<Tensor>& like, std::string_view prefix);
template <class T> void save_safetensors(const std::string& path, const T& tree) {
  save_safetensors(path, tree::paths(tree), tree::flatten(tree));
}
// A tree like `like` from a file of save_safetensors; the model of a checkpoint has the prefix "model.".
template <class T> T load_safetensors(const std::string& path, const T& like, std::string_view prefix = "") {
  return tree::unflatten(like, load_safetensors(path, tree::paths(like), tree::flatten(like), prefix));
}

}  // namespace viva
