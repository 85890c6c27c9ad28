// A training run: where it stands, what it logs and keeps, and how it finds what made a NaN.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"
#include "graph/text.h"
#include "train/checkpoint.h"
#include "train/identity.h"
#include "train/progress.h"
#include "train/suspects.h"
#include "viva/functions.h"
#include "viva/train.h"

namespace viva {

using Json = nlohmann::ordered_json;

namespace {

// The directory, made where it is missing, and locked while the run lives.
Descriptor lock_directory(const std::string& path, Where where) {
  const std::string shown = printable(path);
  if (mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) {
    if (errno != ENOENT) throw cannot_write(shown, errno);
    throw Error(ErrorKind::input, fmt::format("{}: cannot be made: make the directory above it first", shown), where);
  }
  Descriptor d(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!d) throw cannot_write(shown, errno);
  if (flock(d.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    throw input_error("{}: another process trains in this directory: wait for it, or give another", shown);
  return d;
}

bool finite(const Tensor& t) { return t.empty() || !is_float(t.dtype()) || all(is_finite(t)).item() != 0; }

// "17, 4052, 3, …, 8 (128 rows)"
std::string listed(const Ints& rows) {
  constexpr size_t most = 16;
  std::string text;
  for (size_t i = 0; i < std::min(most, rows.size()); ++i) text += fmt::format("{}{}", i ? ", " : "", rows[i]);
  return rows.size() > most ? fmt::format("{}, … ({} rows)", text, rows.size()) : text;
}

}  // namespace

struct TrainRun::State {
  TrainedProgram program;
  Batches batches;
  TrainOptions options;
  std::string identity;
  Descriptor lock;
  std::optional<CheckpointFiles> files;
  MetricsFile metrics;

  int64_t step = 0, saved_step = -1, logged_step = 0;
  Scores sums;  // of metrics since the last line
  int64_t summed = 0;
  int64_t kept_step = 0;
  std::vector<Tensor> kept;     // the leaves at kept_step
  std::vector<bool> unchecked;  // leaves that were not finite from the start
  std::string unsaved;
  bool stopping = false;  // asked to; looked at once a step, so that the step's checkpoint is not missed
  std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();
  double logged_seconds = 0;

  State(TrainedProgram p, Batches b, TrainOptions s)
      : program(std::move(p)), batches(std::move(b)), options(std::move(s)) {}

  bool begun_stepping = false;

  void report(const std::string& line) const {
    if (options.report) options.report(line);
  }
  // The first step of a run compiles: a line at once says that it works, before log_every steps are made.
  void report_first(const Scores& scores) {
    if (std::exchange(begun_stepping, true) || due(options.log_every)) return;
    report(fmt::format("step {}/{}{}; the first took {:.1f} s", step, options.steps, listed_scores(scores), seconds()));
  }
  static std::string listed_scores(const Scores& scores) {
    std::string text;
    for (const auto& [name, value] : scores) text += fmt::format(", {} {:.4g}", name, value);
    return text;
  }
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count(); }
  bool last() const { return step >= options.steps; }
  bool due(int64_t every) const { return (every > 0 && step % every == 0) || last(); }
  void look() { stopping = options.stop && options.stop->load(); }

  std::vector<Tensor> leaves() const {
    std::vector<Tensor> all;
    for (const Tensor* t : program.leaves()) all.push_back(*t);
    return all;
  }
  void restore(const std::vector<Tensor>& from) {
    const std::vector<Tensor*> to = program.leaves();
    for (size_t i = 0; i < to.size(); ++i) *to[i] = from[i];
  }
  void keep() { kept = leaves(), kept_step = step; }

  void open(Where where);
  void resume(const Checkpoint& c, const std::string& file);
  void begin_metrics() { metrics.add(fmt::format("{{\"run\":{}", identity), "{}"); }
  void write();
  Checkpoint checkpoint(const MetricsFile::Mark& mark) const;
  Scores run_step(int64_t at, Check check) {
    return program.advance(batches.at(at), key(options.seed).fold(at), check);
  }
  std::string not_finite(const Scores& scores, bool parameters) const;
  void add(const Scores& scores);
  void log();
  void put(const char* what, const Scores& values);
  [[noreturn]] void diagnose();
  [[noreturn]] void explain(int64_t at, const std::vector<Tensor>& before, const std::string& what);
  Error at_step(int64_t at, const std::string& what, Where where) const;
};

// Files

void TrainRun::State::open(Where where) {
  if (options.directory.empty()) return;
  lock = lock_directory(options.directory, where);
  files.emplace(options.directory, options.keep);
  const std::string log = options.directory + "/metrics.jsonl";
  auto found = files->newest(options.report);
  if (found) {
    resume(found->first, found->second);
    return;
  }
  metrics = MetricsFile(log, {});
  files->write(checkpoint({}));  // before the first step, to see that it can be written
  saved_step = 0;
  begin_metrics();
}

void TrainRun::State::resume(const Checkpoint& c, const std::string& file) {
  const std::string shown = printable(file);
  const std::vector<Tensor*> to = program.leaves();
  training::check_same_run(c, {identity, program.paths, leaves()}, shown);
  if (c.step > options.steps)
    throw input_error("{}: has made {} steps, more than the {} asked for: ask for more, or train in another directory",
                      shown, c.step, options.steps);
  Progress p = parse_progress(c.progress, shown);
  training::assign(c, program.paths, to);
  sums = std::move(p.sums), summed = p.summed, logged_step = p.logged_step;
  metrics = MetricsFile(options.directory + "/metrics.jsonl", p.mark);
  if (p.mark.lines == 0) begin_metrics();
  step = saved_step = c.step;
  report(fmt::format("continues from step {}, {}", step, shown));
}

Checkpoint TrainRun::State::checkpoint(const MetricsFile::Mark& mark) const {
  Checkpoint c{step, identity, progress_text({mark, sums, summed, logged_step}), {}};
  const std::vector<Tensor*> all = program.leaves();
  for (size_t i = 0; i < all.size(); ++i)
    if (!all[i]->empty()) c.tensors.push_back({program.paths[i], all[i]->array()});
  return c;
}

void TrainRun::State::write() {
  if (!files) return;
  try {
    files->write(checkpoint(metrics.sync()));
    saved_step = step;
    unsaved.clear();
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::input) throw;
    unsaved = e.message();
    report(fmt::format("step {}: {}; training goes on", step, e.message()));
  }
}

// Metrics

void TrainRun::State::add(const Scores& scores) {
  if (sums.empty())
    for (const auto& [name, value] : scores) sums.emplace_back(name, 0);
  for (size_t i = 0; i < sums.size() && i < scores.size(); ++i) sums[i].second += scores[i].second;
  ++summed;
}

void TrainRun::State::put(const char* what, const Scores& values) {
  Json line = {{"step", step}, {"epoch", step / batches.per_epoch()}};
  Json& into = what ? line[what] : line;
  for (const auto& [name, value] : values) into[name] = value;
  std::string open_object = line.dump(-1, ' ', false, Json::error_handler_t::replace);
  open_object.pop_back();
  metrics.add(open_object, fmt::format("{{\"seconds\":{:.3f}}}", seconds()));
  std::string text = listed_scores(values);
  if (!what) {
    const auto steps = static_cast<double>(step - logged_step);
    text += fmt::format(", {:.3g} ms a step", (seconds() - logged_seconds) * 1e3 / std::max(1.0, steps));
  }
  report(fmt::format("step {}/{}{}", step, options.steps, text));
}

void TrainRun::State::log() {
  if (summed == 0) return;
  Scores means = sums;
  for (auto& [name, value] : means) value /= static_cast<double>(summed);
  put(nullptr, means);
  sums.clear(), summed = 0, logged_step = step, logged_seconds = seconds();
}

// NaN and infinity

// What is not finite, or "".
std::string TrainRun::State::not_finite(const Scores& scores, bool parameters) const {
  for (const auto& [name, value] : scores)
    if (!std::isfinite(value)) return fmt::format("{} is {}", name, value);
  if (!parameters) return "";
  const std::vector<Tensor*> all = program.leaves();
  for (size_t i = 0; i < all.size(); ++i)
    if (!unchecked[i] && !finite(*all[i])) return fmt::format("{} is not finite", program.paths[i]);
  return "";
}

Error TrainRun::State::at_step(int64_t at, const std::string& what, Where where) const {
  const int64_t each = batches.per_epoch();
  return {ErrorKind::input,
          fmt::format("[train] step {} (batch {} of epoch {}, rows {}): {}", at + 1, at % each, at / each,
                      listed(batches.at(at)), what),
          std::move(where)};
}

// The step after `at` steps made something not finite: looks through its batch, then makes it again, operation by
// operation. A NaN is looked for first, because an infinity may be meant (the logarithm of 0 where another branch is
// taken).
void TrainRun::State::explain(int64_t at, const std::vector<Tensor>& before, const std::string& what) {
  const Ints rows = batches.at(at);
  const training::Batch batch{rows, program.batch_paths, program.batch(rows)};
  if (const auto label = training::bad_label(program.graph, batch)) throw at_step(at, label->what, label->where);
  std::string found = training::nan_in(batch);
  if (found.empty()) found = training::infinity_in(batch);
  for (const Check check : {Check::nan, Check::infinity}) try {
      restore(before);
      run_step(at, check);
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::input) throw;
      throw at_step(at, found.empty() ? e.message() : fmt::format("{}; {}", found, e.message()), e.where());
    }
  throw at_step(at, found.empty() ? what + ", and no operation made it from finite numbers" : found + ": mend the data",
                {});
}

