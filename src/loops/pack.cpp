#include "loops/pack.h"
#include "base/recycler.h"

#include <cstring>

#include "loops/transpose.h"

namespace viva::loops {
namespace {

constexpr int most_lanes = 16;

int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0); }

// A whole row of a panel; 64 bytes where panels are two vectors wide.
template <class E> void copy_row(E* dst, const E* src, int64_t n) {
  if (static_cast<int64_t>(sizeof(E)) * n == 64) std::memcpy(static_cast<void*>(dst), src, 64);
  else std::memcpy(static_cast<void*>(dst), src, sizeof(E) * static_cast<size_t>(n));
}

}  // namespace

// Which lanes of one row of a panel are valid and where their elements lie, relative to the row's offset.
struct Packer::Row {
  static constexpr int most_pieces = 3;
  int32_t key = -1;
  int32_t count = 0;                          // of valid lanes
  int32_t pieces = 0;                         // runs of adjacent elements, or -1 where there are too many
  int32_t lane[most_lanes];                   // the valid lanes
  int64_t place[most_lanes];                  // of lane[i]
  int64_t start[most_pieces];                 // of a piece: where lane 0 would lie
  alignas(32) int32_t mask[most_pieces][16];  // of a piece: its 4-byte words
  bool near = false;                          // 16 lanes of 4 bytes, not in few pieces, but all within 31 bits:
  alignas(32) int32_t where[16];              // each lane's place from the first valid one; mask[0] holds the lanes

  void set(int32_t new_key, const int64_t* places, uint32_t valid, int64_t lanes, int words) {
    key = new_key;
    count = pieces = 0;
    for (int32_t l = 0; l < lanes; ++l) {
      if ((valid >> l & 1) == 0) continue;
      const bool joins = count > 0 && lane[count - 1] == l - 1 && place[count - 1] == places[l] - 1;
      lane[count] = l;
      place[count++] = places[l];
      if (pieces < 0 || (!joins && pieces == most_pieces)) {
        pieces = -1;
        continue;
      }
      if (!joins) {
        start[pieces] = places[l] - l;
        std::fill_n(mask[pieces++], 16, 0);
      }
      std::fill_n(mask[pieces - 1] + l * words, words, -1);
    }
    near = pieces < 0 && words == 1 && gather_places();
  }

  bool gather_places() {
    std::fill_n(where, 16, 0);
    std::fill_n(mask[0], 16, 0);
    for (int32_t i = 0; i < count; ++i) {
      const int64_t distance = place[i] - place[0];
      if (std::abs(distance) >= int64_t{1} << 29) return false;
      where[lane[i]] = static_cast<int32_t>(distance);
      mask[0][lane[i]] = -1;
    }
    return true;
  }

  template <class E> void copy(E* dst, const E* src, int64_t lanes) const {
    if (pieces == 1 && count == lanes) return copy_row(dst, src + place[0], lanes);
#if defined(__AVX2__)
    if (pieces >= 0 && static_cast<int64_t>(sizeof(E)) * lanes == 64) {
      __m256i low = _mm256_setzero_si256(), high = low;
      for (int p = 0; p < pieces; ++p) {
        // Only words under the mask are touched; the address itself may lie outside the operand.
        const auto address = reinterpret_cast<uintptr_t>(src) + static_cast<uintptr_t>(start[p]) * sizeof(E);
        const auto* from = reinterpret_cast<const int*>(address);
        const auto* m = reinterpret_cast<const __m256i*>(mask[p]);
        low = _mm256_or_si256(low, _mm256_maskload_epi32(from, _mm256_load_si256(m)));
        high = _mm256_or_si256(high, _mm256_maskload_epi32(from + 8, _mm256_load_si256(m + 1)));
      }
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(dst), low);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(dst) + 1, high);
      return;
    }
    if (near && lanes == 16) {
      const auto* from = reinterpret_cast<const int*>(src + place[0]);
      for (int half = 0; half < 2; ++half) {
        const __m256i m = _mm256_load_si256(reinterpret_cast<const __m256i*>(mask[0]) + half);
        const __m256i at = _mm256_load_si256(reinterpret_cast<const __m256i*>(where) + half);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(dst) + half,
                            _mm256_mask_i32gather_epi32(_mm256_setzero_si256(), from, at, m, 4));
      }
      return;
    }
#endif
    if (count == lanes) {
      for (int64_t l = 0; l < lanes; ++l) dst[l] = src[place[l]];
      return;
    }
    std::memset(static_cast<void*>(dst), 0, sizeof(E) * static_cast<size_t>(lanes));
    for (int32_t i = 0; i < count; ++i) dst[lane[i]] = src[place[i]];
  }
};

