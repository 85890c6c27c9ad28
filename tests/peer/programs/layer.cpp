#include "peer/programs/programs.h"

namespace viva::peer {

namespace {

template <Tensor (*f)(const Arg&)> Tensor twice_plus(In x) { return f(2 * x[0]) + f(x[0]); }

}  // namespace

Programs layer_programs() {
  return {
      {"relu", relu},
      {"gelu", gelu},
      {"gelu_tanh", gelu_tanh},
      {"silu", silu},
      {"sigmoid", sigmoid},
      {"softplus", softplus},
      {"mish", mish},
      {"selu", selu},
      {"relu6", relu6},
      {"hard_swish", hard_swish},
      {"soft_sign", twice_plus<softsign>},
      {"log_sigmoid", log_sigmoid},
      {"elu", [](In x) { return elu(x[0], 1); }},
      {"celu", [](In x) { return celu(x[0], 1.5); }},
      {"leaky_relu", [](In x) { return square(leaky_relu(x[0], .2)); }},
      {"glu", [](In x) { return glu(x[0]); }},
      {"layer_norm", [](In x) { return LayerNorm{x[1], x[2]}(x[0]); }},
      {"rms_norm", [](In x) { return RmsNorm{x[1]}(x[0]); }},
      {"group_norm", [](In x) { return GroupNorm{x[1], x[2], 2}(x[0]); }},
      {"attention", [](In x) { return attention(x[0], x[1], x[2]); }},
      {"attention_causal", [](In x) { return attention(x[0], x[1], x[2], {.causal = true}); }},
      {"attention_masked", [](In x) { return attention(x[0], x[1], x[2], {.mask = x[3] > 0}); }},
      {"gru", [](In x) { return GruCell{{x[2], x[3]}, {x[4], x[5]}}(x[1], x[0]); }},
      {"cross_entropy", [](In x) { return cross_entropy(x[0], x[1]); }},
      {"cross_entropy_smooth", [](In x) { return cross_entropy(x[0], x[1], {.smoothing = .1}); }},
      {"binary_cross_entropy", [](In x) { return binary_cross_entropy_with_logits(x[0], sigmoid(x[1])); }},
      {"huber", [](In x) { return huber(x[0], x[1], .7); }},
      {"cosine_similarity", [](In x) { return cosine_similarity(x[0], x[1]); }},
      {"mlp_loss",
       [](In x) {
         const Tensor h = gelu(Dense{x[1], x[2]}(x[0]));
         return mean(cross_entropy(Dense{x[3], x[4]}(h), tensor({0, 2, 1}, Dtype::int32)));
       }},
      {"transformer_block",
       [](In x) {
         const Tensor h = x[0] + attention(x[0], matmul(x[0], x[1]), x[0], {.causal = true});
         return h + matmul(gelu(matmul(h, x[2])), x[3]);
       }},
      {"normalising_flow",
       [](In x) {
         const Tensor s = tanh(matmul(x[0], x[1])), z = x[0] * exp(s) + matmul(x[0], x[2]);
         return -sum(square(z), 1) / 2 + sum(s, 1);
       }},
      {"variational_bound",
       [](In x) {
         const Tensor z = x[0] + exp(x[1] / 2) * x[2];
         return sum(log_sigmoid(z)) - .5 * sum(1 + x[1] - square(x[0]) - exp(x[1]));
       }},
      {"contrastive",
       [](In x) {
         const Tensor s = matmul(x[0], transpose(x[1])) / .5;
         return mean(logsumexp(s, 1) - diagonal(s));
       }},
  };
}

}  // namespace viva::peer
