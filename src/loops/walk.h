// Walking a box of loops run by run, with guards resolved to ranges. Internal to loops/.
#pragma once

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

#include "loops/flat.h"

namespace viva::loops {

inline constexpr int max_loops = 60;

inline constexpr int64_t farthest = int64_t{1} << 61;  // verified indices stay within half of it

// A box of the loop space: for each loop the first value and the number of values.
struct Tile {
  std::array<int64_t, max_loops> origin, extent;
};

// a · b modulo 2^64: places of points that turn out to be outside may be anywhere.
inline int64_t wrapping_product(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}
inline int64_t wrapping_sum(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

// The points first, first + step, … (count of them) of a run of length n where all guards hold.
struct Progression {
  int64_t first = 0, step = 1, count = 0;
};

// Narrows a range of t by one guard whose unscaled index is v + c·t.
class Narrow {
 public:
  explicit Narrow(int64_t n) : high_(n) {}

  // False where nothing is left.
  bool by(int64_t v, int64_t c, const Guard& g) {
    int64_t most = 0;
    if (g.extent <= 0) return false;
    if (__builtin_mul_overflow(g.extent - 1, g.divisor, &most)) most = farthest;
    most = std::min(most, farthest);
    if (c == 0) return v >= 0 && v <= most && (g.divisor == 1 || v % g.divisor == 0);
    if (c == 1 && g.divisor == 1) {  // as below, without its divisions
      low_ = std::max(low_, -v);
      high_ = std::min(high_, most - v + 1);
      return low_ < high_;
    }
    if (c > 0) {
      if (v < 0) low_ = std::max(low_, (-v + c - 1) / c);
      if (v > most) return false;
      high_ = std::min(high_, (most - v) / c + 1);
    } else {
      if (v < 0) return false;
      if (v > most) low_ = std::max(low_, (v - most - c - 1) / -c);
      high_ = std::min(high_, v / -c + 1);
    }
    return low_ < high_ && (g.divisor == 1 || divisible(v, c, g.divisor));
  }

  Progression range() const {
    if (step_ == 1) return {low_, 1, std::max<int64_t>(high_ - low_, 0)};
    int64_t first = phase_;
    if (first < low_) first += (low_ - first + step_ - 1) / step_ * step_;
    return first < high_ ? Progression{first, step_, (high_ - 1 - first) / step_ + 1} : Progression{};
  }

 private:
  // Keeps the t with (v + c·t) divisible: those equal to some t0 modulo divisor / gcd(c, divisor).
  bool divisible(int64_t v, int64_t c, int64_t divisor) {
    const int64_t period = divisor / std::gcd(c, divisor);
    int64_t t = phase_;
    const int64_t rest = ((v % divisor) + (c % divisor) * (t % divisor) % divisor) % divisor;
    int64_t r = rest;
    const int64_t advance = (c % divisor) * (step_ % divisor) % divisor;
    for (int64_t tries = 0; r != 0; ++tries) {
      if (tries >= period || t >= high_) return false;
      t += step_;
      r = (r + advance) % divisor;
    }
    phase_ = t;
    const int64_t other = period / std::gcd(step_, period);
    if (__builtin_mul_overflow(step_, other, &step_)) step_ = INT64_MAX / 2;
    step_ = std::min(step_, INT64_MAX / 4);
    return t < high_;
  }

  int64_t low_ = 0, high_, phase_ = 0, step_ = 1;
};

// The loops of a tile that have more than one point, in tile order; the last one is the run.
struct Runs {
  std::array<int, max_loops> loop;
  int count = 0;
  Runs(std::span<const int> order, const Tile& tile) {
    for (int l : order)
      if (tile.extent[static_cast<size_t>(l)] > 1) loop[static_cast<size_t>(count++)] = l;
  }
  Runs() = default;
};

// Calls f(position, at) for each run of the box: position is the place of its first point in the tile, at[l] the
// value of loop l there. With single, every point is a run of its own.
template <class F> void each_run(const Runs& runs, const Tile& tile, int loops, bool single, F&& f) {
  std::array<int64_t, max_loops> at;
  std::copy_n(tile.origin.begin(), loops, at.begin());
  const int outer = single ? runs.count : std::max(runs.count - 1, 0);
  const int64_t length =
      outer == runs.count ? 1 : tile.extent[static_cast<size_t>(runs.loop[static_cast<size_t>(runs.count - 1)])];
  for (int64_t position = 0;; position += length) {
    f(position, at.data());
    int d = outer - 1;
    for (; d >= 0; --d) {
      const auto l = static_cast<size_t>(runs.loop[static_cast<size_t>(d)]);
      if (++at[l] < tile.origin[l] + tile.extent[l]) break;
      at[l] = tile.origin[l];
    }
    if (d < 0) return;
  }
}

inline int64_t linear(const Ints& coefficients, const int64_t* at) {
  uint64_t v = 0;
  for (size_t l = 0; l < coefficients.size(); ++l)
    v += static_cast<uint64_t>(coefficients[l]) * static_cast<uint64_t>(at[l]);
  return static_cast<int64_t>(v);
}

}  // namespace viva::loops
