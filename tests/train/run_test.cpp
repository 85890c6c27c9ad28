// Training killed at any moment ends with the same bits; damage, other programs, full disks and NaN are met as
// promised.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <random>
#include <regex>
#include <thread>

#include "support/temp_dir.h"
#include "train/checkpoint.h"
#include "viva/viva.h"

namespace viva {
namespace {

namespace fs = std::filesystem;

// A run of tests/train/program.cpp.
struct Program {
  pid_t pid = -1;
  std::string errors;  // a file
  Program(const std::string& directory, const std::vector<std::string>& more) : errors(directory + ".err") {
    std::vector<std::string> words{VIVA_TRAIN_PROGRAM, directory};
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char*> argv;
    for (std::string& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);
    pid = fork();
    if (pid == 0) {
      const int log = open(errors.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666), null = open("/dev/null", O_WRONLY);
      dup2(log, 2), dup2(null, 1);
      execv(argv[0], argv.data());
      _exit(99);
    }
  }
  // The exit code; 256 and the signal where one ended it.
  int wait() const {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
  }
};
int run(const std::string& directory, const std::vector<std::string>& more = {}) {
  return Program(directory, more).wait();
}

// Without the fields that tell the time.
std::string metrics_of(const std::string& directory) {
  return std::regex_replace(get(directory + "/metrics.jsonl"), std::regex(R"(,"time":\{[^}]*\})"), "");
}
std::string last_checkpoint(const std::string& directory) {
  const CheckpointFiles files(directory, 3);
  return files.steps().empty() ? "none" : get(files.path(files.steps().back()));
}
void expect_same_end(const std::string& directory, const std::string& whole) {
  EXPECT_EQ(metrics_of(directory), metrics_of(whole));
  EXPECT_TRUE(last_checkpoint(directory) == last_checkpoint(whole));
  for (const std::string& name : names_in(directory)) EXPECT_NE(name[0], '.') << name << " was left over";
}

TEST(TrainRun, KilledAtRandomMomentsEndsWithTheSameBits) {
  const int wanted = std::getenv("VIVA_LONG") ? 100 : 20, most_a_run = 4;
  const TempDir dir;
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_EQ(run(dir / "whole"), 0);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::mt19937 random(7);
  for (int killed = 0, r = 0; killed < wanted && r < 10 * wanted; ++r) {
    const std::string d = dir / ("run" + std::to_string(r));
    int end = 256 + SIGKILL;
    for (int k = 0; k < most_a_run && end != 0; ++k) {
      const Program p(d, {});
      // Later starts have less to do: shorter delays hit them while they work.
      const double delay =
          std::uniform_real_distribution(0.0, seconds * (most_a_run - k + 1) / (most_a_run + 1))(random);
      std::this_thread::sleep_for(std::chrono::duration<double>(delay));
      kill(p.pid, SIGKILL);
      end = p.wait();
      ASSERT_TRUE(end == 256 + SIGKILL || end == 0) << end << "\n" << get(p.errors);
      killed += end != 0;
    }
    ASSERT_EQ(run(d), 0) << get(d + ".err");
    expect_same_end(d, dir / "whole");
  }
}

TEST(TrainRun, TornCheckpointsAreSeenAndTheOneBeforeIsUsed) {
  const TempDir dir;
  ASSERT_EQ(run(dir / "whole"), 0);
  ASSERT_EQ(run(dir / "part", {"40"}), 0);
  const std::string part = dir / "part", path = CheckpointFiles(part, 3).path(40), good = get(path);
  // The run of 40 steps ended with an evaluation and line of its own: as if killed at 39.
  std::mt19937 random(3);
  for (int i = 0; i < 6; ++i) {
    const std::string d = dir / ("torn" + std::to_string(i));
    fs::copy(dir / "part", d);
    const std::string torn = CheckpointFiles(d, 3).path(40);
    if (i < 3) put(torn, good.substr(0, std::uniform_int_distribution<size_t>(0, good.size() - 1)(random)));
    else {
      std::string flipped = good;
      flipped[std::uniform_int_distribution<size_t>(0, good.size() - 1)(random)] ^= static_cast<char>(1 << (i % 8));
      put(torn, flipped);
    }
    ASSERT_EQ(run(d), 0) << get(d + ".err");
    VIVA_EXPECT_HAS(get(d + ".err"), "; the checkpoint before it is used");
    VIVA_EXPECT_HAS(get(d + ".err"), "continues from step 35, ");
    expect_same_end(d, dir / "whole");
  }
  // None whole: hours of work are not begun anew without a word.
  const std::vector<int64_t> steps = CheckpointFiles(part, 3).steps();
  for (int64_t step : steps) put(CheckpointFiles(part, 3).path(step), "");
  const std::string metrics = get(part + "/metrics.jsonl");
  ASSERT_EQ(run(part), 3);
  VIVA_EXPECT_HAS(get(part + ".err"), part + ": of 3 checkpoints none is whole, the newest: " + path);
  VIVA_EXPECT_HAS(get(part + ".err"), ": bring one back, or delete them to begin anew");
  EXPECT_EQ(get(part + "/metrics.jsonl"), metrics);
  for (int64_t step : steps) fs::remove(CheckpointFiles(part, 3).path(step));
  ASSERT_EQ(run(part), 0);
  expect_same_end(part, dir / "whole");
}

// Until the file has changed; at most four seconds.
void wait_for_change(const std::string& path, const std::string& before) {
  for (int i = 0; i < 2000 && get(path) == before; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

TEST(TrainRun, AnInterruptEndsTheStepAndWritesACheckpoint) {
  const TempDir dir;
  ASSERT_EQ(run(dir / "whole", {"600"}), 0);
  const std::string d = dir / "stopped", log = d + "/metrics.jsonl";
  for (int signal : {SIGINT, SIGTERM, SIGINT}) {
    const std::string before = get(log);
    const Program p(d, {"600"});
    wait_for_change(log, before);
    kill(p.pid, signal);
    ASSERT_EQ(p.wait(), 1) << get(p.errors);
  }
  ASSERT_EQ(run(d, {"600"}), 0) << get(d + ".err");
  expect_same_end(d, dir / "whole");
}

TEST(TrainRun, OtherProgramsAreRefused) {
  const TempDir dir;
  const std::string d = dir / "d";
  ASSERT_EQ(run(d, {"20"}), 0);
  const std::string checkpoint = last_checkpoint(d), metrics = get(d + "/metrics.jsonl");
  const auto refused = [&](const std::vector<std::string>& more) {
    fs::remove(d + ".err");
    EXPECT_EQ(run(d, more), 3);
    const std::string line = get(d + ".err");
    EXPECT_EQ(std::ranges::count(line, '\n'), 1) << line;
    EXPECT_TRUE(last_checkpoint(d) == checkpoint && get(d + "/metrics.jsonl") == metrics);
    return line;
  };
  const std::string of = "checkpoint-000000020.safetensors: is of another run: ";
  VIVA_EXPECT_HAS(refused({"40", "2"}),
                  of + "seed is 1 in it and 2 here: give that run's settings, or another directory");
  VIVA_EXPECT_HAS(refused({"40", "1", "wide"}), of + "model.hidden.weight is f32[8,16] in it and f32[8,17] here");
  VIVA_EXPECT_HAS(refused({"40", "1", "rate"}), of + "the step (model, loss or learning rule) is another program");
  VIVA_EXPECT_HAS(refused({"40", "1", "data"}), of + "the first batch holds other numbers");
  VIVA_EXPECT_HAS(refused({"10"}), "has made 20 steps, more than the 10 asked for");
  put(d + "/metrics.jsonl", metrics.substr(0, metrics.size() / 2));
  EXPECT_EQ(run(d, {"40"}), 3);
  VIVA_EXPECT_HAS(get(d + ".err"), "lines where the checkpoint was written with");
  std::string changed = metrics;
  changed[metrics.find("\"loss\":") + 9] ^= 1;
  put(d + "/metrics.jsonl", changed);
  EXPECT_EQ(run(d, {"40"}), 3);
  VIVA_EXPECT_HAS(get(d + ".err"), "lines are not those the checkpoint was written with");
  put(d + "/metrics.jsonl", metrics);
  EXPECT_EQ(run(d, {"40"}), 0);
}

TEST(TrainRun, OneProcessADirectory) {
  const TempDir dir;
  const std::string d = dir / "d";
  const Program first(d, {"100000"});
  wait_for_change(d + "/metrics.jsonl", "");
  EXPECT_EQ(run(d), 3);
  VIVA_EXPECT_HAS(get(d + ".err"), "d: another process trains in this directory: wait for it, or give another");
  kill(first.pid, SIGKILL);
  first.wait();
}

TEST(TrainRun, AFullDiskLosesNothing) {  // writes fail from step 40 to step 80
  const TempDir dir;
  const std::string d = dir / "full";
  ASSERT_EQ(run(dir / "whole"), 0);
  ASSERT_EQ(run(d, {"120", "1", "full"}), 0) << get(d + ".err");
  VIVA_EXPECT_HAS(get(d + ".err"), "File too large");
  VIVA_EXPECT_HAS(get(d + ".err"), "; training goes on");
  expect_same_end(d, dir / "whole");
  // Full to the end: the last whole checkpoint remains, and a run with room goes on from it.
  const std::string e = dir / "ended";
  ASSERT_EQ(run(e, {"60", "1", "full"}), 2);
  EXPECT_LE(CheckpointFiles(e, 3).newest({})->first.step, 40);
  ASSERT_EQ(run(e), 0) << get(e + ".err");
  expect_same_end(e, dir / "whole");
}

TEST(TrainRun, NanIsTracedToStepRowsOperationAndLine) {
  const TempDir dir;
  const std::string d = dir / "nan";
  EXPECT_EQ(run(d, {"120", "1", "nan"}), 3);
  const std::string said = get(d + ".err");
  // Row 123 is in this batch of the first epoch.
  const Batches batches(300, {.size = 32, .seed = 1});
  int64_t at = 0;
  while (std::ranges::count(batches.at(at), 123) == 0) ++at;
  VIVA_EXPECT_HAS(said, fmt::format("program.cpp:38: [train] step {} (batch {} of epoch 0, rows {}, ", at + 1, at,
                                    batches.at(at)[0]));
  VIVA_EXPECT_HAS(said, "[sqrt] gives NaN from operands without any");
}

// In this process, without a directory

struct Line {
  Tensor w;
};

TrainOptions quiet(int64_t steps) { return {.steps = steps}; }

TEST(Train, GoesDownAStraightLine) {
  const Tensor x = normal(key(1), {64, 3}), truth = tensor({1, -2, 3}), y = matmul(x, truth);
  const auto loss = [](const Line& m, const std::pair<Tensor, Tensor>& b, const Key&) {
    return mean(square(matmul(b.first, m.w) - b.second));
  };
  const Sgd rule{.rate = 0.1};
  const Line start{zeros({3})};
  const auto load = [&](const Ints& r) { return std::pair(take_rows(x, r), take_rows(y, r)); };
  std::vector<double> seen;
  const auto end = train(gradient_step(loss, rule), start, rule.init(start), Batches(64, {.size = 16}), load,
                         {.steps = 200, .evaluate_every = 100}, [&](const Line& m) {
                           seen.push_back(m.w.array().at(2));
                           return Scores{};
                         });
  EXPECT_EQ(end.steps, 200);
  EXPECT_FALSE(end.cancelled);
  ASSERT_EQ(seen.size(), 2u);
  for (int64_t i = 0; i < 3; ++i) EXPECT_NEAR(end.model.w.array().at(i), truth.array().at(i), 1e-4);
  EXPECT_EQ(end.state.count.item(), 200);
  EXPECT_EQ(start.w.array().at(0), 0);
}

TEST(Train, TheSameBitsOnAnyNumberOfThreads) {
  struct Net {
    Conv conv;
    Dense out;
  };
  const Tensor x = normal(key(1), {96, 3, 12, 12}), y = randint(key(2), {96}, 0, 5);
  const auto loss = [](const Net& m, const std::pair<Tensor, Tensor>& b, const Key& k) {
    const Tensor h = dropout(k, relu(m.conv(b.first)), 0.1);
    return mean(cross_entropy(m.out(reshape(h, {b.first.dim(0), -1})), b.second));
  };
  const Adam rule{.rate = 1e-2};
  const auto load = [&](const Ints& r) { return std::pair(take_rows(x, r), take_rows(y, r)); };
  const auto end = [&](int threads) {
    set_threads(threads);
    const Net net{Conv::make(key(3), 3, 16, {3, 3}), Dense::make(key(4), 16 * 10 * 10, 5)};
    const auto e = train(gradient_step(loss, rule), net, rule.init(net), Batches(96, {.size = 32}), load, quiet(8));
    return std::pair(tree::flatten(e.model), tree::flatten(e.state));
  };
  const auto one = end(1), three = end(3);
  for (const auto& [a, b] : {std::pair(one.first, three.first), std::pair(one.second, three.second)})
    for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(a[i].empty() || same_bits(a[i].array(), b[i].array())) << i;
}

TEST(Train, KeysAndRowsAreThoseOfTheStep) {
  std::vector<Ints> rows;
  const auto step = [](const Tensor& sum, const Tensor& state, const Tensor& batch, const Key& k) {
    return std::tuple(sum + uniform(k, {}), state + viva::sum(batch), Tensor(zeros({})));
  };
  const Batches batches(10, {.size = 4, .seed = 3});
  const auto end = train(step, scalar(0.0), scalar(0.0), batches,
                         [&](const Ints& r) {
                           rows.push_back(r);
                           return convert(take_rows(arange(10), r), Dtype::float32);
                         },
                         {.steps = 6, .seed = 5});
  double total = 0;
  for (int64_t t = 0; t < 6; ++t) {
    total += uniform(key(5).fold(t), {}).item();
    EXPECT_EQ(rows[static_cast<size_t>(t) + 1], batches.at(t));  // the first is for the trace
  }
  EXPECT_NEAR(end.model.item(), total, 1e-6);
  EXPECT_EQ(end.state.item(), 90);
}

TEST(Train, MetricsAreMeansSinceTheLineBefore) {
  const TempDir dir;
  struct Metrics {
    Tensor count, twice;
  };
  const auto step = [](const Tensor& n, const Tensor& s, const Tensor&, const Key&) {
    return std::tuple(n + 1, s, Metrics{n, n * 2});
  };
  const auto load = [](const Ints&) { return scalar(0.0); };
  train(step, scalar(0.0), Tensor(), Batches(8, {.size = 2}), load,
        {.steps = 7, .directory = dir / "d", .log_every = 3, .record = {{"note", "a \"b\""}}},
        [](const Tensor& n) { return Scores{{"n", n.item()}, {"bad", std::nan("")}}; });
  const std::string metrics = metrics_of(dir / "d");
  VIVA_EXPECT_HAS(metrics, R"("record":{"note":"a \"b\""})");
  EXPECT_EQ(metrics.substr(metrics.find('\n') + 1),
            "{\"step\":3,\"epoch\":0,\"count\":1.0,\"twice\":2.0}\n"
            "{\"step\":6,\"epoch\":1,\"count\":4.0,\"twice\":8.0}\n"
            "{\"step\":7,\"epoch\":1,\"count\":6.0,\"twice\":12.0}\n"
            "{\"step\":7,\"epoch\":1,\"evaluation\":{\"n\":7.0,\"bad\":null}}\n");
  // The model of a checkpoint, by itself.
  EXPECT_EQ(load_safetensors(dir / "d/checkpoint-000000007.safetensors", scalar(0.0), "model").item(), 7);
}

TEST(Train, InfinityIsTracedToo) {
  const auto step = [](const Tensor& w, const Tensor& s, const Tensor&, const Key&) {
    const Tensor next = w * 10;
    return std::tuple(next, s, Tensor(zeros({})));
  };
  const std::string said = error_of([&] {
    train(step, scalar(1.0), Tensor(), Batches(8, {.size = 2}), [](const Ints&) { return scalar(0.0); },
          {.steps = 100, .log_every = 50});
  });
  // 10³⁹ is beyond float32.
  VIVA_EXPECT_HAS(said, "[train] step 39 (batch 2 of epoch 9, rows ");
  VIVA_EXPECT_HAS(said, "[mul] gives an infinity from finite operands");
}

TEST(Train, AMistakeBetweenKeptStatesIsFoundByRepeating) {
  // w becomes NaN at step 7, but the metrics never show it: seen at the next look, found where it began.
  const auto step = [](const Tensor& w, const Tensor& t, const Tensor&, const Key&) {
    return std::tuple(where(t == 6.0, log(t - 7), w), t + 1, Tensor(zeros({})));
  };
  std::vector<std::string> said;
  const std::string error = error_of([&] {
    train(step, scalar(1.0), scalar(0.0), Batches(8, {.size = 2}), [](const Ints&) { return scalar(0.0); },
          {.steps = 100, .checkpoint_every = 5, .log_every = 50, .report = [&](const std::string& line) {
             said.push_back(line);
           }});
  });
  VIVA_EXPECT_HAS(error, "[train] step 7 (batch 2 of epoch 1");
  VIVA_EXPECT_HAS(error, "[log] gives NaN from operands without any");
  ASSERT_FALSE(said.empty());
  EXPECT_EQ(said.back(), "step 10: a number is not finite; looking for its origin from step 5");
}

TEST(Train, TheFirstStepIsReportedAtOnce) {
  const auto step = [](const Tensor& w, const Tensor& s, const Tensor&, const Key&) {
    return std::tuple(w, s, Tensor(scalar(2.5)));
  };
  std::vector<std::string> said;
  train(step, scalar(1.0), Tensor(), Batches(8, {.size = 2}), [](const Ints&) { return scalar(0.0); },
        {.steps = 7, .log_every = 5, .report = [&](const std::string& line) { said.push_back(line); }});
  ASSERT_EQ(said.size(), 3u);
  EXPECT_EQ(said[0].find("step 1/7, loss 2.5; the first took "), 0u) << said[0];
  EXPECT_EQ(said[1].find("step 5/7, loss 2.5, "), 0u) << said[1];
}

// What train says of a step on these inputs and labels, and the line it names.
std::pair<std::string, uint32_t> said_of(const Tensor& x, const Tensor& y, const CrossEntropyOptions& o = {}) {
  struct Data {
    Tensor x, y;
  };
  uint32_t line = 0;
  const auto loss = [&](const Dense& m, const Data& b, const Key&) {
    line = __LINE__ + 1;
    const Tensor l = cross_entropy(m(b.x), b.y, o);
    return mean(l);
  };
  const Sgd rule{.rate = 0.1};
  const Dense net = Dense::make(key(1), 3, 4);
  const auto load = [&](const Ints& r) { return Data{take_rows(x, r), take_rows(y, r)}; };
  try {
    train(gradient_step(loss, rule), net, rule.init(net), Batches(12, {.size = 4, .shuffle = false}), load, quiet(6));
    return {"", 0};
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::input);
    return {e.message(), e.where().line == line ? 1 : 0};
  }
}

TEST(Train, LabelsOutsideTheClassesAreNamed) {
  const Tensor x = normal(key(2), {12, 3}), y = randint(key(3), {12}, 0, 4);
  EXPECT_EQ(said_of(x, y).first, "");
  for (const Dtype d : {Dtype::int32, Dtype::uint8, Dtype::int64}) {
    const auto [said, at_line] = said_of(x, convert(y.at(6).set(4), d));
    EXPECT_EQ(said,
              "[train] step 2 (batch 1 of epoch 0, rows 4, 5, 6, 7): batch.y is 4 at [2], in row 6, outside the 4 "
              "classes: labels go from 0 to 3");
    EXPECT_EQ(at_line, 1u);
  }
  const Tensor ignored = y.at(6).set(-100);
  VIVA_EXPECT_HAS(said_of(x, ignored).first, "batch.y is -100 at [2], in row 6, outside the 4 classes");
  EXPECT_EQ(said_of(x, ignored, {.ignore = -100}).first, "");
  VIVA_EXPECT_HAS(said_of(x, ignored.at(11).set(9), {.ignore = -100}).first, "batch.y is 9 at [3], in row 11, outside");
}

TEST(Train, NumbersInTheBatchThatAreNotFiniteAreNamed) {
  const Tensor x = normal(key(2), {12, 3}), y = randint(key(3), {12}, 0, 4);
  EXPECT_EQ(said_of(x.at(9, 1).set(NAN), y).first,
            "[train] step 3 (batch 2 of epoch 0, rows 8, 9, 10, 11): batch.x is nan at [1,1], in row 9: mend the data");
  const auto [said, at_line] = said_of(x.at(9, 1).set(INFINITY), y);
  VIVA_EXPECT_HAS(said, "rows 8, 9, 10, 11): batch.x is inf at [1,1], in row 9; [");
  VIVA_EXPECT_HAS(said, "gives NaN from operands without any");
}

// NaN as a fill: it is chosen, not computed, and still named.
TEST(Train, ANaNThatIsChosenIsTracedToItsLine) {
  uint32_t line = 0;
  const auto step = [&](const Tensor& w, const Tensor& t, const Tensor&, const Key&) {
    const Tensor past = w > 3;
    line = __LINE__ + 1;
    const Tensor next = where(past, NAN, w + 1);
    return std::tuple(next * 1.0, t, Tensor(sum(next)));
  };
  try {
    train(step, scalar(1.0), scalar(0.0), Batches(8, {.size = 2}), [](const Ints&) { return scalar(0.0); }, quiet(100));
    FAIL();
  } catch (const Error& e) {
    VIVA_EXPECT_HAS(e.message(), "[train] step 4 (");
    VIVA_EXPECT_HAS(e.message(), "[select] chooses a NaN that is a constant; its data have none");
    EXPECT_EQ(e.where().line, line);
  }
}

TEST(Train, ADirectoryWithoutAParentNamesTheLine) {
  const TempDir dir;
  const auto step = [](const Tensor& w, const Tensor& s, const Tensor&, const Key&) {
    return std::tuple(w + 1, s, Tensor(zeros({})));
  };
  uint32_t line = 0;
  try {
    line = __LINE__ + 1;
    train(step, scalar(1.0), Tensor(), Batches(8, {.size = 2}), [](const Ints&) { return scalar(0.0); },
          {.steps = 2, .directory = dir / "a/b"});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.message(), (dir / "a/b") + ": cannot be made: make the directory above it first");
    EXPECT_EQ(e.where().line, line);
  }
}

// Early stopping: an evaluation that asks to stop is the end, and what it saw is saved.
TEST(Train, AnEvaluationMayStop) {
  const TempDir dir;
  const auto step = [](const Tensor& w, const Tensor& s, const Tensor&, const Key&) {
    return std::tuple(w + 1, s, Tensor(zeros({})));
  };
  std::atomic<bool> stop = false;
  const auto end = train(
      step, scalar(0.0), Tensor(), Batches(8, {.size = 2}), [](const Ints&) { return scalar(0.0); },
      {.steps = 100, .directory = dir / "d", .evaluate_every = 10, .stop = &stop},
      [&](const Tensor& w) {
        stop = w.item() >= 30;
        return Scores{};
      });
  EXPECT_EQ(end.steps, 30);
  EXPECT_TRUE(end.cancelled);
  EXPECT_EQ(CheckpointFiles(dir / "d", 3).newest({})->first.step, 30);
}

// An evaluation may look at the state too: at a mean of the parameters, say.
TEST(Train, EvaluatesTheState) {
  const auto step = [](const Tensor& w, const Tensor& s, const Tensor&, const Key&) {
    return std::tuple(w + 1, s + 2, Tensor(zeros({})));
  };
  std::vector<double> seen;
  train(
      step, scalar(0.0), scalar(0.0), Batches(8, {.size = 2}), [](const Ints&) { return scalar(0.0); },
      {.steps = 4, .evaluate_every = 2},
      [&](const Tensor& w, const Tensor& s) {
        seen.push_back(w.item()), seen.push_back(s.item());
        return Scores{};
      });
  EXPECT_EQ(seen, (std::vector<double>{2, 4, 4, 8}));
}

TEST(Train, StopsWhenAsked) {
  std::atomic<bool> stop = false;
  TrainOptions options = quiet(100);
  options.stop = &stop;
  const auto end = train([](const Tensor& w, const Tensor& s, const Tensor&,
                            const Key&) { return std::tuple(w + 1, s, Tensor(zeros({}))); },
                         scalar(0.0), Tensor(), Batches(2),
                         [&, n = std::make_shared<int>(0)](const Ints&) {
                           stop = ++*n > 10;
                           return scalar(0.0);
                         },
                         options);
  EXPECT_TRUE(end.cancelled);
  EXPECT_EQ(end.steps, 10);
  EXPECT_EQ(end.model.item(), 10);
}

TEST(Train, RefusesSettingsThatMakeNoSense) {
  const auto step = [](const Tensor& w, const Tensor& s, const Tensor&, const Key&) {
    return std::tuple(w, s, Tensor(zeros({})));
  };
  for (TrainOptions bad : {TrainOptions{.steps = -1}, TrainOptions{.checkpoint_every = 0}, TrainOptions{.keep = 0},
                           TrainOptions{.log_every = 0}, TrainOptions{.evaluate_every = -1}})
    VIVA_EXPECT_HAS(
        error_of([&] { train(step, scalar(0.0), Tensor(), Batches(2), [](const Ints&) { return scalar(0.0); }, bad); },
                 ErrorKind::usage),
        "[train] steps and evaluate_every are 0 or more");
}

}  // namespace
}  // namespace viva
