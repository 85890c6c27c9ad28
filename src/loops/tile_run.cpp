// Running a tile plan: for each tile of results, all tiles of the reduction, then the epilogue and the stores.
#include <cstring>

#include "base/error.h"
#include "base/recycler.h"
#include "loops/program.h"

namespace viva::loops {

int64_t TileCursor::count() const {
  int64_t n = 1;
  for (int loop : loops_) {
    const auto l = static_cast<size_t>(loop);
    n *= (std::max<int64_t>(high_[l] - low_[l], 0) + (*box_)[l] - 1) / (*box_)[l];
  }
  return n;
}

void TileCursor::seek(int64_t index, Tile& tile) const {
  for (size_t i = loops_.size(); i-- > 0;) {
    const auto l = static_cast<size_t>(loops_[i]);
    const int64_t n = (high_[l] - low_[l] + (*box_)[l] - 1) / (*box_)[l];
    tile.origin[l] = low_[l] + index % n * (*box_)[l];
    tile.extent[l] = size(l, tile.origin[l]);
    index /= n;
  }
}

uint64_t TileCursor::next(Tile& tile) const {
  uint64_t changed = 0;
  for (size_t i = loops_.size(); i-- > 0;) {
    const auto l = static_cast<size_t>(loops_[i]);
    const int64_t origin = tile.origin[l], extent = tile.extent[l];
    tile.origin[l] += (*box_)[l];
    const bool carry = tile.origin[l] >= high_[l];
    if (carry) tile.origin[l] = low_[l];
    tile.extent[l] = size(l, tile.origin[l]);
    if (tile.origin[l] != origin) changed |= uint64_t{1} << l;
    if (tile.extent[l] != extent) changed |= uint64_t{1} << 62;
    if (!carry) break;
  }
  return changed;
}

namespace {

// The states of one folding while it runs over the blocks of a reduction.
class BlockSums {
 public:
  BlockSums() = default;
  BlockSums(const Folding& f, std::byte* memory, int64_t capacity, int64_t n)
      : reducer_(&f.reducer),
        bytes_(whole_lines(static_cast<size_t>(f.reducer.bytes(capacity)))),
        memory_(memory),
        n_(n) {}

  std::byte* total() const { return memory_; }
  std::byte* block() const { return memory_ + bytes_; }

  // Takes block() as the next block, as a binary counter takes 1.
  void push() {
    std::byte* carry = block();
    if (!reducer_->blocked) {
      if (count_++ == 0) copy(total(), carry);
      else reducer_->merge(total(), carry, n_);
      return;
    }
    size_t l = 0;
    for (uint64_t b = count_++; (b & 1) != 0; b >>= 1, ++l) {
      reducer_->merge(level(l), carry, n_);
      carry = level(l);
    }
    copy(level(l), carry);
  }

  void finish() {
    if (count_ == 0) return reducer_->start(total(), n_);
    if (!reducer_->blocked) return;
    const std::byte* sum = nullptr;
    for (size_t l = 0; l < 64; ++l) {
      if ((count_ >> l & 1) == 0) continue;
      if (sum) reducer_->merge(level(l), sum, n_);
      sum = level(l);
    }
    copy(total(), sum);
  }

 private:
  std::byte* level(size_t l) const { return memory_ + (2 + l) * bytes_; }
  void copy(std::byte* to, const std::byte* from) const {
    std::memcpy(to, from, static_cast<size_t>(reducer_->bytes(n_)));
  }

  const Reducer* reducer_ = nullptr;
  size_t bytes_ = 0;
  std::byte* memory_ = nullptr;
  int64_t n_ = 0;
  uint64_t count_ = 0;
};

class Runner {
 public:
  Runner(const Program& program, const Run& run)
      : flat_(program.flat),
        plan_(program.tiles),
        run_(run),
        low_{},
        parallel_(plan_.parallel, low_.data(), flat_.extents.data(), plan_.box),
        reduction_(plan_.reduction, low_.data(), flat_.extents.data(), plan_.box) {}

