// Learning rules and schedules for tests/peer/optimisers_test.py. optimisers IN OUT reads the safetensors file IN
// (start [n], gradients [steps, n], in float32 or float64) and writes OUT: for each rule the parameters after every
// step [steps, n], for each schedule its values [steps].
#include <functional>
#include <iostream>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "train/safetensors.h"
#include "viva/viva.h"

namespace viva {
namespace {

struct Inputs {
  Tensor start, gradients;
};
using Case = std::function<Tensor(const Inputs&)>;

// Two leaves, of which global norms see both.
struct Model {
  Tensor a, b;
};
Model halves(const Tensor& v) {
  const int64_t n = v.dim(0) / 2;
  return {v(range(0, n)), reshape(v(range(n)), {1, -1})};
}

template <class R> Case following(const R& rule) {
  return [=](const Inputs& in) {
    const auto step = compile(
        [&](const Model& m, const typename R::State& s, const Tensor& g) { return rule.update(m, s, halves(g)); });
    Model m = halves(in.start);
    auto s = rule.init(m);
    std::vector<Tensor> all;
    for (int64_t t = 0; t < in.gradients.dim(0); ++t) {
      std::tie(m, s) = step(std::move(m), std::move(s), in.gradients(t));
      all.push_back(concatenate({m.a, reshape(m.b, {-1})}));
    }
    return stack(all);
  };
}

Case values(const Schedule& s) {
  return [=](const Inputs& in) {
    std::vector<Tensor> all;
    for (int64_t t = 0; t < in.gradients.dim(0); ++t)
      all.push_back(convert(s(scalar(t, Dtype::float64)), Dtype::float64));
    return stack(all);
  };
}

const std::map<std::string, Case> cases{
    {"sgd", following(Sgd{.rate = 0.02})},
    {"momentum", following(Sgd{.rate = 0.02, .momentum = 0.9})},
    {"nesterov", following(Sgd{.rate = 0.02, .momentum = 0.9, .nesterov = true})},
    {"adam", following(Adam{.rate = 0.01})},
    {"adam_settings", following(Adam{.rate = 0.01, .beta1 = 0.7, .beta2 = 0.95, .epsilon = 1e-3})},
    {"adamw", following(AdamW{.rate = 0.01, .weight_decay = 0.1})},
    {"lion", following(Lion{.rate = 0.001, .weight_decay = 0.1})},
    {"rmsprop", following(RmsProp{.rate = 0.01})},
    {"rmsprop_torch", following(RmsProp{.rate = 0.01, .decay = 0.99, .epsilon_inside = false})},
    {"rmsprop_centered", following(RmsProp{.rate = 0.01, .epsilon = 1e-4, .centered = true, .momentum = 0.9})},
    {"adagrad", following(Adagrad{.rate = 0.1})},
    {"clip_norm", following(chain(clip_by_global_norm(1.5), Adam{.rate = 0.01}))},
    {"clip_value", following(chain(clip_by_value(0.5), Sgd{.rate = 0.02, .momentum = 0.9}))},
    {"accumulate", following(accumulate(Adam{.rate = 0.01}, 4))},
    {"scheduled", following(AdamW{.rate = schedule::cosine(0.02, 200, 20, 0.001), .weight_decay = 0.1})},
    {"schedule_linear", values(schedule::linear(0.1, 0.01, 100))},
    {"schedule_cosine", values(schedule::cosine(0.1, 150, 0, 0.01))},
    {"schedule_warm_up", values(schedule::cosine(0.1, 150, 30, 0.01))},
    {"schedule_exponential", values(schedule::exponential(0.1, 0.5, 40))},
    {"schedule_step", values(schedule::step(0.1, 0.5, 40))},
    {"schedule_one_cycle", values(schedule::one_cycle(0.1, 180))},
};

int run(const std::string& in, const std::string& out) {
  const Safetensors file = parse_safetensors(read_file(in), in);
  Inputs inputs;
  for (const NamedTensor& t : file.tensors) (t.name == "start" ? inputs.start : inputs.gradients) = t.array;
  std::map<std::string, Tensor> results;
  for (const auto& [name, f] : cases) results[name] = f(inputs);
  save_safetensors(out, results);
  return 0;
}

}  // namespace
}  // namespace viva

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  try {
    return viva::run(argv[1], argv[2]);
  } catch (const viva::Error& e) {
    std::cerr << e.what() << "\n";
    return 3;
  }
}
