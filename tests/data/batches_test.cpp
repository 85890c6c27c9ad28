#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <thread>

#include "base/npy.h"
#include "support/temp_dir.h"
#include "viva/viva.h"

namespace viva {
namespace {

Ints sorted(Ints v) {
  std::ranges::sort(v);
  return v;
}
Ints range_of(int64_t n) {
  Ints v(static_cast<size_t>(n));
  std::iota(v.begin(), v.end(), 0);
  return v;
}

// Frequencies of all 24 orders of four, against 1/24 each: χ² with 23 degrees of freedom is below 58 with probability
// .9999; the draw is fixed.
TEST(Permutation, EveryOrderEquallyOften) {
  std::map<Ints, int> count;
  constexpr int n = 24000;
  for (uint64_t stream = 0; stream < n; ++stream) ++count[permutation(4, 7, stream)];
  ASSERT_EQ(count.size(), 24u);
  double chi2 = 0;
  for (const auto& [order, k] : count) chi2 += std::pow(k - n / 24.0, 2) / (n / 24.0);
  EXPECT_LT(chi2, 58);
}

TEST(Permutation, IsAFunctionOfSeedAndStream) {
  EXPECT_EQ(permutation(1000, 3, 4), permutation(1000, 3, 4));
  EXPECT_NE(permutation(1000, 3, 4), permutation(1000, 3, 5));
  EXPECT_NE(permutation(1000, 3, 4), permutation(1000, 4, 4));
  EXPECT_EQ(sorted(permutation(1000, 3, 4)), range_of(1000));
  EXPECT_EQ(permutation(0, 1, 1), Ints{});
  EXPECT_EQ(permutation(1, 1, 1), Ints{0});
  // Fixed for good: checkpoints hold steps, not orders. From a second implementation, in Python.
  EXPECT_EQ(permutation(8, 1, 0), (Ints{2, 4, 3, 1, 7, 0, 5, 6}));
}

TEST(Batches, EveryRowOnceAnEpoch) {
  for (int64_t n : {1, 7, 64, 100})
    for (int64_t size : {1, 7, 32, 200}) {
      const Batches b(n, {.size = size, .seed = 5});
      EXPECT_EQ(b.per_epoch(), (n + size - 1) / size);
      std::set<Ints> orders;
      for (int64_t epoch = 0; epoch < 3; ++epoch) {
        Ints seen;
        for (int64_t i = 0; i < b.per_epoch(); ++i) {
          const Ints rows = b.at(epoch * b.per_epoch() + i);
          EXPECT_EQ(static_cast<int64_t>(rows.size()), std::min(size, n - i * size));
          seen.insert(seen.end(), rows.begin(), rows.end());
        }
        EXPECT_EQ(sorted(seen), range_of(n));
        orders.insert(seen);
      }
      if (n > 7) { EXPECT_EQ(orders.size(), 3u); }
    }
}

TEST(Batches, TheLastBatchMayBeDropped) {
  const Batches b(10, {.size = 4, .drop_last = true});
  EXPECT_EQ(b.per_epoch(), 2);
  std::set<int64_t> seen;
  for (int64_t step = 0; step < 40; ++step) {
    const Ints rows = b.at(step);
    EXPECT_EQ(rows.size(), 4u);
    seen.insert(rows.begin(), rows.end());
  }
  EXPECT_EQ(seen.size(), 10u);  // other rows are left out in each epoch
}

TEST(Batches, AnyStepInAnyOrderFromAnyThread) {
  const Batches b(1000, {.size = 30, .seed = 9});
  std::vector<Ints> straight;
  for (int64_t step = 0; step < 200; ++step) straight.push_back(b.at(step));
  const Batches fresh(1000, {.size = 30, .seed = 9});
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int64_t i = 0; i < 200; ++i) {
        const int64_t step = (i * 77 + t * 13) % 200;
        wrong[static_cast<size_t>(t)] += fresh.at(step) != straight[static_cast<size_t>(step)];
      }
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, std::vector<int>(4));
}

TEST(Batches, OfChosenRowsAndInOrder) {
  const Batches b(Ints{5, 3, 9}, {.size = 2, .shuffle = false});
  EXPECT_EQ(b.at(0), (Ints{5, 3}));
  EXPECT_EQ(b.at(1), (Ints{9}));
  EXPECT_EQ(b.at(2), (Ints{5, 3}));
  const Batches s(Ints{5, 3, 9}, {.size = 3});
  EXPECT_EQ(sorted(s.at(4)), (Ints{3, 5, 9}));
}

TEST(Batches, HashTellsThemApart) {
  const std::set<std::string> all{Batches(10).hash(),
                                  Batches(11).hash(),
                                  Batches(10, {.size = 5}).hash(),
                                  Batches(10, {.seed = 1}).hash(),
                                  Batches(10, {.shuffle = false}).hash(),
                                  Batches(10, {.size = 5, .drop_last = true}).hash(),
                                  Batches(Ints{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}).hash()};
  EXPECT_EQ(all.size(), 7u);
  EXPECT_EQ(Batches(10).hash(), Batches(10).hash());
}

