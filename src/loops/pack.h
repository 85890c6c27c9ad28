// Packing one operand of a contraction into panels, through any access. Internal to loops/.
#pragma once

#include "loops/stage.h"

namespace viva::loops {

// Values of the loops that stand still while a panel is packed.
using Point = std::array<int64_t, max_loops>;

// One operand: a plain load of the accumulator's dtype is read straight from memory, anything else goes through a
// stage. Lanes and k are flattened, row-major over their loops.
class Packer {
 public:
  Packer() = default;
  Packer(const Flat& flat, Register value, std::vector<int> lane_loops, std::vector<int> k_loops, int64_t lanes);

  // Bytes that pack needs beside its output, for panels of at most k_max.
  size_t work_bytes(int64_t k_max) const;

  // Prepares to pack [k0, k1) at this point of the outer loops.
  void begin(std::byte* work, const Point& point, int64_t k0, int64_t k1) const;
  // dst[k][lane] for the panel of lanes starting at lane0; lanes from `end` on are zero.
  void panel(std::byte* dst, std::byte* work, const Point& point, int64_t k0, int64_t k1, int64_t lane0, int64_t end,
             Operands operands) const;

 private:
  struct Work;   // tables over k
  struct Row;    // the valid lanes of one k
  struct Reach;  // of a guard over the lanes
  Work tables(std::byte* work, int64_t k) const;
  void direct(std::byte* dst, std::byte* work, int64_t k, int64_t lane0, int64_t count, const std::byte* src) const;
  template <class E>
  void copy(E* dst, const Work& w, int64_t k, int64_t count, const E* src, const int64_t* lane) const;
  template <class E>
  void copy_guarded(E* dst, const Work& w, int64_t k, int64_t count, const E* src, const int64_t* lane,
                    const int64_t* index) const;
  template <class E>
  void find_valid(Row& row, int32_t key, const int64_t* values, int64_t count, const int64_t* lane,
                  const int64_t* index, const Reach* reach) const;
  void staged(std::byte* dst, std::byte* work, const Point& point, int64_t k0, int64_t k1, int64_t lane0, int64_t count,
              Operands operands) const;

  const Flat* flat_ = nullptr;
  std::vector<int> lane_loops_, k_loops_;
  int64_t lanes_ = 0, element_ = 0;
  const Access* access_ = nullptr;  // of a direct load
  int slot_ = 0;
  Stage stage_;  // otherwise
  int stage_k_ = -1, stage_lane_ = -1;
};

}  // namespace viva::loops
