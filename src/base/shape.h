// Static shapes and tensor types.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"

namespace viva {

using Ints = std::vector<int64_t>;
using Shape = Ints;  // extents, outermost first; a 0 is legal, a negative extent is not

// Number of elements; throws a usage error on a negative extent or where the product exceeds 2^47.
int64_t numel(const Shape& s);
// Row-major strides in elements.
Ints row_major(const Shape& s);
std::string to_string(const Ints& v);  // "[2,3]"

struct Type {
  Dtype dtype = Dtype::float32;
  Shape shape;
  bool operator==(const Type&) const = default;
  int64_t rank() const { return static_cast<int64_t>(shape.size()); }
};
std::string to_string(const Type& t);  // "f32[2,3]"
// The bytes of an array of this type; nullopt for a shape that numel refuses. For shapes that come out of files.
std::optional<uint64_t> storage_bytes(const Type& t);

// 0, 1, …, n-1.
Ints iota_ints(int64_t n, int64_t start = 0);
bool contains(std::span<const int64_t> v, int64_t x);
// The entries of v whose positions are not in drop.
Ints without(const Ints& v, std::span<const int64_t> drop);
// Index arithmetic of numpy.transpose: result[i] = v[perm[i]].
Ints permute(const Ints& v, std::span<const int64_t> perm);
Ints inverse_permutation(std::span<const int64_t> perm);

}  // namespace viva