  void run() {
    if (plan_.parallel_tiles == 0) return;
    const size_t slots = tile_scratch(plan_, run_.pool->threads()) - (plan_.shards > 1 ? partial_bytes() : 0);
    partials_ = run_.scratch + slots;
    if (plan_.shard_loop >= 0 && plan_.parts > 1) {
      parts(plan_.parts, [&](int64_t p, std::byte* slot) { scatter_part(p, slot); });
    } else if (plan_.shards == 1) {
      parts(plan_.parts, [&](int64_t p, std::byte* slot) {
        range(plan_.parallel_tiles * p / plan_.parts, plan_.parallel_tiles * (p + 1) / plan_.parts, parallel_, slot);
      });
    } else {
      parts(plan_.parts * plan_.shards,
            [&](int64_t p, std::byte* slot) { shard(p / plan_.shards, p % plan_.shards, slot); });
      parts(plan_.parts, [&](int64_t p, std::byte* slot) { combine(p, slot); });
    }
  }

 private:
  template <class F> void parts(int64_t n, F&& f) const {
    if (n == 1) return f(0, run_.scratch);
    run_parts(run_, n, run_.scratch, plan_.slot_bytes, f);
  }

  size_t partial_bytes() const { return plan_.state_bytes * static_cast<size_t>(plan_.parallel_tiles * plan_.shards); }

  void still(Tile& tile, std::span<const int> loops) const {
    for (int l : loops) tile.origin[static_cast<size_t>(l)] = 0, tile.extent[static_cast<size_t>(l)] = 1;
  }

  void range(int64_t first, int64_t end, const TileCursor& cursor, std::byte* slot) const {
    Tile tile;
    cursor.seek(first, tile);
    if (plan_.foldings.empty()) {
      for (int l = flat_.parallel; l < flat_.loops(); ++l) still(tile, {&l, 1});
      uint64_t changed = Stage::all;
      for (int64_t t = first; t < end; ++t) {
        check_cancel(run_);
        elementwise(tile, changed, slot);
        changed = cursor.next(tile);
      }
      return;
    }
    still(tile, plan_.reduction);
    for (int64_t t = first; t < end; ++t) {
      check_cancel(run_);
      if (flat_.scans) {
        scan(tile, slot);
      } else {
        fold(tile, 0, plan_.reduction_tiles, slot);
        still(tile, plan_.reduction);
        finish(tile, slot);
      }
      cursor.next(tile);
    }
  }

  void scatter_part(int64_t p, std::byte* slot) const {
    std::array<int64_t, max_loops> low{}, high{};
    std::copy(flat_.extents.begin(), flat_.extents.end(), high.begin());
    const auto l = static_cast<size_t>(plan_.shard_loop);
    low[l] = flat_.extents[l] * p / plan_.parts;
    high[l] = flat_.extents[l] * (p + 1) / plan_.parts;
    const TileCursor cursor(plan_.parallel, low.data(), high.data(), plan_.box);
    range(0, cursor.count(), cursor, slot);
  }

  void elementwise(const Tile& tile, uint64_t changed, std::byte* slot) const {
    stage_and_store(plan_.main, tile, changed, slot, nullptr);
  }

  // Evaluates the last stage, straight into the outputs where a tile is contiguous there, and stores the rest.
  void stage_and_store(const Stage& stage, const Tile& tile, uint64_t changed, std::byte* frame,
                       const std::byte* const* inputs) const {
    constexpr size_t most = 32;
    std::array<std::byte*, most> direct{};
    const size_t roots = stage.spec().roots.size();
    for (size_t i = 0; i < flat_.stores.size() && roots <= most; ++i) {
      const FlatStore& s = flat_.stores[i];
      if (s.scatter || (run_.staged >> i & 1) != 0) continue;
      std::array<Side, max_loops> sides;
      const int count = stage.sides(s.strides, tile, sides.data());
      if (count > 1 || (count == 1 && sides[0].stride != 1)) continue;
      const int64_t at = s.offset + linear(s.strides, tile.origin.data());
      direct[plan_.store_roots[i]] = static_cast<std::byte*>(run_.outputs[i]) + at * element(i);
    }
    stage.evaluate({.frame = frame,
                    .tile = &tile,
                    .changed = changed,
                    .operands = run_.operands,
                    .inputs = inputs,
                    .direct = roots <= most ? direct.data() : nullptr});
    for (size_t i = 0; i < flat_.stores.size(); ++i) {
      const FlatStore& s = flat_.stores[i];
      const std::byte* dense = stage.root(frame, plan_.store_roots[i]);
      if (s.scatter) {
        const auto* mask =
            plan_.store_masks[i] < 0 ? nullptr : stage.root(frame, static_cast<size_t>(plan_.store_masks[i]));
        scatter_tile(s.scatter->combine, dtype(i), run_.outputs[i], dense,
                     stage.address(frame, static_cast<size_t>(plan_.store_addresses[i])),
                     reinterpret_cast<const uint8_t*>(mask), stage.points(tile));
      } else if (roots > most || dense != direct[plan_.store_roots[i]]) {
        write_store(stage, s, tile, dense, element(i), run_.outputs[i]);
      }
    }
  }

