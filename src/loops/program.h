// The prepared form of a nest. Internal to loops/.
#pragma once

#include <memory>

#include "base/thread_pool.h"
#include "loops/contract.h"
#include "loops/flat.h"
#include "loops/reduce.h"
#include "loops/stage.h"

namespace viva::loops {

// Steps through the tiles of some loops, the last loop fastest.
class TileCursor {
 public:
  // loops from the outermost; loop l runs over [low[l], high[l]) in steps of box[l].
  TileCursor(std::span<const int> loops, const int64_t* low, const int64_t* high, const Ints& box)
      : loops_(loops), low_(low), high_(high), box_(&box) {}
  int64_t count() const;
  void seek(int64_t index, Tile& tile) const;
  // The next tile; returns the loops whose origin changed, with bit 62 where the tile has another shape.
  uint64_t next(Tile& tile) const;

 private:
  int64_t size(size_t l, int64_t origin) const { return std::min((*box_)[l], high_[l] - origin); }
  std::span<const int> loops_;
  const int64_t *low_, *high_;
  const Ints* box_;
};

// One reduce or scan of a nest.
struct Folding {
  Register reg = no_register;
  Reducer reducer = {};
  Scanner scanner = {};
  int x = 0, y = -1, mask = -1;  // roots of the main stage
  int factor = -1;               // dot, columns: a scalar of the main stage instead of y
  int64_t element = 4;           // of the result
};

// How a nest runs through the tile evaluator.
struct TilePlan {
  Stage main, epilogue;  // epilogue only where there are foldings
  std::vector<Folding> foldings;
  bool rows = false;  // a result's elements lie together in the tile
  Ints box;
  std::vector<int> parallel, reduction;  // loops
  int64_t parallel_tiles = 1, reduction_tiles = 1;
  int64_t block_tiles = 1;          // columns: reduction tiles in one block of a blocked sum
  int levels = 1;                   // of pairwise blocks
  int64_t parts = 1, shards = 1;    // parts over parallel tiles, shards over reduction tiles
  int shard_loop = -1;              // scatter: parts split this loop instead
  int64_t results = 1;              // capacity of a tile in results
  std::vector<size_t> store_roots;  // stores to roots of the last stage
  std::vector<int> store_masks, store_addresses;
  std::vector<uint64_t> may_replace;  // operands, a bit each, over which a store may be written tile by tile
  size_t slot_bytes = 0, epilogue_at = 0, states_at = 0, state_bytes = 0;
  Stage const& last() const { return foldings.empty() ? main : epilogue; }
};

// The memory, operands and outputs of one run.
struct Run {
  Operands operands;
  std::span<void* const> outputs;
  ThreadPool* pool;
  const Cancel* cancel;
  std::byte* scratch;
  uint64_t staged;  // stores, a bit each, whose tiles are written only when complete: they overlap an operand
};

struct Program {
  Nest nest;  // as given
  Ints operand_bytes, output_bytes;
  Flat flat;
  TilePlan tiles;
  ContractionPtr contraction;  // where present, used instead of tiles
};

TilePlan plan_tiles(const Flat& flat, int shard_loop);
size_t tile_scratch(const TilePlan& plan, int threads);
void run_tiles(const Program& program, const Run& run);

// Runs body(part, slot memory) for all parts; slot memory is used by one part at a time.
void run_parts(const Run& run, int64_t parts, std::byte* slots, size_t slot_bytes,
               const std::function<void(int64_t, std::byte*)>& body);
void check_cancel(const Run& run);

// Writes the dense tile of a store's register to the output.
void write_store(const Stage& stage, const FlatStore& store, const Tile& tile, const std::byte* dense, int64_t element,
                 void* output);
// Combines a tile of updates; at[i] < 0 and mask[i] == 0 are dropped.
void scatter_tile(Combine combine, Dtype d, void* output, const std::byte* updates, const int64_t* at,
                  const uint8_t* mask, int64_t n);

}  // namespace viva::loops
