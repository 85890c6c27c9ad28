// Memory planning: greedy by size, each buffer at the lowest offset that is free through its life.
#include <algorithm>

#include "base/recycler.h"
#include "cpu/plan.h"

namespace viva::cpu {

int64_t place(std::vector<Lifetime> lifetimes, std::vector<Buffer>& buffers) {
  std::ranges::stable_sort(lifetimes, std::greater(), &Lifetime::bytes);
  struct Placed {
    int64_t first, last, from, to;
  };
  std::vector<Placed> placed;  // by `from`
  int64_t size = 0;
  for (const Lifetime& l : lifetimes) {
    const auto bytes = static_cast<int64_t>(whole_lines(static_cast<size_t>(l.bytes)));
    int64_t offset = 0;
    for (const Placed& p : placed) {
      if (p.first > l.last || l.first > p.last) continue;
      if (p.from - offset >= bytes) break;
      offset = std::max(offset, p.to);
    }
    placed.insert(std::ranges::upper_bound(placed, offset, {}, &Placed::from),
                  {l.first, l.last, offset, offset + bytes});
    buffers[static_cast<size_t>(l.buffer)].offset = offset;
    size = std::max(size, offset + bytes);
  }
  return size;
}

}  // namespace viva::cpu
