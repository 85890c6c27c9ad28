// Where the tensors of a convolution lie in the arrays of a call, in the library's terms.
#pragma once

#include <array>

#include "cpu/library.h"
#include "cpu/onednn/engine.h"
#include "cpu/onednn/problem.h"

namespace viva::cpu::onednn {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;

// image, kernel and result of the forward convolution, in this order.
enum Tensor : size_t { image, kernel, result, tensors };

// A tensor in the library's order of dimensions, as it lies in the arrays of a call.
struct View {
  Dims dims, strides;
};

Desc strided(const View& v);
// Batch, space, channels: the dimensions of a spec in this order.
Order channels_innermost(const Ints& spec, size_t batch, size_t channels);
// [batch, channels, space…] with the channels innermost.
Desc channels_last(const Dims& dims);
// Strides of dimensions of extent 1 mean nothing; here they are those of `like`, so that equal layouts compare equal.
Desc normalized(View v, const Desc& like);

// Where a node's operands and result lie: for each tensor of the problem its view and the step from one repeat to the
// next, in elements.
struct Layout {
  std::array<View, tensors> views;
  std::array<int64_t, tensors> repeat_steps{};
};

Layout layout_of(const Problem& p, const Node& n, std::span<const Order> operands, const Order& result);

}  // namespace viva::cpu::onednn
