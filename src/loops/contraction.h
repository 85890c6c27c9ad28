// The prepared form of a contraction. Internal to loops/.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

#include "loops/micro.h"
#include "loops/pack.h"

namespace viva::loops {

struct Contraction {
  const Flat* flat = nullptr;
  Register dot = no_register;
  Dtype dtype = Dtype::float32;  // of the accumulator
  Micro kernel = {};
  std::vector<int> outer = {}, m = {}, n = {}, k = {};  // loops by role
  int64_t outer_size = 1, m_size = 1, n_size = 1, k_size = 1;
  int64_t m_block = 1, n_block = 1, k_block = 1, m_blocks = 1, n_blocks = 1;
  int64_t parts = 1;  // ranges of (outer, m block, n block)
  Packer left = {}, right = {};
  bool plain = true;    // no epilogue: totals are copied out
  Stage epilogue = {};  // over boxes of the innermost m and n loops
  int epilogue_m = -1, epilogue_n = -1;
  size_t slot_bytes = 0, left_at = 0, right_at = 0, total_at = 0, left_work_at = 0, right_work_at = 0, epilogue_at = 0,
         dense_at = 0;
};

}  // namespace viva::loops