// Over k: the element offset, and for each guard the unscaled index; key[k] names a set of equal guard values.
struct Packer::Work {
  int64_t* offset;
  int32_t* key;
  int64_t* values;  // [key][guard]
  int32_t* keys;    // how many
  std::byte* frame;
};

Packer::Packer(const Flat& flat, Register value, std::vector<int> lane_loops, std::vector<int> k_loops, int64_t lanes)
    : flat_(&flat), lane_loops_(std::move(lane_loops)), k_loops_(std::move(k_loops)), lanes_(lanes) {
  const FlatInstruction& f = flat.body[static_cast<size_t>(value)];
  element_ = size_of(f.in.dtype);
  const auto no_terms = [](const Guard& g) { return g.terms.empty(); };
  const bool plain =
      f.in.kind == Kind::load && f.access.terms.empty() && std::ranges::all_of(f.access.guards, no_terms);
  if (plain && f.in.value == Scalar{}) {
    access_ = &f.access;
    slot_ = f.in.slot;
    return;
  }
  StageSpec spec{.roots = {value}, .inputs = {}, .order = {}, .box = Ints(flat.extents.size(), 1), .addresses = {}};
  const auto take = [&](const std::vector<int>& loops, int64_t most) {
    if (loops.empty()) return -1;
    spec.order.push_back(loops.back());
    spec.box[static_cast<size_t>(loops.back())] = std::min(most, flat.extents[static_cast<size_t>(loops.back())]);
    return loops.back();
  };
  stage_k_ = take(k_loops_, 64);
  stage_lane_ = take(lane_loops_, lanes);
  stage_ = Stage(flat, std::move(spec));
}

size_t Packer::work_bytes(int64_t k_max) const {
  if (!access_) return whole_lines(stage_.frame_bytes());
  const auto guards = static_cast<int64_t>(access_->guards.size());
  return whole_lines(static_cast<size_t>(k_max * (8 + 4 + 8 * guards)) + 64);
}

Packer::Work Packer::tables(std::byte* work, int64_t k) const {
  Work w{};
  const auto guards = access_ ? static_cast<int64_t>(access_->guards.size()) : 0;
  w.frame = work;
  w.offset = reinterpret_cast<int64_t*>(work);
  w.values = w.offset + k;
  w.keys = reinterpret_cast<int32_t*>(w.values + k * guards);
  w.key = w.keys + 2;
  return w;
}

namespace {

// The values of some loops, stepped as an odometer.
class Odometer {
 public:
  Odometer(const Ints& extents, const std::vector<int>& loops, int64_t index) : extents_(extents), loops_(loops) {
    for (size_t i = loops.size(); i-- > 0;) {
      const auto l = static_cast<size_t>(loops[i]);
      at_[l] = index % extents[l];
      index /= extents[l];
    }
  }
  void next() {
    for (size_t i = loops_.size(); i-- > 0;) {
      const auto l = static_cast<size_t>(loops_[i]);
      if (++at_[l] < extents_[l]) return;
      at_[l] = 0;
    }
  }
  int64_t dot(const Ints& coefficients) const {
    int64_t v = 0;
    for (int l : loops_) v += coefficients[static_cast<size_t>(l)] * at_[static_cast<size_t>(l)];
    return v;
  }

 private:
  const Ints& extents_;
  const std::vector<int>& loops_;
  Point at_;
};

}  // namespace

// Steps through the k loops as an odometer, adding up the offset and the guards' indices.
void Packer::begin(std::byte* work, const Point& point, int64_t k0, int64_t k1) const {
  if (!access_) return;
  const Work w = tables(work, k1 - k0);
  const std::vector<Guard>& guards = access_->guards;
  *w.keys = 0;
  const int64_t base = access_->base + linear(access_->strides, point.data());
  Odometer at(flat_->extents, k_loops_, k0);
  for (int64_t k = 0; k < k1 - k0; ++k, at.next()) {
    w.offset[k] = base + at.dot(access_->strides);
    w.key[k] = 0;
    if (!guards.empty()) {
      const auto count = static_cast<int32_t>(guards.size());
      int64_t* fresh = w.values + *w.keys * count;
      for (int32_t g = 0; g < count; ++g) {
        const Guard& guard = guards[static_cast<size_t>(g)];
        fresh[g] = guard.offset + linear(guard.coefficients, point.data()) + at.dot(guard.coefficients);
        if (guard.divisor == 1) w.offset[k] = wrapping_sum(w.offset[k], wrapping_product(guard.stride, fresh[g]));
      }
      int32_t key = *w.keys - 1;
      const int32_t oldest = std::max(*w.keys - 64, 0);
      while (key >= oldest && !std::equal(fresh, fresh + count, w.values + key * count)) --key;
      if (key < oldest) key = (*w.keys)++;
      w.key[k] = key;
    }
  }
}

