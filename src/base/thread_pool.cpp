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

// Pauses before a thread sleeps: some 200 microseconds, longer than most serial steps between two parallel ones.
constexpr int spins = 10000;

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
class Job {
 public:
  Job(int64_t n, int threads, const std::function<void(int64_t)>& f)
      : parts(n), body_(f), ranges_(static_cast<size_t>(std::min<int64_t>(n, threads))) {
    const auto count = static_cast<int64_t>(ranges_.size());
    for (int64_t r = 0; r < count; ++r) {
      ranges_[static_cast<size_t>(r)].next = n * r / count;
      ranges_[static_cast<size_t>(r)].end = n * (r + 1) / count;
    }
  }

  const int64_t parts;
  std::atomic<int> helpers = 0;  // changed under State::mutex only; read without it by the spinning caller

  bool open() const {
    return std::ranges::any_of(ranges_, [&](const Range& r) {
      const int64_t part = r.next.load(std::memory_order_relaxed);
      return part < r.end && wanted(part);
    });
  }

  // The parts of the thread's own range, then what others have left. A thread has the same range in every job of as
  // many parts: what it wrote in one step of a plan it reads in the next, from its own cache.
  void work(size_t thread) {
    const Inside mark;
    for (size_t i = 0; i < ranges_.size(); ++i) {
      Range& r = ranges_[(thread + i) % ranges_.size()];
      for (int64_t part; (part = r.next.fetch_add(1, std::memory_order_relaxed)) < r.end && wanted(part);)
        attempt(part);
    }
  }

  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  struct alignas(64) Range {
    std::atomic<int64_t> next = 0;
    int64_t end = 0;
  };

  // Only parts above a failed one are left out, so the lowest failure is the same for any number of threads.
  bool wanted(int64_t part) const { return part < failed_part_.load(std::memory_order_relaxed); }

  void attempt(int64_t part) {
    try {
      body_(part);
    } catch (...) {
      const std::lock_guard lock(failure_mutex_);
      if (!wanted(part)) return;
      failed_part_.store(part, std::memory_order_relaxed);
      failure_ = std::current_exception();
    }
  }

  const std::function<void(int64_t)>& body_;
  std::vector<Range> ranges_;
  std::mutex failure_mutex_;
  std::atomic<int64_t> failed_part_ = std::numeric_limits<int64_t>::max();
  std::exception_ptr failure_;
};

}  // namespace

struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable wake;      // workers: a job was added, or stop
  std::condition_variable finished;  // callers: the last helper left some job
  std::vector<Job*> jobs;
  std::atomic<uint64_t> added = 0;  // jobs so far; changed under mutex
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

  // Looks for the next job without sleeping: between the steps of a plan a sleeper comes too late for short ones.
  void wait_for_job(std::unique_lock<std::mutex>& lock) {
    const uint64_t before = added.load(std::memory_order_relaxed);
    lock.unlock();
    for (int i = 0; i < spins && added.load(std::memory_order_acquire) == before; ++i) pause();
    lock.lock();
  }

  void serve(size_t thread) {
    std::unique_lock lock(mutex);
    while (!stop) {
      Job* job = pick();
      if (!job) wait_for_job(lock), job = pick();
      if (!job) {
        if (stop) return;
        ++sleepers;
        wake.wait(lock);
        --sleepers;
        continue;
      }
      ++job->helpers;
      lock.unlock();
      job->work(thread);
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
      added.fetch_add(1, std::memory_order_release);
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
    for (int i = 0; i < spins; ++i, pause())
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
    for (int i = 1; i < threads; ++i)
      state_->workers.emplace_back([s = state_.get(), thread = static_cast<size_t>(i)] { s->serve(thread); });
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
  Job job(parts, threads(), body);
  state_->add(job);
  job.work(0);
  state_->finish(job);
  job.rethrow();
}

}  // namespace viva
