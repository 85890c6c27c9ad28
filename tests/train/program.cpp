// The program that the tests of training kill and start again: a small network with dropout and running statistics,
// AdamW under a schedule, evaluation, all from keys.
//   train_program DIRECTORY [STEPS [SEED [MODE]]]
// MODE: plain; nan: a row of the data makes the loss NaN; full: files may not grow beyond 100 kB from step 40 on;
// wide, rate, data: other programs. Exit code 0 done, 1 cancelled, 2 not saved, 3 an error (on standard error).
#include <viva/viva.h>

#include <signal.h>
#include <sys/resource.h>

#include <iostream>

using namespace viva;

struct Net {
  Dense hidden;
  BatchNorm norm;
  Dense out;
};
struct Batch {
  Tensor x, y;
};

int main(int argc, char** argv) {
  const std::string directory = argv[1], mode = argc > 4 ? argv[4] : "plain";
  const int64_t steps = argc > 2 ? std::stoll(argv[2]) : 120;
  const uint64_t seed = argc > 3 ? std::stoull(argv[3]) : 1;
  const int64_t rows = 300, width = mode == "wide" ? 17 : 16;
  set_threads(1);

  Tensor x = normal(key(11), {rows, 8});
  if (mode == "data") x = x * 2;
  const Tensor y = argmax(matmul(x, normal(key(12), {8, 4})), 1);
  if (mode == "nan") x = x.at(123, 3).set(-1e30);

  const auto loss = [](const Net& m, const Batch& b, const Key& k) {
    auto [h, norm] = m.norm.train(m.hidden(b.x));
    const Tensor scale = sqrt(1e20 + mean(b.x));  // NaN where the mean is below -1e20
    const Tensor logits = m.out(dropout(k, relu(h), 0.2)) * (scale / scale);
    return std::pair(mean(cross_entropy(logits, b.y)), Net{m.hidden, norm, m.out});
  };
  const AdamW rule{.rate = schedule::cosine(mode == "rate" ? 0.03 : 0.02, 200, 10), .weight_decay = 0.01};
  const Net net{Dense::make(key(seed).fold(1), 8, width), BatchNorm::make(width),
                Dense::make(key(seed).fold(2), width, 4)};

  TrainOptions options{.steps = steps,
                       .seed = seed,
                       .directory = directory,
                       .checkpoint_every = 7,
                       .keep = 3,
                       .log_every = 5,
                       .evaluate_every = 20,
                       .record = {{"task", "argmax"}},
                       .report = [](const std::string& line) { std::cerr << line << std::endl; },
                       .stop = &stop_on_interrupt()};
  const auto load = [&](const Ints& r) { return Batch{take_rows(x, r), take_rows(y, r)}; };
  int64_t evaluations = 0;
  const auto evaluate = [&](const Net& m) {
    if (mode == "full" && ++evaluations == 2) {
      signal(SIGXFSZ, SIG_IGN);
      const rlimit small{2000, RLIM_INFINITY};
      setrlimit(RLIMIT_FSIZE, &small);
    }
    if (mode == "full" && evaluations == 4) {
      const rlimit large{RLIM_INFINITY, RLIM_INFINITY};
      setrlimit(RLIMIT_FSIZE, &large);
    }
    return Scores{{"accuracy", accuracy(m.out(relu(m.norm(m.hidden(x)))), y).item()}};
  };
  try {
    const auto result = train(gradient_step(loss, rule), net, rule.init(net), Batches(rows, {.size = 32, .seed = seed}),
                              load, options, evaluate);
    std::cout << result.steps << "\n";
    return result.cancelled ? 1 : result.unsaved.empty() ? 0 : 2;
  } catch (const Error& e) {
    std::cerr << e.what() << "\n";
    return 3;
  }
}
