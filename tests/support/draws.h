#pragma once

#include <cmath>
#include <cstdint>

#include "base/threefry.h"

namespace viva {

// Random numbers of one repetition.
class Draws {
 public:
  Draws(uint32_t scenario, uint32_t repetition) : key_{scenario, repetition} {}
  double uniform() { return (next() + .5) * 0x1p-32; }
  double normal() {
    const double u = uniform(), v = uniform();
    return std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * v);
  }
  int64_t binomial(int64_t n, double p) {
    int64_t k = 0;
    for (int64_t i = 0; i < n; ++i) k += uniform() < p;
    return k;
  }

 private:
  uint32_t next() {
    if (at_ == 2) words_ = threefry2x32(key_, words_of(counter_++)), at_ = 0;
    return words_[at_++];
  }
  Words2 key_, words_{};
  uint64_t counter_ = 0;
  size_t at_ = 2;
};

}  // namespace viva
