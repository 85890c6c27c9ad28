// Dimension numbers of the contractions, the convolution and the indexing operations, as values and as attributes.
#pragma once

#include "graph/graph.h"

namespace viva {

// A kernel loops over the dimensions of its result and over those it reduces, and names at most 60 loops.
inline constexpr int64_t max_rank = 30;

// out[batch…, lhs free…, rhs free…] = Σ over the contracted dimensions of lhs · rhs.
struct DotDims {
  Ints lhs_batch, rhs_batch, lhs_contract, rhs_contract;
  static DotDims from(const Attrs& a);
  void put(Attrs& a) const;
};

// Spatial dimensions are taken in the order of the specs: lhs [batch, feature, spatial…], rhs [out feature, in feature,
// spatial…], out [batch, feature, spatial…]; each entry is a dimension of the operand.
struct ConvDims {
  Ints lhs_spec, rhs_spec, out_spec;
  Ints strides, pad_low, pad_high;  // padding counts in dilated elements and may be negative
  Ints lhs_dilation, rhs_dilation;
  Ints reversal;  // 1: the window runs backwards along that spatial dimension
  int64_t feature_groups = 1, batch_groups = 1;
  size_t spatial() const { return strides.size(); }
  // Dense specs 0, 1, 2, … and neutral strides, padding and dilation for n spatial dimensions.
  static ConvDims plain(int64_t n);
  static ConvDims from(const Attrs& a);
  void put(Attrs& a) const;
};

struct WindowDims {
  Ints size, strides, pad_low, pad_high, base_dilation, dilation;  // one entry per dimension of the operand
  static WindowDims plain(Ints size);
  static WindowDims from(const Attrs& a);
  void put(Attrs& a) const;
  bool operator==(const WindowDims&) const = default;
};

// What becomes of an index outside the operand.
enum class OutOfBounds : uint8_t {
  clip,  // the whole slice is moved inside
  fill,  // gather reads the fill value; scatter drops the update
};

// gather: out dimension order is the batch dimensions of indices (all but index_vector, which is the last) in place of
// the non-offset dimensions, the slice's dimensions at offset_dims. operand_batch[i] is matched with indices_batch[i].
// The same numbers serve scatter, whose updates have the shape of the gather's result.
struct GatherDims {
  Ints offset_dims;  // dimensions of the result that index inside the slice, ascending
  Ints collapsed;    // operand dimensions of slice size 1 that the result drops, ascending
  Ints operand_batch, indices_batch;
  Ints start_map;    // operand dimension of each component of the index vector
  Ints slice_sizes;  // one per operand dimension; 1 in collapsed and batch dimensions
  OutOfBounds mode = OutOfBounds::fill;
  static GatherDims from(const Attrs& a);
  void put(Attrs& a) const;
};

enum class Combine : uint8_t { set, add, mul, min, max };
std::string_view to_string(Combine c);
Combine combine_from(std::string_view s);

enum class Direction : uint8_t { eq, ne, lt, le, gt, ge };
std::string_view to_string(Direction d);
Direction direction_from(std::string_view s);

}  // namespace viva
