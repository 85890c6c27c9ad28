// test: --iterations 40 2>&1 | sed -E -e '/^step/d' -e 's/ 2\.[0-4][0-9]+/ below 2.5/g' -e '/^---/q'
//
// A language model of characters: a small GPT, trained as nanoGPT does on a processor (blocks of 64 characters, batches
// of 12, four layers of four heads, 0.8 million parameters, 2,000 steps).
//
//   char_gpt [TEXT.txt] [--iterations N] [--directory DIR]
//
// With a directory it keeps checkpoints there, and continues from the last one. Without a text it learns sums that it
// writes itself, and is marked on sums that it has not seen.
#include <viva/viva.h>

#include <cmath>
#include <iomanip>
#include <iostream>
#include <sstream>

using namespace viva;

constexpr int64_t block = 64, batch = 12, layers = 4, heads = 4, width = 128;

struct Layer {
  LayerNorm before_attention, before_mlp;
  MultiHeadAttention attention;
  Dense up, down;

  static Layer make(const Key& k) {
    const double narrow = .02 / std::sqrt(2.0 * layers);  // of what is added to the stream
    const DenseOptions wide{.bias = false, .weight = init::normal(.02)};
    Layer l{.before_attention = LayerNorm::make(width, {.bias = false}),
            .before_mlp = LayerNorm::make(width, {.bias = false}),
            .attention = MultiHeadAttention::make(k.fold(0), width, heads,
                                                  {.causal = true, .bias = false, .weight = init::normal(.02)}),
            .up = Dense::make(k.fold(1), width, 4 * width, wide),
            .down = Dense::make(k.fold(2), 4 * width, width, {.bias = false, .weight = init::normal(narrow)})};
    l.attention.out.weight = normal(k.fold(3), {width, width}) * narrow;
    return l;
  }
  Tensor operator()(const Tensor& x) const {
    const Tensor y = x + attention(before_attention(x));
    return y + down(gelu(up(before_mlp(y))));
  }
};

struct Gpt {
  Embedding characters, places;
  std::vector<Layer> stack;
  LayerNorm last;

  static Gpt make(const Key& k, int64_t alphabet) {
    Gpt m{.characters = Embedding::make(k.fold(0), alphabet, width, init::normal(.02)),
          .places = Embedding::make(k.fold(1), block, width, init::normal(.02)),
          .stack = {},
          .last = LayerNorm::make(width, {.bias = false})};
    for (int64_t i = 0; i < layers; ++i) m.stack.push_back(Layer::make(k.fold(2 + i)));
    return m;
  }
  // Characters [batch, time] to logits of the next ones [batch, time, alphabet].
  Tensor operator()(const Tensor& text) const {
    Tensor x = characters(text) + places(arange(text.dim(1)));
    for (const Layer& layer : stack) x = layer(x);
    return characters.attend(last(x));
  }
};

using Text = std::pair<Tensor, Tensor>;  // characters [batch, time], and those that follow each

Text windows(const Tensor& text, const Ints& starts) {
  return {take_windows(text, starts, block), take_windows(text, starts, block, 1)};
}

Tensor loss(const Gpt& m, const Text& text, const Key&) { return mean(cross_entropy(m(text.first), text.second)); }

// "38+7=45" and so on, a line each; one pair of terms in ten is kept for the test.
std::string sums(int64_t count, bool kept) {
  const Array terms = randint(key(1).fold(kept), {count, 2}, 0, 100).array();
  std::ostringstream out;
  for (int64_t i = 0; i < count; ++i) {
    const auto a = static_cast<int>(terms.at(2 * i)), b = static_cast<int>(terms.at(2 * i + 1));
    if (((a + 3 * b) % 10 == 0) == kept) out << a << '+' << b << '=' << a + b << '\n';
  }
  return out.str();
}

// Continues a prompt, one character at a time, by the last ones that fit into a block.
class Writer {
 public:
  Writer(const Gpt& m, const Vocabulary& vocabulary) : m_(m), vocabulary_(vocabulary) {}

