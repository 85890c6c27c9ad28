// The sizes of convolution and pooling windows. Internal to src/onnx.
#pragma once

#include "onnx/op.h"

namespace viva {

// One entry per spatial dimension.
struct Windows {
  Ints kernel, strides, dilations, low, high;
  size_t spatial() const { return kernel.size(); }
  int64_t reach(size_t i) const { return dilations[i] * (kernel[i] - 1) + 1; }  // the kernel with its gaps
};

// Attributes kernel_shape (or the given one), strides, dilations, pads, auto_pad, checked; auto_pad becomes padding for
// the given input extents.
Windows read_windows(OnnxOp& o, const Ints& input, const Ints& kernel);
Ints spatial_extents(OnnxOp& o, size_t i);  // of [N, C, …]; throws where the rank is below 3

// x convolved with a kernel [out, in / groups, …] as the node's attributes say.
Value convolve(OnnxOp& o, Value x, Value kernel);

}  // namespace viva
