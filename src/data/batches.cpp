#include <algorithm>
#include <mutex>
#include <numeric>
#include <span>

#include "base/error.h"
#include "base/sha256.h"
#include "base/threefry.h"
#include "viva/data.h"

namespace viva {

Ints permutation(int64_t n, uint64_t seed, uint64_t stream) {
  if (n < 0) throw usage_error("[permutation] {} places: give 0 or more", n);
  Ints order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  const Words2 key = fold_key(words_of(seed), stream);
  for (auto i = static_cast<uint64_t>(n); i-- > 1;) {
    const Words2 w = threefry2x32(key, words_of(i));
    const uint64_t bits = uint64_t{w[1]} << 32 | w[0];
    // ⌊bits·(i + 1) / 2⁶⁴⌋ is uniform over 0 … i.
    __extension__ using Wide = unsigned __int128;
    std::swap(order[i], order[static_cast<uint64_t>(Wide{bits} * (i + 1) >> 64)]);
  }
  return order;
}

std::pair<Ints, Ints> split_rows(int64_t rows, int64_t held_out, uint64_t seed, Loc l) {
  if (held_out < 0 || held_out > rows)
    throw Error(ErrorKind::usage, fmt::format("[split_rows] {} rows held out of {}", held_out, rows), l);
  constexpr uint64_t stream = UINT64_MAX;  // no epoch has it
  Ints held = permutation(rows, seed, stream), kept(held.begin() + held_out, held.end());
  held.resize(static_cast<size_t>(held_out));
  std::ranges::sort(kept);
  std::ranges::sort(held);
  return {std::move(kept), std::move(held)};
}

// The rows chosen (empty: all), and the order of the epoch asked for last.
struct Batches::Order {
  Ints chosen;
  std::mutex mutex;
  int64_t epoch = -1;
  std::shared_ptr<const Ints> places;
};

Batches::Batches(int64_t rows, const BatchOptions& options, Loc l)
    : count_(rows), options_(options), order_(std::make_shared<Order>()) {
  const auto refuse = [&](std::string why) { throw Error(ErrorKind::usage, "[Batches] " + std::move(why), l); };
  if (rows < 1) refuse("no rows");
  if (options.size < 1) refuse(fmt::format("batches of {}: give 1 or more", options.size));
  if (options.drop_last && options.size > rows)
    refuse(fmt::format("{} rows make no batch of {}, and drop_last leaves out the rest", rows, options.size));
  per_epoch_ = rows / options.size + (!options.drop_last && rows % options.size != 0);
}

Batches::Batches(Ints rows, const BatchOptions& options, Loc l)
    : Batches(static_cast<int64_t>(rows.size()), options, l) {
  order_->chosen = std::move(rows);
}

Ints Batches::at(int64_t step) const {
  if (step < 0) throw usage_error("[Batches] step {}: steps count from 0", step);
  const int64_t epoch = step / per_epoch_, begin = step % per_epoch_ * options_.size,
                end = std::min(begin + options_.size, count_);
  Ints batch(static_cast<size_t>(end - begin));
  std::iota(batch.begin(), batch.end(), begin);
  if (options_.shuffle) {
    std::shared_ptr<const Ints> places;
    {
      const std::lock_guard lock(order_->mutex);
      if (order_->epoch != epoch) {
        order_->places = std::make_shared<Ints>(permutation(count_, options_.seed, static_cast<uint64_t>(epoch)));
        order_->epoch = epoch;
      }
      places = order_->places;
    }
    for (int64_t& i : batch) i = (*places)[static_cast<size_t>(i)];
  }
  if (!order_->chosen.empty())
    for (int64_t& i : batch) i = order_->chosen[static_cast<size_t>(i)];
  return batch;
}

std::string Batches::hash() const {
  Sha256 h;
  h.update(as_bytes(
      fmt::format("{} {} {} {} {} ", count_, options_.size, options_.seed, options_.shuffle, options_.drop_last)));
  for (int64_t r : order_->chosen) h.update(as_bytes(fmt::format("{} ", r)));
  return h.finish();
}

}  // namespace viva