  Dtype dtype(size_t store) const { return flat_.body[static_cast<size_t>(flat_.stores[store].reg)].in.dtype; }
  int64_t element(size_t store) const { return size_of(dtype(store)); }

  int64_t results(const Tile& tile) const {
    int64_t n = 1;
    for (int l : plan_.parallel) n *= tile.extent[static_cast<size_t>(l)];
    return n;
  }
  int64_t rows_of(const Tile& tile) const {
    int64_t n = 1;
    for (int l : plan_.reduction) n *= tile.extent[static_cast<size_t>(l)];
    return n;
  }
  int64_t position(const Tile& tile) const {
    int64_t p = 0;
    for (int l : plan_.reduction) p = p * flat_.extents[static_cast<size_t>(l)] + tile.origin[static_cast<size_t>(l)];
    return p;
  }

  size_t state_of(const Folding& f) const { return whole_lines(static_cast<size_t>(f.reducer.bytes(plan_.results))); }

  // Reduces tiles [first, end) of the reduction for one tile of results; the totals stay in the slot.
  void fold(Tile& tile, int64_t first, int64_t end, std::byte* slot) const {
    const int64_t n = results(tile);
    std::byte* memory = slot + plan_.states_at;
    std::array<BlockSums, most_foldings> blocks;
    for (size_t i = 0; i < plan_.foldings.size(); ++i) {
      const Folding& f = plan_.foldings[i];
      blocks[i] = BlockSums(f, memory, plan_.results, n);
      memory += state_of(f) * static_cast<size_t>(3 + plan_.levels);
    }
    if (first < end) reduction_.seek(first, tile);
    uint64_t changed = Stage::all;
    for (int64_t t = first; t < end; ++t) {
      plan_.main.evaluate({.frame = slot, .tile = &tile, .changed = changed, .operands = run_.operands});
      const bool opens = (t - first) % plan_.block_tiles == 0,
                 closes = (t - first + 1) % plan_.block_tiles == 0 || t + 1 == end;
      for (size_t i = 0; i < plan_.foldings.size(); ++i)
        step(plan_.foldings[i], blocks[i], tile, n, opens, closes, slot);
      changed = reduction_.next(tile);
    }
    for (size_t i = 0; i < plan_.foldings.size(); ++i) blocks[i].finish();
  }

  void step(const Folding& f, BlockSums& b, const Tile& tile, int64_t n, bool opens, bool closes,
            const std::byte* slot) const {
    const Reducer::Args args{
        .x = plan_.main.root(slot, static_cast<size_t>(f.x)),
        .y = f.y < 0 ? nullptr : plan_.main.root(slot, static_cast<size_t>(f.y)),
        .mask =
            f.mask < 0 ? nullptr : reinterpret_cast<const uint8_t*>(plan_.main.root(slot, static_cast<size_t>(f.mask))),
        .position = position(tile)};
    const int64_t rows = rows_of(tile);
    if (plan_.rows) {
      f.reducer.rows(b.block(), args, n, rows);
      return b.push();
    }
    if (opens) f.reducer.start(b.block(), n);
    if (f.factor >= 0) f.reducer.scaled(b.block(), args.x, plan_.main.scalar(slot, static_cast<size_t>(f.factor)), n);
    else f.reducer.columns(b.block(), args, rows, n);
    if (closes) b.push();
  }

