// What every kernel of oneDNN needs: the engine, calls confined to the calling thread, memory that is used again.
#pragma once

#include <dnnl.hpp>
#include <memory>
#include <mutex>
#include <vector>

#include "base/array.h"

namespace viva::cpu::onednn {

dnnl::engine& engine();

// While it lives, oneDNN uses no thread but the calling one; primitives are made and run under it. Parts of the work
// are shared out by Viva's pool, so that bits do not depend on the number of threads.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

using Arguments = std::unordered_map<int, dnnl::memory>;
// Runs the primitive on the calling thread and waits for it.
void execute(const dnnl::primitive& p, const Arguments& arguments);
dnnl::memory memory_at(const dnnl::memory::desc& d, const void* data);

// Blocks of memory that concurrent runs borrow and later runs get again.
class Recycler {
 public:
  class Lease {
   public:
    Lease(Recycler& from, Array block) : from_(from), block_(std::move(block)) {}
    ~Lease() { from_.give(std::move(block_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    std::byte* data() { return block_.mutable_data(); }

   private:
    Recycler& from_;
    Array block_;
  };
  // At least so many bytes, aligned to 64. Throws an input error where memory cannot be had.
  Lease take(size_t bytes);

 private:
  void give(Array block);
  std::mutex mutex_;
  std::vector<Array> free_;
};

}  // namespace viva::cpu::onednn