void Packer::panel(std::byte* dst, std::byte* work, const Point& point, int64_t k0, int64_t k1, int64_t lane0,
                   int64_t end, Operands operands) const {
  const int64_t count = std::min(lanes_, end - lane0);
  if (count < lanes_) std::memset(dst, 0, static_cast<size_t>((k1 - k0) * lanes_ * element_));
  if (!access_) return staged(dst, work, point, k0, k1, lane0, count, operands);
  direct(dst, work, k1 - k0, lane0, count, static_cast<const std::byte*>(operands[static_cast<size_t>(slot_)]));
}

void Packer::direct(std::byte* dst, std::byte* work, int64_t k, int64_t lane0, int64_t count,
                    const std::byte* src) const {
  const Work w = tables(work, k);
  const std::vector<Guard>& guards = access_->guards;
  int64_t lane[most_lanes], index[most_lanes * 8];
  std::vector<int64_t> more;
  int64_t* indices = index;
  if (guards.size() > 8) more.resize(guards.size() * most_lanes), indices = more.data();
  Odometer at(flat_->extents, lane_loops_, lane0);
  for (int64_t l = 0; l < count; ++l, at.next()) {
    lane[l] = at.dot(access_->strides);
    for (size_t g = 0; g < guards.size(); ++g) {
      int64_t& v = indices[g * most_lanes + static_cast<size_t>(l)];
      v = at.dot(guards[g].coefficients);
      if (guards[g].divisor == 1) lane[l] = wrapping_sum(lane[l], wrapping_product(guards[g].stride, v));
    }
  }
  const auto run = [&](auto e) {
    using E = decltype(e);
    auto* to = reinterpret_cast<E*>(dst);
    const auto* from = reinterpret_cast<const E*>(src);
    guards.empty() ? copy(to, w, k, count, from, lane) : copy_guarded(to, w, k, count, from, lane, indices);
  };
  element_ == 4 ? run(uint32_t{}) : element_ == 8 ? run(uint64_t{}) : run(std::array<uint64_t, 2>{});
}

template <class E>
void Packer::copy(E* dst, const Work& w, int64_t k, int64_t count, const E* src, const int64_t* lane) const {
  bool adjacent = count == lanes_;
  for (int64_t l = 1; l < count; ++l) adjacent = adjacent && lane[l] == lane[0] + l;
  if (adjacent) {
    for (int64_t i = 0; i < k; ++i) copy_row(dst + i * count, src + w.offset[i] + lane[0], count);
    return;
  }
  int64_t i = 0;
  const bool dense = w.offset[k - 1] - w.offset[0] == k - 1 && k_loops_.size() == 1;
  if constexpr (turns_blocks && sizeof(E) == 4) {
    // Lanes a constant step apart, k contiguous: blocks of 8 × 8. A block writes whole vectors, so its last rows spill
    // into the next ones, which follow; the last rows of the panel are left to the loop below.
    const int64_t step = count > 1 ? lane[1] - lane[0] : 0;
    bool even = dense && count > 1;
    for (int64_t l = 2; l < count; ++l) even = even && lane[l] - lane[l - 1] == step;
    const E* from = src + w.offset[0] + lane[0];
    for (; even && i + 16 <= k; i += 8)
      for (int64_t l = 0; l < count; l += 8)
        turn_block(dst + i * lanes_ + l, lanes_, from + i + l * step, step, std::min<int64_t>(count - l, 8));
  }
  for (int64_t l = 0; l < count; ++l) {
    E* __restrict to = dst + l;
    const E* from = src + lane[l];
    for (int64_t j = i; j < k; ++j) to[j * lanes_] = from[w.offset[j]];
  }
}

// What one guard admits: unscaled indices from 0 to most; over the lanes of a panel they reach from low to high.
struct Packer::Reach {
  int64_t low, high, most;
};