// From the last state that was kept to the first step with a result that is not finite.
void TrainRun::State::diagnose() {
  const int64_t failed = step;
  report(fmt::format("step {}: a number is not finite; looking for its origin from step {}", failed, kept_step));
  restore(kept);
  for (int64_t at = kept_step; at < failed; ++at) {
    const std::vector<Tensor> before = leaves();
    const std::string what = not_finite(run_step(at, Check::none), true);
    if (what.empty()) continue;
    explain(at, before, what);
  }
  throw at_step(failed - 1,
                "a number was not finite, but not when the step was repeated: is load(rows) a pure function?", {});
}

// TrainRun

TrainRun::TrainRun(TrainedProgram program, Batches batches, TrainOptions options, Loc l)
    : state_(std::make_unique<State>(std::move(program), std::move(batches), std::move(options))) {
  State& s = *state_;
  const TrainOptions& t = s.options;
  if (t.steps < 0 || t.checkpoint_every < 1 || t.keep < 1 || t.log_every < 1 || t.evaluate_every < 0)
    throw Error(ErrorKind::usage,
                "[train] steps and evaluate_every are 0 or more, checkpoint_every, keep and log_every 1 or more", l);
  s.identity = training::identity(s.program, s.batches, t);
  for (const Tensor* leaf : s.program.leaves()) s.unchecked.push_back(!finite(*leaf));
  s.open(l);
  s.keep();
  s.look();
}
TrainRun::~TrainRun() = default;

