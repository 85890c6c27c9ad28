#include "cpu/onednn/engine.h"

#include <algorithm>

#include "base/error.h"

// Of the OpenMP runtime that Debian's oneDNN is linked with. Viva itself has no parallel regions of it.
extern "C" {
void omp_set_num_threads(int);
int omp_get_max_threads(void);
}

namespace viva::cpu::onednn {

dnnl::engine& engine() {
  // Never destroyed: streams of threads that outlive the statics hold it.
  static auto* const e = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *e;
}

OneThread::OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
OneThread::~OneThread() { omp_set_num_threads(before_); }

void execute(const dnnl::primitive& p, const Arguments& arguments) {
  thread_local dnnl::stream stream(engine());
  try {
    p.execute(stream, arguments);
    stream.wait();
  } catch (const dnnl::error& e) { throw internal_error("[onednn] {}", e.what()); }
}

dnnl::memory memory_at(const dnnl::memory::desc& d, const void* data) { return {d, engine(), const_cast<void*>(data)}; }

Recycler::Lease Recycler::take(size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    const auto fits =
        std::ranges::find_if(free_, [&](const Array& a) { return static_cast<size_t>(a.size()) >= bytes; });
    if (fits != free_.end()) {
      Array block = std::move(*fits);
      free_.erase(fits);
      return {*this, std::move(block)};
    }
  }
  return {*this, Array::make({Dtype::uint8, {static_cast<int64_t>(bytes)}})};
}

void Recycler::give(Array block) {
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(block));
}

}  // namespace viva::cpu::onednn
