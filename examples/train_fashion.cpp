// test: --quick
//
// Trains the network of the demo, a small convolutional classifier of Fashion-MNIST, and exports it as ONNX: about
// three minutes on one core. Stopped by Ctrl-C or by force, it goes on where it was when started again.
//
//   train_fashion [--out DIR]          trains on all 60,000 images, counts on the test set, writes DIR/fashion.onnx
//   train_fashion --tune [--out DIR]   trains on 55,000 of them and counts on the other 5,000: settings are chosen by
//   that train_fashion --quick              two epochs on few images, in a directory that is removed
#include <viva/viva.h>

#include <cstdlib>
#include <filesystem>
#include <iomanip>
#include <iostream>

using namespace viva;

struct Block {  // halves the extents: no pooling is needed
  Conv conv;
  BatchNorm norm;
  static Block make(const Key& k, int64_t in, int64_t out) {
    return {Conv::make(k, in, out, {3, 3}, {.strides = {2}, .padding = Padding::same(), .bias = false}),
            BatchNorm::make(out)};
  }
};

struct FashionNet {
  std::vector<Block> blocks;
  Dense out;
  static FashionNet make(const Key& k) {
    return {.blocks = {Block::make(k.fold(0), 1, 32), Block::make(k.fold(1), 32, 64), Block::make(k.fold(2), 64, 64)},
            .out = Dense::make(k.fold(3), 64 * 4 * 4, 10)};
  }
  // Images [n, 1, 28, 28] between 0 and 1, to logits [n, 10].
  Tensor operator()(const Tensor& images) const {
    Tensor x = images;
    for (const Block& b : blocks) x = relu(b.norm(b.conv(x)));
    return out(reshape(x, {images.dim(0), -1}));
  }
  // The same, normalised by the batch; and the network with its running statistics moved.
  std::pair<Tensor, FashionNet> train(const Tensor& images) const {
    FashionNet next = *this;
    Tensor x = images;
    for (size_t i = 0; i < blocks.size(); ++i) {
      std::tie(x, next.blocks[i].norm) = blocks[i].norm.train(blocks[i].conv(x));
      x = relu(x);
    }
    return {out(reshape(x, {images.dim(0), -1})), next};
  }
};

// What is exported: each normalisation by running statistics is a scale and an offset a channel, which go into the
// convolution before it.
struct Folded {
  std::vector<Conv> convs;
  Dense out;
  static Folded of(const FashionNet& net) {
    Folded f{{}, net.out};
    for (const auto& [conv, norm] : net.blocks) {
      const Tensor scale = norm.weight * rsqrt(norm.running_variance.value + norm.eps);
      f.convs.push_back(conv);
      f.convs.back().weight = conv.weight * reshape(scale, {-1, 1, 1, 1});
      f.convs.back().bias = norm.bias - norm.running_mean.value * scale;
    }
    return f;
  }
  Tensor operator()(const Tensor& images) const {
    Tensor x = images;
    for (const Conv& conv : convs) x = relu(conv(x));
    return out(reshape(x, {images.dim(0), -1}));
  }
};

struct Batch {
  Tensor images, labels;  // bytes [n, 28, 28], integers [n]
};

Tensor pixels(const Tensor& bytes) { return reshape(convert(bytes, Dtype::float32) / 255, {-1, 1, 28, 28}); }

// Half of the images, chosen by the key, left to right.
Tensor mirror_half(const Key& k, const Tensor& x) {
  return where(bernoulli(k, 0.5, {x.dim(0), 1, 1, 1}), flip(x, 3), x);
}

std::pair<Tensor, FashionNet> loss(const FashionNet& net, const Batch& b, const Key& k) {
  auto [logits, next] = net.train(mirror_half(k, pixels(b.images)));
  return {mean(cross_entropy(logits, b.labels)), next};
}

// How many of the named rows the network classifies rightly.
int64_t count_right(const Folded& net, const Dataset& data, const Ints& rows) {
  static const auto right = compile([](const Folded& m, const Tensor& images, const Tensor& labels) {
    return sum(correct(m(pixels(images)), labels));
  });
  int64_t total = 0;
  for (size_t i = 0; i < rows.size(); i += 1000) {
    const Ints part(rows.begin() + static_cast<int64_t>(i),
                    rows.begin() + static_cast<int64_t>(std::min(i + 1000, rows.size())));
    total += static_cast<int64_t>(right(net, take_rows(data.inputs, part), take_rows(data.labels, part)).item());
  }
  return total;
}

