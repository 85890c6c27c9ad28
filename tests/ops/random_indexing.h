// Dimension numbers of gather and scatter drawn at random, with indices that repeat and leave the operand.
#pragma once

#include "ops/check_rules.h"

namespace viva::test {

// in: x, indices, updates (of the shape that a gather gives).
inline Sample random_indexing(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto draw = [&](int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
  };
  GatherDims d;
  d.mode = draw(0, 1) ? OutOfBounds::fill : OutOfBounds::clip;
  Shape x, indices;
  for (int64_t n = draw(0, 2); n > 0; --n) indices.push_back(draw(1, 3));
  Ints free_batches = iota_ints(static_cast<int64_t>(indices.size()));
  Ints slices;
  for (int64_t i = 0, rank = draw(1, 3); i < rank; ++i) {
    const int64_t kind = draw(0, 3);
    x.push_back(draw(1, 4)), d.slice_sizes.push_back(1);
    if (kind == 0 && !free_batches.empty()) {
      d.operand_batch.push_back(i), d.indices_batch.push_back(free_batches.back());
      x.back() = indices[static_cast<size_t>(free_batches.back())];
      free_batches.pop_back();
      continue;
    }
    if (kind == 1) d.collapsed.push_back(i);
    else slices.push_back(d.slice_sizes.back() = draw(1, x.back()));
    if (draw(0, 2)) d.start_map.insert(d.start_map.begin() + draw(0, static_cast<int64_t>(d.start_map.size())), i);
  }
  const auto rank = static_cast<int64_t>(indices.size() + slices.size());
  while (d.offset_dims.size() < slices.size())
    if (const int64_t at = draw(0, rank - 1); !contains(d.offset_dims, at)) d.offset_dims.push_back(at);
  std::ranges::sort(d.offset_dims);
  Shape result(static_cast<size_t>(rank));
  for (size_t i = 0, batch = 0, slice = 0; i < result.size(); ++i)
    result[i] = contains(d.offset_dims, static_cast<int64_t>(i)) ? slices[slice++] : indices[batch++];
  indices.push_back(static_cast<int64_t>(d.start_map.size()));
  Array starts = Array::make({Dtype::int64, indices});
  for (int64_t& v : starts.as_mutable<int64_t>()) v = draw(-1, 4);
  Sample s{fmt::format("seed {}", seed),
           {random_array({Dtype::float64, x}, seed), starts, random_array({Dtype::float64, result}, seed + 1)},
           {},
           {}};
  d.put(s.attrs);
  return s;
}

}  // namespace viva::test
