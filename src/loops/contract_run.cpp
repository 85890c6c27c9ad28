// Running a contraction: pack panels of k_block, multiply them into a block of totals, write the block out.
// The totals add up in blocks of k_block, in order; within a block one fused multiply-add follows another.
#include "loops/contraction.h"
#include "loops/program.h"

namespace viva::loops {
namespace {

class Block {
 public:
  Block(const Contraction& c, const Run& run, std::byte* slot) : c_(c), run_(run), slot_(slot) {}

  void task(int64_t t) {
    const int64_t n_at = t % c_.n_blocks, m_at = t / c_.n_blocks % c_.m_blocks;
    m0_ = m_at * c_.m_block, n0_ = n_at * c_.n_block;
    m1_ = std::min(m0_ + c_.m_block, c_.m_size), n1_ = std::min(n0_ + c_.n_block, c_.n_size);
    point_ = {};
    place(point_, c_.outer, t / c_.n_blocks / c_.m_blocks);
    for (int64_t k0 = 0; k0 < c_.k_size; k0 += c_.k_block) multiply(k0, std::min(k0 + c_.k_block, c_.k_size));
    c_.plain ? copy_out() : finish();
  }

 private:
  int64_t extent(int l) const { return c_.flat->extents[static_cast<size_t>(l)]; }

  void place(Point& at, const std::vector<int>& loops, int64_t index) const {
    for (size_t i = loops.size(); i-- > 0;) {
      at[static_cast<size_t>(loops[i])] = index % extent(loops[i]);
      index /= extent(loops[i]);
    }
  }

  void multiply(int64_t k0, int64_t k1) const {
    const int64_t k = k1 - k0, mr = c_.kernel.mr, nr = c_.kernel.nr, element = c_.kernel.element;
    std::byte *left = slot_ + c_.left_at, *right = slot_ + c_.right_at, *total = slot_ + c_.total_at;
    c_.left.begin(slot_ + c_.left_work_at, point_, k0, k1);
    c_.right.begin(slot_ + c_.right_work_at, point_, k0, k1);
    for (int64_t m = m0_; m < m1_; m += mr)
      c_.left.panel(left + (m - m0_) * k * element, slot_ + c_.left_work_at, point_, k0, k1, m, m1_, run_.operands);
    for (int64_t n = n0_; n < n1_; n += nr) {
      c_.right.panel(right, slot_ + c_.right_work_at, point_, k0, k1, n, n1_, run_.operands);
      for (int64_t m = m0_; m < m1_; m += mr) {
        const auto rows = static_cast<size_t>(std::min(mr, m1_ - m));
        c_.kernel.rows[rows](k, left + (m - m0_) * k * element, right,
                             total + ((m - m0_) * c_.n_block + n - n0_) * element, c_.n_block, k0 > 0);
      }
    }
  }

  const std::byte* total(int64_t m, int64_t n) const {
    return slot_ + c_.total_at + ((m - m0_) * c_.n_block + n - n0_) * c_.kernel.element;
  }

  void copy_out() const {
    const int64_t element = c_.kernel.element;
    for (size_t o = 0; o < c_.flat->stores.size(); ++o) {
      const FlatStore& s = c_.flat->stores[o];
      auto* out = static_cast<std::byte*>(run_.outputs[o]);
      const int64_t inner = c_.n.empty() ? 1 : extent(c_.n.back());
      const int64_t step = c_.n.empty() ? 1 : s.strides[static_cast<size_t>(c_.n.back())];
      Point at = point_;
      for (int64_t m = m0_; m < m1_; ++m) {
        place(at, c_.m, m);
        for (int64_t n = n0_; n < n1_;) {
          place(at, c_.n, n);
          const int64_t count = std::min(inner - n % inner, n1_ - n);
          copy_run(out + (s.offset + linear(s.strides, at.data())) * element, step, total(m, n), 1, element, count);
          n += count;
        }
      }
    }
  }

  // Boxes of the innermost m and n loops go through the epilogue.
  void finish() const {
    Tile tile;
    std::fill_n(tile.extent.begin(), c_.flat->loops(), 1);
    tile.origin = point_;
    const auto room = [&](int loop, int64_t left) {
      if (loop < 0) return int64_t{1};
      const auto l = static_cast<size_t>(loop);
      return tile.extent[l] = std::min({left, extent(loop) - tile.origin[l], c_.epilogue.spec().box[l]});
    };
    uint64_t changed = Stage::all;
    for (int64_t m = m0_; m < m1_;) {
      place(tile.origin, c_.m, m);
      const int64_t high = room(c_.epilogue_m, m1_ - m);
      for (int64_t n = n0_; n < n1_;) {
        place(tile.origin, c_.n, n);
        const int64_t wide = room(c_.epilogue_n, n1_ - n);
        box(tile, m, n, high, wide, changed);
        n += wide;
      }
      m += high;
    }
  }

  void box(const Tile& tile, int64_t m, int64_t n, int64_t high, int64_t wide, uint64_t changed) const {
    const int64_t element = c_.kernel.element;
    const std::byte* dense = total(m, n);
    if (high > 1) {
      std::byte* copy = slot_ + c_.dense_at;
      for (int64_t i = 0; i < high; ++i)
        std::memcpy(copy + i * wide * element, total(m + i, n), static_cast<size_t>(wide * element));
      dense = copy;
    }
    std::byte* frame = slot_ + c_.epilogue_at;
    c_.epilogue.evaluate(
        {.frame = frame, .tile = &tile, .changed = changed, .operands = run_.operands, .inputs = &dense});
    for (size_t o = 0; o < c_.flat->stores.size(); ++o) {
      const FlatStore& s = c_.flat->stores[o];
      const Dtype d = c_.flat->body[static_cast<size_t>(s.reg)].in.dtype;
      write_store(c_.epilogue, s, tile, c_.epilogue.root(frame, o), size_of(d), run_.outputs[o]);
    }
  }

  const Contraction& c_;
  const Run& run_;
  std::byte* slot_;
  int64_t m0_ = 0, m1_ = 0, n0_ = 0, n1_ = 0;
  Point point_{};
};

}  // namespace

void run_contraction(const Contraction& c, const Run& run) {
  const int64_t tasks = c.outer_size * c.m_blocks * c.n_blocks;
  const auto part = [&](int64_t p, std::byte* slot) {
    Block block(c, run, slot);
    for (int64_t t = tasks * p / c.parts; t < tasks * (p + 1) / c.parts; ++t) {
      check_cancel(run);
      block.task(t);
    }
  };
  c.parts == 1 ? part(0, run.scratch) : run_parts(run, c.parts, run.scratch, c.slot_bytes, part);
}

}  // namespace viva::loops
