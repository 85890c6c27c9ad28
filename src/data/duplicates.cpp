#include "data/duplicates.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace viva {
namespace {

int64_t rows_of(const Array& a) {
  if (a.shape().empty()) throw input_error("a single number has no rows to compare: give an array of rows");
  return a.shape()[0];
}

size_t row_bytes(const Array& a) { return a.size() == 0 ? 0 : static_cast<size_t>(a.bytes() / rows_of(a)); }

struct Row {
  size_t hash;
  const char* data;
  int64_t index;  // rows of a second array follow those of the first
};

void add_rows(std::vector<Row>& rows, const Array& a) {
  const int64_t n = rows_of(a), before = static_cast<int64_t>(rows.size());
  const size_t width = row_bytes(a);
  const auto* data = reinterpret_cast<const char*>(a.data());
  for (int64_t i = 0; i < n; ++i, data += width)
    rows.push_back({std::hash<std::string_view>{}({data, width}), data, before + i});
}

// Equal rows become neighbours: by hash, then by bytes, so that rows made to collide cost a comparison more and no
// result depends on the hash; then by index.
std::vector<Ints> groups_of(std::vector<Row> rows, size_t width) {
  const auto order = [&](const Row& a, const Row& b) {
    if (a.hash != b.hash) return a.hash < b.hash;
    const int c = width > 0 ? std::memcmp(a.data, b.data, width) : 0;
    return c != 0 ? c < 0 : a.index < b.index;
  };
  const auto equal = [&](const Row& a, const Row& b) {
    return a.hash == b.hash && (width == 0 || std::memcmp(a.data, b.data, width) == 0);
  };
  std::ranges::sort(rows, order);
  std::vector<Ints> groups;
  for (size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
    for (end = begin + 1; end < rows.size() && equal(rows[begin], rows[end]);) ++end;
    if (end - begin < 2) continue;
    Ints& group = groups.emplace_back();
    for (size_t i = begin; i < end; ++i) group.push_back(rows[i].index);
  }
  std::ranges::sort(groups, {}, [](const Ints& g) { return g[0]; });
  return groups;
}

}  // namespace

bool comparable_rows(const Array& a, const Array& b) { return a.dtype() == b.dtype() && row_bytes(a) == row_bytes(b); }

std::vector<Ints> duplicate_rows(const Array& a) {
  std::vector<Row> rows;
  rows.reserve(static_cast<size_t>(rows_of(a)));
  add_rows(rows, a);
  return groups_of(std::move(rows), row_bytes(a));
}

std::vector<SharedRows> shared_rows(const Array& a, const Array& b) {
  if (!comparable_rows(a, b))
    throw input_error("rows of {} cannot be compared with rows of {}: save both in one dtype and shape",
                      to_string(a.type()), to_string(b.type()));
  const int64_t n = rows_of(a);
  std::vector<Row> rows;
  rows.reserve(static_cast<size_t>(n + rows_of(b)));
  add_rows(rows, a);
  add_rows(rows, b);
  std::vector<SharedRows> shared;
  for (const Ints& group : groups_of(std::move(rows), row_bytes(a))) {
    const auto second = std::ranges::lower_bound(group, n);
    if (second == group.begin() || second == group.end()) continue;
    SharedRows& s = shared.emplace_back(Ints(group.begin(), second), Ints(second, group.end()));
    for (int64_t& row : s.second) row -= n;
  }
  return shared;
}

}  // namespace viva