bool TrainRun::goes_on() const { return state_->step < state_->options.steps && !state_->stopping; }
int64_t TrainRun::step() const { return state_->step; }
bool TrainRun::evaluation_due() const { return state_->due(state_->options.evaluate_every); }
bool TrainRun::cancelled() const { return state_->step < state_->options.steps; }
std::string TrainRun::unsaved() const { return state_->unsaved; }

void TrainRun::advance() {
  State& s = *state_;
  const Scores scores = s.run_step(s.step, Check::none);
  ++s.step;
  s.look();
  const bool log = s.due(s.options.log_every), all = log || s.due(s.options.checkpoint_every) || s.stopping;
  if (!s.not_finite(scores, all).empty()) s.diagnose();
  s.report_first(scores);
  s.add(scores);
  if (log) s.log();
}

void TrainRun::evaluated(const Scores& scores) {
  state_->put("evaluation", scores);
  state_->look();  // an evaluation may ask to stop, before its step is saved
}

void TrainRun::save() {
  State& s = *state_;
  if (s.due(s.options.checkpoint_every) || s.stopping) {
    s.write();
    s.keep();
    return;
  }
  try {
    s.metrics.flush();
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::input) throw;
    s.report(fmt::format("step {}: {}; training goes on", s.step, e.message()));
  }
}

}  // namespace viva