TEST(Batches, Refusals) {
  const auto refused = [](auto f) { return error_of(f, ErrorKind::usage); };
  EXPECT_EQ(refused([] { Batches(0); }), "[Batches] no rows");
  EXPECT_EQ(refused([] { Batches(Ints{}); }), "[Batches] no rows");
  EXPECT_EQ(refused([] { Batches(3, {.size = 0}); }), "[Batches] batches of 0: give 1 or more");
  EXPECT_EQ(refused([] { Batches(3, {.size = 4, .drop_last = true}); }),
            "[Batches] 3 rows make no batch of 4, and drop_last leaves out the rest");
  EXPECT_EQ(refused([] { Batches(3).at(-1); }), "[Batches] step -1: steps count from 0");
}

TEST(SplitRows, TwoPartsOfAll) {
  const auto [kept, held] = split_rows(100, 30, 5);
  EXPECT_EQ(held.size(), 30u);
  EXPECT_TRUE(std::ranges::is_sorted(kept) && std::ranges::is_sorted(held));
  Ints all = kept;
  all.insert(all.end(), held.begin(), held.end());
  EXPECT_EQ(sorted(all), range_of(100));
  EXPECT_EQ(split_rows(100, 30, 5), std::pair(kept, held));
  EXPECT_NE(split_rows(100, 30, 6).second, held);
  EXPECT_EQ(split_rows(4, 0, 1), std::pair(range_of(4), Ints{}));
  EXPECT_EQ(split_rows(4, 4, 1), std::pair(Ints{}, range_of(4)));
  EXPECT_EQ(error_of([] { split_rows(4, 5, 1); }, ErrorKind::usage), "[split_rows] 5 rows held out of 4");
}

TEST(TakeRows, CopiesThem) {
  const Tensor x = tensor({{1, 2}, {3, 4}, {5, 6}}, Dtype::int16);
  EXPECT_EQ(to_string(take_rows(x, {2, 0, 2})), "i16[3,2] [[5, 6], [1, 2], [5, 6]]");
  EXPECT_EQ(to_string(take_rows(x, {})), "i16[0,2] []");
  EXPECT_EQ(to_string(take_rows(zeros({3, 0}), {1, 2}).type()), "f32[2,0]");
  EXPECT_EQ(error_of([&] { take_rows(x, {3}); }, ErrorKind::usage), "[take_rows] row 3 of 3 rows");
  EXPECT_EQ(error_of([&] { take_rows(x, {-1}); }, ErrorKind::usage), "[take_rows] row -1 of 3 rows");
  EXPECT_EQ(error_of([&] { take_rows(scalar(1), {0}); }, ErrorKind::usage), "[take_rows] a scalar has no rows");
}

TEST(Arrays, RoundTripThroughFiles) {
  const TempDir dir;
  const Tensor x = tensor({{1, 2}, {3, 4}}, Dtype::float64);
  save_npy(dir / "x.npy", x);
  EXPECT_EQ(to_string(load_array(dir / "x.npy")), to_string(x));
  {
    const Tensor mapped = map_npy(dir / "x.npy");
    std::filesystem::remove(dir / "x.npy");
    EXPECT_EQ(to_string(take_rows(mapped, {1})), "f64[1,2] [[3, 4]]");
    EXPECT_EQ(sum(mapped).item(), 10);
  }
  EXPECT_EQ(error_of([&] { map_npy(dir / "x.npy"); }).substr(dir.path().size()),
            "/x.npy: cannot be read (No such file or directory): check the name");
  put(dir / "empty", "");
  EXPECT_NE(error_of([&] { map_npy(dir / "empty"); }), "");
  EXPECT_NE(error_of([&] { load_array(dir / "empty"); }), "");
}

// Files written by numpy.save on a big-endian array and on one in Fortran order are copied, not mapped.
TEST(Arrays, MapsWhatNeedsNoConversion) {
  const std::string numpy = std::string(VIVA_SOURCE_DIR) + "/tests/base/numpy/";
  for (const auto& e : std::filesystem::directory_iterator(numpy))
    if (e.path().extension() == ".npy") {
      const std::string path = e.path().string();
      try {
        const Array whole = read_npy(path);
        EXPECT_TRUE(same_bits(map_npy(path).array(), whole)) << path;
      } catch (const Error& error) {
        EXPECT_EQ(error_of([&] { map_npy(path); }), error.message());
      }
    }
}

TEST(Permutation, RefusesNegativeCounts) { EXPECT_THROW(permutation(-1, 0, 0), Error); }

}  // namespace
}  // namespace viva