  std::string write(const std::string& prompt, int64_t count, const Key& k, double temperature,
                    char stop = '\0') const {
    std::vector<double> text = numbers(vocabulary_.encode(prompt)), added;
    const double end = stop ? vocabulary_.encode(std::string(1, stop))(0).item() : -1;
    for (int64_t i = 0; i < count && (added.empty() || added.back() != end); ++i) {
      const auto seen = std::min<int64_t>(static_cast<int64_t>(text.size()), block);
      std::vector<double> window(text.end() - seen, text.end());
      window.resize(block);  // no place sees those after it
      const Tensor last = scalar(seen - 1, Dtype::int32);
      added.push_back(next_(m_, tensor(window, {1, block}, Dtype::int32), last, scalar(temperature), k.fold(i)).item());
      text.push_back(added.back());
    }
    return vocabulary_.decode(tensor(added, {static_cast<int64_t>(added.size())}, Dtype::int32));
  }

 private:
  static std::vector<double> numbers(const Tensor& t) {
    std::vector<double> r;
    for (int64_t i = 0; i < t.size(); ++i) r.push_back(t.array().at(i));
    return r;
  }
  static Tensor next(const Gpt& m, const Tensor& window, const Tensor& last, const Tensor& temperature, const Key& k) {
    return categorical(k, m(window)(0, last) / temperature);
  }
  const Gpt& m_;
  const Vocabulary& vocabulary_;
  decltype(compile(&Writer::next)) next_ = compile(&Writer::next);
};

// How many of the sums, from the first on, the model completes when it writes what it holds most likely.
void mark(const Writer& writer, const std::string& text, int64_t count) {
  std::istringstream lines(text);
  std::string line;
  int64_t right = 0, asked = 0;
  for (; asked < count && std::getline(lines, line); ++asked) {
    const size_t at = line.find('=') + 1;
    right += writer.write("\n" + line.substr(0, at), 4, key(10), 1e-6, '\n') == line.substr(at) + "\n";
  }
  std::cout << right << " of " << asked << " sums right\n";
}

int main(int argc, char** argv) try {
  int64_t iterations = 2000;
  std::string file, directory;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--iterations" && i + 1 < argc) iterations = std::atoll(argv[++i]);
    else if (argument == "--directory" && i + 1 < argc) directory = argv[++i];
    else file = argument;
  }
  const std::string text = file.empty() ? sums(20000, false) : load_text(file), kept = sums(20000, true);
  const Vocabulary vocabulary(text);
  Tensor training = vocabulary.encode(text), held_out;
  if (file.empty()) held_out = vocabulary.encode(kept);
  else {
    const std::vector<Tensor> parts = split_at(training, {training.size() * 9 / 10});
    training = parts[0], held_out = parts[1];
  }

  const Gpt start = Gpt::make(key(2), vocabulary.size());
  std::cout << training.size() << " characters, " << vocabulary.size() << " different; " << ravel(start).size()
            << " parameters" << std::endl;

  const auto rate = schedule::cosine(1e-3, iterations, std::min<int64_t>(100, iterations / 2), 1e-4);
  const auto rule =
      chain(clip_by_global_norm(1), AdamW{.rate = rate, .beta2 = .99, .weight_decay = .1, .decays = is_matrix});
  const Batches batches(training.size() - block, {.size = batch, .seed = 3});
  const auto load = [&](const Ints& starts) { return windows(training, starts); };
  // Of 240 stretches, always the same.
  const auto estimate = [score = compile(loss)](const Gpt& m, const Tensor& from) {
    return score(m, windows(from, Batches(from.size() - block, {.size = 240}).at(0)), key(0)).item();
  };
  const auto evaluate = [&](const Gpt& m) {
    return Scores{{"training", estimate(m, training)}, {"validation", estimate(m, held_out)}};
  };
  const auto end = train(gradient_step(loss, rule), start, rule.init(start), batches, load,
                         {.steps = iterations,
                          .directory = directory,
                          .evaluate_every = 250,
                          .report = [](const std::string& line) { std::cerr << line << std::endl; },
                          .stop = &stop_on_interrupt()},
                         evaluate);
  if (!end.unsaved.empty()) std::cerr << end.unsaved << "\n";
  if (end.cancelled)
    return std::cerr << "stopped after step " << end.steps
                     << (directory.empty() ? "" : "; the same command goes on from there") << "\n",
           130;
  const Gpt& m = end.model;
  std::cout << std::fixed << std::setprecision(4) << "training loss " << estimate(m, training) << ", validation loss "
            << estimate(m, held_out) << std::endl;

  const Writer writer(m, vocabulary);
  std::cout << "---\n" << writer.write("\n", file.empty() ? 80 : 500, key(5), .8) << "\n";
  if (file.empty()) mark(writer, kept, 200);
} catch (const Error& e) {
  std::cerr << e.what() << "\n";
  return 1;
}
