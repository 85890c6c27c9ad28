// What gather and scatter share: their dimension numbers resolved against shapes, the reference loop over their
// elements, the dimension numbers under a batch axis, and the accesses of their loop nests.
#pragma once

#include "graph/dims.h"
#include "loops/nest.h"
#include "ops/record.h"
#include "ops/reference.h"

namespace viva {

// Element `index` of a gather's result (of a scatter's updates) and the operand element it is matched with: in operand
// dimension d, a start from the index vector or the batch, plus index[offset_dim[d]] where the slice extends along d.
struct IndexMap {
  GatherDims dims;
  Shape operand, indices, result;
  Ints batch_dims;  // dimensions of the result that index `indices`, in the order of its dimensions
  Ints offset_dim;  // for each operand dimension the result's dimension inside the slice, or -1

  // Throws a usage error that says which number does not fit.
  IndexMap(GatherDims d, const Type& operand_type, const Type& indices_type);
  explicit IndexMap(const Node& n) : IndexMap(GatherDims::from(n.attrs), n.in[0].type(), n.in[1].type()) {}
  // The greatest start at which a slice fits in the operand dimension of a component of the index vector.
  int64_t last_start(size_t component) const {
    const auto d = static_cast<size_t>(dims.start_map[component]);
    return operand[d] - dims.slice_sizes[d];
  }
};

// Integers of any dtype as int64; those beyond it stay beyond every extent.
std::vector<int64_t> saturated_indices(const Array& indices);

// f(flat position in the result, flat position in the operand), in row-major order of the result; -1 in the operand's
// place where the slice does not fit and the mode is fill.
template <class F> void for_each_match(const IndexMap& m, const Array& indices, F&& f) {
  const std::vector<int64_t> starts = saturated_indices(indices);
  const Ints operand_strides = row_major(m.operand), index_strides = row_major(m.indices);
  for_each_index(m.result, [&](const Ints& index, int64_t at) {
    const auto batch = [&](size_t i) { return index[static_cast<size_t>(m.batch_dims[i])]; };
    int64_t row = 0, from = 0;
    for (size_t i = 0; i < m.batch_dims.size(); ++i) row += batch(i) * index_strides[i];
    for (size_t c = 0; c < m.dims.start_map.size(); ++c) {
      const int64_t start = starts[static_cast<size_t>(row) + c], last = m.last_start(c);
      if (m.dims.mode == OutOfBounds::fill && (start < 0 || start > last)) return f(at, int64_t{-1});
      from += std::clamp<int64_t>(start, 0, last) * operand_strides[static_cast<size_t>(m.dims.start_map[c])];
    }
    for (size_t i = 0; i < m.dims.operand_batch.size(); ++i)
      from += batch(static_cast<size_t>(m.dims.indices_batch[i])) *
              operand_strides[static_cast<size_t>(m.dims.operand_batch[i])];
    for (size_t d = 0; d < m.offset_dim.size(); ++d)
      if (m.offset_dim[d] >= 0) from += index[static_cast<size_t>(m.offset_dim[d])] * operand_strides[d];
    f(at, from);
  });
}

// The numbers after batch axes went in at dimension 0 of the operand, of the indices, or of both, and at dimension 0
// of the result.
GatherDims with_operand_axis(const GatherDims& d, int64_t n);
GatherDims with_indices_axis(const GatherDims& d);
GatherDims with_both_axes(const GatherDims& d);

// Accesses to the operand in a nest whose first loops are the result's dimensions.
struct MatchAccess {
  std::vector<loops::Index> at;
  loops::Register fits = loops::no_register;  // mode fill with starts: where the slice lies inside the operand
};
MatchAccess match_access(loops::Nest& nest, const IndexMap& m, int indices_slot);

}  // namespace viva
