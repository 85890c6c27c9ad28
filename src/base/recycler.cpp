#include "base/recycler.h"

#include <bit>
#include <cstdlib>
#include <list>
#include <map>
#include <mutex>
#include <new>

namespace viva {
namespace {

constexpr size_t smallest = size_t{64} << 10;    // below, the allocator has pages at hand itself
constexpr size_t most_kept = size_t{512} << 20;  // idle bytes of the process

// Eight sizes between powers of two, so that blocks of nearly equal arrays fit each other.
size_t rounded(size_t bytes) {
  if (bytes < smallest) return whole_lines(bytes);
  const size_t step = std::bit_floor(bytes) / 8;
  return (bytes + step - 1) / step * step;
}

class Recycler {
 public:
  std::byte* take(size_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto it = by_size_.find(bytes);
    if (it == by_size_.end()) return nullptr;
    std::byte* block = it->second->data;
    forget(it);
    return block;
  }

  // False where the block is not kept.
  bool give(std::byte* block, size_t bytes) {
    if (bytes > most_kept) return false;
    const std::lock_guard lock(mutex_);
    try {
      oldest_first_.push_back({block, bytes});
    } catch (const std::bad_alloc&) { return false; }
    try {
      by_size_.emplace(bytes, std::prev(oldest_first_.end()));
    } catch (const std::bad_alloc&) {
      oldest_first_.pop_back();
      return false;
    }
    kept_ += bytes;
    while (kept_ > most_kept) release_oldest();
    return true;
  }

  // Whether there was anything to release.
  bool release() {
    const std::lock_guard lock(mutex_);
    const bool some = kept_ > 0;
    while (kept_ > 0) release_oldest();
    return some;
  }

 private:
  struct Block {
    std::byte* data;
    size_t bytes;
  };
  using Blocks = std::list<Block>;
  using BySize = std::multimap<size_t, Blocks::iterator>;

  void forget(BySize::iterator it) {
    kept_ -= it->first;
    oldest_first_.erase(it->second);
    by_size_.erase(it);
  }
  void release_oldest() {
    const auto oldest = oldest_first_.begin();
    std::free(oldest->data);
    auto it = by_size_.lower_bound(oldest->bytes);
    while (it->second != oldest) ++it;
    forget(it);
  }

  std::mutex mutex_;
  Blocks oldest_first_;
  BySize by_size_;
  size_t kept_ = 0;
};

// Never destroyed: arrays in statics give their blocks back late.
Recycler& recycler() {
  static auto* const r = new Recycler;
  return *r;
}

std::byte* allocate(size_t bytes) { return static_cast<std::byte*>(std::aligned_alloc(64, bytes)); }

// Under the address sanitizer every block is fresh, so that a use after its end is seen.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool recycles = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool recycles = false;
#else
constexpr bool recycles = true;
#endif
#else
constexpr bool recycles = true;
#endif

}  // namespace

std::byte* take_block(size_t bytes) {
  const size_t size = rounded(bytes);
  if (size < bytes) return nullptr;
  if (!recycles || size < smallest) return allocate(size);
  if (std::byte* block = recycler().take(size)) return block;
  std::byte* block = allocate(size);
  return block || !recycler().release() ? block : allocate(size);
}

void give_block(std::byte* block, size_t bytes) {
  const size_t size = rounded(bytes);
  if (!recycles || size < smallest || !recycler().give(block, size)) std::free(block);
}

}  // namespace viva
