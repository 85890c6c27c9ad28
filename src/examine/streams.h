// Where random numbers come from: every use has a stream of its own under the run's seed, so that none moves another's.
#pragma once

#include <cstdint>
#include <vector>

#include "base/threefry.h"

namespace viva {

enum class Stream : uint64_t {
  log_loss = 1,        // resamples of the bootstrap
  brier = 2,           // likewise
  halves = 3,          // which half a row, or a group of rows, belongs to
  ece_null = 4,        // labels of a calibrated network
  temperature = 5,     // resamples of the bootstrap
  gap = 6,             // likewise
  attack_rows = 7,     // which rows are attacked
  attack_start = 8,    // where an attack starts
  random_signs = 9,    // directions that an attack must beat
  loss_rows = 10,      // which rows the curvature of the loss is taken over, and in which order
  lanczos = 11,        // where Lanczos' method starts
  probes = 12,         // signs of the probes of a trace
  reading_rows = 13,   // which rows of half A choose a layout
  probe_rows = 14,     // which rows each probe of a trace takes
  shown_errors = 64,   // wrong rows that are shown
  baseline_rows = 65,  // which rows baselines are fitted to and measured on
};

constexpr Words2 stream_key(uint64_t seed, Stream s) { return fold_key(words_of(seed), static_cast<uint64_t>(s)); }

// Whatever is chosen by looking is chosen on half A and measured on half B. The half of a unit (RowSource::unit: a row,
// or the group it lies in) depends on the seed and its number alone.
constexpr bool in_half_a(uint64_t seed, int64_t unit) {
  return (threefry2x32(stream_key(seed, Stream::halves), words_of(static_cast<uint64_t>(unit)))[0] & 1) == 0;
}

// `count` of the rows 0 … total - 1 without replacement, in random order.
std::vector<int64_t> drawn_rows(Words2 key, int64_t total, int64_t count);
std::vector<int64_t> drawn_rows(uint64_t seed, Stream s, int64_t total, int64_t count);

// -1 or 1 in each of n places, for draw number `draw`.
std::vector<double> random_signs(uint64_t seed, Stream s, uint64_t draw, int64_t n);

// Uniform on [0, 1) in steps of 2^-32.
constexpr double uniform(uint32_t word) { return word * 0x1p-32; }

}  // namespace viva
