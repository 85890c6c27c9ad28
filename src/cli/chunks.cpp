#include "cli/chunks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace viva {
namespace {

constexpr int64_t each_alone = 4;  // rows that are tried among copies and among zeros

Array with_rows(const Array& like, int64_t n) {
  Shape s = like.shape();
  s[0] = n;
  return Array::full({like.dtype(), std::move(s)}, 0);
}

void copy_row(Array& to, int64_t at, const Array& from, int64_t row, int64_t count = 1) {
  const int64_t bytes = from.bytes() / std::max<int64_t>(from.shape()[0], 1);
  if (bytes * count > 0)
    std::memcpy(to.mutable_data() + at * bytes, from.data() + row * bytes, static_cast<size_t>(bytes * count));
}

// Row k of each batched argument is the argument's row picks[k]; none (-1) leaves zeros.
std::vector<Array> picked(const FixedBatch& f, const std::vector<Array>& arguments, const Ints& picks) {
  std::vector<Array> chosen = arguments;
  for (size_t a = 0; a < chosen.size(); ++a) {
    if (!f.batched[a]) continue;
    chosen[a] = with_rows(arguments[a], f.batch);
    for (int64_t k = 0; k < f.batch; ++k)
      if (picks[static_cast<size_t>(k)] >= 0) copy_row(chosen[a], k, arguments[a], picks[static_cast<size_t>(k)]);
  }
  return chosen;
}

Ints filled_up(const FixedBatch& f, int64_t first, int64_t last) {
  Ints picks;
  for (int64_t k = 0; k < f.batch; ++k) picks.push_back(std::min(first + k, last));
  return picks;
}

void compare(Company& c, const std::vector<Array>& mine, int64_t my_row, const std::vector<Array>& theirs,
             int64_t their_row) {
  for (size_t i = 0; i < mine.size(); ++i) {
    const int64_t width = mine[i].size() / mine[i].shape()[0];
    for (int64_t k = 0; k < width; ++k) {
      const double a = mine[i].at(my_row * width + k), b = theirs[i].at(their_row * width + k);
      if (std::isfinite(a)) c.scale = std::max(c.scale, std::abs(a));
      if (a == b || (std::isnan(a) && std::isnan(b))) continue;
      c.largest = std::isfinite(a - b) ? std::max(c.largest, std::abs(a - b)) : INFINITY;
    }
  }
}

}  // namespace

std::vector<Array> in_chunks(const FixedBatch& f, const std::vector<Array>& arguments, int64_t n) {
  std::vector<Array> all;
  for (int64_t first = 0; first < n; first += f.batch) {
    const int64_t count = std::min(f.batch, n - first);
    const std::vector<Array> results = f.call(picked(f, arguments, filled_up(f, first, first + count - 1)));
    for (size_t i = 0; i < results.size(); ++i) {
      if (first == 0) all.push_back(with_rows(results[i], n));
      copy_row(all[i], first, results[i], 0, count);
    }
  }
  return all;
}

// One row is its own reverse, and fills its batch up with copies of itself.
int64_t company_calls(int64_t rows) { return rows == 1 ? 2 : 2 + 2 * std::min(rows, each_alone); }

Company in_other_company(const FixedBatch& f, const std::vector<Array>& arguments, int64_t n) {
  Company c;
  c.rows = std::min(n, f.batch);
  const std::vector<Array> plain = f.call(picked(f, arguments, filled_up(f, 0, c.rows - 1)));
  if (c.rows > 1) {
    Ints reversed = filled_up(f, 0, c.rows - 1);
    std::reverse(reversed.begin(), reversed.end());
    const std::vector<Array> turned = f.call(picked(f, arguments, reversed));
    for (int64_t i = 0; i < c.rows; ++i) compare(c, plain, i, turned, f.batch - 1 - i);
  }
  for (int64_t i = 0; i < std::min(c.rows, each_alone); ++i) {
    const std::vector<Array> copies =
        c.rows == 1 ? plain : f.call(picked(f, arguments, Ints(static_cast<size_t>(f.batch), i)));
    compare(c, plain, i, copies, 0);
    compare(c, plain, i, copies, f.batch - 1);
    Ints alone(static_cast<size_t>(f.batch), -1);
    alone.back() = i;
    compare(c, plain, i, f.call(picked(f, arguments, alone)), f.batch - 1);
  }
  c.measure = fmt::format(
      "rows fed in order, in reverse, and each among copies of itself and among zeros; largest difference {:.3g}",
      c.largest);
  return c;
}

}  // namespace viva
