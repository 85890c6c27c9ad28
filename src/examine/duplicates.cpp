#include "examine/duplicates.h"

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "base/sha256.h"
#include "examine/evaluation.h"

namespace viva {
namespace {

using FirstPlace = std::unordered_map<std::string_view, int64_t>;

FirstPlace first_places(std::span<const std::string> digests) {
  FirstPlace first;
  for (size_t i = 0; i < digests.size(); ++i) first.emplace(digests[i], static_cast<int64_t>(i));
  return first;
}

// -0 + 0 is 0 in round-to-nearest, and every other number stays.
Array without_negative_zero(const Array& rows) {
  if (rows.dtype() != Dtype::float32 && rows.dtype() != Dtype::float64) return rows;
  Array out = Array::make(rows.type());
  const auto copy = [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::ranges::transform(rows.as<T>(), out.as_mutable<T>().begin(), [](T x) { return x + T(0); });
  };
  if (rows.dtype() == Dtype::float32) copy(Tag<float>{});
  else copy(Tag<double>{});
  return out;
}

}  // namespace

std::vector<std::string> row_digests(const RowSource& data, ThreadPool& pool, const Cancel& cancel) {
  std::vector<std::string> digests(static_cast<size_t>(data.size()));
  for (int64_t first = 0; first < data.size();) {
    const int64_t count = std::min<int64_t>(1000, data.size() - first);
    if (cancel) throw Error(ErrorKind::cancelled, "interrupted");
    const Array rows = without_negative_zero(checked_rows(data, first, count));
    const auto each = static_cast<size_t>(rows.bytes() / count);
    pool.run((count + 99) / 100, [&](int64_t part) {
      for (int64_t i = part * 100; i < std::min(count, part * 100 + 100); ++i)
        digests[static_cast<size_t>(first + i)] = sha256_hex({rows.data() + static_cast<size_t>(i) * each, each});
    });
    first += count;
  }
  return digests;
}

std::vector<RowPair> repeated_rows(std::span<const std::string> digests) {
  const FirstPlace first = first_places(digests);
  std::vector<RowPair> pairs;
  for (size_t i = 0; i < digests.size(); ++i) {
    const int64_t at = first.at(digests[i]), row = static_cast<int64_t>(i);
    if (at != row) pairs.push_back({row, at});
  }
  return pairs;
}

std::vector<RowPair> conflicting_rows(std::span<const std::string> digests, std::span<const int64_t> labels) {
  // The first row, and the first whose label differs from its, are a conflict for every row of the group.
  const FirstPlace first = first_places(digests);
  std::unordered_map<int64_t, int64_t> other;
  for (size_t i = 0; i < digests.size(); ++i) {
    const int64_t at = first.at(digests[i]);
    if (labels[i] != labels[static_cast<size_t>(at)]) other.emplace(at, static_cast<int64_t>(i));
  }
  std::vector<RowPair> pairs;
  for (size_t i = 0; i < digests.size(); ++i) {
    const int64_t at = first.at(digests[i]);
    const auto found = other.find(at);
    if (found == other.end()) continue;
    const bool as_first = labels[i] == labels[static_cast<size_t>(at)];
    pairs.push_back({static_cast<int64_t>(i), as_first ? found->second : at});
  }
  return pairs;
}

std::vector<RowPair> shared_rows(std::span<const std::string> a, std::span<const std::string> b) {
  const FirstPlace places = first_places(b);
  std::vector<RowPair> pairs;
  for (size_t i = 0; i < a.size(); ++i) {
    const auto at = places.find(a[i]);
    if (at != places.end()) pairs.push_back({static_cast<int64_t>(i), at->second});
  }
  return pairs;
}

}  // namespace viva
