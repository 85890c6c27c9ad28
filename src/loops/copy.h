// Moving elements between dense tiles and strided memory, by element size. Internal to loops/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "loops/nest.h"

namespace viva::loops {

struct Side {  // one dimension of a box, strides in elements
  int64_t count, stride;
};

// dst, dense in row-major order of the box = src, strided. Sides go from the outermost to the innermost.
void copy_in(std::byte* dst, const std::byte* src, int64_t element, std::span<const Side> sides);
// dst, strided = src, dense.
void copy_out(std::byte* dst, const std::byte* src, int64_t element, std::span<const Side> sides);
// dst[i·dst_stride] = src[i·src_stride] for 0 <= i < n.
void copy_run(std::byte* dst, int64_t dst_stride, const std::byte* src, int64_t src_stride, int64_t element, int64_t n);
// dst[i] = src[at[i]] for 0 <= i < n.
void copy_indirect(std::byte* dst, const std::byte* src, const int64_t* at, int64_t element, int64_t n);
void fill(std::byte* dst, const std::byte* value, int64_t element, int64_t n);

// Vector loops over registers, chosen by dtype once.
using ConvertFn = void (*)(void* out, const void* in, int64_t n);
ConvertFn convert_fn(Dtype from, Dtype to);
using ClipFn = void (*)(int64_t* out, const void* in, int64_t low, int64_t high, int64_t n);
ClipFn clip_fn(Dtype from);  // of any integer dtype
using RangeFn = void (*)(uint8_t* inout, const void* in, int64_t low, int64_t high, int64_t n);
RangeFn range_fn(Dtype from);  // inout[i] &= low <= in[i] <= high
using IotaFn = void (*)(void* out, int64_t start, int64_t step, int64_t n);
IotaFn iota_fn(Dtype to);
using SelectFn = void (*)(void* out, const void* condition, const void* yes, const void* no, int64_t n);
SelectFn select_fn(int64_t element);

}  // namespace viva::loops