  // The epilogue and the stores, from the totals in the slot.
  void finish(const Tile& tile, std::byte* slot) const {
    const int64_t n = results(tile);
    std::byte* memory = slot + plan_.states_at;
    std::array<const std::byte*, most_foldings> inputs;
    for (size_t i = 0; i < plan_.foldings.size(); ++i) {
      const Folding& f = plan_.foldings[i];
      const std::byte* result = f.reducer.result(memory, n);
      if (f.reducer.positions) {
        auto* p = reinterpret_cast<int64_t*>(const_cast<std::byte*>(result));
        for (int64_t j = 0; j < n; ++j) p[j] = std::max<int64_t>(p[j], 0);
      }
      inputs[i] = result;
      memory += state_of(f) * static_cast<size_t>(3 + plan_.levels);
    }
    stage_and_store(plan_.epilogue, tile, Stage::all, slot + plan_.epilogue_at, inputs.data());
  }

  std::byte* partial(int64_t tile, int64_t shard) const {
    return partials_ + plan_.state_bytes * static_cast<size_t>(tile * plan_.shards + shard);
  }

  void shard(int64_t t, int64_t s, std::byte* slot) const {
    check_cancel(run_);
    Tile tile;
    parallel_.seek(t, tile);
    still(tile, plan_.reduction);
    fold(tile, plan_.reduction_tiles * s / plan_.shards, plan_.reduction_tiles * (s + 1) / plan_.shards, slot);
    std::byte *memory = slot + plan_.states_at, *to = partial(t, s);
    for (const Folding& f : plan_.foldings) {
      std::memcpy(to, memory, state_of(f));
      to += state_of(f);
      memory += state_of(f) * static_cast<size_t>(3 + plan_.levels);
    }
  }

  // Adds the shards of one tile pairwise: neighbours at distance 1, 2, 4, …
  void combine(int64_t t, std::byte* slot) const {
    Tile tile;
    parallel_.seek(t, tile);
    still(tile, plan_.reduction);
    const int64_t n = results(tile);
    std::byte* memory = slot + plan_.states_at;
    size_t at = 0;
    for (const Folding& f : plan_.foldings) {
      for (int64_t gap = 1; gap < plan_.shards; gap *= 2)
        for (int64_t s = 0; s + gap < plan_.shards; s += 2 * gap)
          f.reducer.merge(partial(t, s) + at, partial(t, s + gap) + at, n);
      std::memcpy(memory, partial(t, 0) + at, state_of(f));
      at += state_of(f);
      memory += state_of(f) * static_cast<size_t>(3 + plan_.levels);
    }
    finish(tile, slot);
  }

  void scan(Tile& tile, std::byte* slot) const {
    const int64_t n = results(tile);
    std::array<std::byte*, most_foldings> carries;
    std::array<const std::byte*, most_foldings> outs;
    std::byte* memory = slot + plan_.states_at;
    for (size_t i = 0; i < plan_.foldings.size(); ++i) {
      const Folding& f = plan_.foldings[i];
      carries[i] = memory;
      outs[i] = memory + state_of(f);
      memory += state_of(f) + whole_lines(static_cast<size_t>(plan_.main.capacity() * f.element));
      f.reducer.start(carries[i], n);
    }
    if (plan_.reduction_tiles > 0) reduction_.seek(0, tile);
    uint64_t changed = Stage::all;
    for (int64_t t = 0; t < plan_.reduction_tiles; ++t) {
      plan_.main.evaluate({.frame = slot, .tile = &tile, .changed = changed, .operands = run_.operands});
      for (size_t i = 0; i < plan_.foldings.size(); ++i) {
        const Folding& f = plan_.foldings[i];
        (plan_.rows ? f.scanner.rows : f.scanner.columns)(
            const_cast<std::byte*>(outs[i]), plan_.main.root(slot, static_cast<size_t>(f.x)), carries[i],
            plan_.rows ? n : rows_of(tile), plan_.rows ? rows_of(tile) : n);
      }
      stage_and_store(plan_.epilogue, tile, Stage::all, slot + plan_.epilogue_at, outs.data());
      changed = reduction_.next(tile);
    }
  }

  const Flat& flat_;
  const TilePlan& plan_;
  const Run& run_;
  std::array<int64_t, max_loops> low_;
  TileCursor parallel_, reduction_;
  std::byte* partials_ = nullptr;
};

}  // namespace

void run_tiles(const Program& program, const Run& run) { Runner(program, run).run(); }

}  // namespace viva::loops
