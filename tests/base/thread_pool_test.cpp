#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <time.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/error.h"

namespace viva {
namespace {

class ThreadPools : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Threads, ThreadPools, testing::Values(1, 2, 3, 8));

TEST_P(ThreadPools, EachPartRunsOnce) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.threads(), GetParam());
  for (int64_t parts : {0, 1, 2, 3, 7, 64, 1000}) {
    std::vector<int> count(static_cast<size_t>(parts));
    pool.run(parts, [&](int64_t i) { ++count[static_cast<size_t>(i)]; });
    EXPECT_EQ(std::accumulate(count.begin(), count.end(), int64_t{0}), parts);
    EXPECT_TRUE(std::ranges::all_of(count, [](int c) { return c == 1; }));
  }
}

TEST_P(ThreadPools, NegativePartsAreNone) {
  ThreadPool pool(GetParam());
  pool.run(-3, [](int64_t) { FAIL(); });
}

TEST_P(ThreadPools, ManyTinyCalls) {
  ThreadPool pool(GetParam());
  std::atomic<int64_t> sum = 0;
  for (int k = 0; k < 20000; ++k) pool.run(3, [&](int64_t i) { sum += i; });
  EXPECT_EQ(sum, 60000);
}

// Only parts above a failing one are left out, so the lowest failing part is reported whatever the timing.
TEST_P(ThreadPools, LowestExceptionIsRethrown) {
  ThreadPool pool(GetParam());
  for (int k = 0; k < 200; ++k) {
    try {
      pool.run(50, [](int64_t i) {
        if (i == 7) std::this_thread::yield();
        if (i >= 7) throw std::runtime_error(std::to_string(i));
      });
      FAIL();
    } catch (const std::runtime_error& e) { EXPECT_STREQ(e.what(), "7"); }
  }
  std::atomic<int> done = 0;
  pool.run(10, [&](int64_t) { ++done; });
  EXPECT_EQ(done, 10);
}

TEST_P(ThreadPools, PartsNotBegunAreSkippedAfterAnException) {
  ThreadPool pool(GetParam());
  std::atomic<int64_t> begun = 0;
  EXPECT_THROW(pool.run(int64_t{1} << 40, [&](int64_t) { ++begun, throw std::runtime_error("stop"); }),
               std::runtime_error);
  // A thread that has seen no failure begins a part in each other's range at most.
  EXPECT_LE(begun, GetParam() * GetParam());
}

TEST_P(ThreadPools, NestedCallsStayOnTheCallingThread) {
  ThreadPool pool(GetParam()), other(2);
  std::atomic<int> wrong = 0, parts = 0;
  pool.run(16, [&](int64_t) {
    const auto me = std::this_thread::get_id();
    for (ThreadPool* p : {&pool, &other})
      p->run(8, [&](int64_t) {
        ++parts;
        if (std::this_thread::get_id() != me) ++wrong;
      });
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(parts, 256);
}

TEST_P(ThreadPools, NestedExceptionsPassThrough) {
  ThreadPool pool(GetParam());
  EXPECT_THROW(pool.run(4, [&](int64_t) { pool.run(4, [](int64_t) { throw std::logic_error("inner"); }); }),
               std::logic_error);
}

TEST_P(ThreadPools, ManyCallersAtOnce) {
  ThreadPool pool(GetParam());
  std::vector<std::thread> callers;
  std::atomic<int64_t> total = 0, thrown = 0;
  for (int c = 0; c < 6; ++c)
    callers.emplace_back([&, c] {
      for (int k = 0; k < 300; ++k) {
        std::vector<int64_t> out(17);
        pool.run(17, [&](int64_t i) { out[static_cast<size_t>(i)] = i * c; });
        total += std::accumulate(out.begin(), out.end(), int64_t{0});
        try {
          pool.run(5, [](int64_t i) {
            if (i == 3) throw i;
          });
        } catch (int64_t) { ++thrown; }
      }
    });
  for (auto& t : callers) t.join();
  EXPECT_EQ(total, 300 * 136 * 15);
  EXPECT_EQ(thrown, 1800);
}

// Two parts that wait for each other finish only where two threads work on them.
TEST(ThreadPool, WorkIsShared) {
  ThreadPool pool(2);
  std::atomic<int> arrived = 0;
  pool.run(2, [&](int64_t) {
    for (++arrived; arrived < 2;) std::this_thread::yield();
  });
  EXPECT_EQ(arrived, 2);
}

TEST(ThreadPool, OneThreadUsesTheCaller) {
  ThreadPool pool(1);
  const auto me = std::this_thread::get_id();
  pool.run(9, [&](int64_t) { EXPECT_EQ(std::this_thread::get_id(), me); });
}

// Idle workers use no processor time.
TEST(ThreadPool, IdleThreadsSleep) {
  ThreadPool pool(4);
  pool.run(100, [](int64_t) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const auto used = [] {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  };
  const double before = used();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(used() - before, 0.1);
}

TEST(ThreadPool, RefusesLessThanOneThread) {
  try {
    ThreadPool pool(0);
    FAIL();
  } catch (const Error& e) { EXPECT_EQ(e.kind(), ErrorKind::usage); }
}

}  // namespace
}  // namespace viva