struct Plan {
  Ints rows, held_out;
  int64_t epochs = 12;
  std::string directory;  // of checkpoints and metrics
};

Trained<FashionNet, AdamW::State> train_network(const Dataset& data, const Plan& plan) {
  const Batches batches(plan.rows, {.size = 64, .seed = 1});
  const int64_t steps = plan.epochs * batches.per_epoch();
  const AdamW rule{.rate = schedule::one_cycle(4e-3, steps), .weight_decay = 0.05, .decays = is_matrix};
  const FashionNet start = FashionNet::make(key(1));
  const auto load = [&](const Ints& rows) { return Batch{take_rows(data.inputs, rows), take_rows(data.labels, rows)}; };
  const auto evaluate = [&](const FashionNet& net) {
    return Scores{{"held_out", static_cast<double>(count_right(Folded::of(net), data, plan.held_out))}};
  };
  return train(gradient_step(loss, rule), start, rule.init(start), batches, load,
               {.steps = steps,
                .seed = 1,
                .directory = plan.directory,
                .checkpoint_every = batches.per_epoch(),
                .evaluate_every = batches.per_epoch(),
                .record = {{"images", data.files.front().sha256}, {"labels", data.files.back().sha256}},
                .report = [](const std::string& line) { std::cerr << line << "\n"; },
                .stop = &stop_on_interrupt()},
               plan.held_out.empty() ? nullptr : std::function<Scores(const FashionNet&)>(evaluate));
}

void print_count(const char* what, int64_t right, size_t of) {
  std::cout << what << ": " << right << " of " << of << " (" << std::fixed << std::setprecision(4)
            << static_cast<double>(right) / static_cast<double>(of) << ")\n";
}

Ints first(int64_t n) { return Batches(n, {.size = n, .shuffle = false}).at(0); }

void export_network(const Folded& net, const std::string& directory) {
  save_onnx({directory + "/fashion.onnx", {.outputs = {"logits"}}}, net, shape(any("N"), 1, 28, 28).named("images"));
}

int quick(const Dataset& data) {
  std::string out = (std::filesystem::temp_directory_path() / "train_fashion-XXXXXX").string();
  if (!mkdtemp(out.data())) return 3;
  Plan plan{.rows = {}, .held_out = {}, .epochs = 2, .directory = out + "/run"};
  std::tie(plan.rows, plan.held_out) = split_rows(5000, 1000, 1);
  const auto result = train_network(data, plan);
  const Folded net = Folded::of(result.model);
  export_network(net, out);
  std::cout << result.steps << " steps; at least 700 of 1000 held-out images right: "
            << (count_right(net, data, plan.held_out) >= 700 ? "yes" : "no") << "\n";
  for (const char* name : {"fashion.onnx", "run/metrics.jsonl", "run/checkpoint-000000126.safetensors"})
    std::cout << name << (std::filesystem::exists(out + "/" + name) ? " is there" : " is missing") << "\n";
  std::filesystem::remove_all(out);
  return 0;
}

int main(int argc, char** argv) {
  bool tune = false, is_quick = false;
  std::string out = ".";
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--tune") tune = true;
    else if (word == "--quick") is_quick = true;
    else if (word == "--out" && i + 1 < argc) out = argv[++i];
    else return std::cerr << "usage: train_fashion [--tune | --quick] [--out DIR]\n", 2;
  }
  try {
    const Dataset data = load_dataset("fashion-mnist:train");
    if (is_quick) return quick(data);
    Plan plan{.rows = first(data.rows()), .held_out = {}, .directory = out + (tune ? "/tune" : "/run")};
    if (tune) std::tie(plan.rows, plan.held_out) = split_rows(data.rows(), 5000, 20170825);
    const auto result = train_network(data, plan);
    if (!result.unsaved.empty()) std::cerr << result.unsaved << "\n";
    if (result.cancelled)
      return std::cerr << "stopped after step " << result.steps << "; the same command goes on from there\n", 130;
    const Folded net = Folded::of(result.model);
    if (tune) {
      print_count("held out", count_right(net, data, plan.held_out), plan.held_out.size());
      return 0;
    }
    const Dataset test = load_dataset("fashion-mnist:test");
    print_count("test", count_right(net, test, first(test.rows())), static_cast<size_t>(test.rows()));
    export_network(net, out);
    return 0;
  } catch (const Error& e) {
    std::cerr << "train_fashion: " << e.what() << "\n";
    return 3;
  }
}
