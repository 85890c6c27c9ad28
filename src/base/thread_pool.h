// A pool of threads for loops whose parts are fixed by the shape of the work, never by the number of threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <functional>
#include <memory>

namespace viva {

// Set by the caller (a signal handler may) to stop a computation at the next part.
using Cancel = std::atomic<bool>;

// How many parts to make of work that is worth `worth` of them: a power of two, so that two, four or eight threads get
// equally many, from 1 to `most`, a power of two itself.
inline int64_t even_parts(double worth, int64_t most) {
  const double whole = std::clamp(worth, 1., static_cast<double>(most));
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(whole)));
}

class ThreadPool {
 public:
  // threads >= 1 counts the calling thread; 1 starts no other thread. Idle threads sleep.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const;
  // Runs body(0), …, body(parts - 1), each once, in any order, and returns when all are done. After an exception the
  // higher parts not yet begun are skipped, and the exception of the lowest part is rethrown here: the same one for any
  // number of threads. A call from inside a body (of any pool) runs on the calling thread alone. Callable from many
  // threads at once.
  void run(int64_t parts, const std::function<void(int64_t)>& body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace viva
