#include "cpu/onednn/engine.h"

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
  try {
    thread_local dnnl::stream stream(engine());
    p.execute(stream, arguments);
    stream.wait();
  } catch (const dnnl::error& e) { throw internal_error("[onednn] {}", e.what()); }
}

dnnl::memory memory_at(const dnnl::memory::desc& d, const void* data) { return {d, engine(), const_cast<void*>(data)}; }

Reorder::Reorder(const dnnl::memory::desc& from, const dnnl::memory::desc& to)
    : from_(from), to_(to), run_(dnnl::reorder({engine(), from, engine(), to})) {}

void Reorder::run(const void* in, void* out) const {
  execute(run_, {{DNNL_ARG_FROM, memory_at(from_, in)}, {DNNL_ARG_TO, memory_at(to_, out)}});
}

}  // namespace viva::cpu::onednn
