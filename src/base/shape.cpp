#include "base/shape.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace viva {

namespace {

constexpr int64_t most_elements = int64_t{1} << 47;  // 128 TiB of bytes: beyond any address space we run in

// -1 for too many. An extent of 0 does not hide absurd ones beside it.
int64_t count(const Shape& s) {
  int64_t n = 1;
  bool empty = false;
  for (int64_t d : s) {
    if (d == 0) empty = true;
    else if (d < 0 || n > most_elements / d) return -1;
    else n *= d;
  }
  return empty ? 0 : n;
}

}  // namespace

int64_t numel(const Shape& s) {
  for (int64_t d : s)
    if (d < 0) throw usage_error("shape {} has a negative extent", to_string(s));
  const int64_t n = count(s);
  if (n < 0) throw usage_error("shape {} has too many elements", to_string(s));
  return n;
}

std::optional<uint64_t> storage_bytes(const Type& t) {
  const int64_t n = count(t.shape);
  if (n < 0) return std::nullopt;
  return static_cast<uint64_t>(n) * static_cast<uint64_t>(size_of(t.dtype));
}

Ints row_major(const Shape& s) {
  Ints strides(s.size());
  int64_t n = 1;
  for (size_t i = s.size(); i-- > 0; n *= std::max<int64_t>(s[i], 1)) strides[i] = n;
  return strides;
}

std::string to_string(const Ints& v) { return fmt::format("[{}]", fmt::join(v, ",")); }

std::string to_string(const Type& t) { return fmt::format("{}{}", name(t.dtype), to_string(t.shape)); }

Ints iota_ints(int64_t n, int64_t start) {
  Ints v(static_cast<size_t>(n));
  std::iota(v.begin(), v.end(), start);
  return v;
}

bool contains(std::span<const int64_t> v, int64_t x) { return std::find(v.begin(), v.end(), x) != v.end(); }

Ints without(const Ints& v, std::span<const int64_t> drop) {
  Ints r;
  for (size_t i = 0; i < v.size(); ++i)
    if (!contains(drop, static_cast<int64_t>(i))) r.push_back(v[i]);
  return r;
}

Ints permute(const Ints& v, std::span<const int64_t> perm) {
  Ints r;
  for (int64_t p : perm) r.push_back(v[static_cast<size_t>(p)]);
  return r;
}

Ints inverse_permutation(std::span<const int64_t> perm) {
  Ints r(perm.size());
  for (size_t i = 0; i < perm.size(); ++i) r[static_cast<size_t>(perm[i])] = static_cast<int64_t>(i);
  return r;
}

}  // namespace viva
