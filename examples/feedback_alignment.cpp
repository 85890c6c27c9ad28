// test: --images 12000 --epochs 3 | sed -E -e 's/[78][0-9]\.[0-9]+ %/7x or 8x %/g' -e 's/[0-9.]{5}|[0-9]{2}\b/#/g'
//
// A learning rule that is not backpropagation, as a function that one can read. Direct feedback alignment (Nøkland,
// 2016) sends the error at the output straight to each hidden layer, through a fixed random matrix in place of the
// transposed weights above it; each layer then learns by its own derivative alone. A network of 784-256-256-10 learns
// Fashion-MNIST by it and by backpropagation, from the same weights, in the same order of images.
//
//   feedback_alignment [--images N] [--epochs N]
#include <viva/viva.h>

#include <cmath>
#include <iomanip>
#include <iostream>
#include <numbers>
#include <numeric>

using namespace viva;

Tensor hidden(const Dense& layer, const Tensor& x) { return relu(layer(x)); }
Tensor output(const Dense& layer, const Tensor& x) { return layer(x); }
Tensor loss_of_logits(const Tensor& logits, const Tensor& labels) { return mean(cross_entropy(logits, labels)); }

struct Network {
  Dense first, second, last;
  static Network make(const Key& k) {
    return {.first = Dense::make(k.fold(0), 784, 256),
            .second = Dense::make(k.fold(1), 256, 256),
            .last = Dense::make(k.fold(2), 256, 10)};
  }
  Tensor operator()(const Tensor& x) const { return output(last, hidden(second, hidden(first, x))); }
};

using Lesson = std::pair<Tensor, Network>;  // the loss, and the direction that stands for its gradient

Lesson backpropagation(const Network& m, const Tensor& x, const Tensor& y) {
  return value_and_grad([](const Network& n, const Tensor& images, const Tensor& labels) {
    return loss_of_logits(n(images), labels);
  })(m, x, y);
}

struct Feedback {  // from the output's error to each hidden layer: never trained
  Tensor first, second;
  static Feedback make(const Key& k) { return {normal(k.fold(0), {10, 256}) * .1, normal(k.fold(1), {10, 256}) * .1}; }
};

Lesson direct_feedback(const Network& m, const Feedback& b, const Tensor& x, const Tensor& y) {
  const auto [h1, learn_first] = vjp(hidden)(m.first, x);
  const auto [h2, learn_second] = vjp(hidden)(m.second, h1);
  const auto [logits, learn_last] = vjp(output)(m.last, h2);
  const auto [loss, error] = value_and_grad(loss_of_logits)(logits, y);
  return {loss, Network{.first = learn_first(matmul(error, b.first)),
                        .second = learn_second(matmul(error, b.second)),
                        .last = learn_last(error)}};
}

struct Images {
  Tensor x, y;  // bytes [n, 784], int64 [n]
  explicit Images(const std::string& spec) {
    const Dataset d = load_dataset(spec);
    x = reshape(Tensor(d.inputs), {d.rows(), 784}), y = d.labels;
  }
};
Tensor scaled(const Tensor& bytes) { return convert(bytes, Dtype::float32) / 255; }

// Trains by a rule, prints the loss of each epoch, and gives the network.
template <class Rule>
Network train(const std::string& name, const Rule& rule, const Images& data, int64_t images, int64_t epochs) {
  const Batches batches(images, {.size = 128, .seed = 1, .drop_last = true});
  const Adam adam{.rate = schedule::cosine(1e-3, epochs * batches.per_epoch())};
  Network m = Network::make(key(1));
  Adam::State state = adam.init(m);
  const auto step = compile([&](Network n, Adam::State s, const Tensor& x, const Tensor& y) {
    const auto [loss, direction] = rule(n, scaled(x), y);
    auto [next, moved] = adam.update(std::move(n), std::move(s), direction);
    return std::tuple(next, moved, loss);
  });
  std::cout << name << ", loss of each epoch:";
  for (int64_t e = 0, i = 0; e < epochs; ++e) {
    Tensor total = scalar(0);
    for (; i < (e + 1) * batches.per_epoch(); ++i) {
      const Ints rows = batches.at(i);
      Tensor loss;
      std::tie(m, state, loss) = step(std::move(m), std::move(state), take_rows(data.x, rows), take_rows(data.y, rows));
      total += loss;
    }
    std::cout << ' ' << total.item() / static_cast<double>(batches.per_epoch()) << std::flush;
  }
  std::cout << "\n";
  return m;
}

int main(int argc, char** argv) try {
  int64_t images = 60000, epochs = 15;
  for (int i = 1; i + 1 < argc; i += 2)
    (std::string(argv[i]) == "--images" ? images : epochs) = std::atoll(argv[i + 1]);
  const Images data("fashion-mnist:train"), test("fashion-mnist:test");
  std::cout << std::fixed << std::setprecision(3);

  const Feedback feedback = Feedback::make(key(2));
  const auto by_feedback = [&](const Network& m, const Tensor& x, const Tensor& y) {
    return direct_feedback(m, feedback, x, y);
  };
  const Network a = train("backpropagation", backpropagation, data, images, epochs);
  const Network b = train("direct feedback", by_feedback, data, images, epochs);

  const auto score =
      compile([](const Network& m, const Tensor& x, const Tensor& y) { return accuracy(m(scaled(x)), y); });
  std::cout << std::setprecision(2) << "on the test set: backpropagation " << 100 * score(a, test.x, test.y).item()
            << " %, direct feedback " << 100 * score(b, test.x, test.y).item() << " %\n";

  // The weights have come to agree with the random feedback: what the hidden layers learn is no longer at right angles
  // to the gradient.
  const auto angle = compile([&](const Network& m, const Tensor& x, const Tensor& y) {
    const Network g = backpropagation(m, scaled(x), y).second, f = direct_feedback(m, feedback, scaled(x), y).second;
    return cosine_similarity(ravel(std::tie(g.first, g.second)), ravel(std::tie(f.first, f.second)));
  });
  const auto degrees = [&](const Network& m) {
    const Tensor c = angle(m, data.x(range(0, 1000)), data.y(range(0, 1000)));
    return std::lround(std::acos(c.item()) * 180 / std::numbers::pi);
  };
  std::cout << "degrees between the rule and the gradient of the hidden layers: " << degrees(Network::make(key(1)))
            << " before training, " << degrees(b) << " after\n";
} catch (const Error& e) {
  std::cerr << e.what() << "\n";
  return 1;
}
