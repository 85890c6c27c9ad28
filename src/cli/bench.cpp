// viva bench: how long questions about a model take.
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>

#include "base/bytes.h"
#include "base/error.h"
#include "base/npy.h"
#include "cli/model.h"
#include "cli/open_extents.h"
#include "cli/questions.h"
#include "cli/verb.h"
#include "cpu/executable.h"

namespace viva {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

double seconds_since(Clock::time_point t) { return std::chrono::duration<double>(Clock::now() - t).count(); }

// Since the kernel started this process, to a clock tick (10 ms); 0 where it does not say.
double seconds_since_start() {
  std::ifstream file("/proc/self/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  // Field 22 counts ticks from the boot; field 2, a name in parentheses, may hold spaces.
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field) fields >> skipped;
  double ticks = 0;
  timespec now{};
  if (!(fields >> ticks) || clock_gettime(CLOCK_BOOTTIME, &now) != 0) return 0;
  const double start = ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
  return std::max(0., static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec) - start);
}

struct Arguments {
  std::string model, what = "forward,grad", input;
  int64_t batch = 1;
  std::optional<int> threads;
  double seconds = 1;
  bool kernels = false;
};

struct Timing {
  double first = 0;  // seconds of making the question, compiling it and the first call
  std::vector<double> calls;
  double check = 0;
  std::vector<std::pair<std::string, double>> kernels;  // where asked for: what each runs and its seconds a call
};

class Bench {
 public:
  Bench(Session& s, const Arguments& a)
      : session_(s), arguments_(a), pool_(thread_count(a.threads)), model_(open_model(a.model)) {
    if (!a.input.empty()) input_ = read_npy(a.input);
    whole_ = network(a.batch);
    const Type want = whole_.function->params().at(0).type();
    if (a.input.empty()) input_ = example_input(want);
    if (input_.type() != want)
      throw input_error("{}: holds {}, but the input of {} at batch {} is {}: save it as that", a.input,
                        to_string(input_.type()), a.model, a.batch, to_string(want));
    loaded_ = seconds_since_start();
  }

  // Prints a line with the result or the error.
  void run(Question q) {
    Json line = {{"model", printable(std::filesystem::path(arguments_.model).filename().string())},
                 {"batch", arguments_.batch},
                 {"threads", pool_.threads()},
                 {"what", to_string(q)}};
    try {
      const Timing t = timed(q);
      const auto rounded = [](double v, double parts) { return std::round(v * parts) / parts; };
      line["first_s"] = rounded(loaded_ + t.first, 1e3);
      line["median_us"] = rounded(t.calls[t.calls.size() / 2] * 1e6, 100);
      line["min_us"] = rounded(t.calls[0] * 1e6, 100);
      line["calls"] = t.calls.size();
      line["check"] = t.check;
      for (const auto& [what, seconds] : t.kernels)
        line["kernels"].push_back({{"kernel", what}, {"mean_us", rounded(seconds * 1e6, 100)}});
    } catch (const Error& e) {
      if (e.kind() == ErrorKind::cancelled || e.kind() == ErrorKind::internal) throw;
      line["error"] = printable(e.what());
    }
    session_.out << line.dump() << std::endl;
  }

 private:
  Network network(int64_t batch) const {
    const BatchedModel m = with_batch(model_, batch, binding_at(batch));
    if (m.imported.input_names.size() != 1)
      throw unsupported("{}: has {} inputs; bench asks questions of models with one", arguments_.model,
                        m.imported.input_names.size());
    return {m.function, m.imported.weights};
  }

  // What the file leaves open besides the batch is as in --input.
  Binding binding_at(int64_t batch) const {
    if (!leaves_rows_open(model_)) return {};
    if (arguments_.input.empty())
      throw unsupported("{}: leaves more than its batch open: settle it with --input X.npy", arguments_.model);
    if (input_.shape().empty())
      throw input_error("{}: is a single number: give an array of examples", arguments_.input);
    return bound_to_rows(model_, {input_.shape().begin() + 1, input_.shape().end()}, batch);
  }

  Timing timed(Question q) {
    Timing t;
    auto begin = Clock::now();
    AskedQuestion asked = ask(q, asks_each_example(q) ? network(1) : whole_, input_);
    PlanOptions options;
    options.constants = asked.constants;
    options.donated = asked.donated;
    const Executable compiled = compile(asked.function, options);
    const std::vector<Array> start = asked.arguments;
    std::vector<Array> first = call(compiled, asked);
    t.first = seconds_since(begin);
    if (asked.state == 0) t.check = mean_absolute(first);
    first.clear();
    for (int warm = 0; warm < 3; ++warm) call(compiled, asked);
    const auto end = Clock::now();
    while (t.calls.size() < 5 || seconds_since(end) < arguments_.seconds) {
      begin = Clock::now();
      const std::vector<Array> results = call(compiled, asked);
      t.calls.push_back(seconds_since(begin));
    }
    std::ranges::sort(t.calls);
    if (arguments_.kernels) t.kernels = kernel_times(compiled, asked);
    if (asked.state > 0) {
      asked.arguments = start;
      for (int step = 0; step < 5; ++step) call(compiled, asked);
      t.check = loss_after(asked);
    }
    return t;
  }

