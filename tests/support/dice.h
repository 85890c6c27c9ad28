#pragma once

#include <vector>

#include "base/threefry.h"

namespace viva {

// Numbers that are a function of the seed alone.
class Dice {
 public:
  explicit Dice(uint32_t seed) : seed_(seed) {}
  int64_t below(int64_t n) {
    return static_cast<int64_t>(threefry2x32({seed_, 5}, words_of(count_++))[0] % static_cast<uint64_t>(n));
  }
  template <class T> const T& of(const std::vector<T>& v) {
    return v[static_cast<size_t>(below(static_cast<int64_t>(v.size())))];
  }

 private:
  uint32_t seed_;
  uint64_t count_ = 0;
};

}  // namespace viva