// The lanes that the guards admit where the k indices are `values`.
template <class E>
void Packer::find_valid(Row& row, int32_t key, const int64_t* values, int64_t count, const int64_t* lane,
                        const int64_t* index, const Reach* reach) const {
  uint32_t valid = (uint32_t{1} << count) - 1;
  int64_t place[most_lanes];
  std::copy_n(lane, count, place);
  for (size_t g = 0; g < access_->guards.size(); ++g) {
    const Guard& guard = access_->guards[g];
    const int64_t* at = index + g * most_lanes;
    for (int64_t l = 0; l < count; ++l) {
      const int64_t v = values[g] + at[l];
      if (v < 0 || v > reach[g].most) valid &= ~(uint32_t{1} << l);
    }
    for (int64_t l = 0; guard.divisor > 1 && l < count; ++l) {
      const int64_t v = values[g] + at[l], q = floor_divide(v, guard.divisor);
      if (q * guard.divisor != v) valid &= ~(uint32_t{1} << l);
      place[l] = wrapping_sum(place[l], wrapping_product(guard.stride, q));
    }
  }
  row.set(key, place, valid, count, static_cast<int>(sizeof(E) / 4));
}

// Away from the borders all lanes are valid. Elsewhere the valid lanes depend on the key only; those of the last keys
// are remembered.
template <class E>
void Packer::copy_guarded(E* dst, const Work& w, int64_t k, int64_t count, const E* src, const int64_t* lane,
                          const int64_t* index) const {
  const std::vector<Guard>& guards = access_->guards;
  const size_t n = guards.size();
  std::array<Reach, 8> few;
  std::vector<Reach> many(n > few.size() ? n : 0);
  Reach* reach = many.empty() ? few.data() : many.data();
  bool undivided = true;
  for (size_t g = 0; g < n; ++g) {
    const auto [low, high] = std::minmax_element(index + g * most_lanes, index + g * most_lanes + count);
    int64_t most = 0;
    if (__builtin_mul_overflow(guards[g].extent - 1, guards[g].divisor, &most)) most = farthest;
    reach[g] = {*low, *high, most};
    undivided = undivided && guards[g].divisor == 1;
  }
  constexpr int32_t remembered = 32;
  std::array<Row, remembered> rows;
  Row interior;
  interior.set(0, lane, (uint32_t{1} << count) - 1, count, static_cast<int>(sizeof(E) / 4));
  for (int64_t i = 0; i < k; ++i) {
    const int64_t* values = w.values + w.key[i] * static_cast<int64_t>(n);
    bool inside = undivided;
    for (size_t g = 0; g < n; ++g)
      inside = inside && values[g] + reach[g].low >= 0 && values[g] + reach[g].high <= reach[g].most;
    Row& row = inside ? interior : rows[static_cast<size_t>(w.key[i] % remembered)];
    if (!inside && row.key != w.key[i]) find_valid<E>(row, w.key[i], values, count, lane, index, reach);
    const E* from = src + w.offset[i];
    if (row.count > 0) __builtin_prefetch(from + row.place[row.count - 1] + lanes_);  // what the next panel reads
    row.copy(dst + i * lanes_, from, lanes_);
  }
}

// Evaluates boxes of the innermost k loop and the innermost lane loop, and spreads them over the panel.
void Packer::staged(std::byte* dst, std::byte* work, const Point& point, int64_t k0, int64_t k1, int64_t lane0,
                    int64_t count, Operands operands) const {
  Tile tile;
  tile.origin = point;
  std::fill_n(tile.extent.begin(), flat_->loops(), 1);
  const auto place = [&](const std::vector<int>& loops, int64_t index) {
    for (size_t i = loops.size(); i-- > 0;) {
      const auto l = static_cast<size_t>(loops[i]);
      tile.origin[l] = index % flat_->extents[l];
      index /= flat_->extents[l];
    }
  };
  const auto room = [&](int loop, int64_t left) {
    if (loop < 0) return int64_t{1};
    const auto l = static_cast<size_t>(loop);
    tile.extent[l] = std::min({left, flat_->extents[l] - tile.origin[l], stage_.spec().box[l]});
    return tile.extent[l];
  };
  for (int64_t k = k0; k < k1;) {
    int64_t high = 1;
    for (int64_t l = 0; l < count;) {
      place(k_loops_, k);
      place(lane_loops_, lane0 + l);
      high = room(stage_k_, k1 - k);
      const int64_t wide = room(stage_lane_, count - l);
      stage_.evaluate({.frame = work, .tile = &tile, .changed = Stage::all, .operands = operands});
      const std::byte* dense = stage_.root(work, 0);
      for (int64_t i = 0; i < high; ++i)
        std::memcpy(dst + ((k - k0 + i) * lanes_ + l) * element_, dense + i * wide * element_,
                    static_cast<size_t>(wide * element_));
      l += wide;
    }
    k += high;
  }
}

}  // namespace viva::loops
