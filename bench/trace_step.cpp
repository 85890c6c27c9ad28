// How long do tracing and transforming take, before anything is compiled? A training step of a GPT of four layers (64
// places, batches of 12, 0.8 million parameters): its loss, the gradient, and the step with clipping and AdamW. Prints
// the median of 21 repetitions on this thread's own time, and the nodes of the simplified program. bench_trace_step
#include <fmt/format.h>
#include <viva/viva.h>

#include <algorithm>
#include <ctime>
#include <vector>

#include "graph/graph.h"
#include "transform/transform.h"

namespace {

using namespace viva;

constexpr int64_t places = 64, batch = 12, layers = 4, heads = 4, width = 128, alphabet = 65;

struct Block {
  LayerNorm before_attention, before_mlp;
  MultiHeadAttention attention;
  Dense up, down;
  static Block make(const Key& k) {
    return {.before_attention = LayerNorm::make(width),
            .before_mlp = LayerNorm::make(width),
            .attention = MultiHeadAttention::make(k.fold(0), width, heads, {.causal = true}),
            .up = Dense::make(k.fold(1), width, 4 * width),
            .down = Dense::make(k.fold(2), 4 * width, width)};
  }
  Tensor operator()(const Tensor& x) const {
    const Tensor y = x + attention(before_attention(x));
    return y + down(gelu(up(before_mlp(y))));
  }
};

struct Gpt {
  Embedding characters, positions;
  std::vector<Block> stack;
  LayerNorm last;
  static Gpt make(const Key& k) {
    Gpt m{.characters = Embedding::make(k.fold(0), alphabet, width),
          .positions = Embedding::make(k.fold(1), places, width),
          .stack = {},
          .last = LayerNorm::make(width)};
    for (int64_t i = 0; i < layers; ++i) m.stack.push_back(Block::make(k.fold(2 + i)));
    return m;
  }
  Tensor operator()(const Tensor& text) const {
    Tensor x = characters(text) + positions(arange(text.dim(1)));
    for (const Block& b : stack) x = b(x);
    return characters.attend(last(x));
  }
};

using Text = std::pair<Tensor, Tensor>;
Tensor loss(const Gpt& m, const Text& text, const Key&) { return mean(cross_entropy(m(text.first), text.second)); }

double now() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return 1e3 * static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_nsec);
}

int64_t nodes_of(const Function& f) {
  int64_t n = 0;
  for (const Node& node : f.nodes()) {
    ++n;
    for (const Body& b : node.bodies) n += nodes_of(*b);
  }
  return n;
}

template <class F> void time(const char* what, F&& traced) {
  std::vector<double> ms;
  Body f;
  for (int i = 0; i < 21; ++i) {
    const double start = now();
    f = traced();
    ms.push_back(now() - start);
  }
  std::ranges::sort(ms);
  fmt::print("{:<36} {:6.2f} ms (least {:.2f}), {} nodes\n", what, ms[10], ms[0], nodes_of(*f));
}

}  // namespace

int main() {
  const Gpt model = Gpt::make(key(1));
  const Tensor ids = zeros({batch, places}, Dtype::int32);
  const Text text{ids, ids};
  const auto rule = chain(clip_by_global_norm(1), AdamW{.rate = 1e-3, .weight_decay = .1});
  const auto state = rule.init(model);
  time("loss", [&] { return trace(loss, model, text, key(0)); });
  time("value and gradient", [&] { return trace(value_and_grad(loss), model, text, key(0)); });
  time("training step", [&] { return trace(gradient_step(loss, rule), model, state, text, key(0)); });
}