  std::vector<std::pair<std::string, double>> kernel_times(const Executable& compiled, AskedQuestion& asked) {
    KernelTimes times;
    const auto begin = Clock::now();
    int calls = 0;
    for (; calls < 5 || seconds_since(begin) < arguments_.seconds; ++calls) call(compiled, asked, &times);
    const PlanSummary plan = compiled.summary();
    std::vector<std::pair<std::string, double>> kernels;
    for (size_t i = 0; i < times.size(); ++i) kernels.emplace_back(plan.lines[i], times[i] / calls);
    return kernels;
  }

  // One call; the state goes in and comes out again, in place where the engine can.
  std::vector<Array> call(const Executable& compiled, AskedQuestion& asked, KernelTimes* times = nullptr) {
    std::vector<Array> args;
    for (size_t i = 0; i < asked.arguments.size(); ++i)
      args.push_back(i >= 1 && i <= asked.state ? std::move(asked.arguments[i]) : asked.arguments[i]);
    std::vector<Array> results = compiled.call(std::move(args), pool_, &session_.cancel, times).take();
    for (size_t i = 0; i < asked.state; ++i) asked.arguments[i + 1] = std::move(results[i]);
    return results;
  }

  double loss_after(const AskedQuestion& asked) {
    PlanOptions options;
    options.constants = asked.constants;
    const Executable loss = compile(mean_cross_entropy(whole_.function), options);
    std::vector<Array> args = asked.arguments;
    args.resize(loss.parameter_types().size());
    return std::move(loss.call(std::move(args), pool_, &session_.cancel)).take().at(0).at(0);
  }

  Session& session_;
  const Arguments& arguments_;
  ThreadPool pool_;
  OpenModel model_;
  Network whole_;
  Array input_;
  double loaded_ = 0;  // seconds from the start of the process until the model was in memory
};

int run(const Arguments& a, Session& s) {
  const std::vector<Question> questions = questions_from(a.what);
  if (a.batch < 1) throw usage_error("--batch {}: write a number from 1", a.batch);
  if (!(a.seconds >= 0) || !std::isfinite(a.seconds))
    throw usage_error("--seconds {}: write a number from 0", a.seconds);
  Bench bench(s, a);
  for (const Question q : questions) bench.run(q);
  return 0;
}

std::function<int(Session&)> declare(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  app.footer(
      "Prints a JSON line for each question: first_s, the seconds from the start of the process to the end of the "
      "first\n"
      "call, without those of the questions before it; the median and the least time of a call in microseconds; the\n"
      "number of calls; and check, a scalar to compare engines by: the mean over result arrays of the mean absolute\n"
      "value (adam-step: the loss after five steps). The loss is the mean cross-entropy over the last axis with "
      "labels\n"
      "(position mod classes); weights are the float ones of more than one element; directions are all ones. A "
      "question\n"
      "that cannot be asked gives a line with the error.\n\n" +
      app.get_footer());
  app.add_option("model", a->model, "ONNX file (.onnx, .onnx.gz) of one input")->required()->type_name("MODEL");
  app.add_option("--batch", a->batch, "examples at once (1)")->type_name("N");
  app.add_option("--what", a->what,
                 "by commas: forward, grad, hvp, jvp, per-example-grad, input-grad, input-jacobian, adam-step "
                 "(forward,grad)")
      ->type_name("LIST");
  app.add_option("--threads", a->threads, "threads (VIVA_THREADS, else the processors)")->type_name("T");
  app.add_option("--seconds", a->seconds, "time calls for so long, and five at least (1)")->type_name("S");
  app.add_flag("--kernels", a->kernels, "also the kernels of the plan and the mean time of each");
  app.add_option("--input", a->input,
                 "array of the input; without: sqrt(2) sin(i^2) at the flat index i, or 7 i mod 65 for integers")
      ->type_name("X.npy");
  return [a](Session& s) { return run(*a, s); };
}

}  // namespace

extern const Verb bench_verb;
const Verb bench_verb = {
    .name = "bench",
    .summary = "time questions about a model: gradients, Jacobians, curvature",
    .example = "viva bench demo/fashion.onnx --batch 32 --what forward,grad,hvp --seconds 1",
    .declare = declare,
};

}  // namespace viva
