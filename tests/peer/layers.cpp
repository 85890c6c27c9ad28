// Layers and losses for tests/peer/layers_test.py. layers DIR reads each DIR/CASE.npz, with the operands "0", "1", …
// and a cotangent "c", and writes what the case gives and its gradient by each float operand: CASE.y.npy, CASE.0.npy,
// ….
#include <algorithm>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>

#include "base/npy.h"
#include "peer/files.h"
#include "viva/viva.h"

namespace viva {
namespace {

using In = const std::vector<Tensor>&;
using Case = std::function<Tensor(In)>;

Case each(Tensor (*f)(const Arg&)) {
  return [f](In in) { return f(in[0]); };
}

Conv conv_of(In in, const ConvOptions& s) {
  return {in[1], in.size() > 2 ? in[2] : Tensor(), s.strides, s.dilation, s.padding, s.groups};
}
ConvTranspose transposed_of(In in, const ConvOptions& s, const Ints& extra) {
  return {in[1], in[2], s.strides, s.dilation, s.padding, extra, s.groups};
}
BatchNorm batch_norm_of(In in) { return {in[1], in[2], {in[3]}, {in[4]}}; }
MultiHeadAttention heads_of(In in) {
  return {{in[1], in[2]}, {in[3], in[4]}, {in[5], in[6]}, {in[7], in[8]}, 4, 4, true};
}

const std::map<std::string, Case> cases{
    {"dense", [](In in) { return Dense{in[1], in[2]}(in[0]); }},
    {"conv1", [](In in) { return conv_of(in, {.strides = {2}, .padding = Padding::both({1})})(in[0]); }},
    {"conv2", [](In in) { return conv_of(in, {.padding = Padding::both({1})})(in[0]); }},
    {"conv2_all",
     [](In in) {
       const Padding p = Padding::both({2, 1});
       return conv_of(in, {.strides = {2, 1}, .padding = p, .dilation = {1, 2}, .groups = 2})(in[0]);
     }},
    {"conv2_same", [](In in) { return conv_of(in, {.padding = Padding::same(), .dilation = {2}})(in[0]); }},
    {"conv2_depthwise", [](In in) { return conv_of(in, {.groups = 4})(in[0]); }},
    {"conv3", [](In in) { return conv_of(in, {.strides = {1, 2, 1}})(in[0]); }},
    {"transposed1", [](In in) { return transposed_of(in, {.strides = {3}}, {2})(in[0]); }},
    {"transposed2",
     [](In in) {
       const ConvOptions s{.strides = {2, 3}, .padding = Padding::both({1, 2}), .dilation = {2, 1}, .groups = 2};
       return transposed_of(in, s, {1, 0})(in[0]);
     }},
    {"max_pool",
     [](In in) { return max_pool(in[0], {.size = {3, 3}, .strides = {2, 2}, .low = {1, 1}, .high = {1, 1}}); }},
    {"mean_pool",
     [](In in) { return mean_pool(in[0], {.size = {3, 3}, .strides = {2, 2}, .low = {1, 1}, .high = {1, 1}}); }},
    {"adaptive_mean", [](In in) { return adaptive_mean_pool(in[0], {3, 2}); }},
    {"adaptive_max", [](In in) { return adaptive_max_pool(in[0], {3, 2}); }},
    {"global_mean", [](In in) { return global_mean_pool(in[0]); }},
    {"global_max", [](In in) { return global_max_pool(in[0]); }},
    {"layer_norm", [](In in) { return LayerNorm{in[1], in[2]}(in[0]); }},
    {"rms_norm", [](In in) { return RmsNorm{in[1]}(in[0]); }},
    {"group_norm", [](In in) { return GroupNorm{in[1], in[2], 2}(in[0]); }},
    {"instance_norm", [](In in) { return InstanceNorm{in[1], in[2]}(in[0]); }},
    {"batch_norm", [](In in) { return batch_norm_of(in)(in[0]); }},
    {"batch_norm_train", [](In in) { return batch_norm_of(in).train(in[0]).first; }},
    {"running_mean", [](In in) { return batch_norm_of(in).train(in[0]).second.running_mean.value; }},
    {"running_variance", [](In in) { return batch_norm_of(in).train(in[0]).second.running_variance.value; }},
    {"embedding", [](In in) { return Embedding{in[1]}(in[0]); }},
    {"attention", [](In in) { return attention(in[0], in[1], in[2]); }},
    {"attention_causal", [](In in) { return attention(in[0], in[1], in[2], {.causal = true}); }},
    {"attention_mask", [](In in) { return attention(in[0], in[1], in[2], {.mask = in[3]}); }},
    {"attention_added", [](In in) { return attention(in[0], in[1], in[2], {.mask = in[3], .scale = .3}); }},
    {"attention_grouped", [](In in) { return attention(in[0], in[1], in[2], {.causal = true}); }},
    {"multi_head", [](In in) { return heads_of(in)(in[0]); }},
    {"gru", [](In in) { return GruCell{{in[2], in[3]}, {in[4], in[5]}}(in[1], in[0]); }},
    {"lstm",
     [](In in) {
       const LstmCell::State s = LstmCell{{in[3], in[4]}, {in[5], in[6]}}({in[1], in[2]}, in[0]);
       return stack({s.output, s.cell});
     }},
    {"relu", each(relu)},
    {"gelu", each(gelu)},
    {"silu", each(silu)},
    {"sigmoid", each(sigmoid)},
    {"softplus", each(softplus)},
    {"tanh", each(tanh)},
    {"relu6", each(relu6)},
    {"selu", each(selu)},
    {"gelu_tanh", each(gelu_tanh)},
    {"mish", each(mish)},
    {"hard_sigmoid", each(hard_sigmoid)},
    {"hard_swish", each(hard_swish)},
    {"hard_tanh", each(hard_tanh)},
    {"softsign", each(softsign)},
    {"log_sigmoid", each(log_sigmoid)},
    {"leaky_relu", [](In in) { return leaky_relu(in[0], .2); }},
    {"elu", [](In in) { return elu(in[0], 1.5); }},
    {"celu", [](In in) { return celu(in[0], 1.5); }},
    {"glu", [](In in) { return glu(in[0]); }},
    {"softmax", [](In in) { return softmax(in[0]); }},
    {"log_softmax", [](In in) { return log_softmax(in[0]); }},
    {"cross_entropy", [](In in) { return cross_entropy(in[0], in[1]); }},
    {"cross_entropy_smooth", [](In in) { return cross_entropy(in[0], in[1], {.smoothing = .1}); }},
    {"cross_entropy_ignore", [](In in) { return cross_entropy(in[0], in[1], {.ignore = -100}); }},
    {"cross_entropy_soft", [](In in) { return cross_entropy(in[0], in[1]); }},
    {"nll", [](In in) { return nll(in[0], in[1]); }},
    {"bce", [](In in) { return binary_cross_entropy_with_logits(in[0], in[1]); }},
    {"bce_positive", [](In in) { return binary_cross_entropy_with_logits(in[0], in[1], 3); }},
    {"kl", [](In in) { return kl_divergence(in[0], in[1]); }},
    {"squared_error", [](In in) { return squared_error(in[0], in[1]); }},
    {"absolute_error", [](In in) { return absolute_error(in[0], in[1]); }},
    {"huber", [](In in) { return huber(in[0], in[1], .7); }},
    {"smooth_l1", [](In in) { return smooth_l1(in[0], in[1], .7); }},
    {"hinge", [](In in) { return hinge(in[0], in[1]); }},
    {"cosine", [](In in) { return cosine_similarity(in[0], in[1]); }},
};

void run(const std::filesystem::path& file) {
  const std::string stem = file.parent_path() / file.stem(), name = file.stem().string();
  const auto found = cases.find(name.substr(0, name.find('.')));
  if (found == cases.end()) throw std::runtime_error("no case " + name);
  const Npz npz(read_file(file), file);
  std::vector<Tensor> in;
  for (size_t i = 0; npz.has(std::to_string(i)); ++i) in.emplace_back(npz.read(std::to_string(i)));
  const Tensor cotangent(npz.read("c"));
  const auto scalar_of = [&](const std::vector<Tensor>& v, const Tensor& c) {
    const Tensor y = found->second(v);
    return std::pair(sum(y * c), y);
  };
  const auto [value, gradient] = compile(value_and_grad(scalar_of, has_aux))(in, cotangent);
  write_npy(stem + ".y.npy", value.second.array());
  for (size_t i = 0; i < in.size(); ++i)
    if (!gradient[i].empty()) write_npy(stem + "." + std::to_string(i) + ".npy", gradient[i].array());
}

}  // namespace
}  // namespace viva

int main(int argc, char** argv) {
  if (argc != 2) return std::cerr << "usage: layers DIR\n", 2;
  try {
    for (const auto& file : viva::peer::npz_files(argv[1])) {
      try {
        viva::run(file);
      } catch (const std::exception& e) {
        std::cerr << file.stem().string() << ": " << e.what() << "\n";
        return 1;
      }
    }
  } catch (const std::exception& e) { return std::cerr << e.what() << "\n", 1; }
}
