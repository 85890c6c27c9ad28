#include "peer/programs/programs.h"

namespace viva::peer {

namespace {

// Settings: the number of space dimensions, then so many strides, paddings before and after, dilations, and the groups.
ConvWindowOptions conv_options(const Ints& s) {
  const auto part = [&](int64_t k) {
    const auto at = s.begin() + 1 + k * s[0];
    return Ints(at, at + s[0]);
  };
  return {.strides = part(0), .low = part(1), .high = part(2), .dilation = part(3), .groups = s.back()};
}
// Extents, strides, paddings before and after of two space dimensions.
WindowOptions pool_options(const Ints& s) {
  return {.size = {s[0], s[1]}, .strides = {s[2], s[3]}, .low = {s[4], s[5]}, .high = {s[6], s[7]}};
}

}  // namespace

Programs window_programs() {
  return {
      {"conv", [](In x, const Ints& s) { return conv(x[0], x[1], conv_options(s)); }},
      {"conv_twice", [](In x, const Ints& s) { return conv(tanh(conv(x[0], x[1], conv_options(s))), x[2]); }},
      {"conv_transpose", [](In x, const Ints& s) { return conv_transpose(x[0], x[1], conv_options(s)); }},
      {"conv_self", [](In x) { return conv(x[0], x[0], {.low = {1, 1}}); }},
      {"conv_vmap_kernel",
       [](In x) {
         return vmap([](const Tensor& a, const Tensor& w) { return conv(a, w); }, in_axes(none, 0))(x[0], x[1]);
       }},
      {"conv_vmap_both",
       [](In x) { return vmap([](const Tensor& a, const Tensor& w) { return conv(a, w); })(x[0], x[1]); }},
      {"max_pool", [](In x, const Ints& s) { return max_pool(x[0], pool_options(s)); }},
      {"max_pool_of_square", [](In x, const Ints& s) { return square(max_pool(sin(x[0]), pool_options(s))); }},
      {"mean_pool", [](In x, const Ints& s) { return mean_pool(exp(x[0]), pool_options(s)); }},
      {"conv_relu_pool",
       [](In x) {
         const Tensor h = relu(conv(x[0], x[1], {.low = {1, 1}, .high = {1, 1}}));
         return log_softmax(matmul(reshape(max_pool(h, {.size = {2, 2}}), {2, -1}), x[2]));
       }},
      {"blur_residual",
       [](In x) {
         const Tensor k = full({3, 1, 3, 3}, 1. / 9, x[0].dtype());
         return x[0] - conv(x[0], k, {.low = {1, 1}, .high = {1, 1}, .groups = 3});
       }},
  };
}

}  // namespace viva::peer
