// What every kernel of oneDNN needs: the engine, calls confined to the calling thread, memory.
#pragma once

#include <dnnl.hpp>
#include <unordered_map>

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

// A copy from one layout to another, made once: making it takes as long as a small copy.
class Reorder {
 public:
  Reorder() = default;
  Reorder(const dnnl::memory::desc& from, const dnnl::memory::desc& to);
  void run(const void* in, void* out) const;

 private:
  dnnl::memory::desc from_, to_;
  dnnl::primitive run_;
};

// Uninitialised memory, aligned to 64. Throws an input error where it cannot be had.
inline Array block_of(size_t bytes) { return Array::make({Dtype::uint8, {static_cast<int64_t>(bytes)}}); }

}  // namespace viva::cpu::onednn
