#include "base/thread_pool.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"

namespace viva {
namespace {

// True while the thread is inside a body: further calls then stay on it, so that no wait can be circular.
thread_local bool inside = false;

class Inside {
 public:
  Inside() : before_(std::exchange(inside, true)) {}
  ~Inside() { inside = before_; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  bool before_;
};

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

// One call of run. It lives on the caller's stack: nobody may touch it once `helpers` was seen to be 0 off the list.
struct Job {
  Job(int64_t n, const std::function<void(int64_t)>& f) : parts(n), body(f) {}

  const int64_t parts;
  const std::function<void(int64_t)>& body;
  std::atomic<int64_t> next = 0;
  std::atomic<int> helpers = 0;  // changed under State::mutex only; read without it by the spinning caller
  std::mutex failure_mutex;
  int64_t failed_part = std::numeric_limits<int64_t>::max();
  std::exception_ptr failure;

  bool open() const { return next.load(std::memory_order_relaxed) < parts; }

  // Parts begin in ascending order, so every part below a failing one has begun and will report: keeping the lowest
  // failure makes the error the same for any number of threads.
  void fail(int64_t part) {
    next.store(parts, std::memory_order_relaxed);
    const std::lock_guard lock(failure_mutex);
    if (part > failed_part) return;
    failed_part = part;
    failure = std::current_exception();
  }

  void work() {
    const Inside mark;
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < parts;) {
      try {
        body(i);
      } catch (...) { fail(i); }
    }
  }
};

}  // namespace

struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable wake;      // workers: a job was added, or stop
  std::condition_variable finished;  // callers: the last helper left some job
  std::vector<Job*> jobs;
  int64_t sleepers = 0;
  bool stop = false;
  std::vector<std::thread> workers;

  // The open job with the fewest helpers, so that concurrent callers share the workers.
  Job* pick() {
    Job* best = nullptr;
    for (Job* j : jobs)
      if (j->open() && (!best || j->helpers < best->helpers)) best = j;
    return best;
  }

  void serve() {
    std::unique_lock lock(mutex);
    while (!stop) {
      Job* job = pick();
      if (!job) {
        ++sleepers;
        wake.wait(lock);
        --sleepers;
        continue;
      }
      ++job->helpers;
      lock.unlock();
      job->work();
      lock.lock();
      if (job->helpers.fetch_sub(1, std::memory_order_release) == 1) finished.notify_all();
    }
  }

  void add(Job& job) {
    int64_t wanted;
    bool all;
    {
      const std::lock_guard lock(mutex);
      jobs.push_back(&job);
      wanted = std::min(job.parts - 1, sleepers);
      all = wanted == sleepers;
    }
    if (wanted > 0 && all) wake.notify_all();
    else
      for (int64_t i = 0; i < wanted; ++i) wake.notify_one();
  }

  void finish(Job& job) {
    {
      const std::lock_guard lock(mutex);
      std::erase(jobs, &job);
    }
    // The helpers are in their last part: mostly a moment, so look a few microseconds before sleeping.
    for (int i = 0; i < 64; ++i, pause())
      if (job.helpers.load(std::memory_order_acquire) == 0) return;
    std::unique_lock lock(mutex);
    finished.wait(lock, [&] { return job.helpers == 0; });
  }

  void shut_down() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    wake.notify_all();
    for (auto& w : workers) w.join();
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  if (threads < 1) throw usage_error("{} threads asked for: at least 1 is needed", threads);
  try {
    for (int i = 1; i < threads; ++i) state_->workers.emplace_back([s = state_.get()] { s->serve(); });
  } catch (const std::system_error& e) {
    const size_t started = state_->workers.size() + 1;
    state_->shut_down();
    throw usage_error("the system gives {} of {} threads ({}): ask for fewer", started, threads, e.what());
  }
}

ThreadPool::~ThreadPool() { state_->shut_down(); }

int ThreadPool::threads() const { return static_cast<int>(state_->workers.size()) + 1; }

void ThreadPool::run(int64_t parts, const std::function<void(int64_t)>& body) {
  if (inside || parts <= 1 || state_->workers.empty()) {
    const Inside mark;
    for (int64_t i = 0; i < parts; ++i) body(i);
    return;
  }
  Job job(parts, body);
  state_->add(job);
  job.work();
  state_->finish(job);
  if (job.failure) std::rethrow_exception(job.failure);
}

}  // namespace viva
