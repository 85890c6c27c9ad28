// Layers: plain aggregates of tensors and settings with make(…) and operator(). Data are [batch…, features] for dense
// layers, and [batch, channels, space…] for pools and convolutions, where the latter take one example as well. Each
// throws a usage error, with the line of the call, where shapes do not fit. docs/reference/layers.md has the table.
#pragma once

#include <functional>

#include "viva/losses.h"
#include "viva/random.h"
#include "viva/tree.h"

namespace viva {

// Initialisers. An Initializer makes a tensor from a key, its shape, its fans and its dtype; one that is empty stands
// for a layer's default. The same key gives the same tensor; use each key for one tensor.
struct Fans {
  int64_t in = 0, out = 0;
};
// Of [in, out], and of [out, in, space…] with the space counted in both.
Fans fans_of(const Shape& shape, Loc = Loc::current());
using Initializer = std::function<Tensor(const Key& k, const Shape& shape, Fans fans, Dtype d)>;

namespace init {

Initializer zeros();
Initializer constant(double value);
Initializer normal(double deviation = 1, double mean = 0, Loc = Loc::current());
// A normal distribution without what lies beyond two deviations, which leaves .88 of the deviation given.
Initializer truncated_normal(double deviation = 1, double mean = 0, Loc = Loc::current());
Initializer uniform(double low, double high, Loc = Loc::current());
// Variance scale / fan, where the fan is that of the inputs, of the outputs, or their mean.
enum class Fan : uint8_t { in, out, mean };
enum class Law : uint8_t { normal, truncated_normal, uniform };
Initializer variance_scaling(double scale, Fan fan, Law law, Loc = Loc::current());
Initializer glorot_normal();               // 2 / (in + out); Glorot and Bengio, 2010; Xavier in torch
Initializer glorot_uniform();              // the same variance
Initializer he_normal(Fan fan = Fan::in);  // 2 / fan: keeps variance through relu; He et al., 2015; Kaiming in torch
Initializer he_uniform(Fan fan = Fan::in);
Initializer lecun_normal();   // 1 / in, truncated: keeps variance through a linear layer; LeCun et al., 1998
Initializer lecun_uniform();  // the same variance
// Rows, or columns where they are fewer, orthonormal and uniform among such matrices, times gain; a tensor of more
// dimensions is the matrix [first, rest]. Saxe et al., 2014; Mezzadri, 2007. Computed on the host: a usage error under
// compile and vmap, where keys have no values.
Initializer orthogonal(double gain = 1, Loc = Loc::current());

}  // namespace init

// x · weight + bias over the last axis of x. The weight is [in, out], so that the graph needs no transpose: torch's is
// the transpose of it.
struct DenseOptions {
  bool bias = true;
  Initializer weight = {};     // lecun_normal
  Initializer bias_init = {};  // zeros
  Dtype dtype = Dtype::float32;
};
struct Dense {
  Tensor weight, bias;  // [in, out], [out] or empty
  static Dense make(const Key& k, int64_t in, int64_t out, const DenseOptions& o = {}, Loc = Loc::current());
  Tensor operator()(const Arg& x) const;
};

// How windows meet the border: so many zeros before and after, or as many as keep ⌈extent / stride⌉ places, the odd one
// after (as TensorFlow and JAX).
struct Padding {
  bool to_same = false;
  Ints low = {}, high = {};  // one for each space dimension; empty: 0
  static Padding valid() { return {}; }
  static Padding same() { return {.to_same = true}; }
  static Padding both(const Ints& n) { return {.low = n, .high = n}; }
};

// Convolution (cross-correlation, as everywhere in deep learning) of as many space dimensions as the kernel has
// extents. Weight [out, in / groups, space…]; strides and dilation have an entry for each dimension, or one for all.
struct ConvOptions {
  Ints strides = {};  // empty: 1
  Padding padding = {};
  Ints dilation = {};  // empty: 1
  int64_t groups = 1;
  bool bias = true;
  Initializer weight = {};     // lecun_normal
  Initializer bias_init = {};  // zeros
  Dtype dtype = Dtype::float32;
};
struct Conv {
  Tensor weight, bias;  // [out, in / groups, space…], [out] or empty
  Ints strides, dilation;
  Padding padding;
  int64_t groups = 1;
  static Conv make(const Key& k, int64_t in, int64_t out, const Ints& kernel, const ConvOptions& s = {},
                   Loc = Loc::current());
  Tensor operator()(const Arg& x) const;
};

// The transpose of a convolution with these settings: extents grow to (extent - 1) · stride - low - high +
// dilation · (kernel - 1) + 1 + extra. Weight [in, out / groups, space…], as in torch and ONNX.
struct ConvTranspose {
  Tensor weight, bias;
  Ints strides, dilation;
  Padding padding;  // with same(): extents are multiplied by the strides
  Ints extra;       // torch's output_padding
  int64_t groups = 1;
  static ConvTranspose make(const Key& k, int64_t in, int64_t out, const Ints& kernel, const ConvOptions& s = {},
                            const Ints& extra = {}, Loc = Loc::current());
  Tensor operator()(const Arg& x) const;
};
Tensor conv_transpose(const Arg& x, const Arg& weight, const ConvWindowOptions& options = {}, const Ints& extra = {});

// Pools over all of space ([batch, channels, space…] to [batch, channels]), and to given extents: place i of n reads
// from ⌊i·extent/n⌋ to ⌈(i+1)·extent/n⌉, as in torch. max_pool and mean_pool stand in viva/functions.h.
Tensor global_max_pool(const Arg& x);
Tensor global_mean_pool(const Arg& x);
Tensor adaptive_max_pool(const Arg& x, const Ints& extents);
Tensor adaptive_mean_pool(const Arg& x, const Ints& extents);

// (x - mean) / √(variance + eps) over the given axes, with the variance of the n values (not n - 1).
Tensor standardize(const Arg& x, const Axes& axes, double eps = 1e-5);

struct NormOptions {
  double eps = 1e-5;
  bool weight = true, bias = true;
  Dtype dtype = Dtype::float32;
};
// Over the last axes of x, those of weight's shape; then · weight + bias. Ba et al., 2016.
struct LayerNorm {
  Tensor weight, bias;  // of the shape normalised; bias may be empty
  double eps = 1e-5;
  static LayerNorm make(const Shape& shape, const NormOptions& o = {}, Loc = Loc::current());
  static LayerNorm make(int64_t features, const NormOptions& o = {}, Loc = Loc::current());
  Tensor operator()(const Arg& x) const;
};
// x / √(mean of x² + eps) · weight over the last axis. Zhang and Sennrich, 2019.
struct RmsNorm {
  Tensor weight;
  double eps = 1e-6;
  static RmsNorm make(int64_t features, double eps = 1e-6, Dtype d = Dtype::float32, Loc = Loc::current());
  Tensor operator()(const Arg& x) const;
};
// Of [batch, channels, space…], over the space and the channels of each of so many groups. Wu and He, 2018.
struct GroupNorm {
  Tensor weight, bias;  // [channels]; may be empty
  int64_t groups = 1;
  double eps = 1e-5;
  static GroupNorm make(int64_t groups, int64_t channels, const NormOptions& o = {}, Loc = Loc::current());
  Tensor operator()(const Arg& x) const;
};
// GroupNorm with a group for each channel, by default without weight and bias, as in torch.
struct InstanceNorm {
  Tensor weight, bias;
  double eps = 1e-5;
  static InstanceNorm make(int64_t channels, const NormOptions& o = {.weight = false, .bias = false},
                           Loc = Loc::current());
  Tensor operator()(const Arg& x) const;
};

// Of [batch, channels, space…], each channel over the batch and the space. operator() is evaluation: it uses the
// running statistics. train normalises by those of the batch and also gives the layer with its running statistics moved
// by `momentum` towards them (the running variance with n - 1, as in torch); it needs two values a channel. Running
// statistics are buffers: they have no gradient. Ioffe and Szegedy, 2015.
struct BatchNorm {
  Tensor weight, bias;  // [channels]; may be empty
  Buffer running_mean, running_variance;
  double momentum = .1, eps = 1e-5;
  static BatchNorm make(int64_t channels, const NormOptions& o = {}, double momentum = .1, Loc = Loc::current());
  Tensor operator()(const Arg& x) const;
  std::pair<Tensor, BatchNorm> train(const Arg& x) const;
};

// Row i of the weight for index i. An index outside reads the nearest row; a negative one counts from the end.
struct Embedding {
  Tensor weight;  // [count, width]
  // Normal of variance 1 / width unless given, so that logits of attend have about variance 1.
  static Embedding make(const Key& k, int64_t count, int64_t width, const Initializer& weight = {},
                        Dtype d = Dtype::float32, Loc = Loc::current());
  Tensor operator()(const Arg& indices) const;
  Tensor attend(const Arg& x) const;  // x · weightᵀ: the logits of a tied output
};

// softmax(query · keyᵀ · scale) · value, of [batch…, heads, time, width]. Keys and values may have fewer heads that
// divide the query's (grouped queries). A query with no key to attend to gives 0.
struct AttentionOptions {
  bool causal = false;  // query t sees the keys up to t (aligned at the first, as in torch)
  Tensor mask = {};  // bool, true: attend; or float, added to the scores. Broadcasts to [batch…, heads, queries, keys]
  std::optional<double> scale = {};  // 1 / √width
};
Tensor attention(const Arg& query, const Arg& key, const Arg& value, const AttentionOptions& o = {});
// Rotary positions: of [batch…, time, width], features i and i + width / 2 turned by the angle t · base^(-2i / width).
// Su et al., 2021, in the layout of LLaMA. first: the position of the first time.
Tensor rotary(const Arg& x, double base = 10000, const Arg& first = 0);

struct MultiHeadOptions {
  bool causal = false, bias = true;
  int64_t kv_heads = 0;     // heads of keys and values; 0: as many as queries
  double rotary_base = 0;   // 0: no rotary positions
  Initializer weight = {};  // glorot_uniform
  Dtype dtype = Dtype::float32;
};
// Vaswani et al., 2017. Of [batch…, time, width]; heads are slices of width / heads of the projections.
struct MultiHeadAttention {
  Dense query, key, value, out;
  int64_t heads = 1, kv_heads = 1;
  bool causal = false;
  double rotary_base = 0;
  static MultiHeadAttention make(const Key& k, int64_t width, int64_t heads, const MultiHeadOptions& s = {},
                                 Loc = Loc::current());
  Tensor operator()(const Arg& x, const Tensor& mask = {}) const;                 // mask as in AttentionOptions
  Tensor operator()(const Arg& x, const Arg& context, const Tensor& mask) const;  // keys and values from the context
};

// Zero with probability rate, else x / (1 - rate). The same key drops the same elements.
Tensor dropout(const Key& k, const Arg& x, double rate);
struct Dropout {
  double rate = .5;
  Tensor operator()(const Key& k, const Arg& x) const { return dropout(k, x, rate); }
};

// Recurrent cells, one step: of [batch…, in] and states [batch…, width]. Unroll them with a loop. Gates are blocks of
// the last axis of the weights, in torch's order. Input weights lecun_normal, hidden weights orthogonal by gate.
struct GruCell {
  Dense input, hidden;  // [in, 3 width], [width, 3 width]: reset, update, new
  static GruCell make(const Key& k, int64_t in, int64_t width, Dtype d = Dtype::float32, Loc = Loc::current());
  Tensor operator()(const Arg& state, const Arg& x) const;
};
// Biases are 0 but for the forget gate's input bias, which is 1 (Jozefowicz et al., 2015).
struct LstmCell {
  Dense input, hidden;  // [in, 4 width], [width, 4 width]: input, forget, cell, output
  struct State {
    Tensor output, cell;
  };
  static LstmCell make(const Key& k, int64_t in, int64_t width, Dtype d = Dtype::float32, Loc = Loc::current());
  State operator()(const State& state, const Arg& x) const;
};

// Activations; relu, silu, gelu, sigmoid, softplus and tanh stand in viva/functions.h. At a corner the slope is that of
// the side where x is not positive.
Tensor leaky_relu(const Arg& x, double slope = .01);
Tensor relu6(const Arg& x);                   // between 0 and 6
Tensor elu(const Arg& x, double alpha = 1);   // x, or alpha · (e^x - 1) where x <= 0
Tensor selu(const Arg& x);                    // Klambauer et al., 2017
Tensor celu(const Arg& x, double alpha = 1);  // x, or alpha · (e^(x / alpha) - 1) where x <= 0
Tensor gelu_tanh(const Arg& x);               // the approximation of gelu by tanh
Tensor mish(const Arg& x);                    // x · tanh(softplus(x))
Tensor hard_sigmoid(const Arg& x);            // x / 6 + 1 / 2 between 0 and 1
Tensor hard_swish(const Arg& x);              // x · hard_sigmoid(x)
Tensor hard_tanh(const Arg& x);               // between -1 and 1
Tensor softsign(const Arg& x);                // x / (1 + |x|)
Tensor log_sigmoid(const Arg& x);             // -softplus(-x)
Tensor glu(const Arg& x, int64_t axis = -1);  // first half · sigmoid(second half)

}  // namespace viva
