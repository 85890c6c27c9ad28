// Reductions of tiles. Internal to loops/, except the order of floating sums, which is part of the contract:
//
// The reduction space is taken in row-major order. Either (rows) a result's elements lie together in a tile of up to
// some thousand: rows longer than 1024 are halved at a multiple of 128, and in each piece lane j of 128 / sizeof(T)
// lanes adds elements j, j + lanes, …, then the lanes are added pairwise, halving. Or (columns) one element of many
// results lies in each row of a tile: then 64 (or a tile's) rows are added one after another. Such blocks are added
// pairwise as in a binary counter, the earlier one on the left. Large reductions to few results are first cut into
// shards, added the same way. Which form, tile and cut follow from the nest alone. The error is at most about
// (64 + log2 n) eps Σ|terms|.
#pragma once

#include "loops/nest.h"

namespace viva::loops {

struct Reducer {
  bool blocked = false;  // floating sums and products: combine blocks pairwise
  // state of n results, row by row: value (of the accumulator's dtype), then for argmax and argmin int64 positions.
  int64_t value_size = 4;
  bool positions = false;
  int64_t bytes(int64_t n) const { return (n * value_size + 15) / 16 * 16 + (positions ? n * 8 : 0); }

  struct Args {
    const void* x = nullptr;
    const void* y = nullptr;        // dot
    const uint8_t* mask = nullptr;  // may be null
    int64_t position = 0;           // of the first element (rows) or row (columns) in the reduction space
  };
  void (*start)(void* state, int64_t n) = nullptr;  // the value of an empty reduction
  // state[i] = the reduction of row i, fresh.
  void (*rows)(void* state, const Args& args, int64_t rows, int64_t length) = nullptr;
  // state[j] = state[j] combined with x[i][j] for each row i in turn.
  void (*columns)(void* state, const Args& args, int64_t rows, int64_t n) = nullptr;
  // dot: state[j] += x[j] · factor[0].
  void (*scaled)(void* state, const void* x, const void* factor, int64_t n) = nullptr;
  // state[j] = state[j] combined with later[j].
  void (*merge)(void* state, const void* later, int64_t n) = nullptr;
  // Where the results lie in a state: the positions or the values.
  const std::byte* result(const std::byte* state, int64_t n) const {
    return positions ? state + (n * value_size + 15) / 16 * 16 : state;
  }
};

Reducer reducer(Reduction r, Dtype accumulator);

// Inclusive prefix: carry[i] continues from tile to tile. rows: out[i][k] over k; columns: out[k][j] over k.
struct Scanner {
  void (*rows)(void* out, const void* x, void* carry, int64_t rows, int64_t length) = nullptr;
  void (*columns)(void* out, const void* x, void* carry, int64_t rows, int64_t n) = nullptr;
};
Scanner scanner(Reduction r, Dtype accumulator);

}  // namespace viva::loops
